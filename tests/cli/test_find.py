"""`mmpm search` as a person sees it: the signed catalogs that are here, ranked, nobody is asked."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest
from signed_tree import START, SignedTree


@pytest.fixture
def registries(terminal):
    """Give a function that makes registries, adds them in order of priority, and brings their catalogs."""
    made = []

    def make(host, *, scope=()):
        tree = SignedTree(terminal.folder / host, host)
        terminal.now = START + timedelta(hours=1)
        made.append((tree, scope))
        return tree

    def add():
        for priority, (tree, scope) in enumerate(made, 1):
            tree.show()
            words = [word for one in scope for word in ("--scope", one)]
            seen = terminal.run(
                "registry", "add", str(tree.folder), "--root", tree.fingerprint, "--priority", str(priority), *words
            )
            assert seen.status == 0, seen.both
            assert "was not brought" not in seen.err

    make.add = add
    return make


@pytest.fixture
def seed(registries):
    """The registry of the seed's session."""
    tree = registries("molmall.example")
    tree.describe(
        "mol-security-audit",
        "2.1.0",
        "Comprehensive security audit workflow\n\nIn many words.",
        author="steve@gastown.io",
        primary=["security", "go"],
        secondary=["code-review"],
        weights={"security": "0.9"},
        published_at="2026-11-05T00:00:00Z",
    )
    tree.describe(
        "mol-dependency-scan",
        description="Scan Go dependencies for vulnerabilities",
        primary=["security"],
        secondary=["go", "supply-chain"],
        weights={"security": "0.4"},
    )
    tree.describe("mol-review", description="Reviews; has nothing to do with audits", author="who@else.example")
    tree.describe("mol-audit", "0.1.0", "Looks at logs", kind="bundle", published_at="2026-10-05T00:00:00Z")
    registries.add()
    return tree


@pytest.mark.usefixtures("seed")
def test_formulas_are_found_by_capability_as_in_the_seed(terminal):
    terminal.play(
        """
        $ mmpm search --capabilities="security,go"
        Formulas matching capabilities: security, go
        mol-security-audit v2.1.0
        Capabilities: security, go, code-review
        "Comprehensive security audit workflow"
        mol-dependency-scan v1.0.0
        Capabilities: security, go, supply-chain
        "Scan Go dependencies for vulnerabilities"
        $ mmpm search --capabilities securty
        No formula matching capabilities: securty
        No formula has the capability securty; did you mean security?
        """
    )


@pytest.mark.usefixtures("seed")
def test_names_come_before_descriptions_and_the_whole_name_first(terminal):
    terminal.play(
        """
        $ mmpm search audit
        Formulas matching "audit"
        mol-audit v0.1.0 [bundle]
        "Looks at logs"
        mol-security-audit v2.1.0
        Capabilities: security, go, code-review
        "Comprehensive security audit workflow"
        mol-review v1.0.0
        "Reviews; has nothing to do with audits"
        $ mmpm search audit --limit 1 --offset 1
        Formulas matching "audit"
        mol-security-audit v2.1.0
        Capabilities: security, go, code-review
        "Comprehensive security audit workflow"
        2 to 2 of 3; --offset 2 shows the next
        $ mmpm search audit workflow --author STEVE
        Formulas matching "audit workflow", author: STEVE
        mol-security-audit v2.1.0
        Capabilities: security, go, code-review
        "Comprehensive security audit workflow"
        """
    )


def names(terminal, *words):
    return [one["name"] for one in json.loads(terminal.run("search", *words, "--json").out)["formulas"]]


@pytest.mark.usefixtures("seed")
def test_results_can_be_sorted_and_filtered(terminal):
    assert names(terminal, "--sort", "name") == ["mol-audit", "mol-dependency-scan", "mol-review", "mol-security-audit"]
    assert names(terminal, "--sort", "newest")[0] == "mol-security-audit"
    seen = terminal.run("search", "--level", "verified", "--json")
    assert json.loads(seen.out)["formulas"] == []
    assert terminal.run("search", "--level", "best").status == 2
    assert terminal.run("search", "--sort", "stars").status == 2
    assert terminal.run("search", "--limit", "0").status == 2


@pytest.mark.parametrize("typed", ["mol-secruity-audit", "security-audti", "mol-securityaudit", "mol securty audit"])
@pytest.mark.usefixtures("seed")
def test_a_slip_in_a_name_is_understood(terminal, typed):
    seen = terminal.run("search", typed)
    assert (seen.status, seen.out) == (0, "")
    assert seen.err.endswith("Did you mean mol-security-audit?\n")


def test_the_weight_decides_among_primary_and_primary_before_secondary(terminal, registries):
    tree = registries("molmall.example")
    tree.describe("mol-heavy-second", primary=["x"], secondary=["go"], weights={"go": 1})
    tree.describe("mol-light", primary=["go"], weights={"go": "0.1"})
    tree.describe("mol-undeclared", primary=["go"])
    tree.describe("mol-heavy", primary=["go"], weights={"go": "0.9"})
    registries.add()
    found = names(terminal, "--capabilities", "go")
    assert found == ["mol-heavy", "mol-undeclared", "mol-light", "mol-heavy-second"]


def test_an_owners_name_wins_and_shadowed_ones_are_shown_on_demand(terminal, registries):
    acme, public = registries("acme.example", scope=("@acme",)), registries("public.example")
    acme.describe("mol-deploy", description="ours")
    public.describe("mol-deploy", "9.0.0", "theirs")
    public.describe("@acme/mol-ship", "9.0.0", "an impostor")
    registries.add()
    terminal.play(
        """
        $ mmpm search
        Formulas
        mol-deploy v1.0.0 acme.example
        "ours"
        2 more are hidden by registries in front; --all shows them
        $ mmpm search --all
        Formulas
        mol-deploy v1.0.0 acme.example
        "ours"
        @acme/mol-ship v9.0.0 public.example (hidden by acme.example)
        "an impostor"
        mol-deploy v9.0.0 public.example (hidden by acme.example)
        "theirs"
        """
    )


def test_search_follows_an_update_and_needs_no_registry(terminal, seed):
    assert "mol-new" not in names(terminal)
    seed.describe("mol-new", description="\x1b[31mred")
    seed.show()
    terminal.run("update")
    shutil.rmtree(seed.folder)
    assert terminal.run("search", "mol-new", "--offline").out == 'mol-new v1.0.0\n"\\x1b[31mred"\n'
    assert terminal.sockets_forbidden


@pytest.mark.usefixtures("seed")
def test_what_is_kept_of_a_catalog_is_never_believed_and_made_again(terminal):
    first = names(terminal)
    kept = terminal.home / ".local" / "state" / "mmpm" / "catalogs" / "molmall.example"
    good = kept.read_bytes()
    for data in (b"", b"nonsense", good.replace(b"mol-audit", b"mol-evil!"), good[:-9], good[:90] + b"\xff" * 50):
        kept.write_bytes(data)
        assert names(terminal) == first
        assert kept.read_bytes() == good


def test_what_was_never_brought_is_said(terminal, seed):
    for shard in (terminal.home / ".local/share/mmpm/store/registries" / seed.id / "catalog").iterdir():
        shard.unlink()
    seen = terminal.run("search", "audit")
    assert "warning: not all that molmall.example has is known here: run `mmpm update molmall.example`" in seen.err
    terminal.run("update")
    assert "mol-audit v0.1.0" in terminal.run("search", "audit").out


def test_without_a_registry_there_is_nothing_to_search(terminal):
    assert terminal.run("search", "x").err == (
        "No catalog is here. Bring them with: mmpm update, after mmpm registry add URL\n"
    )


@pytest.fixture
def confused(registries):
    """Two registries that both have mol-deploy and @acme/mol-ship; the scope belongs to the first."""
    acme, public = registries("acme.example", scope=("@acme",)), registries("public.example")
    for tree, version in ((acme, "1.0.0"), (public, "9.0.0")):
        for name in ("mol-deploy", "@acme/mol-ship", f"mol-{tree.id.partition('.')[0]}"):
            tree.release(name, version)
            tree.describe(name, version)
    public.release("@acme/mol-only-there", "9.0.0")
    registries.add()
    return acme, public


@pytest.mark.usefixtures("confused")
def test_every_name_that_two_registries_have_is_listed_with_who_wins_and_what_if(terminal):
    terminal.play(
        """
        $ mmpm audit confusion
        @acme/mol-only-there bound
          public.example (priority 2)
          acme.example wins: the scope @acme belongs to it
          if it dropped the name: nobody, and that is an error
          if it were no longer configured: public.example
        @acme/mol-ship bound
          acme.example 1.0.0 (priority 1) ✓
          public.example 9.0.0 (priority 2)
          acme.example wins: the scope @acme belongs to it
          if it dropped the name: nobody, and that is an error
          if it were no longer configured: public.example
        mol-deploy by order alone
          acme.example 1.0.0 (priority 1) ✓
          public.example 9.0.0 (priority 2)
          acme.example wins: it is asked first, by priority
          if it vanished: public.example
        1 of 3 by order alone; bind them in mmpm.toml, or give their scope to a registry:
          "mol-deploy" = { version = "*", registry = "acme.example" }
        [exit 1]
        """
    )
    (terminal.cwd / "mmpm.toml").write_text(
        '[formulas]\n"mol-deploy" = { version = "*", registry = "public.example" }\n'
    )
    seen = terminal.run("audit", "confusion", "--json")
    assert seen.status == 0
    document = json.loads(seen.out)
    assert document["schema"] == "mmpm.audit-confusion/1"
    assert document["confusions"][2] == {
        "name": "mol-deploy",
        "registries": [
            {"id": "acme.example", "priority": 1, "latest": "1.0.0"},
            {"id": "public.example", "priority": 2, "latest": "9.0.0"},
        ],
        "winner": "public.example",
        "reason": "claim",
        "open": False,
        "if_dropped": None,
        "if_removed": None,
        "locked_from": None,
    }


def test_what_the_audit_says_would_happen_happens(terminal, confused):
    acme, _ = confused
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\n"mol-deploy" = "*"\n')
    terminal.run("lock")
    assert "hop://acme.example/formulas/mol-deploy@1.0.0" in (terminal.cwd / "mmpm.lock").read_text()
    acme.remove("mol-deploy")
    acme.remove("@acme/mol-ship")
    acme.show()
    (terminal.cwd / "mmpm.lock").unlink()
    terminal.run("lock")
    assert "hop://public.example/formulas/mol-deploy@9.0.0" in (terminal.cwd / "mmpm.lock").read_text()
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\n"@acme/mol-ship" = "*"\n')
    assert terminal.run("lock").status == 3
    terminal.run("registry", "remove", "acme.example")
    assert terminal.run("lock").status == 0


def test_a_lock_from_another_registry_than_would_win_now_is_open(terminal, confused):
    acme, _ = confused
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\n"mol-deploy" = { version = "*", registry = "public.example" }')
    terminal.run("lock")
    lock = terminal.cwd / "mmpm.lock"
    (terminal.cwd / "mmpm.toml").write_text('[formulas]\n"mol-deploy" = { version = "*", registry = "acme.example" }')
    assert "hop://public.example" in lock.read_text()
    seen = terminal.run("audit", "confusion")
    assert (seen.status, "  the lock here has it from public.example\n" in seen.out) == (1, True)
    assert acme.id in seen.out


@pytest.mark.usefixtures("confused")
def test_an_audit_that_does_not_know_every_name_fails(terminal):
    store = terminal.home / ".local/share/mmpm/store/registries/public.example/metadata"
    next(path for path in sorted(store.iterdir()) if ".bin-" in path.name).unlink()
    seen = terminal.run("audit", "confusion")
    assert seen.status == 1
    assert "warning: not every name of public.example is known here" in seen.err


def test_one_registry_cannot_be_confused(terminal, seed):
    assert terminal.run("audit", "confusion").err == "There are not two registries to compare\n"
    assert seed.serial


@pytest.mark.usefixtures("seed")
def test_a_misspelled_word_of_a_name_is_put_right(terminal):
    assert "Did you mean security?\n" in terminal.run("search", "secuirty").err
    assert "Did you mean scan dependency?\n" in terminal.run("search", "scan", "dependncy").err
    assert "Did you mean" not in terminal.run("search", "zzzzzz").err
