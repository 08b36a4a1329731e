"""``policy.json`` beside ``mirror.json``: which one stays where another mirror, or a pack, brings one as well.

Rule: nobody is bound by what lies there: a machine obeys it only where its key is pinned. What is decided here is which
one travels on, so that no carry takes a newer one back.
"""

from __future__ import annotations

from mmpm.registry.destination import read_plain
from mmpm.registry.mirrored import POLICY_JSON
from mmpm.trust.signed_policy import MAX_BYTES, SignedPolicy
from mmpm_store.durable import write_file_durably


def keep_policy(folder: str, data: bytes) -> bool:
    """Keep a policy in `folder`, unless a newer one of the same id lies there; give whether it was written.

    Raises:
        NoSpaceError: the disk is full; what lay there lies there still.
    """
    path = f"{folder}/{POLICY_JSON}"
    here = read_plain(path, max(MAX_BYTES, len(data)))
    if here == data or (here is not None and is_taken_back(here, data)):
        return False
    write_file_durably(path, data)
    return True


def is_taken_back(here: bytes, data: bytes) -> bool:
    """Whether `data` is an older policy of the id that lies here; what cannot be read is neither."""
    ours, other = read_policy(here), read_policy(data)
    return ours is not None and other is not None and ours.id == other.id and other.serial < ours.serial


def read_policy(data: bytes) -> SignedPolicy | None:
    """Give a policy, or None where it is none that this program understands."""
    try:
        return SignedPolicy.parse(data)
    except ValueError:
        return None


def refusal_of(here: bytes | None, data: bytes) -> str:
    """Say why a policy that another mirror offers is not taken over; empty where it is.

    Args:
        here: that lies in this mirror, or None.
        data: as the other one gave it: some servers answer with a page where there is none.

    Returns:
        A clause behind "is not taken over:".
    """
    try:
        other = SignedPolicy.parse(data)
    except ValueError as error:
        return str(error)
    bad = [public for public, _ in other.signatures if not other.is_signed_by(public)]
    if bad or not other.signatures:
        return f"its signature by ed25519:{bad[0]} is bad" if bad else "nobody signed it"
    ours = None if here is None else read_policy(here)
    if here is None or ours == other:
        return ""
    if ours is None:
        return "what lies here cannot be read; take that away first"
    if ours.id != other.id:
        return f"policy {ours.id} lies here; take that away first"
    if other.serial == ours.serial and other.signed_bytes != ours.signed_bytes:
        return f"another one with serial {ours.serial} lies here"
    return f"serial {ours.serial} lies here, which is newer" if other.serial < ours.serial else ""
