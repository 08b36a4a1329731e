"""Where the catalogues of molecules lie, and reading them without trusting their size or kind."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from mmpm.molecule.beads.catalogue import BadLine, Layer
from mmpm.project.tiers import search_order

if TYPE_CHECKING:
    from mmpm.project.places import Places

BUILT_IN: Final = "built-in"
FILE: Final = "molecules.jsonl"
MAX_CATALOGUE_BYTES: Final = 128 << 20


def catalogue_files(places: Places, start: str, folder: str | None = None) -> tuple[tuple[str, str], ...]:
    """Give name and path of each layer: built-in, town, user, project, each over those before it. None needs to exist.

    Args:
        places: the person's folders; the town is `$GT_ROOT`, else `~/gt`.
        start: absolute path of the working folder.
        folder: what `--project` says.
    """
    found: dict[str, str] = {}
    for project in search_order(places, start, folder):
        if project.tier == "system":
            found.setdefault(os.path.join(os.path.dirname(project.root), FILE), BUILT_IN)
        else:
            # A folder that is two tiers at once (`--project ~`) is read as the first of them in search order.
            found.setdefault(os.path.join(project.root, ".beads", FILE), project.tier)
    layers = {name: path for path, name in found.items()}
    return tuple((name, layers[name]) for name in (BUILT_IN, "town", "user", "project") if name in layers)


def read_layers(places: Places, start: str, folder: str | None = None) -> tuple[tuple[Layer, ...], tuple[BadLine, ...]]:
    """Read the layers that are there, in the order of `catalogue_files`, and tell which could not be read."""
    layers: list[Layer] = []
    problems: list[BadLine] = []
    for name, path in catalogue_files(places, start, folder):
        try:
            data = _read(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(BadLine(path, 0, f"cannot be read: {error.strerror}"))
            continue
        except ValueError as error:
            problems.append(BadLine(path, 0, str(error)))
            continue
        layers.append(Layer(name, path, data))
    return tuple(layers), tuple(problems)


def _read(path: str) -> bytes:
    # Not blocking: whoever may write into the folder may put a pipe there that nobody ever writes to.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("is not a file")
        data = file.read(MAX_CATALOGUE_BYTES + 1)
    if len(data) > MAX_CATALOGUE_BYTES:
        raise ValueError(f"has more than {MAX_CATALOGUE_BYTES} bytes and is left out")
    return data
