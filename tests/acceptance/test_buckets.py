"""Whose keys go where: a bucket that the person added is asked with them, one that only a project names is not."""

from __future__ import annotations

import pytest
from world import UNREACHABLE, USAGE, copy_folder

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hush"}


@pytest.fixture
def registry(world):
    return world.registry("acme").release("mol-a")


@pytest.fixture
def server(world, registry):
    world.settle()
    root = world.folder / "s3"
    (root / "bucket").mkdir(parents=True)
    copy_folder(registry.folder, root / "bucket" / "reg")
    return world.serve(root)


def signed(server):
    asked = {"authorization" in headers for _, headers in server.asked}
    assert len(asked) == 1
    return asked.pop()


def test_a_bucket_that_the_person_added_is_asked_with_their_keys(world, registry, server):
    machine = world.machine(**KEYS, AWS_ENDPOINT_URL=server.url)
    machine.run("init")
    machine.add(registry, url="s3://bucket/reg")
    machine.run("install", "mol-a")
    assert signed(server)
    assert "hush" not in "".join(str(headers) for _, headers in server.asked)
    assert b"s3" not in machine.lock.read_bytes()


def test_a_bucket_that_only_a_project_names_is_asked_without(world, registry, server):
    machine = world.machine(**KEYS, AWS_ENDPOINT_URL=server.url)
    machine.run("init")
    with (machine.project / "mmpm.toml").open("a") as file:
        file.write(
            f'\n[[registries]]\nid = "{registry.id}"\nurls = ["s3://bucket/reg"]\nroot = "sha256:{registry.fingerprint}"\n'
        )
    machine.run("install", "mol-a")
    assert not signed(server)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("s3://x", {}),
        ("s3://bucket/a?b", {}),
        ("s3://bucket/reg", {"AWS_ACCESS_KEY_ID": "key"}),
        ("s3://bucket/reg", {"AWS_ENDPOINT_URL": "ftp://x"}),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(world, url, environment):
    ran = world.machine(**environment).run("registry", "add", url, status=USAGE)
    assert len(ran.err.splitlines()) == 2
    assert "error[bad-setting]" in ran.err


def test_offline_no_bucket_is_asked(world, server):
    machine = world.machine(AWS_ENDPOINT_URL=server.url)
    machine.run("registry", "add", "s3://bucket/reg", "--offline", status=UNREACHABLE, guard=True)
    assert server.asked == []
