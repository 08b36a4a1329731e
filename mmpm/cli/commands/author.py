"""`mmpm new`, `check` and `build`."""

import os
from collections import Counter
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.output import Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.ops import author as ops


def new(name: str, /, *, bundle: bool = False, description: str = "", author: str = "", session: Session) -> None:
    """Make a first formula to edit, in the working folder.

    Args:
        name: Its name, such as mol-my-workflow or @scope/mol-my-workflow.
        bundle: Make a folder with a script, a template and a README beside it.
        description: What it is for, in one sentence.
        author: Who writes it.
        session: This run.
    """
    plan = ops.plan_new(name, session.cwd, bundle=bundle, description=description, author=author)
    paths = [path for action in plan.actions for path, _, _ in getattr(action, "files", ())]
    top = os.path.relpath(paths[0], session.cwd)
    done = f"Created {os.path.dirname(top) + '/' if bundle else top}"
    run_plan(session, session.context(), plan, schema="mmpm.new/1", done=done, body=lambda _: {"files": paths})


def check(*paths: str, session: Session) -> int:
    """Check formulas, bundles and molecules fragments before publishing; exit 1 if one has an error.

    Args:
        paths: Files, bundle folders, or folders with any number of them.
        session: This run.
    """
    if not paths:
        raise UsageError("nothing to check", "name a file or folder, as in `mmpm check .`")
    out = session.output
    counts: Counter[str] = Counter()
    findings = []
    checked = 0
    for one in ops.check([(path, session.path(path)) for path in paths]):
        checked += 1
        for noticed in one.noticed:
            counts[noticed.severity] += 1
            color = "red" if noticed.severity == "error" else "yellow"
            place = f"{noticed.file}:{noticed.line}:{noticed.column}: "
            out.result(place, Styled(f"{noticed.severity}[{noticed.code}]", color), f": {noticed.message}")
            findings.append(asdict(noticed))
        if one.payload is not None and one.is_sound:
            out.detail(f"{one.path}: {one.payload.name} {one.payload.version}, {one.payload.kind}")
    found = f"{_count(counts['error'], 'error')}, {_count(counts['warning'], 'warning')}"
    out.result(f"{_count(checked, 'formula')} checked: {found}")
    out.document("mmpm.check/1", {"checked": checked, "errors": counts["error"], "findings": findings})
    return 1 if counts["error"] else 0


def build(
    path: str,
    /,
    *,
    output: Annotated[str, Parameter(alias="-o")] = "dist/",
    force: bool = False,
    session: Session,
) -> None:
    """Write what publishing would publish: the formula file, or the bundle's canonical archive.

    Args:
        path: A formula file, a bundle folder or archive, or a molecules fragment.
        output: The folder or file to write.
        force: Write over a file that is there.
        session: This run.
    """
    folder = session.path(output) + ("/" if output.endswith("/") else "")
    plan, built = ops.plan_build(session.path(path), folder, force=force)
    payload = built.payload
    body = {
        "path": built.path,
        "size": built.size,
        "name": str(payload.name),
        "version": str(payload.version),
        "kind": payload.kind,
        "checksum": str(payload.checksum),
        "tree": str(payload.tree.id),
    }
    shown = os.path.relpath(built.path, session.cwd)
    run_plan(
        session,
        session.context(),
        plan,
        schema="mmpm.build/1",
        done=f"Built {shown}",
        nothing=f"{shown} is up to date",
        body=lambda _: body,
    )
    session.output.say(f"  checksum  {payload.checksum}")
    session.output.say(f"  tree      {payload.tree.id}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
