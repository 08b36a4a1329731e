"""Molecules as pictures: `mol graph`."""

import os
from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.commands.mol_show import look
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError, quoted
from mmpm.molecule.picture.mermaid import USUAL_LINES, USUAL_TEXT
from mmpm.molecule.picture.picture import PictureFormat, picture
from mmpm.ops.mol_seeing import plan_picture

_BY_SUFFIX: dict[str, PictureFormat] = {
    ".svg": "svg",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
}


def graph(
    molecule: str,
    /,
    *,
    format: PictureFormat | None = None,  # noqa: A002 - the option's name
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    force: bool = False,
    session: Session,
) -> None:
    """Draw a molecule as a picture: steps by state, boxes around what belongs together, lines by kind.

    Args:
        molecule: An id as `mol list`, `mol list --running` or `mol ready` give it; the name of a formula, or its file.
        format: svg, mermaid or dot; else what the end of the file's name says, else svg.
        output: Write the picture to this file; without it to standard output.
        force: Write over a file that is there.
        session: This run.
    """
    suffix = os.path.splitext(output or "")[1].lower()
    if format is None and suffix not in {"", *_BY_SUFFIX}:
        raise UsageError(
            f"-o: a file that ends in {quoted(suffix)} is none that is drawn", "say --format svg, mermaid or dot"
        )
    form = format or _BY_SUFFIX.get(suffix, "svg")
    seen, _ = look(session, molecule)
    chart = seen.alone or seen.chart
    data = picture(chart, form)
    body: dict[str, object] = {"id": chart.id, "format": form, "steps": len(chart.nodes)}
    out = session.output
    if form == "mermaid" and (len(chart.links) > USUAL_LINES or len(data) > USUAL_TEXT):
        out.warn(
            "mermaid draws so much only where the page raises its maxEdges and maxTextSize; svg and dot need nothing"
        )
    if output is not None:
        path = session.path(output)
        context = session.context(read_manifest=False, read_registries=False)
        plan = plan_picture(path, data, force=force)
        run_plan(
            session,
            context,
            plan,
            schema="mmpm.mol-graph/1",
            done=f"Drew {chart.id}: {path}",
            body=lambda _: {**body, "path": path},
        )
    elif out.as_json:
        out.document("mmpm.mol-graph/1", {**body, "picture": data.decode()})
    else:
        out.raw(data)
