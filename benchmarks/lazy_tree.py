"""A signed tree of thousands of names: each document is written once, when everything is said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from signed_tree import START, SignedTree

from mmpm.registry.index import release_line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from world import Machine, World

    from mmpm.model.release import Release


class LazyTree(SignedTree):
    """A signed tree that writes nothing before `settle`."""

    def __init__(self, folder: Path, registry_id: str, now: datetime = START) -> None:
        self.waiting: dict[str, bytes] = {}
        self.changed: set[str] = set()
        super().__init__(folder, registry_id, now)

    def target(self, target: str, data: bytes) -> None:
        self.waiting[target] = data

    def _index(self, name: str) -> None:
        self.changed.add(name)

    def publish(self, releases: Iterable[Release]) -> None:
        """Add releases as they are."""
        for release in releases:
            self.lines.setdefault(str(release.name), []).append(release_line(release))
            self._index(str(release.name))

    def settle(self) -> None:
        for name in self.changed:
            super()._index(name)
        for target, data in self.waiting.items():
            super().target(target, data)
        self.show()


def machine_with(world: World, name: str, tree: LazyTree, *words: str) -> Machine:
    """A machine that knows the tree's registry and has run `words`; its clock stands where the tree's does."""
    tree.settle()
    machine = world.machine(name)
    if tree.now == START:
        machine.clock = "2026-11-01T06:00:00Z"
    machine.run("registry", "add", str(tree.folder), "--root", tree.fingerprint)
    if words:
        machine.run(*words)
    return machine


def today() -> datetime:
    """The start of a tree whose machines have the real clock, so that the real entry of the command is timed."""
    return datetime.now(UTC).replace(microsecond=0)
