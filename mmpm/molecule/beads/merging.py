"""Putting records of releases into a catalogue that other people write, too, and taking exactly these out again.

Rule: a line is ours if its bytes are those that we put there; every other line stays byte for byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from mmpm.errors import printable
from mmpm.model.canonical import parse_json
from mmpm.molecule.beads.catalogue import lines_of
from mmpm.molecule.beads.records import Record
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.molecule.beads.catalogue import Catalogue

FORMAT: Final = 1
MAX_TOLD: Final = 5


@dataclass(frozen=True, slots=True)
class Merged:
    """A catalogue with the wanted records in it.

    Attributes:
        data: its text.
        put: (record id, ``blake3:..`` of its line) of the records that are ours in it, in the order of `wanted`.
        left: ids of wanted records that somebody else wrote there already, sorted; theirs stay.
        replaced: lines of ours, without line feeds, by record id, in whose place another line stands now.
        kept: ids of records that were ours, are not wanted any more and read otherwise now, sorted: they stay.
    """

    data: bytes
    put: tuple[tuple[str, str], ...]
    left: tuple[str, ...]
    replaced: tuple[tuple[str, bytes], ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PutRecords:
    """What releases put into a catalogue, each as ``name@version``.

    Attributes:
        releases: of each release ``blake3:..`` of its lines, by record id.
        replaced: of each release the lines of ours that its own took the place of, by record id.
    """

    releases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    replaced: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Give the text of the list."""
        said: dict[str, object] = {"format": FORMAT, "releases": self.releases}
        if self.replaced:
            said["replaced"] = self.replaced
        return json.dumps(said, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; a damaged table of replaced lines is left out, for nothing rests on it.

        Raises:
            ValueError: it is anything else.
        """
        document = parse_json(data, "it")
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError(f"it has not format {FORMAT}")
        releases, replaced = document.get("releases"), document.get("replaced")
        if not isinstance(releases, dict) or not all(map(_is_table_of_texts, releases.values())):
            raise ValueError("`releases` does not say of each release which records it put there")
        kept = replaced.items() if isinstance(replaced, dict) else ()
        return cls(releases, {release: lines for release, lines in kept if _is_table_of_texts(lines)})


def merge(data: bytes, ours: Mapping[str, str], wanted: Mapping[str, bytes]) -> Merged:
    """Give the catalogue `data` with `wanted` in place of what was put there before.

    A record that is there in the very bytes that are wanted counts as put. Merging the result again changes nothing;
    merging nothing then gives `data` back, with a line feed at its end where something was put behind it.

    Args:
        data: the catalogue now.
        ours: ``blake3:..`` of the lines that we put there, by record id.
        wanted: lines by record id, without line feeds.
    """
    lines: list[tuple[str | None, bytes]] = []
    foreign: set[str] = set()
    for _, start, end in lines_of(data):
        line = data[start:end]
        record_id = _id_of(line)
        if record_id is not None and line != wanted.get(record_id) and ours.get(record_id) != str(ObjectId.of(line)):
            foreign.add(record_id)
            record_id = None
        lines.append((record_id, line))
    out: list[bytes] = []
    put: set[str] = set()
    replaced: dict[str, bytes] = {}
    for record_id, line in lines:
        if record_id is None:
            out.append(line)
        elif record_id in wanted and record_id not in put and record_id not in foreign:
            out.append(wanted[record_id])
            put.add(record_id)
            if line != wanted[record_id]:
                replaced[record_id] = line
    for record_id, line in wanted.items():
        if record_id not in put and record_id not in foreign:
            out.append(line)
            put.add(record_id)
    is_last_theirs = bool(lines and out) and lines[-1][0] is None and out[-1] is lines[-1][1]
    ending = b"" if not out or (is_last_theirs and not data.endswith(b"\n")) else b"\n"
    return Merged(
        b"\n".join(out) + ending,
        tuple((record_id, str(ObjectId.of(line))) for record_id, line in wanted.items() if record_id in put),
        tuple(sorted(foreign.intersection(wanted))),
        tuple(replaced.items()),
        tuple(sorted(foreign.intersection(ours).difference(wanted))),
    )


def _id_of(line: bytes) -> str | None:
    try:
        return Record.parse(line.strip()).id if line.strip() else None
    except ValueError:
        return None


def meddling(others: Catalogue, whole: Catalogue, owner: Mapping[str, str]) -> tuple[str, ...]:
    """Say where records of releases change molecules that these releases do not have: in other layers, or a person's.

    Args:
        others: the layers but for the one that the records are put into.
        whole: all of them, with the records.
        owner: the release of each record, by record id.

    Returns:
        A sentence each for what counts before another layer's, hides it, or becomes a step of what is not the
        release's own; of what is below such a record nothing, and of many the first few.
    """
    above = {child: parent for parent, children in whole.below.items() for child in children}
    told: list[str] = []
    for record_id, release in owner.items():
        there, now, parent = others.get(record_id), whole.get(record_id), above.get(record_id)
        if parent is not None and owner.get(parent) == release:
            continue
        if there is not None and now is None:
            told.append(f"{record_id} of the {there.layer} catalogue is hidden by {release}")
        elif there is not None and now is not None and now.path != there.path:
            # Records count one by one, so those below the one that went are below this one now.
            left = sum(owner.get(child) != release for child in whole.below.get(record_id, ()))
            others_steps = {0: "", 1: ", whose other step stays below it"}
            told.append(
                f"{record_id} of {release} counts before that of the {there.layer} catalogue"
                + others_steps.get(left, f", whose {left} other steps stay below it")
            )
        elif parent is not None and now is not None and there is None:
            layer = whole.entries[parent].layer
            told.append(f"{record_id} of {release} becomes a step of {parent} ({layer}), which is not of that release")
    more = [f"{len(told) - MAX_TOLD} more records of these releases change what is not theirs"]
    return tuple(printable(one, 600) for one in told[:MAX_TOLD] + (more if len(told) > MAX_TOLD else []))


def read_fragment(data: bytes) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Give the lines of a fragment by record id, as published, and why others are left out; of one id the last."""
    found: dict[str, bytes] = {}
    faults: list[str] = []
    for number, start, end in lines_of(data):
        line = data[start:end].strip()
        if not line:
            continue
        try:
            found[Record.parse(line).id] = line
        except ValueError as error:
            faults.append(f"line {number}: {error}")
    return found, tuple(faults)


def _is_table_of_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
