"""Work that begins and grows: `mol bond`, `mol pour`, `mol wisp`, and `mol fork` of a molecule."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from mmpm.cli.operands import given, parse_values
from mmpm.cli.output import Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.ops.mol_bond import Bonding, Wish, keep, prepare_bond
from mmpm.ops.mol_state import Workspace

TITLE_LIMIT = 120

Connection: TypeAlias = Literal["sequential", "parallel", "conditional"]


def bond(
    first: str,
    second: str | None = None,
    /,
    *,
    wisp: bool = False,
    var: tuple[str, ...] = (),
    ref: str | None = None,
    type: Connection | None = None,  # noqa: A002 - the option's name
    swap: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    preset: str | None = None,
    as_: Annotated[str | None, Parameter(name="--as")] = None,
    force: bool = False,
    actor: str | None = None,
    session: Session,
) -> None:
    """Bond: a proto alone begins; with a molecule it becomes a part of it; of two molecules the second waits.

    A proto is a formula or a molecule of the catalogue.

    Args:
        first: A proto, which begins where nothing follows; or a molecule or step at work, by its id.
        second: Of two molecules, or two steps of one, the one that waits for the first. Of a proto and a molecule
            or step, in either order, the proto comes below the other. Of two protos a compound is written into the
            catalogue, in which the second comes after the first.
        wisp: Make a wisp: it leaves no trace but its digest.
        var: A variable's value, NAME=VALUE; may be repeated.
        ref: The last part of the new id; variables in it are put in.
        type: sequential: the second runs after the first; conditional: only if it fails; parallel: beside it.
        swap: STEP=MOL puts the proto MOL in the place of a step; may be repeated.
        without: Leave this step out; may be repeated.
        preset: Of a convoy: leave out the legs that this preset does not name.
        as_: The name of a compound.
        force: Write a compound over a molecule of that name.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE, or user@host.
        session: This run.
    """
    operands = (first,) if second is None else (first, second)
    wish = _wish(operands, var=var, ref=ref, swap=swap, without=without, preset=preset, actor=actor)
    name = given(as_, "--as") or ""
    _run(session, replace(wish, is_wisp=wisp, connection=type or "", name=name, force=force), "mmpm.mol-bond/1")


def pour(
    proto: str,
    /,
    *,
    var: tuple[str, ...] = (),
    ref: str | None = None,
    swap: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    preset: str | None = None,
    actor: str | None = None,
    session: Session,
) -> None:
    """Make a mol of a formula or of a molecule of the catalogue: work that is kept; the same as `bond` of it alone.

    Args:
        proto: A formula, its file, or a molecule of the catalogue.
        var: A variable's value, NAME=VALUE; may be repeated.
        ref: The last part of the new id; variables in it are put in.
        swap: STEP=MOL puts the proto MOL in the place of a step; may be repeated.
        without: Leave this step out; may be repeated.
        preset: Of a convoy: leave out the legs that this preset does not name.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE, or user@host.
        session: This run.
    """
    wish = _wish((proto,), var=var, ref=ref, swap=swap, without=without, preset=preset, actor=actor)
    _run(session, wish, "mmpm.mol-pour/1")


def wisp(
    proto: str,
    /,
    *,
    var: tuple[str, ...] = (),
    ref: str | None = None,
    swap: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    preset: str | None = None,
    actor: str | None = None,
    session: Session,
) -> None:
    """Make a wisp of a formula or of a molecule of the catalogue: work that leaves no trace but its digest.

    Args:
        proto: A formula, its file, or a molecule of the catalogue.
        var: A variable's value, NAME=VALUE; may be repeated.
        ref: The last part of the new id; variables in it are put in.
        swap: STEP=MOL puts the proto MOL in the place of a step; may be repeated.
        without: Leave this step out; may be repeated.
        preset: Of a convoy: leave out the legs that this preset does not name.
        actor: Who does it; else $BD_ACTOR, $GT_ROLE, or user@host.
        session: This run.
    """
    wish = _wish((proto,), var=var, ref=ref, swap=swap, without=without, preset=preset, actor=actor)
    _run(session, replace(wish, is_wisp=True), "mmpm.mol-wisp/1")


def fork(
    molecule: str,
    new: str | None = None,
    /,
    *,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    force: bool = False,
    session: Session,
) -> None:
    """Copy a molecule of the catalogue, to edit: under a new id, or under its own, where it then counts before others.

    The copy goes into the project's .beads/molecules.jsonl; with --tier into that of another tier.

    Args:
        molecule: Its id, or that of a step of one.
        new: The id of the copy; without it the copy keeps its ids.
        output: Write the copy to this file, X.jsonl, as `mmpm publish` takes it; no catalogue is changed.
        force: Write over a molecule of that id, or over the file.
        session: This run.
    """
    from mmpm.ops.mol_fork import plan_mol_fork

    workspace = Workspace.of(session.context(), session.cwd, tier=session.options.tier, folder=session.options.project)
    path = session.path(output) if (output := given(output, "--output")) else None
    dry_run = session.options.dry_run
    fork, plan = plan_mol_fork(workspace.context, session.cwd, molecule, new, path, force=force, dry_run=dry_run)
    body = {"id": fork.id, "of": molecule, "steps": fork.steps, "path": fork.path, "overrides": fork.overrides or None}
    out = session.output
    outcome = run_plan(session, workspace.context, plan, schema="mmpm.mol-fork/1", body=lambda _: body)
    if outcome is None:
        return
    over = f", in front of that of the {fork.overrides} layer" if fork.overrides else ""
    out.result(Styled(fork.id, "bold"), f"  {_one_line(fork.title)}")
    out.say(Styled(f"  {_count(fork.steps)}{over}, to edit in {fork.path}", "dim"))
    written = output or f"{fork.id}.jsonl"
    first = "" if path else f"mmpm mol fork {fork.id} -o {written}, then "
    out.say(Styled(f"  to publish it: {first}mmpm publish {written} --version VERSION", "dim"))


def _wish(
    operands: tuple[str, ...],
    *,
    var: tuple[str, ...],
    ref: str | None,
    swap: tuple[str, ...],
    without: tuple[str, ...],
    preset: str | None,
    actor: str | None,
) -> Wish:
    """Give what the options say that `bond`, `pour` and `wisp` have in common.

    Raises:
        UsageError: one of them cannot be meant.
    """
    return Wish(
        operands,
        values=parse_values(var),
        ref=given(ref, "--ref") or "",
        swaps=_swaps(swap),
        without=without,
        preset=given(preset, "--preset") or "",
        actor=actor or "",
    )


def _run(session: Session, wish: Wish, schema: str) -> None:
    context = session.context()
    workspace = Workspace.of(context, session.cwd, tier=session.options.tier, folder=session.options.project)
    made = prepare_bond(workspace, context, session.cwd, wish, dry_run=session.options.dry_run)
    outcome = run_plan(session, workspace.context, made.plan, schema=schema, body=_body(made))
    if outcome is None:
        return
    keep(workspace, made.plan)
    out = session.output
    out.result(Styled(made.id, "bold"), f"  {_one_line(made.title)}")
    if made.form == "connect":
        return
    out.say(Styled(f"  {_standing(made)}", "dim"))
    if made.form == "compound":
        out.say(Styled(f"  bond it: mmpm mol pour {made.id}", "dim"))


def _standing(made: Bonding) -> str:
    steps = f"of {_count(made.steps)}" if made.steps else "without steps"
    if made.form == "compound":
        return f"a proto {steps} in the catalogue of the tier {made.on}"
    if made.form == "pour":
        return f"a wisp {steps}: only its digest will stay" if made.phase == "wisp" else f"a mol {steps}"
    beside = {"parallel": "beside what is there", "sequential": "after what is there"}
    return f"{_count(made.steps)} below {made.on}, {beside.get(made.connection, f'only if {made.cause} fails')}"


def _body(made: Bonding) -> Callable[[object], dict[str, object]]:
    def body(outcome: object) -> dict[str, object]:
        return {
            "form": made.form,
            "id": None if outcome is None and made.is_drawn else made.id,
            "phase": made.phase,
            "title": made.title,
            "steps": made.steps,
            "on": made.on or None,
            "type": made.connection or None,
        }

    return body


def _swaps(texts: tuple[str, ...]) -> dict[str, str]:
    swaps = {}
    for text in texts:
        step, _, molecule = text.partition("=")
        if not step or not molecule:
            raise UsageError(f"--swap {text}: this is not STEP=MOL", "write --swap step=mol-other")
        if step in swaps:
            raise UsageError(f"--swap: {step} is swapped twice", "name each step once")
        swaps[step] = molecule
    return swaps


def _one_line(text: str) -> str:
    line = " ".join(text[: 4 * TITLE_LIMIT].split())
    return line if len(line) <= TITLE_LIMIT else line[:TITLE_LIMIT] + "..."


def _count(steps: int) -> str:
    return f"{steps} step{'s' * (steps != 1)}"
