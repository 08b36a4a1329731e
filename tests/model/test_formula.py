from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import FormulaInvalidError, FormulaSyntaxError, MmpmError
from mmpm.model.findings import inspect_formula
from mmpm.model.formula import parse_formula
from mmpm.model.toml_text import MAX_TOML_BYTES


def read(text: str):
    return parse_formula(text.encode(), "x.formula.toml")


def refusal(data: bytes, filename: str) -> MmpmError | None:
    try:
        parse_formula(data, filename)
    except MmpmError as error:
        return error
    return None


def codes(text: str) -> set[str]:
    return {finding.code for finding in inspect_formula(read(text))}


FULL = """
formula = "mol-x"
version = 4
type = "workflow"
description = "Does x."
extends = ["shiny"]

[package]
version = "4.1.0"
author = "someone@example.org"
license = "MIT"
repository = "https://example.org/x"

[package.requires]
shiny = "^2"
"@acme/extra" = ">=1,<3"

[capabilities]
primary = ["go", "testing"]
secondary = ["git"]

[capabilities.weights]
go = 0.3
testing = 0.70

[[compose.expand]]
target = "a"
with = "rule-of-five"

[[compose.map]]
with = "each"

[compose]
aspects = ["audit"]

[[compose.hooks]]
attach = "hooked"

[[steps]]
id = "a"
title = "A"
expand = "inline"

[steps.on_complete]
bond = "worker-arm"

[[steps.children]]
id = "b"
title = "B"
expand = "nested"
""".replace("[compose]\n", "").replace('aspects = ["audit"]\n', "")


def test_the_flat_form_is_read_whole():
    formula = read(FULL)
    assert (formula.name, str(formula.version), formula.kind_of_work) == ("mol-x", "4.1.0", "workflow")
    assert (formula.author, formula.license) == ("someone@example.org", "MIT")
    assert [str(r) for r in formula.requires] == [
        "@acme/extra@>=1,<3",
        "each",
        "inline",
        "nested",
        "rule-of-five",
        "shiny@^2",
    ]
    assert formula.soft == ("hooked", "worker-arm")
    assert formula.capabilities.weights == (("go", "0.3"), ("testing", "0.7"))
    assert formula.step_count == 2
    assert formula.warnings == ()
    assert formula.missing == ()


def test_the_form_of_the_seed_is_read_and_a_warning_says_that_bd_cannot():
    formula = read(
        '[formula]\nname = "mol-x"\nversion = "4.0.0"\ndescription = "d"\n'
        '[formula.capabilities]\nprimary = ["go"]\n[formula.capabilities.weights]\ngo = 0.3\n'
    )
    assert (formula.name, str(formula.version), formula.description) == ("mol-x", "4.0.0", "d")
    assert formula.capabilities.weights == (("go", "0.3"),)
    assert [w.code for w in formula.warnings] == ["formula-table"]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('version = 4\n[package]\nversion = "4.2.0"', "4.2.0"), ('version = "4.0.1"', "4.0.1"), ("version = 4", "4.0.0"),
        ("", "1.0.0"), ("version = 0", "0.0.0"),
    ],
)  # fmt: skip
def test_the_best_statement_of_the_version_wins(text, version):
    assert str(read(f'formula = "x"\n{text}').version) == version


def test_what_publishing_lacks_is_named():
    assert read('formula = "x"').missing == ("version", "description")
    assert read('formula = "x"\nversion = 1\ndescription = " "').missing == ("description",)


@pytest.mark.parametrize(
    ("keys", "kind"),
    [("[[steps]]\nid='a'", "workflow"), ("[[legs]]\nid='a'", "convoy"), ("[[template]]\nid='a'", "expansion"),
     ("[[advice]]\ntarget='a'", "aspect"), ("extends=['a']", "workflow"), ("", "workflow"), ("type='aspect'", "aspect")],
)  # fmt: skip
def test_an_absent_type_is_told_by_the_keys(keys, kind):
    assert read(f"formula = 'x'\n{keys}").kind_of_work == kind


@pytest.mark.parametrize("item", ["shiny@4", "@acme/shiny"])
def test_a_range_or_scope_in_place_is_understood_with_a_warning(item):
    formula = read(f'formula = "x"\nextends = ["{item}"]')
    assert [str(r) for r in formula.requires] == [item]
    assert [w.code for w in formula.warnings] == ["requirement-in-place"]


def test_the_package_says_whose_formula_an_unscoped_name_means():
    formula = read('formula = "x"\nextends = ["shiny"]\n[package.requires]\n"@acme/shiny" = "4"')
    assert [str(r) for r in formula.requires] == ["@acme/shiny@4"]


def test_the_package_may_scope_the_name_and_nothing_else():
    assert read('formula = "x"\n[package]\nname = "@acme/x"').name == "@acme/x"
    with pytest.raises(FormulaInvalidError, match="not 'x' with a scope"):
        read('formula = "x"\n[package]\nname = "@acme/y"')


def test_unknown_keys_warn_and_never_fail():
    formula = read('formula = "x"\nfrobnicate = 1\n[package]\nodd = 2\n[[steps]]\nid = "a"\nmystery = [1]')
    assert [(w.code, w.key) for w in formula.warnings] == [
        ("unknown-key", "frobnicate"),
        ("unknown-key", "package.odd"),
    ]


def test_crlf_and_a_byte_order_mark_are_accepted():
    data = b'\xef\xbb\xbfformula = "x"\r\ndescription = """\r\na\r\n"""\r\n'
    formula = parse_formula(data, "x")
    assert formula.description == "a\n"
    assert [w.code for w in formula.warnings] == ["byte-order-mark"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("version = 1", "formula"), ("formula = 3", "formula"), ("formula = 'A b'", "formula"), ("[formula]", "formula.name"),
        ("formula = 'x'\nversion = 4.0", "version"), ("formula = 'x'\nversion = true", "version"),
        ("formula = 'x'\nversion = -1", "version"), ("formula = 'x'\nversion = '4'", "version"),
        ("formula = 'x'\n[package]\nversion = 4", "package.version"), ("formula = 'x'\nextends = 'y'", "extends"),
        ("formula = 'x'\nextends = ['y', 3]", "extends[1]"), ("formula = 'x'\nextends = ['Y']", "extends[0]"),
        ("formula = 'x'\nextends = ['x']", "extends"), ("formula = 'x'\nsteps = 3", "steps"),
        ("formula = 'x'\nsteps = [{expand = 3}]", "steps[0].expand"), ("formula = 'x'\ncompose = []", "compose"),
        ("formula = 'x'\n[[compose.expand]]\nwith = 1", "compose.expand[0].with"),
        ("formula = 'x'\n[[steps]]\n[[steps.children]]\nexpand = 'A'", "steps[0].children[0].expand"),
        ("formula = 'x'\npackage = 1", "package"), ("formula = 'x'\n[package]\nauthor = 1", "package.author"),
        ("formula = 'x'\n[package]\nauthor = \"a\\u001b[31m\"", "package.author"),
        ("formula = 'x'\n[package.requires]\ny = 4", "package.requires.y"),
        ("formula = 'x'\n[package.requires]\ny = 'four'", "package.requires.y"),
        ("formula = 'x'\n[package.requires]\nY = '4'", "package.requires.Y"),
        ("formula = 'x'\n[capabilities]\nprimary = 'go'", "capabilities"),
        ("formula = 'x'\n[capabilities.weights]\ngo = 2.0", "capabilities"), ("formula = 'x'\ndescription = 1", "description"),
        ("formula = 'x'\nextends = ['y@4', 'y@5']", "extends[1]"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_an_error_with_its_key(text, key):
    with pytest.raises(FormulaInvalidError) as caught:
        read(text)
    assert caught.value.problems[0][0] == key
    assert caught.value.fact.startswith(f"x.formula.toml: {key}: ")
    assert caught.value.fact.isprintable()


def test_all_problems_of_a_file_are_collected():
    with pytest.raises(FormulaInvalidError, match="and 2 more") as caught:
        read("formula = 'X'\nversion = 4.0\nextends = 3")
    assert [key for key, _ in caught.value.problems] == ["formula", "version", "extends"]


@pytest.mark.parametrize(
    ("data", "line", "column", "reason"),
    [
        (b'formula = "x"\ntext = "a\\qb"\n', 2, 12, "unescaped"), (b'a = "x', 1, 7, "unterminated"),
        (b"a = 1\nb = \xff\n", 2, 5, "UTF-8"), (b"a = 1\na = 2", 2, 6, "overwrite"), (b"a = 1\x00", 1, 6, "expected newline"),
        (b'formula = """\r\nx\r\n"""\r\n???\r\n', 4, 1, "invalid statement"), (b"a = 1\rb = 2", 1, 6, "expected newline"),
        (b"a = " + b"[" * 5000, 1, 1, "deep"), (b"a = " + b"[" * 70 + b"]" * 70, 1, 1, "deep"),
        (b"x = 1\n" + b"a." * 20000 + b"a = 1", 2, 1, "dots"), (b"a" * (MAX_TOML_BYTES + 1), 1, 1, "more than"), (b"a = [" + b"{}," * 300_000 + b"]", 1, 1, "more than"),
        (b"a = " + b"1" * 5000, 1, 1, "digits"), (b"a = 2020-13-45", 1, 9, "expected newline"),
    ],
)  # fmt: skip
def test_what_is_no_toml_gets_line_and_column(data, line, column, reason):
    with pytest.raises(FormulaSyntaxError, match=reason) as caught:
        parse_formula(data, "x.toml")
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.fact.startswith(f"x.toml:{line}:{column}: ")
    assert caught.value.fact.isprintable()


@given(st.one_of(st.binary(max_size=60), st.text(alphabet="formula=\"x\n[].{},1a#'\\", max_size=60).map(str.encode)))
def test_any_bytes_are_a_formula_or_a_foreseen_error(data):
    try:
        inspect_formula(parse_formula(data, "x"))
    except MmpmError as error:
        assert error.fact.isprintable()  # noqa: PT017 - both ways out are legal


STEPS = "formula = 'x'\ndescription = 'd'\nversion = 1\n[capabilities]\nprimary = ['go']\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[[steps]]\nid='a'\ntitle='{{who}}'", "undeclared-variable"),
        ("[vars.who]\nrequired=true\ndefault='x'", "required-with-default"),
        ("[vars.who]\ndescription='x'", "no-default"),
        ("[[steps]]\nid='a'\ntitle='t'\nneeds=['b']", "unknown-need"),
        ("[[legs]]\nid='a'\ntitle='t'\n[synthesis]\ndepends_on=['z']", "unknown-need"),
        ("[[steps]]\nid='a'\ntitle='t'\nneeds=['b']\n[[steps]]\nid='b'\ntitle='t'\nneeds=['a']", "needs-cycle"),
        ("[[steps]]\nid='a'", "missing-title"),
        ("[[steps]]\ntitle='a'", "missing-id"),
        ("[[steps]]\nid='a'\ntitle='t'\n[[steps]]\nid='a'\ntitle='t'", "duplicate-id"),
        ("[[steps]]\nid='a'\ntitle='t'\nexpand='{{x}}'", "dynamic-dependency"),
        ("[[steps]]\nid='a'\ntitle='t'\non_complete={bond='No Name'}", "odd-name"),
        ("[other]", "unknown-key"),
        ("", "no-steps"),
    ],
)  # fmt: skip
def test_a_careful_look_finds(text, code):
    assert code in codes(STEPS + text)


def test_a_sound_formula_has_no_findings():
    text = (
        STEPS
        + "[vars]\nwho='you'\n[[steps]]\nid='a'\ntitle='{{who}} {{.Go}}'\n[[steps]]\nid='b'\ntitle='t'\nneeds=['a']"
    )
    assert codes(text) == set()


def test_needs_may_name_what_is_inherited():
    assert "unknown-need" not in codes(
        STEPS.replace("version = 1", "version = 1\nextends = ['y']") + "[[steps]]\nid='a'\ntitle='t'\nneeds=['b']"
    )


def test_missing_capabilities_are_said():
    assert "no-capabilities" in codes("formula = 'x'")


def test_long_chains_and_deep_children_are_read_without_recursion():
    chain = "".join(f"[[steps]]\nid='s{n}'\ntitle='t'\nneeds=['s{n - 1}']\n" for n in range(1, 3000))
    assert codes(STEPS + "[[steps]]\nid='s0'\ntitle='t'\n" + chain) == set()
    assert "needs-cycle" in codes(STEPS + "[[steps]]\nid='s0'\ntitle='t'\nneeds=['s2999']\n" + chain)
    nested = "{id='a', title='t', children=[" * 20 + "]}" * 20
    assert read(STEPS + f"[[steps]]\nid='r'\ntitle='t'\nchildren=[{nested}]").step_count == 21


@pytest.mark.corpus
def test_every_formula_of_the_corpus_is_read_as_its_index_says(corpus):
    for line in corpus.formulas:
        data = (corpus.folder / line["path"]).read_bytes()
        formula = parse_formula(data, line["path"])
        hard = {*line["extends"], *line["compose_with"], *line["compose_aspects"], *line["step_expand"]}
        assert [str(requirement) for requirement in formula.requires] == sorted(hard)
        assert list(formula.soft) == sorted(set(line["bond"]))
        assert formula.step_count == line["step_count"]
        assert formula.version.major == line["in_file_version"]
        assert formula.kind_of_work == (line["type"] or formula.kind_of_work)
        assert formula.name == line["name"].rpartition("/")[2]
        assert formula.missing == ()


@pytest.mark.corpus
def test_of_the_edge_contents_those_that_are_no_toml_get_line_and_column(corpus):
    refused = 0
    for line in corpus.edge:
        data = (corpus.folder / line["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == line["sha256"]
        outcome = refusal(data, line["path"])
        if isinstance(outcome, FormulaSyntaxError):
            refused += 1
            assert f":{outcome.line}:{outcome.column}: " in outcome.fact
            assert outcome.fact.isprintable()
        elif isinstance(outcome, FormulaInvalidError):
            assert [key for key, _ in outcome.problems] == ["steps"]  # one file whose steps are a table
        assert isinstance(outcome, FormulaSyntaxError) == ("unparseable" in line["why"])
    assert refused == 18
