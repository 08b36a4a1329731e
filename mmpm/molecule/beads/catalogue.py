"""The catalogue: records of several layers, the later layer over the earlier, whole record by id.

Rule: one bad line costs that line and nothing else. Time and memory grow with the text, never with its square.
Source: the seed's molecules.txt, "Molecule Storage"; beads documents the same order.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mmpm.molecule.beads.records import MAX_LINE_BYTES, PARENT_CHILD, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAX_RECORDS: Final = 250_000  # of one layer: more is no catalogue that somebody wrote
MAX_PROBLEMS: Final = 100  # of one layer: the rest is counted
_MARK: Final = b"\xef\xbb\xbf"  # some editors begin a UTF-8 file with it


@dataclass(frozen=True, slots=True)
class Layer:
    """The text of one `molecules.jsonl`.

    Attributes:
        name: ``built-in``, ``town``, ``user`` or ``project``.
        path: of its file, as messages name it.
    """

    name: str
    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was skipped, and why; line 0 is the file as a whole."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        """Give it as a sentence."""
        return f"{self.path}, line {self.line}: {self.reason}" if self.line else f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A record and where it comes from.

    Attributes:
        layer: the name of its layer.
        path: of the file it stands in.
        line: its number there, from 1.
        overrides: names of the layers whose record of the same id it replaces, the lowest first.
    """

    record: Record
    layer: str
    path: str
    line: int
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be bonded here, and its steps.

    Attributes:
        entries: by id, in the order in which ids were first seen; tombstones are not among them.
        problems: what was skipped, in the order of layers and lines.
        below: ids of the children of an id, in the order of their work; each id is below one other at most.
    """

    entries: Mapping[str, Entry]
    problems: tuple[BadLine, ...]
    below: Mapping[str, tuple[str, ...]]

    def get(self, record_id: str) -> Entry | None:
        """Give the record of that id with its layer; None where there is none, or a tombstone hides it."""
        return self.entries.get(record_id)

    def children(self, record_id: str) -> tuple[Entry, ...]:
        """Give the records directly below an id, in the order in which they are worked on."""
        return tuple(self.entries[child] for child in self.below.get(record_id, ()))

    def tree(self, record_id: str) -> Iterator[tuple[int, Entry]]:
        """Give a record and all below it with their depths, from 0, parents before their children.

        Each id comes once, also where records are parents of each other. Nothing where there is no such record.
        """
        seen: set[str] = set()
        waiting = [(0, record_id)] if record_id in self.entries else []
        while waiting:
            depth, current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            yield depth, self.entries[current]
            waiting.extend((depth + 1, child) for child in reversed(self.below.get(current, ())))

    def templates(self, labels: Iterable[str] = ()) -> tuple[Entry, ...]:
        """Give what can be bonded and bears all of `labels`, sorted by id."""
        wanted = set(labels)
        found = (
            entry
            for entry in self.entries.values()
            if entry.record.is_template and wanted.issubset(entry.record.labels)
        )
        return tuple(sorted(found, key=lambda entry: entry.record.id))


def load(layers: Sequence[Layer]) -> Catalogue:
    """Read the layers, the one that overrides last.

    Blank lines count for nothing; of two records with one id in one layer the last is taken, and it is said. A
    tombstone hides the records of its id in the layers before it.
    """
    entries: dict[str, Entry] = {}
    problems: list[BadLine] = []
    for layer in layers:
        for record_id, entry in _read(layer, problems).items():
            hidden = entries.get(record_id)
            over = (*hidden.overrides, hidden.layer) if hidden is not None else ()
            entries[record_id] = replace(entry, overrides=over) if over else entry
    shown = {record_id: entry for record_id, entry in entries.items() if not entry.record.is_tombstone}
    return Catalogue(shown, tuple(problems), _children(shown))


def lines_of(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Give number (from 1), start and end of each line, the line feed left out; no line is copied."""
    start, number = 0, 0
    while start < len(data):
        number += 1
        end = data.find(b"\n", start)
        if end < 0:
            end = len(data)
        yield number, start, end
        start = end + 1


class _Skipped:
    """Bad lines of one file: the first `MAX_PROBLEMS`, the rest counted."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: list[BadLine] = []
        self._more = 0

    def add(self, line: int, reason: str) -> None:
        if len(self._lines) < MAX_PROBLEMS:
            self._lines.append(BadLine(self._path, line, reason))
        else:
            self._more += 1

    def all(self) -> Iterator[BadLine]:
        yield from sorted(self._lines, key=lambda bad: bad.line)
        if self._more:
            yield BadLine(self._path, 0, f"{self._more} more lines like these were skipped")


def _read(layer: Layer, problems: list[BadLine]) -> dict[str, Entry]:
    """Give the records of one layer by id and tell what was skipped."""
    found: dict[str, Entry] = {}
    skipped = _Skipped(layer.path)
    for number, start, end in lines_of(layer.data):
        if end - start > MAX_LINE_BYTES:
            skipped.add(number, f"it has more than {MAX_LINE_BYTES} bytes")
            continue
        line = layer.data[start:end].removeprefix(_MARK if number == 1 else b"").strip()
        if not line:
            continue
        try:
            record = Record.parse(line)
        except ValueError as error:
            skipped.add(number, str(error))
            continue
        earlier = found.get(record.id)
        if earlier is not None:
            skipped.add(earlier.line, f"{record.id} stands again in line {number}, which is used")
        elif len(found) == MAX_RECORDS:
            skipped.add(number, f"a catalogue has at most {MAX_RECORDS} records; what follows is left out")
            break
        found[record.id] = Entry(record, layer.name, layer.path, number)
    problems.extend(skipped.all())
    return found


def _children(entries: Mapping[str, Entry]) -> dict[str, tuple[str, ...]]:
    """Give the children of each record that has any."""
    below: dict[str, list[str]] = {}
    for record_id, entry in entries.items():
        parent = _parent(entry.record, entries)
        if parent is not None:
            below.setdefault(parent, []).append(record_id)
    return {parent: _in_order(children, entries) for parent, children in below.items()}


def _parent(record: Record, entries: Mapping[str, Entry]) -> str | None:
    """Give the record that this one is a step of: by an edge, else the longest `<parent>.` that its id begins with."""
    for edge in record.dependencies:
        parent = edge.depends_on_id
        if edge.type == PARENT_CHILD and edge.issue_id == record.id and parent != record.id and parent in entries:
            return parent
    prefix, dot, _ = record.id.rpartition(".")
    while dot:
        if prefix in entries:
            return prefix
        prefix, dot, _ = prefix.rpartition(".")
    return None


def _in_order(siblings: Sequence[str], entries: Mapping[str, Entry]) -> tuple[str, ...]:
    """Order siblings so that what is waited for stands first; else by their numbers, else as they stand in the file.

    Kahn's algorithm. Siblings that wait for each other in a circle come last.
    """
    ranks = {sibling: (_number(sibling), position) for position, sibling in enumerate(siblings)}
    waits = {
        sibling: [need for need in entries[sibling].record.needs if need in ranks and need != sibling]
        for sibling in siblings
    }
    open_needs = {sibling: len(needs) for sibling, needs in waits.items()}
    freed: dict[str, list[str]] = {}
    for sibling, needs in waits.items():
        for need in needs:
            freed.setdefault(need, []).append(sibling)
    heap = [(ranks[sibling], sibling) for sibling, count in open_needs.items() if not count]
    heapq.heapify(heap)
    ordered: list[str] = []
    while heap:
        _, current = heapq.heappop(heap)
        ordered.append(current)
        for sibling in freed.get(current, ()):
            open_needs[sibling] -= 1
            if not open_needs[sibling]:
                heapq.heappush(heap, (ranks[sibling], sibling))
    placed = set(ordered)
    return (*ordered, *sorted((one for one in siblings if one not in placed), key=ranks.__getitem__))


def _number(record_id: str) -> int:
    """Give the number of a numbered child, `<parent>.12`; 0 for any other."""
    last = record_id.rpartition(".")[2]
    return int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0
