"""A formula of more than a thousand steps goes through every command as any other."""

from __future__ import annotations

import json

import pytest
from world import formula_text

from mmpm.lock import parse_lock

STEPS = 1025


def long_text(steps):
    """A formula whose steps hang together in one chain, every hundredth made by expanding another formula."""
    head = (
        'formula = "mol-long"\nversion = 1\ndescription = "Long."\nauthor = "someone@example.com"\n'
        '\n[package]\nversion = "1.0.0"\n'
    )
    return head + "".join(
        f'\n[[steps]]\nid = "s{i}"\ntitle = "Step {i}"\ndescription = "Do it."\n'
        + (f'needs = ["s{i - 1}"]\n' if i else "")
        + ('expand = "mol-b"\n' if i % 100 == 50 else "")
        for i in range(steps)
    )


def went_through(terminal, path, name, version, others):
    """Every command that reads a formula, in the order in which its author and a stranger would use them."""
    assert terminal.run("check", str(path)).status == 0
    published = terminal.run("publish", str(path), "--version", version, "--to", "../reg", "--yes")
    assert published.status == 0, published.both
    plan = json.loads(terminal.run("install", name, "--dry-run", "--json").out)
    assert [one["name"] for one in plan["releases"]] == [name]
    assert not (terminal.cwd / ".beads").exists()
    (terminal.cwd / "mmpm.toml").write_text(f'[formulas]\n"{name}" = "*"\n')
    assert terminal.run("lock").status == 0
    lock = parse_lock((terminal.cwd / "mmpm.lock").read_bytes())
    assert {one.name: one.version for one in lock.releases} == {name: version} | others
    assert json.loads(terminal.run("show", name, "--json").out)["version"] == version
    assert terminal.run("sync").status == 0
    assert (terminal.cwd / ".beads" / "formulas" / f"{name}.formula.toml").read_bytes() == path.read_bytes()
    assert terminal.run("show", name).status == 0
    assert terminal.run("tree").status == 0


@pytest.mark.usefixtures("mall")
def test_a_generated_formula_of_1025_steps_goes_through_every_command(terminal):
    path = terminal.folder / "mol-long.formula.toml"
    path.write_text(long_text(STEPS))
    went_through(terminal, path, "mol-long", "1.0.0", {"mol-a": "1.1.0", "mol-b": "1.0.0"})


@pytest.mark.corpus
@pytest.mark.usefixtures("mall")
def test_the_longest_real_formula_goes_through_every_command(terminal, corpus):
    longest = max(corpus.formulas, key=lambda line: line["step_count"])
    assert longest["step_count"] == STEPS
    path = terminal.folder / f"{longest['name']}.formula.toml"
    path.write_bytes(corpus.formula_bytes(longest["name"], longest["version"]))
    went_through(terminal, path, longest["name"], longest["version"], {})


@pytest.mark.usefixtures("mall")
def test_a_formula_that_is_too_long_to_read_is_refused_and_not_cut(terminal):
    folder = terminal.cwd / ".beads" / "formulas"
    folder.mkdir(parents=True)
    text = formula_text("mol-huge", "1.0.0", {})
    (folder / "mol-huge.formula.toml").write_text(text + "# filling\n" * 500_000)
    seen = terminal.run("show", "mol-huge")
    assert "more than the 4194304 that a formula may have" in seen.err
