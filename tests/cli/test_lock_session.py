"""`lock`, `--check`, pre-releases, merge conflicts and soft dependencies as a person meets them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from mmpm.lock import Locked, format_lock, make_lockfile, parse_lock
from mmpm.ops.lock import merged_lock


def lock(terminal, manifest, *words, status=0):
    (terminal.cwd / "mmpm.toml").write_text("[formulas]\n" + manifest)
    seen = terminal.run("lock", *words)
    assert seen.status == status, seen.both
    return versions(terminal)


def versions(terminal):
    found = parse_lock((terminal.cwd / "mmpm.lock").read_bytes())
    return {one.name: one.version for one in found.releases}


def test_check_fails_where_the_lock_would_change_and_changes_nothing(terminal, registry):
    registry.release("mol-a", "1.0.0", "2.0.0")
    registry.show()
    lock(terminal, '"mol-a" = "^1"\n')
    path = terminal.cwd / "mmpm.lock"
    before = path.read_bytes()
    assert terminal.run("lock", "--check").status == 0
    registry.release("mol-a", "1.1.0")
    registry.show()
    assert terminal.run("lock", "--check").status == 0  # what is locked still fits
    lock(terminal, '"mol-a" = "^2"\n', "--check", status=1)
    assert path.read_bytes() == before
    path.write_bytes(before + b"<<<<<<< x\n")
    assert terminal.run("lock", "--check").status == 1
    assert path.read_bytes() == before + b"<<<<<<< x\n"


def test_what_does_not_stay_is_said_and_what_is_new_is_not(terminal, registry):
    registry.release("mol-a", "1.0.0", "2.0.0")
    registry.release("mol-b", "1.0.0")
    registry.release("mol-c", "1.0.0")
    registry.show()
    lock(terminal, '"mol-a" = "^1"\n"mol-b" = "*"\n')
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\n"mol-a" = "^2"\n"mol-c" = "*"\n')
    said = ["mol-a 1.0.0 to 2.0.0", "mol-b 1.0.0 is locked no more"]
    dry = terminal.run("lock", "--dry-run").err.splitlines()
    assert [line for line in dry if line.startswith("mol-")] == said
    seen = terminal.run("lock").err.splitlines()
    assert [line for line in seen if line.startswith("mol-")] == said


def test_a_withdrawal_since_is_no_gap_in_what_the_manifest_asks_for(terminal, registry):
    registry.release("mol-a", "1.0.0")
    registry.show()
    lock(terminal, '"mol-a" = "^1"\n')
    registry.yank("mol-a", "1.0.0")
    registry.show()
    seen = terminal.run("lock", "--check")
    assert seen.status == 1
    assert "warning: mol-a 1.0.0 was withdrawn by its publisher: broken" in seen.err
    assert "mmpm.lock covers the manifest, but not what is known by now of mol-a" in seen.err
    assert terminal.run("lock").status == 0
    assert terminal.run("lock", "--check").status == 0


def test_a_prerelease_comes_only_where_it_is_asked_for(terminal, registry):
    registry.release("mol-a", "1.0.0", "2.0.0-rc.1")
    registry.release("mol-b", "1.0.0-rc.1", "1.0.0-rc.2")
    registry.show()
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\n"mol-b" = "*"\n')
    assert terminal.run("lock").status == 3
    assert lock(terminal, '"mol-b" = { version = "*", pre = true }\n') == {"mol-b": "1.0.0-rc.2"}
    assert lock(terminal, '"mol-a" = { version = "*", pre = true }\n') == {"mol-a": "1.0.0"}
    assert lock(terminal, '"mol-a" = "^2.0.0-rc.1"\n') == {"mol-a": "2.0.0-rc.1"}


def test_a_merge_conflict_is_mended_also_in_what_is_asked_for_and_without_a_manifest(terminal, registry):
    for name in ("mol-a", "mol-b", "mol-c"):
        registry.release(name, "1.0.0", "1.1.0")
    registry.show()
    base = '"mol-a" = "1.0.0"\n'
    lock(terminal, base)
    path = terminal.cwd / "mmpm.lock"
    lock(terminal, base + '"mol-b" = "*"\n')
    mine = path.read_bytes()
    lock(terminal, base + '"mol-c" = "^1"\n')
    theirs = path.read_bytes()
    conflict = b"<<<<<<< mine\n" + mine + b"||||||| base\n=======\n" + theirs + b">>>>>>> theirs\n"
    path.write_bytes(conflict)
    told = "mmpm.lock has a merge conflict: of a release that both sides have the higher is kept\n"
    assert told in terminal.run("lock", "--dry-run").err
    assert lock(terminal, base + '"mol-b" = "*"\n"mol-c" = "^1"\n') == {
        "mol-a": "1.0.0",
        "mol-b": "1.1.0",
        "mol-c": "1.1.0",
    }
    good = path.read_bytes()
    path.write_bytes(conflict)
    (terminal.cwd / "mmpm.toml").unlink()
    assert terminal.run("lock", "--project", str(terminal.cwd)).status == 0
    assert path.read_bytes() == good


def test_a_lock_that_cannot_be_read_is_made_anew_as_its_error_says(terminal, registry):
    registry.release("mol-a", "1.0.0", "1.1.0")
    registry.show()
    lock(terminal, '"mol-a" = "*"\n')
    path = terminal.cwd / "mmpm.lock"
    good = path.read_bytes()
    line = next(one for one in good.splitlines() if one.startswith(b'{"name"'))
    path.write_bytes(good.replace(line, line + b",\n" + line))  # as a union merge leaves it
    assert "run `mmpm lock`" in terminal.run("tree").err
    seen = terminal.run("lock")
    assert "warning: mmpm.lock could not be read and is made anew; 1 of its releases were kept" in seen.err
    assert path.read_bytes() == good


releases = st.dictionaries(
    st.sampled_from(["mol-a", "mol-b", "@acme/mol-c"]), st.sampled_from(["1.0.0", "1.2.0", "2.0.0-rc.1"])
)


def locked(name, version):
    return Locked(
        name,
        version,
        "formula",
        False,
        "sha256:" + "0" * 64,
        "blake3:" + "0" * 64,
        1,
        f"hop://molmall.example/formulas/{name}@{version}",
    )


@given(releases, releases)
def test_of_two_sides_every_release_is_kept_the_higher_version_of_both(mine, theirs):
    sides = [
        format_lock(make_lockfile({("formulas", name, "*") for name in side}, [locked(*one) for one in side.items()]))
        for side in (mine, theirs)
    ]
    found = merged_lock(b"<<<<<<< a\n" + sides[0] + b"=======\n" + sides[1] + b">>>>>>> b\n")
    assert {one.name for one in found.releases} == set(mine) | set(theirs)
    assert {name for _, name, _ in found.requirements} == set(mine) | set(theirs)
    for one in found.releases:
        order = ["1.0.0", "1.2.0", "2.0.0-rc.1"]
        assert order.index(one.version) == max(
            order.index(side[one.name]) for side in (mine, theirs) if one.name in side
        )


def test_what_a_formula_attaches_at_run_time_is_shown(terminal):
    folder = terminal.cwd / ".beads" / "formulas"
    folder.mkdir(parents=True)
    (folder / "mol-a.formula.toml").write_text(
        'formula = "mol-a"\nversion = 1\ndescription = "A."\n\n[[steps]]\nid = "a"\ntitle = "A"\n'
        '\n[steps.on_complete]\nfor_each = "x"\nbond = "mol-notify"\n'
    )
    assert "Attaches at run time: mol-notify\n" in terminal.run("show", "mol-a").out
    assert json.loads(terminal.run("show", "mol-a", "--json").out)["about"]["soft"] == ["mol-notify"]
