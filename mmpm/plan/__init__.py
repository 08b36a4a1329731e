"""What a command is about to change, as one value that can be shown, asked about, written as JSON and applied.

Rule: `Action` is a closed union. Everything that changes something outside the process is one of these, and
`mmpm.execute.apply.HANDLERS` has exactly one effect function for each (a test holds the two lists together).

How to add an action: write a frozen slotted dataclass in the file of its room whose fields say everything its effect
needs (text, numbers, bytes, tuples and such dataclasses, no open files, no secrets) and whose `words` say what it will
do, add it to the union at the end of that file, and add ``"YourAction": "mmpm.room.module:function"`` to `HANDLERS`;
the function is called as ``function(context, action)`` and its module is imported only when such an action is applied.
All the actions of `PROJECT_ACTIONS` in one plan are applied together by `mmpm.execute.install` as one crash-safe
change; the others one after another, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.plan.machine import (
    ClearQuarantine,
    CollectStore,
    MachineAction,
    PutObject,
    RepairStore,
    SetConfig,
    WriteFiles,
)
from mmpm.plan.mirroring import (
    CarriedLock,
    CarriedRegistry,
    CopyCount,
    MirroringAction,
    PruneMirror,
    SetAside,
    UpdateMirror,
)
from mmpm.plan.mirrors import ImportPacks, MirrorAction
from mmpm.plan.molecules import (
    AppendLine,
    BurnMolecule,
    CompactLog,
    CompleteEnding,
    MoleculeAction,
    RemoveLeftovers,
    SquashMolecule,
)
from mmpm.plan.policies import PinPolicy, PolicyAction, SignPolicy, UnpinPolicy
from mmpm.plan.project import (
    PROJECT_ACTIONS,
    AdoptFile,
    InstallTree,
    KeepAside,
    NoteState,
    PlaceFiles,
    ProjectAction,
    RemoveTree,
    ReplaceTree,
    SetRoot,
    WriteText,
)
from mmpm.plan.registries import (
    AddRegistry,
    InitRegistry,
    Publication,
    PublishReleases,
    RefreshRegistries,
    RegistryAction,
    RemoveRegistry,
    SignRelease,
    YankRelease,
)
from mmpm.plan.trust import ApplySigned, CreateKey, RoleTerms, RotateRoles, SignCarried, TrustAction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.lock import Locked

__all__ = [
    "PROJECT_ACTIONS",
    "Action",
    "AddRegistry",
    "AdoptFile",
    "AppendLine",
    "ApplySigned",
    "BurnMolecule",
    "CarriedLock",
    "CarriedRegistry",
    "ClearQuarantine",
    "CollectStore",
    "CompactLog",
    "CompleteEnding",
    "CopyCount",
    "CreateKey",
    "ImportPacks",
    "InitRegistry",
    "InstallTree",
    "KeepAside",
    "NoteState",
    "PinPolicy",
    "PlaceFiles",
    "Plan",
    "PruneMirror",
    "Publication",
    "PublishReleases",
    "PutObject",
    "RefreshRegistries",
    "RemoveLeftovers",
    "RemoveRegistry",
    "RemoveTree",
    "RepairStore",
    "ReplaceTree",
    "RoleTerms",
    "RotateRoles",
    "SetAside",
    "SetConfig",
    "SetRoot",
    "SignCarried",
    "SignPolicy",
    "SignRelease",
    "SquashMolecule",
    "UnpinPolicy",
    "UpdateMirror",
    "WriteFiles",
    "WriteText",
    "YankRelease",
    "kind_of",
    "to_json",
]

Action = (
    ProjectAction
    | MachineAction
    | MirroringAction
    | RegistryAction
    | MirrorAction
    | TrustAction
    | PolicyAction
    | MoleculeAction
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order.

    Attributes:
        actions: applied in this order; empty when there is nothing to do.
        bytes_to_fetch: payload bytes that the store lacks.
        folder: the formulas folder that project actions are about, absolute; empty when there are none.
        notes: sentences for the person that no action says (warnings).
        fetch: ``blake3:..`` ids of the objects that the store lacks, to be fetched before anything else.
        sources: registry ids that are asked for them, in order.
        unproved: releases whose checksum and tree have not been found to agree on this machine: both are recomputed
            from the bytes before anything is linked.
        lock: the text of the lock that this installs where nothing is installed yet; empty for any other plan.
    """

    actions: tuple[Action, ...] = ()
    bytes_to_fetch: int = 0
    folder: str = ""
    notes: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    unproved: tuple[Locked, ...] = ()
    lock: bytes = b""

    @property
    def is_empty(self) -> bool:
        """Whether applying the plan changes nothing."""
        return not self.actions

    def of(self, *kinds: type) -> tuple[Action, ...]:
        """Give the actions of these kinds, in order."""
        return tuple(action for action in self.actions if isinstance(action, kinds))

    def counts(self) -> Mapping[str, int]:
        """Count the actions by kind (``install-tree``); kinds that do not occur are left out."""
        counted: dict[str, int] = {}
        for action in self.actions:
            kind = kind_of(action)
            counted[kind] = counted.get(kind, 0) + 1
        return counted


def kind_of(action: Action) -> str:
    """Give the action's name for programs: ``InstallTree`` is ``install-tree``."""
    name = type(action).__name__
    return "".join("-" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("-")


def to_json(plan: Plan) -> dict[str, object]:
    """Give `plan` as a JSON-able value: what `--dry-run --json` prints."""
    return {
        "actions": [{"action": kind_of(action), **_fields(action)} for action in plan.actions],
        "summary": dict(plan.counts()),
        "bytes_to_fetch": plan.bytes_to_fetch,
        "notes": list(plan.notes),
    }


def _fields(value: object) -> dict[str, object]:
    return {name: _plain(getattr(value, name)) for name in type(value).__dataclass_fields__}  # type: ignore[attr-defined]


def _plain(value: object) -> object:
    if isinstance(value, (str, int)) or value is None:
        return value
    if isinstance(value, bytes):
        return {"bytes": len(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return _fields(value)
