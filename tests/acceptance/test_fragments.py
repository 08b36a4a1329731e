"""A molecules fragment travels like any release; what cannot be done with it yet is said."""

from __future__ import annotations

import json

RECORD = {"id": "mol-sec", "title": "Scan {{scope}}", "labels": ["template"], "is_template": True}


def test_a_fragment_is_published_but_not_installed_as_a_formula(world):
    registry = world.registry("acme")
    path = world.folder / "mol-sec.jsonl"
    path.write_text(json.dumps(RECORD) + "\n")
    registry.publisher.run("publish", str(path), "--version", "1.0.0", "--to", str(registry.folder), "--yes")
    assert (registry.folder / "formulas" / "mol-sec" / "1.0.0" / "download").read_bytes() == path.read_bytes()

    machine = world.machine()
    machine.run("init")
    machine.add(registry)
    before = (machine.project / "mmpm.toml").read_bytes()
    ran = machine.run("install", "mol-sec", status=1)
    assert "mol-sec 1.0.0 is a fragment of molecules" in ran.err
    assert "Installed" not in ran.out
    assert (machine.project / "mmpm.toml").read_bytes() == before
    assert not machine.lock.exists()
