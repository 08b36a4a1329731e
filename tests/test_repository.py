"""What is written about the project is true of it, and nothing of one person's machine is in it."""

from __future__ import annotations

import re
import subprocess

import pytest
from world import CHECKOUT

from mmpm.cli.table import COMMANDS, GROUPS, knows_command


def tracked(pattern="*"):
    listed = subprocess.run(
        ["git", "ls-files", "-z", pattern], cwd=CHECKOUT, capture_output=True, check=False, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [CHECKOUT / name for name in listed.stdout.split("\0") if name and (CHECKOUT / name).is_file()]


def commands_named_in(text):
    """The words behind `mmpm` in code spans and transcripts, without their operands."""
    for line in re.findall(r"(?:`|\$ |^)mmpm ((?:[a-z]+ ?)+)", text, flags=re.MULTILINE):
        words = line.split()
        yield words[:2] if words[0] in GROUPS else words[:1]


# Also names what is still to come: the table says of each row whether it works now (see the next test).
WITH_LATER_COMMANDS = "docs/seeds.md"


def test_documents_name_only_commands_that_exist():
    unknown = [
        f"{path.name}: {words}"
        for path in tracked("*.md")
        if path != CHECKOUT / WITH_LATER_COMMANDS
        for words in commands_named_in(path.read_text())
        if not knows_command(words)
    ]
    assert unknown == []


def test_what_the_seeds_table_calls_working_exists():
    rows = (CHECKOUT / "docs" / "seeds.md").read_text().splitlines()
    working = [row for row in rows if re.search(r"\| now(,[^|]*)? \|$", row)]
    assert len(working) > 15
    unknown = [words for row in working for words in commands_named_in(row) if not knows_command(words)]
    assert unknown == []


def test_every_command_is_in_the_readme():
    text = (CHECKOUT / "README.md").read_text()
    verbs = text[text.index("## The verbs") : text.index("Everywhere:")]
    missing = [row.words for row in COMMANDS if row.words.split()[-1] not in verbs]
    assert missing == []


def test_links_of_documents_lead_somewhere():
    broken = [
        f"{path.name}: {target}"
        for path in tracked("*.md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", re.sub(r"`[^`\n]*`", "", path.read_text()))
        if not (path.parent / target).exists()
    ]
    assert broken == []


def rooms_of_interfaces():
    """The part of docs/interfaces.md about each folder of code, by folder."""
    text = (CHECKOUT / "docs" / "interfaces.md").read_text()
    for section in text.split("\n## ")[1:]:
        head, _, body = section.partition("\n")
        found = re.search(r"`((?:store/)?mmpm[a-z_/]*)", head)
        if found:
            yield CHECKOUT / found[1], body


def test_the_interfaces_name_every_module():
    described = {folder: set(re.findall(r"[a-z0-9_]+\.py\b", body)) for folder, body in rooms_of_interfaces()}
    missing = []
    for path in [*tracked("mmpm/*.py"), *tracked("store/mmpm_store/*.py")]:
        folder = path.parent if path.parent.name != "commands" else path.parents[1]
        if not path.name.startswith("__") and path.name not in described.get(folder, ()):
            missing.append(str(path.relative_to(CHECKOUT)))
    assert missing == []


def test_what_the_interfaces_name_is_there():
    gone = [
        f"{folder.name}/{name}"
        for folder, body in rooms_of_interfaces()
        for name in re.findall(r"(?<![/a-z_])[a-z0-9_]+\.py\b", body)
        if not any((folder / below / name).is_file() for below in ("", "commands"))
    ]
    assert gone == []


def test_requirements_name_no_index_and_hash_everything():
    for path in tracked("requirements/*.txt"):
        lines = path.read_text().splitlines()
        assert not [line for line in lines if "://" in line or line.startswith("-")], path
        pins = [line for line in lines if line and not line.startswith(("#", " "))]
        assert all(re.fullmatch(r"[a-z0-9-]+==\S+ \\", pin) for pin in pins), path


def test_runtime_and_build_pins_agree_with_the_development_ones():
    def pins(name):
        lines = (CHECKOUT / "requirements" / name).read_text().splitlines()
        return {line.split()[0] for line in lines if line and not line.startswith(("#", " "))}

    assert pins("runtime.txt") <= pins("dev.txt")
    assert pins("build.txt") <= pins("dev.txt")


def test_the_architecture_is_described_in_under_200_lines():
    assert len((CHECKOUT / "docs" / "architecture.md").read_text().splitlines()) < 200


def test_decisions_are_short():
    long = [path.name for path in tracked("docs/decisions/*.md") if len(path.read_text().splitlines()) > 60]
    assert long == []
