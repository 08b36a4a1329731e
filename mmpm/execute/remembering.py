"""Writing down what an installation into an empty place came to, so that `mmpm.execute.again` can do it again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmpm.errors import TrustStateUnreadableError
from mmpm.execute.again import Memory, circumstances, memory_path
from mmpm.execute.connect import find_registry, trust_of
from mmpm.execute.trees import read_trees
from mmpm.plan import InstallTree, SetRoot, WriteText
from mmpm.project.policies import watched
from mmpm.project.state import look
from mmpm_store.durable import write_file_durably
from mmpm_store.layout import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmpm.execute.context import Context
    from mmpm.plan import Plan

# A memory of 1,000 releases is 1.5 MB; the least recently written ones go.
_KEPT = 16


def remember(context: Context, plan: Plan, formulas: str) -> None:
    """Write down what `plan`, which was applied where nothing was, put into the folder `formulas`.

    Nothing is written where another project would not be installed in the same way. It is a convenience: what keeps
    it from being written (no space, a file that changes) is passed over.
    """
    installs = [action for action in plan.actions if isinstance(action, InstallTree)]
    around = circumstances(context.environ)
    if not installs or not plan.lock or around is None or context.project.tier != "project":
        return
    if context.settings.warnings or context.settings.link == "copy" or plan.notes:
        return
    path = memory_path(context.places.state, plan.lock)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        memory = _memory(context, plan, installs, formulas, around)
        write_file_durably(path, memory.to_bytes(), 0o600, durable=False)
        _forget_old(os.path.dirname(path))
    except (OSError, TrustStateUnreadableError):
        return


def _memory(context: Context, plan: Plan, installs: Sequence[InstallTree], formulas: str, around: str) -> Memory:
    trees, _ = read_trees(context.store, [action.release.tree for action in installs])
    sizes = {str(entry.id): entry.size for tree in trees.values() for entry in tree.entries}
    objects: dict[str, tuple[str, int, list[str]]] = {}
    folders: dict[str, None] = {}
    for action in installs:
        for file in action.release.files:
            name = name_of(file.id.rpartition(":")[2], file.executable)
            objects.setdefault(name, (name, sizes[file.id], []))[2].append(file.path)
            _add_folders(file.path, folders)
    texts = [action for action in plan.actions if isinstance(action, WriteText)]
    return Memory(
        circumstances=around,
        store=context.store.path,
        watched=[look(path) for path in _watched(context, plan)],
        releases=[f"{action.release.name}@{action.release.version}" for action in installs],
        trees=sorted({tree for action in plan.actions if isinstance(action, SetRoot) for tree in action.trees}),
        installed_at=installs[0].release.installed_at,
        folders=list(folders),
        objects=list(objects.values()),
        texts={os.path.basename(text.path): text.text for text in texts if os.path.dirname(text.path) == formulas},
    )


def _add_folders(path: str, folders: dict[str, None]) -> None:
    end = path.find("/")
    while end != -1:
        folders.setdefault(path[:end])
        end = path.find("/", end + 1)


def _watched(context: Context, plan: Plan) -> list[str]:
    """Name what decides how things are installed, and what the receipt says of registries."""
    places = context.places
    trust = trust_files(context, plan.sources)
    return [*watched(places), places.gtconfig_file, f"{context.store.path}/version", *trust]


def trust_files(context: Context, registries: Iterable[str]) -> list[str]:
    """Name the files that say what is believed of registries, whether they are there or not.

    Raises:
        TrustStateUnreadableError: an accepted root key cannot be read.
    """
    own = [f"{context.places.trust}/{registry}" for registry in registries]
    others = {trust_of(context, find_registry(context, registry)).path for registry in registries} - {*own}
    return [f"{folder}/{name}" for folder in (*own, *sorted(others)) for name in ("pinned", "state.json")]


def _forget_old(folder: str) -> None:
    names = os.listdir(folder)
    if len(names) > _KEPT:
        times = sorted((os.stat(f"{folder}/{name}").st_mtime_ns, name) for name in names)
        for _, name in times[: len(names) - _KEPT]:
            os.unlink(f"{folder}/{name}")
