"""The catalogue of molecules: `mol list`. It looks and changes nothing."""

import json
from collections.abc import Iterable

from mmpm.cli.output import Styled
from mmpm.cli.session import Session
from mmpm.molecule.beads.catalogue import BadLine, Catalogue, Entry
from mmpm.molecule.beads.records import TEMPLATE
from mmpm.molecule.picture.wrapping import one_line
from mmpm.ops.mol_catalogue import read_catalogue

TOLD_PROBLEMS = 20
TITLE_LIMIT = 120


def list_catalogue(session: Session, label: tuple[str, ...]) -> None:
    """List the molecules that can be bonded here."""
    catalogue = read(session)
    tier = session.options.tier
    found = [entry for entry in catalogue.templates(label) if tier in {None, entry.layer}]
    out = session.output
    for entry in found:
        out.line(*_line(entry))
    if not found:
        out.say("There are no molecules" + (f" labelled {' and '.join(label)}" if label else ""))
    out.document(
        "mmpm.mol-list/1",
        {"molecules": [entry_json(entry) for entry in found], "problems": problems_json(catalogue.problems)},
    )


def read(session: Session) -> Catalogue:
    """Read the catalogue and tell its first faults."""
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
        pieces.append(f" {one_line(record.title, TITLE_LIMIT)}")
    labels = [label for label in record.labels if label != TEMPLATE]
    if labels:
        pieces.append(Styled(f" [{', '.join(labels)}]", "cyan"))
    pieces.append(Styled(f" ({origin(entry)})", "dim"))
    return pieces


def origin(entry: Entry) -> str:
    """Give a record's layer, and those it is over."""
    return entry.layer + (f", over {', '.join(entry.overrides)}" if entry.overrides else "")


def entry_json(entry: Entry) -> dict[str, object]:
    """Give a record for programs, with where it stands."""
    return {
        "record": json.loads(entry.record.to_bytes()),
        "layer": entry.layer,
        "path": entry.path,
        "line": entry.line,
        "overrides": list(entry.overrides),
    }


def problems_json(problems: Iterable[BadLine]) -> list[dict[str, object]]:
    """Give the faults of catalogues for programs."""
    return [{"path": one.path, "line": one.line, "reason": one.reason} for one in problems]
