"""The pre-flight list says what was looked at, and nothing else."""

from __future__ import annotations

from mmpm.model.versions import Version
from mmpm.ops.preflight import Source, preflight


class NothingPublished:
    """A tree in which there is nothing yet."""

    def find(self, name, version):
        del name, version

    def holds_other(self, name, kind):
        del name, kind


def checks(path, **given):
    found = preflight(Source(str(path), "2026-01-10T00:00:00Z", **given), NothingPublished())
    return [(check.result, check.sentence) for check in found.checks], found.publication


def test_a_fragment_is_not_asked_for_what_a_fragment_does_not_have(tmp_path):
    path = tmp_path / "mol-a.jsonl"
    path.write_text('{"id": "a-1", "title": "One", "status": "open", "issue_type": "task"}\n')
    seen, publication = checks(path, version=Version.parse("1.0.0"))
    assert seen == [
        ("done", "fragment is valid"),
        ("done", "Version 1.0.0 not yet published"),
        ("done", "Required fields present (name, version)"),
    ]
    assert publication is not None


def test_of_a_formula_without_a_version_nothing_is_said_of_a_version(tmp_path):
    path = tmp_path / "mol-a.formula.toml"
    path.write_text('formula = "mol-a"\ndescription = "d"\n\n[[steps]]\nid = "one"\ntitle = "One"\n')
    seen, publication = checks(path)
    assert seen == [
        ("done", "formula.toml is valid"),
        ("failed", "Required fields missing (version)"),
        ("warning", "No skills declared"),
    ]
    assert publication is None
