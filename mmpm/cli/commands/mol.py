"""The catalogue of molecules: `mol list`, `mol show`. They look and change nothing."""

import json
from collections.abc import Iterable
from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.output import Output, Styled, stem
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.molecule.catalogue import BadLine, Catalogue, Entry
from mmpm.molecule.records import TEMPLATE
from mmpm.ops.mol_catalogue import Row, ShownMolecule, read_catalogue, show_molecule

DEEPEST = 64  # levels that are drawn
TOLD_PROBLEMS = 20
TITLE_LIMIT = 120


def list_command(
    *,
    label: tuple[str, ...] = (),
    running: bool = False,
    every: Annotated[bool, Parameter(name="--all")] = False,
    session: Session,
) -> None:
    """List the molecules that can be bonded here; with --tier those that this tier has.

    Args:
        label: Only those that bear this label; may be repeated.
        running: List instead the mols and wisps that flow here.
        every: With --running: also those that have ended.
        session: This run.
    """
    if running or every:
        if label or not running:
            raise UsageError("--all goes with --running, and --label does not", "as in `mmpm mol list --running --all`")
        from mmpm.cli.commands.mol_run import list_running

        list_running(session, with_ended=every)
        return
    catalogue = _read(session)
    tier = session.options.tier
    found = [entry for entry in catalogue.templates(label) if tier in {None, entry.layer}]
    out = session.output
    for entry in found:
        out.result(*_line(entry))
    if not found:
        out.say("There are no molecules" + (f" with {' and '.join(label)}" if label else ""))
    out.document(
        "mmpm.mol-list/1",
        {"molecules": [_entry_json(entry) for entry in found], "problems": _problems_json(catalogue.problems)},
    )


def show(molecule: str, /, *, session: Session) -> None:
    """Show a molecule: which layer it comes from, what it overrides, and its steps as a tree.

    Args:
        molecule: Its id, or that of a step.
        session: This run.
    """
    catalogue = _read(session)
    shown = show_molecule(catalogue, molecule)
    _print(session.output, shown)
    session.output.document(
        "mmpm.mol-show/1",
        {
            **_entry_json(shown.entry),
            "steps": [{"depth": row.depth, **_entry_json(row.entry)} for row in shown.rows[1:]],
            "problems": _problems_json(catalogue.problems),
        },
    )


def _read(session: Session) -> Catalogue:
    session.settings()
    catalogue = read_catalogue(session.places, session.cwd, session.options.project)
    for problem in catalogue.problems[:TOLD_PROBLEMS]:
        session.output.warn(str(problem))
    more = len(catalogue.problems) - TOLD_PROBLEMS
    if more > 0:
        session.output.warn(f"{more} more faults in catalogues; --json lists them")
    return catalogue


def _line(entry: Entry) -> list[str | Styled]:
    """Give a line of the list: `mol-scan Scan {{scope}} [plugin, witness] (user, over built-in)`."""
    record = entry.record
    pieces: list[str | Styled] = [Styled(record.id, "bold")]
    if record.title and record.title != record.id:
        pieces.append(f" {_one_line(record.title)}")
    labels = [label for label in record.labels if label != TEMPLATE]
    if labels:
        pieces.append(Styled(f" [{', '.join(labels)}]", "cyan"))
    pieces.append(Styled(f" ({_origin(entry)})", "dim"))
    return pieces


def _origin(entry: Entry) -> str:
    return entry.layer + (f", over {', '.join(entry.overrides)}" if entry.overrides else "")


def _one_line(text: str) -> str:
    line = " ".join(text[: 4 * TITLE_LIMIT].split())
    return line if len(line) <= TITLE_LIMIT else line[:TITLE_LIMIT] + "..."


def _print(out: Output, shown: ShownMolecule) -> None:
    entry, record = shown.entry, shown.entry.record
    out.result(Styled(record.id, "bold"), f" {_one_line(record.title)}" if record.title != record.id else "")
    for line in _description(record.description, whole=out.verbose):
        out.result(line)
    if record.labels:
        out.result(f"Labels: {', '.join(record.labels)}")
    if record.status != "open":
        out.result(f"Status: {record.status}")
    out.result(f"Layer: {_origin(entry)} ({entry.path}, line {entry.line})")
    lasts: list[bool] = []
    hidden = 0
    for row in shown.rows:
        if row.depth > DEEPEST:
            hidden += 1
            continue
        lasts[max(row.depth - 1, 0) :] = [row.is_last] if row.depth else []
        out.result(Styled(stem(out, lasts), "dim"), *_step(row, shown))
    if hidden:
        out.result(Styled(f"({hidden} more, deeper than {DEEPEST} levels)", "dim"))


def _description(text: str, *, whole: bool) -> Iterable[str]:
    """Give the first paragraph; every line with `--verbose`."""
    lines = text.strip("\n").splitlines()
    if whole:
        return lines
    end = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    return lines[:end]


def _step(row: Row, shown: ShownMolecule) -> list[str | Styled]:
    """Give a step as in the seed: `mol-engineer-in-box.2 "Implement" Needs: .1`."""
    record = row.entry.record
    if not row.depth:
        return [f"{record.id} ({record.issue_type})"]
    pieces: list[str | Styled] = [f'{record.id} "{_one_line(record.title)}"']
    if record.needs:
        root = shown.entry.record.id
        needs = (need.removeprefix(root) if need.startswith(f"{root}.") else need for need in record.needs)
        pieces.append(f" Needs: {', '.join(needs)}")
    if row.entry.layer != shown.entry.layer:
        pieces.append(Styled(f" ({_origin(row.entry)})", "dim"))
    return pieces


def _entry_json(entry: Entry) -> dict[str, object]:
    return {
        "record": json.loads(entry.record.to_bytes()),
        "layer": entry.layer,
        "path": entry.path,
        "line": entry.line,
        "overrides": list(entry.overrides),
    }


def _problems_json(problems: Iterable[BadLine]) -> list[dict[str, object]]:
    return [{"path": one.path, "line": one.line, "reason": one.reason} for one in problems]
