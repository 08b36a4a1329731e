"""Actions on mirrors and packs."""

from __future__ import annotations

from dataclasses import dataclass

from mmpm.errors import counted, size_text


@dataclass(frozen=True, slots=True)
class ImportPacks:
    """Import packs into the mirror `folder`, or into this machine's store where that is empty.

    Attributes:
        packs: absolute paths of packs, volumes and lists of volumes; none tries those that wait.
        accepted: registry id and fingerprint (64 hex digits) of each root key that is accepted.
        brings: registry id, serial, files and bytes, as the packs say.
    """

    folder: str
    packs: tuple[str, ...]
    accepted: tuple[tuple[str, str], ...]
    brings: tuple[tuple[str, int, int, int], ...]

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        where = self.folder or "the store"
        told = ", ".join(
            f"{registry} serial {serial} ({counted(files, 'file')})" for registry, serial, files, _ in self.brings
        )
        return f"import into {where}: {told or 'packs whose volumes are not all here'}"


@dataclass(frozen=True, slots=True)
class ExportPack:
    """Write a pack.

    Attributes:
        source: the mirror's or the registry's folder.
        output: the pack's final name.
        base: file of an inventory or an acknowledgement, or a serial; empty: the pack needs nothing.
        serials: in place of it the serial of each registry that the receiver has, by registry.
        locks: lock files whose releases travel; with `only`: empty means all that the source carries.
        only: requirements whose releases travel.
        roots: fingerprints that the person was given.
        volume_bytes: exact size of each volume; None writes one file.
        level: of zstd; None chooses.
        releases, files, size: how many releases the receiver lacks, what travels and its bytes before compression.
    """

    source: str
    output: str
    base: str = ""
    serials: tuple[tuple[str, int], ...] = ()
    locks: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    volume_bytes: int | None = None
    level: int | None = None
    releases: int = 0
    files: int = 0
    size: int = 0

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return (
            f"write {self.output}: {counted(self.releases, 'release')}, {counted(self.files, 'file')}, "
            f"{size_text(self.size)} before compression"
        )


@dataclass(frozen=True, slots=True)
class WriteInventory:
    """Hash what lies in `folder` (a mirror or a registry; empty: this machine's store) and write that down."""

    folder: str
    output: str
    as_filter: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"write an inventory of {self.folder or 'the store'} to {self.output}"


@dataclass(frozen=True, slots=True)
class WriteAcknowledgement:
    """Hash what lies in the mirror `folder`, and sign with the person's key `key` that it is there."""

    folder: str
    output: str
    key: str
    roots: tuple[str, ...] = ()
    passphrase_file: str | None = None

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"write an acknowledgement of {self.folder} to {self.output}, signed by {self.key}"


MirrorAction = ImportPacks | ExportPack | WriteInventory | WriteAcknowledgement
