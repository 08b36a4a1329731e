from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile

import pytest
import zstandard
from executions import squashed
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import FormulaSyntaxError, MmpmError, PayloadRefusedError
from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.molecule.record_file import write_records
from mmpm.registry.payload import collect_bytes, collect_payload, put_payload
from mmpm_store.canonical import canonical_tar, stored_gzip
from mmpm_store.objects import Store
from mmpm_store.tar import Limits

FORMULA = b'formula = "mol-x"\nversion = 2\ndescription = "d"\n'


@pytest.fixture
def bundle(tmp_path):
    top = tmp_path / "mol-x.formula.bundle"
    (top / "scripts").mkdir(parents=True)
    (top / "formula.toml").write_bytes(FORMULA)
    (top / "scripts" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (top / "scripts" / "run.sh").chmod(0o700)
    (top / "README.md").write_bytes(b"read me\n")
    return top


def tar_of(files: dict[str, bytes], executable: tuple[str, ...] = ()) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime, info.uname = (
                len(data),
                0o755 if path in executable else 0o640,
                1234567,
                "me",
            )
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_a_formula_file_is_its_own_payload(tmp_path):
    path = tmp_path / "anything.formula.toml"
    data = FORMULA.replace(b"\n", b"\r\n")
    path.write_bytes(data)
    path.chmod(0o755)
    collected = collect_payload(str(path))
    payload = collected.payload
    assert (str(payload.name), str(payload.version), payload.kind) == ("mol-x", "2.0.0", "formula")
    assert str(payload.checksum) == "sha256:" + hashlib.sha256(data).hexdigest()
    assert payload.size == len(data)
    assert [(e.path, e.executable, e.size) for e in payload.tree.entries] == [("mol-x.formula.toml", False, len(data))]
    assert collected.files[0].data == data


def test_name_and_version_may_be_given(tmp_path):
    path = tmp_path / "x.formula.toml"
    path.write_bytes(b'formula = "mol-x"\n')
    assert collect_payload(str(path)).payload.missing == ("version", "description")
    payload = collect_payload(str(path), name=FormulaName.parse("@acme/mol-x"), version=Version.parse("3.1.0")).payload
    assert (str(payload.name), str(payload.version)) == ("@acme/mol-x", "3.1.0")
    assert payload.tree.entries[0].path == "mol-x.formula.toml"
    assert payload.missing == ("description",)
    assert payload.findings == ()
    other = collect_payload(str(path), name=FormulaName.parse("mol-y")).payload
    assert [finding.code for finding in other.findings] == ["name-differs"]


def test_a_bundle_is_the_same_release_as_folder_and_as_any_archive(bundle, tmp_path):
    inside = {"formula.toml": FORMULA, "README.md": b"read me\n", "scripts/run.sh": b"#!/bin/sh\n"}
    wanted = collect_payload(str(bundle))
    tars = [
        tar_of({f"other-name/{path}": data for path, data in inside.items()}, ("other-name/scripts/run.sh",)),
        tar_of({f"./{path}": data for path, data in inside.items()}, ("./scripts/run.sh",)),
        tar_of(dict(reversed(inside.items())), ("scripts/run.sh",)),
        b"".join(canonical_tar("mol-x", wanted.files)),
    ]
    for number, data in enumerate(tars):
        for packed in (data, gzip.compress(data), zstandard.compress(data), b"".join(stored_gzip([data]))):
            path = tmp_path / f"b{number}.tar.any"
            path.write_bytes(packed)
            assert collect_payload(str(path)) == wanted
            assert collect_bytes(packed, "-") == wanted
    payload = wanted.payload
    assert payload.kind == "bundle"
    assert str(payload.checksum) == "sha256:" + hashlib.sha256(tars[-1]).hexdigest()
    assert payload.size == len(tars[-1])
    assert [(e.path, e.executable) for e in payload.tree.entries] == [
        ("README.md", False), ("formula.toml", False), ("scripts/run.sh", True)]  # fmt: skip


def test_what_is_read_lies_in_the_store(bundle, tmp_path):
    store = Store.open(tmp_path / "store")
    collected = collect_payload(str(bundle))
    put_payload(store, collected)
    payload = collected.payload
    assert store.read_tree(payload.tree.id) == payload.tree
    assert store.read(payload.tree.entries[0].id) == b"read me\n"
    assert store.has(payload.tree.entries[2].id, executable=True)


def test_what_is_skipped_is_said(bundle):
    before = collect_payload(str(bundle)).payload
    (bundle / ".git").mkdir()
    (bundle / ".git" / "config").write_text("x")
    (bundle / "scripts" / ".DS_Store").write_text("x")
    (bundle / "empty").mkdir()
    after = collect_payload(str(bundle)).payload
    assert after.checksum == before.checksum
    assert after.skipped == (".git/", "empty/", "scripts/.DS_Store")
    (bundle / ".gitignore").write_text("x")
    assert ".gitignore" in [entry.path for entry in collect_payload(str(bundle)).payload.tree.entries]


def test_paths_are_in_normal_form_c(bundle):
    (bundle / "u\u0308.md").write_text("x")
    assert "\u00fc.md" in [entry.path for entry in collect_payload(str(bundle)).payload.tree.entries]


def make_link(top):
    (top / "link").symlink_to("/etc/passwd")


def make_folder_link(top):
    (top / "dir").symlink_to("/etc")


def make_pipe(top):
    os.mkfifo(top / "pipe")


def make_case_clash(top):
    (top / "readme.MD").write_text("x")


def make_bad_name(top):
    (top / "a\nb").write_text("x")


def make_device(top):
    (top / "con.txt").write_text("x")


def make_bad_bytes(top):
    (os.fsencode(top) + b"/\xff").decode(errors="surrogateescape")
    with open(os.fsencode(top) + b"/\xff", "w"):
        pass


def make_deep(top):
    (top / "/".join("d" * 40)).mkdir(parents=True)
    (top / "/".join("d" * 40) / "x").write_text("x")


def make_no_formula(top):
    (top / "formula.toml").rename(top / "mol-x.formula.toml")


def make_skipped_link(top):
    (top / ".DS_Store").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    "spoil",
    [make_link, make_folder_link, make_pipe, make_case_clash, make_bad_name, make_device, make_bad_bytes, make_deep,
     make_no_formula, make_skipped_link],
)  # fmt: skip
def test_a_folder_that_is_no_bundle_is_refused_in_one_line(bundle, spoil):
    spoil(bundle)
    with pytest.raises(PayloadRefusedError) as caught:
        collect_payload(str(bundle))
    assert caught.value.fact.isprintable()
    assert caught.value.remedy


@pytest.mark.parametrize(
    "limits", [Limits(total_bytes=40), Limits(file_bytes=20), Limits(members=2)], ids=["total", "file", "members"]
)
def test_a_folder_is_bounded_like_an_archive(bundle, limits):
    with pytest.raises(PayloadRefusedError, match="more than"):
        collect_payload(str(bundle), limits=limits)


def test_one_file_of_a_bundle_is_not_published_without_the_others(bundle):
    with pytest.raises(PayloadRefusedError, match="only one file") as caught:
        collect_payload(str(bundle / "formula.toml"))
    assert str(bundle) in caught.value.remedy


def test_a_hostile_archive_is_refused(tmp_path):
    path = tmp_path / "x.tar.gz"
    for members in (
        {"../formula.toml": FORMULA},
        {"formula.toml": FORMULA, "FORMULA.toml": b""},
        {"a/x": b"", "b/y": b""},
    ):
        path.write_bytes(gzip.compress(tar_of(members)))
        with pytest.raises(PayloadRefusedError) as caught:
            collect_payload(str(path))
        assert caught.value.fact.isprintable()


def test_a_broken_formula_in_a_bundle_is_named_with_line_and_column(bundle):
    (bundle / "formula.toml").write_bytes(FORMULA + b"???\n")
    with pytest.raises(FormulaSyntaxError, match=r"mol-x\.formula\.bundle/formula\.toml:4:1: "):
        collect_payload(str(bundle))


def test_a_molecules_fragment_is_a_release_of_its_lines(tmp_path):
    path = tmp_path / "mol-set.jsonl"
    data = b'{"id":"a","title":"' + b"x" * 200_000 + b'"}\n\n{"id":"b"}\n'
    path.write_bytes(data)
    payload = collect_payload(str(path), version=Version.parse("1.2.0")).payload
    assert (str(payload.name), payload.kind, payload.size, payload.formula) == ("mol-set", "molecules", len(data), None)
    assert str(payload.checksum) == "sha256:" + hashlib.sha256(data).hexdigest()
    assert [entry.path for entry in payload.tree.entries] == ["mol-set.jsonl"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"id":"a"}\n{"id":\n', "line 2: it is not JSON"), (b'{"id":"a"}\n[]\n', "line 2: it is not a JSON object"),
        (b'{"id":""}', "line 1: it has no 'id'"), (b"\n\n", "no records"),
        (b'{"id":"a","id":"b"}', "line 1: it has a key twice"), (b'{"id":"\xff"}', "line 1: it is not UTF-8"),
        (b'{"id":"a b"}', "line 1: the id 'a b' is not"), (b'{"id":"a","labels":1}', "line 1: 'labels' is not a list"),
        (b'{"id":"a"}\n\n{"id":"a"}', "line 3 has the id 'a' of line 1"),
    ],
)  # fmt: skip
def test_a_bad_line_of_a_fragment_is_named(data, reason):
    with pytest.raises(PayloadRefusedError, match=reason):
        collect_bytes(data, "x.jsonl", version=Version.parse("1.0.0"))


def test_a_fragment_needs_a_version_and_a_name():
    with pytest.raises(PayloadRefusedError, match="version"):
        collect_bytes(b'{"id":"a"}', "x.jsonl")
    with pytest.raises(PayloadRefusedError, match="names the release"):
        collect_bytes(b'{"id":"a"}', "No Name.jsonl", version=Version.parse("1.0.0"))


def test_a_path_that_is_not_there_is_said(tmp_path):
    with pytest.raises(PayloadRefusedError, match="no such file"):
        collect_payload(str(tmp_path / "none"))


@given(st.binary(max_size=600))
def test_any_bytes_are_a_payload_or_a_foreseen_error(data):
    try:
        collect_bytes(data, "-")
    except MmpmError as error:
        assert error.fact.isprintable()  # noqa: PT017 - both ways out are legal


@pytest.mark.corpus
def test_every_bundle_of_the_corpus_is_read_with_its_exec_bits(corpus, tmp_path):
    unpacked = corpus.unpack_bundles(tmp_path)
    wanted: dict[tuple[str, str], list[tuple[str, bool, str]]] = {}
    for line in corpus.bundle_files:
        row = (line["path"], line["mode"].endswith("755"), line["sha256"])
        wanted.setdefault((line["bundle"], line["version"]), []).append(row)
    for (name, version), rows in wanted.items():
        folder = next((unpacked / name / version).iterdir())
        collected = collect_payload(str(folder), name=FormulaName.parse(name), version=Version.parse(version))
        found = [(file.path, file.executable, hashlib.sha256(file.data).hexdigest()) for file in collected.files]
        assert found == sorted(rows)
        assert collected.payload.skipped == ()
        assert collected.payload.missing == ()


def test_execution_records_are_a_release_of_their_lines(tmp_path):
    path = tmp_path / "records-far.records.jsonl"
    path.write_bytes(write_records([squashed(1), squashed(2)]))
    payload = collect_payload(str(path), version=Version.parse("1.0.0")).payload
    assert (str(payload.name), payload.kind, payload.formula) == ("records-far", "records", None)
    assert [entry.path for entry in payload.tree.entries] == ["records-far.records.jsonl"]
    assert payload.about.startswith("2 execution records of mol-witness-patrol, ")
    scoped = collect_payload(str(path), name=FormulaName.parse("@acme/far"), version=Version.parse("1.0.0")).payload
    assert [entry.path for entry in scoped.tree.entries] == ["far.records.jsonl"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "there are no records"),
        (b"\n", "line 1 is empty"),
        (squashed().to_bytes() + b"\n{}\n", "line 2 is no record"),
        (write_records([squashed(1), squashed(2)]) + squashed(1).to_bytes(), "line 3 is line 1 again"),
        (squashed().to_bytes().replace(b"amber", b"jades"), "line 1 does not hold"),
        (squashed().to_bytes().replace(b'"format":1', b'"format":2'), "line 1 is no record"),
    ],
)
def test_a_bad_line_of_records_is_named(data, reason):
    with pytest.raises(PayloadRefusedError, match=reason):
        collect_bytes(data, "x.records.jsonl", version=Version.parse("1.0.0"))


def test_records_need_a_version_and_a_name():
    with pytest.raises(PayloadRefusedError, match="state no version"):
        collect_bytes(squashed().to_bytes(), "x.records.jsonl")
    with pytest.raises(PayloadRefusedError, match="the file's name"):
        collect_bytes(squashed().to_bytes(), "No Name.records.jsonl", version=Version.parse("1.0.0"))
