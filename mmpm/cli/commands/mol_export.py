"""`mmpm mol export`: molecules, digests and protos for other programs."""

from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.ops.mol_export import export_beads, plan_write
from mmpm.ops.mol_state import Workspace

SCHEMA = "mmpm.mol-export/1"
FORMATS = ("beads",)


def export(
    molecule: str,
    /,
    *,
    format: str = "beads",  # noqa: A002 - the option's name
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    force: bool = False,
    session: Session,
) -> None:
    """Print a molecule, a digest or a proto as beads' issues, one a line, which `bd import` reads.

    Args:
        molecule: The id of a molecule, or the name of a formula or of a molecule of the catalogue.
        format: How it is written; beads is the one there is.
        output: Write this file instead.
        force: Write over a file that is there.
        session: This run.
    """
    if format not in FORMATS:
        raise UsageError(f"--format: {format!r} is not known", "write --format beads")
    context = session.context()
    workspace = Workspace.of(context, session.cwd, tier=session.options.tier, folder=session.options.project)
    made = export_beads(workspace, context, session.cwd, molecule)
    body: dict[str, object] = {"format": format, "kind": made.kind, "id": made.id, "count": len(made.issues)}
    if output is not None:
        path = session.path(output)
        plan = plan_write(made, path, force=force)
        done = f"Wrote {path}: {len(made.issues)} issue{'s' * (len(made.issues) != 1)}"
        run_plan(session, workspace.context, plan, schema=SCHEMA, done=done, body=lambda _: {**body, "path": path})
        return
    for note in made.notes:
        session.output.warn(note)
    session.output.document(SCHEMA, {**body, "issues": list(made.issues)})
    if not session.options.as_json:
        session.output.raw_json(made.data)
