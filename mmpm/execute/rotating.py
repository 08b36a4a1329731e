"""The effects of `registry rotate` and `keys sign`, and of whatever else changes what offline keys have signed."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import (
    FileInTheWayError,
    NothingToSignError,
    SignaturesMissingError,
    SigningRequestOutdatedError,
    SigningRequestRefusedError,
    UsageError,
    printable,
)
from mmpm.execute.passphrases import PERSON_VARIABLE, read_passphrase
from mmpm.registry.commit import Committing
from mmpm.registry.destination import read_plain
from mmpm.registry.key_folder import (
    is_protected,
    load_every_key,
    load_keys,
    note_public_keys,
    open_every_key,
    prepare_keys,
    remember_root,
)
from mmpm.registry.person_keys import open_person_key
from mmpm.registry.published import PublishedTree
from mmpm.registry.rotate import (
    RoleChange,
    apply_request,
    current_facts,
    finish_rotation,
    make_request,
    sign_request,
)
from mmpm.trust.describing import describe
from mmpm.trust.facts import ROLES, RoleKeys
from mmpm.trust.signing import add_signatures, examine
from mmpm.trust.signing_request import MAX_BYTES, SigningRequest
from mmpm_store.durable import exclusive_create, write_file_durably

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.plan.trust import ApplySigned, RotateRoles, SignCarried
    from mmpm.registry.key_folder import RegistryKeys


@dataclass(frozen=True, slots=True)
class Rotated:
    """What came of a change of roles.

    Attributes:
        told: what it changes, in sentences.
        serial: that shows it; None where it waits for signatures.
        root_version: of the newest root that is shown.
        path: of the request that was written; None where everything was published.
        missing: which signatures it waits for.
        changed: False where there was nothing to do.
    """

    told: tuple[str, ...]
    serial: int | None
    root_version: int
    path: str | None = None
    missing: tuple[str, ...] = ()
    changed: bool = True


@dataclass(frozen=True, slots=True)
class SignedCarried:
    """What was added to a request, and what it still waits for."""

    signatures: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]


def apply_rotate(context: Context, action: RotateRoles) -> Rotated:
    """Make new keys where asked, sign with all that are here, and publish or write a request.

    Raises:
        SigningRequestOutdatedError: the registry changed since the plan was made.
        FileInTheWayError: where the request is to go, there is a file.
        KeysMissingError, KeyUnreadableError: the registry's keys are not here, or do not open.
    """
    passphrase = read_passphrase(context, action.passphrase_file)
    keys = load_every_key(action.key_folder, action.registry, passphrase)
    base = PublishedTree.load(action.folder, keys.root)
    finish_rotation(base, action.key_folder)  # one that was killed behind its timestamp
    if tuple((role, facts.version) for role, facts in current_facts(base).items()) != action.based_on:
        raise SigningRequestOutdatedError("the registry was changed meanwhile", "this change")
    note_public_keys(action.key_folder, passphrase)
    protects = is_protected(action.key_folder, ROLES) or action.passphrase_file is not None
    terms = {}
    for one in action.terms:
        made = prepare_keys(action.key_folder, one.role, one.made, passphrase if protects else None)
        terms[one.role] = RoleKeys((*one.public, *(key.hex for key in made)), one.threshold)
    change = RoleChange(terms, frozenset(action.renew), dict(action.files), action.purpose)
    request = make_request(base, change, context.now)
    if request is None:
        return Rotated((), base.serial, base.chain.root_version, changed=False)
    keys = load_every_key(action.key_folder, action.registry, passphrase)
    request = sign_request(request, keys)
    examined = examine(request)
    told = describe(examined)
    if action.output is not None or examined.missing:
        path = action.output or _free(action.fallback, request)
        if not exclusive_create(path, request.to_bytes(), 0o644):
            raise FileInTheWayError(path)
        missing = tuple(one.sentence for one in examined.missing)
        return Rotated(told, None, base.chain.root_version, path, missing)
    how = _committing(context, keys, action.key_folder, after_theft=action.after_theft)
    applied = apply_request(action.folder, request, how)
    return Rotated(told, applied.serial, applied.root_version, changed=applied.changed)


def apply_signed(context: Context, action: ApplySigned) -> Rotated:
    """Publish what a carried request says.

    Raises:
        SignaturesMissingError, SigningRequestRefusedError, SigningRequestOutdatedError: it cannot be.
    """
    request = read_request(action.path)
    _require_shown(request, action.request, action.path)
    passphrase = read_passphrase(context, action.passphrase_file)
    keys = load_every_key(action.key_folder, action.registry, passphrase)
    note_public_keys(action.key_folder, passphrase)
    how = _committing(context, keys, action.key_folder, after_theft=action.after_theft)
    try:
        # Keys of the roles that lie here may be what it still lacks.
        applied = apply_request(action.folder, sign_request(request, keys), how)
    except SignaturesMissingError as error:
        raise SignaturesMissingError(error.missing, action.path) from None
    except SigningRequestRefusedError as error:
        raise SigningRequestRefusedError(error.reason, action.path) from None
    except SigningRequestOutdatedError as error:
        raise SigningRequestOutdatedError(error.reason, action.path) from None
    return Rotated(describe(examine(request)), applied.serial, applied.root_version, changed=applied.changed)


def apply_sign_carried(context: Context, action: SignCarried) -> SignedCarried:
    """Add the signatures of the keys that are here, and write the file back in place.

    Raises:
        SigningRequestRefusedError: it is not the request that was shown.
        NothingToSignError: no key here is one that it waits for.
    """
    request = read_request(action.path)
    _require_shown(request, action.request, action.path)
    examined = examine(request)
    passphrase = read_passphrase(context, action.passphrase_file)
    signers = [one for several in open_every_key(action.key_folder, passphrase).values() for one in several]
    for name in action.people:
        own = read_passphrase(context, action.person_passphrase_file, PERSON_VARIABLE)
        signers.append(open_person_key(context.places.keys, name, own))
    signed, added = add_signatures(examined, signers)
    if not added:
        raise NothingToSignError(action.path, [one.sentence for one in examined.missing])
    after = examine(signed)
    write_file_durably(action.path, signed.to_bytes(), 0o644)
    remember_root(action.key_folder, examined.request.base.roots[-1])
    return SignedCarried(added, tuple(one.sentence for one in after.missing))


def read_request(path: str) -> SigningRequest:
    """Read the file of a request.

    Raises:
        SigningRequestRefusedError: it is none.
        UsageError: no plain file is there; a pipe on somebody's medium would be waited for.
        OSError: it cannot be read.
    """
    data = read_plain(path, MAX_BYTES)
    if data is None:
        raise UsageError(f"there is no file {printable(path)}", "name the signing request that was carried here")
    try:
        return SigningRequest.parse(data)
    except SigningRequestRefusedError as error:
        raise SigningRequestRefusedError(error.reason, path) from None


def reloading(how: Committing, key_folder: str, registry: str, passphrase: bytes | None) -> Committing:
    """Give `how` with a way to take up keys that a rotation on this machine has put in the place of those at hand."""

    def reload(base: PublishedTree) -> RegistryKeys:
        finish_rotation(base, key_folder)
        return load_keys(key_folder, registry, passphrase)

    return replace(how, reload_keys=reload)


def _free(path: str, request: SigningRequest) -> str:
    """Give `path`, or where an earlier request lies there, another name beside it."""
    return f"{path.removesuffix('.json')}-{request.id[:8]}.json" if os.path.lexists(path) else path


def _committing(context: Context, keys: RegistryKeys, key_folder: str, *, after_theft: bool) -> Committing:
    return Committing(
        keys,
        context.now,
        on_wait=context.progress.say,
        key_folder=key_folder,
        after_restore=after_theft,
        after_theft=after_theft,
    )


def _require_shown(request: SigningRequest, shown: str, path: str) -> None:
    if request.id != shown:
        raise SigningRequestRefusedError("it is not the request that was shown before", path)
