"""`mol bond`, `pour`, `wisp` and `fork` as a person sees them."""

from __future__ import annotations

import json
import os

import pytest
from corpus import corpus_folder
from molecule_roots import MolRoot

from mmpm.execute import install
from mmpm.molecule.proto import Proto
from mmpm.molecule.state import fold
from mmpm.ops.mol_state import KEPT_STEPS
from mmpm.project.mol_index import MolIndex, index_path
from mmpm_store.ids import ObjectId
from mmpm_store.objects import Store

VAPOR = """formula = "mol-sweep"
version = 2
phase = "vapor"
description = "Sweeps {{where}}."
[vars]
where = "everything"
[[steps]]
id = "broom"
title = "Broom for {{where}}"
"""


@pytest.fixture
def rig(tmp_path):
    made = MolRoot(tmp_path)
    made.terminal.environ |= {"NO_COLOR": "1", "BD_ACTOR": "beads/amber"}
    (made.root / ".beads" / "formulas").mkdir(parents=True)
    (made.root / ".beads" / "formulas" / "mol-sweep.formula.toml").write_text(VAPOR)
    return made


def now(rig, molecule_id, phase="mol"):
    return fold(rig.lines(molecule_id, phase))


def titles(rig, molecule_id, phase="mol"):
    molecule = now(rig, molecule_id, phase)
    return {step: record.step.title for step, record in molecule.steps.items()}


def catalogue(rig):
    path = rig.root / ".beads" / "molecules.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def refused(rig, *words, status=1):
    """Run a command that is refused; give what it said, and see that it left nothing."""
    before = rig.files(), catalogue(rig)
    seen = rig.run("mol", *words)
    assert seen.status == status, seen.both
    assert seen.out == ""
    assert (rig.files(), catalogue(rig)) == before
    assert "\n  fix: " in seen.err
    return seen.err


def test_one_proto_becomes_a_mol_or_a_wisp_whose_id_begins_the_line(rig):
    rig.terminal.play("""
        $ mmpm mol bond mol-engineer-in-box --var feature_name="user auth" --ref auth
        rig-mol-auth  Engineer in Box: user auth
          a mol of 5 steps
        $ mmpm mol bond mol-witness-patrol --wisp --ref p
        rig-wisp-p  Witness patrol
          a wisp of 5 steps: only its digest will stay
        $ mmpm mol wisp mol-sweep --ref {{where}} --var where=yard
        rig-wisp-yard  mol-sweep
          a wisp of 1 step: only its digest will stay
        $ mmpm mol pour mol-security-scan --var polecat_name=ace --var captured_output=x --ref scan
        rig-mol-scan  Security scan for ace
          a mol without steps
    """)
    assert now(rig, "rig-mol-auth").values == {"feature_name": "user auth"}
    assert now(rig, "rig-mol-auth").bonded_by == "beads/amber"
    assert titles(rig, "rig-wisp-yard", "wisp") == {"broom": "Broom for yard"}
    assert (rig.root / ".beads-wisp" / ".gitignore").read_text() == "*\n"
    assert not list((rig.root / ".beads" / "mmpm" / "mols").glob("*wisp*"))


def test_without_a_reference_the_id_is_drawn_anew_each_time(rig):
    made = {rig.make("pour", "mol-sweep") for _ in range(3)}
    assert len(made) == 3
    assert all(one.startswith("rig-mol-") and len(one) == 16 for one in made)


@pytest.mark.parametrize("verb", ["pour", "wisp"])
def test_a_dry_run_names_no_id_that_never_comes(rig, verb):
    phase = "mol" if verb == "pour" else "wisp"
    first, second = (rig.done("mol", verb, "mol-sweep", "--dry-run", "--json").out for _ in range(2))
    assert first == second
    seen = json.loads(first)
    assert seen["id"] is None
    kept, appended = seen["plan"]["actions"]
    assert appended["id"] == f"rig-{phase}-*"
    assert kept["user"] == rig.places.log(f"rig-{phase}-*", phase)
    seen = json.loads(rig.done("mol", verb, "mol-sweep", "--ref", "x", "--dry-run", "--json").out)
    assert seen["id"] == seen["plan"]["actions"][1]["id"] == f"rig-{phase}-x"


def test_what_is_made_to_be_a_wisp_is_poured_with_a_warning(rig):
    seen = rig.done("mol", "pour", "mol-sweep")
    assert "warning: mol-sweep is made to be a wisp (its phase is vapor): `mmpm mol wisp mol-sweep`" in seen.err
    assert "warning" not in rig.done("mol", "bond", "mol-sweep", "--wisp").err


def test_a_file_is_bonded_by_its_path_and_its_release_or_checksum_is_kept(rig):
    (rig.root / "mine.formula.toml").write_text(VAPOR.replace("mol-sweep", "mol-mine"))
    made = rig.make("wisp", "./mine.formula.toml", "--actor", "me")
    known = now(rig, made, "wisp").provenance
    assert (known.name, known.version) == ("mol-mine", "2.0.0")
    assert known.checksum.startswith("sha256:")
    # What ran can be read again, whatever becomes of the file.
    store = Store.open(str(rig.terminal.home / ".local" / "share" / "mmpm" / "store"))
    assert Proto.parse(store.read(ObjectId.parse(known.object_id))).name == "mol-mine"
    assert now(rig, made, "wisp").bonded_by == "me"


def test_an_arm_is_bonded_below_a_molecule_or_a_step_in_either_order(rig):
    rig.make("wisp", "mol-witness-patrol", "--ref", "p")
    rig.terminal.play("""
        $ mmpm mol bond mol-polecat-arm rig-wisp-p --ref arm-{{polecat}} --var polecat=ace
        rig-wisp-p.arm-ace  Look after ace
          4 steps below rig-wisp-p, beside what is there
        $ mmpm mol bond rig-wisp-p.survey mol-polecat-arm --ref nux --var polecat=nux
        rig-wisp-p.survey.nux  Look after nux
          4 steps below rig-wisp-p.survey, beside what is there
        $ mmpm mol bond mol-sweep rig-wisp-p
        rig-wisp-p.mol-sweep  mol-sweep
          2 steps below rig-wisp-p, after what is there
        $ mmpm mol bond mol-sweep rig-wisp-p --type conditional
        rig-wisp-p.mol-sweep-2  mol-sweep
          2 steps below rig-wisp-p, only if rig-wisp-p.mol-sweep fails
    """)
    steps = now(rig, "rig-wisp-p", "wisp").steps
    assert "arm-ace.capture" in steps
    assert steps["mol-sweep"].step.needs[-1] == "arm-ace"
    assert steps["mol-sweep-2"].step.if_failed == ("mol-sweep",)
    assert not (rig.root / ".beads" / "mmpm" / "mols").exists()


def test_of_two_molecules_or_steps_the_second_waits(rig):
    for ref in "abc":
        rig.make("pour", "mol-engineer-in-box", "--ref", ref, "--var", "feature_name=x")
    rig.terminal.play("""
        $ mmpm mol bond rig-mol-a rig-mol-b
        rig-mol-b  after rig-mol-a
        $ mmpm mol bond rig-mol-b rig-mol-c --type conditional
        rig-mol-c  only if rig-mol-b fails
        $ mmpm mol bond rig-mol-a rig-mol-c --type parallel
        rig-mol-c  beside rig-mol-a
        $ mmpm mol bond rig-mol-a.5 rig-mol-a.4
        error[molecule-refused]: these steps wait for each other: '4' -> '5' -> '4'
          fix: `mmpm mol show rig-mol-a` says how it stands
        [exit 1]
        $ mmpm mol bond rig-mol-c rig-mol-a
        error[molecule-refused]: these would wait for each other: rig-mol-a -> rig-mol-c -> rig-mol-b -> rig-mol-a
          fix: `mmpm mol show rig-mol-a` says how it stands
        [exit 1]
        $ mmpm mol bond rig-mol-a rig-mol-b
        error[molecule-refused]: rig-mol-b and rig-mol-a are bonded so already
          fix: `mmpm mol show rig-mol-b` says how it stands
        [exit 1]
    """)
    assert json.loads(rig.done("mol", "bond", "rig-mol-a.1", "rig-mol-a.5", "--json").out)["type"] == "sequential"
    assert now(rig, "rig-mol-a").steps["5"].needs == ("4", "1")
    assert [(one.on, one.connection) for one in now(rig, "rig-mol-c").connections] == [
        ("rig-mol-b", "conditional"),
        ("rig-mol-a", "parallel"),
    ]


def test_two_protos_become_one_in_the_catalogue_which_is_then_poured(rig):
    rig.terminal.play("""
        $ mmpm mol bond mol-sweep mol-engineer-in-box
        mol-sweep-and-engineer-in-box  Compound: mol-sweep + mol-engineer-in-box
          a proto of 8 steps in the catalogue of the tier project
          bond it: mmpm mol pour mol-sweep-and-engineer-in-box
        $ mmpm mol bond mol-sweep mol-sweep --as twice --type parallel
        twice  Compound: mol-sweep + mol-sweep
          a proto of 4 steps in the catalogue of the tier project
          bond it: mmpm mol pour twice
        $ mmpm mol bond mol-sweep mol-sweep --as twice
        error[record-in-the-way]: there is twice already: project, ~/rig/.beads/molecules.jsonl
          fix: give another name with --as, or take its place with --force
        [exit 1]
        $ mmpm mol pour twice --ref t
        rig-mol-t  Compound: mol-sweep + mol-sweep
          a mol of 4 steps
    """)
    # The default of the variable came along.
    assert titles(rig, "rig-mol-t")["mol-sweep.broom"] == "Broom for everything"
    refusal = refused(rig, "pour", "mol-sweep-and-engineer-in-box")
    assert "feature_name has no value" in refusal
    rig.done("mol", "bond", "mol-engineer-in-box", "mol-sweep", "--as", "twice", "--type", "conditional", "--force")
    assert [one["id"] for one in catalogue(rig) if one["id"].startswith("twice")][:2] == [
        "twice",
        "twice.mol-engineer-in-box",
    ]
    made = rig.make("pour", "twice", "--var", "feature_name=x")
    assert now(rig, made).steps["mol-sweep"].if_failed == ("mol-engineer-in-box",)
    # A compound is a proto like any other.
    rig.done("mol", "bond", "twice", "mol-sweep", "--as", "thrice")
    assert len(now(rig, rig.make("pour", "thrice", "--var", "feature_name=x")).steps) == 11


def test_what_others_wrote_into_the_catalogue_stays_byte_for_byte(rig):
    path = rig.root / ".beads" / "molecules.jsonl"
    own = '{"id": "mine",  "title": "with blanks"}\nnot json\n{"id":"pair.old"}\n{"id":"pair","title":"Old"}'
    path.write_text(own)
    rig.done("mol", "bond", "mol-sweep", "mol-witness-patrol", "--as", "pair2")
    assert path.read_text().startswith(own + "\n")
    rig.done("mol", "bond", "mol-sweep", "mol-witness-patrol", "--as", "pair", "--force")
    lines = path.read_text().splitlines()
    assert lines[:2] == own.splitlines()[:2]
    assert not [line for line in lines if "pair.old" in line or '"Old"' in line]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_every_instant_a_compound_is_there_whole_or_not_at_all(rig):
    own = '{"id":"mine"}\n'
    path = rig.root / ".beads" / "molecules.jsonl"
    for instant in range(100):
        path.write_text(own)
        child = os.fork()
        if not child:
            left = [instant]

            def stop(_name, left=left):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

            install.checkpoint = stop
            os._exit(rig.run("mol", "bond", "mol-sweep", "mol-sweep", "--as", "two").status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert [one["id"] for one in catalogue(rig)] in (
            ["mine"],
            ["mine", "two", "two.mol-sweep", "two.mol-sweep.broom", "two.mol-sweep-2", "two.mol-sweep-2.broom"],
        )
        rig.done("mol", "bond", "mol-sweep", "mol-sweep", "--as", "two", "--force")
        assert len(catalogue(rig)) == 6
        if status == 0:
            break
    assert status == 0
    assert instant > 2


def test_protos_with_odd_ids_become_a_compound_where_their_ids_allow_it(rig):
    path = rig.root / ".beads" / "molecules.jsonl"
    path.write_text(
        "".join(f'{{"id":"{one}","title":"Odd","labels":["template"]}}\n' for one in ("BD-7", "a..b", "x|y"))
    )
    assert "give it one: `--as NAME`" in refused(rig, "bond", "BD-7", "mol-sweep", status=2)
    rig.done("mol", "bond", "BD-7", "mol-sweep", "--as", "both")
    assert list(titles(rig, rig.make("pour", "both"))) == ["BD-7", "mol-sweep", "mol-sweep.broom"]
    for odd in ("a..b", "x|y"):
        seen = rig.run("mol", "bond", odd, "mol-sweep", "--as", f"odd{len(odd)}")
        made = rig.run("mol", "pour", f"odd{len(odd)}")
        assert (seen.status, made.status) in ((0, 0), (1, 1)), seen.both + made.both


def test_a_catalogue_that_leads_out_of_the_project_is_not_written(rig, tmp_path):
    outside = tmp_path / "outside.jsonl"
    outside.write_text("")
    (rig.root / "mmpm.toml").touch()
    (rig.root / ".beads" / "molecules.jsonl").symlink_to(outside)
    for words in (("bond", "mol-sweep", "mol-sweep"), ("fork", "mol-code-review", "mine")):
        seen = rig.run("mol", *words)
        assert seen.status != 0
        assert "error[leads-outside]" in seen.err, seen.both
    assert outside.read_text() == ""


def test_dimensions_are_swapped_and_left_out(rig):
    made = rig.make(
        *("pour", "mol-code-review", "--var", "scope=src", "--var", "polecat_name=ace", "--var", "captured_output="),
        *("--swap", "tactical.security-scan=mol-security-scan", "--without", "structural"),
    )
    found = titles(rig, made)
    assert found["tactical.security-scan"] == "Security scan for ace"
    assert not [step for step in found if step.startswith("structural")]
    assert now(rig, made).steps["tactical"].step.needs == ("discovery",)


def test_values_that_nothing_takes_and_placeholders_that_stay_are_said(rig):
    path = rig.root / ".beads" / "molecules.jsonl"
    path.write_text('{"id":"BD-7","title":"Old {{x}}","labels":["template"]}\n')
    seen = rig.done("mol", "pour", "BD-7", "--var", "y=1")
    assert "warning: --var y: nothing in BD-7 asks for it" in seen.err
    assert "warning: {{x}} stays in its texts: no --var gives it, and it is not declared" in seen.err
    assert "warning" not in rig.done("mol", "pour", "BD-7", "--var", "x=1").err


def test_a_line_that_cannot_be_read_is_told_of_where_a_name_is_missed(rig):
    path = rig.root / ".beads" / "molecules.jsonl"
    path.write_text('{"id":"mol-mine","title":"Mine","labels":["template"]\n')
    said = rig.run("mol", "pour", "mol-mine").err
    assert "`mmpm mol list` shows the molecules and 1 line of catalogues that cannot be read," in said


def test_a_dry_run_says_what_would_be_and_leaves_nothing(rig):
    box, sweep = (
        json.loads(rig.done("mol", "cook", name, "--json").out)["object"]
        for name in ("mol-engineer-in-box", "mol-sweep")
    )
    rig.terminal.play(f"""
        $ mmpm mol pour mol-engineer-in-box --var feature_name=x --dry-run
        would put the proto of mol-engineer-in-box into the store as {box}
        would bond mol-engineer-in-box as a new mol: Engineer in Box: x, 5 steps
        $ mmpm mol wisp mol-sweep --ref yard --dry-run
        would put the proto of mol-sweep into the store as {sweep}
        would bond mol-sweep as rig-wisp-yard: mol-sweep, 1 step
        $ mmpm mol bond mol-sweep mol-sweep --as twice --dry-run
        would write ~/rig/.beads/molecules.jsonl
        $ mmpm mol fork mol-code-review mine --dry-run
        would write ~/rig/.beads/molecules.jsonl
    """)
    document = json.loads(rig.done("mol", "pour", "mol-sweep", "--dry-run", "--json").out)
    assert (document["id"], document["steps"], document["applied"]) == (None, 1, False)
    assert sorted(path.name for path in rig.root.iterdir()) == [".beads"]
    assert sorted(path.name for path in (rig.root / ".beads").iterdir()) == ["formulas"]


def test_the_document_for_programs_says_what_was_made(rig):
    document = json.loads(rig.done("mol", "pour", "mol-sweep", "--json").out)
    assert document["schema"] == "mmpm.mol-pour/1"
    assert {key: document[key] for key in ("form", "phase", "title", "steps", "on", "type")} == {
        "form": "pour",
        "phase": "mol",
        "title": "mol-sweep",
        "steps": 1,
        "on": None,
        "type": None,
    }
    assert now(rig, document["id"]).id == document["id"]
    arm = json.loads(rig.done("mol", "bond", "mol-sweep", document["id"], "--ref", "a", "--json").out)
    assert (arm["schema"], arm["form"], arm["id"], arm["on"], arm["type"]) == (
        "mmpm.mol-bond/1",
        "attach",
        f"{document['id']}.a",
        document["id"],
        "parallel",
    )
    compound = json.loads(rig.done("mol", "bond", "mol-sweep", "mol-sweep", "--as", "two", "--json").out)
    assert (compound["form"], compound["id"], compound["phase"]) == ("compound", "two", "proto")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("pour mol-swep", 1, "did you mean mol-sweep?"),
        ("pour mol-code-reviw", 1, "did you mean mol-code-review?"),
        ("pour ./none.formula.toml", 1, "there is no such file"),
        ("pour rig-mol-a", 2, "rig-mol-a is a molecule already"),
        ("bond rig-mol-zz mol-sweep", 1, "there is no molecule or step rig-mol-zz"),
        ("bond mol-sweep rig-mol-a.brom", 1, "did you mean rig-mol-a.broom?"),
        ("bond rig-mol-a rig-mol-a", 2, "cannot wait for each other"),
        ("bond rig-mol-a rig-mol-a.broom", 2, "bond two molecules, or two steps of one"),
        ("bond rig-mol-a rig-mol-b.broom", 2, "not of one molecule"),
        ("bond rig-mol-a rig-mol-b --var x=y", 2, "--var means nothing where two molecules"),
        ("bond rig-mol-a rig-mol-b --as x", 2, "--as means nothing"),
        ("bond rig-mol-a rig-mol-b --type odd", 2, '"sequential", "parallel", "conditional"'),
        ("bond mol-sweep rig-mol-a --wisp", 2, "what is bonded to it is of its phase"),
        ("bond mol-sweep rig-mol-a --as x", 2, "--as means nothing where a proto is bonded to a molecule"),
        ("bond mol-sweep rig-mol-a --ref broom", 1, "there is 'rig-mol-a.broom' already"),
        ("bond mol-sweep --type parallel", 2, "--type means nothing where one proto is bonded"),
        ("bond mol-sweep mol-sweep --ref x", 2, "--ref means nothing where two protos become one"),
        ("bond mol-sweep mol-sweep --var x=y", 2, "`mmpm mol bond NAME --var ..`"),
        ("bond mol-sweep mol-sweep --as A", 2, "--as: "),
        ("bond mol-sweep mol-sweep --as a.b", 2, "dots are for its steps"),
        ("bond mol-sweep mol-sweep --as @a/b", 2, "no scope"),
        ("bond mol-sweep mol-sweep --as mol-code-review", 1, "already: built-in"),
        ("bond mol-sweep mol-engineer-in-box --as mol-sweep", 1, "a formula is found first"),
        ("bond mol-sweep mol-engineer-in-box --as mol-sweep --force", 1, "a formula is found first"),
        ("pour mol-sweep --ref a", 1, "there is a molecule rig-mol-a already"),
        ("pour mol-sweep --ref a.b", 1, "dots are for what is below a molecule"),
        ("pour mol-sweep --ref {{where}} --var where=../x", 1, "cannot end the id"),
        ("pour mol-sweep --ref ''", 2, "--ref is empty"),
        (f"pour mol-sweep --ref {'x' * 300}", 2, "at most 256"),
        (f"pour mol-sweep --ref {'x' * 200}", 1, "cannot end the id"),
        ("pour mol-sweep --var where", 2, "write --var name=value"),
        ("pour mol-engineer-in-box", 1, "feature_name has no value"),
        ("pour mol-sweep --var where=\udcff", 2, "--var where: its value is not UTF-8"),
        ("pour mol-sweep --ref \udcff", 1, "cannot end the id"),
        ("bond mol-sweep \udcff", 1, "no molecule \\udcff"),
        ("pour mol-sweep --swap broom", 2, "write --swap step=mol-other"),
        ("pour mol-sweep --swap brom=mol-sweep", 1, "mol-sweep has no step 'brom'; it has broom"),
        ("pour mol-sweep --swap broom=mol-none", 1, "no formula and no molecule mol-none"),
        ("pour mol-sweep --swap broom=mol-sweep --swap broom=mol-sweep", 2, "swapped twice"),
        ("pour mol-sweep --without brom", 1, "has no step 'brom'"),
        ("pour mol-sweep --actor 'a\nb'", 2, "--actor"),
        ("fork mol-none", 1, "no molecule mol-none"),
        ("fork mol-code-review mol-security-scan", 1, "already: built-in"),
        ("fork mol-code-review 'a b'", 2, "NEW: "),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy_and_nothing_is_left(rig, words, status, said):
    import shlex

    rig.make("pour", "mol-sweep", "--ref", "a")
    rig.make("pour", "mol-sweep", "--ref", "b")
    assert said in refused(rig, *shlex.split(words), status=status)


def test_what_could_not_be_read_again_is_not_written(rig):
    rig.make("pour", "mol-sweep")
    path = rig.root / ".beads" / "molecules.jsonl"
    path.write_text(json.dumps({"id": "m", "title": "{{x}}" * 50, "labels": ["template"]}) + "\n")
    assert "rig-mol-long cannot be written" in refused(rig, "pour", "m", "--ref", "long", "--var", f"x={'a' * 100_000}")


def test_what_has_ended_is_said_to_have_ended(rig):
    made = rig.make("wisp", "mol-sweep", "--ref", "gone")
    rig.done("mol", "squash", made, "--yes")
    assert "rig-wisp-gone has ended" in refused(rig, "bond", "mol-sweep", "rig-wisp-gone")
    assert "given already, to a molecule that has ended" in refused(rig, "wisp", "mol-sweep", "--ref", "gone")
    rig.make("pour", "mol-sweep", "--ref", "burnt")
    rig.done("mol", "burn", "rig-mol-burnt", "--force")
    assert "already" in refused(rig, "pour", "mol-sweep", "--ref", "burnt")
    rig.make("pour", "mol-sweep", "--ref", "kept")
    rig.done("mol", "squash", "rig-mol-kept", "--yes")
    assert "squashed" in refused(rig, "bond", "mol-sweep", "rig-mol-kept")
    rig.make("pour", "mol-sweep", "--ref", "next")
    rig.make("pour", "mol-sweep", "--ref", "done")
    rig.done("mol", "close", "rig-mol-done.broom")
    assert "would never run" in refused(rig, "bond", "rig-mol-done", "rig-mol-next", "--type", "conditional")


def test_a_molecule_is_copied_under_a_new_id_edited_and_published(rig):
    rig.terminal.play("""
        $ mmpm mol fork mol-code-review mine
        mine  Code review: {{scope}}
          13 steps, to edit in ~/rig/.beads/molecules.jsonl
          to publish it: mmpm mol fork mine -o mine.jsonl, then mmpm publish mine.jsonl --version VERSION
        $ mmpm mol fork mine -o mine.jsonl
        mine  Code review: {{scope}}
          13 steps, to edit in ~/rig/mine.jsonl
          to publish it: mmpm publish mine.jsonl --version VERSION
        $ mmpm mol fork mine -o mine.jsonl
        error[file-in-the-way]: ~/rig/mine.jsonl is there already
          fix: move it away, or choose another name
        [exit 1]
    """)
    records = catalogue(rig)
    assert {one["id"].partition(".")[0] for one in records} == {"mine"}
    assert not [edge for one in records for edge in one.get("dependencies", ()) if "mol-code" in json.dumps(edge)]
    assert records[0]["forked_from"] == "mol-code-review@1.0.0"
    assert "version" not in records[0]["mmpm"]
    assert [json.loads(line) for line in (rig.root / "mine.jsonl").read_text().splitlines()] == records
    first, second = (now(rig, rig.make("pour", name, "--var", "scope=x")).steps for name in ("mine", "mol-code-review"))
    assert [(one, record.step.needs) for one, record in first.items()] == [
        (one, record.step.needs) for one, record in second.items()
    ]
    assert rig.done("registry", "init", "../reg", "--id", "r.example", "--no-passphrase", "--yes")
    assert rig.done("publish", "mine.jsonl", "--version", "1.0.0", "--to", "../reg", "--yes")


def test_under_its_own_id_a_copy_counts_before_the_one_it_was_made_of(rig):
    rig.terminal.play("""
        $ mmpm mol fork mol-security-scan --tier user
        mol-security-scan  Security scan for {{polecat_name}}
          0 steps, in front of that of the built-in layer, to edit in ~/.beads/molecules.jsonl
          to publish it: mmpm mol fork mol-security-scan -o mol-security-scan.jsonl, then mmpm publish mol-security-scan.jsonl --version VERSION
        $ mmpm mol fork mol-security-scan --tier user
        error[record-in-the-way]: there is mol-security-scan already: user, ~/.beads/molecules.jsonl
          fix: edit it there, or give the copy another id: `mmpm mol fork mol-security-scan NEW`
        [exit 1]
    """)
    path = rig.terminal.home / ".beads" / "molecules.jsonl"
    path.write_text(path.read_text().replace("Security scan for", "My scan of"))
    made = rig.make("pour", "mol-security-scan", "--var", "polecat_name=ace", "--var", "captured_output=")
    assert now(rig, made).title == "My scan of ace"
    assert now(rig, made).provenance.version == ""  # what a person may have edited is no version of the old one


def test_a_dimension_is_copied_to_be_swapped_for_the_one_it_was(rig):
    rig.done("mol", "fork", "mol-code-review.tactical.security-scan", "my-scan")
    (record,) = catalogue(rig)
    assert record["is_template"] is True
    assert "dependencies" not in record
    made = rig.make(
        *("pour", "mol-code-review", "--var", "scope=x", "--swap", "tactical.security-scan=my-scan"),
    )
    assert now(rig, made).steps["tactical.security-scan"].step.source == "my-scan"


def test_ids_that_have_nothing_of_the_roots_keep_theirs_below_the_new_one(rig):
    path = rig.root / ".beads" / "molecules.jsonl"
    child = '{"depends_on_id":"%s","type":"parent-child"}'
    path.write_text(
        '{"id":"m","labels":["template"]}\n'
        f'{{"id":"bd-1","dependencies":[{child % "m"}]}}\n'
        f'{{"id":"m.bd-1","dependencies":[{{"depends_on_id":"bd-1"}}]}}\n'
        '{"id":"bd-1.2"}\n'
    )
    rig.done("mol", "fork", "m", "n")
    assert [one["id"] for one in catalogue(rig)[4:]] == ["n", "n.bd-1", "n.bd-1.2", "n.bd-1-2"]
    assert len(now(rig, rig.make("pour", "n")).steps) == 3


def test_a_molecule_of_a_release_is_bonded_as_that_release(mall, terminal):
    assert mall
    fragment = terminal.folder / "mol-scan.jsonl"
    fragment.write_text('{"id":"mol-scan","title":"Scan","labels":["template"]}\n{"id":"mol-scan.1","title":"One"}\n')
    assert terminal.run("publish", str(fragment), "--version", "1.2.0", "--to", "../reg", "--yes").status == 0
    assert terminal.run("mol", "install", "mol-scan").status == 0

    def provenance():
        made = terminal.run("mol", "pour", "mol-scan").out.split()[0]
        log = (terminal.cwd / ".beads" / "mmpm" / "mols" / f"{made}.jsonl").read_text()
        return json.loads(log.splitlines()[0])["events"][0]["provenance"]

    locked = json.loads((terminal.home / "mmpm.lock").read_text())["releases"][0]
    known = provenance()
    assert (known["name"], known["version"], known["checksum"]) == ("mol-scan", "1.2.0", locked["checksum"])
    assert known["sources"] == [["mol-scan", "1.2.0", locked["checksum"], "release"]]
    path = terminal.home / ".beads" / "molecules.jsonl"
    path.write_text(path.read_text().replace("One", "Edited"))
    known = provenance()
    assert known.get("version", "") == ""
    assert known["checksum"] != locked["checksum"]
    assert known["sources"][0][3] == "catalogue"


@pytest.mark.corpus
@pytest.mark.skipif(corpus_folder() is None, reason="the shared corpus is not here")
def test_real_formulas_are_bonded_in_every_form(rig):
    bonded = 0
    parent = rig.make("wisp", "mol-witness-patrol")
    for path in sorted((corpus_folder() / "formulas").rglob("*.formula.toml"))[::15]:
        seen = rig.run("mol", "wisp", str(path), "--json")
        assert seen.status in (0, 1), seen.both
        if seen.status == 0:
            bonded += 1
            assert now(rig, json.loads(seen.out)["id"], "wisp").problems == ()
            assert rig.run("mol", "bond", str(path), parent, "--ref", f"n{bonded}").status == 0
            made = rig.run("mol", "bond", str(path), "mol-sweep", "--as", f"with-{bonded}")
            assert made.status == 0, made.both
            again = rig.run("mol", "wisp", f"with-{bonded}")
            assert again.status == 0, again.both
    assert bonded > 10


def test_a_long_molecule_is_not_read_again_after_a_bond(rig):
    steps = "".join(f'[[steps]]\nid = "s{number}"\ntitle = "S"\n' for number in range(KEPT_STEPS))
    long = f'formula = "mol-long"\nversion = 1\ndescription = "Long"\n{steps}'
    (rig.root / ".beads" / "formulas" / "mol-long.formula.toml").write_text(long)
    for one in ("a", "b"):
        rig.done("mol", "pour", "mol-long", "--ref", one)
    rig.done("mol", "ready")
    path = index_path(str(rig.terminal.home / ".local" / "state" / "mmpm"), str(rig.root))
    assert os.path.exists(path)
    for words in (
        ("mol-sweep", "rig-mol-a", "--ref", "arm"),
        ("rig-mol-a", "rig-mol-b"),
        ("rig-mol-b.s0", "rig-mol-b.s1"),
    ):
        rig.done("mol", "bond", *words)
        read = []
        MolIndex(path, rig.places, lambda done, _, read=read: read.append(done)).refresh("2026-01-20T12:00:00Z")
        assert read == [], words
    assert "rig-mol-a.arm.broom" in rig.done("mol", "ready", "rig-mol-a", "--limit", "0").out
