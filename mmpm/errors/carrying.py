"""What can be wrong with mirrors and packs: what lies in them, and what is missing."""

from __future__ import annotations

from mmpm.errors.base import UNTRUSTED, MmpmError, printable, size_text


class MissingTreeFileError(MmpmError):
    """A registry's tree lacks a file that its signed metadata names."""

    code = "missing-tree-file"

    def __init__(self, registry: str, path: str, where: str = "") -> None:
        place = f" in {printable(where)}" if where else ""
        super().__init__(
            f"registry {printable(registry, 80)} lacks {printable(path)}{place}, which its signed metadata names",
            "run it again, in case it was being written; else bring that file with `mmpm mirror update` or a pack",
            {"registry": registry, "path": path, "where": where},
        )
        self.path = path


class NotMirroredError(MmpmError):
    """Files of releases that a registry lists are not carried by the mirrors at hand."""

    code = "not-mirrored"

    def __init__(self, names: list[str], registry: str, places: list[str]) -> None:
        some = ", ".join(printable(name, 80) for name in names[:5]) + (" ..." if len(names) > 5 else "")
        where = f" ({', '.join(map(printable, places[:3]))})" if places else ""
        owner = printable(registry, 80)
        super().__init__(
            f"{some}: listed by {owner}, but not mirrored here{where}",
            "have it mirrored where the mirror is filled (`mmpm mirror update`, or `mmpm mirror create` with one more "
            f"`--only`), or add another address of {owner} with `mmpm registry add`",
            {"names": names, "registry": registry, "places": places},
        )


class PackRefusedError(MmpmError):
    """A pack is damaged, or was never one; nothing of it is shown."""

    code = "pack-refused"
    exit_status = UNTRUSTED

    def __init__(self, pack: str, reason: str, member: str = "") -> None:
        where = f": {printable(member)}" if member else ""
        super().__init__(
            f"pack {printable(pack)}{where} {printable(reason)}",
            "nothing of it is shown; copy it again from where it was written, or write it again",
            {"pack": pack, "member": member, "reason": reason},
        )


class PackUnreadableError(MmpmError):
    """A pack cannot be read."""

    code = "pack-unreadable"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"pack {printable(path)} cannot be read: {printable(reason)}",
            "name a pack, one of its volumes, or its list of volumes",
            {"path": path, "reason": reason},
        )


class PackRootNotPinnedError(MmpmError):
    """A pack brings a registry whose root key nobody has accepted here."""

    code = "pack-root-not-pinned"
    exit_status = UNTRUSTED

    def __init__(self, registry: str, found: str, pack: str) -> None:
        super().__init__(
            f"no root key was accepted for registry {printable(registry, 80)}; pack {printable(pack)} says that it is "
            f"sha256:{printable(found, 80)}",
            "compare the key with whoever runs the registry, then import again with "
            f"`--root sha256:{printable(found, 80)}`",
            {"registry": registry, "found": found, "pack": pack},
        )


class BaseUnreadableError(MmpmError):
    """What a pack is to be cut against says nothing."""

    code = "base-unreadable"

    def __init__(self, base: str, reason: str, remedy: str = "") -> None:
        super().__init__(
            f"a pack cannot be cut against {printable(base)}: {printable(reason)}",
            remedy or "give an inventory or an acknowledgement of the far side, or the serial that it shows",
            {"base": base, "reason": reason},
        )


class NoRoomForPackError(MmpmError):
    """The disk that a pack is to be written to is too full; nothing was written."""

    code = "no-room-for-pack"

    def __init__(self, folder: str, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"the pack needs at least {size_text(needed_bytes)}, and {printable(folder)} has {size_text(free_bytes)}",
            "free some space there, or write it to another disk with `-o`",
            {"folder": folder, "needed_bytes": needed_bytes, "free_bytes": free_bytes},
        )
