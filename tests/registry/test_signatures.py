"""Publishers' signatures in a folder registry: made with a release, added later, refused where they do not hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from registry_tree import FolderRegistry, bundle, formula, verify

from mmpm.errors import NotPublishedError, SignatureBadError, SignatureTakenError
from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.registry import layout
from mmpm.registry.publish import publish
from mmpm.registry.sign import add_signature, signature_path, with_key
from mmpm.trust.facts import TargetFile
from mmpm.trust.keys import SigningKey
from mmpm.trust.signatures import BAD, GOOD, Checked, check_signature, make_signature

ALICE, BOB = SigningKey.generate(), SigningKey.generate()


@pytest.fixture
def registry(tmp_path):
    return FolderRegistry(tmp_path)


def publish_signed(registry, *items, key=ALICE):
    return publish(registry.root, items, registry.how(), sign=key)


def sign(registry, name, version, key):
    registry.later(hours=1)
    return add_signature(registry.root, FormulaName.parse(name), Version.parse(version), with_key(key), registry.how())


def checked(registry, name, version="1.0.0"):
    """Every signature that the index names, read from its file and checked."""
    release = registry.releases(name)[version]
    found = []
    for key_id, sha256 in release.signatures:
        data = Path(registry.root, signature_path(release, key_id)).read_bytes()
        assert TargetFile.of(data).sha256 == sha256
        found.append(check_signature(release, key_id, data))
    return found


def test_what_is_published_with_a_key_bears_its_signature(registry):
    publish_signed(registry, formula("mol-a"), bundle("mol-b"), formula("@acme/mol-a"))
    for name in ("mol-a", "mol-b", "@acme/mol-a"):
        assert checked(registry, name) == [Checked(ALICE.public.key_id, GOOD)]
        assert registry.releases(name)["1.0.0"].signed_later == ()
    verify(registry)


def test_the_release_document_says_nothing_of_signatures(registry):
    registry.publish(formula("mol-a"))
    before = registry.releases("mol-a")["1.0.0"].document
    sign(registry, "mol-a", "1.0.0", ALICE)
    assert registry.releases("mol-a")["1.0.0"].document == before


def test_a_signature_can_be_added_later_and_says_at_which_serial(registry):
    registry.publish(formula("mol-a"))
    done = sign(registry, "mol-a", "1.0.0", ALICE)
    assert done.changed
    release = registry.releases("mol-a")["1.0.0"]
    assert release.signed_later == ((ALICE.public.key_id, done.serial),)
    assert release.serial == done.serial - 1
    assert checked(registry, "mol-a") == [Checked(ALICE.public.key_id, GOOD)]


def test_several_people_can_sign_one_release(registry):
    publish_signed(registry, formula("mol-a"))
    sign(registry, "mol-a", "1.0.0", BOB)
    assert {one.key_id for one in checked(registry, "mol-a")} == {ALICE.public.key_id, BOB.public.key_id}
    assert {one.state for one in checked(registry, "mol-a")} == {GOOD}


def test_the_same_signature_again_changes_nothing(registry):
    publish_signed(registry, formula("mol-a"))
    done = sign(registry, "mol-a", "1.0.0", ALICE)
    assert (done.changed, done.serial) == (False, registry.load().serial)


def test_a_signature_in_a_page_of_a_long_history_is_kept_like_any(registry):
    publish_signed(registry, *(formula("mol-a", f"{number}.0.0") for number in range(1, 302)))
    sign(registry, "mol-a", "2.0.0", BOB)
    assert len(checked(registry, "mol-a", "2.0.0")) == 2
    assert len(checked(registry, "mol-a", "301.0.0")) == 1
    assert registry.load().index(FormulaName.parse("mol-a")).pages


def test_a_yank_keeps_the_signatures(registry):
    publish_signed(registry, formula("mol-a"))
    registry.later(hours=1)
    registry.yank("mol-a", "1.0.0")
    assert checked(registry, "mol-a") == [Checked(ALICE.public.key_id, GOOD)]


def test_what_is_not_published_cannot_be_signed(registry):
    registry.publish(formula("mol-a"))
    with pytest.raises(NotPublishedError):
        sign(registry, "mol-a", "2.0.0", ALICE)


def test_equal_bytes_under_two_names_are_signed_by_one_key_once(registry):
    first, second = formula("mol-a"), formula("@acme/mol-a")
    same = type(second)(
        type(second.document)(
            **{
                field: getattr(first.document if field in {"checksum", "size", "tree"} else second.document, field)
                for field in second.document.__dataclass_fields__
            }
        ),
        first.read,
    )
    with pytest.raises(SignatureTakenError):
        publish_signed(registry, first, same)
    assert registry.load().serial == 1
    publish_signed(registry, first)
    with pytest.raises(SignatureTakenError):
        publish_signed(registry, same)
    publish_signed(registry, same, key=BOB)


def test_a_signature_of_another_release_or_by_another_key_is_bad(registry):
    registry.publish(formula("mol-a"), formula("mol-b"))
    mine, other = registry.releases("mol-a")["1.0.0"], registry.releases("mol-b")["1.0.0"]
    data = make_signature(other, ALICE)
    assert check_signature(mine, ALICE.public.key_id, data).state == BAD
    assert check_signature(other, BOB.public.key_id, data).state == BAD
    assert check_signature(other, ALICE.public.key_id, data[:-1]).state == BAD
    assert check_signature(other, ALICE.public.key_id, b"").state == BAD
    assert check_signature(other, ALICE.public.key_id, data + b" " * 100_000).state == BAD


def test_a_bad_signature_never_gets_into_a_tree(registry):
    registry.publish(formula("mol-a"), formula("mol-b"))
    other = registry.releases("mol-b")["1.0.0"]

    def forge(_release, _publishers):
        return ALICE.public.key_id, make_signature(other, ALICE)

    with pytest.raises(SignatureBadError, match=f"mol-a 1.0.0 by the key {ALICE.public.key_id}"):
        add_signature(registry.root, FormulaName.parse("mol-a"), Version.parse("1.0.0"), forge, registry.how())
    assert registry.load().serial == 2
    assert not Path(registry.root, "signatures").exists()


def test_signatures_lie_where_the_layout_says(registry):
    publish_signed(registry, formula("mol-a"))
    release = registry.releases("mol-a")["1.0.0"]
    path = Path(registry.root, layout.signature_file(release.checksum.hex, ALICE.public.key_id, "ed25519"))
    assert path.stat().st_mode & 0o777 == 0o444
