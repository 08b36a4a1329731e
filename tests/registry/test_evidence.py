"""What the role trust says reaches a reader: publishers, marks and signatures, verified, carried along, tidied."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from loopback import Loopback
from registry_reader import QUICK

from mmpm.errors import RegistryUnreachableError, RegistryUntrustedError
from mmpm.registry import layout
from mmpm.registry.folder import FolderTransport
from mmpm.registry.http import HttpTransport
from mmpm.registry.refresh import ALL
from mmpm.trust.levels import Mark, Marks
from mmpm.trust.publishers import Publishers

MARKS = {name: layout.levels_target(layout.shard_of(name)) for name in ("mol-a", "mol-b")}


@pytest.fixture
def marked(tree):
    tree.evidence({layout.PUBLISHERS: b"{}", MARKS["mol-a"]: b"[1]", MARKS["mol-b"]: b"[2]"})
    tree.show()
    return tree


def asked_of(reader, tree, work):
    with Loopback(tree.folder) as server:
        reader.places = (HttpTransport(server.url, patience=QUICK),)
        work()
        return [path for path, _ in server.asked if path.startswith("trust/")]


def test_a_name_comes_with_its_publishers_and_its_marks_alone(reader, marked):
    asked = asked_of(reader, marked, lambda: reader.refresh(["mol-a"]))
    snapshot = reader.offline()
    assert (snapshot.evidence.publishers_bytes(), snapshot.evidence.marks_bytes("mol-a")) == (b"{}", b"[1]")
    assert (snapshot.evidence.marks_bytes("mol-b"), snapshot.evidence.marks_bytes("mol-z")) == (None, None)
    assert snapshot.trust_version == 2
    assert sorted(layout.parse_hashed(path)[0] for path in asked) == sorted([layout.PUBLISHERS, MARKS["mol-a"]])


def test_what_is_here_is_not_asked_for_again(reader, marked):
    reader.refresh(["mol-a"])
    assert asked_of(reader, marked, lambda: reader.refresh(["mol-a"])) == []
    assert len(asked_of(reader, marked, lambda: reader.refresh(["mol-a", "mol-b"]))) == 1


def test_values_are_read_and_what_is_malformed_and_signed_is_refused(reader, tree):
    mark = Mark("mol-a", "", "", "root@acme", "2026-11-01T00:00:00Z")
    tree.evidence({layout.PUBLISHERS: Publishers().to_bytes(), MARKS["mol-a"]: Marks().with_mark(mark).to_bytes()})
    tree.show()
    reader.refresh(["mol-a", "mol-b"])
    snapshot = reader.offline()
    assert snapshot.publishers() == Publishers()
    assert snapshot.marks("mol-a").official("mol-a") == mark
    assert snapshot.marks("mol-b") == Marks()
    tree.evidence({layout.PUBLISHERS: b"{}", MARKS["mol-a"]: b"[]"})
    tree.show(days=1)
    reader.refresh()
    with pytest.raises(RegistryUntrustedError, match="publishers"):
        reader.offline().publishers()
    with pytest.raises(RegistryUntrustedError, match="levels"):
        reader.offline().marks("mol-a")


@pytest.mark.usefixtures("marked")
def test_the_catalog_comes_with_all_marks(reader):
    reader.refresh(catalog=True)
    snapshot = reader.offline()
    assert snapshot.evidence.is_whole
    assert snapshot.evidence.marks_bytes("mol-b") == b"[2]"


def test_a_registry_whose_role_trust_lists_nothing_says_nothing(reader):
    reader.refresh(["mol-a"])
    snapshot = reader.offline()
    assert snapshot.evidence.is_whole
    assert (snapshot.evidence.publishers_bytes(), snapshot.evidence.marks_bytes("mol-a")) == (None, None)


def test_a_change_of_the_role_trust_alone_is_brought_along_as_far_as_it_was_here(reader, marked):
    reader.refresh(["mol-a"])
    marked.evidence({layout.PUBLISHERS: b"{ }", MARKS["mol-a"]: b"[3]", MARKS["mol-b"]: b"[4]"})
    marked.show(days=1)
    refreshed = reader.refresh()
    assert (refreshed.old_serial, refreshed.new_serial) == (3, 4)
    snapshot = reader.offline()
    assert (snapshot.evidence.publishers_bytes(), snapshot.evidence.marks_bytes("mol-a")) == (b"{ }", b"[3]")
    assert snapshot.evidence.lacking(["mol-a", "mol-b"]) == {"mol-b"}


def test_a_withdrawn_mark_is_gone(reader, marked):
    reader.refresh(["mol-a"])
    marked.evidence({layout.PUBLISHERS: b"{}"})
    marked.show(days=1)
    reader.refresh()
    assert reader.offline().evidence.marks_bytes("mol-a") is None


def test_the_role_trust_never_goes_back(reader, marked):
    reader.refresh(["mol-a"])
    before = marked.meta["trust"]
    marked.evidence({})
    marked.show(days=1)
    reader.refresh()
    marked.meta["trust"] = before
    marked.sign(marked.serial + 1)
    with pytest.raises(RegistryUntrustedError, match="trust"):
        reader.refresh()


def test_superseded_marks_go_after_a_day(reader, marked):
    reader.refresh(["mol-a"])
    for day in range(4):
        marked.evidence({layout.PUBLISHERS: b"{}" + b" " * day, MARKS["mol-a"]: b"[%d]" % (day + 5)})
        marked.show(days=1)
        reader.refresh()
        for file in Path(reader.store).rglob("*.json"):
            os.utime(file, (0, (marked.now - timedelta(days=2)).timestamp()))
    copy = reader.store / "registries" / marked.id
    assert len(list((copy / "trust").glob("*.publishers.json"))) <= 2
    assert len(list((copy / "trust" / "levels").iterdir())) <= 2
    assert len(list((copy / "metadata").glob("*.trust.json"))) <= 2
    assert reader.offline().evidence.marks_bytes("mol-a") == b"[8]"


@pytest.mark.parametrize("part", ["trust.json", "publishers.json", "trust/levels"])
def test_a_changed_byte_in_a_place_is_refused(reader, marked, part):
    path = next(path for path in marked.folder.rglob("*.json") if part in str(path) and not path.name.startswith("1."))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(RegistryUntrustedError):
        reader.refresh(ALL)
    assert reader.state is None


@pytest.mark.parametrize(
    "target", ["trust/../../x.json", "trust/levels/zz.json", "formulas/mol-a/index.json", "trust//"]
)
def test_what_the_role_trust_may_not_list_is_not_read(reader, marked, target):
    marked.evidence({target: b"{}"})
    marked.show()
    reader.refresh(ALL, catalog=True)
    assert reader.offline().evidence.targets() == {}


def test_a_damaged_mark_here_counts_as_not_here_and_comes_again(reader, marked):
    reader.refresh(["mol-a"])
    copy = reader.store / "registries" / marked.id
    [file] = (copy / "trust" / "levels").iterdir()
    file.unlink()
    assert reader.offline().evidence.marks_bytes("mol-a") is None
    reader.refresh(["mol-a"])
    assert reader.offline().evidence.marks_bytes("mol-a") == b"[1]"


# ---- detached signatures


KEY = "ab" * 32


@pytest.fixture
def signed(tree):
    data = b'{"signature":"00"}'
    line = tree.lines["mol-a"][0]
    line["signatures"] = {KEY: hashlib.sha256(data).hexdigest()}
    tree.write(f"signatures/{line['checksum'][7:]}/{KEY}.sig", data)
    tree.release("mol-a", "1.2.0")
    tree.show()
    return tree


def session_on(reader, name="mol-a"):
    session = reader.session()
    session.begin()
    session.fetch([name])
    return session, session.snapshot.releases(name)


@pytest.mark.usefixtures("signed")
def test_a_signature_comes_when_it_is_asked_for_and_stays(reader):
    session, releases = session_on(reader)
    assert session.snapshot.signature(releases[0], KEY) is None
    assert session.fetch_signatures(releases) == ()
    assert session.snapshot.signature(releases[0], KEY) == b'{"signature":"00"}'
    assert session.snapshot.signature(releases[1], KEY) is None
    session.commit()
    assert reader.offline().signature(releases[0], KEY) is not None


def test_a_signature_that_no_place_has_is_told(reader, signed):
    [file] = signed.folder.rglob("*.sig")
    file.unlink()
    session, releases = session_on(reader)
    assert session.fetch_signatures(releases) == ((releases[0], KEY),)


@pytest.mark.parametrize("other", [b"", b"{}", b"x" * (1 << 17)])
def test_other_bytes_in_place_of_a_signature_are_refused(reader, signed, other):
    [file] = signed.folder.rglob("*.sig")
    file.write_bytes(other)
    session, releases = session_on(reader)
    with pytest.raises(RegistryUntrustedError, match=r"\.sig"):
        session.fetch_signatures(releases)
    assert session.snapshot.signature(releases[0], KEY) is None


# ---- what a partial copy does not carry


def remove_index(tree, name):
    for file in (tree.folder / "formulas" / name).glob("*.index.json"):
        file.unlink()


def test_a_listed_index_that_no_place_has_is_not_mirrored_and_the_rest_is_read(reader, tree):
    remove_index(tree, "mol-b")
    session = reader.session()
    session.begin()
    session.fetch(["mol-a", "mol-b", "mol-z"])
    assert session.not_mirrored == {"mol-b"}
    assert not session.is_held
    assert session.snapshot.serial == tree.serial
    assert (session.snapshot.lists("mol-b"), session.snapshot.lists("mol-z")) == (True, False)
    session.fetch(["mol-b", "@acme/mol-c"])
    assert len(session.snapshot.releases("@acme/mol-c")) == 1
    assert session.commit().warnings == ()


def test_the_same_holds_for_one_that_was_read_before(reader, tree):
    reader.refresh(ALL)
    tree.release("mol-b", "2.0.0")
    tree.show(days=1)
    remove_index(tree, "mol-b")
    session = reader.session()
    session.begin()
    session.fetch(["mol-b", "mol-a"])
    assert session.not_mirrored == {"mol-b"}
    assert session.commit().new_serial == tree.serial


def test_a_page_that_no_place_has_makes_its_formula_not_mirrored(reader, tree):
    tree.release("mol-b", *(f"2.{number}.0" for number in range(400)))
    tree.show()
    next((tree.folder / "formulas" / "mol-b").glob("*.page-1.json")).unlink()
    session = reader.session()
    session.begin()
    session.fetch(["mol-a", "mol-b"])
    assert session.not_mirrored == {"mol-b"}


def test_another_place_that_has_it_is_asked(reader, tree, tmp_path):
    shutil.copytree(tree.folder, tmp_path / "whole")
    remove_index(tree, "mol-b")
    reader.places = (FolderTransport(str(tree.folder)), FolderTransport(str(tmp_path / "whole")))
    session = reader.session()
    session.begin()
    session.fetch(["mol-b"])
    assert session.not_mirrored == frozenset()
    assert len(session.snapshot.releases("mol-b")) == 1


def test_while_a_place_that_may_have_it_cannot_answer_nothing_is_called_not_mirrored(reader, tree, tmp_path):
    remove_index(tree, "mol-b")
    reader.places = (FolderTransport(str(tree.folder)), FolderTransport(str(tmp_path / "away")))
    session = reader.session()
    session.begin()
    with pytest.raises(RegistryUnreachableError, match="there is no such folder"):
        session.fetch(["mol-b"])
