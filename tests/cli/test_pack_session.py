"""`mmpm mirror inventory`, `export`, `inspect`, `ack`, as the people on both sides of a gap type them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from far_side import FarSide, tree_files
from world import FORESEEN, UNTRUSTED, USAGE, World

ID = "acme.example"


@pytest.fixture
def world(tmp_path):
    with World(tmp_path / "world") as made:
        acme = made.registry("acme").release("mol-leaf", text=None)
        acme.release("mol-tree", "1.0.0", requires={"mol-leaf": "*"})
        acme.release(
            "mol-bundle", "1.0.0", files={"scripts/go.sh": b"#!/bin/sh\necho hi\n", "README.md": b"# b\n" * 99}
        )
        made.settle()
        yield made


@pytest.fixture
def near(world):
    return world.registries["acme"].publisher


@pytest.fixture
def acme(world):
    return world.registries["acme"]


def side_of(folder, acme) -> FarSide:
    return FarSide(folder, ID, acme.fingerprint.removeprefix("sha256:"))


def test_the_monthly_carry(world, near, acme, tmp_path):
    far, mirror, stick = world.machine("far"), tmp_path / "mirror", tmp_path / "stick"
    near.run("mirror", "export", str(acme.folder), "-o", str(stick / "first.pack"))
    far.run("mirror", "import", str(stick / "first.pack"), "--to", str(mirror), "--root", acme.fingerprint)
    ran = far.run("mirror", "inventory", str(mirror), "-o", str(stick / "far.inventory"))
    assert f"{ID}: serial " in ran.out
    acme.release("mol-leaf", "1.1.0").settle()
    ran = near.run(
        "mirror", "export", str(acme.folder), "-o", str(stick / "2.pack"), "--base", str(stick / "far.inventory")
    )
    assert "(inventory)" in ran.out
    assert (stick / "2.pack").stat().st_size < (stick / "first.pack").stat().st_size / 2
    far.run("mirror", "import", str(stick / "2.pack"), "--to", str(mirror))
    side = side_of(mirror, acme)
    assert tree_files(side.tree, ID, side.belief) == tree_files(acme.folder, ID, side.belief)
    far.run("keys", "create", "clerk", "--no-passphrase")
    far.run("mirror", "ack", str(mirror), "-o", str(stick / "far.ack"), "--key", "clerk")
    assert (stick / "far.ack").stat().st_size < 2000
    acme.release("mol-leaf", "1.2.0").settle()
    ran = near.run(
        "mirror", "export", str(acme.folder), "-o", str(stick / "3.pack"), "--base", str(stick / "far.ack"), "--json"
    )
    [registry] = ran.json["registries"]
    assert registry["base"]["kind"] == "acknowledgement"
    far.run("mirror", "import", str(stick / "3.pack"), "--to", str(mirror))
    assert tree_files(side.tree, ID, side.belief) == tree_files(acme.folder, ID, side.belief)


def test_an_acknowledgement_of_other_objects_is_said_to_be_one(world, near, acme, tmp_path):
    far, mirror = world.machine("far"), tmp_path / "mirror"
    near.run("mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"), "--only", "mol-leaf")
    far.run("mirror", "import", str(tmp_path / "p"), "--to", str(mirror), "--root", acme.fingerprint)
    far.run("keys", "create", "clerk", "--no-passphrase")
    far.run("mirror", "ack", str(mirror), "-o", str(tmp_path / "ack"), "--key", "clerk")
    ran = near.run("mirror", "export", str(acme.folder), "-o", str(tmp_path / "q"), "--base", str(tmp_path / "ack"))
    assert "the acknowledgement is of other objects" in ran.err
    ack = json.loads((tmp_path / "ack").read_text())
    ack["registries"][0]["serial"] += 1
    (tmp_path / "ack").write_text(json.dumps(ack))
    ran = near.run(
        "mirror",
        "export",
        str(acme.folder),
        "-o",
        str(tmp_path / "q"),
        "--base",
        str(tmp_path / "ack"),
        status=FORESEEN,
    )
    assert "changed after it was signed" in ran.err


def test_inspect_says_what_is_in_a_pack_and_believes_nothing(world, near, acme, tmp_path):
    near.run("mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"))
    stranger = world.machine("stranger")
    ran = stranger.run("mirror", "inspect", str(tmp_path / "p"), "--files")
    assert re.search(
        rf"{ID}: serial \d+ of .*, all releases \(3\), \d+ files of .*, needs nothing that is not in it", ran.out
    )
    assert f"mirrors/{ID}/metadata/timestamp.json" in ran.out
    found = stranger.run("mirror", "inspect", str(tmp_path / "p"), "--json").json
    assert found["registries"][0]["roots"] == [acme.fingerprint.removeprefix("sha256:")]
    data = bytearray((tmp_path / "p").read_bytes())
    data[len(data) // 2] ^= 4
    (tmp_path / "p").write_bytes(data)
    stranger.run("mirror", "inspect", str(tmp_path / "p"), status=UNTRUSTED)
    (tmp_path / "p").write_bytes(b"no pack at all")
    stranger.run("mirror", "inspect", str(tmp_path / "p"), status=UNTRUSTED)


def test_volumes_are_exact_and_come_back_together(near, acme, tmp_path):
    acme.release("mol-big", "1.0.0", files={"noise": os.urandom(200_000)}).settle()
    near.run("mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"), "--volume-size", "64K")
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("p.0*"))]
    assert len(sizes) >= 4
    assert set(sizes[:-1]) == {65536}
    ran = near.run("mirror", "inspect", str(tmp_path / "p.volumes.json"))
    assert f"Volumes: {len(sizes)}, all here and whole" in ran.out
    near.run("mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"), "--volume-size", "12", status=USAGE)


def test_a_pack_is_written_over_an_older_one_and_over_nothing_else(near, acme, tmp_path):
    words = ("mirror", "export", str(acme.folder), "-o")
    for name in ("p", "notes"):
        (tmp_path / name).write_bytes(b"precious")
        ran = near.run(*words, str(tmp_path / name), status=FORESEEN)
        assert f"{name} is there already, and it is no pack" in ran.err
        assert near.run(*words, str(tmp_path / name), "--dry-run", status=FORESEEN).err == ran.err
        assert (tmp_path / name).read_bytes() == b"precious"
    os.mkfifo(tmp_path / "pipe")
    assert "error[file-in-the-way]" in near.run(*words, str(tmp_path / "pipe"), status=FORESEEN).err
    (tmp_path / "p").unlink()
    near.run(*words, str(tmp_path / "p"))
    near.run(*words, str(tmp_path / "p"))
    near.run(*words, str(tmp_path / "p"), "--volume-size", "64K")
    assert not (tmp_path / "p").exists()  # whoever names the pack is given the newer one
    assert near.run("mirror", "inspect", str(tmp_path / "p")).out.startswith("Pack blake3:")


def test_a_dry_run_says_how_much_and_writes_nothing(near, acme, tmp_path):
    ran = near.run("mirror", "export", str(acme.folder), "-o", str(tmp_path / "out" / "p"), "--dry-run")
    assert re.search(r"would write .*: 3 releases, \d+ files, .* before compression", ran.out)
    assert not (tmp_path / "out").exists()


def test_whoever_has_neither_keys_nor_a_pinned_root_is_asked_for_one(world, acme, tmp_path):
    stranger = world.machine("stranger")
    words = ("mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"))
    ran = stranger.run(*words, status=UNTRUSTED)
    assert "--root" in ran.err
    stranger.run(*words, "--root", "0" * 64, status=UNTRUSTED)
    assert not (tmp_path / "p").exists()
    stranger.run(*words, "--root", acme.fingerprint)


def test_a_lock_travels_with_all_that_it_needs(world, near, acme, tmp_path):
    here = world.machine("here")
    here.run("init")
    here.add(acme)
    here.run("install", "mol-tree")
    ran = near.run("mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"), "--lock", str(here.lock), "--json")
    [registry] = ran.json["registries"]
    assert (registry["select"], registry["releases"]) == ("releases", 2)
    near.run("mirror", "export", str(acme.folder), "-o", str(tmp_path / "q"), "--only", "mol-nowhere", status=FORESEEN)
    ran = near.run("mirror", "export", str(acme.folder), "-o", str(tmp_path / "q"), "--only", "mol-no", status=FORESEEN)
    assert "`mmpm mirror create`" in ran.err
    assert "--from" not in ran.err


@pytest.mark.parametrize("base", ["no-such-file", "99", "other"])
def test_a_base_that_says_nothing_is_refused(near, acme, tmp_path, base):
    (near.project / "other").write_text("{}")
    words = ("mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"), "--base", base)
    assert "error[base-unreadable]" in near.run(*words, status=FORESEEN).err
    assert not (tmp_path / "p").exists()


def test_of_several_registries_the_serial_of_each_is_given(world, acme, tmp_path):
    other = world.registry("other").release("mol-other", "1.0.0")
    world.settle()
    clerk, far = world.machine("clerk"), world.machine("two")
    roots = ("--root", acme.fingerprint, "--root", other.fingerprint)
    mirror, carried = str(tmp_path / "mirror"), str(tmp_path / "p")
    clerk.run("mirror", "create", mirror, "--from", str(acme.folder), "--from", str(other.folder), *roots)
    words = ("mirror", "export", mirror, "-o", carried)
    clerk.run(*words)
    far.run("mirror", "import", carried, "--to", "far", *roots)
    serials = {one["id"]: one["serial"] for one in clerk.run("mirror", "update", mirror, "--json").json["registries"]}
    acme.release("mol-leaf", "1.2.0").settle()
    other.release("mol-other", "1.1.0").settle()
    clerk.run("mirror", "update", mirror)
    ran = clerk.run(*words, "--base", "2", status=FORESEEN)
    assert f"(--base {ID}=SERIAL --base other.example=SERIAL)" in ran.err
    each = [word for one, serial in serials.items() for word in ("--base", f"{one}={serial}")]
    assert clerk.run(*words, *each).out.count(", for whoever has serial ") == 2
    ran = far.run("mirror", "import", carried, "--to", "far")
    assert [line.rpartition(" -> ")[1] for line in ran.out.splitlines()] == [" -> ", " -> "]
    # What is not named travels whole.
    assert clerk.run(*words, *each[:2]).out.count("needs nothing that is not in it") == 1
    clerk.run(*words, *each, "--base", "far.inventory", status=USAGE)
    clerk.run(*words, *each, *each, status=USAGE)
    ran = clerk.run(*words, "--base", "third.example=3", status=FORESEEN)
    assert "third.example is not in the source" in ran.err
    clerk.run(*words, "--base", f"{ID}=99", status=FORESEEN)


def test_a_damaged_file_of_a_mirror_is_not_its_registry_s_fault(world, acme, tmp_path):
    clerk, mirror = world.machine("unlucky"), tmp_path / "mirror"
    clerk.run("mirror", "create", str(mirror), "--from", str(acme.folder), "--root", acme.fingerprint)
    clerk.run("keys", "create", "clerk", "--no-passphrase")
    path = next(path for path in mirror.rglob("objects/*/*") if b"echo hi" in path.read_bytes())
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    for words in (("export", str(mirror), "-o", "p"), ("ack", str(mirror), "--key", "clerk", "-o", "a")):
        ran = clerk.run("mirror", *words, status=UNTRUSTED)
        assert f"error[mirror-untrusted]: the mirror {mirror} has 1 damaged file (mirrors/{ID}/objects/" in ran.err
        assert "verify" in ran.err
        assert "--repair" in ran.err


@pytest.mark.parametrize("to", [("--to", "far"), ("--to-store",)])
def test_a_second_registry_comes_against_the_inventory_of_a_mirror_that_has_the_first(world, acme, tmp_path, to):
    name = f"beside{len(to)}"
    other = world.registry(name).release("mol-beside", "1.0.0")
    world.settle()
    clerk, far = world.machine(f"clerk-{name}"), world.machine(f"far-{name}")
    roots = ("--root", acme.fingerprint, "--root", other.fingerprint)
    mirror, carried, inventory = str(tmp_path / "mirror"), str(tmp_path / "p"), str(tmp_path / "inventory")
    clerk.run("mirror", "create", mirror, "--from", str(acme.folder), *roots[:2])
    clerk.run("mirror", "export", mirror, "-o", carried)
    far.run("mirror", "import", carried, *to, *roots[:2])
    far.run("mirror", "inventory", *(("far",) if "far" in to else ("--store",)), "-o", inventory)
    clerk.run("mirror", "create", mirror, "--from", str(other.folder), *roots[2:])
    ran = clerk.run("mirror", "export", mirror, "-o", carried, "--base", inventory)
    assert "for whoever has no state of it (inventory)" in ran.out
    # Some of its files are those of the first, such as the list of no publishers, and did not travel.
    ran = far.run("mirror", "import", carried, *to, *roots[2:])
    assert f"{name}.example: serial 2" in ran.out
    if "far" in to:
        far.run("mirror", "verify", "far")


def test_the_store_has_an_inventory_too(world, near, acme, tmp_path):
    here = world.machine("here")
    here.run("init")
    here.add(acme)
    here.run("install", "mol-tree", "mol-bundle")
    here.run("mirror", "inventory", "--store", "-o", str(tmp_path / "inventory"))
    ran = near.run(
        "mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"), "--base", str(tmp_path / "inventory")
    )
    assert "(inventory)" in ran.out


def test_of_two_exports_to_one_file_the_second_waits(near, acme, tmp_path):
    words = ("mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"))
    both = [
        subprocess.Popen(near.command(*words), cwd=near.project, env=near.environment(), stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [one.wait(timeout=900) for one in both] == [0, 0]
    near.run("mirror", "inspect", str(tmp_path / "p"))
    assert not list(tmp_path.glob("p.partial"))


def test_a_killed_export_leaves_no_pack_and_a_rerun_finishes(near, acme, tmp_path):
    acme.release("mol-big", "1.0.0", files={"noise": os.urandom(3_000_000)}).settle()
    words = ("mirror", "export", str(acme.folder), "-o", str(tmp_path / "p"), "--level", "19")
    for delay in (0.3, 0.6, 0.9):
        process = near.start(*words)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (tmp_path / "p").exists():  # killed at its very end, or not at all: what is there is whole
            near.run("mirror", "inspect", str(tmp_path / "p"))
            break
        assert process.returncode != 0
    near.run(*words)
    near.run("mirror", "inspect", str(tmp_path / "p"))
    assert [path for path in Path(tmp_path).iterdir() if path.name.startswith("p") and path.name != "p"] == []
