"""Conditions: those that are decided by variables when a formula is cooked, and the form of those decided later."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mmpm.errors import quoted
from mmpm.molecule.cook.wiring import without

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.molecule.steps import Step

MAX_CONDITION: Final = 2_000

_FORMS: Final = "{{v}}, !{{v}}, {{v}} == x or {{v}} != x"
_FALSE: Final = frozenset({"", "false", "0", "no", "off"})
_TRUTHY = re.compile(r"(!?)\{\{(\w+)\}\}", re.ASCII)
_COMPARED = re.compile(r"\{\{(\w+)\}\}\s*(==|!=)\s*(.+)", re.ASCII)
_AT_RUN_TIME: Final = (
    re.compile(r"""file\.exists\(['"].+['"]\)"""),
    re.compile(r"(?:children|descendants|steps)\(\w+\)\.(?:all|any|count)\(.+\).*"),
    re.compile(r"\w+(?:\.\w+)*\s*[=!<>]+\s*.+"),
)


def holds(condition: str, values: Mapping[str, str]) -> bool:
    """Tell whether a step is kept: ``{{v}}``, ``!{{v}}``, ``{{v}} == x``, ``{{v}} != x``; a line each, all must hold.

    A variable without a value is empty; empty, false, 0, no and off (in any case) are false; quotes around x are no
    part of it.

    Raises:
        ValueError: it is none of these.
    """
    return all(_line_holds(line.strip(), values) for line in condition.split("\n") if line.strip())


def _line_holds(line: str, values: Mapping[str, str]) -> bool:
    match = _TRUTHY.fullmatch(line)
    if match:
        return (values.get(match[2], "").lower() in _FALSE) is bool(match[1])
    match = _COMPARED.fullmatch(line) if len(line) <= MAX_CONDITION else None
    if match is None:
        raise ValueError(
            f"{quoted(line)} is no condition: write {{{{v}}}}, !{{{{v}}}}, {{{{v}}}} == x or {{{{v}}}} != x"
        )
    wanted = match[3].strip()
    if len(wanted) >= 2 and wanted[0] == wanted[-1] and wanted[0] in "\"'":
        wanted = wanted[1:-1]
    return (values.get(match[1], "") == wanted) is (match[2] == "==")


def check_condition(condition: str) -> None:
    """Look whether a step's condition is one.

    Raises:
        ValueError: it is not.
    """
    holds(condition, {})


def kept(steps: Sequence[Step], values: Mapping[str, str]) -> tuple[Step, ...]:
    """Give the steps whose conditions hold, with their conditions gone; children go with their parent.

    Whoever needed a step that goes needs what that one needed.

    Raises:
        ValueError: a condition is none; the sentence names the step.
    """
    from dataclasses import replace

    gone = set()
    for step in steps:
        try:
            if not holds(step.condition, values):
                gone.add(step.id)
        except ValueError as error:
            raise ValueError(f"step {quoted(step.id)}: {error}") from None
    return tuple(replace(step, condition="") if step.condition else step for step in without(steps, gone))


def check_runtime_condition(text: str) -> None:
    """Look whether `text` has the form of a condition on the state of a run, as gates and loops have them.

    Raises:
        ValueError: it has not.
    """
    line = text.strip()
    if len(line) > MAX_CONDITION or "\n" in line or not any(form.fullmatch(line) for form in _AT_RUN_TIME):
        raise ValueError(f"{quoted(text)} is no condition such as step.status == 'complete'")
