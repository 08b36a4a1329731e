"""Rules of policy: one more statement never allows more, and what bars a release says which rule and where."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.project.settings import SETTINGS
from mmpm.trust.keys import SigningKey
from mmpm.trust.levels import LEVELS, rank
from mmpm.trust.policy import RULES, Policy, Stated, parse_pattern
from mmpm.trust.signed_policy import SignedPolicy

NOW = "2026-01-20T00:00:00Z"
NAMES = ["mol-a", "mol-b", "@acme/mol-a", "@other/mol-b"]
VERSIONS = ["1.0.0", "1.2.0", "2.0.0-rc.1", "2.0.0"]
PATTERNS = ["*", "mol-*", "mol-a", "@acme/*", "@*/mol-a", "mol-a@^1", "*@<2", "@acme/mol-a@2.0.0"]


@dataclass(frozen=True)
class Line:
    """The part of an index line that policy looks at."""

    name: FormulaName
    version: Version
    published_at: str


LINES = st.builds(
    Line,
    st.sampled_from(NAMES).map(FormulaName.parse),
    st.sampled_from(VERSIONS).map(Version.parse),
    st.sampled_from([f"2026-01-{day:02d}T00:00:00Z" for day in (1, 15, 19, 20)]),
)


def stated(rule, value, origin="/etc/mmpm/config.toml"):
    return Stated(rule, value, ", ".join(value) if isinstance(value, tuple) else str(value), origin)


LISTS = st.lists(st.sampled_from(PATTERNS), max_size=3).map(tuple)
SECONDS = st.sampled_from([None, 0, 86400, 10 * 86400])
STATEMENTS = st.one_of(
    st.builds(stated, st.just("min_level"), st.sampled_from(LEVELS)),
    st.builds(stated, st.sampled_from(["min_age", "max_age", "red_line"]), SECONDS),
    st.builds(stated, st.sampled_from(["allow", "deny"]), LISTS),
)


@given(st.lists(STATEMENTS, max_size=5), STATEMENTS, LINES, st.sampled_from(LEVELS))
def test_one_more_statement_never_allows_more(some, more, release, level):
    before, after = Policy.of(some), Policy.of([*some, more])
    if before.barrier(release, level, NOW) is not None:
        assert after.barrier(release, level, NOW) is not None
    for rule in ("max_age", "red_line"):
        old, new = getattr(before, rule), getattr(after, rule)
        if old is not None and old.value is not None:
            assert new.value is not None
            assert new.value <= old.value


@given(st.lists(STATEMENTS, max_size=5), LINES, st.sampled_from(LEVELS), st.sampled_from(LEVELS))
def test_a_higher_level_is_never_barred_where_a_lower_one_is_not(some, release, one, other):
    policy = Policy.of(some)
    if rank(one) <= rank(other) and policy.barrier(release, one, NOW) is None:
        assert policy.barrier(release, other, NOW) is None


@given(st.lists(STATEMENTS, max_size=5), st.randoms(), LINES, st.sampled_from(LEVELS))
def test_the_order_of_statements_decides_nothing_about_a_release(some, chance, release, level):
    shuffled = list(some)
    chance.shuffle(shuffled)
    first, second = (Policy.of(each).barrier(release, level, NOW) for each in (some, shuffled))
    assert (first is None) == (second is None)


@given(st.lists(STATEMENTS, max_size=5), LINES, st.sampled_from(LEVELS))
def test_what_bars_nothing_bars_nothing(some, release, level):
    policy = Policy.of(some)
    if policy.bars_nothing:
        assert policy.barrier(release, level, NOW) is None


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("@acme/*", ["@acme/mol-a"], ["mol-a", "@acmes/mol-a", "@acme-x/mol-a"]),
        ("mol-*", ["mol-a", "mol-"], ["@acme/mol-a", "xmol-a"]),
        ("*", ["mol-a", "@acme/mol-a"], []),
        ("@*/mol-a", ["@acme/mol-a"], ["mol-a"]),
        ("mol.a", ["mol.a"], ["mol-a", "molxa"]),
    ],
)
def test_a_pattern_means_names(pattern, fits, does_not):
    found = parse_pattern(pattern).name
    assert [name for name in fits + does_not if found.fullmatch(name)] == fits


@pytest.mark.parametrize(
    "text", ["", "@", "@acme", "Mol-a", "mol-a@", "mol a", "@acme/*/x", "mol-a@what", "../x", "@*@1"]
)
def test_what_is_no_pattern_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_pattern(text)


def test_what_bars_a_release_names_rule_and_origin():
    release = Line(FormulaName.parse("mol-x"), Version.parse("2.0.0"), NOW)
    for statement, words in (
        (
            stated("min_level", "audited"),
            "policy.min_level = audited (set in /etc/mmpm/config.toml): it is verified, not",
        ),
        (
            stated("min_age", 86400, "MMPM_POLICY_MIN_AGE"),
            "policy.min_age = 86400 (set by MMPM_POLICY_MIN_AGE): it was",
        ),
        (stated("deny", ("mol-x@^2",)), "policy.deny, which has mol-x@^2 (set in /etc/mmpm/config.toml)"),
        (stated("allow", ("@acme/*",)), "policy.allow, which does not have it (set in"),
    ):
        assert Policy.of([statement]).barrier(release, "verified", NOW).startswith(words)


def test_the_settings_have_the_rules_and_levels_that_policy_has():
    assert sorted(key.partition(".")[2] for key in SETTINGS if key.startswith("policy.")) == sorted(RULES)
    assert SETTINGS["policy.min_level"].choices == LEVELS


# --- signed policies --------------------------------------------------------------------------------------------------

POLICIES = st.builds(
    SignedPolicy,
    st.sampled_from(["acme", "acme-2"]),
    st.integers(1, 1000),
    st.just(NOW),
    st.dictionaries(st.sampled_from(["min_level"]), st.sampled_from(LEVELS))
    | st.dictionaries(st.sampled_from(["allow", "deny"]), LISTS),
    st.sampled_from(["", "ab" * 32]),
)
KEYS = [SigningKey.generate() for _ in range(2)]


@given(POLICIES)
def test_a_signed_policy_is_read_back_and_its_signatures_hold(policy):
    signed = policy.signed(KEYS[0]).signed(KEYS[1])
    again = SignedPolicy.parse(signed.to_bytes())
    assert again == signed
    assert all(again.is_signed_by(key.public.hex) for key in KEYS)
    assert not again.is_signed_by("00" * 32)


@given(POLICIES, st.data())
def test_a_flipped_bit_is_refused_or_leaves_no_signature(policy, data):
    signed = bytearray(policy.signed(KEYS[0]).to_bytes())
    signed[data.draw(st.integers(0, len(signed) - 2))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = SignedPolicy.parse(bytes(signed))
    except ValueError:
        return
    assert not found.is_signed_by(KEYS[0].public.hex)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"format":2}',
        '{"format":1,"id":"acme","serial":1,"issued":"2026-01-20T00:00:00Z","policy":{"min_stars":5},"signatures":[]}',
        '{"format":1,"id":"acme","serial":1,"issued":"2026-01-20T00:00:00Z","policy":{},"extra":1,"signatures":[]}',
        '{"format":1,"id":"../x","serial":1,"issued":"2026-01-20T00:00:00Z","policy":{},"signatures":[]}',
        '{"format":1,"id":"acme","serial":-1,"issued":"2026-01-20T00:00:00Z","policy":{},"signatures":[]}',
        '{"format":1,"id":"acme","serial":1,"issued":"yesterday","policy":{},"signatures":[]}',
    ],
)
def test_what_this_program_cannot_obey_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        SignedPolicy.parse(text.encode())
