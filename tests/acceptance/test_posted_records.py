"""Records cross a gap: squashed and posted on the far side, carried in a pack, read and ranked on the near side."""

from __future__ import annotations

import json

import pytest
from world import UNTRUSTED


def work(machine, actor, summary, *reasons, wisp=False):
    """Bond the two steps, close them with `reasons`, squash them; gives the molecule's id."""
    environment = {"BD_ACTOR": actor}
    made = machine.run("mol", "wisp" if wisp else "pour", "mol-two", environment=environment)
    molecule = made.out.split()[0]
    for step, reason in zip(("look", "do"), reasons, strict=False):
        machine.run("mol", "close", f"{molecule}.{step}", "--reason", reason, environment=environment)
    machine.run("mol", "squash", molecule, "--summary", summary, "--yes", environment=environment)
    return molecule


def shown(machine, *words):
    """What `mol records` and `mol route` say, but for where a record comes from."""
    ran = machine.run("mol", "records", "--json", *words, guard=True)
    told = {"origin", "release"}
    records = [{key: value for key, value in one.items() if key not in told} for one in ran.json["records"]]
    ranked = machine.run("mol", "route", "--capabilities", "go,security", "--json", *words, guard=True)
    return records, ranked.json["performers"]


FORMULA = """
formula = "mol-two"
version = 3
description = "Looks, and does"
[capabilities]
primary = ["go"]
secondary = ["security"]
[[steps]]
id = "look"
title = "Look at {{what}}"
[[steps]]
id = "do"
title = "Do"
needs = ["look"]
[vars]
what = "everything"
"""


@pytest.fixture
def far(world):
    """A machine on the far side on which two people worked, with a registry of its own that got their records."""
    machine = world.machine("far")
    folder = machine.project / ".beads" / "formulas"
    folder.mkdir(parents=True)
    (folder / "mol-two.formula.toml").write_text(FORMULA)
    work(machine, "far/amber", "went well", "done", "done")
    work(machine, "far/jade", "broke", "failed: no disk", wisp=True)
    made = machine.run("registry", "init", "../reg", "--id", "far.example", "--no-passphrase", "--yes", "--json")
    machine.fingerprint = made.json["fingerprint"]
    machine.run("registry", "add", "../reg", "--root", machine.fingerprint)
    machine.run("mol", "post", "--to", "far.example", "--yes")
    return machine


def carry(far, name, *words):
    """Copy the far registry, and write a pack of the copy."""
    place = far.home / name
    far.run("mirror", "create", str(place), "--from", "far.example", *words)
    pack = far.folder / f"{name}.pack"
    far.run("mirror", "export", str(place), "-o", str(pack))
    return pack


def test_records_that_were_carried_are_those_that_were_posted(world, far):
    pack = carry(far, "copy")
    near = world.machine("near")
    place = near.home / "copy"
    near.run("mirror", "import", str(pack), "--to", str(place), "--root", far.fingerprint, guard=True)
    near.run("registry", "add", str(place), guard=True)
    records, performers = shown(near, "--everywhere", "--offline")
    assert (records, performers) == shown(far)
    assert [one["summary"] for one in records] == ["broke", "went well"]
    assert {one["performer"] for one in performers} == {"far/amber", "far/jade"}
    assert shown(near) == ([], [])
    # What comes later on the far side travels as an increment, and nothing is posted or shown twice.
    work(far, "far/amber", "again", "done", "done")
    far.run("mol", "post", "--to", "far.example", "--yes")
    far.run("mirror", "update", str(far.home / "copy"))
    more = far.folder / "more.pack"
    far.run("mirror", "export", str(far.home / "copy"), "-o", str(more), "--base", "2")
    near.run("mirror", "import", str(more), "--to", str(place), guard=True)
    assert shown(near, "--everywhere", "--offline") == shown(far)
    assert len(shown(far)[0]) == 3
    assert shown(far, "--everywhere") == shown(far)


def test_a_flipped_byte_is_refused_on_its_way_and_where_it_lies(world, far):
    pack = carry(far, "copy")
    near = world.machine("near")
    place = near.home / "copy"
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    bent = near.home / "bent.pack"
    bent.write_bytes(data)
    ran = near.try_run("mirror", "import", str(bent), "--to", str(place), "--root", far.fingerprint)
    assert ran.status in {1, UNTRUSTED}
    near.run("mirror", "import", str(pack), "--to", str(place), "--root", far.fingerprint)
    near.run("registry", "add", str(place))
    objects = (place / "mirrors" / "far.example" / "objects").rglob("*")
    [payload] = [one for one in objects if one.is_file() and one.read_bytes().startswith(b'{"actor":"far/')]
    payload.chmod(0o644)
    payload.write_bytes(payload.read_bytes().replace(b"went well", b"went ill."))
    ran = near.run("mol", "records", "--everywhere", status=UNTRUSTED)
    assert "went ill" not in ran.out
    ran = near.run("mol", "route", "--capabilities", "go", "--everywhere", status=UNTRUSTED)
    assert ran.out == ""


def test_of_a_part_that_was_carried_the_part_is_read_and_the_rest_is_said(world, far):
    work(far, "far/amber", "again", "done", "done")
    far.run("mol", "post", "--to", "far.example", "--yes")
    pack = carry(far, "part", "--only", "records-project@2")
    near = world.machine("near")
    place = near.home / "part"
    near.run("mirror", "import", str(pack), "--to", str(place), "--root", far.fingerprint, guard=True)
    near.run("registry", "add", str(place), guard=True)
    ran = near.run("mol", "records", "--everywhere", "--json", guard=True)
    assert [one["summary"] for one in ran.json["records"]] == ["again"]
    [warning] = ran.json["warnings"]
    assert "records of far.example are not here: records-project@1.0.0" in warning


def test_what_is_carried_proves_what_ran(world, far):
    pack = carry(far, "copy")
    near = world.machine("near")
    near.run("mirror", "import", str(pack), "--to", str(near.home / "copy"), "--root", far.fingerprint)
    near.run("registry", "add", str(near.home / "copy"))
    ran = near.run("mol", "records", "--registry", "far.example", "--actor", "far/jade", "--json")
    [record] = ran.json["records"]
    proof = far.folder / "proof.json"
    far.run("mol", "verify", record["id"], "--step", "look", "--proof", "-o", str(proof))
    ran = near.run("mol", "verify", str(proof), "--step", "look", "--root", record["root"], guard=True)
    assert "failed: no disk" in ran.out
    exported = near.run("export", "records-project@1.0.0").out.splitlines()
    assert record["root"] in {json.loads(line)["root"] for line in exported}
