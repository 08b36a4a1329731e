"""Time in trust: when a registry's signed word is too old, and what a clock that is wrong looks like. Pure.

The rules are `docs/formats.md`, "Time". Every expiry is judged at the moment the timestamp was issued; this module
judges that moment against this machine's clock. That issue times never go back is `Chain.accept_timestamp`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from mmpm.trust.facts import format_time

if TYPE_CHECKING:
    from datetime import datetime

VerdictKind: TypeAlias = Literal["ok", "warn", "refuse"]


@dataclass(frozen=True, slots=True)
class AgePolicy:
    """How old a registry's last word may be, in seconds; None is without limit.

    Attributes:
        max_age: older warns; a refresh that fails is forgiven only below it.
        red_line: older is refused.
    """

    max_age: int | None = 30 * 86_400
    red_line: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the clock says of a timestamp.

    Attributes:
        kind: use it, use it and say `sentence`, or do not use it because of `sentence`.
        sentence: a clause such as "was issued 40 days ago, ..."; empty for ok. Its subject is the registry's word.
        is_past_max_age: the timestamp is older than `AgePolicy.max_age`, so it cannot stand in for a failed refresh.
    """

    kind: VerdictKind
    sentence: str = ""
    is_past_max_age: bool = False


def judge(
    issued: datetime,
    now: datetime,
    policy: AgePolicy,
    *,
    expires: datetime | None = None,
    online: bool = False,
) -> Verdict:
    """Judge a timestamp whose signature was verified; all times are aware.

    Args:
        issued: what it says of itself.
        now: this machine's clock.
        policy: limits of age.
        expires: the timestamp's own expiry; needed where `online`.
        online: whether the registry itself was asked, which could have given a fresh one.
    """
    age = now - issued
    is_old = policy.max_age is not None and age > timedelta(seconds=policy.max_age)
    if online and expires is not None and now >= expires:
        return Verdict("refuse", f"expired at {format_time(expires)} and the registry gives no fresh one", is_old)
    if policy.red_line is not None and age > timedelta(seconds=policy.red_line):
        return Verdict(
            "refuse",
            f"was issued {show_age(age)} ago, beyond the limit of {show_age(timedelta(seconds=policy.red_line))} "
            "(policy.red_line)",
            is_old,
        )
    if is_old and policy.max_age is not None:
        return Verdict(
            "warn",
            f"was issued {show_age(age)} ago, longer than "
            f"{show_age(timedelta(seconds=policy.max_age))} (policy.max_age)",
            is_past_max_age=True,
        )
    if now < issued:
        return Verdict(
            "warn",
            f"was issued at {format_time(issued)}, {show_age(-age)} ahead of this clock: one of the two is wrong",
        )
    return Verdict("ok")


def show_age(age: timedelta) -> str:
    """Give a length of time in its largest unit: ``40 days``, ``3 hours``, ``1 minute``."""
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"
