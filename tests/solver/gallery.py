"""Twenty-five questions that have no answer: `docs/solver.md` shows what mmpm says to each, and a test holds it to that.

PYTHONPATH=tests python -m solver.gallery        writes the gallery in docs/solver.md again
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmpm.model.ranges import VersionRange
from mmpm.model.versions import Version
from mmpm.solver.explain import explain
from mmpm.solver.solve import Conflict, solve
from mmpm.solver.universe import Absence, Candidate, Package, Removed, Shadowed, Universe

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTE = Path(__file__).resolve().parents[2] / "docs" / "solver.md"
BEGINS, ENDS = "<!-- gallery: PYTHONPATH=tests python -m solver.gallery -->\n", "<!-- end of the gallery -->\n"

V = Version.parse
R = VersionRange.parse


@dataclass(frozen=True)
class Refused:
    """One picture: what is asked of what, and why a person could meet it."""

    title: str
    asks: tuple[tuple[str, str], ...]
    packages: Mapping[str, Package]
    absent: Mapping[str, Absence] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)

    @property
    def conflict(self) -> Conflict:
        """The solver's refusal."""
        roots = [(name, R(text)) for name, text in sorted(self.asks)]
        found = solve(
            Universe(self.packages, self.absent), roots, {}, {name: V(text) for name, text in self.pins.items()}
        )
        assert isinstance(found, Conflict), self.title
        return found


def package(name, registry="acme", *, removed=(), shadowed=(), constrains=None, **versions):
    """Give a package; versions as `v1_0_0={"mol-b": "^2"}`, best last."""
    candidates = tuple(
        Candidate(V(at[1:].replace("_", ".")), {other: R(text) for other, text in needs.items()})
        for at, needs in versions.items()
    )
    if constrains:
        bounds = {other: R(text) for other, text in constrains.items()}
        candidates = tuple(replace(each, constrains=bounds) for each in candidates)
    out = tuple(Removed(V(version), why, detail) for version, why, detail in removed)
    below = tuple(Shadowed(other, tuple(V(version) for version in theirs)) for other, theirs in shadowed)
    return Package(name, registry, candidates, out, below)


def packages(*listed):
    return {each.name: each for each in listed}


def pigeons(count):
    """`count` formulas that each need a place of their own, and one place too few."""
    places = range(1, count)
    return packages(
        *(
            package(f"bird-{i}", **{f"v{place}_0_0": {f"place-{place}": f"{i}.0.0"} for place in places})
            for i in range(1, count + 1)
        ),
        *(package(f"place-{place}", **{f"v{i}_0_0": {} for i in range(1, count + 1)}) for place in places),
    )


def chain(length):
    """Each formula needs the next one; the last one needs a release that does not exist."""
    return packages(
        *(package(f"mol-{i:02}", v1_0_0={f"mol-{i + 1:02}": "^1"}) for i in range(1, length)),
        package(f"mol-{length:02}", v1_0_0={"mol-end": "^2"}),
        package("mol-end", v1_0_0={}),
    )


ONE = (("mol-deploy", "*"),)
TWO = (("mol-deploy", "*"), ("mol-review", "*"))

GALLERY = (
    Refused(
        "A name that no registry has",
        (("mol-reveiw", "*"),),
        {},
        {"mol-reveiw": Absence("absent", ("acme", "public"), near=("mol-review",))},
    ),
    Refused(
        "A range that no release fits", (("mol-deploy", "^4"),), packages(package("mol-deploy", v2_0_0={}, v3_1_0={}))
    ),
    Refused(
        "A registry whose word was never fetched",
        (("mol-deploy", "^4"),),
        {},
        {"mol-deploy": Absence("not fetched", ("acme",))},
    ),
    Refused(
        "A dependency that the mirror does not carry",
        ONE,
        packages(package("mol-deploy", "mirror", v1_0_0={"mol-git": "^2"})),
        {"mol-git": Absence("not mirrored", ("mirror",))},
    ),
    Refused(
        "A name in a scope, which is bound to one registry",
        (("@acme/mol-deploy", "*"),),
        {},
        {"@acme/mol-deploy": Absence("absent", ("acme",), bound="scope", elsewhere=("public",))},
    ),
    Refused(
        "A fitting release that a higher registry shadows",
        (("mol-deploy", "^9"),),
        packages(package("mol-deploy", v1_0_0={}, shadowed=[("public", ("9.0.0", "9.9.9"))])),
    ),
    Refused(
        "A release that was yanked",
        (("mol-deploy", "^2"),),
        packages(package("mol-deploy", v1_0_0={}, removed=[("2.0.0", "yanked", "deletes the wrong branch")])),
    ),
    Refused(
        "All releases were yanked",
        ONE,
        packages(package("mol-deploy", removed=[("1.0.0", "yanked", "leaks a token"), ("1.0.1", "yanked", "")])),
    ),
    Refused(
        "Only a pre-release fits",
        (("mol-deploy", "^2"),),
        packages(
            package(
                "mol-deploy", v1_0_0={}, removed=[("2.0.0-rc.1", "pre-release", ""), ("2.0.0-rc.2", "pre-release", "")]
            )
        ),
    ),
    Refused(
        "A policy bars the only release that fits",
        (("mol-deploy", "^2"),),
        packages(package("mol-deploy", v1_0_0={}, removed=[("2.0.0", "barred by policy", "policy.min_age")])),
    ),
    Refused(
        "Offline, and the files are not in the store",
        ONE,
        packages(package("mol-deploy", removed=[("1.0.0", "not in the store", ""), ("1.1.0", "not in the store", "")])),
    ),
    Refused(
        "A release that its registry took down",
        (("mol-deploy", "2.0.0"),),
        packages(package("mol-deploy", v1_0_0={}, removed=[("2.0.0", "taken down", "court order")])),
    ),
    Refused(
        "Several reasons at once",
        (("mol-deploy", "^2"),),
        packages(
            package(
                "mol-deploy",
                v1_0_0={},
                removed=[
                    ("2.0.0", "yanked", "broken gate"),
                    ("2.1.0", "barred by policy", "policy.min_age"),
                    ("2.2.0-rc.1", "pre-release", ""),
                ],
                shadowed=[("public", ("2.0.5",))],
            )
        ),
    ),
    Refused(
        "A name that is listed, without any release",
        ONE,
        packages(package("mol-deploy", v1_0_0={"mol-git": "*"}), package("mol-git")),
    ),
    Refused(
        "Two formulas that exclude each other",
        TWO,
        packages(
            package("mol-deploy", v1_0_0={"mol-git": "^1"}),
            package("mol-review", v1_0_0={"mol-git": "^2"}),
            package("mol-git", "public", v1_0_0={}, v2_0_0={}),
        ),
    ),
    Refused(
        "Two sections that ask for different majors of one formula",
        (("mol-deploy", "^1"), ("mol-deploy", "^2")),
        packages(package("mol-deploy", v1_0_0={}, v2_0_0={})),
    ),
    Refused(
        "Every version needs what the other one cannot bear",
        TWO,
        packages(
            package(
                "mol-deploy", v1_0_0={"mol-git": "^2"}, v1_1_0={"mol-git": "^2"}, v1_2_0={"mol-git": ">=2.1.0,<3.0.0"}
            ),
            package("mol-review", v3_0_0={"mol-lint": "*"}),
            package("mol-lint", "public", v1_0_0={"mol-git": "<2"}, v1_1_0={"mol-git": "<2"}),
            package("mol-git", "public", v1_0_0={}, v2_0_0={}, v2_1_0={}),
        ),
    ),
    Refused(
        "Each version fails for a reason of its own",
        TWO,
        packages(
            package("mol-deploy", v1_0_0={"mol-git": "^1"}, v2_0_0={"mol-cloud": "*"}, v3_0_0={"mol-gate": "^5"}),
            package("mol-gate", "public", v4_0_0={}, removed=[("5.0.0", "yanked", "opens on red")]),
            package("mol-review", v1_0_0={"mol-git": "^2"}),
            package("mol-git", "public", v1_0_0={}, v2_0_0={}),
        ),
        {"mol-cloud": Absence("absent", ("acme", "public"))},
    ),
    Refused(
        "A pin in the way",
        TWO,
        packages(package("mol-deploy", v1_0_0={}, v2_0_0={}), package("mol-review", v1_0_0={"mol-deploy": "^1"})),
        pins={"mol-deploy": "2.0.0"},
    ),
    Refused(
        "A formula that bears only some versions of another",
        TWO,
        packages(
            package("mol-deploy", v1_0_0={}, constrains={"mol-review": "<3"}),
            package("mol-review", v3_0_0={}, v3_1_0={}),
        ),
    ),
    Refused(
        "A cycle that does not close",
        ONE,
        packages(
            package("mol-deploy", v1_0_0={"mol-git": "^1"}),
            package("mol-git", v1_0_0={"mol-lint": "*"}),
            package("mol-lint", v1_0_0={"mol-deploy": "^2"}),
        ),
    ),
    Refused(
        "A formula imported from a file, which needs what nobody has",
        (("mol-local", "*"),),
        packages(package("mol-local", "", v0_1_0={"mol-gone": "^1"})),
        {"mol-gone": Absence("absent")},
    ),
    Refused("A long way to what is missing", (("mol-01", "*"),), chain(12)),
    Refused(
        "A proof in several steps: three birds, two places", tuple((f"bird-{i}", "*") for i in range(1, 4)), pigeons(3)
    ),
    Refused("A proof too long to tell", tuple((f"bird-{i}", "*") for i in range(1, 7)), pigeons(6)),
)


def gallery() -> str:
    """Give the gallery as Markdown."""
    pictures = []
    for number, each in enumerate(GALLERY, 1):
        asked = ", ".join(f"`{name}`" if text == "*" else f"`{name}@{text}`" for name, text in each.asks)
        pins = "".join(f"; `{name}` is pinned to {version}" for name, version in each.pins.items())
        pictures.append(
            f"**{number}. {each.title}.** Asked for: {asked}{pins}.\n\n```text\n{explain(each.conflict)}\n```\n"
        )
    return "\n".join(pictures)


def with_gallery(note: str) -> str:
    """Give the note with the gallery in its place."""
    return re.sub(
        f"{re.escape(BEGINS)}.*{re.escape(ENDS)}", lambda _: f"{BEGINS}\n{gallery()}\n{ENDS}", note, flags=re.DOTALL
    )


if __name__ == "__main__":
    NOTE.write_text(with_gallery(NOTE.read_text()))
