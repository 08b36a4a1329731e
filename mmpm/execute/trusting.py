"""The effects of `keys create` and of whatever is signed with keys of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors import KeyUnreadableError
from mmpm.execute.passphrases import PERSON_VARIABLE, read_passphrase
from mmpm.registry.person_keys import create_person_key, key_path, open_person_key

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.plan.trust import CreateKey
    from mmpm.trust.keys import PublicKey, SigningKey


def apply_create_key(context: Context, action: CreateKey) -> PublicKey:
    """Make a person's key."""
    passphrase = None if action.is_open else read_passphrase(context, action.passphrase_file)
    if passphrase is None and not action.is_open:
        path = key_path(action.keys, action.name)
        raise KeyUnreadableError("a new key needs a passphrase, or the flag --no-passphrase", path)
    return create_person_key(action.keys, action.name, passphrase)


def load_person_key(context: Context, name: str, passphrase_file: str | None = None) -> SigningKey:
    """Open a person's key by its name.

    Raises:
        KeyUnknownError: there is none of that name.
        KeyUnreadableError: its passphrase is missing or wrong.
    """
    return open_person_key(context.places.keys, name, read_passphrase(context, passphrase_file, PERSON_VARIABLE))
