"""The far side of a gap: a mirror's folder into which packs are imported, and what it shows."""

from __future__ import annotations

import io
import os
from pathlib import Path

from mmpm.execute.context import SILENT
from mmpm.registry import layout
from mmpm.registry.mirror.origin import Believed
from mmpm.registry.pack.importing import Imported, Importer
from mmpm.registry.pack.landing import MirrorLanding
from mmpm.registry.verified import VerifiedState


class FarSide:
    """A mirror in `folder` that believes `fingerprint` of the registry `registry_id`.

    Attributes:
        belief: changed by hand where a test wants to.
    """

    def __init__(self, folder: Path, registry_id: str, fingerprint: str) -> None:
        self.folder = folder
        self.registry_id = registry_id
        self.belief = Believed(fingerprint)

    @property
    def tree(self) -> Path:
        return self.folder / "mirrors" / self.registry_id

    def receive(self, data: bytes, name: str = "carried.pack") -> Imported:
        """Import a pack, then try those that wait."""
        with MirrorLanding(str(self.folder)) as landing:
            importer = Importer(landing, lambda _id: self.belief, SILENT)
            done = importer.receive(io.BytesIO(data), name)
            self.retried = importer.retry()
        return done

    def retry(self) -> list[Imported]:
        with MirrorLanding(str(self.folder)) as landing:
            return Importer(landing, lambda _id: self.belief, SILENT).retry()

    def verify(self) -> VerifiedState | None:
        """Verify every file that the tree shows; None where it shows nothing."""
        if not (self.tree / layout.TIMESTAMP).exists():
            return None
        return verify_tree(self.tree, self.registry_id, self.belief)

    def serial(self) -> int:
        state = self.verify()
        return 0 if state is None else state.serial

    def waiting(self) -> list[str]:
        folder = self.folder / ".quarantine"
        return sorted(os.listdir(folder)) if folder.exists() else []


def reader_of(tree: Path):
    from mmpm.registry.destination import TreeDestination

    return TreeDestination(str(tree)).read


def verify_tree(tree: Path, registry_id: str, belief: Believed) -> VerifiedState:
    read = reader_of(tree)
    state = VerifiedState.open(read, belief.trusted_root(registry_id, read), registry_id=registry_id)
    chosen = None
    mirror = tree.parent.parent / "mirror.json"
    if mirror.exists():
        from mmpm.registry.mirror.selected import Mirror
        from mmpm.registry.mirror.selection import choose

        selection = Mirror.parse(mirror.read_bytes()).registries[registry_id].selection
        chosen = choose({registry_id: state}, {registry_id: selection}).chosen[registry_id]
    for file in state.tree_files(chosen):
        data = read(file.path, file.length)
        assert data is not None, file.path
        assert file.proves(data), file.path
    return state


def tree_files(tree: Path, registry_id: str, belief: Believed, select: object = None) -> dict[str, bytes]:
    """What two trees must have alike: the tree files of the newest timestamp, and all roots."""
    read = reader_of(tree)
    state = VerifiedState.open(read, belief.trusted_root(registry_id, read), registry_id=registry_id)
    return {file.path: (tree / file.path).read_bytes() for file in state.tree_files(select)}  # type: ignore[arg-type]


def visible(folder: Path) -> dict[str, bytes]:
    """Everything that a reader could come upon in a mirror, but objects, which prove themselves, and what waits."""
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = str((Path(top) / name).relative_to(folder))
            if "/objects/" not in path and not path.startswith((".quarantine", ".staging")):
                found[path] = (folder / path).read_bytes()
    return found
