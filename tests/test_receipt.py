"""The receipt: the seed's fields exactly, ours beside them, and only safe paths."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import DocumentUnreadableError
from mmpm.receipt import Installed, InstalledFile, Receipt, format_receipt, is_receipt, parse_receipt

IDS = st.text("0123456789abcdef", min_size=64, max_size=64).map("blake3:".__add__)
PATHS = st.lists(
    st.from_regex(r"[a-z0-9é]([a-z0-9 _é-]{0,8}[a-z0-9é])?", fullmatch=True).filter(
        lambda part: part not in {"con", "prn", "aux", "nul"} and part[:3] not in {"com", "lpt"}
    ),
    min_size=1,
    max_size=4,
).map("/".join)


def below_its_name(entry: Installed) -> Installed:
    return replace(entry, files=tuple(replace(one, path=f"{entry.installed_name}/{one.path}") for one in entry.files))


ENTRIES = st.builds(
    Installed,
    st.sampled_from(["mol-a", "mol-b", "@acme/mol-a"]),
    st.sampled_from(["1.0.0", "2.0.0-rc.1+b"]),
    st.booleans(),
    st.just("sha256:" + "a" * 64),
    st.just("2026-01-10T00:00:00Z"),
    st.just("hop://r.example/formulas/mol-a@1.0.0"),
    IDS,
    st.sampled_from(["formula", "bundle"]),
    st.integers(0, 1 << 40),
    st.sampled_from(["", "^4"]),
    st.sampled_from(["unverified", "official"]),
    st.integers(0, 1 << 40),
    st.none() | st.just("other"),
    st.none() | st.just("mol-x@1.0.0"),
    st.lists(st.builds(InstalledFile, PATHS, IDS, st.booleans()), max_size=4).map(tuple),
).map(below_its_name)
SEED = b"""{
"version": 1,
"formulas": {
"mol-polecat-work": {
"version": "4.0.0",
"pinned": true,
"checksum": "sha256:%s",
"installed_at": "2026-01-10T00:00:00Z",
"source": "hop://molmall.gastown.io/formulas/mol-polecat-work@4.0.0"
}
}
}""" % (b"c" * 64)


@given(st.lists(ENTRIES, max_size=3, unique_by=lambda one: one.name))
def test_a_receipt_survives_its_text(entries):
    receipt = Receipt(tuple(sorted(entries, key=lambda one: one.name)))
    assert parse_receipt(format_receipt(receipt)) == receipt
    assert is_receipt(format_receipt(receipt))


def test_the_seed_s_own_file_is_read():
    (entry,) = parse_receipt(SEED).entries
    assert (entry.name, entry.version, entry.pinned) == ("mol-polecat-work", "4.0.0", True)


def test_the_seed_s_fields_keep_their_names_and_places():
    document = json.loads(format_receipt(parse_receipt(SEED)))
    assert document["version"] == 1
    assert json.loads(SEED)["formulas"]["mol-polecat-work"].items() <= document["formulas"]["mol-polecat-work"].items()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../up", "a/../../b", ".lock.json", ".installed.json", "a//b", "a/", "", "a\\b", "a\nb", "./a"],
)
def test_a_path_that_leaves_the_folder_or_names_our_own_files_is_refused(path):
    document = json.loads(SEED)
    document["formulas"]["mol-polecat-work"]["files"] = [[path, 0, "blake3:" + "a" * 64]]
    with pytest.raises(DocumentUnreadableError):
        parse_receipt(json.dumps(document).encode())


@pytest.mark.parametrize("row", [[], ["a"], ["a", 2, "blake3:" + "a" * 64], ["a", 0, "x"], "a", {"path": "a"}])
def test_a_row_of_another_shape_is_refused(row):
    document = json.loads(SEED)
    document["formulas"]["mol-polecat-work"]["files"] = [row]
    with pytest.raises(DocumentUnreadableError):
        parse_receipt(json.dumps(document).encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        parse_receipt(data)
    except DocumentUnreadableError as error:
        assert error.fact.isprintable()  # noqa: PT017 - it need not raise


@pytest.mark.parametrize(
    "path", ["mine.formula.toml", "other/x", "mol-polecat-work.txt", "mol-polecat-work.formula.toml/x"]
)
def test_a_path_that_is_not_of_the_release_is_refused(path):
    document = json.loads(SEED)
    document["formulas"]["mol-polecat-work"]["files"] = [[path, 0, "blake3:" + "a" * 64]]
    with pytest.raises(DocumentUnreadableError, match="not of mol-polecat-work"):
        parse_receipt(json.dumps(document).encode())
