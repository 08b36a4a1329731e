"""The effect of what changes publishers and marks: signed and published, or written down for the keys that sign it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import UsageError
from mmpm.execute.passphrases import read_passphrase
from mmpm.registry.commit import Committing
from mmpm.registry.key_folder import list_role_keys, load_keys
from mmpm.registry.marks import TrustChanged, change_trust, request_trust
from mmpm.trust.facts import ONLINE_ROLES, TRUST
from mmpm_store.durable import write_file_durably

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.plan import ChangeTrust


@dataclass(frozen=True, slots=True)
class Marked:
    """What came of it; `path` is the file of the signing request that waits, None where it is published."""

    changed: TrustChanged
    path: str | None = None


def apply_change_trust(context: Context, action: ChangeTrust) -> Marked:
    """Change publishers or marks.

    Raises:
        UsageError: the edit does not fit the publishers that there are.
    """
    here = {one.role for one in list_role_keys(action.key_folder)}
    # Who only writes the request down needs no key at all; to publish, the online ones must be here.
    roles = [role for role in (*ONLINE_ROLES, TRUST) if role in here or (role != TRUST and action.output is None)]
    passphrase = read_passphrase(context, action.passphrase_file)
    keys = load_keys(action.key_folder, action.registry, passphrase, roles)
    how = Committing(keys, context.now, on_wait=context.progress.say, key_folder=action.key_folder)
    make = change_trust if action.output is None else request_trust
    try:
        changed = make(action.folder, action.edit, keys, how)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if changed.request is None:
        return Marked(changed)
    path = action.output or action.fallback
    write_file_durably(path, changed.request.to_bytes(), 0o644)
    return Marked(changed, path)
