"""Reads a pack as a stream: its head, then every member, each checked before it is given on.

Rules: nothing here is believed beyond "these are the bytes that the writer put in"; what they may be used for is
decided by the signed metadata. Members come exactly in the order of ``files.jsonl``, each of the length that stands
there, so that none is hidden, doubled or oversized; memory holds one member at a time. A refusal names the member, and
may come after the last one: nothing that came of a pack may be shown before `PackReader.members` has ended.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from mmpm.errors import PackRefusedError
from mmpm.registry.pack.entries import FILES, Entry, PackedFile, Patch, read_entries
from mmpm.registry.pack.format import HEAD, MAX_HEAD_BYTES, WINDOW_LOG, PackHead
from mmpm_store.archive import read_archive
from mmpm_store.errors import ArchiveError
from mmpm_store.ids import ObjectId
from mmpm_store.tar import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

MAX_MEMBER_BYTES: Final = 64 << 20
"""The longest file that a tree may have (`MAX_OBJECT_BYTES`, `MAX_DOCUMENT_BYTES`)."""
MAX_LIST_BYTES: Final = 256 << 20
"""Of ``files.jsonl``, which is held in memory: a million and a half files."""
_LIMITS: Final = Limits(
    # What may come out in all is bounded by the list, which the head counts; and each member by its line.
    total_bytes=1 << 48,
    file_bytes=MAX_LIST_BYTES,
    members=1 << 24,
    ratio=2000,
    ratio_free_bytes=64 << 20,
    window_bytes=1 << WINDOW_LOG,
)


class PackReader:
    """One pack that is read from its beginning to its end, once.

    Args:
        stream: of the pack's bytes; volumes are joined already.
        name: of the pack, for messages.

    Raises:
        PackRefusedError: it is no pack, or its head is not what it should be.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.name = name
        self._expected: tuple[str, int, int] = (HEAD, 0, MAX_HEAD_BYTES)
        try:
            self._files = read_archive(stream, _LIMITS, self._admit)
        except ArchiveError as error:
            raise self._refused(error.fact) from None
        self.head_bytes = self._next()
        self.head = self._parse_head()
        self._list: bytes | None = None

    def list_bytes(self) -> bytes:
        """Give ``files.jsonl``, whose hash stands in the head.

        Raises:
            PackRefusedError: it is another.
        """
        if self._list is None:
            length = self.head.list_length
            if length > MAX_LIST_BYTES:
                raise PackRefusedError(self.name, f"is longer than {MAX_LIST_BYTES} bytes", FILES)
            self._expected = (FILES, length, length)
            self._list = self._next()
            if ObjectId.of(self._list) != self.head.list_id:
                raise PackRefusedError(self.name, f"is not the one that {HEAD} names", FILES)
        return self._list

    def members(self) -> Iterator[tuple[Entry, bytes]]:
        """Give each entry of the list with the bytes of its member: of a file its own, checked; of a patch the frame.

        Raises:
            PackRefusedError: anything is wrong, if need be after the last member.
        """
        for entry in entries_of(self.head, self.list_bytes(), self.name):
            name = entry.path if isinstance(entry, PackedFile) else entry.member
            self._expected = (name, entry.length, entry.length)
            data = self._next()
            if isinstance(entry, PackedFile) and not is_proved(entry, data):
                raise PackRefusedError(self.name, "is damaged: its bytes are not the ones listed", name)
            yield entry, data
        self._expected = ("", 0, 0)
        try:
            following = next(self._files, None)
        except ArchiveError as error:
            raise self._refused(error.fact) from None
        assert following is None

    def _parse_head(self) -> PackHead:
        try:
            return PackHead.parse(self.head_bytes)
        except ValueError as error:
            raise PackRefusedError(self.name, str(error)) from None

    def _next(self) -> bytes:
        name = self._expected[0]
        try:
            file = next(self._files, None)
        except ArchiveError as error:
            raise self._refused(error.fact) from None
        if file is None:
            raise PackRefusedError(self.name, "is missing: the pack ends before it", name)
        return file.data

    def _admit(self, path: str, size: int) -> None:
        name, least, most = self._expected
        if path != name:
            reason = f"is not expected here, but {name}" if name else "is not in the list of its files"
            raise PackRefusedError(self.name, reason, path)
        if not least <= size <= most:
            raise PackRefusedError(self.name, f"has {size} bytes, and not as many as it may", name)

    def _refused(self, fact: str) -> PackRefusedError:
        reason = f"cannot be unpacked: {fact.removeprefix('archive refused: ')}"
        near = self._expected[0]
        if near and "member " not in reason:
            reason += f" (at {near})"
        return PackRefusedError(self.name, reason)


def entries_of(head: PackHead, listing: bytes, name: str) -> Iterator[Entry]:
    """Give the entries of ``files.jsonl``, held against what the head says of them all.

    Raises:
        PackRefusedError: it is malformed, lists a file twice, or not as many as the head says.
    """
    seen: set[bytes] = set()
    files = size = 0
    try:
        for entry in read_entries(io.BytesIO(listing)):
            for file in (entry,) if isinstance(entry, PackedFile) else entry.files:
                key = hashlib.blake2b(file.path.encode(), digest_size=16).digest()
                if key in seen:
                    raise PackRefusedError(name, "is listed twice", file.path)
                seen.add(key)
                if file.length > MAX_MEMBER_BYTES:
                    raise PackRefusedError(name, f"is longer than {MAX_MEMBER_BYTES} bytes", file.path)
                files += 1
                size += file.length
            if files > head.files or size > head.size:
                break
            yield entry
    except ValueError as error:
        raise PackRefusedError(name, str(error)) from None
    if (files, size) != (head.files, head.size):
        raise PackRefusedError(name, f"lists other files than {HEAD} counts", FILES)


def is_proved(file: PackedFile, data: bytes) -> bool:
    """Whether `data` is what the pack's list says of `file`."""
    if len(data) != file.length:
        return False
    kind, digits = file.proof
    return (blake3(data) if kind == "blake3" else hashlib.sha256(data)).hexdigest() == digits


def unpatch(name: str, patch: Patch, frame: bytes, bases: Sequence[bytes]) -> Iterator[tuple[PackedFile, bytes]]:
    """Give the files that come out of a patch, each proved by its own hash.

    Args:
        name: of the pack, for messages.
        patch: its entry.
        frame: the bytes of its member.
        bases: the bytes of `patch.bases`, in order.

    Raises:
        PackRefusedError: it gives other files than are listed.
    """
    content = _unfold(name, patch, frame, patch.dictionary(bases))
    position = 0
    for file in patch.files:
        data = content[position : position + file.length]
        position += file.length
        if not is_proved(file, data):
            raise PackRefusedError(name, f"does not come out of {patch.member} as it is listed", file.path)
        yield file, data


def _unfold(name: str, patch: Patch, frame: bytes, dictionary: bytes) -> bytes:
    import zstandard

    length = patch.content_length
    try:
        parameters = zstandard.get_frame_parameters(frame)
        # Looked at before memory is taken: the library believes what a frame says of its own length.
        if parameters.content_size not in (length, zstandard.CONTENTSIZE_UNKNOWN):
            raise PackRefusedError(
                name, f"gives {parameters.content_size} bytes, and {length} are listed", patch.member
            )
        raw = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        reader = zstandard.ZstdDecompressor(dict_data=raw, max_window_size=1 << WINDOW_LOG)
        content = reader.decompress(frame, max_output_size=length, allow_extra_data=False)
    except zstandard.ZstdError:
        raise PackRefusedError(name, "is damaged, or made against other files than are here", patch.member) from None
    if len(content) != length:
        raise PackRefusedError(name, f"gives {len(content)} bytes, and {length} are listed", patch.member)
    return content
