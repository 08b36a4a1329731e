"""Small universes: written by hand in a few words, or drawn by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from mmpm.model.ranges import VersionRange
from mmpm.model.versions import Version
from mmpm.solver.universe import Candidate, Package, Universe

V = Version.parse
R = VersionRange.parse_plain


def universe(**packages):
    """`universe(a={"1.0.0": {"b": ">=2.0.0"}, "2.0.0": {}})`: versions in the order of preference, best last."""
    return Universe(
        {
            name.replace("_", "-"): Package(
                name.replace("_", "-"),
                "acme",
                tuple(
                    Candidate(V(version), {dep.replace("_", "-"): R(text) for dep, text in requires.items()})
                    for version, requires in versions.items()
                ),
            )
            for name, versions in packages.items()
        }
    )


NAMES = ("a", "b", "c", "d", "e", "f")
VERSIONS = ("1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0", "3.0.0")
RANGES = st.sampled_from(
    (
        "*",
        "*",
        ">=1.1.0",
        "<2.0.0",
        ">=2.0.0",
        "==1.0.0",
        "==2.0.0",
        "<2.0.0-rc.1",
        ">=1.0.0,<2.0.0 || ==3.0.0",
        "==9.0.0",
        "!=1.1.0",
    )
).map(R)
REQUIREMENTS = st.dictionaries(st.sampled_from((*NAMES, "missing")), RANGES, max_size=3)


@st.composite
def packages(draw, name):
    versions = draw(st.lists(st.sampled_from(VERSIONS), unique=True, max_size=5))
    return Package(
        name,
        "acme",
        tuple(
            Candidate(V(v), draw(REQUIREMENTS), draw(st.dictionaries(st.sampled_from(NAMES), RANGES, max_size=1)))
            for v in versions
        ),
    )


UNIVERSES = st.fixed_dictionaries({}, optional={name: packages(name) for name in NAMES}).map(Universe)
ROOTS = st.lists(st.tuples(st.sampled_from(NAMES), RANGES), min_size=1, max_size=3)
CHOICES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VERSIONS).map(V), max_size=3)
