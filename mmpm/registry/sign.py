"""Detached signatures of publishers: made with a release, or added to one that is published already.

Rule: only a signature that verifies gets into a tree, whoever's key made it; whether it means anything is for
`publishers.json` to say, and for its readers to check again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import NotPublishedError, SignatureBadError, SignatureTakenError, SignatureUncheckedError
from mmpm.registry import history, layout
from mmpm.registry.commit import Change, Committing, commit
from mmpm.registry.indexing import prepare_index
from mmpm.registry.tree_writer import TreeWriter
from mmpm.trust.facts import TargetFile
from mmpm.trust.key_ids import OPENPGP, kind_of
from mmpm.trust.signatures import BAD, GOOD, Checked, check_signature, make_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release
    from mmpm.model.versions import Version
    from mmpm.registry.published import PublishedTree
    from mmpm.trust.keys import SigningKey
    from mmpm.trust.levels import Publishers

    Make = Callable[[Release, Publishers], tuple[str, bytes]]
    """Gives key id and file of a signature that verifies."""


@dataclass(frozen=True, slots=True)
class Countersigned:
    """What `add_signature` did; `changed` is False where that key had signed the release already."""

    serial: int
    key_id: str
    changed: bool


def signature_path(release: Release, key_id: str) -> str:
    """Give the file of a release's signature."""
    return layout.signature_file(release.checksum.hex, key_id, kind_of(key_id))


def sign_release(release: Release, key: SigningKey) -> tuple[str, bytes]:
    """Give path and bytes of the signature of `release` by an ed25519 key."""
    return signature_path(release, key.public.key_id), make_signature(release, key)


def require_room(writer: TreeWriter, release: Release, path: str, data: bytes) -> None:
    """Refuse a signature whose file is there with another one in it.

    A file is named by the payload and the key: the same bytes published under two names or versions can be signed by
    one key only once. See `docs/decisions/0012-marks-and-signatures.md`.

    Raises:
        SignatureTakenError: so it is.
    """
    try:
        with open(f"{writer.root}/{path}", "rb") as file:
            taken = file.read(len(data) + 1) != data
    except (FileNotFoundError, NotADirectoryError):
        return
    if taken:
        raise SignatureTakenError(str(release.name), str(release.version))


def with_key(key: SigningKey) -> Make:
    """Give what signs a release with an ed25519 key."""
    return lambda release, _publishers: (key.public.key_id, make_signature(release, key))


def with_openpgp(data: bytes, certificate: tuple[str, str] | None, now: datetime) -> Make:
    """Give what takes an OpenPGP signature that was made elsewhere.

    Args:
        data: the armored signature.
        certificate: fingerprint and text of whose it is; None tries those that the registry's publishers have.
        now: the machine's time.
    """

    def take(release: Release, publishers: Publishers) -> tuple[str, bytes]:
        listed = [key for one in publishers.publishers for key in one.keys if key.kind == OPENPGP]
        tried = [certificate] if certificate else [(key.key_id, key.public) for key in listed]
        found: list[Checked] = []
        for key_id, text in tried:
            checked = check_signature(release, key_id, data, certificate=text, now=now)
            if checked.state == GOOD:
                return key_id, data
            found.append(checked)
        bad = next((one for one in found if one.state == BAD), None)
        if certificate is None and (bad is not None or not found):
            reason = "it is of no OpenPGP key that the registry's publishers have"
            raise SignatureUncheckedError(str(release.name), str(release.version), reason)
        if bad is not None:
            raise SignatureBadError(str(release.name), str(release.version), bad.key_id, bad.reason)
        raise SignatureUncheckedError(str(release.name), str(release.version), found[0].reason)

    return take


def add_signature(
    root: str,
    name: FormulaName,
    version: Version,
    make: Make,
    how: Committing,
) -> Countersigned:
    """Add a signature to a release of the tree at `root`; a second one by the same key changes nothing.

    Args:
        root: the tree's folder.
        name: the formula.
        version: build metadata is ignored.
        make: gives key id and file; `with_key` or `with_openpgp`.
        how: keys, time and limits.

    Raises:
        NotPublishedError: there is no such release, or its bytes were taken down.
        SignatureBadError, SignatureUncheckedError: the signature does not verify, or cannot be checked here.
        SignatureTakenError: the key signed the same bytes under another name or version.
    """
    edit = _Countersignature(name, version, make)
    with TreeWriter(root) as writer:
        serial = commit(writer.root, how, edit, writer)
    return Countersigned(serial, edit.key_id, edit.changed)


class _Countersignature:
    """The edit that adds one signature."""

    def __init__(self, name: FormulaName, version: Version, make: Make) -> None:
        self._name = name
        self._version = version
        self._make = make
        self.key_id = ""
        self.changed = False

    def prepare(self, base: PublishedTree, serial: int, writer: TreeWriter) -> Change:
        """Prepare the signature's file, and the index that names it."""
        index = base.index(self._name)
        past = history.read_history(self._name, index, base.older_lines(index) if index else ())
        found = next((one for one in past if one.version.slot == self._version.slot), None)
        if index is None or found is None or found.tombstone:
            raise NotPublishedError(str(self._name), str(self._version))
        self.key_id, data = self._make(found, base.publishers())
        self.changed = self.key_id not in dict(found.signatures)
        if not self.changed:
            return Change()
        checked = check_signature(found, self.key_id, data)
        if checked.state == BAD:  # of OpenPGP, whose certificate is not at hand here, `make` saw to it
            raise SignatureBadError(str(self._name), str(found.version), self.key_id, checked.reason)
        path = signature_path(found, self.key_id)
        require_room(writer, found, path, data)
        writer.prepare(path, (data,))
        signatures = {**dict(found.signatures), self.key_id: TargetFile.of(data).sha256}
        later = {**dict(found.signed_later), self.key_id: serial}
        signed = replace(found, signatures=tuple(sorted(signatures.items())), signed_later=tuple(sorted(later.items())))
        targets: dict[str, TargetFile] = {}
        prepare_index(history.change(index, past, signed), writer, targets)
        return Change(targets)

    def names(self) -> Iterable[FormulaName]:
        """Give no formula: the unsigned copies say nothing of signatures."""
        return ()

    def write_aliases(self, base: PublishedTree, writer: TreeWriter) -> None:
        """Write none."""
