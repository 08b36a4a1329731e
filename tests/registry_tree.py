"""A folder registry made and read by the library itself, for tests of its writers."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mmpm.errors import DamagedRegistryError
from mmpm.model.capabilities import Capabilities
from mmpm.model.checksums import Checksum
from mmpm.model.names import FormulaName, RegistryId
from mmpm.model.versions import Version
from mmpm.registry import history, layout
from mmpm.registry.commit import Committing
from mmpm.registry.documents import ReleaseDocument
from mmpm.registry.init import init_registry
from mmpm.registry.key_folder import load_keys
from mmpm.registry.publish import Published, PublishItem, publish
from mmpm.registry.published import PublishedTree
from mmpm.registry.yank import Yanked, yank
from mmpm_store.canonical import payload_checksum
from mmpm_store.ids import ObjectId
from mmpm_store.tar import ArchiveFile
from mmpm_store.tree import FileEntry, Tree

NOW = datetime(2026, 1, 10, tzinfo=UTC)
HOST = "acme.example"
PATIENCE_SECONDS = 1200.0  # several publishers at once, on a machine that is busy with something else


@dataclass
class FolderRegistry:
    """A registry in `folder/reg`, its open keys in `folder/keys`, a clock turned by hand."""

    folder: Path
    now: datetime = NOW

    def __post_init__(self):
        self.root = str(self.folder / "reg")
        self.keys_folder = str(self.folder / "keys")
        self.made = init_registry(
            self.root, RegistryId.parse(HOST), "Acme", key_folder=self.keys_folder, passphrase=None, now=self.now
        )
        self.keys = load_keys(self.keys_folder, HOST, None)

    def how(self, **limits) -> Committing:
        given = {"key_folder": self.keys_folder, "wait_seconds": PATIENCE_SECONDS, **limits}
        return Committing(self.keys, self.now, **given)

    def publish(self, *items: PublishItem, **limits) -> Published:
        return publish(self.root, items, self.how(**limits))

    def yank(self, name: str, version: str, reason: str = "broken", **limits) -> Yanked:
        return yank(self.root, FormulaName.parse(name), Version.parse(version), reason, self.how(**limits))

    def take_down(self, name: str, version: str, reason: str = "leaked", **limits) -> Yanked:
        own = FormulaName.parse(name), Version.parse(version)
        return yank(self.root, *own, reason, self.how(**limits), take_down=True)

    def later(self, **units) -> None:
        self.now += timedelta(**units)

    def load(self, root: str | None = None) -> PublishedTree:
        return PublishedTree.load(root or self.root, self.keys.root)

    def releases(self, name: str) -> dict:
        """Version to release, as the signed index has them."""
        tree = self.load()
        index = tree.index(FormulaName.parse(name))
        lines = tree.older_lines(index) if index else ()
        return {str(one.version): one for one in history.read_history(FormulaName.parse(name), index, lines)}


def formula(name: str, version: str = "1.0.0", text: str = "steps\n", **more) -> PublishItem:
    """A release of one file, which these tests never parse."""
    own = FormulaName.parse(name)
    data = f"# {name} {version}\n{text}".encode()
    tree = Tree.of([FileEntry(f"{own.unscoped}.formula.toml", False, ObjectId.of(data), len(data))])
    return PublishItem(_document(own, version, "formula", Checksum.of(data), len(data), tree, more), lambda _id: data)


def bundle(name: str, version: str = "1.0.0", files=(("formula.toml", False, b"a"), ("run.sh", True, b"b"))):
    """A release of several files."""
    own = FormulaName.parse(name)
    archive = [ArchiveFile(path, executable, data) for path, executable, data in sorted(files)]
    tree = Tree.of(FileEntry(one.path, one.executable, ObjectId.of(one.data), len(one.data)) for one in archive)
    digest, size = payload_checksum(own.unscoped, archive)
    by_id = {ObjectId.of(one.data): one.data for one in archive}
    return PublishItem(_document(own, version, "bundle", Checksum(digest), size, tree, {}), by_id.__getitem__)


def _document(name, version, kind, checksum, size, tree, more) -> ReleaseDocument:  # noqa: PLR0917
    fields = {
        "description": f"What {name} does",
        "author": None,
        "license": "MIT",
        "repository": None,
        "capabilities": Capabilities(("go",)),
        "changelog": None,
        "published_at": "2026-01-09T00:00:00Z",
        "requires": (),
        "soft": (),
    }
    return ReleaseDocument(
        name=name, version=Version.parse(version), kind=kind, checksum=checksum, size=size, tree=tree, **fields | more
    )


def verify(registry: FolderRegistry, root: str | None = None) -> set[str]:
    """Verify everything that the newest timestamp reaches, bytes of every object included.

    Returns:
        ``name@version`` of every release that was not taken down.
    """
    tree = registry.load(root)
    found: set[str] = set()
    seen: set[str] = set()
    for role in layout.bin_roles():
        file = tree.chain.role_file(role)
        if file.sha256 in seen:
            assert Path(tree.root, layout.role_file(role, file.version)).exists()
            continue  # the same bytes, such as those of all the empty bins
        seen.add(file.sha256)
        for target in tree.bin_targets(role):
            assert tree.target(target) is not None
            name = layout.name_of_index(target)
            if name is not None:
                found |= _verify_releases(tree, FormulaName.parse(name))
    return found


def _verify_releases(tree: PublishedTree, name: FormulaName) -> set[str]:
    index = tree.index(name)
    assert index is not None
    releases = [one for one in history.read_history(name, index, tree.older_lines(index)) if not one.tombstone]
    for release in releases:
        document = tree.document(release)
        assert document.tree.id == release.tree
        for object_id in (release.tree, *(entry.id for entry in document.tree.entries)):
            path = f"{tree.root}/{layout.object_file(object_id)}"
            if not os.path.exists(path):
                raise DamagedRegistryError(tree.root, path)
            assert ObjectId.of(Path(path).read_bytes()) == object_id
        alias = f"{tree.root}/{layout.download_alias(str(name), str(release.version))}"
        if not os.path.exists(alias):  # of a copy that was taken meanwhile, perhaps: an older state of it is whole
            raise DamagedRegistryError(tree.root, alias)
    return {f"{name}@{release.version}" for release in releases}


def verify_copy(registry: FolderRegistry, copy: str) -> set[str]:
    """Verify a copy as a reader does: where its newest state has holes, the next older timestamp that has none."""
    names = os.listdir(f"{copy}/metadata")
    parsed = (layout.parse_role_file(f"metadata/{name}") for name in names)
    serials = sorted((one[1] for one in parsed if one and one[0] == "timestamp"), reverse=True)
    try:
        return verify(registry, copy)
    except DamagedRegistryError:
        for serial in serials:
            shutil.copyfile(f"{copy}/{layout.role_file('timestamp', serial)}", f"{copy}/older")
            os.replace(f"{copy}/older", f"{copy}/{layout.TIMESTAMP}")
            try:
                return verify(registry, copy)
            except DamagedRegistryError:
                continue
        raise


def verify_aliases(registry: FolderRegistry, root: str | None = None) -> None:
    """Compare the unsigned copies with what is signed: none too many, none too few."""
    releases = verify(registry, root)
    base = Path(root or registry.root, "formulas")
    shown = {str(path.parent.parent.relative_to(base)) + "@" + path.parent.name for path in base.rglob("download")}
    assert shown == releases
    listing = json.loads((base / "index.json").read_bytes())
    names = {release.rpartition("@")[0] for release in releases}
    assert {one["name"] for one in listing["formulas"]} == names
    assert listing["total"] == len(names)
    for name in names:
        versions = {release.rpartition("@")[2] for release in releases if release.rpartition("@")[0] == name}
        assert set(json.loads((base / name / "index.json").read_bytes())["versions"]) == versions
    pages = {str(path.parent.relative_to(base)) for path in base.rglob("index.json")} - {"."}
    assert {page for page in pages if not (base / page / "download").exists()} == names
