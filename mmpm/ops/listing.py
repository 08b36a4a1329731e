"""What formulas there are on this machine, tier by tier: `list`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.lock import parse_requirement_text
from mmpm.model.versions import Version
from mmpm.ops.known import lenient_range, newest
from mmpm.ops.receipts import problem_of_unlisted
from mmpm.ops.vouching import Vouching
from mmpm.project.files import installed_identities, observe, read_project, unmanaged
from mmpm.project.state import state_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmpm.execute.context import Context
    from mmpm.project.tiers import Project
    from mmpm.receipt import Installed

FLAT_SUFFIX = ".formula.toml"


@dataclass(frozen=True, slots=True)
class Listed:
    """One formula in one tier.

    Attributes:
        name: full name; of an unmanaged file the name that the file bears.
        installed_name: the unscoped name on disk.
        version: of an unmanaged file empty.
        state: `pinned`, `latest`, `range` (there is a range, and nothing newer is known in it), `outdated` (a newer
            one that the range allows is known), `local` (forked or imported), `unmanaged`, `official` (system tier).
        requested: the range that the person asked for; empty for a dependency.
        prerelease: a pre-release may be chosen where nothing else exists.
        yanked: the publisher withdrew this version; it is never `latest`.
        available: the newest version that the range allows, where it is newer; else empty.
        problem: `edited`, `missing` or empty.
        source: where it came from.
        level: trust level as it is known now; empty for what nobody installed.
        installed_level: the one that it was installed with.
        badge: the level to show; empty where it tells nothing.
        withdrawn: what changed for the worse since, such as `yanked: broken`, `audit withdrawn`.
        barred: which rule of policy bars it; empty where none does.
        shadowed_by: the tier whose formula of this name is found first; empty where this one is.
    """

    name: str
    installed_name: str
    version: str
    state: str
    requested: str = ""
    available: str = ""
    problem: str = ""
    source: str = ""
    level: str = ""
    shadowed_by: str = ""
    prerelease: bool = False
    yanked: bool = False
    installed_level: str = ""
    badge: str = ""
    withdrawn: tuple[str, ...] = ()
    barred: str = ""


@dataclass(frozen=True, slots=True)
class TierListing:
    """The formulas of one tier, sorted by name."""

    project: Project
    formulas: tuple[Listed, ...]


def list_formulas(context: Context, tiers: Sequence[Project], *, installed_only: bool = False) -> list[TierListing]:
    """List what lies in `tiers`, first hit first; reads this machine alone.

    Args:
        context: store and trusted states say what is newer.
        tiers: in search order.
        installed_only: leave out what no receipt lists, and the system tier.

    Raises:
        DocumentUnreadableError, NewerFormatError: a receipt cannot be read.
    """
    latest = _Latest(context)
    found: list[TierListing] = []
    seen: dict[str, str] = {}
    for project in tiers:
        if project.tier == "system":
            listed = [] if installed_only else _system(project)
        else:
            listed = _tier(context, project, latest, installed_only=installed_only)
        shown = tuple(replace(one, shadowed_by=seen.get(one.installed_name, "")) for one in listed)
        for one in shown:
            seen.setdefault(one.installed_name, project.tier)
        found.append(TierListing(project, shown))
    return found


def _tier(context: Context, project: Project, latest: _Latest, *, installed_only: bool) -> list[Listed]:
    files = read_project(project)
    receipt = files.receipt
    paths = [file.path for entry in receipt.entries for file in entry.files]
    identities = installed_identities(state_path(context.places.state, project.root), receipt)
    seen = observe(files.formulas, paths, identities)
    listed: list[Listed] = []
    for entry in receipt.entries:
        problem = "" if entry.files else problem_of_unlisted(files.formulas, entry)
        for file in entry.files:
            if file.path not in seen:
                problem = "missing"
                break
            if seen[file.path].id != file.id:
                problem = "edited"
        listed.append(replace(latest.judge(entry), problem=problem))
    if not installed_only:
        ours = {entry.installed_name for entry in receipt.entries}
        listed += [
            Listed(name, name, "", "unmanaged") for name in unmanaged(files.formulas, receipt) if name not in ours
        ]
    return sorted(listed, key=lambda one: (one.installed_name, one.name))


def _system(project: Project) -> list[Listed]:
    from mmpm.model.formula import parse_formula

    listed = []
    for file_name in _files(project.formulas):
        with open(os.path.join(project.formulas, file_name), "rb") as file:
            formula = parse_formula(file.read(), file_name)
        version = str(formula.version)
        listed.append(Listed(formula.name, formula.name, version, "official", level="official", badge="official"))
    return listed


def _files(folder: str) -> Iterable[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(FLAT_SUFFIX))
    except FileNotFoundError:
        return ()


class _Latest:
    """Says of installed releases whether something newer is known."""

    def __init__(self, context: Context) -> None:
        self._vouching = Vouching(context)

    def judge(self, entry: Installed) -> Listed:
        """Describe an entry of a receipt, its problem on disk left out."""
        asked = parse_requirement_text(entry.requested)
        vouched = self._vouching.of(entry, entry.level)
        listed = Listed(
            name=entry.name,
            installed_name=entry.installed_name,
            version=entry.version,
            state="pinned" if entry.pinned else "range",
            requested=asked.range,
            source=entry.source,
            level=vouched.level,
            prerelease=asked.prerelease,
            installed_level=entry.level,
            badge=self._vouching.badge(vouched.level),
            withdrawn=vouched.words,
            barred=vouched.barred or "",
        )
        if entry.origin or entry.source.startswith(("local:", "import:")):
            return replace(listed, state="local")
        releases = self._vouching.known.of(entry) or ()
        version = Version.parse(entry.version)
        listed = replace(listed, yanked=any(one.yanked is not None and one.version == version for one in releases))
        best = newest(releases, prereleases=asked.prerelease)
        if entry.pinned or best is None:
            return listed
        if version >= best.version:
            return listed if listed.yanked else replace(listed, state="latest")
        wanted = lenient_range(asked.range)
        within = tuple(one for one in releases if wanted.allows(one.version))
        allowed = newest(within, prereleases=asked.prerelease)
        if allowed is not None and allowed.version > version:
            return replace(listed, state="outdated", available=str(allowed.version))
        return listed
