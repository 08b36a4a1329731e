"""Changes of who signs for a registry: keys, thresholds, new terms, and what the role trust lists.

    RoleChange ──make_request──> SigningRequest ──signed here, or carried to the keys and back──> apply_request

Rule: every change of root, targets, trust or bins is a signing request, also one that is signed and published within a
moment. What is published was examined as a stranger would, and taken as a reader will (`mmpm.registry.commit`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mmpm.errors import SignaturesMissingError, SigningRequestOutdatedError, UntrustedMetadataError
from mmpm.registry import layout
from mmpm.registry.commit import Change, RoleDocument, commit
from mmpm.registry.key_folder import has_prepared_keys, settle_keys
from mmpm.registry.published import PublishedTree
from mmpm.registry.tree_writer import TreeWriter
from mmpm.trust.documents import is_signed, read_facts, split_parts, write_document
from mmpm.trust.facts import (
    BIN,
    DOCUMENTS,
    ROLES,
    ROOT,
    SNAPSHOT,
    TIMESTAMP,
    TRUST,
    TargetFile,
)
from mmpm.trust.metadata import expiry
from mmpm.trust.signing import add_signatures, examine, require_known
from mmpm.trust.signing_request import Base, SigningRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from mmpm.model.names import FormulaName
    from mmpm.registry.commit import Committing
    from mmpm.registry.key_folder import RegistryKeys
    from mmpm.trust.facts import DocumentFacts, RoleKeys
    from mmpm.trust.signing import Examined


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What shall become of the roles; what is not named stays.

    Attributes:
        keys: by role, whose signatures count from now on.
        renew: of `DOCUMENTS`, those that get a new version with a new term.
        files: targets of the role trust with their new text; None takes one out.
        purpose: sentences for whoever signs.
    """

    keys: Mapping[str, RoleKeys] = field(default_factory=dict)
    renew: frozenset[str] = frozenset()
    files: Mapping[str, str | None] = field(default_factory=dict)
    purpose: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a request that was applied.

    Attributes:
        serial: that shows it.
        root_version: of the newest root.
        changed: False where the registry showed it already.
    """

    serial: int
    root_version: int
    changed: bool


def current_keys(base: PublishedTree) -> dict[str, RoleKeys]:
    """Give whose signatures count, by role, all seven."""
    return {role: base.chain.keys_of(role) for role in ROLES}


def current_facts(base: PublishedTree) -> dict[str, DocumentFacts]:
    """Give what the documents of root, targets, trust and bins say."""
    return {role: read_facts(role, _document(base, role)) for role in DOCUMENTS}


def make_request(base: PublishedTree, change: RoleChange, now: datetime) -> SigningRequest | None:
    """Give the documents of `change`, unsigned, with all that proves where they start from; None: nothing changes."""
    before = current_facts(base)
    keys = current_keys(base) | dict(change.keys)
    targets = dict(before[TRUST].targets)
    for target, text in change.files.items():
        if text is None:
            targets.pop(target, None)
        else:
            targets[target] = TargetFile.of(text.encode())
    documents: dict[str, bytes] = {}
    for role in DOCUMENTS:
        facts = before[role]
        delegates = {named: keys[named] for named in facts.delegates}
        listed = targets if role == TRUST else facts.targets
        same = delegates == facts.delegates and listed == facts.targets and role not in change.renew
        # A root is signed by the keys before it as well; any other document stands as long as enough of its keys do.
        if same and (role == ROOT or is_signed(_document(base, role), keys[role])):
            continue
        new = replace(facts, version=facts.version + 1, expires=expiry(role, now), delegates=delegates, targets=listed)
        documents[role] = write_document(new)
    if not documents:
        return None
    changed = {target for target, file in targets.items() if before[TRUST].targets.get(target) != file}
    replaced = {*changed, *(set(before[TRUST].targets) - set(targets))} & set(before[TRUST].targets)
    return SigningRequest(
        base.chain.identity.id,
        change.purpose,
        Base(
            base.serial,
            base.roots(),
            {role: _document(base, role) for role in DOCUMENTS[1:]},
            {target: _text(base, target) for target in replaced},
        ),
        documents,
        {target: str(change.files[target]) for target in changed},
    )


def sign_request(request: SigningRequest, keys: RegistryKeys) -> SigningRequest:
    """Give the request signed by those of `keys` that it waits for, and sealed where one of them can."""
    examined = examine(request)
    every = {one.public.hex: one for several in keys.signers.values() for one in several}
    if request.seal is None:
        online = {public for role in (TIMESTAMP, SNAPSHOT) for public in examined.before[ROOT].delegates[role].public}
        sealing = next((every[public] for public in sorted(online) if public in every), None)
        if sealing is not None:
            examined = examine(request.sealed(sealing))
    return add_signatures(examined, every.values())[0]


def apply_request(root: str, request: SigningRequest, how: Committing) -> Applied:
    """Publish what a complete request asks for; where it is published already, only tidy up after it.

    Args:
        root: the tree's folder.
        request: signed by as many keys as every document needs.
        how: keys (those that were prepared for it included), time and limits.

    Raises:
        SignaturesMissingError: it is not complete.
        SigningRequestRefusedError: it is not this registry's, or does not hold.
        SigningRequestOutdatedError: the registry has moved on.
    """
    examined = examine(request)
    require_known(examined, how.keys.root)
    if examined.missing:
        raise SignaturesMissingError([one.sentence for one in examined.missing])
    edit = _Rotation(examined)
    with TreeWriter(root) as writer:
        try:
            serial = commit(writer.root, how, edit, writer)
        except UntrustedMetadataError as error:
            if edit.fits:  # what it says of itself holds; what was published meanwhile does not go with it
                raise SigningRequestOutdatedError(error.fact) from None
            raise
    after = PublishedTree.load(root, how.keys.root)
    if how.key_folder:
        retire = [role for role in ROLES if examined.keys(role)[0] != examined.keys(role)[1]]
        finish_rotation(after, how.key_folder, retire)
    return Applied(serial, after.chain.root_version, edit.fits)


def finish_rotation(base: PublishedTree, key_folder: str, retire: Iterable[str] = ()) -> None:
    """Put the keys that the registry names by now into their places; nothing where none wait and none are `retire`."""
    retire = tuple(retire)
    if retire or has_prepared_keys(key_folder):
        settle_keys(key_folder, current_keys(base), base.chain.root_bytes, retire=retire)


class _Rotation:
    """The edit that shows the documents of a request."""

    def __init__(self, examined: Examined) -> None:
        self._examined = examined
        self.fits = False

    def prepare(self, base: PublishedTree, serial: int, writer: TreeWriter) -> Change:  # noqa: ARG002 - the protocol's
        """Hold the request against the state, and give its documents and files."""
        self.fits = False
        request = self._examined.request
        if all(_same(_document(base, role), data) for role, data in request.documents.items()):
            return Change()
        for role in request.documents:
            started = request.base.roots[-1] if role == ROOT else request.base.documents[role]
            if not _same(_document(base, role), started):
                version = read_facts(role, _document(base, role)).version
                raise SigningRequestOutdatedError(
                    f"it starts from {role} {self._examined.before[role].version}, and {role} {version} is published"
                )
        for target, text in request.files.items():
            data = text.encode()
            writer.prepare(layout.hashed(target, TargetFile.of(data).sha256), (data,))
        self.fits = True
        documents = {
            role: RoleDocument(self._examined.after[role].version, data)
            for role, data in request.documents.items()
            if role != ROOT
        }
        roots = (request.documents[ROOT],) if ROOT in request.documents else ()
        before, after = self._examined.keys(BIN)
        every_bin = not set(before.public) <= set(after.public) or after.threshold > before.threshold
        return Change({}, documents, roots, every_bin)

    def names(self) -> Iterable[FormulaName]:
        """Give no formula."""
        return ()

    def write_aliases(self, base: PublishedTree, writer: TreeWriter) -> None:
        """Do nothing: no unsigned copy tells of roles."""


def _document(base: PublishedTree, role: str) -> bytes:
    return base.chain.root_bytes if role == ROOT else base.role_bytes(role)


def _same(one: bytes, other: bytes) -> bool:
    return split_parts(one)[0] == split_parts(other)[0]


def _text(base: PublishedTree, target: str) -> str:
    return (base.target(target) or b"").decode()
