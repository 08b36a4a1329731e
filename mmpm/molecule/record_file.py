"""A file of execution records, which is what a release of kind ``records`` holds: one digest a line, nothing else.

Rule: a line at a time. Whatever the file weighs, what stays of the lines before is at most what the caller keeps.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from mmpm.errors import printable
from mmpm.molecule.digest import MAX_DIGEST_BYTES, Digest, verify_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FORMULAS_TOLD: Final = 3
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One line of a file of records.

    Attributes:
        number: from 1.
        digest: what it says; None where it is not the one text of a digest that holds.
        reason: why not, a clause behind "line 7"; empty where it holds.
    """

    number: int
    digest: Digest | None
    reason: str = ""


def read_record_lines(file: BinaryIO | bytes) -> Iterator[RecordLine]:
    """Read a file of records; every digest that is given was verified against its own root.

    Args:
        file: open for reading, or its bytes.
    """
    stream = io.BytesIO(file) if isinstance(file, bytes) else file
    number = 0
    while line := stream.readline(MAX_DIGEST_BYTES + 1):
        number += 1
        if len(line) > MAX_DIGEST_BYTES and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(_CHUNK)
            yield RecordLine(number, None, f"has more than {MAX_DIGEST_BYTES} bytes")
            continue
        yield _read_line(number, line.removesuffix(b"\n"))


def _read_line(number: int, line: bytes) -> RecordLine:
    if not line.strip():
        return RecordLine(number, None, "is empty")
    try:
        digest = Digest.parse(line)
    except ValueError as error:
        return RecordLine(number, None, f"is no record: {error}")
    if not verify_digest(digest):
        return RecordLine(number, None, f"does not hold: what it says is not what its root {digest.root[:80]} says")
    return RecordLine(number, digest)


def write_records(digests: Iterable[Digest]) -> bytes:
    """Give the one file of these records: sorted by the time at which each ended, then by id and root."""
    ordered = sorted(digests, key=lambda one: (one.completed_at, one.id, one.root))
    return b"".join(one.to_bytes() + b"\n" for one in ordered)


@dataclass(slots=True)
class Summary:
    """What a person wants to know of a batch of records before reading them; fed one by one."""

    count: int = 0
    first: str = ""
    last: str = ""
    formulas: dict[str, None] = field(default_factory=dict)

    def add(self, digest: Digest) -> None:
        """Count one."""
        self.first = min(self.first or digest.completed_at, digest.completed_at)
        self.last = max(self.last, digest.completed_at)
        self.count += 1
        if len(self.formulas) <= _FORMULAS_TOLD:
            self.formulas.setdefault(digest.provenance.name)

    @property
    def sentence(self) -> str:
        """Give it as the description of a release."""
        names = list(self.formulas)
        told = ", ".join(printable(name, 80) for name in names[:_FORMULAS_TOLD])
        if len(names) > _FORMULAS_TOLD:
            told += " and others"
        when = self.first if self.first == self.last else f"{self.first} to {self.last}"
        return f"{self.count} execution record{'s' * (self.count != 1)} of {told}, {when}"
