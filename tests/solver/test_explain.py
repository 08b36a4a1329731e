from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from solver.brute_force import first_answer
from solver.universes import CHOICES, ROOTS, UNIVERSES, R, V, universe

from mmpm.solver.core import leaves, smallest_proof
from mmpm.solver.explain import derivation, explain, explanation
from mmpm.solver.incompatibility import Constrained, Pinned, Required
from mmpm.solver.solve import Conflict, solve
from mmpm.solver.universe import Absence, Removed, Shadowed, Universe

ANY = R("*")


def refusal(world, *roots, pinned=None):
    answer = solve(world, list(roots), {}, pinned or {})
    assert isinstance(answer, Conflict)
    return answer


def altered(world, name, **fields):
    return Universe({**world.packages, name: replace(world.packages[name], **fields)}, world.absent)


@settings(max_examples=60, deadline=None)
@given(world=UNIVERSES, roots=ROOTS, pinned=CHOICES)
def test_an_explanation_rests_on_facts_of_the_input_that_alone_allow_no_answer(world, roots, pinned):
    answer = solve(world, roots, {}, pinned)
    if not isinstance(answer, Conflict):
        return
    small = smallest_proof(answer)
    names = small.numbering.names
    for leaf in leaves(small.proof):
        match leaf.cause:
            case Pinned(package=package, version=version):
                assert pinned[names[package]] == version
            case Required(dependant=0) as cause:
                assert (names[cause.dependency], cause.range) in roots
            case Required() | Constrained() as cause:
                for candidate in small.numbering.candidates_in(cause.dependant, cause.versions):
                    ranges = candidate.requires if isinstance(cause, Required) else candidate.constrains
                    assert ranges[names[cause.dependency]] == cause.range
    told = explanation(answer)
    assert len(told.steps) == 1 or "the requirements cannot be met together" in told.steps[-1]
    assert told.remedies
    json.dumps(derivation(answer))


MENTION = re.compile(r"\b([a-f]|missing)@(\S+?)(?=[,.`]?(?: |$)|`)")
NAMED = re.compile(r"\b([a-f]|missing) (\d\S*?)(?=[,.`]?(?: |$))")


@settings(max_examples=150, deadline=None)
@given(world=UNIVERSES, roots=ROOTS, locked=CHOICES, pinned=CHOICES)
def test_an_explanation_names_only_versions_and_requirements_of_the_input_and_they_alone_cannot_be_met(
    world, roots, locked, pinned
):
    answer = solve(world, roots, locked, pinned)
    if not isinstance(answer, Conflict):
        return
    assert first_answer(world, roots, locked, pinned) is None
    told = explanation(answer)
    candidates = [(name, each) for name, package in world.packages.items() for each in package.candidates]
    asked = {(name, str(wanted).replace(" ", "")) for name, wanted in roots}
    for _, each in candidates:
        asked |= {
            (name, str(wanted).replace(" ", ""))
            for ranges in (each.requires, each.constrains)
            for name, wanted in ranges.items()
        }
    versions = {(name, str(each.version)) for name, each in candidates}
    for step in told.steps:
        # A range with alternatives is written with blanks.
        found = MENTION.findall(step.replace(" || ", "||"))
        assert set(found) <= asked, step
        assert set(NAMED.findall(step)) <= versions, step
    # The facts as a universe of their own have no answer either.
    data = derivation(answer)
    kept = {
        ("required", "", fact["name"], fact["range"])
        for fact in data["facts"]
        if fact["kind"] == "required" and "by" not in fact
    }
    for fact in data["facts"]:
        for version in fact.get("by", {}).get("versions", ()):
            kept.add((fact["kind"], f"{fact['by']['name']} {version}", fact["name"], fact["range"]))

    def told_of(kind, whose, ranges):
        return {name: wanted for name, wanted in ranges.items() if (kind, whose, name, str(wanted)) in kept}

    poorer = {
        name: replace(
            package,
            candidates=tuple(
                replace(
                    each,
                    requires=told_of("required", f"{name} {each.version}", each.requires),
                    constrains=told_of("constrained", f"{name} {each.version}", each.constrains),
                )
                for each in package.candidates
            ),
        )
        for name, package in world.packages.items()
    }
    held = {fact["name"]: pinned[fact["name"]] for fact in data["facts"] if fact["kind"] == "pinned"}
    still = [(name, wanted) for name, wanted in roots if ("required", "", name, str(wanted)) in kept]
    assert first_answer(Universe(poorer), still, {}, held) is None


def test_two_requirements_that_exclude_each_other_are_both_named():
    world = universe(a={"1.0.0": {"c": "<2.0.0"}}, b={"1.0.0": {"c": ">=2.0.0"}}, c={"1.0.0": {}, "2.0.0": {}})
    text = explain(refusal(world, ("a", ANY), ("b", ANY)))
    assert "You ask for a (acme) and b (acme)." in text
    assert "a 1.0.0 (the only one) needs c@<2.0.0 (acme)." in text
    assert "b 1.0.0 (the only one) needs c@>=2.0.0." in text
    assert "- do without one of a or b" in text
    assert "widen" not in text


def test_what_has_nothing_to_do_with_the_conflict_is_not_mentioned():
    world = universe(
        a={"1.0.0": {"x": "*", "c": "<2.0.0"}},
        b={"1.0.0": {"c": ">=2.0.0"}},
        c={"1.0.0": {}, "2.0.0": {}},
        x={"1.0.0": {}},
    )
    text = explain(refusal(world, ("x", ANY), ("a", ANY), ("b", ANY)))
    assert "x" not in text.replace("exclude", "").replace("explain", "").split()


def test_a_pin_in_the_way_is_said_with_how_to_let_go():
    world = universe(a={"1.0.0": {}, "2.0.0": {}}, b={"1.0.0": {"a": "==1.0.0"}})
    text = explain(refusal(world, ("b", ANY), pinned={"a": V("2.0.0")}))
    assert "a is pinned to 2.0.0" in text
    assert "mmpm unpin a" in text


def test_the_reasons_why_something_cannot_be_had_are_told_apart():
    asks_a = universe(a={"1.0.0": {}})
    wanted = ("a", R(">=2.0.0"))
    assert "acme has a 1.0.0." in explain(refusal(asks_a, wanted))
    yanked = altered(asks_a, "a", removed=(Removed(V("2.0.0"), "yanked", "wrong steps"),))
    assert "acme has a 2.0.0 (wrong steps), which is yanked." in explain(refusal(yanked, wanted))
    early = altered(
        asks_a, "a", removed=(Removed(V("2.0.0-rc.1"), "pre-release"), Removed(V("3.0.0-rc.1"), "pre-release"))
    )
    assert "which is a pre-release that nothing asks for" in explain(refusal(early, wanted))
    barred = altered(asks_a, "a", removed=(Removed(V("2.0.0"), "barred by policy", "policy.min_age"),))
    assert "a 2.0.0 is barred by policy.min_age." in explain(refusal(barred, wanted))
    said = "policy.min_level = audited (set by the pinned policy acme, serial 1): it is unverified"
    text = explain(refusal(altered(asks_a, "a", removed=(Removed(V("2.0.0"), "barred by policy", said),)), wanted))
    assert "have the rule changed that bars it, policy.min_level = audited: `mmpm policy show` tells who set it" in text
    away = altered(asks_a, "a", removed=(Removed(V("2.0.0"), "not in the store"),))
    assert "not in the store, and this run is offline" in explain(refusal(away, wanted))
    shadowed = altered(asks_a, "a", shadowed=(Shadowed("public", (V("2.0.0"),)),))
    assert "public has a 2.0.0, which is shadowed: acme comes first and has the name." in explain(
        refusal(shadowed, wanted)
    )
    for why, words in (
        ("absent", "a is not in acme or public."),
        ("not fetched", "was not fetched to this machine"),
        ("not mirrored", "not mirrored here"),
    ):
        nothing = Universe({}, {"a": Absence(why, ("acme", "public"))})
        assert words in explain(refusal(nothing, wanted))


def test_a_pre_release_is_a_way_out_only_where_nothing_else_keeps_it_away():
    rc = {each: Removed(V(each), "pre-release") for each in ("2.0.0-rc.1", "2.0.0-rc.2")}
    gone = replace(rc["2.0.0-rc.2"], detail="not mirrored here either")
    world = universe(a={"1.0.0": {}})
    told = explanation(refusal(altered(world, "a", removed=(rc["2.0.0-rc.1"], gone)), ("a", R(">=2.0.0-rc.1"))))
    assert "a 2.0.0-rc.2 (not mirrored here either) and 2.0.0-rc.1, which are pre-releases" in told.notes[1]
    assert "or `mmpm install a@2.0.0-rc.1`" in told.remedies[0]
    told = explanation(refusal(altered(world, "a", removed=(gone,)), ("a", R(">=2.0.0-rc.1"))))
    assert "`mmpm mirror create` with one more `--only a@2.0.0-rc.2`" in told.remedies[0]
    away = replace(gone, detail="not in the store either")
    told = explanation(refusal(altered(world, "a", removed=(away,)), ("a", R(">=2.0.0-rc.1"))))
    assert told.remedies[0] == "run it again without `--offline`"


def test_a_range_that_one_version_satisfies_is_not_printed_as_a_pin():
    world = universe(a={"1.0.0": {"b": ">=2.0.0"}}, b={"1.0.0": {}, "2.0.0": {"c": ">=9.0.0"}}, c={"1.0.0": {}})
    text = explain(refusal(world, ("a", ANY)))
    assert "b@>=2.0.0" in text
    assert "b@2.0.0" not in text


def test_a_huge_proof_is_capped():
    holes = 6
    world = {
        f"pigeon{i}": {f"{h}.0.0": {f"hole{h}": f"=={i}.0.0"} for h in range(1, holes + 1)} for i in range(1, holes + 2)
    }
    world |= {f"hole{h}": {f"{i}.0.0": {} for i in range(1, holes + 2)} for h in range(1, holes + 1)}
    text = explain(refusal(universe(**world), *((f"pigeon{i}", ANY) for i in range(1, holes + 2))))
    assert len(text) < 20_000


def test_three_hundred_registries_that_shadow_a_name_are_counted_and_not_listed():
    below = tuple(Shadowed(f"r{i}", (V("2.0.0"),)) for i in range(300))
    world = altered(universe(a={"1.0.0": {}}), "a", shadowed=below)
    text = explain(refusal(world, ("a", R(">=2.0.0"))))
    assert "296 more registries have releases of a that would fit" in text
    assert len(text) < 2_000


def test_hundreds_of_names_that_nobody_has_are_counted():
    world = universe(a={f"{i}.0.0": {f"gone{i}": "*"} for i in range(1, 300)})
    told = explanation(refusal(world, ("a", ANY)))
    assert "more such notes are left out" in told.notes[-1]
    assert len(told.text) < 10_000


def test_only_a_requirement_that_leaves_something_out_is_to_be_widened_and_a_pin_is_let_go():
    world = universe(a={"1.0.0": {}, "2.0.0": {}}, b={"1.0.0": {"a": "==1.0.0"}})
    told = explanation(refusal(world, ("a", R("==2.0.0")), ("b", ANY)))
    assert told.remedies == (
        "widen a@==2.0.0",
        "let a move, if it is pinned: `mmpm unpin a`",
        "do without one of a or b",
    )


def test_what_a_formula_needs_is_nobodys_misspelling_but_its_publishers_business():
    world = universe(a={"1.0.0": {"b": ">=2.0.0"}}, b={"1.0.0": {}})
    assert explanation(refusal(world, ("a", ANY))).remedies == (
        "ask the publisher of a for a release that goes with b 1.0.0",
        "do without a",
    )
    assert explanation(refusal(universe(a={"1.0.0": {"c": "*"}}), ("a", ANY))).remedies == (
        "add the registry that has c: `mmpm registry add URL`",
        "do without a",
    )


ANOTHER = re.compile(r"ask for a version that can be had: `mmpm install (.+)@(.+)`, or do without it")


@settings(max_examples=200, deadline=None)
@given(world=UNIVERSES, roots=ROOTS, pinned=CHOICES)
def test_another_version_is_named_only_where_everything_can_be_had_with_it(world, roots, pinned):
    answer = solve(world, roots, {}, pinned)
    if not isinstance(answer, Conflict):
        return
    causes = [leaf.cause for leaf in leaves(smallest_proof(answer).proof)]
    wishes = {cause.range for cause in causes if isinstance(cause, Required) and not cause.dependant}
    for remedy in explanation(answer).remedies:
        found = ANOTHER.fullmatch(remedy)
        if found is None:
            continue
        name, version = found.groups()
        rest = [(other, said) for other, said in roots if other != name or said not in wishes]
        if isinstance(solve(world, rest, {}, pinned), Conflict):
            rest = []
        assert not isinstance(solve(world, [*rest, (name, R(version))], {}, pinned), Conflict)


def test_a_version_whose_own_requirements_cannot_be_met_is_not_named():
    world = universe(a={"1.0.0": {}, "2.0.0": {"gone": "*"}, "3.0.0": {"b": ">=2.0.0"}}, b={"1.0.0": {}})
    assert explanation(refusal(world, ("a", R(">=4.0.0")))).remedies == (
        "ask for a version that can be had: `mmpm install a@1.0.0`, or do without it",
    )
    assert explanation(refusal(world, ("a", R(">=2.0.0")))).remedies[-1] == (
        "ask for a version that can be had: `mmpm install a@1.0.0`, or do without it"
    )
    small = smallest_proof(whole := refusal(world, ("a", R(">=4.0.0"))))
    assert explanation(small, whole).remedies == explanation(whole).remedies
    two = explanation(refusal(world, ("a", R(">=4.0.0")), ("b", R(">=4.0.0"))))
    assert two.remedies == ("ask for a version that can be had: `mmpm install b@1.0.0`, or do without it",)
    nothing = universe(a={"1.0.0": {"gone": "*"}})
    assert explanation(refusal(nothing, ("a", R(">=4.0.0")))).remedies == ("do without a",)


def long_chain(length):
    """A proof of `length` facts in a row."""
    return universe(**{f"n{i}": {"1.0.0": {f"n{i + 1}": "*"}} for i in range(length)}), ("n0", ANY)


def many_versions(count):
    """A proof of `count` facts about one name."""
    return universe(a={f"{i}.0.0": {f"gone{i}": "*"} for i in range(1, count + 1)}), ("a", ANY)


def wide_chain(length):
    """A proof that goes through ten versions of each name."""
    world = {
        f"n{i}": {f"{version}.0.0": {f"n{i + 1}": f"=={version}.0.0"} for version in range(1, 11)}
        for i in range(length)
    }
    world[f"n{length}"] = {f"{version}.0.0": {f"gone{version}": "*"} for version in range(1, 11)}
    return universe(**world), ("n0", ANY)


@pytest.mark.parametrize(
    ("make", "size"),
    [(long_chain, 6000), (many_versions, 5500), (wide_chain, 600)],
    ids=["a chain", "many versions", "ten versions a name"],
)
def test_a_proof_of_thousands_of_facts_is_told_as_it_is_and_capped(make, size):
    world, root = make(size)
    answer = refusal(world, root)
    assert len(list(leaves(answer.proof))) > 5000
    # Cutting it down is not tried: `smallest_proof` has a budget, and this is beyond it.
    assert smallest_proof(answer) is answer
    told = explanation(answer)
    assert len(told.text) < 5_000
    assert "requirements cannot be met together" in told.text
    data = derivation(answer)
    assert len(data["facts"]) == 1000
    assert data["left_out"]["facts"] == len(list(leaves(answer.proof))) - 1000
    assert len(json.dumps(data)) < 2**20


def test_a_bound_name_says_what_binds_it_and_who_else_has_it():
    nothing = Universe({}, {"@x/a": Absence("absent", ("acme",), bound="scope", elsewhere=("public", "other"))})
    told = explanation(refusal(nothing, ("@x/a", ANY)))
    assert told.notes == (
        "@x/a is not in acme, to which its scope is bound.",
        "public and other have it, and are not asked for it.",
    )
    assert told.remedies == (
        "have @x/a published to acme",
        "name the registry: `mmpm install hop://public/formulas/@x/a`",
        "name the registry: `mmpm install hop://other/formulas/@x/a`",
        "do without @x/a",
    )
    alone = Universe({}, {"a": Absence("absent", ("acme",), bound="project")})
    told = explanation(refusal(alone, ("a", ANY)))
    assert told.notes == ("a is not in acme, from where the project asks for it.",)
    assert told.remedies[0] == "check the spelling of a, or have it published to acme"


def test_a_name_near_another_one_is_asked_about_first():
    nothing = Universe({}, {"mol-gti": Absence("absent", ("acme",), near=("mol-git", "mol-gate"))})
    assert explanation(refusal(nothing, ("mol-gti", ANY))).remedies[0] == "did you mean mol-git or mol-gate?"
