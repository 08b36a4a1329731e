"""`registry rotate` and `keys sign`: who signs for a registry, changed where it is and signed where the keys are."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import FileInTheWayError, SigningRequestOutdatedError, SigningRequestRefusedError, UsageError, quoted
from mmpm.execute.rotating import read_request
from mmpm.ops.publish import find_destination
from mmpm.plan import ApplySigned, Plan, RoleTerms, RotateRoles, SignCarried
from mmpm.registry.floor import read_floor
from mmpm.registry.key_folder import NEXT, is_protected, known_root, list_role_keys, load_root
from mmpm.registry.person_keys import find_person_key
from mmpm.registry.published import PublishedTree
from mmpm.registry.rotate import current_facts, current_keys
from mmpm.registry.state import TrustFolder
from mmpm.trust.describing import describe
from mmpm.trust.facts import BIN, DOCUMENTS, ROLES, SNAPSHOT, TIMESTAMP, RoleKeys, key_id_of
from mmpm.trust.keys import PublicKey
from mmpm.trust.signing import Examined, examine, require_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mmpm.execute.context import Context

_MAX_KEY_FILE = 4096
_SHORTEST_ID = 8


@dataclass(frozen=True, slots=True)
class RotateRequest:
    """What a person wants changed; texts as on the command line.

    Attributes:
        folder: the registry's, absolute.
        roles: whose keys are all replaced by new ones made here.
        add: role and public key (``ed25519:..``, or an absolute path).
        remove: role and key id, or its beginning, or the public key.
        thresholds: role and number.
        renew: of root, targets, trust and bins.
        output: file for a signing request, absolute; None publishes where that can be done here.
        fallback: where the request goes if it cannot.
        after_theft: the online keys were stolen.
        passphrase_file: of the registry's keys.
    """

    folder: str
    roles: tuple[str, ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[tuple[str, str], ...] = ()
    thresholds: tuple[tuple[str, str], ...] = ()
    renew: tuple[str, ...] = ()
    output: str | None = None
    fallback: str = ""
    after_theft: bool = False
    passphrase_file: str | None = None


@dataclass(frozen=True, slots=True)
class RotatePlan:
    """A plan, and what is asked before it.

    Attributes:
        plan: one action.
        registry: the id.
        told: what changes, where a request says it already.
        is_protected: whether keys here ask for a passphrase.
    """

    plan: Plan
    registry: str
    told: tuple[str, ...]
    is_protected: bool


@dataclass(frozen=True, slots=True)
class SignCarriedPlan:
    """A plan to sign a request.

    Attributes:
        plan: empty where no key that is here is waited for.
        examined: what is signed.
        told: all that it changes.
        is_known: whether this machine believed a root of the registry already; if not, a person compares it.
        is_protected: whether role keys here ask for a passphrase.
    """

    plan: Plan
    examined: Examined
    told: tuple[str, ...]
    is_known: bool
    is_protected: bool


def plan_rotate(context: Context, request: RotateRequest) -> RotatePlan:
    """Plan a change of keys, thresholds or terms.

    Raises:
        UsageError: it does not fit together.
        NotARegistryError, KeysMissingError: the registry is not here, or not this machine's to publish.
        FileInTheWayError: the request's file is there already.
    """
    where = find_destination(context, request.folder)
    base = PublishedTree.load(request.folder, load_root(where.key_folder, where.registry))
    if request.output is not None and os.path.lexists(request.output):
        raise FileInTheWayError(request.output)
    if request.after_theft:
        request = replace(request, roles=tuple(dict.fromkeys((*request.roles, TIMESTAMP, SNAPSHOT, BIN))))
    terms = _terms(current_keys(base), request)
    renew = _renewed(request.renew)
    if not (terms or renew):
        raise UsageError(
            "nothing is to change",
            "say what: --role ROLE, --add-key ROLE=KEY, --remove-key ROLE=ID, --threshold ROLE=N, --renew ROLE",
        )
    notes = []
    floor = read_floor(where.key_folder)
    if request.after_theft and floor is not None and base.serial > floor.serial:
        notes.append(
            f"serials {floor.serial + 1} to {base.serial} were not published from here: what a thief published stays, "
            "unless you put back a copy of the folder from before and run this again"
        )
    action = RotateRoles(
        request.folder,
        where.registry,
        where.key_folder,
        request.passphrase_file,
        tuple((role, facts.version) for role, facts in current_facts(base).items()),
        terms,
        renew,
        purpose=("recovery after a theft of keys",) if request.after_theft else (),
        output=request.output,
        fallback=request.fallback,
        after_theft=request.after_theft,
    )
    return RotatePlan(Plan((action,), notes=tuple(notes)), where.registry, (), is_protected(where.key_folder, ROLES))


def plan_apply(
    context: Context, folder: str, path: str, *, passphrase_file: str | None, after_theft: bool = False
) -> RotatePlan:
    """Plan to publish what a request says that was carried to its keys and back.

    Raises:
        SigningRequestRefusedError: it does not hold, or is another registry's.
    """
    where = find_destination(context, folder)
    examined = _examine(path)
    if examined.request.registry != where.registry:
        reason = f"it is about {quoted(examined.request.registry)}, and {folder} is {where.registry}"
        raise SigningRequestRefusedError(reason, path)
    _require_known(examined, load_root(where.key_folder, where.registry), path)
    action = ApplySigned(
        path, examined.request.id, folder, where.registry, where.key_folder, passphrase_file, after_theft
    )
    return RotatePlan(Plan((action,)), where.registry, describe(examined), is_protected(where.key_folder, ROLES))


def plan_sign_carried(
    context: Context,
    path: str,
    people: tuple[str, ...],
    *,
    passphrase_file: str | None,
    person_passphrase_file: str | None,
) -> SignCarriedPlan:
    """Plan to sign a request with the role keys of its registry that are on this machine, and the keys of `people`.

    Raises:
        SigningRequestRefusedError: it does not hold, cannot be described, or is not what this machine believes.
        KeyUnknownError: there is no such key.
    """
    examined = _examine(path)
    registry = examined.request.registry
    key_folder = os.path.join(context.places.keys, registry)
    known = known_root(key_folder)
    if known is not None:
        _require_known(examined, known, path)
    pinned = TrustFolder.of(context.places.trust, registry).pinned()
    if pinned is not None and pinned not in examined.fingerprints:
        raise SigningRequestRefusedError("its first root is not the one that was accepted on this machine", path)
    here = [*list_role_keys(key_folder), *list_role_keys(os.path.join(key_folder, NEXT))]
    own = [find_person_key(context.places.keys, name) for name in people]
    public = [*(one.public for one in here), *(one.public for one in own)]
    waiting = tuple(_waiting(examined, {one.hex for one in public if one is not None}))
    is_unsure = None in public  # only the opened key tells
    action = SignCarried(
        path, examined.request.id, registry, key_folder, people, waiting, passphrase_file, person_passphrase_file
    )
    return SignCarriedPlan(
        Plan((action,)) if waiting or is_unsure else Plan(),
        examined,
        describe(examined),
        known is not None or pinned is not None,
        any(one.is_protected for one in here),
    )


def _waiting(examined: Examined, public: set[str]) -> Iterable[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for need in examined.needs:
        for key_id, one in need.keys.by_id.items():
            if one in public and key_id not in need.signed:
                found[need.role, key_id] = None
    return found


def _examine(path: str) -> Examined:
    try:
        return examine(read_request(path))
    except SigningRequestRefusedError as error:
        raise SigningRequestRefusedError(error.reason, path) from None


def _require_known(examined: Examined, root: bytes, path: str) -> None:
    try:
        require_known(examined, root)
    except SigningRequestRefusedError as error:
        raise SigningRequestRefusedError(error.reason, path) from None
    except SigningRequestOutdatedError as error:
        raise SigningRequestOutdatedError(error.reason, path) from None


# --- what the options mean ------------------------------------------------------------------------------------------


def _terms(current: Mapping[str, RoleKeys], request: RotateRequest) -> tuple[RoleTerms, ...]:
    added, removed = _by_role(request.add), _by_role(request.remove)
    thresholds = {role: _number(role, one) for role, one in request.thresholds}
    named = {*request.roles, *added, *removed, *thresholds}
    if unknown := named - set(ROLES):
        raise UsageError(f"there is no role {quoted(min(unknown))}", f"roles are {', '.join(ROLES)}")
    found = []
    for role in ROLES:
        if role not in named:
            continue
        before = current[role]
        threshold = thresholds.get(role, before.threshold)
        new = [_public(one).hex for one in added.get(role, ())]
        kept = [] if role in request.roles else list(before.public)
        for one in removed.get(role, ()):
            kept.remove(_one_of(kept, role, one))
        made = max(1, threshold - len(new)) if role in request.roles else 0
        public = tuple(dict.fromkeys((*kept, *new)))
        if made == 0 and set(public) == set(before.public) and threshold == before.threshold:
            continue
        if not 1 <= threshold <= len(public) + made:
            number = len(public) + made
            raise UsageError(
                f"{role} would have {number} key{'s' * (number != 1)}, of which {threshold} must sign",
                f"give a threshold of 1 to {max(number, 1)}: --threshold {role}=N",
            )
        found.append(RoleTerms(role, public, made, threshold))
    return tuple(found)


def _by_role(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for role, text in pairs:
        found.setdefault(role, []).append(text)
    return found


def _number(role: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise UsageError(f"{quoted(text)} is no number of keys", f"as in --threshold {role}=2")
    return int(text)


def _public(text: str) -> PublicKey:
    data = text.encode()
    try:
        if not text.startswith("ed25519:"):
            with open(text, "rb") as file:
                data = file.read(_MAX_KEY_FILE)
        return PublicKey.parse(data)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{quoted(text)} is no public key: {reason}",
            "give ed25519:<64 digits>, or the file that `mmpm keys export NAME -o FILE` writes",
        ) from None


def _one_of(kept: list[str], role: str, text: str) -> str:
    wanted = text.removeprefix("ed25519:")
    matching = [
        one for one in kept if one == wanted or (len(wanted) >= _SHORTEST_ID and key_id_of(one).startswith(wanted))
    ]
    if len(matching) != 1:
        ids = ", ".join(sorted(key_id_of(one)[:16] for one in kept)) or "none that is left"
        raise UsageError(f"{quoted(text)} is no key of {role}, or not of one alone", f"its keys are {ids}")
    return matching[0]


def _renewed(roles: tuple[str, ...]) -> tuple[str, ...]:
    if "all" in roles:
        return DOCUMENTS
    if unknown := set(roles) - set(DOCUMENTS):
        raise UsageError(
            f"{quoted(min(unknown))} cannot be renewed",
            f"what can: all, {', '.join(DOCUMENTS)}; the rest by publishing",
        )
    return tuple(role for role in DOCUMENTS if role in roles)
