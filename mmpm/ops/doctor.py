"""`doctor`: everything of this machine and project that may be wrong, each with what mends it.

Rule: a check never stops the others. What one of them raises is its finding. Nothing is fetched, nothing is changed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mmpm.errors import MmpmError, printable
from mmpm.execute.connect import age_policy
from mmpm.execute.install import begin_change, end_change
from mmpm.execute.journal import has_journal
from mmpm.molecule.transitions import is_live
from mmpm.ops.fragments import lost_records
from mmpm.ops.mol_catalogue import read_catalogue
from mmpm.ops.mol_check import check_formula
from mmpm.ops.mol_cook import chosen_folder
from mmpm.ops.mol_state import Workspace
from mmpm.ops.mol_verify import against_log
from mmpm.ops.registries import list_registries
from mmpm.ops.store import plan_repair, verify_objects
from mmpm.ops.sync import SyncRequest, plan_sync
from mmpm.ops.verify import verify_installed
from mmpm.project.files import real_path
from mmpm.project.tiers import WRITABLE_TIERS, choose_beads, search_order
from mmpm.reconcile import BUNDLE_FORMULA, FLAT_SUFFIX
from mmpm.trust.clock import judge
from mmpm.trust.facts import parse_time
from mmpm_store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mmpm.execute.context import Context
    from mmpm.plan import Plan

State = Literal["ok", "warning", "problem"]
MOST_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: one of the names of `CHECKS`, or ``settings``.
        remedy: what mends it; empty where all is well.
        is_fixable: whether `doctor --fix` does that.
    """

    check: str
    state: State
    sentence: str
    remedy: str = ""
    is_fixable: bool = False


def refusal(check: str, error: MmpmError | StoreError) -> Finding:
    """Give what a check ran into as its finding."""
    return Finding(check, "problem", error.fact, error.remedy)


def examine(context: Context, cwd: str) -> Iterator[Finding]:
    """Look at everything, in the order of `CHECKS`; a check that finds nothing wrong gives one sentence of it."""
    for name, check in CHECKS.items():
        try:
            yield from check(context, cwd)
        except (MmpmError, StoreError) as error:
            context.progress.finish()
            yield refusal(name, error)


def fixes(context: Context, *, dry_run: bool) -> Iterator[Plan]:
    """Give, one after another, the plans that mend what can be mended here: each is to be applied before the next.

    Raises:
        MmpmError: whatever planning meets.
    """
    if not dry_run:
        begin_change(context)  # completes what was interrupted
        end_change(context)
    yield plan_repair(context)
    if os.path.lexists(context.project.lock_path):
        yield plan_sync(context, SyncRequest(frozen=True, dry_run=dry_run))
        end_change(context)


def _store(context: Context, _cwd: str) -> Iterator[Finding]:
    looked = verify_objects(context)
    health = looked.health
    for what, variants in (("damaged", health.damaged), ("missing", health.missing)):
        for object_id, _ in variants[:MOST_NAMED]:
            users = looked.users.get(object_id, ())
            shared = f"; it is shared by {', '.join(users)}" if users else ""
            yield Finding("store", "problem", f"{object_id} is {what}{shared}", "`mmpm store repair` mends it", True)
        if len(variants) > MOST_NAMED:
            yield Finding("store", "problem", f"{len(variants) - MOST_NAMED} more objects are {what}", "", True)
    if health.wrong_mode:
        count = len(health.wrong_mode)
        yield Finding("store", "warning", f"{count} objects may be written to", "`mmpm store repair`", True)
    if health.strangers:
        names = ", ".join(health.strangers[:3])
        yield Finding("store", "warning", f"what is no object lies in the store: {names}", "move it away")
    held = context.store.status()
    if held.quarantined:
        remedy = "`mmpm store prune --quarantine` removes them"
        yield Finding("store", "warning", f"{held.quarantined} damaged files were put aside", remedy)
    if health.is_sound:
        yield Finding("store", "ok", f"{health.objects} objects are whole")


def _registries(context: Context, _cwd: str) -> Iterator[Finding]:
    listed = list_registries(context)
    if not listed:
        remedy = "`mmpm registry add DIR-or-URL` adds one"
        yield Finding("registries", "warning", "no registry is configured", remedy)
    for one in listed:
        name = one.config.name or one.config.id
        if one.serial is None or one.issued is None:
            remedy = f"`mmpm update {name}` asks it"
            yield Finding("registries", "warning", f"nothing is known here of {name} yet", remedy)
            continue
        verdict = judge(parse_time(one.issued), context.now, age_policy(context))
        told = f"what is known of {name} {verdict.sentence}" if verdict.kind != "ok" else f"{name}: serial {one.serial}"
        state: State = "problem" if verdict.kind == "refuse" else "warning" if verdict.kind == "warn" else "ok"
        yield Finding(
            "registries", state, told, "" if state == "ok" else f"`mmpm update {name}`, or carry a newer pack"
        )


def _installed(context: Context, _cwd: str) -> Iterator[Finding]:
    if has_journal(context.places.state, real_path(context.project, context.project.formulas)):
        told = "a command was interrupted while it changed the formulas"
        yield Finding("installed", "warning", told, "any command that changes them completes it", True)
    found = verify_installed(context)
    for one in found:
        for problem in one.problems[:MOST_NAMED]:
            remedy = "`mmpm sync` puts back what is missing, and keeps what was edited beside it"
            yield Finding("installed", "problem", f"{one.name} {one.version}: {problem}", remedy, True)
        for warning in one.warnings:
            yield Finding("installed", "warning", f"{one.name} {one.version}: {warning}", f"`mmpm upgrade {one.name}`")
    if not any(one.problems for one in found):
        yield Finding("installed", "ok", f"{len(found)} releases in {context.project.root} are as installed")


def _formulas(context: Context, cwd: str) -> Iterator[Finding]:
    """Say which formulas of the tier, and of the folder that is at hand, cook alike under bd, gt and mmpm."""
    tiers = {context.project.formulas: context.project}
    if not context.project.chosen.startswith("--"):
        nearest = choose_beads(context.places, cwd)  # it need not have a manifest
        tiers.setdefault(nearest.formulas, nearest)
    paths = [(tiers[folder], f"{folder}/{name}") for folder in sorted(tiers) for name in _formula_names(folder)]
    context.progress.start("Cooking...", len(paths), "formulas")
    alike = 0
    for tier, path in paths:
        name = printable(_stem(os.path.basename(path)))
        try:
            real_path(tier, path)  # somebody else's clone may lead to any file of this machine
            compared = check_formula(context, cwd, path)
        except MmpmError as error:
            yield refusal("formulas", error)
            continue
        finally:
            context.progress.advance()
        if compared.failure:
            yield Finding("formulas", "problem", compared.failure, f"`mmpm mol check {name}` says more")
        elif not compared.is_alike:
            tools = " and ".join(sorted({one.tool for one in compared.differences if one.when == "cook"}))
            first = next(one.sentence for one in compared.differences if one.when == "cook")
            told = f"{name} cooks otherwise under {tools}: {first}"
            yield Finding("formulas", "warning", told, f"`mmpm mol check {name}` names everything")
        else:
            alike += 1
    context.progress.finish()
    if paths:
        yield Finding("formulas", "ok", f"{alike} of {len(paths)} formulas cook alike under bd, gt and mmpm")


def _catalogue(context: Context, cwd: str) -> Iterator[Finding]:
    catalogue = read_catalogue(context.places, cwd, chosen_folder(context))
    for problem in catalogue.problems[:MOST_NAMED]:
        yield Finding("catalogue", "warning", str(problem), "correct that line; the others count")
    if len(catalogue.problems) > MOST_NAMED:
        yield Finding("catalogue", "warning", f"{len(catalogue.problems) - MOST_NAMED} more bad lines")
    for tier in search_order(context.places, cwd, chosen_folder(context)):
        gone = lost_records(tier) if tier.tier in WRITABLE_TIERS else []
        if gone:
            names = ", ".join(gone[:3]) + (" ..." if len(gone) > 3 else "")
            told = (
                f"records that releases put into the catalogue of the tier {tier.tier} are gone or were edited: {names}"
            )
            remedy = f"`mmpm sync --tier {tier.tier}` puts back what is gone; what you edited stays yours"
            yield Finding("catalogue", "warning", told, remedy)
    count = len(catalogue.templates(()))
    yield Finding("catalogue", "ok", f"{count} molecule{'s' * (count != 1)} can be bonded")


def _molecules(context: Context, cwd: str) -> Iterator[Finding]:
    chosen = chosen_folder(context)
    tier = context.project.tier if context.project.chosen.startswith("--tier") else None
    workspace = Workspace.of(context, cwd, tier=tier, folder=chosen)
    ids = workspace.ids()
    good = 0
    for molecule_id in ids:
        try:
            molecule = workspace.molecule(molecule_id)
        except MmpmError as error:
            yield refusal("molecules", error)
            continue
        problems = molecule.problems if molecule else ()
        good += not problems
        for problem in problems[:3]:
            remedy = "nothing has to be done: the rest counts; `mmpm mol gc` drops a line of which nothing counts"
            yield Finding("molecules", "warning", f"{molecule_id}: {problem}", remedy)
    digests, not_sound = _digests(workspace)
    yield from not_sound
    ignored = os.path.join(workspace.places.wisps, ".gitignore")
    if os.path.isdir(workspace.places.wisps) and not os.path.isfile(ignored):
        yield Finding("molecules", "warning", f"git is not told to ignore wisps: there is no {ignored}", "bond a wisp")
    yield Finding("molecules", "ok", f"{good} of {len(ids)} logs of molecules and {digests} digests are sound")


def _digests(workspace: Workspace) -> tuple[int, list[Finding]]:
    """Give how many digests are sound, and what is wrong with others: each is held against the log that is here."""
    sound = 0
    found = []
    held = [name.removesuffix(".json") for name in _names(workspace.places.digests) if name.endswith(".json")]
    for molecule_id in sorted({*workspace.ids(), *held}):
        try:
            # The log first: what is squashed just now has a digest before its log ends or goes.
            molecule = workspace.molecule(molecule_id)
        except MmpmError:
            molecule = None  # named where the logs are
        try:
            digest = workspace.digest(molecule_id)
        except MmpmError as error:
            found.append(refusal("molecules", error))
            continue
        if digest is None:
            if molecule is not None and molecule.root:
                told = f"{molecule_id} was squashed into {molecule.root}, and that digest is not here"
                remedy = f"restore {workspace.places.digest(molecule_id)}, from version control for one"
                found.append(Finding("molecules", "warning", told, remedy))
            continue
        reasons = against_log(digest, molecule) if molecule is not None and not is_live(molecule.state) else []
        sound += not reasons
        if reasons:
            path = workspace.places.digest(molecule_id)
            remedy = f"`mmpm mol verify {molecule_id}` says all; restore digest and log, from version control for one"
            found.append(Finding("molecules", "problem", f"{path} does not hold: {'; '.join(reasons)}", remedy))
    return sound, found


CHECKS: Final[dict[str, Callable[[Context, str], Iterator[Finding]]]] = {
    "store": _store,
    "registries": _registries,
    "installed": _installed,
    "formulas": _formulas,
    "catalogue": _catalogue,
    "molecules": _molecules,
}


def _formula_names(folder: str) -> list[str]:
    """Give the formulas of a folder, a bundle by its own folder's formula."""
    names = _names(folder)
    bundles = {name for name in names if os.path.isfile(os.path.join(folder, name, BUNDLE_FORMULA))}
    flat = [name for name in names if name.endswith(FLAT_SUFFIX) and name.removesuffix(FLAT_SUFFIX) not in bundles]
    return sorted([*bundles, *flat])


def _stem(name: str) -> str:
    return name.removesuffix(FLAT_SUFFIX)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
