"""A mirror made without mmpm: the copy of a registry's tree, whole or without the files of some releases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from world import copy_folder

if TYPE_CHECKING:
    from pathlib import Path

    from world import Registry


class MirrorByHand:
    """A mirror's folder.

    Attributes:
        folder: holds `mirrors/<registry id>`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tree(self, registry: Registry) -> Path:
        """Where a registry's copy lies."""
        return self.folder / "mirrors" / registry.id

    def add(self, registry: Registry) -> Path:
        """Copy a registry's tree as it is now."""
        registry.world.settle()
        target = self.tree(registry)
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_folder(registry.folder, target)
        return target

    def leave_out(self, registry: Registry, name: str, version: str) -> None:
        """Take the files of a release away that no other one has, and its listing."""
        tree = self.tree(registry)
        mine = _objects(tree, name, version)
        others = {
            one
            for path in (tree / "formulas").glob(f"{name}/*/index.json")
            if path.parent.name != version
            for one in _objects(tree, name, path.parent.name)
        }
        for one in mine - others:
            (tree / "objects" / one[:2] / one[2:]).unlink()

    def leave_out_index(self, registry: Registry, name: str) -> None:
        """Take the index of a formula away."""
        for path in (self.tree(registry) / "formulas" / name).glob("*.index.json"):
            path.unlink()

    def say(self, registry: Registry, **said: object) -> None:
        """Write `mirrored.json`; `said` replaces what it has."""
        serial = json.loads((self.tree(registry) / "metadata" / "timestamp.json").read_bytes())["signed"]["version"]
        document = {"format": 1, "id": registry.id, "serial": serial, "complete": False, "releases": {}}
        (self.tree(registry) / "mirrored.json").write_text(json.dumps(document | said))

    def write_head(self) -> None:
        """Write `mirror.json` as far as readers look at it."""
        ids = sorted(path.name for path in (self.folder / "mirrors").iterdir())
        (self.folder / "mirror.json").write_text(
            json.dumps({"format": 1, "registries": {one: {"select": "all", "from": [], "root": ""} for one in ids}})
        )


def _objects(tree: Path, name: str, version: str) -> set[str]:
    document = json.loads((tree / "formulas" / name / version / "index.json").read_bytes())
    return {str(one).removeprefix("blake3:") for one in (document["tree"], *(row[2] for row in document["files"]))}
