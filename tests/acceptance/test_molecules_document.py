"""Every example of the document *Molecules: Composable Workflow Templates*, in its order, on one machine.

The document types `bd mol ..`; here it is `mmpm mol ..` with the same words. What it promises is looked at in what is
printed and in the files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

ENGINEER = {
    "id": "mol-engineer-in-box",
    "title": "Engineer in Box: {{feature_name}}",
    "description": "Full workflow from design to merge.\n\nVars:\n- {{feature_name}} - What to build",
    "labels": ["template"],
    "issue_type": "epic",
}
SCAN = {
    "id": "mol-security-scan",
    "title": "Security scan for {{polecat_name}}",
    "description": "Check for vulnerabilities.\n\nVars: {{polecat_name}}, {{captured_output}}",
    "labels": ["template", "plugin", "witness", "tier:haiku"],
    "issue_type": "task",
}


class Rig:
    """The machine on which it is typed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.machine = world.machine("here", NO_COLOR="1", BD_ACTOR="beads/amber")
        (self.machine.project / ".beads").mkdir()

    def mol(self, *words: str, status: int = 0) -> str:
        return self.machine.run("mol", *words, status=status).out

    def json(self, *words: str) -> dict:
        return self.machine.run("mol", *words, "--json").json

    def made(self, *words: str) -> str:
        """Run a verb that makes something; its line begins with the id."""
        return self.mol(*words).split()[0]

    def ready(self, molecule: str) -> set[str]:
        document = self.json("ready", molecule)
        assert [one["id"] for one in document["molecules"]] in ([], [molecule])
        return {step["id"] for one in document["molecules"] for group in one["groups"] for step in group["steps"]}

    def close(self, *steps: str, reason: str = "done") -> None:
        self.mol("close", *steps, "--reason", reason)

    def log(self, molecule: str) -> Path:
        folder = ".beads-wisp" if "-wisp-" in molecule else ".beads/mmpm/mols"
        return self.machine.project / folder / f"{molecule}.jsonl"

    def digest(self, molecule: str) -> Path:
        return self.machine.project / ".beads/mmpm/digests" / f"{molecule}.json"


def test_every_example_of_the_document_in_its_order(world):
    rig = Rig(world)
    molecule_storage(rig)
    variable_substitution(rig)
    steps_as_children(rig)
    mol = bonding(rig)
    squashing(rig, mol)
    burning(rig)
    listing(rig)
    plugins(rig)
    christmas_ornament(rig)
    mol_mall(rig)
    code_review(rig)


def molecule_storage(rig):
    """Records in `molecules.jsonl`; built-in, town, user, project: later overrides earlier."""
    layers = {
        "town": rig.machine.home / "gt/.beads/molecules.jsonl",
        "user": rig.machine.home / ".beads/molecules.jsonl",
        "project": rig.machine.project / ".beads/molecules.jsonl",
    }
    assert "(built-in)" in listed(rig, "mol-engineer-in-box")
    for layer, path in layers.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(ENGINEER | {"title": f"From {layer}: {{{{feature_name}}}}"}) + "\n")
        assert f"From {layer}" in listed(rig, "mol-engineer-in-box")
        assert f"({layer}, over" in listed(rig, "mol-engineer-in-box")
    for path in layers.values():
        path.unlink()
    (rig.machine.project / ".beads/molecules.jsonl").write_text(json.dumps(ENGINEER | {"id": "mol-just-this"}) + "\n")
    made = rig.made("bond", "mol-just-this", "--var", "feature_name=user auth")
    assert rig.json("show", made)["title"] == "Engineer in Box: user auth"
    (rig.machine.project / ".beads/molecules.jsonl").unlink()


def listed(rig, molecule):
    return next(line for line in rig.mol("list").splitlines() if line.startswith(f"{molecule} "))


def variable_substitution(rig):
    """Creates "Engineer in Box: user auth"; variables work in title, description, children's titles and texts."""
    printed = rig.mol("bond", "mol-engineer-in-box", "--var", "feature_name=user auth")
    assert "Engineer in Box: user auth" in printed
    text = rig.log(printed.split()[0]).read_text()
    assert "{{feature_name}}" not in text
    assert text.count("user auth") > 2
    assert "feature_name" in rig.machine.try_run("mol", "bond", "mol-engineer-in-box").err


def steps_as_children(rig):
    """`mol-engineer-in-box.2 "Implement" Needs: .1`: dependencies are edges."""
    tree = rig.mol("show", "mol-engineer-in-box")
    for number, title in enumerate(("Design", "Implement", "Review", "Test", "Submit"), 1):
        assert f'mol-engineer-in-box.{number} "{title}' in tree
    assert "Needs: .1" in tree
    made = rig.made("bond", "mol-engineer-in-box", "--var", "feature_name=x")
    assert rig.ready(made) == {f"{made}.1"}
    rig.mol("start", f"{made}.1")
    rig.close(f"{made}.1")
    assert rig.ready(made) == {f"{made}.2"}
    assert "cannot" in rig.machine.try_run("mol", "close", f"{made}.3").err


def bonding(rig):
    """The reference of `bond`: a durable mol, a wisp for a patrol, a dynamic child with a name of its own."""
    mol = rig.made("bond", "mol-engineer-in-box", "--var", "feature_name=auth")
    assert "-mol-" in mol
    assert rig.log(mol).is_file()
    wisp = rig.made("bond", "mol-witness-patrol", "--wisp")
    assert "-wisp-" in wisp
    assert rig.log(wisp).is_file()
    assert (rig.machine.project / ".beads-wisp/.gitignore").read_text() == "*\n"
    arm = rig.made("bond", "mol-polecat-arm", wisp, "--ref", "arm-ace", "--var", "polecat=ace")
    assert arm == f"{wisp}.arm-ace"
    assert f"{wisp}.arm-ace.capture" in shown_ids(rig, wisp)
    again = rig.machine.try_run("mol", "bond", "mol-polecat-arm", wisp, "--ref", "arm-ace", "--var", "polecat=ace")
    assert again.status == 1
    assert "arm-ace" in again.err
    rig.mol("burn", wisp, "--force")
    return mol


def shown_ids(rig, molecule):
    return {step["id"] for step in rig.json("show", molecule)["steps"]}


def squashing(rig, mol):
    """Mol: digest in `.beads/`, steps remain. Wisp: evaporates, trace gone, outcome preserved."""
    for number in range(1, 6):
        rig.close(f"{mol}.{number}")
    printed = rig.mol("squash", mol, "--summary", "Auth works; see the branch.")
    assert "Polecat: beads/amber" in printed
    digest = json.loads(rig.digest(mol).read_text())
    assert digest["summary"] == "Auth works; see the branch."
    assert digest["title"] == "Digest: Engineer in Box: auth"
    assert rig.log(mol).is_file()
    assert len(shown_ids(rig, mol)) == 5
    wisp = rig.made("bond", "mol-witness-patrol", "--wisp")
    rig.close(f"{wisp}.inbox-check")
    rig.mol("squash", wisp, "--summary", "Quiet.", "--yes")
    assert not rig.log(wisp).exists()
    outcomes = {one["step"]: one for one in json.loads(rig.digest(wisp).read_text())["outcomes"]}
    assert outcomes["inbox-check"]["state"] == "closed"
    rig.mol("verify", wisp)
    proof = rig.mol("verify", wisp, "--step", "inbox-check", "--proof")
    assert len(proof) < 1000


def burning(rig):
    """Abandon without record."""
    wisp = rig.made("bond", "mol-witness-patrol", "--wisp")
    digests = set(rig.digest("x").parent.iterdir())
    rig.mol("burn", wisp, "--force")
    assert not rig.log(wisp).exists()
    mol = rig.made("pour", "mol-code-review", "--var", "scope=src/")
    rig.mol("burn", mol, "--reason", "failed experiment", "--force")
    assert not rig.log(mol).exists()
    assert set(rig.digest("x").parent.iterdir()) == digests
    assert "failed experiment" in (rig.machine.project / ".beads/mmpm/audit.jsonl").read_text()


def listing(rig):
    """All templates, and plugins only."""
    assert "mol-code-review " in rig.mol("list")
    plugins = rig.mol("list", "--label", "plugin")
    assert "mol-security-scan " in plugins
    assert "mol-code-review " not in plugins


def plugins(rig):
    """The record of the document, and the line with which a patrol's plugin step bonds it."""
    catalogue = rig.machine.project / ".beads/molecules.jsonl"
    catalogue.write_text(json.dumps(SCAN) + "\n")
    assert "witness, tier:haiku" in rig.mol("list", "--label", "plugin", "--label", "witness")
    wisp = rig.made("wisp", "mol-witness-patrol")
    words = ("--ref", "security-{{polecat_name}}", "--var", "polecat_name=ace", "--var", "captured_output=a=b\nc")
    step = rig.made("bond", "mol-security-scan", wisp, *words)
    assert step == f"{wisp}.security-ace"
    assert "Security scan for ace" in rig.mol("show", wisp)
    assert "a=b\\nc" in rig.log(wisp).read_text()
    catalogue.unlink()
    rig.mol("burn", wisp, "--force")


def christmas_ornament(rig):
    """Arms that run in parallel, and a base that waits for all of them, also before the fan-out."""
    patrol = rig.made("bond", "mol-witness-patrol", "--wisp")
    rig.close(f"{patrol}.inbox-check", f"{patrol}.load-context")
    assert rig.ready(patrol) == {f"{patrol}.survey"}
    rig.mol("start", f"{patrol}.survey")
    names = ("ace", "nux", "toast")
    for name in names:
        rig.made("bond", "mol-polecat-arm", patrol, "--ref", f"arm-{name}", "--var", f"polecat={name}")
    rig.close(f"{patrol}.survey")
    assert rig.ready(patrol) == {f"{patrol}.arm-{name}.capture" for name in names}
    tree = rig.mol("show", patrol)
    assert all(f"arm-{name}" in tree for name in names)
    for name in names:
        assert f"{patrol}.aggregate" not in rig.ready(patrol)
        rig.close(*(f"{patrol}.arm-{name}.{step}" for step in ("capture", "assess", "act")))
    assert rig.ready(patrol) == {f"{patrol}.aggregate"}
    rig.close(f"{patrol}.aggregate", f"{patrol}.summary")
    rig.mol("squash", patrol, "--summary", "Three looked after.")
    outcomes = {one["step"] for one in json.loads(rig.digest(patrol).read_text())["outcomes"]}
    assert {f"arm-{name}.act" for name in names} <= outcomes


def mol_mall(rig):
    """`install mol-security-scan`: the fragment is appended to `~/.beads/molecules.jsonl`."""
    mall = rig.world.registry("mall")
    publisher = mall.publisher
    fragment = publisher.project / "mol-security-scan.jsonl"
    fragment.write_text(json.dumps(SCAN) + "\n")
    publisher.run("publish", str(fragment), "--version", "1.0.0", "--to", str(mall.folder), "--yes")
    rig.machine.add(mall)
    catalogue = rig.machine.home / ".beads/molecules.jsonl"
    catalogue.parent.mkdir(exist_ok=True)
    catalogue.write_text('{"id":"mine","title":"My own"}\n')
    rig.mol("install", "mol-security-scan")
    lines = catalogue.read_text().splitlines()
    assert lines[0] == '{"id":"mine","title":"My own"}'
    assert json.loads(lines[1])["title"] == SCAN["title"]
    rig.made("bond", "mol-security-scan", "--var", "polecat_name=ace", "--var", "captured_output=x")


def code_review(rig):
    """Four stages; each dimension swapped, customized by a fork, or left out."""
    tree = rig.mol("show", "mol-code-review")
    for line in ("discovery", "(parallel)", "file-census", "structural", "(sequential)", "security-scan", "aggregate"):
        assert line in tree
    review = rig.made("bond", "mol-code-review", "--var", "scope=src/")
    assert rig.ready(review) == {f"{review}.discovery.{one}" for one in ("file-census", "dep-graph", "coverage-map")}
    rig.close(*(f"{review}.discovery.{one}" for one in ("file-census", "dep-graph", "coverage-map")))
    assert f"{review}.structural.architecture-review" in rig.ready(review)
    assert f"{review}.structural.abstraction-analysis" not in rig.ready(review)
    other = {"id": "mol-our-scan", "title": "Our scan", "labels": ["template"], "issue_type": "task"}
    (rig.machine.project / ".beads/molecules.jsonl").write_text(json.dumps(other) + "\n")
    swapped = rig.made(
        *("bond", "mol-code-review", "--var", "scope=src/", "--swap", "tactical.security-scan=mol-our-scan"),
        *("--without", "tactical.performance-review"),
    )
    shown = rig.mol("show", swapped)
    assert "Our scan" in shown
    assert "performance-review" not in shown
    rig.mol("fork", "mol-code-review", "mol-our-review")
    assert "mol-our-review" in rig.mol("list")
    forked = rig.made("pour", "mol-our-review", "--var", "scope=lib/")
    assert f"{forked}.synthesis.aggregate" in shown_ids(rig, forked)
