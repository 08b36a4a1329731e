"""Which verb is allowed in which state, and what comes of it: one table.

Rule: every change of a molecule's or a step's state is a row of `TRANSITIONS`. Code elsewhere asks `next_state`,
`is_over` or `is_live`; it never compares states itself.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

MoleculeState: TypeAlias = Literal["none", "flowing", "squashed", "burned"]
StepState: TypeAlias = Literal["open", "in_progress", "closed", "skipped"]

TRANSITIONS: Final[dict[tuple[str, str], str]] = {
    # a molecule
    ("none", "bond"): "flowing",
    ("flowing", "attach"): "flowing",
    ("flowing", "connect"): "flowing",
    ("flowing", "work"): "flowing",
    ("flowing", "squash"): "squashed",
    ("flowing", "burn"): "burned",
    # a step
    ("open", "start"): "in_progress",
    ("open", "close"): "closed",
    ("open", "skip"): "skipped",
    ("open", "open-gate"): "open",
    ("open", "wait"): "open",
    ("in_progress", "close"): "closed",
}

_OVER: Final = frozenset({"closed", "skipped"})


def next_state(state: str, verb: str) -> str | None:
    """Give the state that `verb` leads to; None where it is not allowed."""
    return TRANSITIONS.get((state, verb))


def is_over(state: str) -> bool:
    """Tell whether a step of this state has ended: who waits for it waits no longer."""
    return state in _OVER


def is_live(state: str) -> bool:
    """Tell whether work goes on in a molecule of this state."""
    return (state, "work") in TRANSITIONS


def has_run(state: str) -> bool:
    """Tell whether a step of this state was closed by somebody, and not skipped."""
    return state == TRANSITIONS["open", "close"]
