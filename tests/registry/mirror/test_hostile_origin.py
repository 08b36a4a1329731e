"""Whatever is done to a file of the registry that is copied, a mirror shows what was signed, or what it showed before."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from mirroring import mirror, opened, tree_bytes
from registry_tree import FolderRegistry, bundle, formula

from mmpm.errors import MmpmError
from mmpm.registry import layout

KINDS = ("flipped", "cut", "longer", "empty", "foreign", "gone", "link")


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A registry of two states, and a mirror that shows the first."""
    folder = tmp_path_factory.mktemp("hostile")
    registry = FolderRegistry(folder)
    registry.publish(formula("mol-a"), bundle("tool"))
    mirror(registry, folder / "old")
    registry.later(hours=1)
    registry.publish(formula("mol-a", "1.1.0"), formula("mol-b"))
    return registry, folder


def spoil(path, kind, other, rng):
    data = path.read_bytes()
    path.unlink()
    if kind == "flipped":
        at = rng.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
    elif kind == "link":
        path.symlink_to(other)
    elif kind != "gone":
        path.write_bytes(
            {"cut": data[: len(data) // 2], "longer": data + b"more", "empty": b"", "foreign": other.read_bytes()}[kind]
        )
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_a_spoiled_file_is_never_taken_in(case, tmp_path, kind):
    registry, folder = case
    rng = random.Random(kind)
    root = Path(registry.root)
    whole, before = tree_bytes(registry, root), tree_bytes(registry, folder / "old")
    new = sorted(set(whole) - set(before))
    wanted = [path for path in new if "bin-" not in path] + [layout.TIMESTAMP, layout.role_file("root", 1)] + new[:3]
    for number, path in enumerate(dict.fromkeys(wanted)):
        tree = tmp_path / str(number)
        copy_with_links(folder / "old", tree)
        data = spoil(root / path, kind, root / layout.role_file("targets", 1), rng)
        refusal = None
        try:
            mirror(registry, tree)
        except MmpmError as error:
            refusal = error.fact
        finally:
            (root / path).unlink(missing_ok=True)
            (root / path).write_bytes(data)
            os.chmod(root / path, 0o444)
        if refusal is not None:
            # Of a timestamp or root that is none the role is named; of everything else the file, or the release.
            named = (Path(path).name, *Path(path).name.split(".")[-2:-1], "mol-", "tool", "root", "timestamp")
            assert any(one in refusal for one in named), refusal
            assert tree_bytes(registry, tree) == before
        else:
            # White space in what signatures alone prove; a state that is stepped back from; what is not needed.
            shown = tree_bytes(registry, tree)
            assert shown in (whole, before) or path in {layout.TIMESTAMP, layout.role_file("root", 1)}
            assert opened(registry, tree).serial in {2, 3}
        mirror(registry, tree)
        assert tree_bytes(registry, tree) == whole


def copy_with_links(source, target):
    for path in source.rglob("*"):
        if path.is_file():
            there = target / path.relative_to(source)
            there.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, there)
