"""Packs put together by hand, right ones and wrong ones, for those who read them."""

from __future__ import annotations

import io
import json
import os
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import zstandard

from mmpm.registry import layout
from mmpm.registry.pack.entries import FILES, PackedFile, Patch, PatchBase, patch_member, proof_of_path, tree_path
from mmpm.registry.pack.format import HEAD, WINDOW_LOG, PackedRegistry, PackHead
from mmpm.trust.metadata import Chain
from mmpm_store.ids import ObjectId
from mmpm_store.tar import read_tar


@dataclass
class HandMade:
    """A pack in parts: change any of them, then take `data`.

    Attributes:
        members: behind the list, in order: entry, and the bytes of its member.
        head: made from the rest where None.
        listing: likewise.
    """

    registries: tuple[PackedRegistry, ...]
    members: list[tuple[PackedFile | Patch, bytes]] = field(default_factory=list)
    makes_listings: bool = False
    listing: bytes | None = None
    head: bytes | None = None

    def add(self, path: str, data: bytes) -> None:
        self.members.append((packed_file(path, data), data))

    def patch(self, bases: dict[str, bytes], files: dict[str, bytes]) -> None:
        number = 1 + sum(isinstance(entry, Patch) for entry, _ in self.members)
        listed = tuple(packed_file(path, data) for path, data in files.items())
        patch = Patch(
            patch_member(number), 0, tuple(PatchBase(path, len(data)) for path, data in bases.items()), listed
        )
        raw = zstandard.ZstdCompressionDict(patch.dictionary(bases.values()), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        frame = zstandard.ZstdCompressor(dict_data=raw).compress(b"".join(files.values()))
        self.members.append((replace(patch, length=len(frame)), frame))

    def list_bytes(self) -> bytes:
        if self.listing is not None:
            return self.listing
        return b"".join(
            entry.to_line() if isinstance(entry, PackedFile) else entry.to_lines() for entry, _ in self.members
        )

    def head_bytes(self) -> bytes:
        if self.head is not None:
            return self.head
        listing = self.list_bytes()
        files = [
            one for entry, _ in self.members for one in ([entry] if isinstance(entry, PackedFile) else entry.files)
        ]
        return PackHead(
            registries=self.registries,
            list_length=len(listing),
            list_id=ObjectId.of(listing),
            files=len(files),
            size=sum(one.length for one in files),
            makes_listings=self.makes_listings,
        ).to_bytes()

    def tar_members(self) -> list[tuple[str, bytes]]:
        named = [(entry.path if isinstance(entry, PackedFile) else entry.member, data) for entry, data in self.members]
        return [(HEAD, self.head_bytes()), (FILES, self.list_bytes()), *named]

    def data(self) -> bytes:
        return packed(self.tar_members())


def packed(members: list[tuple[str, bytes]]) -> bytes:
    """A tar.zst of these members, as they are."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            one = tarfile.TarInfo(name)
            one.size = len(data)
            one.mode = 0o444
            tar.addfile(one, io.BytesIO(data))
    parameters = zstandard.ZstdCompressionParameters(window_log=WINDOW_LOG, compression_level=3)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(out.getvalue())


def unpacked(data: bytes) -> list[tuple[str, bytes]]:
    """The members of a tar.zst, in order."""
    reader = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG).decompressobj()
    return [(one.path, one.data) for one in read_tar([reader.decompress(data)])]


def packed_file(path: str, data: bytes) -> PackedFile:
    import hashlib

    return PackedFile(path, len(data), None if proof_of_path(path) else hashlib.sha256(data).hexdigest())


def described(registry_id: str, tree: Path, **more: object) -> PackedRegistry:
    """What a pack's head says of the tree at `tree`, as it is."""
    stamp = json.loads((tree / layout.TIMESTAMP).read_bytes())["signed"]
    roots = [
        Chain((tree / layout.role_file("root", n)).read_bytes()).fingerprint
        for n in range(1, stamp["x-mmpm"]["root"] + 1)
    ]
    told: dict[str, object] = {
        "id": registry_id,
        "roots": tuple(roots),
        "serial": stamp["version"],
        "issued": stamp["x-mmpm"]["issued"],
        "base": None,
        "select": "all",
        "releases": 0,
        "formulas": 0,
        "files": 0,
        "size": 0,
    }
    return PackedRegistry(**(told | more))  # type: ignore[arg-type]


def full_pack(registry_id: str, tree: Path) -> HandMade:
    """Every signed file and object of a tree, without its unsigned copies."""
    made = HandMade((described(registry_id, tree),))
    for folder, _, names in sorted(os.walk(tree)):
        for name in sorted(names):
            path = str((Path(folder) / name).relative_to(tree))
            if not is_alias(path):
                made.add(tree_path(registry_id, path), (tree / path).read_bytes())
    return made


def is_alias(path: str) -> bool:
    """Whether a file of a tree is one of the unsigned copies, or somebody's preparations."""
    if path.startswith((".staging", "registry.json", "mirrored.json")):
        return True
    return path.startswith("formulas/") and layout.parse_hashed(path) is None
