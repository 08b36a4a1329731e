"""What a signing request proves, whose signatures it needs, and how they are added. Pure.

Rule: `examine` comes before everything. It refuses whatever does not follow from the state that the request starts
from; what cannot be put into words, `mmpm.trust.describing` refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import SigningRequestOutdatedError, SigningRequestRefusedError, UntrustedMetadataError, quoted
from mmpm.trust.documents import (
    fingerprint_of,
    is_signed,
    read_facts,
    sign_document,
    signed_by,
    split_parts,
)
from mmpm.trust.facts import DOCUMENTS, NAMED_IN, ROOT, SNAPSHOT, TIMESTAMP, TRUST, TargetFile
from mmpm.trust.metadata import Chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mmpm.trust.facts import DocumentFacts, RoleKeys
    from mmpm.trust.keys import SigningKey
    from mmpm.trust.signing_request import Base, SigningRequest


@dataclass(frozen=True, slots=True)
class Need:
    """Signatures that a document needs.

    Attributes:
        role: of the document.
        keys: whose count.
        signed: ids of those of them that have signed.
        is_former: they are the keys of the root before, which must agree to the next one.
    """

    role: str
    keys: RoleKeys
    signed: frozenset[str]
    is_former: bool = False

    @property
    def missing(self) -> int:
        """How many more it needs."""
        return max(0, self.keys.threshold - len(self.signed))

    @property
    def sentence(self) -> str:
        """How far it has come: ``root: 1 of 2 signatures by the keys before, of ab12.. (signed), cd34..``."""
        listed = [key_id[:16] + " (signed)" * (key_id in self.signed) for key_id in sorted(self.keys.by_id)]
        whose = " by the keys before" if self.is_former else ""
        return f"{self.role} has {len(self.signed)} of {self.keys.threshold} signatures{whose}, of {', '.join(listed)}"


@dataclass(frozen=True, slots=True)
class Examined:
    """A request of which everything was proved that can be proved before it is signed.

    Attributes:
        request: it.
        fingerprint: of the registry's first root: what people compare.
        fingerprints: of every root up to the one before.
        before, after: by role, all of `DOCUMENTS`.
        needs: in the order of the documents.
        is_sealed: whether one of the registry's online keys vouches for purpose and serial.
    """

    request: SigningRequest
    fingerprints: tuple[str, ...]
    before: Mapping[str, DocumentFacts]
    after: Mapping[str, DocumentFacts]
    needs: tuple[Need, ...]
    is_sealed: bool

    @property
    def fingerprint(self) -> str:
        """The first root's."""
        return self.fingerprints[0]

    @property
    def missing(self) -> tuple[Need, ...]:
        """What stands between the request and being applied."""
        return tuple(one for one in self.needs if one.missing)

    def keys(self, role: str) -> tuple[RoleKeys, RoleKeys]:
        """Give whose signatures count for one of the seven roles, before and after."""
        delegator = NAMED_IN[role]
        return self.before[delegator].delegates[role], self.after[delegator].delegates[role]


def examine(request: SigningRequest) -> Examined:
    """Prove what a request says.

    Raises:
        SigningRequestRefusedError: something of it does not follow from the state that it starts from, does not fit
            together, or is signed by a key that it is not for.
    """
    try:
        chain, fingerprints = _walk(request)
        before = _facts_before(request.base, chain)
        after = _facts_after(request, before)
        needs = _needs(request, before, after)
    except UntrustedMetadataError as error:
        raise SigningRequestRefusedError(error.fact) from None
    except ValueError as error:
        raise SigningRequestRefusedError(str(error)) from None
    online = {key for role in (SNAPSHOT, TIMESTAMP) for key in before[ROOT].delegates[role].public}
    is_sealed = request.has_seal_of(online)
    if request.seal is not None and not is_sealed:
        raise SigningRequestRefusedError("it was changed after it was made: its seal does not hold")
    return Examined(request, fingerprints, before, after, needs, is_sealed)


def require_known(examined: Examined, known_root: bytes) -> None:
    """Hold a request against a root that this machine believes.

    Raises:
        SigningRequestRefusedError: it is another registry's.
        SigningRequestOutdatedError: it starts from an older root, and is not what led to ours.
    """
    ours = Chain(known_root)
    fingerprints = examined.fingerprints
    if ROOT in examined.request.documents and ours.root_version == len(fingerprints) + 1:
        fingerprints = (*fingerprints, fingerprint_of(examined.request.documents[ROOT]))
    if ours.root_version > len(fingerprints):
        raise SigningRequestOutdatedError(
            f"it starts from root {len(examined.fingerprints)}, and root {ours.root_version} is known here"
        )
    if fingerprints[ours.root_version - 1] != ours.fingerprint:
        if ours.root_version > len(examined.fingerprints):
            raise SigningRequestOutdatedError(f"another root {ours.root_version} is known here")
        raise SigningRequestRefusedError(f"its root {ours.root_version} is not the one that is known here")


def _walk(request: SigningRequest) -> tuple[Chain, tuple[str, ...]]:
    first, *later = request.base.roots
    chain = Chain(first)
    facts = read_facts(ROOT, first)
    if facts.version != 1 or not is_signed(first, facts.delegates[ROOT]):
        raise ValueError("its first root is not root 1, signed by its own keys")
    if chain.identity.id != request.registry:
        raise ValueError(f"it names {quoted(request.registry)}, and its roots are of {quoted(chain.identity.id)}")
    fingerprints = [chain.fingerprint]
    for data in later:
        chain.advance_root(data)
        fingerprints.append(chain.fingerprint)
    return chain, tuple(fingerprints)


def _facts_before(base: Base, chain: Chain) -> dict[str, DocumentFacts]:
    found = {ROOT: read_facts(ROOT, chain.root_bytes)}
    if set(base.documents) != set(DOCUMENTS) - {ROOT}:
        raise ValueError("its base does not have targets, trust and bins, each once")
    for role in DOCUMENTS[1:]:
        data = base.documents[role]
        if not is_signed(data, found[NAMED_IN[role]].delegates[role]):
            raise ValueError(f"the {role} document of its base is not signed by the keys of {role}")
        found[role] = read_facts(role, data)
    for target, text in base.files.items():
        if found[TRUST].targets.get(target) != TargetFile.of(text.encode()):
            raise ValueError(f"its base holds a file {quoted(target)} that the registry does not have")
    return found


def _facts_after(request: SigningRequest, before: Mapping[str, DocumentFacts]) -> dict[str, DocumentFacts]:
    if not request.documents:
        raise ValueError("it changes nothing")
    if unknown := set(request.documents) - set(DOCUMENTS):
        raise ValueError(f"it wants a document of {quoted(min(unknown))} signed, which is none of {DOCUMENTS}")
    after = dict(before)
    for role, data in request.documents.items():
        facts = read_facts(role, data)
        if facts.version != before[role].version + 1:
            raise ValueError(f"its {role} has version {facts.version}, and {before[role].version} is the one before")
        after[role] = facts
    if after[ROOT].identity is None or after[ROOT].identity.id != request.registry:
        raise ValueError("its root is that of another registry")
    for role in DOCUMENTS[1:]:
        keys = after[NAMED_IN[role]].delegates[role]
        if role not in request.documents and not is_signed(request.base.documents[role], keys):
            raise ValueError(f"it gives {role} other keys, but no {role} document that they sign")
    _check_files(request, before[TRUST].targets, after[TRUST].targets)
    return after


def _check_files(request: SigningRequest, before: Mapping[str, TargetFile], after: Mapping[str, TargetFile]) -> None:
    """See that the texts of all that changes are there, new and old, and no others."""
    changed = {target for target, file in after.items() if before.get(target) != file}
    if set(request.files) != changed:
        raise ValueError("the files that it carries are not those that its role trust changes")
    for target, text in request.files.items():
        if TargetFile.of(text.encode()) != after[target]:
            raise ValueError(f"the file {quoted(target)} has not the bytes that its role trust lists")
    gone = set(before) - set(after)
    if set(request.base.files) != (changed & set(before)) | gone:
        raise ValueError("the files of its base are not those that it changes")


def _needs(
    request: SigningRequest, before: Mapping[str, DocumentFacts], after: Mapping[str, DocumentFacts]
) -> tuple[Need, ...]:
    found = []
    for role in DOCUMENTS:
        data = request.documents.get(role)
        if data is None:
            continue
        keys = after[NAMED_IN[role]].delegates[role]
        former = before[ROOT].delegates[ROOT]
        own = [Need(role, keys, signed_by(data, keys))]
        if role == ROOT and former != keys:
            own.insert(0, Need(role, former, signed_by(data, former), is_former=True))
        valid = frozenset().union(*(one.signed for one in own))
        if foreign := set(split_parts(data)[1]) - valid:
            raise ValueError(f"its {role} bears a signature by {quoted(min(foreign), 16)} that does not hold or count")
        found += own
    return tuple(found)


# --- signatures -------------------------------------------------------------------------------------------------------


def add_signatures(
    examined: Examined, signers: Iterable[SigningKey]
) -> tuple[SigningRequest, tuple[tuple[str, str], ...]]:
    """Sign every document that waits for one of `signers`.

    Returns:
        The request, and role and key id of each signature that was added.
    """
    documents = dict(examined.request.documents)
    added: list[tuple[str, str]] = []
    for signer in {one.public.hex: one for one in signers}.values():
        for role, data in documents.items():
            wanted = [one for one in examined.needs if one.role == role and signer.public.hex in one.keys.public]
            key_id = signer.public.key_id
            if wanted and not any(key_id in one.signed for one in wanted):
                documents[role] = sign_document(data, (signer,))
                added.append((role, key_id))
    return replace(examined.request, documents=documents), tuple(added)
