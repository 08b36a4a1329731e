"""The documents of a registry tree: they come back as they went, and nothing else is read."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from registry_tree import bundle, formula
from release_lines import NAME, RELEASES

from mmpm.model.checksums import Checksum
from mmpm.model.names import FormulaName
from mmpm.model.references import Requirement
from mmpm.model.release import Release
from mmpm.model.versions import Version
from mmpm.registry import index as index_lines
from mmpm.registry import layout
from mmpm.registry.documents import (
    CatalogLine,
    ReleaseDocument,
    catalog_to_bytes,
    parse_catalog,
    parse_document_of,
    parse_registry_json,
    registry_json,
)
from mmpm.registry.index import (
    INDEX_LINES,
    MAX_PAGES,
    FormulaIndex,
    PageReference,
    parse_page,
    parse_release_line,
    release_line,
)
from mmpm.registry.publish import catalog_line
from mmpm_store.ids import ObjectId

NAMES = st.from_regex(r"(@[a-z0-9]{1,8}/)?[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(RELEASES)
def test_an_index_line_comes_back_as_it_went(release):
    assert parse_release_line(NAME, json.loads(json.dumps(release_line(release)))) == release


@given(st.lists(RELEASES, max_size=5), st.booleans())
def test_an_index_comes_back_as_it_went(releases, paged):
    pages = (PageReference(1, "ab" * 32, 7),) if paged else ()
    index = FormulaIndex(NAME, tuple(release_line(one) for one in releases), pages)
    again = FormulaIndex.parse(index.to_bytes(), NAME)
    assert again == index
    assert again.releases() == tuple(releases)


@given(JSON)
def test_a_line_that_is_anything_else_is_one_plain_refusal(value):
    with pytest.raises(ValueError, match="mol-a"):
        parse_release_line(NAME, value)


@given(RELEASES, st.sampled_from(["version", "kind", "checksum", "tree", "size", "serial", "document"]), JSON)
def test_a_line_with_one_wrong_field_is_refused_or_means_what_it_says(release, key, value):
    try:
        read = parse_release_line(NAME, release_line(release) | {key: value})
    except ValueError:
        return
    assert release_line(read)[key] == value


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_bytes_that_are_no_document_are_refused(data):
    for parse in (
        lambda: FormulaIndex.parse(data, NAME),
        lambda: parse_page(data, NAME),
        lambda: ReleaseDocument.parse(data),
        lambda: parse_registry_json(data),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each says something else
            parse()


def test_an_index_of_another_formula_a_newer_format_or_too_many_lines_are_refused():
    document = {"format": 1, "name": "mol-a", "releases": []}
    FormulaIndex.parse(json.dumps(document).encode(), NAME)
    for wrong in ({"name": "mol-b"}, {"format": 2}, {"format": True}, {"releases": [{}] * (INDEX_LINES + 1)}):
        with pytest.raises(ValueError, match="mol-a"):
            FormulaIndex.parse(json.dumps(document | wrong).encode(), NAME)


@pytest.mark.parametrize("numbers", [(1, 1), (2, 1), (2,), (0, 1), range(1, MAX_PAGES + 2)])
def test_pages_are_numbered_from_1_and_not_without_end(numbers):
    pages = tuple(PageReference(number, "ab" * 32, 10) for number in numbers)
    with pytest.raises(ValueError, match="pages"):
        FormulaIndex.parse(FormulaIndex(NAME, (), pages).to_bytes(), NAME)


def test_unknown_keys_are_passed_over():
    data = b'{"format":1,"later":[1],"name":"mol-a","releases":[]}'
    assert FormulaIndex.parse(data, NAME).lines == ()


@pytest.mark.parametrize(
    "item", [formula("mol-a", "1.2.3", changelog="x"), bundle("@acme/mol-b")], ids=["formula", "bundle"]
)
def test_a_release_document_comes_back_and_its_listing_must_be_its_tree(item):
    data = item.document.to_bytes()
    assert ReleaseDocument.parse(data) == item.document
    document = json.loads(data)
    document["files"][0][3] += 1
    with pytest.raises(ValueError, match="other files"):
        ReleaseDocument.parse(json.dumps(document).encode())
    document["files"][0][0] = "../outside"
    with pytest.raises(ValueError):  # noqa: PT011
        ReleaseDocument.parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    "edit",
    [
        {"name": FormulaName.parse("mol-b")}, {"version": Version.parse("1.0.1")}, {"version": Version.parse("1.0.0+b")},
        {"kind": "bundle"}, {"checksum": Checksum.of(b"other")}, {"tree": ObjectId.of(b"other")}, {"size": 1 << 50},
        {"requires": (Requirement.parse("mol-x"),)},
    ],
)  # fmt: skip
def test_a_release_document_speaks_of_its_index_line_and_no_other(edit):
    document = formula("mol-a").document
    line = Release(
        document.name, document.version, document.kind, document.requires, document.soft, document.checksum,
        document.tree.id, document.size, document.published_at, 1, ObjectId.of(document.to_bytes()),
    )  # fmt: skip
    assert parse_document_of(line, document.to_bytes()) == document
    with pytest.raises(ValueError, match="not that of its index line"):
        parse_document_of(replace(line, **edit), document.to_bytes())


@given(st.lists(NAMES, unique=True, max_size=6))
def test_a_catalog_shard_is_sorted_and_comes_back(names):
    lines = {name: catalog_line(formula(name).document) for name in names}
    data = catalog_to_bytes({name: line.to_bytes() for name, line in lines.items()})
    assert parse_catalog(data) == tuple(lines[name] for name in sorted(lines))
    if len(names) > 1:
        with pytest.raises(ValueError, match="sorted"):
            parse_catalog(b"".join(reversed(data.splitlines(keepends=True))))


def test_a_catalog_line_says_little_and_on_one_line():
    line = catalog_line(formula("mol-a", description="first\nsecond  " + "x" * 10_000).document)
    assert line.description.startswith("first second x")
    assert len(line.description) == 500
    assert CatalogLine.parse(line.to_bytes()) == line


def test_the_registrys_card_comes_back():
    assert parse_registry_json(registry_json("acme.example", "Acme")) == ("acme.example", "Acme")


@given(NAMES, st.binary(max_size=8))
def test_paths_of_targets_lead_back_to_what_they_are_of(name, data):
    sha256 = Checksum.of(data).hex
    target = layout.index_target(name)
    assert layout.name_of_index(target) == name
    assert layout.parse_hashed(layout.hashed(target, sha256)) == (target, sha256)
    assert layout.is_page(layout.parse_hashed(layout.page_file(name, 3, sha256))[0])
    assert not layout.is_page(target)


def test_paths_of_roles_lead_back_to_role_and_version():
    for role in ("root", "timestamp", "snapshot", "targets", "trust", "bins", "bin-0f"):
        assert layout.parse_role_file(layout.role_file(role, 12)) == (role, 12)
    for other in ("metadata/timestamp.json", "metadata/0.root.json", "metadata/1.bin-zz.json", "other/1.root.json"):
        assert layout.parse_role_file(other) is None


@pytest.mark.parametrize(
    "other", ["formulas/index.json", "catalog/00.jsonl", "formulas/a/b/index.json", "formulas//index.json"]
)
def test_a_target_that_is_no_index_has_no_name(other):
    assert layout.name_of_index(other) is None


LINE = {
    "version": "1.0.0",
    "kind": "formula",
    "checksum": "sha256:" + "0" * 64,
    "tree": "blake3:" + "0" * 64,
    "size": 1,
    "published_at": "2026-01-10T00:00:00Z",
    "serial": 1,
    "document": "blake3:" + "0" * 64,
}
ODD = st.sampled_from(
    [None, True, False, 0, -1, 1 << 53, 1.5, "", "x", "1.0.0", "sha256:" + "g" * 64, "y" * 300, [], ["x"], {}, {"a": 1},
     {"mol-b": "^1", "mol-a": "*"}, {"Bad Name": "*"}, {"mol-a": "no range"}, {"mol-a": None}]
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from([*LINE, "requires", "soft", "signatures", "signed_later", "yanked", "tombstone", "new"]),
        ODD,
        max_size=3,
    ),
    st.sets(st.sampled_from(sorted(LINE)), max_size=1),
)
@example({"requires": ""}, set())
def test_the_quick_reading_of_a_line_is_the_careful_one(changes, missing):
    line = {key: value for key, value in (LINE | changes).items() if key not in missing}
    name = FormulaName.parse("mol-x")
    try:
        careful = index_lines._read_line_by_fields(name, line)
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            parse_release_line(name, line)
    else:
        assert parse_release_line(name, line) == careful
