"""Plans as values, and reconciling as arithmetic on a folder that is only a dict."""

from __future__ import annotations

import dataclasses
import importlib
import json
import typing

from hypothesis import given
from hypothesis import strategies as st

from mmpm import plan as plans
from mmpm.execute.apply import HANDLERS
from mmpm.plan import (
    PROJECT_ACTIONS,
    AdoptFile,
    InstallTree,
    KeepAside,
    Plan,
    RemoveTree,
    ReplaceTree,
    WriteFiles,
    kind_of,
    to_json,
)
from mmpm.receipt import Installed, InstalledFile, Receipt
from mmpm.reconcile import Seen, next_receipt, reconcile

NAMES = ["mol-a", "mol-b", "mol-c"]
BYTES = ["blake3:" + letter * 64 for letter in "abcd"]
MINE = ["blake3:" + letter * 64 for letter in "ef"]
# A formula's flat file, a bundle's folder, and files that become folders.
LAYOUTS = [("{}.formula.toml",), ("{}.formula.toml", "{}/formula.toml", "{}/x"), ("{}/x/y", "{}/formula.toml")]


def entry(name, layout, ids, bits, version):
    files = tuple(
        InstalledFile(path.format(name), identity, bit) for path, identity, bit in zip(layout, ids, bits, strict=False)
    )
    return Installed(
        name,
        version,
        False,
        "sha256:" + "0" * 64,
        "t",
        "s",
        ids[0],
        files=tuple(sorted(files, key=lambda file: file.path)),
    )


ENTRIES = [
    st.builds(
        entry,
        st.just(name),
        st.sampled_from(LAYOUTS),
        st.tuples(*[st.sampled_from(BYTES)] * 3),
        st.tuples(*[st.booleans()] * 3),
        st.sampled_from(["1.0.0", "2.0.0"]),
    )
    for name in NAMES
]
RECEIPTS = st.tuples(*[st.none() | one for one in ENTRIES]).map(
    lambda found: Receipt(tuple(one for one in found if one))
)
PATHS = [path.format(name) for name in NAMES for layout in LAYOUTS[:2] for path in layout]
FOLDERS = st.dictionaries(
    st.sampled_from(sorted(set(PATHS))), st.builds(Seen, st.sampled_from(BYTES + MINE), st.booleans()), max_size=8
)


def look(folder, receipt, wanted):
    """What `observe` would say of a folder that is a dict of files."""
    paths = {file.path for one in (receipt, wanted) for each in one.entries for file in each.files}
    seen = {path: folder[path] for path in paths if path in folder}
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if above in folder:
                seen[above] = folder[above]
    return seen


def carry_out(folder, actions):
    """Do to a dict what the executor does to a folder."""
    after = dict(folder)
    for action in actions:
        if isinstance(action, KeepAside):
            after[action.kept_as] = after.pop(action.path)
    for action in actions:
        if isinstance(action, (RemoveTree, ReplaceTree)):
            for file in action.remove:
                assert after.pop(file.path).id == file.id
    for action in actions:
        if isinstance(action, (InstallTree, ReplaceTree)):
            for file in action.link:
                after[file.path] = Seen(file.id, file.executable)
    return after


@given(RECEIPTS, RECEIPTS, FOLDERS)
def test_applying_a_plan_reaches_the_wanted_state(wanted, receipt, folder):
    after = carry_out(folder, reconcile(wanted, receipt, look(folder, receipt, wanted)))
    for one in wanted.entries:
        for file in one.files:
            assert after[file.path] == Seen(file.id, file.executable)


@given(RECEIPTS, RECEIPTS, FOLDERS)
def test_applying_and_planning_again_gives_an_empty_plan(wanted, receipt, folder):
    after = carry_out(folder, reconcile(wanted, receipt, look(folder, receipt, wanted)))
    assert reconcile(wanted, wanted, look(after, wanted, wanted)) == []


@given(RECEIPTS, RECEIPTS, FOLDERS)
def test_bytes_that_are_not_ours_are_never_lost(wanted, receipt, folder):
    after = carry_out(folder, reconcile(wanted, receipt, look(folder, receipt, wanted)))
    kept = {seen.id for seen in after.values()}
    assert {seen.id for seen in folder.values() if seen.id in MINE} <= kept


@given(RECEIPTS, RECEIPTS, FOLDERS)
def test_only_what_the_receipt_lists_is_removed(wanted, receipt, folder):
    listed = {file.path for one in receipt.entries for file in one.files}
    for action in reconcile(wanted, receipt, look(folder, receipt, wanted)):
        if isinstance(action, (RemoveTree, ReplaceTree)):
            assert {file.path for file in action.remove} <= listed
        if isinstance(action, AdoptFile):
            assert action.path not in listed


@given(RECEIPTS, RECEIPTS)
def test_the_time_of_installation_stays_while_the_bytes_do(wanted, receipt):
    old = Receipt(tuple(dataclasses.replace(one, installed_at="before") for one in receipt.entries))
    for one in next_receipt(wanted.entries, old).entries:
        same = old.get(one.name)
        kept = same is not None and (same.version, same.tree) == (one.version, one.tree)
        assert one.installed_at == ("before" if kept else "t")


def test_every_action_has_one_effect_that_can_be_imported():
    actions = set(typing.get_args(plans.Action))
    assert {action.__name__ for action in actions - set(PROJECT_ACTIONS)} == set(HANDLERS)
    for target in HANDLERS.values():
        module, _, name = target.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_a_plan_is_json_with_kinds_and_counts():
    one = entry("mol-a", LAYOUTS[0], BYTES[:3], (False,) * 3, "1.0.0")
    plan = Plan((InstallTree(one, one.files), WriteFiles((("/x", b"secret", 0o600),))), bytes_to_fetch=7)
    document = to_json(plan)
    assert json.loads(json.dumps(document)) == document
    assert document["summary"] == {"install-tree": 1, "write-files": 1}
    assert document["actions"][0]["release"]["version"] == "1.0.0"
    assert "secret" not in json.dumps(document)
    assert kind_of(plan.actions[0]) == "install-tree"
    assert not plan.is_empty
    assert Plan().is_empty
