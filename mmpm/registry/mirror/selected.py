"""What lies at the head of a mirror: ``mirror.json``, for whoever keeps it.

    mirror.json                         of each registry its selection, where it comes from, and its root key
    mirrors/<registry id>/              its tree
    mirrors/<registry id>/mirrored.json which releases lie there, for readers (`mmpm.registry.mirrored`)

Rule: it is advisory. A root key that stands here is believed nowhere: what this machine accepted is in its trust state.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from mmpm.errors import MirrorUnreadableError
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.model.names import FormulaName, RegistryId
from mmpm.model.references import Requirement
from mmpm.model.versions import Version
from mmpm.registry.destination import read_plain
from mmpm.registry.mirror.selection import LockSelection, Picked, Selection
from mmpm.registry.mirrored import FORMAT, MAX_MIRROR_BYTES, MIRROR_JSON, MIRRORS
from mmpm.trust.facts import is_sha256
from mmpm_store.durable import write_file_durably

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class MirroredRegistry:
    """What ``mirror.json`` says of one registry.

    Attributes:
        selection: what is carried.
        origins: where it comes from, in order: URLs and absolute folders.
        root: the fingerprint of its first root, 64 hex digits; advisory.
    """

    selection: Selection
    origins: tuple[str, ...]
    root: str


@dataclass(frozen=True, slots=True)
class Mirror:
    """What ``mirror.json`` says."""

    registries: Mapping[str, MirroredRegistry] = field(default_factory=dict)

    def having(self, registries: Mapping[str, MirroredRegistry]) -> Mirror:
        """Give this mirror with `registries` in it."""
        return replace(self, registries={**self.registries, **registries})

    def to_bytes(self) -> bytes:
        """Give the document."""
        listed = {registry: _to_json(one) for registry, one in self.registries.items()}
        return canonical_json({"format": FORMAT, "registries": listed}) + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the document.

        Raises:
            ValueError: it is not one.
        """
        fields = Fields(parse_json(data, MIRROR_JSON, max_depth=None), MIRROR_JSON)
        fields.require_format(FORMAT)
        listed = fields.table("registries")
        return cls({str(RegistryId.parse(registry)): _read_registry(one) for registry, one in listed.items()})


def _to_json(one: MirroredRegistry) -> dict[str, object]:
    locks = [
        {"name": lock.name, "releases": [[picked.name, picked.version, picked.checksum] for picked in lock.releases]}
        for lock in one.selection.locks
    ]
    return {
        "select": "all" if one.selection.everything else "releases",
        "locks": locks,
        "only": list(one.selection.only),
        "from": list(one.origins),
        "root": f"sha256:{one.root}",
    }


def _read_registry(value: object) -> MirroredRegistry:
    fields = Fields(value, f"a registry of {MIRROR_JSON}")
    select = fields.text("select")
    if select not in {"all", "releases"}:
        raise ValueError(f"{MIRROR_JSON}: select is neither all nor releases")
    only = fields.texts("only")
    for text in only:
        Requirement.parse(text)
    root = fields.text("root", 80).removeprefix("sha256:")
    if not is_sha256(root):
        raise ValueError(f"{MIRROR_JSON}: root is no fingerprint")
    locks = tuple(_read_lock(lock) for lock in fields.items("locks"))
    return MirroredRegistry(Selection(select == "all", locks, only), fields.texts("from"), root)


def _read_lock(value: object) -> LockSelection:
    fields = Fields(value, f"a lock of {MIRROR_JSON}")
    picked = []
    for row in fields.items("releases"):
        if not (isinstance(row, list) and len(row) == 3 and all(isinstance(one, str) for one in row)):
            raise ValueError(f"{MIRROR_JSON}: a release is not [name, version, checksum]")
        picked.append(Picked(str(FormulaName.parse(row[0])), str(Version.parse(row[1])), row[2]))
    return LockSelection(fields.text("name"), tuple(picked))


def read_mirror(folder: str) -> Mirror | None:
    """Give what ``mirror.json`` in `folder` says, or None where there is none.

    Raises:
        MirrorUnreadableError: it is not what we write.
    """
    data = read_plain(f"{folder}/{MIRROR_JSON}", MAX_MIRROR_BYTES)
    if data is None:
        return None
    try:
        return Mirror.parse(data)
    except ValueError as error:
        raise MirrorUnreadableError(folder, MIRROR_JSON, str(error)) from None


def write_mirror(folder: str, mirror: Mirror) -> None:
    """Write ``mirror.json``, by one rename."""
    write_file_durably(f"{folder}/{MIRROR_JSON}", mirror.to_bytes())


def tree_folder(folder: str, registry_id: str) -> str:
    """Give the folder of a registry's tree in the mirror `folder`."""
    return os.path.join(folder, MIRRORS, str(RegistryId.parse(registry_id)))


def trees_in(folder: str) -> list[str]:
    """Give the ids of the registries whose trees lie in a mirror, sorted; what is no id of one is left out."""
    try:
        entries = [entry.name for entry in os.scandir(f"{folder}/{MIRRORS}") if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in entries if _is_id(name))


def _is_id(name: str) -> bool:
    try:
        return str(RegistryId.parse(name)) == name
    except ValueError:
        return False
