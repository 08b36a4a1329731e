"""`mmpm mol cook` and `mol check`."""

import os
from itertools import islice
from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.operands import parse_values
from mmpm.cli.output import Output, Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.cli.trees import print_tree
from mmpm.errors import UsageError
from mmpm.molecule.arranging import presets_of
from mmpm.molecule.picture.charting import of_proto
from mmpm.molecule.picture.drawing import USUAL_LINES, draw
from mmpm.ops.mol_check import check_formula
from mmpm.ops.mol_cook import Dish, cook_formula, plan_cook


def cook(
    formula: str,
    /,
    *,
    var: tuple[str, ...] = (),
    preset: str | None = None,
    raw: bool = False,
    store: bool = False,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    force: bool = False,
    session: Session,
) -> None:
    """Cook a formula: show the steps that it becomes, or keep its proto.

    Args:
        formula: The name of an installed formula, or a file.
        var: A variable's value, NAME=VALUE; with any, all of them are put in and checked.
        preset: Keep only the legs that this preset of a convoy names, and its synthesis.
        raw: Print the proto's own text, byte for byte (on a terminal in escapes), and nothing else.
        store: Put the proto into the store.
        output: Write the proto to this file.
        force: Write over a file that is there.
        session: This run.
    """
    context = session.context()
    values = parse_values(var) if var else None
    dish = cook_formula(context, session.cwd, formula, values, preset=preset or "")
    for note in dish.cooked.notes:
        session.output.warn(note)
    if raw:
        session.output.raw_json(dish.proto.to_bytes())
        return
    plan = plan_cook(dish, store=store, output=session.path(output) if output else None, force=force)
    if plan.is_empty:
        _print(session.output, dish)
        session.output.document("mmpm.mol-cook/1", _body(dish))
        return
    shown = f"Cooked {dish.proto.name}: {dish.proto.object_id}"
    run_plan(session, context, plan, schema="mmpm.mol-cook/1", done=shown, body=lambda _: _body(dish))


def check(*formulas: str, session: Session) -> int:
    """Say whether formulas cook alike under bd, gt and mmpm, and name what differs; exit 1 if something does.

    Args:
        formulas: Names of installed formulas, files, or molecules of the catalogue.
        session: This run.
    """
    if not formulas:
        raise UsageError("nothing to check", "name a formula or a file, as in `mmpm mol check mol-review`")
    out = session.output
    reports = []
    for operand in formulas:
        report = check_formula(session.context(), session.cwd, operand)
        reports.append(report)
        if report.failure:
            out.result(operand, ": ", Styled(report.failure, "red"))
        elif report.is_alike:
            out.result(operand, ": cooks alike under bd, gt and mmpm")
        else:
            tools = sorted({one.tool for one in report.differences if one.when == "cook"})
            out.result(operand, f": cooks otherwise under {' and '.join(tools)}")
        for one in report.differences:
            place = f"{one.formula}: {one.key}" if one.key else one.formula
            out.result("  ", Styled(f"{one.tool}, {one.when} [{one.code}]", "yellow"), f" {place}: {one.sentence}")
    body = [
        {
            "formula": operand,
            "alike": report.is_alike,
            "failure": report.failure or None,
            "differences": [
                {key: getattr(one, key) for key in ("tool", "when", "code", "formula", "key", "sentence")}
                for one in report.differences
            ],
        }
        for operand, report in zip(formulas, reports, strict=True)
    ]
    out.document("mmpm.mol-check/1", {"formulas": body})
    return 0 if all(report.is_alike for report in reports) else 1


def _body(dish: Dish) -> dict[str, object]:
    proto = dish.proto
    return {
        "object": str(proto.object_id),
        "graph": str(proto.graph_id),
        "path": dish.path,
        "groups": [list(group) for group in proto.groups],
        "values": dict(sorted(dish.bound.values.items())) if dish.bound else None,
        "proto": proto.to_dict(),
    }


def _print(out: Output, dish: Dish) -> None:
    proto = dish.proto
    waves = len(proto.groups)
    words = f"  {proto.kind}, {_count(len(proto.steps), 'step')} in {_count(waves, 'group')}"
    out.result(Styled(proto.name, "bold"), f" {proto.version}" if proto.version else "", Styled(words, "dim"))
    chart = of_proto(proto)
    print_tree(out, islice(draw(chart, None if out.verbose else USUAL_LINES), 1, None))
    presets = presets_of(proto)
    if presets:
        out.say(Styled(f"  presets {', '.join(presets)}", "dim"))
    out.say(Styled(f"  object  {proto.object_id}", "dim"))
    for source in proto.sources:
        about = f" {source.version}" if source.version else ""
        out.say(Styled(f"  from    {source.name}{about} ({source.origin}, {source.checksum})", "dim"))
    out.detail(f"  file    {os.path.relpath(dish.path)}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
