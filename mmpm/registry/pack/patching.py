"""Makes patches: files of a pack, compressed with what the receiver has of them as the dictionary.

Many files go into one patch: they share its dictionary, which ends with the patch's own lines of ``files.jsonl``, and
the statistics of its one frame. So a hash that stands in a path costs nothing again in the document that names it, and
a version of a file costs little beside the others. A patch is cut at `TARGET_BYTES`, which both sides hold in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mmpm.registry.pack.entries import MAX_PATCH_FILES, PackedFile, Patch, PatchBase
from mmpm.registry.pack.format import WINDOW_LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mmpm.registry.pack.contents import Part

TARGET_BYTES: Final = 4 << 20
"""Of the bases of one patch, and of its files."""
_SMALLEST_WINDOW_LOG: Final = 10


def group(parts: Iterable[Part]) -> Iterator[Sequence[Part]]:
    """Cut parts into what goes into one patch each, in order."""
    gathered: list[Part] = []
    bases: set[str] = set()
    base_bytes = content_bytes = 0
    for part in parts:
        new = [one for one in part.bases if one.path not in bases]
        more = sum(one.length for one in new)
        is_full = max(base_bytes + more, content_bytes + part.file.length) > TARGET_BYTES
        if gathered and (is_full or len(gathered) + len(bases) >= MAX_PATCH_FILES - 1):
            yield gathered
            gathered, bases, base_bytes, content_bytes = [], set(), 0, 0
            new, more = list(part.bases), sum(one.length for one in part.bases)
        gathered.append(part)
        bases.update(one.path for one in new)
        base_bytes, content_bytes = base_bytes + more, content_bytes + part.file.length
    if gathered:
        yield gathered


def make_patch(
    member: str,
    parts: Sequence[Part],
    read: Callable[[PackedFile], bytes],
    read_base: Callable[[PatchBase], bytes],
    level: int,
) -> tuple[Patch, bytes]:
    """Give a patch of `parts` and the bytes of its member.

    Args:
        member: its name.
        parts: one of what `group` gave.
        read: gives a file's verified bytes.
        read_base: gives a base's verified bytes.
        level: of zstd.
    """
    import zstandard

    bases = tuple(dict.fromkeys(base for part in parts for base in part.bases))
    patch = Patch(member, 0, bases, tuple(part.file for part in parts))
    dictionary = patch.dictionary([read_base(base) for base in bases])
    content = b"".join([read(file) for file in patch.files])
    window_log = max(_SMALLEST_WINDOW_LOG, (len(dictionary) + len(content)).bit_length())
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level,
        source_size=len(content),
        dict_size=len(dictionary),
        window_log=min(WINDOW_LOG, window_log),
        write_content_size=1,
        write_checksum=0,
        write_dict_id=0,
    )
    raw = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    packed = zstandard.ZstdCompressor(dict_data=raw, compression_params=parameters).compress(content)
    return Patch(member, len(packed), patch.bases, patch.files), packed
