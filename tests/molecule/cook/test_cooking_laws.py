"""Laws of cooking: what means the same cooks the same, what means something else does not, on every machine."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w
from corpus import Corpus, corpus_folder
from hypothesis import given
from hypothesis import strategies as st
from kitchen import ingredient, proto_of

from mmpm.errors import CookError
from mmpm.molecule.cook.cooking import cook

CHECKOUT = Path(__file__).resolve().parents[3]
TEXTS = st.text("abc {}\n#=\"'[]", min_size=1, max_size=20)
EXPANSION = {
    "formula": "rule",
    "version": 1,
    "type": "expansion",
    "template": [{"id": "{target}.one"}, {"id": "{target}.two", "needs": ["{target}.one"], "title": "{target.title}"}],
}


@st.composite
def documents(draw):
    """A formula with steps that need earlier ones, variables, and now and then a loop, a gate or an expansion."""
    count = draw(st.integers(2, 6))
    steps = []
    for index in range(count):
        step = {
            "id": f"s{index}",
            "title": draw(TEXTS),
            "description": draw(TEXTS),
            "priority": draw(st.integers(0, 4)),
        }
        if index:
            step["needs"] = draw(
                st.lists(st.sampled_from([f"s{one}" for one in range(index)]), unique=True, max_size=3)
            )
        step["labels"] = draw(st.lists(TEXTS, unique=True, max_size=2))
        extra = draw(st.sampled_from(["", "", "gate", "condition", "loop", "expand", "children"]))
        if extra == "gate":
            step["gate"] = {"type": "timer", "timeout": "30m"}
        elif extra == "condition":
            step["condition"] = "{{mode}} == fast"
        elif extra == "loop":
            step["loop"] = {"count": 2, "body": [{"id": "x", "title": "{i}"}]}
        elif extra == "expand":
            step["expand"] = "rule"
        elif extra == "children":
            step["children"] = [{"id": f"c{index}", "title": draw(TEXTS)}]
        steps.append(step)
    return {
        "formula": "mol-x",
        "version": 3,
        "description": draw(TEXTS),
        "phase": "vapor",
        "vars": {"mode": {"default": "fast", "enum": ["fast", "slow"]}, "other": "x"},
        "steps": steps,
    }


def shuffled(value, chance):
    """Give the same document with the keys of every table in another order."""
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def rewritten(document, chance):
    """Give a text that says the same: other key order, comments, blank lines, line ends, a byte order mark."""
    lines = tomli_w.dumps(shuffled(document, chance)).split("\n")
    out = []
    for line in lines:
        if chance.random() < 0.3:
            out += ["# a comment " + "=" * chance.randrange(5), ""]
        out.append(line + (" # said" if line.startswith("[[") else ""))
    text = chance.choice(["\n", "\r\n"]).join(out)
    return chance.choice([b"", b"\xef\xbb\xbf"]) + text.encode()


@given(documents(), st.randoms(use_true_random=False))
def test_rewriting_that_keeps_the_meaning_keeps_the_graph(document, chance):
    rule = tomli_w.dumps(EXPANSION)
    plain = proto_of(tomli_w.dumps(document), rule)
    other = proto_of(rewritten(document, chance), rewritten(EXPANSION, chance))
    assert other.graph_id == plain.graph_id
    # What it was cooked from is said all the same.
    assert [source.name for source in other.sources] == [source.name for source in plain.sources]


def changes(document):
    """Give every single change of meaning that this page knows how to make."""
    for index, step in enumerate(document["steps"]):
        for key, value in step.items():
            if step.get("expand") and key in {"description", "labels"}:
                continue  # the template of this test takes neither
            if step.get("loop") and key in {"title", "description", "labels", "priority"}:
                continue  # a loop's own words are gone with it
            other = copy.deepcopy(document)
            changed = other["steps"][index]
            if isinstance(value, str) and key not in {"id", "expand", "condition"}:
                changed[key] = value + "!"
            elif key == "priority":
                changed[key] = (value + 1) % 5
            elif key == "labels":
                changed[key] = [*value, "new"]
            elif key == "needs" and value:
                changed[key] = value[1:]
            elif key == "gate":
                changed[key] = {**value, "timeout": "31m"}
            elif key == "condition":
                changed[key] = "{{mode}} != fast"
            elif key == "loop":
                changed[key] = {**value, "count": 3}
            elif key == "expand":
                del changed[key]
            elif key == "children":
                changed[key] = [{**value[0], "notes": "n"}]
            else:
                continue
            yield f"steps[{index}].{key}", other
    for key, value in (("description", "other"), ("phase", "liquid"), ("version", 4), ("type", "convoy")):
        yield key, {**document, key: value}
    for key, value in (("mode", {"default": "slow", "enum": ["fast", "slow"]}), ("other", "y"), ("third", "z")):
        yield f"vars.{key}", {**document, "vars": {**document["vars"], key: value}}
    yield "order", {**document, "steps": [document["steps"][1], document["steps"][0], *document["steps"][2:]]}
    yield "extra step", {**document, "steps": [*document["steps"], {"id": "extra"}]}


@given(documents(), st.randoms(use_true_random=False))
def test_each_single_change_of_meaning_changes_the_graph(document, chance):
    rule = tomli_w.dumps(EXPANSION)
    plain = proto_of(tomli_w.dumps(document), rule).graph_id
    known = list(changes(document))
    for what, other in chance.sample(known, min(8, len(known))):
        assert proto_of(tomli_w.dumps(other), rule).graph_id != plain, what


CORPUS = corpus_folder()


@pytest.fixture(scope="module")
def shelf():
    """Every formula of the corpus, read: (all, the newest of each name)."""
    corpus = Corpus(CORPUS)
    all_of_them = [(line, ingredient((CORPUS / str(line["path"])).read_bytes())) for line in corpus.formulas]
    return all_of_them, {one.formula.name: one for _, one in all_of_them}


@pytest.mark.corpus
@pytest.mark.skipif(CORPUS is None, reason="the shared corpus is not here")
def test_every_real_formula_cooks(shelf):
    every, newest = shelf
    assert len(every) == 467
    failed = []
    for line, one in every:
        try:
            proto = cook(one, newest.get).proto
        except CookError as error:
            failed.append(f"{line['path']}: {error.fact}")
            continue
        assert proto.groups or not proto.steps
    assert failed == []


@pytest.mark.corpus
@pytest.mark.skipif(CORPUS is None, reason="the shared corpus is not here")
def test_a_thousand_steps_that_follow_each_other_are_a_thousand_groups(shelf):
    _, newest = shelf
    proto = cook(newest["towers-of-hanoi-10"], newest.get).proto
    assert len(proto.steps) == 1025
    assert len(proto.groups) == 1025


@pytest.mark.corpus
@pytest.mark.skipif(CORPUS is None, reason="the shared corpus is not here")
def test_real_formulas_written_otherwise_cook_alike(shelf):
    import tomllib

    _, newest = shelf
    chance = random.Random(5)
    for one in newest.values():
        document = json.loads(json.dumps(one.formula.tables, default=str))
        plain = cook(one, newest.get).proto.graph_id
        other = ingredient(rewritten(document, chance))
        assert cook(other, newest.get).proto.graph_id == plain, one.formula.name
        assert tomllib.loads(tomli_w.dumps(document)) == document


def test_two_processes_with_other_hash_seeds_give_the_same_bytes():
    program = """
import sys
sys.path.insert(0, "tests")
from kitchen import proto_of, formula
rule = formula('type = "expansion"\\n[[template]]\\nid = "{target}.x"\\n[[template]]\\nid = "{target}.y"', "rule")
body = 'steps = [' + ', '.join('{id = "s%d", labels = ["b", "a"]}' % n for n in range(9)) + ']'
body += '\\ncompose = {map = [{select = "s[1-7]", with = "rule"}]}\\nvars = {b = "1", a = "2", c = "3"}'
print(proto_of(formula(body), rule).object_id)
"""
    found = set()
    for seed in ("0", "1", "4242"):
        environ = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "store")]),
        }
        done = subprocess.run(
            [sys.executable, "-c", program], env=environ, cwd=CHECKOUT, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert found.pop().startswith("blake3:")
