from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from model.strategies import NAME_PARTS

from mmpm.model.names import FormulaName, RegistryId


@given(st.one_of(NAME_PARTS, st.tuples(NAME_PARTS, NAME_PARTS).map(lambda p: f"@{p[0]}/{p[1]}")))
def test_a_name_keeps_its_text(text):
    try:
        name = FormulaName.parse(text)
    except ValueError:
        assume(condition=False)
        return
    assert str(name) == text
    assert name.unscoped == text.rpartition("/")[2]


@given(st.lists(NAME_PARTS.filter(lambda t: not t.startswith(("con", "aux", "prn", "nul", "com", "lpt")))))
def test_names_order_as_their_texts_do(texts):
    texts = [t for t in texts if not t.endswith((".json", ".toml", ".jsonl"))]
    assert [str(name) for name in sorted(map(FormulaName.parse, texts))] == sorted(texts)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "empty"), ("@", "no name"), ("@acme", "no name"), ("@/x", "scope cannot be empty"), ("@acme/", "empty"),
        ("A", "character 'A'"), ("a b", "character ' '"), ("a/b", "character '/'"), ("ä", "character"),
        ("../x", "character '/'"), ("..", "start and end"), ("-a", "start and end"), ("a.", "start and end"),
        ("x.json", r"\.json"), ("x.toml", r"\.toml"), ("x.jsonl", r"\.jsonl"), ("index.json", r"\.json"),
        ("con", "device"), ("con.x", "device"), ("nul", "device"), ("com1", "device"), ("lpt9.a.b", "device"),
        ("@aux/x", "device"), ("a" * 65, "64"), ("@" + "a" * 65 + "/x", "64"), ("a\n", "character"),
        ("a\x1b]0;x\x07", "character"), ("@a/b/c", "character '/'"), ("a\u202eb", "character"),
    ],
)  # fmt: skip
def test_a_broken_rule_of_names_is_named(text, rule):
    with pytest.raises(ValueError, match=rule) as caught:
        FormulaName.parse(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text", ["a", "7", "a" * 64, "mol-polecat-work", "a..b", "a_b", "console", "com10", "json", "x-json"]
)
def test_a_name_that_breaks_no_rule_is_one(text):
    assert str(FormulaName.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "host"),
    [("molmall.gastown.io", "molmall.gastown.io"), ("Acme.Corp", "acme.corp"), ("localhost:8080", "localhost_8080"),
     ("127.0.0.1_80", "127.0.0.1_80"), ("xn--bcher-kva.example", "xn--bcher-kva.example")],
)  # fmt: skip
def test_a_registry_id_has_one_spelling(text, host):
    registry = RegistryId.parse(text)
    assert str(registry) == host
    assert RegistryId.parse(host) == registry


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "-a.b", "a-.b", "a/b", "a b", "bücher.de", "a_", "a_0", "a_65536", "a_1_2", "con", "nul.x",
             "a" * 64 + ".b", "a." * 130 + "b", "http://a", "\u212a.example", "a:b"],
)  # fmt: skip
def test_what_is_no_host_is_no_registry_id(text):
    with pytest.raises(ValueError, match=r"."):
        RegistryId.parse(text)
