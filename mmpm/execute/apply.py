"""The one executor: every plan of every command is applied here.

`HANDLERS` names the effect function of each action outside of formulas folders, as ``module:function``, called as
``function(context, action)``; its module is imported when the first such action comes up. What it returns is in
`Outcome.results`. The project's actions go together, as one crash-safe change, to `mmpm.execute.install`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mmpm.plan import PROJECT_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.execute.context import Context
    from mmpm.plan import Plan

HANDLERS: dict[str, str] = {
    "WriteFiles": "mmpm.execute.writing:write_files",
    "UpdateMirror": "mmpm.execute.mirroring:apply_update",
    "SetAside": "mmpm.execute.mirroring:apply_set_aside",
    "PruneMirror": "mmpm.execute.mirroring:apply_prune",
    "ImportPacks": "mmpm.execute.importing:apply_import",
    "ExportPack": "mmpm.execute.packing:apply_export",
    "WriteInventory": "mmpm.execute.packing:apply_inventory",
    "WriteAcknowledgement": "mmpm.execute.packing:apply_acknowledge",
    "InitRegistry": "mmpm.execute.publishing:apply_init",
    "PublishReleases": "mmpm.execute.publishing:apply_publish",
    "SignRelease": "mmpm.execute.publishing:apply_sign",
    "YankRelease": "mmpm.execute.publishing:apply_yank",
    "RotateRoles": "mmpm.execute.rotating:apply_rotate",
    "ApplySigned": "mmpm.execute.rotating:apply_signed",
    "SignCarried": "mmpm.execute.rotating:apply_sign_carried",
    "CreateKey": "mmpm.execute.trusting:apply_create_key",
    "SignPolicy": "mmpm.execute.policing:apply_sign_policy",
    "PinPolicy": "mmpm.execute.policing:apply_pin",
    "UnpinPolicy": "mmpm.execute.policing:apply_unpin",
    "AddRegistry": "mmpm.execute.registries:apply_add",
    "RemoveRegistry": "mmpm.execute.registries:apply_remove",
    "RefreshRegistries": "mmpm.execute.registries:apply_refresh",
    "CollectStore": "mmpm.execute.storing:apply_collect",
    "ClearQuarantine": "mmpm.execute.storing:apply_clear_quarantine",
    "PutObject": "mmpm.execute.storing:apply_put_object",
    "RepairStore": "mmpm.execute.storing:apply_repair",
    "AppendLine": "mmpm.execute.molecules:apply_append",
    "SquashMolecule": "mmpm.execute.molecules:apply_squash",
    "BurnMolecule": "mmpm.execute.molecules:apply_burns",
    "CompactLog": "mmpm.execute.molecules:apply_compact",
    "CompleteEnding": "mmpm.execute.molecules:apply_complete",
    "RemoveLeftovers": "mmpm.execute.molecules:apply_remove_leftovers",
    "SetConfig": "mmpm.project.config_file:apply_set_config",
}
# Actions of one of these kinds that follow each other go to their function together, as ``function(context, actions)``:
# flushing each for itself would take most of the time. It gives a result for each.
TOGETHER = frozenset({"BurnMolecule"})


@dataclass(slots=True)
class Outcome:
    """What came of a plan.

    Attributes:
        linked, copied: files put in place, by how.
        reasons: why files were copied instead of linked, each once.
        kept: (path, kept as) of what was put beside, relative to the formulas folder.
        skipped: texts that a person changed meanwhile and that were left.
        fetched_bytes: what came from registries.
        results: what the effect functions of coarse actions returned, in order.
    """

    linked: int = 0
    copied: int = 0
    reasons: tuple[str, ...] = ()
    kept: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    fetched_bytes: int = 0
    results: list[object] = field(default_factory=list)


def apply(context: Context, plan: Plan) -> Outcome:
    """Apply `plan`: fetch what it needs, then its actions in order.

    Raises:
        MmpmError: whatever the effects meet; a change of a formulas folder is then whole or has not begun.
    """
    outcome = Outcome()
    if plan.fetch or plan.unproved:
        from mmpm.execute.fetch import prove

        outcome.fetched_bytes = prove(context, plan)
    installed = False
    for kind, group in groupby(plan.actions, lambda action: type(action).__name__):
        if kind in TOGETHER:
            outcome.results.extend(_effect(kind)(context, list(group)))
            continue
        for action in group:
            if not isinstance(action, PROJECT_ACTIONS):
                outcome.results.append(_effect(kind)(context, action))
            elif not installed:
                from mmpm.execute.install import apply_project

                installed = True
                apply_project(context, plan, outcome)
    if outcome.fetched_bytes and context.settings["store.max_size"] is not None:
        from mmpm.execute.storing import shrink

        shrink(context)
    return outcome


def _effect(kind: str) -> Callable[..., Any]:
    from importlib import import_module

    module, _, name = HANDLERS[kind].partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function
