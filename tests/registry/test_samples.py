"""The project's own formulas: the system tier and the samples."""

from __future__ import annotations

from pathlib import Path

import pytest

import mmpm
from mmpm.errors import FormulaInvalidError, FormulaSyntaxError
from mmpm.model.findings import inspect_formula
from mmpm.model.formula import parse_formula
from mmpm.model.versions import Version
from mmpm.registry.payload import collect_payload

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SYSTEM = Path(mmpm.__file__).parent / "system" / "formulas"


def test_the_system_tier_has_five_formulas_without_any_finding():
    names = []
    for path in sorted(SYSTEM.iterdir()):
        payload = collect_payload(str(path)).payload
        assert payload.formula is not None
        assert path.name == f"{payload.name}.formula.toml"
        assert inspect_formula(payload.formula) == ()
        assert payload.missing == ()
        assert payload.formula.license == "MIT"
        names.append(str(payload.name))
    assert names == [
        "mol-code-review",
        "mol-engineer-in-box",
        "mol-incident",
        "mol-release-checklist",
        "mol-security-scan",
    ]


@pytest.mark.parametrize(
    "path", sorted((SAMPLES / "formulas").rglob("*.formula.toml")), ids=lambda path: path.parent.name
)
def test_a_sample_lies_where_its_name_and_version_say(path):
    payload = collect_payload(str(path)).payload
    assert path.relative_to(SAMPLES / "formulas") == Path(f"{payload.name}/{payload.version}.formula.toml")
    assert payload.missing == ()
    assert payload.formula is not None
    assert {finding.code for finding in inspect_formula(payload.formula)} <= {"formula-table"}
    assert payload.tree.entries[0].size == path.stat().st_size


def test_the_samples_cover_what_the_manual_speaks_of():
    assert b"\r\n" in (SAMPLES / "formulas/mol-crlf/1.0.0.formula.toml").read_bytes()
    extended = collect_payload(str(SAMPLES / "formulas/mol-extended/2.0.0.formula.toml")).payload.formula
    assert extended is not None
    assert [str(requirement) for requirement in extended.requires] == ["audit-trail", "mol-base@>=2,<3", "polish@1"]
    assert extended.soft == ("mol-greet",)
    bundle = collect_payload(str(SAMPLES / "bundles/mol-notes-1.1.0.formula.bundle")).payload
    assert [entry.path for entry in bundle.tree.entries if entry.executable] == ["scripts/collect.sh"]
    fragment = collect_payload(str(SAMPLES / "molecules/mol-set.jsonl"), version=Version.parse("1.0.0")).payload
    assert fragment.kind == "molecules"


@pytest.mark.parametrize("path", sorted((SAMPLES / "broken").iterdir()), ids=lambda path: path.name)
def test_a_broken_sample_is_refused_as_its_first_line_says(path):
    data = path.read_bytes()
    said = data.decode().splitlines()[0].removeprefix("# ").partition(": ")[0]
    with pytest.raises((FormulaSyntaxError, FormulaInvalidError)) as caught:
        parse_formula(data, path.name)
    if isinstance(caught.value, FormulaSyntaxError):
        assert said in {f"{caught.value.line}:{caught.value.column}", "at its end"}
    else:
        assert [key for key, _ in caught.value.problems] == said.split(", ")
