from __future__ import annotations

import pytest
from solver.gallery import GALLERY, NOTE, with_gallery

from mmpm.solver.explain import derivation, explanation


def test_the_note_shows_what_is_said_to_each_question_of_the_gallery():
    note = NOTE.read_text()
    assert note == with_gallery(note), "write it again: PYTHONPATH=tests python -m solver.gallery"


@pytest.mark.parametrize("refused", GALLERY, ids=lambda refused: refused.title)
def test_a_picture_ends_with_what_to_try_and_has_the_same_facts_as_data(refused):
    told = explanation(refused.conflict)
    assert told.remedies
    data = derivation(refused.conflict)
    assert data["facts"]
    assert {fact["name"] for fact in data["facts"]} >= {name for name, _ in refused.asks if name not in refused.pins}
    assert all(set(step["from"]) <= set(range(1, step["id"])) for step in data["conclusions"])
    for reason, names in (
        ("absent", "not in|in no registry"),
        ("not mirrored", "not mirrored here"),
        ("not fetched", "not fetched"),
    ):
        if any(absence.why == reason for absence in refused.absent.values()):
            assert any(words in told.text for words in names.split("|"))
