"""What goes into a pack: all that the far side lacks, nothing else, equal bytes for equal states."""

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from far_side import FarSide, tree_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from near_side import cut_pack, inventory_of
from registry_tree import HOST, FolderRegistry, bundle, formula

from mmpm.errors import MissingTreeFileError, RegistryUntrustedError
from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.registry import layout
from mmpm.registry.mirror.origin import Believed
from mmpm.registry.pack.entries import Patch, registry_of_path
from mmpm.registry.pack.reading import PackReader, entries_of
from mmpm.registry.sign import add_signature, with_key
from mmpm.trust.keys import SigningKey
from mmpm_store.ids import ObjectId

TEXT = "".join(f"step {number} of many, each with words of its own {number * 7919}\n" for number in range(200))


class Origin:
    """A registry, and packs of it."""

    def __init__(self, folder: Path) -> None:
        self.registry = FolderRegistry(folder)
        self.tree = Path(self.registry.root)
        self.belief = Believed(self.registry.made.fingerprint)

    def cut(self, base=None, only=()) -> bytes:
        return cut_pack(self.tree, HOST, self.belief, base, only)

    def files(self) -> dict[str, bytes]:
        return tree_files(self.tree, HOST, self.belief)

    def far(self, folder: Path) -> FarSide:
        return FarSide(folder, HOST, self.registry.made.fingerprint)


@pytest.fixture
def origin(tmp_path):
    found = Origin(tmp_path / "origin")
    files = (
        ("formula.toml", False, b"a\n" * 90),
        ("notes/read.md", False, TEXT.encode()),
        ("run.sh", True, b"#!/bin/sh\n"),
    )
    found.registry.publish(formula("mol-a", "1.0.0", TEXT), formula("mol-b"), bundle("mol-c", "1.0.0", files))
    found.registry.later(days=1)
    return found


def entries(pack: bytes):
    reader = PackReader(io.BytesIO(pack), "pack")
    return list(entries_of(reader.head, reader.list_bytes(), "pack"))


def paths(pack: bytes) -> list[str]:
    found = []
    for entry in entries(pack):
        found += [file.path for file in entry.files] if isinstance(entry, Patch) else [entry.path]
    return [place[1] for path in found if (place := registry_of_path(path)) is not None]


def test_equal_states_give_equal_packs(origin):
    assert origin.cut() == origin.cut()
    origin.registry.publish(formula("mol-a", "1.1.0", TEXT + "more\n"))
    assert origin.cut(2) == origin.cut(2)


@pytest.mark.skipif(not shutil.which("zstd"), reason="needs the zstd program")
def test_a_full_pack_is_opened_by_tar_and_zstd_alone(origin, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "pack").write_bytes(origin.cut())
    command = f"zstd -q -d --long=27 < {tmp_path}/pack | tar -x -C {tmp_path}/out"
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert tree_files(tmp_path / "out" / "mirrors" / HOST, HOST, origin.belief) == origin.files()
    names = {one.name for one in (tmp_path / "out").iterdir()}
    assert names == {"pack.json", "files.jsonl", "mirror.json", "mirrors"}


def test_a_full_pack_has_every_tree_file_once_and_no_download(origin):
    found = paths(origin.cut())
    assert len(set(found)) == len(found)
    assert set(found) == {*origin.files(), "registry.json", "mirrored.json"}


def test_versions_of_a_file_lie_side_by_side(origin):
    origin.registry.publish(formula("mol-a", "1.1.0", TEXT + "more\n"), formula("mol-b", "1.1.0", "x\n"))
    found = [path for path in paths(origin.cut()) if path.startswith("objects/")]
    first, second = (
        layout.object_file(ObjectId.of(f"# mol-a {version}\n{text}".encode()))
        for version, text in (("1.0.0", TEXT), ("1.1.0", TEXT + "more\n"))
    )
    assert abs(found.index(first) - found.index(second)) == 1


def test_a_new_version_travels_as_a_patch_of_the_one_before(origin):
    origin.registry.publish(formula("mol-a", "1.1.0", TEXT + "more\n"))
    pack = origin.cut(2)
    (patch,) = [one for one in entries(pack) if isinstance(one, Patch)]
    old = ObjectId.of(f"# mol-a 1.0.0\n{TEXT}".encode())
    assert f"mirrors/{HOST}/{layout.object_file(old)}" in {base.path for base in patch.bases}
    assert len(pack) < len(TEXT) // 2


def test_nothing_travels_that_the_receiver_has_but_roots_and_timestamp(origin, tmp_path):
    far = origin.far(tmp_path / "far")
    far.receive(origin.cut())
    origin.registry.publish(formula("mol-a", "1.1.0", TEXT + "more\n"), formula("mol-d", "1.0.0", "new\n"))
    for base in (2, inventory_of(far.folder, HOST), inventory_of(far.folder, HOST, as_filter=True)):
        travelled = set(paths(origin.cut(base)))
        here = {path for path in travelled if (far.tree / path).exists()}
        assert here == {"metadata/1.root.json", "metadata/timestamp.json"}


def test_listings_follow_from_documents_in_an_increment(origin):
    origin.registry.publish(formula("mol-a", "1.1.0", TEXT + "more\n"))
    (release,) = [one for version, one in origin.registry.releases("mol-a").items() if version == "1.1.0"]
    assert layout.object_file(release.tree) in paths(origin.cut())
    assert layout.object_file(release.tree) not in paths(origin.cut(2))


def test_a_damaged_object_of_the_receiver_travels_again(origin, tmp_path):
    far = origin.far(tmp_path / "far")
    far.receive(origin.cut())
    path = layout.object_file(ObjectId.of(b"#!/bin/sh\n"))
    os.chmod(far.tree / path, 0o644)
    (far.tree / path).write_bytes(b"#!/bin/xx\n")
    assert path in paths(origin.cut(inventory_of(far.folder, HOST)))


def test_a_serial_whose_metadata_the_sender_has_no_more_still_cuts_a_pack_that_lands(origin, tmp_path):
    far = origin.far(tmp_path / "far")
    far.receive(origin.cut())
    origin.registry.publish(formula("mol-a", "1.1.0", TEXT + "more\n"))
    origin.registry.yank("mol-b", "1.0.0")
    for name in os.listdir(origin.tree / "metadata"):
        parsed = layout.parse_role_file(f"metadata/{name}")
        if parsed is not None and parsed[0] in ("timestamp", "snapshot") and parsed[1] <= 2:
            os.unlink(origin.tree / "metadata" / name)
    pack = origin.cut(2)
    assert not any(path.startswith("formulas/mol-c/") for path in paths(pack))
    far.receive(pack)
    assert tree_files(far.tree, HOST, far.belief) == origin.files()


def test_a_selection_travels_with_all_metadata_and_no_other_files(origin):
    pack = origin.cut(only=("mol-a",))
    found = set(paths(pack))
    assert layout.object_file(ObjectId.of(b"#!/bin/sh\n")) not in found
    assert len([path for path in found if ".bin-" in path]) == 256
    assert any(path.startswith("formulas/mol-c/") for path in found)
    assert PackReader(io.BytesIO(pack), "pack").head.registries[0].select == "releases"


@pytest.mark.parametrize("kind", ["serial", "inventory", "filter"])
def test_a_signature_that_was_added_later_travels_once(origin, tmp_path, kind):
    far = origin.far(tmp_path / "far")
    far.receive(origin.cut())
    key = SigningKey.generate()
    registry = origin.registry
    for serial in (2, 3):
        name = ("mol-a", "mol-b")[serial - 2]
        add_signature(registry.root, FormulaName.parse(name), Version.parse("1.0.0"), with_key(key), registry.how())
        base = serial if kind == "serial" else inventory_of(far.folder, HOST, as_filter=kind == "filter")
        pack = origin.cut(base)
        assert len([path for path in paths(pack) if path.startswith("signatures/")]) == 1
        far.receive(pack)
        assert tree_files(far.tree, HOST, far.belief) == origin.files()


def test_a_damaged_object_of_the_sender_stops_the_export(origin):
    path = origin.tree / layout.object_file(ObjectId.of(b"#!/bin/sh\n"))
    os.chmod(path, 0o644)
    path.write_bytes(b"#!/bin/xx\n")
    with pytest.raises(RegistryUntrustedError, match="signed length and id"):
        origin.cut()
    path.unlink()
    with pytest.raises(MissingTreeFileError):
        origin.cut()


CHANGES = st.lists(
    st.tuples(st.sampled_from(["mol-a", "mol-b", "mol-c", "mol-d"]), st.integers(1, 3), st.integers(0, 199)),
    min_size=1,
    max_size=4,
    unique_by=lambda change: change[:2],
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, with_filter=st.booleans(), by_serial=st.booleans(), drawn=st.data())
def test_what_lands_of_an_increment_is_what_the_origin_has(tmp_path_factory, changes, with_filter, by_serial, drawn):
    folder = tmp_path_factory.mktemp("gap")
    origin = Origin(folder / "origin")
    origin.registry.publish(*(formula(f"mol-{letter}", "1.0.0", TEXT) for letter in "abc"))
    far = origin.far(folder / "far")
    far.receive(origin.cut())
    for name, minor, line in changes:
        origin.registry.later(hours=1)
        text = TEXT.replace(f"step {line} of many", f"step {line} of few {minor}")
        origin.registry.publish(formula(name, f"1.{minor}.0", text))
    if drawn.draw(st.booleans()):
        origin.registry.yank("mol-b", "1.0.0")
    base = 2 if by_serial else inventory_of(far.folder, HOST, as_filter=with_filter)
    far.receive(origin.cut(base))
    assert tree_files(far.tree, HOST, far.belief) == origin.files()
