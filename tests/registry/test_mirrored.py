"""What a mirror says that it carries, and what kind of address a text is."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signed_tree import SignedTree

from mmpm.registry.address import folder_of, is_mirror, is_remote, is_url
from mmpm.registry.carried import carried_by
from mmpm.registry.folder import FolderTransport
from mmpm.registry.mirrored import MAX_NAMES, Mirrored, mirrored_registries
from mmpm.registry.transport import NotFound

VERSIONS = st.frozensets(st.from_regex(r"[0-9]\.[0-9]\.[0-9]", fullmatch=True), max_size=4)
NAMES = st.from_regex(r"[a-z]{1,5}", fullmatch=True)


class Silent:
    """A place that is no folder and says what it is told to."""

    origin = "https://mirror.example/mirrors/acme.corp"
    is_online = False

    def __init__(self, said=None):
        self.said = said

    def get(self, path, _max_bytes):
        if self.said is None or path != "mirrored.json":
            raise NotFound(self.origin, path, "answered 404")
        return self.said


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    tree = SignedTree(tmp_path_factory.mktemp("tree"), "acme.corp")
    tree.release("mol-a", "1.0.0", "1.1.0")
    from mmpm.model.names import FormulaName
    from mmpm.registry.index import parse_release_line

    return [parse_release_line(FormulaName.parse("mol-a"), line) for line in tree.lines["mol-a"]]


def said(**changed):
    document = {"registry_id": "acme.corp", "serial": 9, "is_complete": False, "releases": {}}
    return Mirrored(**document | changed).to_bytes()


@given(st.dictionaries(NAMES, VERSIONS), st.booleans(), st.integers(0, 1 << 40))
def test_what_is_written_reads_back(listed, is_complete, serial):
    one = Mirrored("acme.corp", serial, is_complete, listed)
    assert Mirrored.parse(one.to_bytes()) == one


@given(
    st.binary(max_size=60)
    | st.from_regex(r'\{"format":1,"(id|serial|releases|registries)":[\[\{"0-9tn]{0,9}', fullmatch=True).map(str.encode)
)
def test_anything_else_is_a_value_error(data):
    with contextlib.suppress(ValueError):
        Mirrored.parse(data)
    with contextlib.suppress(ValueError):
        mirrored_registries(data)


def test_more_names_than_any_registry_has_are_refused():
    listed = ",".join(f'"{number}":[]' for number in range(MAX_NAMES + 1))
    with pytest.raises(ValueError, match="at most"):
        Mirrored.parse(b'{"format":1,"id":"x","serial":1,"releases":{%s}}' % listed.encode())


def test_it_only_takes_away_what_its_serial_speaks_of(releases):
    carries = carried_by(
        "acme.corp", [Silent(said(releases={"mol-a": frozenset({"1.0.0"}), "mol-z": frozenset({"9.0.0"})}))]
    )
    assert [carries(release) for release in releases] == [True, False]
    assert carried_by("acme.corp", [Silent(said(serial=0))])(releases[1])


@pytest.mark.parametrize("other", [None, b"", b"[]", said(registry_id="other.corp"), said(is_complete=True)])
def test_one_place_that_may_have_everything_is_enough(other):
    assert carried_by("acme.corp", [Silent(said()), Silent(other)]) is None


def test_of_two_partial_mirrors_either_is_enough(releases):
    first, second = ({"mol-a": frozenset({version})} for version in ("1.0.0", "1.1.0"))
    carries = carried_by("acme.corp", [Silent(said(releases=first)), Silent(said(releases=second))])
    assert all(map(carries, releases))


def test_in_a_folder_what_lies_there_counts_whatever_is_said(releases, tmp_path):
    (tmp_path / "mirrored.json").write_bytes(said())
    carries = carried_by("acme.corp", [FolderTransport(str(tmp_path))])
    assert not any(map(carries, releases))
    listing = tmp_path / "objects" / releases[0].tree.hex[:2] / releases[0].tree.hex[2:]
    listing.parent.mkdir(parents=True)
    listing.write_bytes(b"{}")
    assert [carries(release) for release in releases] == [True, False]


# ---- addresses


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=30))
def test_the_file_url_of_a_folder_gives_it_back(text):
    folder = Path("/media") / text.strip("/")
    assert folder_of(folder.as_uri()) == str(folder)
    assert folder_of(str(folder)) == str(folder)


@pytest.mark.parametrize(
    ("url", "remote", "mirror"),
    [
        ("https://a.example/x", True, False),
        ("https://a.example/mirrors/b.example", True, True),
        ("s3://bucket/mirrors/b.example", True, True),
        ("/media/stick/mirrors/b.example", False, True),
        ("file:///media/stick/acme", False, False),
    ],
)
def test_kinds_of_addresses(url, remote, mirror):
    assert (is_remote(url), is_mirror(url)) == (remote, mirror)
    assert is_url(url) == (not url.startswith("/"))
