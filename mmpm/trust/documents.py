"""Single signed documents: written from what they say, read back, signed by several keys.

Beside `metadata` the only module that knows python-tuf.

Rule: what `read_facts` gives is all that a document says. One that says anything else is refused, so that nobody signs
what no sentence describes.
"""

from __future__ import annotations

import hashlib
from copy import deepcopy
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, cast

from securesystemslib.signer import Key, Signature, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    Role,
    Root,
    Signed,
    SuccinctRoles,
    Targets,
)
from tuf.api.metadata import TargetFile as TufTarget

from mmpm.errors import UntrustedMetadataError, printable
from mmpm.trust.facts import (
    BIN,
    BINS,
    DOCUMENTS,
    OURS,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TRUST,
    DocumentFacts,
    Identity,
    RoleKeys,
    TargetFile,
    format_time,
    is_sha256,
    key_id_of,
    parse_time,
)
from mmpm.trust.keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mmpm.trust.keys import SigningKey

_BIN_BITS: Final = 8
_ROOT_ROLES: Final = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)
_TRUST_PATHS: Final = ["trust/*", "trust/levels/*"]
# Every path hash begins with one of these digits: "all the rest", which no path pattern can say.
_ALL_THE_REST: Final = list("0123456789abcdef")
_MALFORMED: Final = (RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


# --- what a document says -------------------------------------------------------------------------------------------


def write_document(facts: DocumentFacts) -> bytes:
    """Give the document that says `facts`, without a signature."""
    return Metadata[Any](_signed_part(facts)).to_bytes()


def read_facts(role: str, data: bytes) -> DocumentFacts:
    """Give all that a document of `role` (one of `DOCUMENTS`) says; its signatures are not looked at.

    Raises:
        UntrustedMetadataError: it is no such document, or says something that `DocumentFacts` cannot hold.
    """
    try:
        signed = Metadata[Any].from_bytes(data).signed
        facts: DocumentFacts = _FACTS[role](signed)
        again = _signed_part(facts)
        said, meant = signed.to_dict(), again.to_dict()
    except _MALFORMED as error:
        raise UntrustedMetadataError(role, f"it cannot be read: {printable(str(error))}") from None
    said.pop("spec_version")
    meant.pop("spec_version")
    if said != meant:
        raise UntrustedMetadataError(role, "it says something that this version of mmpm does not know")
    return facts


def _signed_part(facts: DocumentFacts) -> Signed:
    expires = parse_time(facts.expires).astimezone(UTC)
    if facts.role == ROOT:
        assert facts.identity is not None
        return Root(
            version=facts.version,
            expires=expires,
            keys=_key_table(facts.delegates),
            roles={role: Role(list(one.by_id), one.threshold) for role, one in facts.delegates.items()},
            consistent_snapshot=True,
            unrecognized_fields={OURS: {"id": facts.identity.id, "title": facts.identity.title}},
        )
    if facts.role == TARGETS:
        trust, bins = facts.delegates[TRUST], facts.delegates[BINS]
        roles = {
            TRUST: DelegatedRole(TRUST, list(trust.by_id), trust.threshold, terminating=True, paths=_TRUST_PATHS),
            BINS: DelegatedRole(
                BINS, list(bins.by_id), bins.threshold, terminating=True, path_hash_prefixes=_ALL_THE_REST
            ),
        }
        return Targets(
            version=facts.version,
            expires=expires,
            delegations=Delegations(_key_table(facts.delegates), roles=roles),
            unrecognized_fields={OURS: {"peers": list(facts.peers)}},
        )
    if facts.role == BINS:
        one = facts.delegates[BIN]
        succinct = SuccinctRoles(list(one.by_id), one.threshold, _BIN_BITS, BIN)
        delegations = Delegations(_key_table(facts.delegates), succinct_roles=succinct)
        return Targets(version=facts.version, expires=expires, delegations=delegations)
    listed = {path: TufTarget(one.length, {"sha256": one.sha256}, path) for path, one in facts.targets.items()}
    return Targets(version=facts.version, expires=expires, targets=listed)


def _key_table(delegates: Mapping[str, RoleKeys]) -> dict[str, Key]:
    return {key_id: _tuf_key(key_id, public) for one in delegates.values() for key_id, public in one.by_id.items()}


def _tuf_key(key_id: str, public: str) -> Key:
    return SSlibKey(key_id, "ed25519", "ed25519", {"public": public})


def _root_facts(signed: Root) -> DocumentFacts:
    ours = signed.unrecognized_fields[OURS]
    keys = {role: role_keys(signed.roles[role], signed.keys) for role in _ROOT_ROLES}
    named = Identity(str(ours["id"]), str(ours["title"]))  # what was no text differs when it is written again
    return DocumentFacts(ROOT, signed.version, format_time(signed.expires), keys, named)


def _targets_facts(signed: Targets) -> DocumentFacts:
    delegations = signed.delegations
    if delegations is None:
        raise ValueError("it does not delegate")
    roles = cast("Mapping[str, Role]", delegations.roles)
    keys = {role: role_keys(roles[role], delegations.keys) for role in (TRUST, BINS)}
    peers = signed.unrecognized_fields[OURS]["peers"]
    return DocumentFacts(TARGETS, signed.version, format_time(signed.expires), keys, peers=tuple(map(str, peers)))


def _bins_facts(signed: Targets) -> DocumentFacts:
    return DocumentFacts(BINS, signed.version, format_time(signed.expires), {BIN: bin_keys(signed)})


def _trust_facts(signed: Targets) -> DocumentFacts:
    targets = {}
    for path, one in signed.targets.items():
        sha256 = one.hashes["sha256"]
        if not is_sha256(sha256):
            raise ValueError(f"it lists {path} without a sha256")
        targets[path] = TargetFile(sha256, one.length)
    return DocumentFacts(TRUST, signed.version, format_time(signed.expires), {}, targets=targets)


_FACTS: Final[Mapping[str, Any]] = {ROOT: _root_facts, TARGETS: _targets_facts, TRUST: _trust_facts, BINS: _bins_facts}
assert tuple(_FACTS) == DOCUMENTS


def role_keys(role: Role, keys: Mapping[str, Key]) -> RoleKeys:
    """Give keys and threshold of a role as python-tuf holds them.

    Raises:
        ValueError: a key is of another kind, missing, or has another id than its own.
    """
    public = []
    for key_id in role.keyids:
        key = keys.get(key_id)
        hexadecimal = str(key.keyval.get("public")) if key is not None else ""
        if key is None or key.keytype != "ed25519" or not is_sha256(hexadecimal) or key_id_of(hexadecimal) != key_id:
            raise ValueError(f"the key {key_id[:16]} is not an ed25519 key of that id")
        public.append(hexadecimal)
    return RoleKeys(tuple(public), role.threshold)


def bin_keys(bins: Targets) -> RoleKeys:
    """Give keys and threshold of the bins to which `bins` delegates.

    Raises:
        ValueError: it delegates to none, or one of its keys is not what its id says.
    """
    delegations = bins.delegations
    if delegations is None or delegations.succinct_roles is None:
        raise ValueError("it does not delegate to hash bins")
    return role_keys(delegations.succinct_roles, delegations.keys)


# --- who signed it --------------------------------------------------------------------------------------------------


def sign_document(data: bytes, signers: Iterable[SigningKey]) -> bytes:
    """Give `data` with the signatures of `signers` added."""
    metadata = Metadata[Any].from_bytes(data)
    add_signatures(metadata, signers)
    return metadata.to_bytes()


def add_signatures(metadata: Metadata[Any], signers: Iterable[SigningKey]) -> None:
    """Sign what python-tuf holds; signatures are in the order of their key ids."""
    payload = metadata.signed_bytes
    for signer in signers:
        key_id = signer.public.key_id
        metadata.signatures[key_id] = Signature(key_id, signer.sign(payload).hex())
    metadata.signatures = dict(sorted(metadata.signatures.items()))


def join_parts(signed: object, signatures: Mapping[str, str]) -> bytes:
    """Give the file of a document from its signed part and its signatures (hex) by key id.

    Raises:
        UntrustedMetadataError: the signed part is none.
    """
    listed = [{"keyid": key_id, "sig": signature} for key_id, signature in sorted(signatures.items())]
    try:
        return (
            Metadata[Any].from_dict({"signed": deepcopy(signed), "signatures": listed}).to_bytes()
        )  # it eats what it reads
    except _MALFORMED as error:
        raise UntrustedMetadataError("carried", f"it cannot be read: {printable(str(error))}") from None


def fingerprint_of(data: bytes) -> str:
    """Give the sha256 of the signed part of a document in its canonical form, as `Chain.fingerprint` does of a root.

    Raises:
        UntrustedMetadataError: it is no document.
    """
    try:
        return hashlib.sha256(Metadata[Any].from_bytes(data).signed_bytes).hexdigest()
    except _MALFORMED as error:
        raise UntrustedMetadataError("carried", f"it cannot be read: {printable(str(error))}") from None


def is_as_written(data: bytes, *keys: RoleKeys) -> bool:
    """Whether a document has the bytes that are written for what it says, and only signatures by `keys`, which hold.

    Raises:
        UntrustedMetadataError: it is no document.
    """
    held = frozenset[str]().union(*(signed_by(data, one) for one in keys))
    metadata = Metadata[Any].from_bytes(data)
    is_lower = all(one.signature == one.signature.lower() for one in metadata.signatures.values())
    return is_lower and held == set(metadata.signatures) and metadata.to_bytes() == data


def split_parts(data: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """Give the signed part of a document, and its signatures (hex) by key id.

    Raises:
        UntrustedMetadataError: it is none.
    """
    try:
        metadata = Metadata[Any].from_bytes(data)
        return metadata.signed.to_dict(), {key_id: one.signature for key_id, one in metadata.signatures.items()}
    except _MALFORMED as error:
        raise UntrustedMetadataError("carried", f"it cannot be read: {printable(str(error))}") from None


def signed_by(data: bytes, keys: RoleKeys) -> frozenset[str]:
    """Give the ids of those of `keys` whose signature of `data` holds.

    Raises:
        UntrustedMetadataError: `data` is no signed document.
    """
    try:
        metadata = Metadata[Any].from_bytes(data)
    except _MALFORMED as error:
        raise UntrustedMetadataError("carried", f"it cannot be read: {printable(str(error))}") from None
    payload = metadata.signed_bytes
    found = set()
    for key_id, public in keys.by_id.items():
        signature = metadata.signatures.get(key_id)
        if signature is not None and _verifies(public, signature.signature, payload):
            found.add(key_id)
    return frozenset(found)


def is_signed(data: bytes, keys: RoleKeys) -> bool:
    """Whether enough of `keys` signed `data`."""
    return len(signed_by(data, keys)) >= keys.threshold


def _verifies(public: str, signature: str, payload: bytes) -> bool:
    try:
        raw = bytes.fromhex(signature)
    except ValueError:
        return False
    return PublicKey(public).verifies(raw, payload)
