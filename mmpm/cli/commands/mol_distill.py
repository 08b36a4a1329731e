"""`mmpm mol distill`: a formula of what a molecule turned out to be."""

import os
from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.operands import given
from mmpm.cli.output import Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.ops.mol_distill import plan_distill
from mmpm.ops.mol_state import Workspace


def distill(
    molecule: str,
    name: str,
    /,
    *,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    force: bool = False,
    session: Session,
) -> None:
    """Make a formula of a molecule: its steps, arms included, with its values back to variables.

    The file goes to .beads/formulas/ beside the molecule, where `mmpm mol cook` and `mol pour` find it.

    Args:
        molecule: Its id; it may run, or be squashed. Of a squashed wisp nothing is left to distill.
        name: The name of the formula.
        output: Write this file instead.
        force: Write over a file that is there.
        session: This run.
    """
    context = session.context()
    workspace = Workspace.of(context, session.cwd, tier=session.options.tier, folder=session.options.project)
    path = session.path(output) if (output := given(output, "--output")) else None
    made = plan_distill(workspace, context, session.cwd, molecule, name, output=path, force=force)
    variables = [one.to_dict() for one in made.proto.variables]
    body = {
        "formula": name,
        "path": made.path,
        "molecule": made.molecule,
        "steps": len(made.proto.steps),
        "variables": variables,
        "values": {one["name"]: made.values[one["name"]] for one in variables if one["name"] in made.values},
        "graph": str(made.proto.graph_id),
        "notes": list(made.plan.notes),
    }
    outcome = run_plan(session, workspace.context, made.plan, schema="mmpm.mol-distill/1", body=lambda _: body)
    if outcome is None:
        return
    out = session.output
    count = len(made.proto.steps)
    out.result(Styled(name, "bold"), f"  {count} step{'s' * (count != 1)}, from {made.molecule}")
    for one in made.proto.variables:
        said = f" (default {one.default!r})" if one.default is not None else ""
        was = f", was {made.values[one.name]!r}" if one.name in made.values else ""
        out.say(f"  {{{{{one.name}}}}}{said}{was}")
    out.say(f"  File: {os.path.relpath(made.path, session.cwd)}")
    asked = [one.name for one in made.proto.variables if one.default is None and one.name in made.values]
    missing = "".join(f" --var {name}=.." for name in asked)
    if path is None:
        out.say(f"  Bond it: mmpm mol pour {name}{missing}")
