"""Whether a molecule of a catalogue comes out alike under bd, gt and mmpm: every known difference that touches it.

What bd and gt do is read from their sources (beads `internal/molecules`, `cmd/bd/template.go`, `mol_bond.go`; gastown
`internal/beads/catalog.go`, `molecule.go`). For what stands in formulas see `compatibility.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from mmpm.errors import quoted
from mmpm.molecule.beads.extras import KINDS, MAX_TITLE_BYTES
from mmpm.molecule.cook.compatibility import MAX_OF_ONE_CODE, Difference
from mmpm.molecule.variables import names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.molecule.beads.records import Record
    from mmpm.molecule.cook.compatibility import Tool, When
    from mmpm.molecule.proto import Proto

    _Row: TypeAlias = tuple[Tool, When, str, str]

TOOLS: Final[tuple[Tool, ...]] = ("bd", "gt")
MAX_LINE: Final = 64 * 1024
"""What the line reader of bd and gt takes; with one longer line they drop the whole file."""


def record_differences(proto: Proto, records: Iterable[Record], *, is_built_in: bool = False) -> tuple[Difference, ...]:
    """Name the differences that touch a molecule of a catalogue.

    Args:
        proto: what mmpm makes of it.
        records: its own and those of its steps.
        is_built_in: whether they come with mmpm.

    Returns:
        Those of reading and cooking first, at most five of a code.
    """
    counts: dict[tuple[str, str], int] = {}
    found: list[Difference] = []
    rows: list[tuple[str, _Row]] = []
    if is_built_in:
        remedy = f"`mmpm mol fork {proto.name}` puts it where they look"
        rows += [
            ("", (tool, "cook", "built-in", f"{tool} does not have what is built in here: {remedy}")) for tool in TOOLS
        ]
    rows += [(record.id, row) for record in records for row in _line(record)]
    rows += [(f"{proto.name}.{key}" if key else proto.name, row) for key, row in (*_steps(proto), *_variables(proto))]
    for key, (tool, when, code, sentence) in rows:
        counts[tool, code] = counts.get((tool, code), 0) + 1
        if counts[tool, code] <= MAX_OF_ONE_CODE:
            found.append(Difference(tool, when, code, proto.name, key, sentence))
    order = {"cook": 0, "bond": 1, "run": 2}
    return tuple(sorted(found, key=lambda one: (order[one.when], one.tool)))


def _line(record: Record) -> Iterator[_Row]:
    size = len(record.to_bytes())
    if size >= MAX_LINE:
        told = f"the whole catalogue: its reader takes lines of 64 KiB, and this one has {size} bytes"
        yield "bd", "cook", "long-line", f"bd drops {told}"
        yield "gt", "cook", "long-line", f"gt refuses {told}"
    if record.issue_type not in KINDS:
        kind = quoted(record.issue_type)
        yield "bd", "cook", "issue-type", f"bd refuses the whole catalogue: it knows no issues of type {kind}"
    if len(record.title.encode()) > MAX_TITLE_BYTES or not record.title:
        yield "bd", "cook", "title", f"bd refuses the whole catalogue: a title has 1 to {MAX_TITLE_BYTES} bytes"


def _steps(proto: Proto) -> Iterator[tuple[str, _Row]]:
    for step in proto.steps:
        if step.parent:
            yield step.id, ("gt", "cook", "gt-nested", "gt takes the steps right below the root, and none below these")
        if step.condition:
            yield step.id, ("bd", "bond", "condition", "bd knows no conditions in a catalogue: it keeps the step")
        if step.on_complete:
            yield step.id, ("bd", "run", "on-complete", "bd knows no on_complete in a catalogue: it bonds nothing")
        if step.waits_for:
            yield step.id, ("bd", "bond", "gate-metadata", "bd forgets what the gate waits for when it is bonded")
        if step.gate is not None and step.gate.condition:
            yield (
                step.id,
                ("bd", "run", "gate-condition", "bd has the gate, and shows its condition as its description"),
            )
        if names_in(step.title):
            yield step.id, ("gt", "bond", "gt-titles", "gt puts no variables into titles")


def _variables(proto: Proto) -> Iterable[tuple[str, _Row]]:
    for variable in proto.variables:
        name = f"{{{{{variable.name}}}}}"
        if variable.default is not None:
            yield "", ("bd", "bond", "default", f"bd asks for a value of {name}: it knows no defaults in a catalogue")
        if variable.enum or variable.pattern or variable.kind:
            yield "", ("bd", "bond", "unchecked", f"bd takes any value of {name}")
