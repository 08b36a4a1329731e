"""From what is asked to what is locked, over registries with real signatures in folders."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from signed_tree import SignedTree

from mmpm.errors import (
    NoSolutionError,
    RegistryUnreachableError,
    RegistryUntrustedError,
    ReleaseChangedError,
    UnknownRegistryError,
)
from mmpm.execute.context import Context
from mmpm.lock import Lockfile, format_lock
from mmpm.ops.resolve import resolve
from mmpm.project.config import load_settings
from mmpm.project.manifest import Wanted
from mmpm.project.places import Places
from mmpm.project.registries import RegistryConfig
from mmpm.project.tiers import Project
from mmpm_store.objects import Store


class Warnings:
    def __init__(self):
        self.said = []

    def start(self, label, total, unit): ...
    def advance(self, amount=1): ...
    def finish(self): ...
    def say(self, sentence): ...

    def warn(self, sentence):
        self.said.append(sentence)


class Asker:
    """A machine with registries by priority; `wanted` are "name@range" texts."""

    def __init__(self, folder, *trees, **variables):
        self.folder = folder
        environ = {"HOME": str(folder)} | variables
        places = Places.from_environment(environ)
        self.progress = Warnings()
        self.context = Context(
            Store.open(places.store, durability="none"),
            places,
            Project("project", str(folder)),
            load_settings(places, environ),
            tuple(RegistryConfig(tree.id, (str(tree.folder),), root=tree.fingerprint) for tree in trees),
            max((tree.now for tree in trees), default=None),
            self.progress,
            False,
            environ,
        )

    def configure(self, position, **fields):
        registries = list(self.context.registries)
        registries[position] = replace(registries[position], **fields)
        self.context = replace(self.context, registries=tuple(registries))

    def ask(self, *wanted, old=None, offline=False, **options):
        asked = [one if isinstance(one, Wanted) else want(one) for one in wanted]
        self.context = replace(self.context, offline=offline)
        self.resolved = resolve(self.context, asked, old, **options)
        return {locked.name: locked.version for locked in self.resolved.lock.releases}

    @property
    def lock(self) -> Lockfile:
        return self.resolved.lock

    def sources(self):
        return {locked.name: locked.source for locked in self.lock.releases}


def want(text, **fields):
    scope, name = ("@", text[1:]) if text.startswith("@") else ("", text)
    base, _, wanted = name.partition("@")
    return Wanted("formulas", scope + base, wanted or "*", **fields)


@pytest.fixture
def trees(tmp_path):
    def make(host, **releases):
        tree = SignedTree(tmp_path / host, host)
        for name, versions in releases.items():
            for version, requires in versions.items():
                tree.release(name.replace("_", "-"), version, requires=requires)
        tree.show()
        return tree

    return make


def test_the_highest_version_is_chosen_and_what_it_needs_comes_along(trees, tmp_path):
    acme = trees(
        "acme.corp", mol_a={"1.0.0": {"mol-b": "^1"}, "1.1.0": {"mol-b": "^1"}}, mol_b={"2.0.0": {}, "1.4.0": {}}
    )
    asker = Asker(tmp_path / "m", acme)
    assert asker.ask("mol-a") == {"mol-a": "1.1.0", "mol-b": "1.4.0"}
    assert asker.sources()["mol-b"] == "hop://acme.corp/formulas/mol-b@1.4.0"
    assert asker.lock.get("mol-a").requires == (("mol-b", "^1"),)


def test_the_first_registry_that_has_a_name_owns_it_even_if_nothing_there_fits(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}})
    public = trees("molmall.example", mol_a={"9.0.0": {}}, mol_b={"1.0.0": {}})
    asker = Asker(tmp_path / "m", acme, public)
    assert asker.ask("mol-a", "mol-b") == {"mol-a": "1.0.0", "mol-b": "1.0.0"}
    assert asker.sources()["mol-a"].startswith("hop://acme.corp/")
    with pytest.raises(NoSolutionError) as refused:
        asker.ask("mol-a@9")
    assert "molmall.example has mol-a 9.0.0, which is shadowed: acme.corp comes first" in refused.value.fact
    assert "hop://molmall.example/formulas/mol-a@9.0.0" in refused.value.remedy


def test_a_requirement_that_names_a_registry_binds_the_name(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}})
    public = trees("molmall.example", mol_a={"9.0.0": {}})
    asker = Asker(tmp_path / "m", acme, public)
    assert asker.ask(want("mol-a", registry="molmall.example")) == {"mol-a": "9.0.0"}
    with pytest.raises(UnknownRegistryError):
        asker.ask(want("mol-a", registry="elsewhere.example"))


def test_a_locked_name_that_another_registry_owns_by_now_is_said_aloud(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}})
    public = trees("molmall.example", mol_a={"9.0.0": {}})
    asker = Asker(tmp_path / "m", acme, public)
    asker.ask("mol-a")
    before = asker.lock
    assert asker.progress.said == []
    asker.context = replace(asker.context, registries=asker.context.registries[::-1])
    assert asker.ask("mol-a", old=before) == {"mol-a": "9.0.0"}
    moved = "mol-a is chosen from molmall.example now, and was locked from acme.corp"
    assert asker.progress.said == [f"{moved}: `mmpm audit confusion` tells who has it"]
    asker.progress.said.clear()
    asker.ask("mol-a", old=asker.lock)
    asker.ask(want("mol-a", registry="acme.corp"), old=asker.lock)  # a person's own wish
    assert asker.progress.said == []


def test_a_scope_binds_its_names_to_its_registry(trees, tmp_path):
    public = trees("molmall.example", **{"@acme/mol-a": {"9.0.0": {}}, "mol-b": {"1.0.0": {}}})
    acme = trees("acme.corp", **{"@acme/mol-a": {"1.0.0": {}}})
    asker = Asker(tmp_path / "m", public, acme)
    assert asker.ask("@acme/mol-a") == {"@acme/mol-a": "9.0.0"}
    asker.configure(1, scopes=("@acme",))
    assert asker.ask("@acme/mol-a", "mol-b") == {"@acme/mol-a": "1.0.0", "mol-b": "1.0.0"}


def test_a_registry_that_no_name_gets_to_is_not_asked(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}})
    public = trees("molmall.example", mol_b={"1.0.0": {}})
    asker = Asker(tmp_path / "m", acme, public)
    asker.configure(1, urls=(str(tmp_path / "gone"),))
    assert asker.ask("mol-a") == {"mol-a": "1.0.0"}
    with pytest.raises(RegistryUnreachableError):
        asker.ask("mol-b")


def test_a_registry_that_cannot_answer_is_not_passed_over(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}})
    public = trees("molmall.example", mol_a={"9.0.0": {}})
    asker = Asker(tmp_path / "m", acme, public)
    asker.configure(0, urls=(str(tmp_path / "gone"),))
    with pytest.raises(RegistryUnreachableError):
        asker.ask("mol-a")


def test_a_name_that_nobody_has_is_said_to_be_absent_and_from_where(trees, tmp_path):
    asker = Asker(tmp_path / "m", trees("acme.corp"), trees("molmall.example"))
    with pytest.raises(NoSolutionError) as refused:
        asker.ask("mol-a")
    assert "mol-a is not in acme.corp or molmall.example" in refused.value.fact


def test_what_is_locked_stays_until_it_may_move(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}}, mol_b={"1.0.0": {}})
    asker = Asker(tmp_path / "m", acme)
    asker.ask("mol-a", "mol-b")
    lock = asker.lock
    acme.release("mol-a", "1.1.0")
    acme.release("mol-b", "1.1.0")
    acme.show()
    assert asker.ask("mol-a", "mol-b", old=lock) == {"mol-a": "1.0.0", "mol-b": "1.0.0"}
    assert asker.ask("mol-a", "mol-b", old=lock, moving=frozenset({"mol-a"})) == {"mol-a": "1.1.0", "mol-b": "1.0.0"}
    assert asker.ask("mol-a", "mol-b", old=lock, moves_everything=True) == {"mol-a": "1.1.0", "mol-b": "1.1.0"}


def test_an_upgrade_moves_others_only_where_it_must(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {"mol-b": "*"}}, mol_b={"1.0.0": {}}, mol_c={"1.0.0": {}})
    asker = Asker(tmp_path / "m", acme)
    asker.ask("mol-a", "mol-c")
    lock = asker.lock
    acme.release("mol-a", "2.0.0", requires={"mol-b": "^2"})
    acme.release("mol-b", "2.0.0")
    acme.release("mol-c", "2.0.0")
    acme.show()
    moved = asker.ask("mol-a", "mol-c", old=lock, moving=frozenset({"mol-a"}))
    assert moved == {"mol-a": "2.0.0", "mol-b": "2.0.0", "mol-c": "1.0.0"}


def test_an_upgrade_leaves_what_the_new_release_needs_where_it_is_if_it_fits(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {"mol-b": "*", "mol-c": "*"}}, mol_b={"1.0.0": {}}, mol_c={"1.0.0": {}})
    asker = Asker(tmp_path / "m", acme)
    asker.ask("mol-a")
    lock = asker.lock
    acme.release("mol-a", "2.0.0", requires={"mol-b": "*", "mol-c": "^2"})
    acme.release("mol-b", "2.0.0")
    acme.release("mol-c", "2.0.0")
    acme.show()
    moved = asker.ask("mol-a", old=lock, moving=frozenset({"mol-a"}))
    assert moved == {"mol-a": "2.0.0", "mol-b": "1.0.0", "mol-c": "2.0.0"}
    assert asker.ask("mol-a", old=lock, moving=frozenset({"mol-b"})) == {
        "mol-a": "1.0.0",
        "mol-b": "2.0.0",
        "mol-c": "1.0.0",
    }


def test_a_withdrawn_release_comes_only_from_a_lock_or_an_exact_pin_with_a_warning(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}, "1.1.0": {}})
    asker = Asker(tmp_path / "m", acme)
    asker.ask("mol-a")
    lock = asker.lock
    acme.yank("mol-a", "1.1.0")
    acme.show()
    assert asker.ask("mol-a") == {"mol-a": "1.0.0"}
    assert asker.progress.said == []
    assert asker.ask("mol-a", old=lock) == {"mol-a": "1.1.0"}
    assert asker.ask("mol-a@1.1.0") == {"mol-a": "1.1.0"}
    assert asker.progress.said == ["mol-a 1.1.0 was withdrawn by its publisher: broken"] * 2
    assert asker.lock.get("mol-a").yanked
    with pytest.raises(NoSolutionError) as refused:
        asker.ask("mol-a@^1.1")
    assert "mol-a 1.1.0 (broken), which is yanked" in refused.value.fact


def test_a_pre_release_comes_only_where_it_is_named_or_allowed_and_nothing_else_fits(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}, "2.0.0-rc.1": {}}, mol_b={"1.0.0-rc.1": {}})
    asker = Asker(tmp_path / "m", acme)
    assert asker.ask("mol-a") == {"mol-a": "1.0.0"}
    assert asker.ask(want("mol-a", prerelease=True)) == {"mol-a": "1.0.0"}
    assert asker.ask("mol-a@>=2.0.0-rc.1") == {"mol-a": "2.0.0-rc.1"}
    assert asker.ask(want("mol-b", prerelease=True)) == {"mol-b": "1.0.0-rc.1"}
    with pytest.raises(NoSolutionError) as refused:
        asker.ask("mol-b")
    assert "mol-b 1.0.0-rc.1, which is a pre-release that nothing asks for" in refused.value.fact
    assert "--pre mol-b" in refused.value.remedy


def test_a_least_age_is_measured_from_the_snapshot(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}})
    acme.show(days=10)
    asker = Asker(tmp_path / "m", acme, MMPM_POLICY_MIN_AGE="20d")
    with pytest.raises(NoSolutionError) as refused:
        asker.ask("mol-a")
    assert "barred by policy" in refused.value.fact
    asker = Asker(tmp_path / "n", acme, MMPM_POLICY_MIN_AGE="9d")
    assert asker.ask("mol-a") == {"mol-a": "1.0.0"}


def test_offline_what_is_not_in_the_store_is_no_candidate_unless_it_is_locked(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}})
    asker = Asker(tmp_path / "m", acme)
    asker.ask("mol-a")
    with pytest.raises(NoSolutionError) as refused:
        asker.ask("mol-a", offline=True)
    assert "not in the store, and this run is offline" in refused.value.fact
    assert asker.ask("mol-a", old=asker.lock, offline=True) == {"mol-a": "1.0.0"}


def test_offline_a_name_that_was_never_fetched_is_not_called_absent(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}}, mol_b={"1.0.0": {}})
    public = trees("molmall.example", mol_b={"9.0.0": {}})
    asker = Asker(tmp_path / "m", acme, public)
    asker.ask("mol-a")
    asker.configure(0, urls=("https://acme.corp.invalid",))
    with pytest.raises(NoSolutionError) as refused:
        asker.ask("mol-b", offline=True)
    assert "was not fetched to this machine" in refused.value.fact
    assert "mmpm update" in refused.value.remedy


def test_a_release_with_other_bytes_than_locked_is_not_trusted(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}})
    asker = Asker(tmp_path / "m", acme)
    asker.ask("mol-a")
    changed = Lockfile(asker.lock.requirements, (replace(asker.lock.releases[0], checksum="sha256:" + "0" * 64),))
    with pytest.raises(ReleaseChangedError):
        asker.ask("mol-a", old=changed)


def test_what_gets_into_a_lock_is_well_formed_whatever_else_the_registry_lists(trees, tmp_path):
    tree = trees("public.example", mol_a={"1.0.0": {}, "2.0.0": {}})
    tree.lines["mol-a"][1]["checksum"] = "sha256:" + "g" * 64
    tree.release("mol-a")  # writes the index anew
    tree.show()
    asker = Asker(tmp_path, tree)
    with pytest.raises(RegistryUntrustedError, match="gggg"):
        asker.ask("mol-a")
    assert asker.ask("mol-a@1") == {"mol-a": "1.0.0"}


def test_an_imported_release_stays_as_long_as_it_is_asked_for_as_before(trees, tmp_path):
    acme = trees("acme.corp", mol_a={"1.0.0": {}})
    asker = Asker(tmp_path / "m", acme)
    asker.ask("mol-a")
    imported = replace(asker.lock.releases[0], version="7.0.0", source="import:mol-a@7.0.0")
    old = Lockfile(asker.lock.requirements, (imported,))
    assert asker.ask("mol-a", old=old) == {"mol-a": "7.0.0"}
    assert asker.lock.releases == (imported,)
    assert asker.ask("mol-a@1", old=old) == {"mol-a": "1.0.0"}


def test_the_order_of_requirements_and_the_places_of_registries_leave_no_trace_in_the_lock(trees, tmp_path):
    acme = trees(
        "acme.corp", mol_a={"1.0.0": {"mol-c": "<2"}}, mol_b={"1.0.0": {"mol-c": "*"}}, mol_c={"1.0.0": {}, "2.0.0": {}}
    )
    texts = set()
    for number, order in enumerate(permutations(["mol-a", "mol-b", "mol-c"])):
        asker = Asker(tmp_path / f"m{number}", acme)
        asker.context = replace(asker.context, now=acme.now + timedelta(hours=number))
        asker.ask(*order)
        texts.add(format_lock(asker.lock))
    assert len(texts) == 1
    assert str(tmp_path).encode() not in texts.pop()
