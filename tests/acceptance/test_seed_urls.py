"""nginx over a registry's folder answers the URLs of the seed, and serves clients."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from world import read_tree, sha256

pytestmark = pytest.mark.nginx


@pytest.fixture
def site(world, nginx):
    registry = world.registry("acme")
    registry.release("mol-review", "1.0.0").release("mol-review", "1.1.0", changelog="Added security focus option")
    registry.release("@acme/mol-deploy", "2.0.0", files={"scripts/go.sh": b"#!/bin/sh\n", "README.md": b"# go\n"})
    world.settle()
    server = nginx(registry.folder)
    server.registry = registry
    return server


def test_the_list_of_formulas(site):
    listed = {entry["name"]: entry for entry in json.loads(site.get("formulas"))["formulas"]}
    assert listed["mol-review"]["version"] == "1.1.0"
    assert set(listed["mol-review"]) >= {"name", "version", "description", "author", "capabilities"}


def test_a_formula(site):
    document = json.loads(site.get("formulas/mol-review"))
    assert document["name"] == "mol-review"
    assert document["versions"] == ["1.1.0", "1.0.0"]
    assert document["latest"] == "1.1.0"
    assert document["license"] == "MIT"
    assert document["capabilities"]["primary"] == ["testing"]


def test_a_version(site):
    document = json.loads(site.get("formulas/mol-review/1.1.0"))
    assert (document["name"], document["version"]) == ("mol-review", "1.1.0")
    assert document["changelog"] == "Added security focus option"
    assert document["checksum"] == sha256(site.get("formulas/mol-review/1.1.0/download"))
    assert document["published_at"].endswith("Z")


def test_a_scoped_name(site):
    assert json.loads(site.get("formulas/@acme/mol-deploy"))["latest"] == "2.0.0"


def test_curl_and_tar_unpack_a_bundle(site, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    target = tmp_path / "unpacked"
    target.mkdir()
    url = f"{site.url}/formulas/@acme/mol-deploy/2.0.0/download"
    subprocess.run(["bash", "-c", 'set -o pipefail; curl -sSf "$0" | tar xzf -', url], cwd=target, check=True)
    unpacked = read_tree(target)
    assert unpacked["mol-deploy/scripts/go.sh"] == (b"#!/bin/sh\n", True)
    assert unpacked["mol-deploy/README.md"] == (b"# go\n", False)
    assert set(unpacked) == {"mol-deploy/formula.toml", "mol-deploy/scripts/go.sh", "mol-deploy/README.md"}


def test_a_machine_installs_from_it(site, world):
    machine = world.machine()
    machine.run("init")
    machine.add(site.registry, url=site.url)
    machine.run("install", "mol-review", "@acme/mol-deploy")
    assert (machine.formulas / "mol-deploy" / "scripts" / "go.sh").read_bytes() == b"#!/bin/sh\n"


def test_what_is_not_there_is_not_found(site):
    import urllib.error

    for path in ("formulas/mol-nowhere", "formulas/mol-review/9.9.9"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            site.get(path)
