"""The lock: one text for one value, and a clear refusal for everything else."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmpm.errors import DocumentUnreadableError, NewerFormatError
from mmpm.lock import (
    KINDS,
    Asked,
    Locked,
    Lockfile,
    format_lock,
    make_lockfile,
    parse_lock,
    parse_requirement_text,
    requirement_text,
)
from mmpm.model.versions import Version

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
BASES = st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,10}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in {"con", "prn", "aux", "nul"} and name[:3] not in {"com", "lpt"}
)
NAMES = st.one_of(BASES, st.builds(lambda scope, base: f"@{scope}/{base}", BASES, BASES))
VERSIONS = st.builds(lambda a, b, c: f"{a}.{b}.{c}", *[st.integers(0, 99)] * 3)
RANGES = st.sampled_from(["*", "^4", ">=4,<6", "4.0.0"])
RELEASES = st.builds(
    Locked,
    NAMES,
    VERSIONS,
    st.sampled_from(KINDS),
    st.booleans(),
    HEX.map("sha256:".__add__),
    HEX.map("blake3:".__add__),
    st.integers(0, 1 << 40),
    st.just("hop://r.example/formulas/x@1.0.0"),
    st.dictionaries(NAMES, RANGES, max_size=3).map(lambda found: tuple(sorted(found.items()))),
    st.booleans(),
    st.none() | BASES,
)
LOCKS = st.builds(
    make_lockfile,
    st.dictionaries(st.tuples(st.sampled_from(["formulas", "molecules"]), NAMES), RANGES, max_size=4).map(
        lambda found: {(section, name, text) for (section, name), text in found.items()}
    ),
    st.lists(RELEASES, max_size=5, unique_by=lambda one: one.name),
)
ONE = Locked(
    "mol-polecat-work", "4.0.0", "formula", True, "sha256:" + "a" * 64, "blake3:" + "b" * 64, 14385,
    "hop://molmall.gastown.io/formulas/mol-polecat-work@4.0.0",
)  # fmt: skip


@given(LOCKS)
def test_a_lock_survives_its_text(lock):
    assert parse_lock(format_lock(lock)) == lock


@given(st.builds(Asked, RANGES, st.none() | st.just("r.example_80"), st.none() | BASES, st.booleans()))
def test_what_was_asked_survives_its_text(asked):
    text = requirement_text(asked.range, registry=asked.registry, alias=asked.alias, prerelease=asked.prerelease)
    assert parse_requirement_text(text) == asked


@given(LOCKS, st.randoms())
def test_order_does_not_enter_the_text(lock, chance):
    releases = list(lock.releases)
    chance.shuffle(releases)
    assert format_lock(make_lockfile(set(lock.requirements), releases)) == format_lock(lock)


@given(LOCKS)
def test_every_release_has_a_line_of_its_own(lock):
    lines = format_lock(lock).decode().splitlines()
    assert len([line for line in lines if line.startswith('{"name"')]) == len(lock.releases)


def test_the_line_is_the_one_of_the_manual():
    line = format_lock(Lockfile((), (ONE,))).decode().splitlines()[-2]
    assert line == (
        '{"name":"mol-polecat-work","version":"4.0.0","pinned":true,"checksum":"sha256:' + "a" * 64
        + '","tree":"blake3:' + "b" * 64 + '","size":14385,'
        '"source":"hop://molmall.gastown.io/formulas/mol-polecat-work@4.0.0","requires":{}}'
    )  # fmt: skip


def test_merge_conflict_markers_are_named_with_their_line():
    text = format_lock(Lockfile((), (ONE,))).replace(b'"releases":[\n', b'"releases":[\n<<<<<<< HEAD\n')
    with pytest.raises(DocumentUnreadableError, match=r"\(line 4\).*merge-conflict") as caught:
        parse_lock(text)
    assert "mmpm lock" in caught.value.remedy


def test_a_newer_major_is_refused_unharmed():
    with pytest.raises(NewerFormatError):
        parse_lock(b'{"version":2,"requires":{},"releases":[]}')


def test_keys_of_a_later_minor_are_ignored():
    document = json.loads(format_lock(Lockfile((), (ONE,))))
    document["later"] = document["releases"][0]["later"] = [1]
    assert parse_lock(json.dumps(document).encode()) == Lockfile((), (ONE,))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../up"), ("name", "Con"), ("name", "con.x"), ("name", "a/b"), ("name", 1), ("name", "x.toml"),
        ("version", "4"), ("version", "1.0.0\x1b[2J"), ("version", None), ("kind", "script"), ("pinned", 1),
        ("checksum", "sha256:ab"), ("checksum", "md5:" + "a" * 64), ("tree", "blake3:" + "A" * 64), ("size", -1),
        ("size", 1.5), ("size", True), ("source", "https://evil.example/x"), ("source", "hop://x\nfake: line"),
        ("requires", []), ("requires", {"../x": "*"}), ("requires", {"x": 1}), ("as", "@a/b"), ("as", ".."),
        ("yanked", "yes"),
    ],
)  # fmt: skip
def test_a_hostile_field_is_refused_in_one_printable_line(field, value):
    document = json.loads(format_lock(Lockfile((), (ONE,))))
    document["releases"][0][field] = value
    with pytest.raises(DocumentUnreadableError) as caught:
        parse_lock(json.dumps(document).encode())
    assert caught.value.fact.isprintable()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        parse_lock(data)
    except DocumentUnreadableError as error:
        assert error.fact.isprintable()  # noqa: PT017 - it need not raise


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"version":1,"version":1}',
        b'{"version":1,"requires":{},"releases":[NaN]}',
        b"\xff\xfe",
        b"[]",
        b'{"version":true}',
        b'{"version":1,"requires":{},"releases":{}}',
        b'{"version":1,"releases":[]}',
    ],
)
def test_what_is_no_lock_is_refused(data):
    with pytest.raises(DocumentUnreadableError):
        parse_lock(data)


def test_two_lines_for_one_name_are_refused():
    text = format_lock(Lockfile((), (ONE, ONE)))
    with pytest.raises(DocumentUnreadableError, match="two releases"):
        parse_lock(text)


def test_reading_a_lock_imports_nothing_heavy():
    import subprocess
    import sys

    code = "import mmpm.lock, mmpm.receipt, mmpm.plan, mmpm.reconcile, sys; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"pydantic", "rich", "cyclopts", "tuf", "tomlkit", "asyncio", "logging", "tomllib"}


@pytest.mark.parametrize("registry", ["..", ".", "", "a\\b", "a" * 300, "-a", "con"])
def test_a_source_that_names_no_registry_is_refused(registry):
    document = json.loads(format_lock(Lockfile((), (ONE,))))
    document["releases"][0]["source"] = f"hop://{registry}/formulas/mol-polecat-work@4.0.0"
    with pytest.raises(DocumentUnreadableError, match="names no registry"):
        parse_lock(json.dumps(document).encode())


@given(st.from_regex(r"[0-9]{1,17}\.[0-9]{1,2}\.[0-9]{1,2}([-+][0-9a-z.+-]{0,9})?", fullmatch=True))
@example("1.0.0-..")
@example("01.0.0")
@example("1.0.0-01")
@example("1.0.0-" + "9" * 16)
@example("1.0.0-" + "a" * 122)
@example("1.0.0-" + "a" * 123)
def test_a_lock_takes_the_versions_that_there_are(text):
    try:
        Version.parse(text)
    except ValueError:
        is_version = False
    else:
        is_version = True
    document = json.loads(format_lock(Lockfile((), (ONE,))))
    document["releases"][0]["version"] = text
    data = json.dumps(document).encode()
    if is_version:
        assert parse_lock(data).releases[0].version == text
    else:
        with pytest.raises(DocumentUnreadableError, match="is not a version"):
            parse_lock(data)
