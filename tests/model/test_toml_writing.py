"""TOML that the program writes is read back as it was meant."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.model.toml_writing import write_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text("ab\r\n\"'\\\t#=[]{}\0", max_size=12)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
def test_what_is_written_is_read_back(document):
    assert tomllib.loads(write_toml(document)) == document


def test_it_is_written_as_people_write_it():
    text = write_toml(
        {
            "formula": "mol-x",
            "vars": {"scope": {"default": "src/"}},
            "steps": [{"id": "a", "gate": {"type": "human"}, "description": "one\ntwo\n"}, {"id": "b", "needs": ["a"]}],
        }
    )
    assert text == (
        'formula = "mol-x"\n\n[vars.scope]\ndefault = "src/"\n\n'
        '[[steps]]\nid = "a"\ngate = { type = "human" }\ndescription = """\none\ntwo\n"""\n\n'
        '[[steps]]\nid = "b"\nneeds = ["a"]\n'
    )


@pytest.mark.parametrize("value", [None, 1.5])
def test_what_toml_does_not_know_is_refused(value):
    with pytest.raises(ValueError, match="TOML cannot say"):
        write_toml({"a": [value]})
