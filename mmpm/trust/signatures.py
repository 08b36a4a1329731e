"""What a publisher signs of a release, and the detached signatures that are carried beside it. Pure.

    signatures/<checksum hex>/<key id>.sig   {"format":1,"key":{"public":"<hex>","type":"ed25519"},"signature":"<hex>"}
    signatures/<checksum hex>/<key id>.asc   an armored OpenPGP signature (`mmpm.trust.openpgp`)

Rule: both are made over `signed_bytes`, and over nothing else. A ``.sig`` holds the key that made it, so that anybody
can hold it against its own name; whose key that is, `publishers.json` alone says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.trust.facts import key_id_of
from mmpm.trust.key_ids import ED25519, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mmpm.model.release import Release
    from mmpm.trust.keys import SigningKey
    from mmpm.trust.levels import Publishers

FORMAT: Final = 1
MAX_SIGNATURE: Final = 64 * 1024
"""Bytes of a signature file of either kind."""


def signed_bytes(release: Release) -> bytes:
    """Give what is signed: which bytes a name and version stand for."""
    return canonical_json(
        {
            "format": FORMAT,
            "name": str(release.name),
            "version": str(release.version),
            "checksum": str(release.checksum),
            "tree": str(release.tree),
            "size": release.size,
        }
    )


def make_signature(release: Release, key: SigningKey) -> bytes:
    """Sign `release` with an ed25519 key and give the ``.sig`` file."""
    signature = key.sign(signed_bytes(release)).hex()
    return canonical_json(
        {"format": FORMAT, "key": {"type": ED25519, "public": key.public.hex}, "signature": signature}
    )


State: TypeAlias = Literal["good", "bad", "unchecked"]
GOOD: Final = "good"
BAD: Final = "bad"
UNCHECKED: Final = "unchecked"


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of checking one signature.

    Attributes:
        key_id: whose it is said to be.
        state: `GOOD`; `BAD`: present, and not that key's over that release; `UNCHECKED`: nothing can be said here
            (the OpenPGP library or the certificate is missing, or the clock stands before the signature).
        reason: why it is not good; one printable sentence, empty where it is.
    """

    key_id: str
    state: State
    reason: str = ""


def check_signature(
    release: Release, key_id: str, data: bytes, *, certificate: str | None = None, now: datetime | None = None
) -> Checked:
    """Check one signature file.

    Args:
        release: what it must be over.
        key_id: the key that its name tells.
        data: the file.
        certificate: of an OpenPGP key; without one its signature stays unchecked.
        now: the machine's time, by which OpenPGP judges; None where it does not matter.
    """
    if len(data) > MAX_SIGNATURE:
        return Checked(key_id, BAD, f"it is longer than {MAX_SIGNATURE} bytes")
    if kind_of(key_id) == ED25519:
        return _check_ed25519(release, key_id, data)
    if certificate is None:
        return Checked(key_id, UNCHECKED, "the certificate of the OpenPGP key is not known here")
    from mmpm.trust import openpgp

    return openpgp.check(signed_bytes(release), key_id, data, certificate, now)


def _check_ed25519(release: Release, key_id: str, data: bytes) -> Checked:
    from mmpm.trust.keys import PublicKey

    try:
        public, signature = parse_signature(data)
    except ValueError as error:
        return Checked(key_id, BAD, str(error))
    if key_id_of(public) != key_id:
        return Checked(key_id, BAD, "it was made with another key than its name says")
    if not PublicKey(public).verifies(signature, signed_bytes(release)):
        return Checked(key_id, BAD, f"it is not a signature of {release.name} {release.version} as the index has it")
    return Checked(key_id, GOOD)


def parse_signature(data: bytes) -> tuple[str, bytes]:
    """Give public key (hex) and signature of a ``.sig`` file.

    Raises:
        ValueError: it is none.
    """
    what = "the signature file"
    fields = Fields(parse_json(data, what, max_bytes=MAX_SIGNATURE), what)
    fields.require_format(FORMAT)
    key = Fields(fields.table("key"), "the key of the signature file")
    if key.text("type", 16) != ED25519:
        raise ValueError("the signature file is not one of an ed25519 key")
    public, signature = key.text("public", 64), fields.text("signature", 128)
    if not (_is_hex(public, 64) and _is_hex(signature, 128)):
        raise ValueError("the signature file does not hold a key of 32 bytes and a signature of 64")
    return public, bytes.fromhex(signature)


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and set(text) <= set("0123456789abcdef")


def check_known_signatures(
    release: Release, publishers: Publishers, read: Callable[[str], bytes | None], now: datetime | None = None
) -> tuple[Checked, ...]:
    """Check every signature of `release` that a known publisher's key is said to have made, in order of key ids.

    Args:
        release: its index line names the keys.
        publishers: whose keys matter; signatures by others say nothing and are left alone.
        read: gives a signature file by key id; None where it is not here, which leaves it unchecked.
        now: the machine's time.
    """
    found = []
    for key_id, _ in sorted(release.signatures):
        listed = publishers.key(key_id)
        if listed is None:
            continue
        data = read(key_id)
        if data is None:
            found.append(Checked(key_id, UNCHECKED, "the signature's file is not here"))
            continue
        _, key = listed
        certificate = None if key.kind == ED25519 else key.public
        found.append(check_signature(release, key_id, data, certificate=certificate, now=now))
    return tuple(found)
