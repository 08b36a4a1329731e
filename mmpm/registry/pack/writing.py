"""Writes a pack: the list first, then its members, as one tar in one zstd frame (docs/formats.md, "Packs").

    contents of each registry -> files.jsonl and the patches, spooled beside the pack -> pack.json -> the stream

Rules: every byte that goes in was verified by the state that it belongs to. Equal states, bases and options give equal
bytes. Memory holds the rows of `contents`, then one patch, or one file and the compressor's window, never both.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from blake3 import blake3

from mmpm.registry.pack.entries import (
    FILES,
    MIRROR_JSON,
    PackedFile,
    Patch,
    patch_member,
    read_entries,
    registry_of_path,
)
from mmpm.registry.pack.format import HEAD, WINDOW_LOG, PackedRegistry, PackHead
from mmpm.registry.pack.patching import group, make_patch
from mmpm.registry.verified import TreeFile
from mmpm_store.canonical import member_header
from mmpm_store.durable import no_space_named
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mmpm.registry.pack.contents import Contents, Part
    from mmpm.registry.pack.entries import PatchBase
    from mmpm.registry.pack.volumes import PackSink

FULL_LEVEL: Final = 10
"""Of zstd, for what travels whole."""
SMALL_LEVEL: Final = 19
SMALL_BYTES: Final = 4 << 20
"""A tar up to this size, mostly lists of hashes, gets the smaller level's time back in bytes."""
_LAZY_LEVELS: Final = range(7, 13)
_HASH_LOG: Final = 23
_MIN_MATCH: Final = 6
"""At those levels a table for eight million places and matches from six bytes on find the version before across the
whole window: 4 % smaller at the same time (benchmarks/test_packs.py)."""
PATCH_LEVEL: Final = 19
"""Of zstd, for patches, which are small."""
_BLOCK: Final = 512
_MODE: Final = 0o444
_END: Final = bytes(2 * _BLOCK)
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """How a pack is written.

    Attributes:
        level: of zstd for what travels whole; None: 10, or 19 for a small pack.
        mirror: ``mirror.json`` of the registries in it.
        policy: a signed policy that travels with it, or None.
    """

    mirror: bytes
    level: int | None = None
    policy: bytes | None = None


@dataclass(slots=True)
class Tally:
    """What went in, by kind of file: how many, their bytes, and of patches the bytes of the members."""

    files: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    patch_bytes: int = 0

    def count(self, part: Part) -> None:
        """Count one file."""
        self.files[part.kind] = self.files.get(part.kind, 0) + 1
        self.bytes[part.kind] = self.bytes.get(part.kind, 0) + part.file.length


@dataclass(frozen=True, slots=True)
class Written:
    """A pack that was written.

    Attributes:
        head: its ``pack.json``.
        tally: what is in it.
        length: bytes of the pack, compressed.
        names: the files that it is, in order; the list of volumes last.
    """

    head: PackHead
    tally: Tally
    length: int
    names: tuple[str, ...]


def write_pack(
    contents: Sequence[Contents],
    options: Options,
    sink: PackSink,
    *,
    spool: str,
    on_bytes: Callable[[int], None] = lambda _size: None,
) -> Written:
    """Write a pack into `sink`, which is finished with it.

    Args:
        contents: sorted by registry, none twice; emptied on the way.
        options: how.
        sink: takes the stream.
        spool: a folder for temporary files without names; the pack's own has the room.
        on_bytes: told how many bytes more of the files were read.

    Raises:
        MissingTreeFileError, RegistryUntrustedError: the sender's tree is damaged; nothing is shown.
        NoSpaceError: the disk is full; nothing is shown.
    """
    with (
        no_space_named(spool),
        tempfile.TemporaryFile(dir=spool) as lines,
        tempfile.TemporaryFile(dir=spool) as patches,
    ):
        writer = _Writer(contents, options, lines, patches, on_bytes)
        head = writer.write_list()
        writer.stream(head, sink)
        return Written(head, writer.tally, sink.length, sink.finish(head.id))


class _Writer:
    """The two passes over what goes in: its list (and patches), then its members."""

    def __init__(
        self,
        contents: Sequence[Contents],
        options: Options,
        lines: BinaryIO,
        patches: BinaryIO,
        on_bytes: Callable[[int], None],
    ) -> None:
        self.tally = Tally()
        self._contents = {one.registry_id: one for one in contents}
        self._options = options
        self._lines = lines
        self._patches = patches
        self._on_bytes = on_bytes
        self._hash = blake3()
        self._length = self._files = self._size = self._member_bytes = self._patch_count = 0
        self._texts = {MIRROR_JSON: options.mirror}
        if options.policy is not None:
            self._texts["policy.json"] = options.policy

    # ---- the list

    def write_list(self) -> PackHead:
        """Write the list into the spool, make the patches, and give the head."""
        from mmpm.registry.pack.contents import text_part

        for path in sorted(self._texts):
            self._whole(text_part("note", path, self._texts[path]))
        registries = []
        for one in self._contents.values():
            files, size = self._files, self._size
            for part in one.whole():
                self._whole(part)
            for parts in group(one.patched()):
                self._patch(parts)
            registries.append(_registry(one, self._files - files, self._size - size))
            self._texts.update(one.texts)
            one.forget()
        return PackHead(
            registries=tuple(registries),
            list_length=self._length,
            list_id=ObjectId(self._hash.hexdigest()),
            files=self._files,
            size=self._size,
            makes_listings=any(one.receiver is not None for one in self._contents.values()),
        )

    def _whole(self, part: Part) -> None:
        self._line(part.file.to_line())
        self._member_bytes += _member_length(part.file.path, part.file.length)
        self._count(part)

    def _patch(self, parts: Sequence[Part]) -> None:
        self._patch_count += 1
        member = patch_member(self._patch_count)
        patch, data = make_patch(member, parts, self._read, self._read_base, PATCH_LEVEL)
        self._patches.write(data)
        self._line(patch.to_lines())
        self._member_bytes += _member_length(member, len(data))
        self.tally.patch_bytes += len(data)
        for part in parts:
            self._count(part)

    def _line(self, line: bytes) -> None:
        self._lines.write(line)
        self._hash.update(line)
        self._length += len(line)

    def _count(self, part: Part) -> None:
        self._files += 1
        self._size += part.file.length
        self.tally.count(part)

    # ---- the stream

    def stream(self, head: PackHead, sink: PackSink) -> None:
        """Write the frame: head, list, members."""
        import zstandard

        text = head.to_bytes()
        total = _member_length(HEAD, len(text)) + _member_length(FILES, self._length) + self._member_bytes + len(_END)
        level = self._options.level or (FULL_LEVEL if total > SMALL_BYTES else SMALL_LEVEL)
        finer = {"hash_log": _HASH_LOG, "min_match": _MIN_MATCH} if level in _LAZY_LEVELS else {}
        parameters = zstandard.ZstdCompressionParameters.from_level(
            level, source_size=total, window_log=WINDOW_LOG, write_content_size=1, write_checksum=1, **finer
        )
        packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=total)
        for piece in self._tar(text):
            sink.write(packer.compress(piece))
        sink.write(packer.flush())

    def _tar(self, head: bytes) -> Iterator[bytes]:
        yield from _member(HEAD, len(head), [head])
        yield from _member(FILES, self._length, _pieces(self._lines))
        self._lines.seek(0)
        self._patches.seek(0)
        for entry in read_entries(self._lines):
            if isinstance(entry, Patch):
                yield from _member(entry.member, entry.length, [self._patches.read(entry.length)])
            else:
                yield from _member(entry.path, entry.length, [self._read(entry)])
        yield _END

    def _read(self, file: PackedFile) -> bytes:
        self._on_bytes(file.length)
        found = self._texts.get(file.path)
        return self._verified(file.path, file.length, file.proof) if found is None else found

    def _read_base(self, base: PatchBase) -> bytes:
        place = registry_of_path(base.path)
        assert place is not None
        one = self._contents[place[0]]
        file = one.unnamed_bases.get(base.path)
        if file is not None:
            return one.state.bytes_of(file)
        return self._verified(base.path, base.length, PackedFile(base.path, base.length).proof)

    def _verified(self, path: str, length: int, proof: tuple[str, str]) -> bytes:
        place = registry_of_path(path)
        assert place is not None
        registry, inner = place
        kind, digits = proof
        if kind == "blake3":
            file = TreeFile(inner, length, object_id=ObjectId(digits))
        else:
            file = TreeFile(inner, length, sha256=digits)
        return self._contents[registry].state.bytes_of(file)


def _registry(one: Contents, files: int, size: int) -> PackedRegistry:
    return PackedRegistry(
        id=one.registry_id,
        roots=one.roots,
        serial=one.state.serial,
        issued=one.state.issued,
        base=None if one.receiver is None else one.receiver.base,
        select="all" if one.chosen.releases is None else "releases",
        releases=one.releases,
        formulas=one.formulas,
        files=files,
        size=size,
    )


def _member_length(name: str, length: int) -> int:
    return len(member_header(name, length, _MODE)) + length + -length % _BLOCK


def _member(name: str, length: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield member_header(name, length, _MODE)
    yield from pieces
    if length % _BLOCK:
        yield bytes(-length % _BLOCK)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    return iter(lambda: file.read(_PIECE), b"")
