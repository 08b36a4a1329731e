"""Values of the model for hypothesis: small enough that versions and ranges meet."""

from __future__ import annotations

from hypothesis import strategies as st

from mmpm.model.versions import Version

NUMBERS = st.integers(0, 4)
IDENTIFIERS = st.one_of(st.integers(0, 3).map(str), st.sampled_from(["a", "rc", "beta", "x-1", "00a"]))
PRERELEASES = st.lists(IDENTIFIERS, max_size=3).map(".".join)
BUILDS = st.sampled_from(["", "", "", "b1", "001", "x.y"])


@st.composite
def version_texts(draw: st.DrawFn) -> str:
    text = f"{draw(NUMBERS)}.{draw(NUMBERS)}.{draw(NUMBERS)}"
    prerelease, build = draw(PRERELEASES), draw(BUILDS)
    return text + (f"-{prerelease}" if prerelease else "") + (f"+{build}" if build else "")


VERSIONS = version_texts().map(Version.parse)

PARTIALS = st.one_of(NUMBERS.map(str), st.tuples(NUMBERS, NUMBERS).map(lambda n: f"{n[0]}.{n[1]}"))
OPERATORS = st.sampled_from(["", "=", "==", ">", ">=", "<", "<=", "^", "~"])


@st.composite
def range_texts(draw: st.DrawFn) -> str:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(["*", "latest"]))
    comparators = st.tuples(OPERATORS, st.sampled_from(["", " "]), st.one_of(version_texts(), PARTIALS)).map("".join)
    separators = st.sampled_from([",", " ", ", ", " , "])
    alternatives = []
    for _ in range(draw(st.integers(1, 3))):
        text = draw(comparators)
        for _ in range(draw(st.integers(0, 2))):
            text += draw(separators) + draw(comparators)
        alternatives.append(text)
    return draw(st.sampled_from([" || ", "||"])).join(alternatives)


NAME_PARTS = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)
