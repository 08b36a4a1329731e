"""Time in trust, as docs/formats.md says it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.trust.clock import AgePolicy, judge, show_age
from mmpm.trust.facts import format_time, parse_time

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = AgePolicy(max_age=30 * 86_400, red_line=365 * 86_400)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)


@given(TIMES)
def test_a_time_reads_back(moment):
    assert parse_time(format_time(moment)) == moment


@given(TIMES, TIMES)
def test_times_as_text_order_as_times(one, two):
    assert (one < two) == (format_time(one) < format_time(two))


@given(TIMES, TIMES, st.booleans())
def test_without_limits_only_a_future_issue_time_is_spoken_of(issued, now, online):
    verdict = judge(issued, now, AgePolicy(None, None), online=online)
    assert verdict.kind == ("warn" if now < issued else "ok")


@pytest.mark.parametrize(
    ("age", "online", "kind"),
    [
        (0, False, "ok"),
        (6, True, "ok"),
        (7, True, "refuse"),
        (7, False, "ok"),
        (30, False, "ok"),
        (31, False, "warn"),
        (365, False, "warn"),
        (366, False, "refuse"),
        (-1, False, "warn"),
        (-1, True, "warn"),
    ],
)
def test_age_is_judged_by_expiry_online_and_by_policy_behind_a_gap(age, online, kind):
    issued = NOW - age * DAY
    verdict = judge(issued, NOW, POLICY, expires=issued + 7 * DAY, online=online)
    assert verdict.kind == kind
    assert bool(verdict.sentence) == (kind != "ok")
    assert verdict.is_past_max_age == (age > 30)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-11-21",
        "2026-11-21T00:00:00",
        "2026-11-21T00:00:00+01:00",
        "xT0Z",
        "2026-11-21 00:00:00Z",
        "9" * 100 + "Z",
    ],
)
def test_any_other_time_is_refused(text):
    with pytest.raises(ValueError, match="not a time"):
        parse_time(text)


def test_an_age_is_said_in_its_largest_unit():
    assert [show_age(timedelta(seconds=s)) for s in (0, 1, 60, 7200, 86_400, 40 * 86_400)] == [
        "0 seconds", "1 second", "1 minute", "2 hours", "1 day", "40 days",
    ]  # fmt: skip
