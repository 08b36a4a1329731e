"""Taking a release down: its line stays, its bytes go, and nothing that others reach goes with them."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from killing import dying_at, end_of, in_child
from registry_tree import FolderRegistry, bundle, formula, verify, verify_aliases

from mmpm.errors import DamagedRegistryError, UnpublishableError
from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.registry import layout
from mmpm.registry.commit import Committing
from mmpm.registry.publish import PublishItem, publish
from mmpm.registry.sign import add_signature, signature_path, with_key
from mmpm.registry.take_down import is_gone, note_taking_down
from mmpm.registry.tree_writer import TreeWriter
from mmpm.registry.yank import yank
from mmpm.trust.keys import SigningKey
from mmpm.trust.signatures import GOOD, check_signature

# Python 3.12 warns of any fork beside threads; the children here start none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
ALICE, BOB = SigningKey.generate(), SigningKey.generate()


@pytest.fixture
def registry(tmp_path):
    return FolderRegistry(tmp_path)


def has(registry, object_id):
    return Path(registry.root, layout.object_file(object_id)).exists()


def test_the_line_stays_with_the_reason_and_everything_else_goes(registry):
    secret = formula("mol-a", text="a secret")
    publish(registry.root, [secret, formula("mol-a", "2.0.0")], registry.how(), sign=ALICE)
    before = registry.releases("mol-a")["1.0.0"]
    registry.later(hours=1)
    assert registry.take_down("mol-a", "1.0.0", "a secret in it").changed
    release = registry.releases("mol-a")["1.0.0"]
    assert (release.tombstone, release.yanked, release.checksum) == (True, "a secret in it", before.checksum)
    for object_id in (release.document, release.tree, *(one.id for one in secret.document.tree.entries)):
        assert not has(registry, object_id)
    assert not Path(registry.root, signature_path(release, ALICE.public.key_id)).exists()
    assert not Path(registry.root, layout.release_folder("mol-a", "1.0.0")).exists()
    assert is_gone(registry.root, release)
    assert verify(registry) == {"mol-a@2.0.0"}
    verify_aliases(registry)
    texts = [path.read_bytes() for path in Path(registry.root).rglob("*") if path.is_file()]
    assert not any(b"a secret\n" in text or b"# mol-a 1.0.0" in text for text in texts)


def test_what_another_release_reaches_stays(registry):
    files = (("formula.toml", False, b"shared"), ("one.sh", True, b"one"))
    registry.publish(bundle("mol-a", "1.0.0", files), bundle("mol-a", "2.0.0", (*files[:1], ("two.sh", True, b"two"))))
    registry.later(hours=1)
    registry.take_down("mol-a", "1.0.0")
    assert verify(registry) == {"mol-a@2.0.0"}


def test_equal_bytes_under_another_name_stay_with_their_signature(registry):
    first, second = formula("mol-a"), formula("@acme/mol-a")
    fields = {
        key: getattr(first.document if key in {"checksum", "size", "tree"} else second.document, key)
        for key in second.document.__dataclass_fields__
    }
    publish(registry.root, [first], registry.how(), sign=ALICE)
    registry.later(hours=1)
    registry.publish(PublishItem(type(first.document)(**fields), first.read))
    registry.take_down("@acme/mol-a", "1.0.0")
    assert verify(registry) == {"mol-a@1.0.0"}
    assert Path(registry.root, signature_path(registry.releases("mol-a")["1.0.0"], ALICE.public.key_id)).exists()


def test_taking_down_again_changes_nothing_and_tidies_what_a_kill_left(registry):
    registry.publish(formula("mol-a"), formula("mol-a", "2.0.0"))
    document = registry.releases("mol-a")["1.0.0"].document
    data = Path(registry.root, layout.object_file(document)).read_bytes()
    registry.take_down("mol-a", "1.0.0")
    serial = registry.load().serial
    Path(registry.root, layout.object_file(document)).write_bytes(data)  # as if killed before it went
    assert not is_gone(registry.root, registry.releases("mol-a")["1.0.0"])
    assert not registry.take_down("mol-a", "1.0.0").changed
    assert is_gone(registry.root, registry.releases("mol-a")["1.0.0"])
    assert registry.load().serial == serial


def test_the_version_is_never_given_again(registry):
    registry.publish(formula("mol-a"))
    registry.later(hours=1)
    registry.take_down("mol-a", "1.0.0")
    with pytest.raises(UnpublishableError, match="taken down"):
        registry.publish(formula("mol-a"))
    registry.publish(formula("mol-a", "1.0.1"))
    verify_aliases(registry)


def test_of_a_formula_that_is_all_taken_down_nothing_is_told_any_more(registry):
    registry.publish(formula("mol-a", description="A secret plan", author="eve"), formula("mol-b"))
    registry.later(hours=1)
    registry.take_down("mol-a", "1.0.0", "not ours")
    line = registry.load().catalog(layout.shard_of("mol-a"))["mol-a"]
    assert (line.description, line.author) == ("Taken down: not ours", None)
    page = json.loads(Path(registry.root, layout.index_target("mol-a")).read_bytes())
    assert page["versions"] == []
    registry.later(hours=1)
    registry.yank("mol-a", "1.0.0", "not ours at all")
    assert registry.releases("mol-a")["1.0.0"].tombstone


def test_a_release_that_is_taken_down_keeps_its_place_in_a_page(registry):
    registry.publish(*(formula("mol-a", f"{number}.0.0") for number in range(1, 302)))
    registry.later(hours=1)
    registry.take_down("mol-a", "2.0.0")
    assert registry.releases("mol-a")["2.0.0"].tombstone
    assert len(verify(registry)) == 300


def test_nothing_goes_where_it_cannot_be_told_what_others_reach(registry):
    registry.publish(formula("mol-a"), formula("mol-b"))
    other = registry.releases("mol-b")["1.0.0"].document
    os.unlink(Path(registry.root, layout.object_file(other)))
    with pytest.raises(DamagedRegistryError):
        registry.take_down("mol-a", "1.0.0")
    assert has(registry, registry.releases("mol-a")["1.0.0"].tree)


def test_a_publisher_whose_files_were_taken_down_under_its_hands_says_so_and_shows_nothing(registry):
    files = (("formula.toml", False, b"shared"),)
    registry.publish(bundle("mol-a", "1.0.0", files))

    def items():
        yield bundle("mol-b", "1.0.0", files)
        registry.take_down("mol-a", "1.0.0")

    with pytest.raises(UnpublishableError, match="publish it again"):
        publish(registry.root, items(), registry.how())
    assert registry.releases("mol-b") == {}
    registry.publish(bundle("mol-b", "1.0.0", files))
    assert verify(registry) == {"mol-b@1.0.0"}


def test_what_was_published_while_files_were_set_aside_gets_them_back(registry):
    files = (("formula.toml", False, b"shared"),)
    registry.publish(bundle("mol-a", "1.0.0", files))
    said = []

    class Beside(Committing):
        """Publishes, once, when the other has set its files aside and looks whom it has to wait for."""

        @property
        def wait_seconds(self):
            if registry.releases("mol-a")["1.0.0"].tombstone and not said:
                said.append("")
                registry.publish(bundle("mol-b", "1.0.0", files))
            return 10.0

    how = registry.how()
    beside = object.__new__(Beside)
    for key in Committing.__dataclass_fields__:
        if key != "wait_seconds":
            object.__setattr__(beside, key, getattr(how, key))
    yank(registry.root, FormulaName.parse("mol-a"), Version.parse("1.0.0"), "leaked", beside, take_down=True)
    assert said
    assert verify(registry) == {"mol-b@1.0.0"}


def test_a_note_of_one_that_was_killed_only_makes_publishers_look_twice(registry):
    with TreeWriter(registry.root) as writer:
        note_taking_down(writer)
    registry.publish(formula("mol-a"))
    assert verify(registry) == {"mol-a@1.0.0"}


# ---- killed anywhere


class CaseAt:
    """The registry's keys and clock over a copy of its tree."""

    def __init__(self, registry, root):
        self.root = root
        shutil.copytree(registry.root, root, copy_function=os.link)
        keys = shutil.copytree(registry.keys_folder, f"{root}.keys")
        self.how = registry.how(key_folder=keys)

    def take_down(self):
        yank(self.root, FormulaName.parse("mol-a"), Version.parse("1.0.0"), "leaked", self.how, take_down=True)

    def sign(self):
        add_signature(self.root, FormulaName.parse("mol-a"), Version.parse("1.0.0"), with_key(BOB), self.how)


def instants(registry, tmp_path, verb):
    """How many changes the verb makes."""
    counted = [0]

    def note(count, _event, _arguments):
        counted[0] = count

    case = CaseAt(registry, str(tmp_path / "counted"))

    def work():
        getattr(case, verb)()
        total = counted[0]
        (tmp_path / "count").write_text(str(total))

    assert end_of(in_child(work, note)) == 0
    return int((tmp_path / "count").read_text())


@pytest.mark.parametrize("verb", ["take_down", "sign"])
def test_killed_before_any_change_the_same_command_finishes_it(registry, tmp_path, verb):
    files = (("formula.toml", False, b"shared"),)
    publish(registry.root, [bundle("mol-a", files=(*files, ("x", False, b"x")))], registry.how(), sign=ALICE)
    registry.later(hours=1)
    registry.publish(bundle("mol-b", files=files), formula("mol-a", "2.0.0"))
    left = {"mol-a@2.0.0", "mol-b@1.0.0"}
    whole = left | {"mol-a@1.0.0"}
    registry.later(hours=1)
    total = instants(registry, tmp_path, verb)
    assert total > 15
    for number in range(1, total + 1, 2):
        case = CaseAt(registry, str(tmp_path / f"case-{number}"))
        assert end_of(in_child(getattr(case, verb), dying_at(number))) == -signal.SIGKILL
        assert verify(registry, case.root) in (whole, left if verb == "take_down" else whole)
        getattr(case, verb)()
        assert verify(registry, case.root) == (left if verb == "take_down" else whole)
        verify_aliases(registry, case.root)
        tree = registry.load(case.root)
        release, _ = tree.index(FormulaName.parse("mol-a")).releases()
        if verb == "take_down":
            assert is_gone(case.root, release)
        else:
            assert {key_id for key_id, _ in release.signatures} == {ALICE.public.key_id, BOB.public.key_id}
            for key_id, _ in release.signatures:
                data = Path(case.root, signature_path(release, key_id)).read_bytes()
                assert check_signature(release, key_id, data).state == GOOD
        shutil.rmtree(case.root)
