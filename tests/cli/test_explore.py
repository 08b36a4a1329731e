"""`mmpm tree`, `why` and `outdated` as a person sees them: from the lock and local snapshots, nobody is asked."""

from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture
def ask(terminal):
    """Give a function that locks requirements given as `name="range"`."""

    def lock(**wanted):
        lines = "".join(f'"{name.replace("_", "-")}" = "{text}"\n' for name, text in wanted.items())
        (terminal.cwd / "mmpm.toml").write_text(f"[formulas]\n{lines}")
        seen = terminal.run("lock")
        assert seen.status == 0, seen.both

    return lock


@pytest.fixture
def diamond(registry, ask):
    """Asked for: mol-top and mol-side; mol-base below both; mol-loop needs what needs it."""
    registry.release("mol-base", "1.0.0", "1.2.0", "2.0.0")
    registry.release("mol-left", "1.0.0", requires={"mol-base": "^1"}, soft=("mol-notify", "mol-base"))
    registry.release("mol-right", "1.1.0", requires={"mol-base": ">=1,<3", "mol-loop": "*"})
    registry.release("mol-loop", "1.0.0", requires={"mol-right": "*"})
    registry.release("mol-top", "3.0.0", requires={"mol-left": "*", "mol-right": "^1"})
    registry.release("mol-side", "1.0.0-rc.1", requires={"mol-base": "1.2.0"})
    registry.show()
    ask(mol_top="^3", mol_side="1.0.0-rc.1")


@pytest.mark.usefixtures("diamond")
def test_the_tree_shows_ranges_marks_soft_ones_and_repeats_once(terminal):
    terminal.play(
        """
        $ mmpm tree
        mol-side 1.0.0-rc.1 (1.0.0-rc.1) [pinned, pre-release]
        └── mol-base 1.2.0 (1.2.0)
        mol-top 3.0.0 (^3)
        ├── mol-left 1.0.0
        │   ├── mol-base 1.2.0 (^1)
        │   └── mol-notify [soft, not installed]
        └── mol-right 1.1.0 (^1)
            ├── mol-base 1.2.0 (>=1,<3)
            └── mol-loop 1.0.0
                └── mol-right 1.1.0 (see above)
        $ mmpm tree mol-right --depth 1
        mol-right 1.1.0
        ├── mol-base 1.2.0 (>=1,<3)
        └── mol-loop 1.0.0 (more below: --depth)
        $ mmpm tree mol-else
        error[not-installed]: mol-else is not installed in ~/rig
          fix: `mmpm tree` shows what is locked
        [exit 1]
        """
    )


@pytest.mark.usefixtures("diamond")
def test_the_tree_can_be_drawn_where_no_box_characters_are(terminal):
    terminal.encoding = "ascii"
    assert "`-- mol-base 1.2.0 (1.2.0)\n" in terminal.run("tree").out


@pytest.mark.usefixtures("diamond")
def test_the_tree_for_programs_has_depth_and_marks(terminal):
    document = json.loads(terminal.run("tree", "--json").out)
    assert document["schema"] == "mmpm.tree/1"
    assert document["tree"][0] == {
        "depth": 0,
        "name": "mol-side",
        "version": "1.0.0-rc.1",
        "range": "1.0.0-rc.1",
        "marks": ["pinned", "pre-release"],
        "repeated": False,
        "cut": False,
        "level": "unverified",
    }


@pytest.mark.usefixtures("diamond")
def test_why_gives_every_path_the_shortest_first_and_who_holds_it(terminal):
    terminal.play(
        """
        $ mmpm why mol-base
        mol-base 1.2.0
          mol-side 1.0.0-rc.1 → mol-base 1.2.0 (1.2.0)
          mol-top 3.0.0 → mol-left 1.0.0 (*) → mol-base 1.2.0 (^1)
          mol-top 3.0.0 → mol-right 1.1.0 (^1) → mol-base 1.2.0 (>=1,<3)
        2.0.0 is known; mol-left requires ^1, mol-side requires 1.2.0
        $ mmpm why mol-top
        mol-top 3.0.0
          you asked for it (^3)
        $ mmpm why mol-notify
        error[not-installed]: mol-notify is not installed in ~/rig
          fix: mol-left can attach it at run time: `mmpm install mol-notify` brings it
        [exit 1]
        """
    )
    document = json.loads(terminal.run("why", "mol-loop", "--json").out)
    assert [[step["name"] for step in path] for path in document["paths"]] == [["mol-top", "mol-right", "mol-loop"]]
    assert document["all_paths"] is True


def test_more_paths_than_anyone_can_read_are_capped_at_once(terminal, registry, ask):
    for number in range(60):
        below = {f"mol-{side}{number + 1:02}": "*" for side in "ab"} if number < 59 else {"mol-end": "*"}
        for side in "ab":
            registry.release(f"mol-{side}{number:02}", "1.0.0", requires=below)
    registry.release("mol-end", "1.0.0")
    registry.show()
    ask(mol_a00="*", mol_end="*")
    out = terminal.run("why", "mol-end").out.splitlines()
    assert out[:2] == ["mol-end 1.0.0", "  you asked for it (*)"]
    assert out[-1] == "  (and more; the 20 shortest are shown)"
    assert len(out) == 22
    # Every edge is one line, whatever the number of paths.
    assert len(terminal.run("tree").out.splitlines()) == 2 + 2 + 4 * 58 + 2


def test_a_chain_of_thousands_is_drawn_to_a_depth_and_explained_whole(terminal, registry, ask):
    for number in range(1500):
        registry.release(f"mol-{number}", "1.0.0", requires={f"mol-{number + 1}": "*"} if number < 1499 else None)
    registry.show()
    ask(mol_0="*")
    assert terminal.run("tree").out.endswith("mol-64 1.0.0 (more below: --depth)\n")
    assert terminal.run("why", "mol-1499").out.count("→") == 1499


def test_what_is_outdated_says_what_is_allowed_and_who_holds_the_rest(terminal, registry, ask):
    registry.release("mol-a", "1.0.0")
    registry.release("mol-b", "1.0.0", requires={"mol-c": "^1"})
    registry.release("mol-c", "1.0.0")
    registry.release("mol-d", "1.0.0")
    registry.release("mol-e", "1.0.0-rc.1")
    registry.show()
    ask(mol_a="^1", mol_b="*", mol_d="1.0.0", mol_e="^1.0.0-rc.1")
    terminal.play(
        """
        $ mmpm outdated --exit-code
        Nothing newer is known of 5 locked
        """
    )
    registry.release("mol-a", "1.1.0", "2.0.0", "3.0.0-rc.1")
    registry.release("mol-c", "2.0.0")
    registry.release("mol-d", "1.0.1")
    registry.release("mol-e", "1.0.0-rc.2")
    registry.yank("mol-b", "1.0.0")
    registry.show()
    terminal.run("update")
    terminal.play(
        """
        $ mmpm outdated
        formula  locked      allowed     latest
        mol-a    1.0.0       1.1.0       2.0.0   you ask for ^1
        mol-b    1.0.0       -           -       [yanked]
        mol-c    1.0.0       -           2.0.0   mol-b requires ^1
        mol-d    1.0.0       -           1.0.1   [pinned] you ask for 1.0.0
        mol-e    1.0.0-rc.1  1.0.0-rc.2  -       [pre-release]
        $ mmpm outdated --exit-code --quiet
        formula  locked      allowed     latest
        mol-a    1.0.0       1.1.0       2.0.0   you ask for ^1
        mol-b    1.0.0       -           -       [yanked]
        mol-c    1.0.0       -           2.0.0   mol-b requires ^1
        mol-d    1.0.0       -           1.0.1   [pinned] you ask for 1.0.0
        mol-e    1.0.0-rc.1  1.0.0-rc.2  -       [pre-release]
        [exit 1]
        """
    )
    document = json.loads(terminal.run("outdated", "--json").out)
    assert [one["name"] for one in document["formulas"]] == ["mol-a", "mol-b", "mol-c", "mol-d", "mol-e"]
    assert document["registries"]["molmall.example"]["serial"] == registry.serial


def test_what_is_allowed_is_what_an_upgrade_gives_and_not_what_each_range_alone_allows(terminal, registry, ask):
    registry.release("mol-a", "1.0.0")
    registry.release("mol-b", "1.0.0")
    registry.release("mol-c", "1.0.0", requires={"mol-b": "^1"})
    registry.show()
    ask(mol_a="*", mol_c="*")
    registry.release("mol-b", "2.0.0")
    registry.release("mol-a", "1.1.0")
    registry.release("mol-a", "2.0.0", requires={"mol-b": "^2"})
    registry.show()
    terminal.run("update")
    terminal.play(
        """
        $ mmpm outdated
        formula  locked  allowed  latest
        mol-a    1.0.0   1.1.0    2.0.0   `mmpm install mol-a@2.0.0` tells what keeps it away
        mol-b    1.0.0   -        2.0.0   mol-c requires ^1
        $ mmpm why mol-a
        mol-a 1.0.0
          you asked for it (*)
        1.1.0 is known and allowed: mmpm upgrade mol-a
        2.0.0 is known; `mmpm install mol-a@2.0.0` tells what keeps it away
        """
    )


def test_where_no_answer_exists_outdated_says_so_and_still_what_is_newer(terminal, registry, ask):
    registry.release("mol-a", "1.0.0")
    registry.show()
    ask(mol_a="*")
    registry.release("mol-a", "2.0.0")
    registry.show()
    terminal.run("update")
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\n"mol-a" = "^7"\n')
    terminal.play(
        """
        $ mmpm outdated
        formula  locked  allowed  latest
        mol-a    1.0.0   ?        2.0.0
        warning: what an upgrade would give cannot be told (no set of releases meets the requirements): """
        """`mmpm upgrade --dry-run` explains
        """
    )


@pytest.mark.usefixtures("diamond")
def test_looking_around_needs_no_registry_and_says_where_nothing_is_known(terminal, registry):
    shutil.rmtree(registry.folder)
    for words in (("tree",), ("why", "mol-base"), ("outdated",)):
        assert terminal.run(*words, "--offline").status == 0
    assert terminal.sockets_forbidden >= 3
    shutil.rmtree(terminal.home / ".local" / "state" / "mmpm" / "trust")
    seen = terminal.run("outdated")
    assert "warning: nothing is known here of mol-base, mol-left, mol-loop, mol-right, mol-side and 1 more" in seen.err
    assert json.loads(terminal.run("outdated", "--json").out)["unknown"][0] == "mol-base"


@pytest.mark.usefixtures("diamond")
def test_update_brings_what_is_known_of_a_clone_s_formulas(terminal):
    shutil.rmtree(terminal.home / ".local")  # as on a machine that has only the clone and the registry's address
    assert "nothing is known here of mol-base" in terminal.run("outdated").err
    assert terminal.run("update").status == 0
    seen = terminal.run("outdated", "--offline")
    assert "nothing is known here" not in seen.err
    assert "mol-base" in seen.out
    (terminal.cwd / "mmpm.lock").write_text("<<<<<<< HEAD\n")
    assert terminal.run("update").status == 0


@pytest.mark.usefixtures("diamond")
def test_locked_names_complete(terminal):
    assert terminal.run("completion", "words", "--", "why", "mol-l").out.split() == ["mol-left", "mol-loop"]


def test_without_lock_and_receipt_there_is_nothing_to_show(terminal):
    terminal.play(
        """
        $ mmpm tree
        Nothing is locked
        $ mmpm outdated
        Nothing is locked
        """
    )
