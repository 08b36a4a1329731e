"""Formulas in the older form, JSON, mean what the same document means in TOML."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from corpus import corpus_folder
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import FormulaInvalidError, FormulaSyntaxError
from mmpm.model.formula import parse_formula
from mmpm.model.json_text import parse_json_document
from mmpm.model.toml_text import MAX_TOML_BYTES, parse_toml
from mmpm.model.toml_writing import write_toml

CORPUS = corpus_folder()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_a_document_is_the_same_in_both_forms(document):
    data = json.dumps(document).encode()
    assert parse_json_document(data, "x.json") == parse_toml(write_toml(document).encode(), "x.toml")


def test_what_toml_has_otherwise_is_read_as_toml_has_it():
    found = parse_json_document(b'\xef\xbb\xbf{"a":null,"b":[{"c":null,"d":0.10}]}', "x.json")
    assert found == {"b": [{"d": Decimal("0.1")}]}


@pytest.mark.parametrize(
    ("data", "line", "column", "reason"),
    [
        (b'{"formula": "x",\n  "a" 1}', 2, 7, "it is not JSON: Expecting ':' delimiter"),
        (b"[]", 1, 1, "is not a JSON object"),
        (b'{"a":1,"a":2}', 1, 1, "has a key twice"),
        (b'{"a":"\xff"}', 1, 1, "not UTF-8"),
        (b'{"a":NaN}', 1, 1, "NaN"),
        (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", 1, 1, "levels deep"),
        (b'{"a":"' + b"x" * MAX_TOML_BYTES + b'"}', 1, 1, "bytes, more than"),
        (b'{"a":[' + b"1," * 300_000 + b"1]}", 1, 1, "more than 250000 values"),
    ],
)
def test_what_is_no_document_is_refused_at_its_place(data, line, column, reason):
    with pytest.raises(FormulaSyntaxError, match=reason.replace("(", r"\(")) as caught:
        parse_json_document(data, "x.json")
    assert (caught.value.details["line"], caught.value.details["column"]) == (line, column)


@pytest.mark.corpus
@pytest.mark.skipif(CORPUS is None, reason="the shared corpus is not here")
def test_real_formulas_in_json_are_read():
    paths = sorted((CORPUS / "legacy").glob("*/*.formula.json"))
    assert len(paths) == 32
    refused = []
    for path in paths:
        try:
            formula = parse_formula(path.read_bytes(), path.name, is_json=True)
        except FormulaInvalidError:
            refused.append(path.parent.name)
            continue
        assert formula.name == json.loads(path.read_text())["formula"]
    # Drafts of advice and compose as tables, which bd does not read any more either.
    assert refused == ["security-audit"] * 2 + ["shiny-enterprise"] * 2
