"""The seed's terminal sessions, on a terminal: same words, same order, bar and check marks."""

from __future__ import annotations

import re

import pytest

FORMULA = """\
formula = "mol-polecat-code-review"
version = 1
description = "Reviews."
type = "workflow"
[package]
version = "{version}"
author = "steve@gastown.io"
[capabilities]
primary = ["code-review"]
secondary = ["security"]
[[steps]]
id = "look"
title = "Look"
"""
BAR = "████████████████████ 100%"


@pytest.fixture
def town(terminal):
    """A town, and a registry in a folder that is added by its root key; gives a function that publishes a version."""
    terminal.environ["NO_COLOR"] = "1"
    (terminal.home / "gt").mkdir()
    made = terminal.run("registry", "init", "../reg", "--id", "molmall.gastown.io", "--no-passphrase")
    fingerprint = re.search(r"[0-9a-f]{64}", made.out)[0]
    assert terminal.run("registry", "add", "../reg", "--root", fingerprint).status == 0

    def publish(version, *words, **more):
        path = terminal.cwd / "mol-polecat-code-review.formula.toml"
        path.write_text(FORMULA.format(version=version))
        return terminal.look("publish", path.name, "--to", "../reg", *words, **more)

    return publish


def seen(terminal, *words, **more):
    """What is seen, behind the line that says which tier was chosen."""
    result = terminal.look(*words, **more)
    assert result.status == 0, result.both
    first, _, rest = terminal.tidy(result.out).partition("\n")
    assert first == "Tier: town, ~/gt (no mmpm.toml here, and there is a town)"
    return rest


def test_publish_install_list_and_upgrade_look_as_in_the_seed(terminal, town):
    assert (
        town("1.2.0", typed="y\n").out
        == """\
Publishing mol-polecat-code-review...
Pre-flight checks:
✓ formula.toml is valid
✓ Version 1.2.0 not yet published
✓ Required fields present (name, version, description)
✓ Skills declared
Publish to molmall.gastown.io? [y/N] y
Uploading... ✓
Published: hop://molmall.gastown.io/formulas/mol-polecat-code-review@1.2.0
View at: https://molmall.gastown.io/formulas/mol-polecat-code-review
"""
    )
    assert (
        seen(terminal, "install", "mol-polecat-code-review")
        == f"""\
Resolving mol-polecat-code-review...
Registry: molmall.gastown.io
Version: 1.2.0 (latest)
Author: steve@gastown.io
Skills: code-review, security
Downloading... {BAR}
Verifying checksum... ✓
Installed to: ~/gt/.beads/formulas/mol-polecat-code-review.formula.toml
"""
    )
    assert terminal.run("list", "--installed").out == "mol-polecat-code-review 1.2.0 [latest]\n"
    town("1.3.0", "--changelog", "- Added security focus option\n- Improved test coverage step", typed="y\n")
    assert (
        seen(terminal, "upgrade", "mol-polecat-code-review", typed="y\n")
        == """\
Checking for updates...
Current: 1.2.0
Latest: 1.3.0
Changelog for 1.3.0:
- Added security focus option
- Improved test coverage step
Upgrade? [y/N] y
Downloading... ✓
Installed: mol-polecat-code-review@1.3.0
"""
    )
    terminal.play(
        """
        $ mmpm formula list --installed
        mol-polecat-code-review 1.3.0 [latest]
        """
    )


def test_a_pinned_install_looks_as_in_the_seed(terminal, town):
    town("1.2.0", "--yes")
    assert seen(terminal, "formula", "install", "mol-polecat-code-review@1.2.0") == (
        "Installing mol-polecat-code-review@1.2.0 (pinned)...\n✓ Installed\n"
    )
    assert terminal.run("list", "--installed").out == "mol-polecat-code-review 1.2.0 [pinned]\n"


def test_piped_and_plain_the_same_words_come_without_bar_and_codes(terminal, town):
    town("1.2.0", "--yes")
    terminal.encoding = "ascii"
    seen = terminal.run("install", "mol-polecat-code-review")
    assert seen.out == "Installed to: ~/gt/.beads/formulas/mol-polecat-code-review.formula.toml\n"
    assert "Downloading... ok\nVerifying checksum... ok\n" in seen.err
    assert "\x1b" not in seen.both
    assert "\r" not in seen.both
