"""How keys are named, without the libraries that use them.

An ed25519 key's id is TUF's (`facts.key_id_of`): 64 hex digits. An OpenPGP key's id is the
fingerprint of its certificate (version 4): 40 hex digits. So the length of an id tells its kind.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from mmpm.errors import quoted

KeyKind: TypeAlias = Literal["ed25519", "openpgp"]
ED25519: Final = "ed25519"
OPENPGP: Final = "openpgp"

_ED25519_ID = re.compile(r"[0-9a-f]{64}")
_OPENPGP_ID = re.compile(r"[0-9a-f]{40}")


def kind_of(key_id: str) -> KeyKind:
    """Give the kind of key that an id names.

    Raises:
        ValueError: it is the id of neither kind.
    """
    if _ED25519_ID.fullmatch(key_id):
        return ED25519
    if _OPENPGP_ID.fullmatch(key_id):
        return OPENPGP
    raise ValueError(f"{quoted(key_id)} is no key id: 64 hexadecimal digits (ed25519) or 40 (OpenPGP)")


def short(key_id: str) -> str:
    """Give the digits by which messages name a key: the last 16 of a fingerprint, as OpenPGP does, else the first 8."""
    return key_id[-16:] if len(key_id) == 40 else key_id[:8]
