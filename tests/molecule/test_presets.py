"""Presets of convoys: only the legs that one names, and the synthesis of these."""

from __future__ import annotations

import pytest
from corpus import Corpus, corpus_folder
from kitchen import formula, ingredient, needs_of, proto_of

from mmpm.molecule.arranging import arranged, left_out_by, presets_of
from mmpm.molecule.cook.cooking import cook

CORPUS = corpus_folder()
LEGS = "".join(f'[[legs]]\nid = "{one}"\ntitle = "{one}"\n' for one in "abc")
SYNTHESIS = '[synthesis]\ntitle = "All"\ndepends_on = ["a", "b", "c"]\n'
PRESETS = '[presets.fast]\ndescription = "Fast"\nlegs = ["b"]\n[presets.full]\nlegs = ["a", "b", "c"]\n[presets]\n'


def chosen(proto, preset):
    return needs_of(arranged(proto, {}, left_out_by(proto, preset)))


def test_only_the_legs_of_a_preset_stay_and_the_synthesis_waits_for_these():
    proto = proto_of(formula(LEGS + SYNTHESIS + PRESETS.replace("[presets]\n", "")))
    assert presets_of(proto) == {"fast": ("b",), "full": ("a", "b", "c")}
    assert chosen(proto, "fast") == {"b": [], "synthesis": ["b"]}
    assert chosen(proto, "full") == needs_of(proto)


def test_a_last_leg_that_needs_another_is_no_synthesis_where_a_preset_names_it():
    legs = LEGS.replace('title = "c"\n', 'title = "c"\nneeds = ["a"]\n')
    proto = proto_of(formula(legs + '[presets.x]\nlegs = ["a"]\n[presets.y]\nlegs = ["a", "c"]\n'))
    assert chosen(proto, "x") == {"a": []}
    assert chosen(proto, "y") == {"a": [], "c": ["a"]}


def test_what_is_no_preset_is_refused_with_those_that_are():
    proto = proto_of(
        formula(LEGS + '[presets.x]\nlegs = ["a"]\n[presets.odd]\nlegs = ["z"]\n[presets.none]\nother = 1\n')
    )
    with pytest.raises(ValueError, match="no preset 'y'; it has x, odd"):
        left_out_by(proto, "y")
    with pytest.raises(ValueError, match="'odd' of mol-x names 'z', and it has no such leg"):
        left_out_by(proto, "odd")
    with pytest.raises(ValueError, match=r"no preset 'y'$"):
        left_out_by(proto_of(formula(LEGS)), "y")


@pytest.mark.corpus
@pytest.mark.skipif(CORPUS is None, reason="the shared corpus is not here")
def test_the_presets_of_the_real_review():
    one = ingredient(Corpus(CORPUS).formula_bytes("code-review", "1.1.0"))
    proto = cook(one, lambda _: None).proto
    assert list(presets_of(proto)) == ["gate", "full", "security-focused", "refactor"]
    assert chosen(proto, "gate") == {
        "security": [],
        "smells": [],
        "wiring": [],
        "test-quality": [],
        "synthesis": ["security", "smells", "wiring", "test-quality"],
    }
    assert chosen(proto, "full") == needs_of(proto)
