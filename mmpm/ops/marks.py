"""Publishers and marks of a registry of one's own: `registry publisher`, `mark`, `unmark` and `marks`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import FileInTheWayError, UsageError
from mmpm.model.names import FormulaName
from mmpm.ops.publish import Destination, exact_reference, find_destination, find_release
from mmpm.ops.sign import read_certificate_file
from mmpm.plan import Plan, RotateRoles
from mmpm.registry.key_folder import is_protected, load_root
from mmpm.registry.marks import all_marks, marks_of, trust_change
from mmpm.registry.person_keys import list_person_keys
from mmpm.registry.published import PublishedTree
from mmpm.registry.rotate import current_facts
from mmpm.trust.edits import GiveMark, PutPublisher, Revoke, TakeMark
from mmpm.trust.facts import ROLES, TRUST, format_time, key_id_of
from mmpm.trust.keys import PublicKey
from mmpm.trust.levels import AUDITED, OFFICIAL, Mark, Publisher, PublisherKey, Revocation

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.trust.edits import TrustEdit
    from mmpm.trust.levels import Publishers

MARKABLE = (OFFICIAL, AUDITED)
_LEAST_PREFIX = 8


@dataclass(frozen=True, slots=True)
class Operating:
    """Where marks are given, and how.

    Attributes:
        folder: the registry's, absolute.
        output: the file of a signing request; None publishes where the keys are here.
        fallback: the folder of the request where they are not.
        passphrase_file: of the registry's keys.
    """

    folder: str
    output: str | None
    fallback: str
    passphrase_file: str | None


@dataclass(frozen=True, slots=True)
class TrustPlan:
    """A plan to change publishers or marks, empty where it is so already.

    Attributes:
        plan: one action.
        destination: the registry.
        words: what it does.
        is_protected: whether keys here ask for a passphrase.
    """

    plan: Plan
    destination: Destination
    words: str
    is_protected: bool


@dataclass(frozen=True, slots=True)
class PublisherAsked:
    """A publisher as a person types it; see `plan_publisher`."""

    id: str
    name: str | None = None
    keys: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def plan_publisher(context: Context, how: Operating, asked: PublisherAsked) -> TrustPlan:
    """Plan to add a publisher, or keys, scopes and names to one that there is.

    Args:
        context: for places.
        how: where.
        asked: each key is ``ed25519:HEX``, the name of a key of this machine's people, or a file (absolute) with a
            public key or an OpenPGP certificate.

    Raises:
        UsageError: something of it is not what it should be, or belongs to another publisher.
        FileInTheWayError: there is a file where the request is to go; so for every plan here.
    """
    destination, tree = _open(context, how)
    old = tree.publishers().find(asked.id)
    scopes = tuple(one if one.startswith("@") else f"@{one}" for one in asked.scopes)
    keys = tuple(_read_key(context, one) for one in asked.keys)
    try:
        publisher = Publisher(asked.id, asked.name or (old.name if old else asked.id), keys, scopes, asked.names)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return _plan(how, destination, tree, PutPublisher(publisher))


def plan_revoke(
    context: Context, how: Operating, publisher_id: str, *, key: str | None, from_serial: int, reason: str
) -> TrustPlan:
    """Plan to revoke a key of a publisher, or all of them.

    Raises:
        UsageError: there is no such publisher or key, or no reason.
    """
    if not reason.strip() or from_serial < 0:
        raise UsageError("a revocation needs a reason and no negative serial", 'say why with --reason "TEXT"')
    destination, tree = _open(context, how)
    publisher = tree.publishers().find(publisher_id)
    if publisher is None:
        known = ", ".join(one.id for one in tree.publishers().publishers)
        raise UsageError(f"there is no publisher {publisher_id}", f"known are: {known or 'none'}")
    key_id = "" if key is None else _find_key(publisher, key)
    return _plan(how, destination, tree, Revoke(publisher_id, Revocation(key_id, from_serial, reason)))


def plan_mark(context: Context, how: Operating, level: str, operand: str, *, by: str, note: str) -> TrustPlan:
    """Plan to mark a name as official, or a release as audited.

    Raises:
        UsageError: another level, or no such name or reference.
        NotPublishedError: the release is not published.
    """
    destination, tree = _open(context, how)
    name, version, checksum = _operand(destination, level, operand)
    at = format_time(context.now)
    try:
        mark = Mark(name, version, checksum, by, at, note)
    except ValueError as error:
        raise UsageError(str(error)) from None
    is_known = bool(checksum) or tree.index(FormulaName.parse(name)) is not None
    notes = () if is_known else (f"{name} is not published in {destination.registry} yet; the mark waits for it",)
    return _plan(how, destination, tree, GiveMark(mark), notes)


def plan_unmark(context: Context, how: Operating, level: str, operand: str) -> TrustPlan:
    """Plan to withdraw a mark.

    Raises:
        UsageError, NotPublishedError: as for `plan_mark`.
    """
    destination, tree = _open(context, how)
    return _plan(how, destination, tree, TakeMark(*_operand(destination, level, operand)))


def list_publishers(context: Context, folder: str) -> tuple[Destination, Publishers]:
    """Give the publishers of a folder registry."""
    destination = find_destination(context, folder)
    return destination, _load(destination).publishers()


def list_marks(context: Context, folder: str, name: str | None) -> tuple[Destination, tuple[Mark, ...]]:
    """Give the marks of a folder registry, or of one formula in it.

    Raises:
        UsageError: `name` is no formula's name.
    """
    destination = find_destination(context, folder)
    tree = _load(destination)
    return destination, tuple(all_marks(tree)) if name is None else marks_of(tree, _name(name))


def _open(context: Context, how: Operating) -> tuple[Destination, PublishedTree]:
    destination = find_destination(context, how.folder)
    return destination, _load(destination)


def _load(destination: Destination) -> PublishedTree:
    return PublishedTree.load(destination.folder, load_root(destination.key_folder, destination.registry))


def _plan(
    how: Operating, destination: Destination, tree: PublishedTree, edit: TrustEdit, notes: tuple[str, ...] = ()
) -> TrustPlan:
    try:
        change = trust_change(tree, edit)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if how.output is not None and os.path.lexists(how.output):
        raise FileInTheWayError(how.output)
    protected = is_protected(destination.key_folder, ROLES)
    if not change.files:
        return TrustPlan(Plan(), destination, edit.words, protected)
    version = tree.chain.role_file(TRUST).version + 1
    action = RotateRoles(
        destination.folder,
        destination.registry,
        destination.key_folder,
        how.passphrase_file,
        tuple((role, facts.version) for role, facts in current_facts(tree).items()),
        files=tuple(change.files.items()),
        purpose=change.purpose,
        output=how.output,
        fallback=os.path.join(how.fallback, f"{destination.registry}.trust-{version}.signing-request.json"),
    )
    return TrustPlan(Plan((action,), notes=notes), destination, edit.words, protected)


def _operand(destination: Destination, level: str, operand: str) -> tuple[str, str, str]:
    """Give name, version and checksum of what is marked; the last two are empty for a name."""
    if level == OFFICIAL:
        return _name(operand), "", ""
    if level != AUDITED:
        raise UsageError(
            f"{level} is no mark", f"marks are {' and '.join(MARKABLE)}; a publisher's key makes a release verified"
        )
    release = find_release(destination, *exact_reference(operand))
    return str(release.name), str(release.version), str(release.checksum)


def _name(text: str) -> str:
    try:
        return str(FormulaName.parse(text))
    except ValueError as error:
        raise UsageError(str(error)) from None


def _read_key(context: Context, text: str) -> PublisherKey:
    """Read a key as `plan_publisher` takes it."""
    person = next((one for one in list_person_keys(context.places.keys) if one.name == os.path.basename(text)), None)
    if text.startswith("ed25519:"):
        data = text.encode()
    elif os.path.exists(text):
        try:
            with open(text, "rb") as file:
                data = file.read(1 << 20)
        except OSError as error:
            raise UsageError(f"cannot read {text}: {error.strerror}") from None
        if b"-----BEGIN PGP" in data[:200]:
            fingerprint, certificate = read_certificate_file(text)
            return PublisherKey(fingerprint, "openpgp", certificate)
    elif person is not None and person.public is not None:
        data = person.public.text.encode()
    else:
        raise UsageError(f"there is no key {text}", "give ed25519:HEX, a file, or a name that `mmpm keys list` shows")
    try:
        public = PublicKey.parse(data)
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from None
    return PublisherKey(key_id_of(public.hex), "ed25519", public.hex)


def _find_key(publisher: Publisher, text: str) -> str:
    ids = [one.key_id for one in publisher.keys]
    wanted = key_id_of(text.removeprefix("ed25519:")) if text.startswith("ed25519:") else text.lower()
    found = [one for one in ids if one == wanted or (len(wanted) >= _LEAST_PREFIX and one.startswith(wanted))]
    if len(found) != 1:
        raise UsageError(
            f"{publisher.id} has no such key, or several: {text}",
            f"its keys are: {', '.join(ids) or 'none'}; give the id, or its first {_LEAST_PREFIX} digits or more",
        )
    return found[0]
