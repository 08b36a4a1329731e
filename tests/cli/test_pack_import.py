"""`mmpm mirror import`, as a person on the far side types it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from far_side import FarSide, tree_files
from hand_made_packs import full_pack, packed_file
from world import DONE, FORESEEN, UNTRUSTED, USAGE, World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("carried")) as made:
        acme = made.registry("acme").release("mol-leaf")
        acme.release("mol-tree", "1.0.0", requires={"mol-leaf": "*"})
        acme.release("mol-bundle", "1.0.0", files={"scripts/go.sh": b"#!/bin/sh\necho hi\n", "README.md": b"# b\n"})
        made.settle()
        yield made


@pytest.fixture
def carried(world, tmp_path):
    """A full pack on a medium."""
    medium = tmp_path / "medium"
    medium.mkdir()
    pack = medium / "acme.pack.tar.zst"
    pack.write_bytes(full_pack("acme.example", world.registries["acme"].folder).data())
    return pack


def test_the_first_pack_needs_a_root_key_that_somebody_vouches_for(world, carried, tmp_path):
    far = world.machine("asked")
    acme = world.registries["acme"]
    ran = far.run("mirror", "import", str(carried), "--to", str(tmp_path / "mirror"), status=UNTRUSTED)
    assert f"--root sha256:{acme.fingerprint.removeprefix('sha256:')}" in ran.err
    assert not (tmp_path / "mirror" / "mirrors").exists()
    far.run("mirror", "import", str(carried), "--to", str(tmp_path / "mirror"), "--root", "0" * 64, status=UNTRUSTED)
    ran = far.run("mirror", "import", str(carried), "--to", str(tmp_path / "mirror"), "--root", acme.fingerprint)
    assert "acme.example: serial " in ran.out
    side = FarSide(tmp_path / "mirror", "acme.example", acme.fingerprint.removeprefix("sha256:"))
    assert tree_files(side.tree, "acme.example", side.belief) == tree_files(acme.folder, "acme.example", side.belief)
    ran = far.run("mirror", "import", str(carried), "--to", str(tmp_path / "mirror"))
    assert "is already here" in ran.out
    # The mirror can be installed from, and its key is known by now.
    far.run("registry", "add", str(tmp_path / "mirror"))
    far.run("init")
    far.run("install", "mol-tree", "mol-bundle")
    # Also once a key is accepted, a fingerprint that is that of nothing here is not passed over.
    far.run("mirror", "import", str(carried), "--to", str(tmp_path / "mirror"), "--root", "0" * 64, status=UNTRUSTED)


def test_into_the_store_and_then_without_a_network(world, carried):
    far = world.machine("stored")
    acme = world.registries["acme"]
    ran = far.run("mirror", "import", str(carried), "--to-store", "--root", acme.fingerprint, "--json")
    [pack] = ran.json["packs"]
    assert [one["outcome"] for one in pack["registries"]] == ["shown"]
    far.run("init")
    far.run("--offline", "install", "mol-tree", "mol-bundle", guard=True)
    assert {"mol-tree", "mol-leaf", "mol-bundle"} <= set(far.installed())
    found = far.run("--offline", "search", "mol-bundle", guard=True)
    assert "mol-bundle" in found.out
    shutil.rmtree(far.formulas)
    far.run("--offline", "sync", "--frozen", guard=True)
    script = far.formulas / "mol-bundle" / "scripts" / "go.sh"
    assert script.stat().st_mode & 0o111
    assert not (far.store.parent / "packs").exists()
    ran = far.run("mirror", "import", str(carried), "--to-store")
    assert "is already here" in ran.out


def test_a_pack_brings_the_store_what_it_lacks_of_the_serial_that_it_shows_already(world, carried):
    far = world.machine("knows a part")
    far.add(world.registries["acme"])
    far.run("init")
    far.run("install", "mol-leaf")
    ran = far.run("mirror", "import", str(carried), "--to-store")
    assert "is already here" in ran.out
    assert "0 new files" not in ran.err
    far.run("--offline", "search", "mol-bundle", guard=True)


def test_a_damaged_pack_is_refused_by_name(world, carried, tmp_path):
    far = world.machine("damaged")
    acme = world.registries["acme"]
    data = carried.read_bytes()
    carried.write_bytes(data[: len(data) // 2])
    where = str(tmp_path / "mirror")
    ran = far.run("mirror", "import", str(carried), "--to", where, "--root", acme.fingerprint, status=UNTRUSTED)
    assert "acme.pack.tar.zst" in ran.err
    assert "Importing" not in ran.err  # a stretch that failed is not told as done
    assert not (far.trust / "acme.example").exists()


@pytest.mark.parametrize("order", [("bad", "good"), ("good", "bad")])
def test_a_damaged_pack_keeps_the_others_from_nothing(world, carried, tmp_path, order):
    far = world.machine(f"mixed-{order[0]}")
    data = carried.read_bytes()
    (tmp_path / "good").write_bytes(data)
    (tmp_path / "bad").write_bytes(data[: len(data) // 2])
    packs = [str(tmp_path / name) for name in order]
    where = ["--to", "far", "--root", world.registries["acme"].fingerprint]
    ran = far.run("mirror", "import", *packs, *where, "--json", status=UNTRUSTED)
    assert [(Path(one["pack"]).name, one["code"]) for one in ran.json["failed"]] == [("bad", "pack-refused")]
    assert [one["outcome"] for pack in ran.json["packs"] for one in pack["registries"]] == ["shown"]
    ran = far.run("mirror", "import", *packs, *where, status=UNTRUSTED)
    assert "acme.example: serial 2 is already here" in ran.out
    assert "error[pack-refused]" in ran.err


def test_a_pack_that_lacks_something_waits_and_says_so(world, tmp_path):
    far = world.machine("waiting")
    acme = world.registries["acme"]
    made = full_pack("acme.example", acme.folder)
    lost = next(entry.path for entry, data in made.members if b"echo hi" in data)
    whole = tmp_path / "whole"
    whole.write_bytes(made.data())
    made.members = [(entry, data) for entry, data in made.members if entry.path != lost]
    part = tmp_path / "part"
    part.write_bytes(made.data())
    where = ["--to", str(tmp_path / "mirror"), "--root", acme.fingerprint]
    ran = far.run("mirror", "import", str(part), *where, "--json", status=FORESEEN)
    [pack] = ran.json["packs"]
    assert Path(pack["request"]).exists()
    ran = far.run("mirror", "import", str(part), *where, status=FORESEEN)
    assert "missing: objects/" in ran.out
    assert "request.json" in ran.out
    # Nothing new: trying again says the same.
    far.run("mirror", "import", *where, status=FORESEEN)
    ran = far.run("mirror", "import", str(whole), *where)
    assert "acme.example: serial " in ran.out
    assert not (tmp_path / "mirror" / ".quarantine").exists()
    assert "No pack waits" in far.run("mirror", "import", *where).err


def test_nothing_is_changed_with_dry_run(world, carried, tmp_path):
    far = world.machine("dry")
    ran = far.run("--dry-run", "mirror", "import", str(carried), "--to", str(tmp_path / "mirror"), status=DONE)
    assert "would import into" in ran.out
    assert not (tmp_path / "mirror").exists()


def test_looking_into_a_pack_leaves_what_another_process_is_about_to_fill(world, carried, tmp_path):
    staging = tmp_path / "mirror" / ".staging"
    staging.mkdir(parents=True)
    far = world.machine("beside")
    root = world.registries["acme"].fingerprint
    far.run("mirror", "import", str(carried), "--to", str(tmp_path / "mirror"), "--root", root, "--dry-run")
    assert staging.is_dir()


def test_it_must_be_said_where_to_import_to(world, carried, tmp_path):
    far = world.machine("unsaid")
    far.run("mirror", "import", str(carried), status=USAGE)
    ran = far.run("mirror", "import", str(carried), "--to", str(tmp_path), "--to-store", status=USAGE)
    assert "to one place" in ran.err
    far.run("mirror", "import", str(tmp_path / "nothing"), "--to-store", status=FORESEEN)


def test_volumes_may_come_one_by_one_and_in_any_order(world, carried, tmp_path):
    from mmpm.registry.pack.format import PackHead
    from mmpm.registry.pack.volumes import PackSink

    far = world.machine("volumes")
    acme = world.registries["acme"]
    data = carried.read_bytes()
    made = full_pack("acme.example", acme.folder)
    with PackSink(str(tmp_path / "acme.pack"), -(-len(data) // 3)) as sink:
        sink.write(data)
        names = sink.finish(PackHead.parse(made.head_bytes()).id)
    media = []
    for number, name in enumerate(names[:-1]):
        medium = tmp_path / f"medium-{number}"
        medium.mkdir()
        shutil.move(name, medium)
        shutil.copy(names[-1], medium)
        media.append(medium / Path(name).name)
    where = ["--to", str(tmp_path / "mirror"), "--root", acme.fingerprint]
    ran = far.run("mirror", "import", str(media[2]), *where, status=FORESEEN)
    assert "volumes are missing: acme.pack.001, acme.pack.002" in ran.out
    shutil.rmtree(media[2].parent)
    far.run("mirror", "import", str(media[0]), *where, status=FORESEEN)
    damaged = bytearray(media[1].read_bytes())
    damaged[5] ^= 1
    whole = media[1].read_bytes()
    media[1].write_bytes(damaged)
    ran = far.run("mirror", "import", str(media[1]), *where, status=UNTRUSTED)
    media[1].write_bytes(whole)
    ran = far.run("mirror", "import", str(media[1]), *where)
    assert "acme.example: serial " in ran.out
    assert not (tmp_path / "mirror" / ".quarantine").exists()


def test_volumes_of_a_pack_that_is_not_to_be_believed_wait_no_more(world, carried, tmp_path):
    from mmpm.registry.pack.format import PackHead
    from mmpm.registry.pack.volumes import PackSink

    far = world.machine("wary")
    acme = world.registries["acme"]
    where = ["--to", str(tmp_path / "mirror"), "--root", acme.fingerprint]
    far.run("mirror", "import", str(carried), *where)
    made = full_pack("acme.example", acme.folder)
    made.members = [
        (packed_file(entry.path, data + b" "), data + b" ") if entry.path.endswith("/1.root.json") else (entry, data)
        for entry, data in made.members
    ]
    data = made.data()
    with PackSink(str(tmp_path / "forged"), -(-len(data) // 2)) as sink:
        sink.write(data)
        names = sink.finish(PackHead.parse(made.head_bytes()).id)
    second = Path(names[1])
    second.rename(tmp_path / "later")
    far.run("mirror", "import", names[0], *where, status=FORESEEN)
    assert (tmp_path / "mirror" / ".quarantine").exists()
    (tmp_path / "later").rename(second)
    far.run("mirror", "import", names[0], *where, status=UNTRUSTED)
    assert not (tmp_path / "mirror" / ".quarantine").exists()


@pytest.mark.parametrize("place", [".staging", ".quarantine", "mirrors"])
def test_a_link_in_the_place_of_a_mirror_s_folder_is_refused(world, carried, tmp_path, place):
    far = world.machine("linked")
    (tmp_path / "outside").mkdir()
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / place).symlink_to(tmp_path / "outside")
    where = ["--to", str(tmp_path / "mirror"), "--root", world.registries["acme"].fingerprint]
    ran = far.run("mirror", "import", str(carried), *where, status=FORESEEN)
    assert "error[linked-folder]" in ran.err
    assert not list((tmp_path / "outside").iterdir())
    (tmp_path / "mirror" / place).unlink()
    (tmp_path / "mirror").rename(tmp_path / "disk")
    (tmp_path / "mirror").symlink_to(tmp_path / "disk")  # the mirror itself may lie anywhere
    far.run("mirror", "import", str(carried), *where)


def test_a_volume_without_its_list_is_told_which_list(world, carried, tmp_path):
    far = world.machine("lone")
    lone = tmp_path / "acme.pack.002"
    carried.rename(lone)
    ran = far.run("mirror", "import", str(lone), "--to-store", status=UNTRUSTED)
    assert "acme.pack.002 is one volume of a pack, whose list (acme.pack.volumes.json) is needed as well" in ran.err


def test_a_mirror_that_packs_make_can_be_served_whatever_the_umask_was(world, carried):
    far = world.machine("strict")
    before = os.umask(0o077)
    try:
        far.run("mirror", "import", str(carried), "--to", "far", "--root", world.registries["acme"].fingerprint)
    finally:
        os.umask(before)
    mirror = far.project / "far"
    folders = [mirror, *(path for path in mirror.rglob("*") if path.is_dir())]
    assert {oct(path.stat().st_mode & 0o777) for path in folders} == {"0o755"}
    assert {oct(path.stat().st_mode & 0o777) for path in mirror.rglob("*") if path.is_file()} == {"0o444", "0o644"}
