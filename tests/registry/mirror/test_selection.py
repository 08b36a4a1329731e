"""A selection is closed: what it has can be installed from it alone, or it is said what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.lock import Locked, Lockfile
from mmpm.model.checksums import Checksum
from mmpm.model.names import FormulaName
from mmpm.model.ranges import VersionRange
from mmpm.model.references import Requirement, release_address
from mmpm.model.release import Release
from mmpm.model.versions import Version
from mmpm.registry.mirror.selected import Mirror, MirroredRegistry
from mmpm.registry.mirror.selection import LockSelection, Picked, Selection, allowed, choose, select_lock
from mmpm_store.ids import ObjectId

ACME, OTHER = "acme.example", "other.example"


class Registry:
    """Releases by name, as a verified state gives them."""

    def __init__(self, *releases):
        self.all = releases

    def releases(self, name):
        return tuple(one for one in self.all if one.name == name)


def release(name, version, requires=(), **more):
    return Release(
        name=FormulaName.parse(name),
        version=Version.parse(version),
        kind="formula",
        requires=tuple(Requirement.parse(one) for one in sorted(requires)),
        soft=(),
        checksum=Checksum.of(f"{name} {version}".encode()),
        tree=ObjectId.of(f"{name} {version}".encode()),
        size=1,
        published_at="2026-01-01T00:00:00Z",
        serial=1,
        document=ObjectId.of(f"document {name} {version}".encode()),
        **more,
    )


def locked(one, registry=ACME, **more):
    fields = {
        "name": str(one.name),
        "version": str(one.version),
        "kind": "formula",
        "pinned": False,
        "checksum": str(one.checksum),
        "tree": str(one.tree),
        "size": 1,
        "source": release_address(registry, one.name, one.version),
    }
    return Locked(**fields | more)


def selected(choice, registry=ACME):
    return {f"{name}@{slot}" for name, slots in choice.chosen[registry].releases.items() for slot in slots}


A1, A2 = release("a", "1.0.0", ["b@^1"]), release("a", "2.0.0", ["b@^2"])
B1, B15, B2 = release("b", "1.0.0", ["c@*"]), release("b", "1.5.0"), release("b", "2.0.0")
C1 = release("c", "1.0.0")


def test_a_lock_gives_its_releases_divided_by_registry():
    lock = Lockfile((), (locked(A1), locked(B15, OTHER), locked(C1, source="local:c@1.0.0")))
    parts, elsewhere = select_lock("team", lock)
    assert {registry: [one.name for one in part.releases] for registry, part in parts.items()} == {
        ACME: ["a"],
        OTHER: ["b"],
    }
    assert elsewhere == ["c@1.0.0 (local)"]
    registries = {ACME: Registry(A1, A2), OTHER: Registry(B1, B15)}
    choice = choose(registries, {one: Selection.of([part]) for one, part in parts.items()})
    assert choice.missing == []
    assert (selected(choice), selected(choice, OTHER)) == ({"a@1.0.0"}, {"b@1.5.0"})
    assert choice.chosen[ACME].has(A1)
    assert not choice.chosen[ACME].has(A2)


@pytest.mark.parametrize(
    ("registry", "words"),
    [
        (Registry(A1), "no such formula"),
        (Registry(A1, B1), "no such version"),
        (Registry(A1, release("b", "1.5.0", tombstone=True)), "taken its files down"),
        (None, "not at hand"),
    ],
)
def test_what_a_lock_names_and_a_registry_has_not_is_missing_by_name(registry, words):
    parts, _ = select_lock("team", Lockfile((), (locked(A1), locked(B15))))
    registries = {} if registry is None else {ACME: registry}
    choice = choose(registries, {ACME: Selection.of([parts[ACME]])})
    assert any("b@1.5.0 of team" in one and words in one for one in choice.missing)


@pytest.mark.parametrize("field", ["checksum", "tree"])
def test_another_checksum_or_tree_than_the_lock_has_is_missing(field):
    other = str(getattr(C1, field))
    parts, _ = select_lock("team", Lockfile((), (locked(B15, **{field: other}),)))
    choice = choose({ACME: Registry(B15)}, {ACME: Selection.of([parts[ACME]])})
    assert len(choice.missing) == 1
    assert str(B15.checksum) in choice.missing[0]


def test_a_requirement_that_its_lock_does_not_meet_is_missing():
    for others in ((), (locked(B2),)):
        parts, _ = select_lock("team", Lockfile((), (locked(A1), *others)))
        choice = choose({ACME: Registry(A1, B1, B15, B2)}, {ACME: Selection.of([parts[ACME]])})
        assert choice.missing == ["b@^1 of team, which a@1.0.0 requires"]


def test_a_range_takes_all_that_it_allows_and_what_that_requires():
    registry = Registry(A1, A2, B1, B15, B2, C1)
    choice = choose({ACME: registry}, {ACME: Selection.of(only=["a@^1"])})
    assert selected(choice) == {"a@1.0.0", "b@1.0.0", "b@1.5.0", "c@1.0.0"}
    assert choice.missing == choice.notes == []


def test_requirements_are_met_across_registries_and_what_nobody_has_is_told():
    one, other = Registry(A1, release("d", "1.0.0", ["nowhere@*"])), Registry(B1, B15, C1)
    wanted = Selection.of(only=["a", "d", "gone@^9"])
    choice = choose({ACME: one, OTHER: other}, {ACME: wanted, OTHER: wanted})
    assert selected(choice, OTHER) == {"b@1.0.0", "b@1.5.0", "c@1.0.0"}
    assert choice.missing == ["gone@^9: no registry here has a release that it allows"]
    assert choice.notes == ["no registry here has nowhere, which d@1.0.0 requires"]


def test_yanked_releases_need_an_exact_pin_and_pre_releases_their_name():
    yanked, before, plain = release("a", "1.0.0", yanked="bad"), release("a", "1.1.0-rc.1"), release("a", "1.0.1")
    everything = [yanked, before, plain]

    def versions(text, releases=everything):
        return [str(one.version) for one in allowed(releases, VersionRange.parse(text))]

    assert versions("*") == ["1.0.1"]
    assert versions("1.0.0") == ["1.0.0"]
    assert versions(">=1.1.0-rc.1") == ["1.1.0-rc.1"]
    assert versions("*", [before]) == ["1.1.0-rc.1"]


def test_everything_has_all_but_tombstones():
    choice = choose({ACME: Registry(A1)}, {ACME: Selection()})
    assert choice.chosen[ACME].has(A1)
    assert not choice.chosen[ACME].has(release("a", "9.0.0", tombstone=True))


# ---- laws

NAMES = ("a", "b", "c", "d")
RANGES = ("*", "^1", "^2", ">=1.1", "1.0.0")


@st.composite
def registries(draw):
    found = []
    for name in NAMES:
        for version in draw(st.sets(st.sampled_from(["1.0.0", "1.1.0", "2.0.0"]), min_size=1)):
            wanted = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(RANGES), max_size=2))
            found.append(release(name, version, [f"{other}@{text}" for other, text in wanted.items()]))
    return Registry(*found)


@given(registries(), st.sampled_from(NAMES), st.sampled_from(RANGES))
def test_what_a_range_selects_is_closed(registry, name, text):
    choice = choose({ACME: registry}, {ACME: Selection.of(only=[f"{name}@{text}"])})
    chosen = choice.chosen[ACME]
    for one in registry.all:
        if not chosen.has(one):
            continue
        for requirement in one.requires:
            everything = allowed(registry.releases(requirement.name), requirement.range)
            assert all(chosen.has(other) for other in everything)
            assert everything or any(str(requirement) in note for note in choice.notes)


texts = st.text("abc", min_size=1, max_size=8)
picked = st.builds(
    Picked, st.sampled_from(NAMES), st.sampled_from(["1.0.0", "2.0.0"]), texts.map(lambda text: f"sha256:{text}")
)
selections = st.builds(
    Selection.of,
    st.lists(st.builds(LockSelection, texts, st.lists(picked, max_size=3).map(tuple)), max_size=3),
    st.lists(st.sampled_from(["a@^1", "b"]), max_size=2),
)


@given(st.dictionaries(st.sampled_from([ACME, OTHER]), selections))
def test_mirror_json_reads_back_as_it_was_written(by_registry):
    mirror = Mirror({one: MirroredRegistry(what, ("/from",), "0" * 64) for one, what in by_registry.items()})
    assert Mirror.parse(mirror.to_bytes()) == mirror


@given(st.binary(max_size=60) | st.recursive(st.none() | st.integers() | texts, st.lists).map(repr))
def test_what_is_no_such_document_is_refused_in_one_way(data):
    data = data if isinstance(data, bytes) else data.encode()
    with pytest.raises(ValueError, match=r"."):
        Mirror.parse(data)
