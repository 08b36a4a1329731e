"""Signed metadata: beside `documents` the only module that knows python-tuf (`verifier` loads a part of it).

Rule: bytes in, values out. A `Chain` believes nothing that is not signed by keys which the root before it names, and
judges every expiry at the moment that the signed timestamp gives as `issued`, never at the reader's clock
(`docs/formats.md`, "Time"); how old `issued` may be is the business of `mmpm.trust.clock`.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from tuf.api.exceptions import ExpiredMetadataError, RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.metadata import TargetFile as TufTarget
from tuf.api.serialization import DeserializationError

from mmpm.errors import RolledBackError, UntrustedMetadataError, printable, quoted
from mmpm.trust.documents import add_signatures, bin_keys, role_keys, sign_document, write_document
from mmpm.trust.facts import (
    BIN,
    BINS,
    LIFETIMES,
    NAMED_IN,
    OURS,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TRUST,
    DocumentFacts,
    Floors,
    Identity,
    RoleFile,
    RoleKeys,
    TargetFile,
    TimestampFacts,
    format_time,
    is_sha256,
    parse_time,
)
from mmpm.trust.keys import SigningKey
from mmpm.trust.verifier import EnvelopeType, TrustedMetadataSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mmpm.trust.keys import PublicKey


Signers: TypeAlias = "SigningKey | Iterable[SigningKey]"


# --- signing --------------------------------------------------------------------------------------------------------


def make_root(
    identity: Identity, keys: Mapping[str, PublicKey], signers: Signers, now: datetime, version: int = 1
) -> bytes:
    """Give root metadata: `keys` has one key for each of root, targets, snapshot and timestamp."""
    delegates = {role: RoleKeys((keys[role].hex,)) for role in (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)}
    facts = DocumentFacts(ROOT, version, expiry(ROOT, now), delegates, identity)
    return sign_document(write_document(facts), _several(signers))


def sign_top_targets(signers: Signers, now: datetime, *, trust: PublicKey, bins: PublicKey, version: int = 1) -> bytes:
    """Give the top role: no targets of its own, ``trust/*`` to the role trust, the rest to the role bins."""
    delegates = {TRUST: RoleKeys((trust.hex,)), BINS: RoleKeys((bins.hex,))}
    facts = DocumentFacts(TARGETS, version, expiry(TARGETS, now), delegates)
    return sign_document(write_document(facts), _several(signers))


def sign_bins(signers: Signers, now: datetime, *, bin_key: PublicKey, version: int = 1) -> bytes:
    """Give the role that hands every path to one of 256 bins."""
    facts = DocumentFacts(BINS, version, expiry(BINS, now), {BIN: RoleKeys((bin_key.hex,))})
    return sign_document(write_document(facts), _several(signers))


def sign_listing(role: str, signers: Signers, now: datetime, targets: Mapping[str, TargetFile], version: int) -> bytes:
    """Give a role that lists targets: `TRUST`, or `BIN` for any one bin (bins do not name themselves)."""
    listed = {path: TufTarget(one.length, {"sha256": one.sha256}, path) for path, one in targets.items()}
    return _signed(Targets(version=version, expires=_expiry(role, now), targets=listed), signers)


def sign_snapshot(signers: Signers, now: datetime, meta: Mapping[str, RoleFile], serial: int) -> bytes:
    """Give the snapshot that names the file of every role in `meta`."""
    listed = {f"{role}.json": _meta_file(one) for role, one in meta.items()}
    return _signed(Snapshot(version=serial, expires=_expiry(SNAPSHOT, now), meta=listed), signers)


def sign_timestamp(signers: Signers, now: datetime, snapshot: RoleFile, root_version: int) -> bytes:
    """Give the timestamp of `snapshot`; its version is the serial, because both are signed at every publish."""
    ours = {"issued": format_time(now), "root": root_version}
    return _signed(
        Timestamp(
            version=snapshot.version,
            expires=_expiry(TIMESTAMP, now),
            snapshot_meta=_meta_file(snapshot),
            unrecognized_fields={OURS: ours},
        ),
        signers,
    )


def expiry(role: str, now: datetime) -> str:
    """Give when a document of `role` that is signed now expires."""
    return format_time(_expiry(role, now))


def _signed(signed: Signed, signers: Signers) -> bytes:
    metadata: Metadata[Any] = Metadata(signed)
    add_signatures(metadata, _several(signers))
    return metadata.to_bytes()


def _several(signers: Signers) -> Iterable[SigningKey]:
    return (signers,) if isinstance(signers, SigningKey) else signers


def _expiry(role: str, now: datetime) -> datetime:
    return now.astimezone(UTC).replace(microsecond=0) + LIFETIMES[role]


def _meta_file(one: RoleFile) -> MetaFile:
    return MetaFile(one.version, one.length, {"sha256": one.sha256})


# --- reading --------------------------------------------------------------------------------------------------------


def peek_root_version(timestamp: bytes) -> int | None:
    """Give the root number that an unverified timestamp names: a hint how far to walk the chain of roots, no more."""
    try:
        found = json.loads(timestamp)["signed"][OURS]["root"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if type(found) is int and 0 < found < 1 << 31 else None


class Chain:
    """Verification from a trusted root down to targets; each step takes the bytes of one file.

    Order: `advance_root` any number of times, `accept_timestamp`, `accept_snapshot`, then `accept_targets` for
    targets, trust or bins, and bin-xx. Every method raises `UntrustedMetadataError` for bytes that are not signed,
    hashed, versioned or dated as they must be.

    Args:
        root: a root that the caller trusts (pinned, or the highest seen before).
    """

    def __init__(self, root: bytes) -> None:
        with _untrusted(ROOT, root):
            self._set = TrustedMetadataSet(root, EnvelopeType.METADATA)
        self.root_bytes = root
        self.identity = _identity(self._set.root)
        self.timestamp: TimestampFacts | None = None
        self._role_floors: dict[str, int] = {}

    @property
    def root_version(self) -> int:
        """The version of the root trusted now."""
        return self._set.root.version

    @property
    def fingerprint(self) -> str:
        """The sha256 of the trusted root's canonical signed part: with version 1, what people compare and pin."""
        return hashlib.sha256(Metadata(self._set.root).signed_bytes).hexdigest()

    @property
    def epoch(self) -> str:
        """A name for the keys of timestamp and snapshot: floors hold as long as it stays the same."""
        root = self._set.root
        keys = {role: sorted(root.roles[role].keyids) for role in (SNAPSHOT, TIMESTAMP)}
        return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()

    def advance_root(self, data: bytes) -> None:
        """Trust the next root: signed by the keys of this one and by its own."""
        with _untrusted(ROOT, data):
            self._set.update_root(data)
        identity = _identity(self._set.root)
        if identity.id != self.identity.id:
            raise UntrustedMetadataError(ROOT, f"it is the root of another registry, {quoted(identity.id)}")
        self.identity = identity
        self.root_bytes = data

    def accept_timestamp(self, data: bytes, floors: Floors | None = None) -> TimestampFacts:
        """Take the newest timestamp and from here on judge expiry at its `issued`.

        Raises:
            UntrustedMetadataError: see the class; also where it names a newer root than the chain has.
            RolledBackError: within the epoch of `floors` it is older than what was seen before, or another
                snapshot claims the same serial.
        """
        with _untrusted(TIMESTAMP, data):
            metadata = Metadata[Timestamp].from_bytes(data)
            # Only now that a key of the root vouches for it may `issued` decide what is expired.
            self._set.root.verify_delegate(TIMESTAMP, metadata.signed_bytes, metadata.signatures)
            if metadata.signed.type != TIMESTAMP:
                raise RepositoryError(f"it is of type {metadata.signed.type}")
            facts = _timestamp_facts(metadata.signed)
        if facts.root > self.root_version:
            raise UntrustedMetadataError(
                TIMESTAMP, f"it belongs to root {facts.root}, and root {self.root_version} is known"
            )
        self._role_floors = {}
        if floors is not None and floors.epoch == self.epoch:
            _check_floors(facts, floors)
            self._role_floors = dict(floors.roles)
        elif floors is not None and facts.root <= floors.root:
            # A new epoch frees the serials for what is signed in it. What an old key signed before stays old, though
            # the new root may still name that key.
            raise RolledBackError(f"a timestamp under root {facts.root}", f"root {self.root_version}")
        self._set.reference_time = parse_time(facts.issued)
        with _untrusted(TIMESTAMP, data):
            self._set.update_timestamp(data)
        self.timestamp = facts
        return facts

    def keys_of(self, role: str) -> RoleKeys:
        """Give whose signatures count for a role (`BIN` for all bins), as what was accepted so far says.

        Raises:
            KeyError: the role that names them was not accepted yet.
            UntrustedMetadataError: it does not name them as it should.
        """
        delegator = NAMED_IN[role]
        signed = self._set.root if delegator == ROOT else cast("Targets", self._set[delegator])
        try:
            if isinstance(signed, Root):
                return role_keys(signed.roles[role], signed.keys)
            if role == BIN:
                return bin_keys(signed)
            delegations = signed.delegations
            roles = delegations.roles if delegations is not None else None
            if delegations is None or roles is None or role not in roles:
                raise UntrustedMetadataError(delegator, f"it does not delegate to {role}")
            return role_keys(roles[role], delegations.keys)
        except ValueError as error:
            raise UntrustedMetadataError(delegator, str(error)) from None

    def accept_snapshot(self, data: bytes) -> None:
        """Take the snapshot that the timestamp names.

        Raises:
            UntrustedMetadataError: also where it names an older targets, trust or bins document than was seen in this
                epoch: only somebody with the online keys can have made such a one.
        """
        with _untrusted(SNAPSHOT, data):
            self._set.update_snapshot(data)
        for role, floor in self._role_floors.items():
            version = self.role_file(role).version
            if version < floor:
                raise UntrustedMetadataError(SNAPSHOT, f"it names {role} {version}, and {role} {floor} was seen before")

    def offline_versions(self) -> dict[str, int]:
        """Give the versions of targets, trust and bins that the accepted snapshot names."""
        return {role: self.role_file(role).version for role in (TARGETS, TRUST, BINS)}

    def accept_targets(self, role: str, data: bytes) -> None:
        """Take the metadata of `role`: targets first, then trust and bins, then any bin-xx."""
        delegator = ROOT if role == TARGETS else TARGETS if role in (TRUST, BINS) else BINS
        with _untrusted(role, data):
            self._set.update_delegated_targets(data, role, delegator)

    def has(self, role: str) -> bool:
        """Whether `role` was accepted."""
        return role in self._set

    def forget(self, role: str) -> None:
        """Let go of an accepted bin, whose values the caller has taken; it may be accepted again."""
        del self._set._trusted_set[role]  # noqa: SLF001 - python-tuf keeps everything for ever

    def roles(self) -> dict[str, RoleFile]:
        """Give the file of every role that the accepted snapshot lists."""
        return {name.removesuffix(".json"): _role_file(one) for name, one in self._set.snapshot.meta.items()}

    def role_file(self, role: str) -> RoleFile:
        """Give the file of one role.

        Raises:
            UntrustedMetadataError: the snapshot does not list it, or without sha256 and length.
        """
        found = self._set.snapshot.meta.get(f"{role}.json")
        if found is None:
            raise UntrustedMetadataError(SNAPSHOT, f"it does not list the role {printable(role)}")
        return _role_file(found)

    def role_of(self, target: str) -> str:
        """Give the role that answers for a target path: `TRUST`, or one bin."""
        if target.startswith("trust/"):
            return TRUST
        delegations = cast("Targets", self._set[BINS]).delegations
        if delegations is None or delegations.succinct_roles is None:
            raise UntrustedMetadataError(BINS, "it does not delegate to hash bins")
        return delegations.succinct_roles.get_role_for_target(target)

    def target(self, target: str) -> TargetFile | None:
        """Give what the metadata says of a target, or None: proof that it does not exist.

        Raises:
            KeyError: the role that answers for it was not accepted yet.
        """
        found = cast("Targets", self._set[self.role_of(target)]).targets.get(target)
        return None if found is None else _target_file(found)

    def targets_of(self, role: str) -> dict[str, TargetFile]:
        """Give everything that an accepted role lists."""
        listed = cast("Targets", self._set[role]).targets
        return {path: _target_file(one) for path, one in listed.items()}

    def expires(self, role: str) -> datetime:
        """Give when an accepted role (root included) expires."""
        return self._set[role].expires


@contextmanager
def _untrusted(role: str, data: bytes) -> Iterator[None]:
    """Turn what python-tuf and malformed metadata raise into our one error, which says what is wrong."""
    try:
        yield
    except DeserializationError:
        beginning = quoted(data[:40].decode("utf-8", "replace"))
        reason = f"it is not signed metadata but begins with {beginning}" if data else "it is empty"
        raise UntrustedMetadataError(role, reason) from None
    except ExpiredMetadataError:
        raise UntrustedMetadataError(role, "it had expired when the registry's timestamp was issued") from None
    except (RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UntrustedMetadataError(role, printable(str(error))) from None


def _identity(root: Root) -> Identity:
    ours = root.unrecognized_fields.get(OURS)
    if not isinstance(ours, dict) or not isinstance(ours.get("id"), str) or not isinstance(ours.get("title"), str):
        raise UntrustedMetadataError(ROOT, f"it has no {OURS} field with id and title")
    return Identity(ours["id"], ours["title"])


def _timestamp_facts(signed: Timestamp) -> TimestampFacts:
    ours = signed.unrecognized_fields.get(OURS)
    if not isinstance(ours, dict) or not isinstance(ours.get("issued"), str) or type(ours.get("root")) is not int:
        raise ValueError(f"it has no {OURS} field with issued and root")
    issued = format_time(parse_time(ours["issued"]))
    return TimestampFacts(issued, format_time(signed.expires), ours["root"], _role_file(signed.snapshot_meta))


def _role_file(one: MetaFile) -> RoleFile:
    sha256 = (one.hashes or {}).get("sha256")
    if sha256 is None or one.length is None or not is_sha256(sha256):
        raise UntrustedMetadataError(SNAPSHOT, "it lists a role without sha256 and length")
    return RoleFile(one.version, sha256, one.length)


def _target_file(one: TufTarget) -> TargetFile:
    sha256 = one.hashes.get("sha256")
    if sha256 is None or not is_sha256(sha256):
        raise UntrustedMetadataError(BIN, f"it lists {quoted(one.path)} without a sha256")
    return TargetFile(sha256, one.length)


def _check_floors(facts: TimestampFacts, floors: Floors) -> None:
    # RFC 3339 in UTC to the second sorts as text.
    if facts.snapshot.version < floors.serial:
        raise RolledBackError(f"serial {facts.snapshot.version}", f"serial {floors.serial}")
    if facts.issued < floors.issued:
        raise RolledBackError(f"a timestamp of {facts.issued}", f"one of {floors.issued}")
    same = facts.snapshot.version == floors.serial
    if same and floors.snapshot_sha256 is not None and facts.snapshot.sha256 != floors.snapshot_sha256:
        raise RolledBackError(f"another snapshot with serial {floors.serial}", "the first")
