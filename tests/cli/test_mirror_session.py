"""What a person sees of mirrors: made, brought up to date, checked, mended, pruned, and installed from."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from loopback import Loopback
from world import DONE, FORESEEN, UNREACHABLE, UNTRUSTED, USAGE, World, copy_folder, read_tree

from mmpm.registry.destination import TreeDestination
from mmpm.registry.mirror.selection import Chosen
from mmpm.registry.verified import VerifiedState


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as made:
        acme = made.registry("acme")
        acme.release("mol-a", "1.0.0", requires={"mol-b": "^1"}).release("mol-b", "1.0.0").release("mol-c", "2.0.0")
        acme.release("tool", files={"scripts/run.sh": b"#!/bin/sh\n"})
        yield made


@pytest.fixture
def here(world):
    """A machine that knows the registry."""
    machine = world.machine("connected")
    machine.add(world.registry("acme"))
    return machine


def tree_bytes(folder, registry, chosen=None):
    read = TreeDestination(str(folder)).read
    root = read("metadata/1.root.json", 1 << 20)
    state = VerifiedState.open(read, root, registry_id=registry)
    return {file.path: state.bytes_of(file) for file in state.tree_files(chosen or Chosen())}


def tree_of(machine, mirror="mirror", registry="acme.example"):
    return machine.project / mirror / "mirrors" / registry


def test_a_mirror_is_made_checked_and_installed_from(world, here):
    ran = here.run("mirror", "create", "mirror", "--from", "acme")
    assert ran.out.startswith("acme.example: serial 2, 4 releases: 4 copied, 0 here before; ")
    assert ran.out.endswith(" fetched\n")
    assert tree_bytes(tree_of(here), "acme.example") == tree_bytes(world.registry("acme").folder, "acme.example")
    assert "4 releases" in here.run("mirror", "verify", "mirror").out
    far = world.machine("far")
    copy_folder(here.project / "mirror", far.project / "carried")
    far.run("registry", "add", "carried", "--root", world.registry("acme").fingerprint)
    far.run("init")
    far.run("install", "mol-a", "tool", guard=True)
    assert set(far.installed()) == {"mol-a", "mol-b", "tool"}


def test_again_copies_nothing_and_an_update_only_what_is_new(world, here):
    here.run("mirror", "create", "mirror", "--from", "acme")
    again = here.run("mirror", "update", "mirror", "--json").json
    assert again["registries"] == [
        {
            "id": "acme.example",
            "serial": 2,
            "releases": 4,
            "new": 0,
            "present": 4,
            "files": 0,
            "bytes": 0,
            "fetched_bytes": 0,
        }
    ]
    world.registry("acme").release("mol-d", "1.0.0")
    [found] = here.run("mirror", "update", "mirror", "--json").json["registries"]
    assert (found["serial"], found["releases"], found["new"], found["present"]) == (3, 5, 1, 4)
    assert found["bytes"] == found["fetched_bytes"] > 0
    world.registry("acme").publisher.run(
        "yank", "mol-c@2.0.0", "--yes", "--reason", "broken", "--to", str(world.registry("acme").folder)
    )
    assert "5 releases: 0 copied, 5 here before" in here.run("mirror", "update", "mirror").out
    assert tree_bytes(tree_of(here), "acme.example") == tree_bytes(world.registry("acme").folder, "acme.example")


def test_a_dry_run_says_releases_files_and_bytes_exactly_and_changes_nothing(world, here):
    would = here.run("mirror", "create", "mirror", "--from", "acme", "--dry-run", "--json").json
    assert not (here.project / "mirror").exists()
    done = here.run("mirror", "create", "mirror", "--from", "acme", "--json").json
    keys = ("id", "serial", "releases", "new", "present", "files", "bytes")
    assert [{key: one[key] for key in keys} for one in would["registries"]] == [
        {key: one[key] for key in keys} for one in done["registries"]
    ]
    world.registry("acme").release("mol-d", "1.0.0")
    before = read_tree(here.project / "mirror")
    told = here.run("mirror", "update", "mirror", "--dry-run").out
    assert "would copy into" in told
    assert "1 of 5 releases of acme.example (serial 3)" in told
    assert read_tree(here.project / "mirror") == before


def test_a_lock_is_carried_whole_and_the_rest_is_not_mirrored_rather_than_absent(world, here):
    here.run("init")
    here.run("install", "mol-a")
    ran = here.run("mirror", "create", "mirror", "--from", "acme", "--lock", "mmpm.lock")
    assert "2 releases: 2 copied" in ran.out
    said = json.loads((here.project / "mirror" / "mirror.json").read_bytes())
    [lock] = said["registries"]["acme.example"]["locks"]
    assert lock["name"] == "project/mmpm.lock"
    assert [row[:2] for row in lock["releases"]] == [["mol-a", "1.0.0"], ["mol-b", "1.0.0"]]
    assert said["registries"]["acme.example"]["root"] == "sha256:" + world.registry("acme").fingerprint.removeprefix(
        "sha256:"
    )
    far = world.machine("far")
    copy_folder(here.project / "mirror", far.project / "carried")
    far.run("registry", "add", "carried", "--root", world.registry("acme").fingerprint)
    (far.project / "mmpm.toml").write_bytes((here.project / "mmpm.toml").read_bytes())
    far.lock.write_bytes(here.lock.read_bytes())
    far.run("sync", "--locked", guard=True)
    assert far.lock.read_bytes() == here.lock.read_bytes()
    refused = far.try_run("install", "mol-c", guard=True)
    assert refused.status != DONE
    assert "not mirrored here" in refused.err
    assert "does not exist" not in refused.err


def test_ranges_carry_all_that_they_allow_and_need(world, here):
    world.registry("acme").release("mol-a", "1.5.0", requires={"mol-b": ">=1"}).release("mol-a", "2.0.0")
    ran = here.run("mirror", "create", "mirror", "--from", "acme", "--only", "mol-a@^1")
    assert "3 releases: 3 copied" in ran.out
    world.registry("acme").release("mol-a", "1.6.0")
    assert "4 releases: 1 copied, 3 here before" in here.run("mirror", "update", "mirror").out


def test_what_is_asked_for_and_not_to_be_had_is_named(here):
    nothing = here.run("mirror", "create", "mirror", "--from", "acme", "--only", "mol-z@^1", status=FORESEEN)
    assert "mol-z@^1" in nothing.err
    here.run("init")
    here.run("install", "mol-a")
    text = here.lock.read_text()
    here.lock.write_text(text.replace('"version":"1.0.0"', '"version":"1.0.7"', 1))
    wrong = here.run("mirror", "create", "mirror", "--lock", "mmpm.lock", status=FORESEEN)
    assert "1.0.7 of project/mmpm.lock: acme.example has no such version" in wrong.err
    here.lock.write_text(text.replace("hop://acme.example/", "hop://other.example/"))
    other = here.run("mirror", "create", "mirror", "--from", "acme", "--lock", "mmpm.lock", status=FORESEEN)
    assert "other.example is not copied" in other.err
    assert here.run("mirror", "create", "mirror", "--lock", "nowhere.lock", status=USAGE)
    assert here.run("mirror", "create", "mirror", "--from", "acme", "--only", "NO NAME", status=USAGE)


def test_several_registries_go_into_one_mirror_and_one_that_is_gone_stays_as_it_was(world, here):
    other = world.registry("other", priority=2).release("mol-x", "1.0.0")
    here.add(other)
    made = here.run("mirror", "create", "mirror", "--from", "acme", "--from", "other")
    assert [line.partition(":")[0] for line in made.out.splitlines()] == ["acme.example", "other.example"]
    before = tree_bytes(tree_of(here, registry="other.example"), "other.example")
    world.registry("acme").release("mol-d", "1.0.0")
    world.settle()
    other.folder.rename(other.folder.with_name("gone"))
    ran = here.run("mirror", "update", "mirror", status=UNREACHABLE)
    assert "5 releases: 1 copied" in ran.out
    assert "other.example" in ran.err
    assert tree_bytes(tree_of(here, registry="other.example"), "other.example") == before
    assert "acme.example" in here.run("mirror", "verify", "mirror").out
    failed = here.run("mirror", "update", "mirror", "--json", status=UNREACHABLE).json["failed"]
    assert [one["registry"] for one in failed] == ["other.example"]
    moved = here.run("mirror", "update", "mirror", "--from", str(other.folder.with_name("gone")))
    assert "other.example: serial 2, 1 release: 0 copied" in moved.out


def test_a_mirror_is_made_of_a_mirror(world, here):
    world.registry("other", priority=2).release("mol-x", "1.0.0")
    here.add(world.registry("other"))
    here.run("mirror", "create", "first", "--from", "acme", "--from", "other")
    second = here.run("mirror", "create", "second", "--from", str(here.project / "first"))
    assert len(second.out.splitlines()) == 2
    for registry in ("acme.example", "other.example"):
        assert tree_bytes(tree_of(here, "first", registry), registry) == tree_bytes(
            tree_of(here, "second", registry), registry
        )


def test_the_policy_of_a_mirror_travels_to_mirrors_that_are_made_of_it_and_never_back(here):
    here.run("keys", "create", "chief", "--no-passphrase")
    first, second = here.project / "first" / "policy.json", here.project / "second" / "policy.json"

    def sign(serial, place, identity="acme"):
        (here.project / "p.toml").write_text(
            f'id = "{identity}"\nserial = {serial}\n[policy]\nmin_level = "verified"\n'
        )
        place.unlink(missing_ok=True)
        here.run("policy", "sign", "p.toml", "--key", "chief", "-o", str(place))
        return place.read_bytes()

    here.run("mirror", "create", "first", "--from", "acme")
    made = sign(2, first)
    ran = here.run("mirror", "create", "second", "--from", "first")
    assert f"policy acme: serial 2 ({first})" in ran.err
    assert second.read_bytes() == made
    assert "policy" not in here.run("mirror", "update", "second").err
    newer = sign(3, second)
    assert "serial 3 lies here, which is newer" in here.run("mirror", "update", "second").err
    assert second.read_bytes() == newer
    for change, reason in (
        (lambda: first.write_bytes(sign(4, first).replace(b'"serial":4', b'"serial":9')), "is bad"),
        (lambda: first.write_bytes(b"<html>"), "not taken over"),
        (lambda: sign(4, first, "other"), "policy acme lies here"),
    ):
        change()
        assert reason in here.run("mirror", "update", "second").err
        assert second.read_bytes() == newer
    newest = sign(4, first)
    here.run("mirror", "update", "second")
    assert second.read_bytes() == newest


def test_a_policy_that_the_pinned_key_did_not_sign_is_not_taken_over(here):
    for name in ("chief", "thief"):
        here.run("keys", "create", name, "--no-passphrase")
    here.run("mirror", "create", "first", "--from", "acme")
    (here.project / "p.toml").write_text('id = "acme"\nserial = 1\n[policy]\nmax_age = "99d"\n')
    for name in ("chief", "thief"):
        here.run("policy", "sign", "p.toml", "--key", name, "-o", f"{name}.json")
    public = here.run("keys", "export", "chief").out.strip()
    here.run("policy", "pin", "chief.json", "--key", public)
    (here.project / "thief.json").rename(here.project / "first" / "policy.json")
    ran = here.run("mirror", "create", "second", "--from", "first")
    assert "it is not taken over" in ran.err
    assert not (here.project / "second" / "policy.json").exists()


def test_a_served_mirror_gives_each_of_its_registries(world, here):
    world.registry("other", priority=2).release("mol-x", "1.0.0")
    here.add(world.registry("other"))
    here.run("mirror", "create", "first", "--from", "acme", "--from", "other")
    served = world.serve(here.project / "first")
    far = world.machine("far")
    roots = [word for one in world.registries.values() for word in ("--root", one.fingerprint)]
    ran = far.run("mirror", "create", "second", "--from", served.url, *roots)
    assert [line.partition(":")[0] for line in ran.out.splitlines()] == ["acme.example", "other.example"]
    for registry in ("acme.example", "other.example"):
        assert tree_bytes(tree_of(here, "first", registry), registry) == tree_bytes(
            tree_of(far, "second", registry), registry
        )
    asked = len(served.asked)
    assert "0 copied" in far.run("mirror", "update", "second").out
    assert len(served.asked) - asked < 24


def test_a_mirror_can_be_served_whatever_the_umask_was(here):
    before = os.umask(0o077)
    try:
        here.run("mirror", "create", "mirror", "--from", "acme")
    finally:
        os.umask(before)
    tree = tree_of(here)
    folders = [
        here.project / "mirror",
        tree,
        *(path for path in tree.rglob("*") if path.is_dir() and ".staging" not in path.parts),
    ]
    assert {oct(path.stat().st_mode & 0o777) for path in folders} == {"0o755"}
    files = [path for path in (here.project / "mirror").rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o444", "0o644"}


def test_a_mirror_is_not_copied_into_itself(here):
    here.run("mirror", "create", "mirror", "--from", "acme")
    refused = here.run("mirror", "create", "mirror", "--from", str(here.project / "mirror"), status=USAGE)
    assert "lies in" in refused.err


def test_a_root_key_is_accepted_by_a_person_alone(world):
    stranger = world.machine("stranger")
    folder = str(world.registry("acme").folder)
    world.settle()
    refused = stranger.run("mirror", "create", "mirror", "--from", folder, "--yes", status=UNTRUSTED)
    assert world.registry("acme").fingerprint.removeprefix("sha256:") in refused.err
    assert not (stranger.project / "mirror").exists()
    stranger.run("mirror", "create", "mirror", "--from", folder, "--root", "0" * 64, status=UNTRUSTED)
    stranger.run("mirror", "create", "mirror", "--from", folder, "--root", world.registry("acme").fingerprint)
    stranger.run("mirror", "update", "mirror")
    another = world.machine("another")
    copy_folder(stranger.project / "mirror", another.project / "mirror")
    assert another.run("mirror", "update", "mirror", status=UNTRUSTED)
    assert "nobody accepted" in another.run("mirror", "verify", "mirror").err
    another.run("mirror", "update", "mirror", "--root", world.registry("acme").fingerprint)


def test_damaged_missing_and_foreign_files_are_named_and_mended(here):
    here.run("mirror", "create", "mirror", "--from", "acme")
    tree = tree_of(here)
    whole = tree_bytes(tree, "acme.example")
    # Files of releases: without its document nobody could tell which files a release has.
    objects = [path for path in sorted(whole) if path.startswith("objects/") and not whole[path].startswith(b"{")]
    first, second, third = objects[:3]
    os.chmod(tree / first, 0o644)
    (tree / first).write_bytes(bytes(len(whole[first])))
    (tree / second).unlink()
    ran = here.run("mirror", "verify", "mirror", status=UNTRUSTED)
    assert f"damaged mirrors/acme.example/{first}\nmissing mirrors/acme.example/{second}\n" in ran.out
    document = here.run("mirror", "verify", "mirror", "--json", status=UNTRUSTED).json
    assert document["damaged"] == [f"mirrors/acme.example/{first}"]
    assert document["missing"] == [f"mirrors/acme.example/{second}"]
    assert here.try_run("mirror", "verify", "mirror", "--quick").out.count("missing") == 1
    mended = here.run("mirror", "verify", "mirror", "--repair")
    assert mended.out.splitlines()[-1].startswith("acme.example: serial 2, 4 releases: ")
    assert here.run("mirror", "verify", "mirror").out.startswith("acme.example: 4 releases")
    assert tree_bytes(tree, "acme.example") == whole
    assert (here.project / "mirror" / ".damaged" / "mirrors" / "acme.example" / first).exists()
    (tree / third).unlink()
    (tree / "objects" / "evil").write_bytes(b"x")
    both = here.run("mirror", "verify", "mirror", status=FORESEEN)
    assert "foreign mirrors/acme.example/objects/evil" in both.out
    assert "does not belong there" in here.run("mirror", "verify", "mirror", "--repair", status=FORESEEN).err
    here.run("mirror", "update", "mirror")
    assert "missing" not in here.run("mirror", "verify", "mirror", status=FORESEEN).out
    snapshot = next((tree / "metadata").glob("*.snapshot.json"))
    os.chmod(snapshot, 0o644)
    snapshot.write_bytes(b"{}")
    assert "snapshot.json" in here.run("mirror", "verify", "mirror", status=UNTRUSTED).err


def test_a_narrower_selection_is_pruned(here):
    here.run("mirror", "create", "mirror", "--from", "acme")
    assert "nothing to remove" in here.run("mirror", "prune", "mirror").err
    here.run("mirror", "create", "mirror", "--from", "acme", "--only", "mol-c")
    would = here.run("mirror", "prune", "mirror", "--dry-run").out
    assert "would remove" in would
    ran = here.run("mirror", "prune", "mirror", "--json").json
    assert ran["files"] > 0
    assert "acme.example: 1 release" in here.run("mirror", "verify", "mirror").out
    assert here.run("mirror", "prune", "mirror", "--json").json["files"] == 0


@pytest.mark.parametrize("place", ["mirrors", "mirrors/acme.example", "mirrors/acme.example/objects"])
def test_nothing_is_copied_through_a_link_in_the_place_of_a_folder(here, tmp_path, place):
    outside = tmp_path / "outside"
    outside.mkdir()
    linked = here.project / "mirror" / place
    linked.parent.mkdir(parents=True)
    linked.symlink_to(outside)
    ran = here.run("mirror", "create", "mirror", "--from", "acme", status=FORESEEN)
    assert "error[linked-folder]" in ran.err
    assert not list(outside.iterdir())
    linked.unlink()
    here.run("mirror", "create", "mirror", "--from", "acme")


def test_a_name_that_is_neither_a_registry_s_nor_a_folder_s_is_told_as_that(here):
    ran = here.run("mirror", "create", "mirror", "--from", "acmee", status=FORESEEN)
    assert "no registry acmee is configured; there are acme" in ran.err


def test_there_is_no_mirror(here):
    for verb in ("update", "verify", "prune"):
        assert "there is no mirror" in here.run("mirror", verb, "nowhere", status=FORESEEN).err


def test_one_waits_for_the_other_and_says_so(world, here):
    world.settle()
    here.run("mirror", "create", "mirror", "--from", "acme")
    holder = subprocess.Popen(
        here.command("mirror", "update", "mirror"), cwd=here.project, env=here.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    second = here.run("mirror", "update", "mirror")
    holder.communicate(timeout=900)
    assert holder.returncode == 0
    assert "4 releases: 0 copied" in second.out


def test_no_token_goes_where_only_the_mirrors_own_list_says(world, here):
    here.run("mirror", "create", "mirror", "--from", "acme")
    world.registry("acme").release("mol-a", "1.2.0")
    world.settle()
    here.extra["MMPM_TOKEN"] = here.extra["MMPM_TOKEN_ACME_EXAMPLE"] = "secret"
    listed = here.project / "mirror" / "mirror.json"
    with Loopback(world.registry("acme").folder) as server:
        text = json.loads(listed.read_text())
        text["registries"]["acme.example"]["from"] = [server.url]
        listed.unlink()
        listed.write_text(json.dumps(text))
        assert "1 copied" in here.run("mirror", "update", "mirror").out
        assert server.asked
        assert not [path for path, headers in server.asked if "authorization" in headers]
        del server.asked[:]
        here.run("mirror", "update", "mirror", "--from", server.url)
        assert any("authorization" in headers for _, headers in server.asked)
