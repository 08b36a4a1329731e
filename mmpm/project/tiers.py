"""Tiers: where formulas are looked up and installed. Project, user, town, system; the first hit wins."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import NoProjectError, UsageError
from mmpm.project.walk import nearest_root

if TYPE_CHECKING:
    from mmpm.project.places import Places

TIERS = ("project", "user", "town", "system")
"""In search order."""
WRITABLE_TIERS = TIERS[:3]


@dataclass(frozen=True, slots=True)
class Project:
    """One tier's root: the folder that has `mmpm.toml`, `mmpm.lock` and `.beads/formulas/`.

    Attributes:
        tier: one of `TIERS`.
        root: absolute path; for the system tier the folder inside the wheel.
        chosen: why this one, as words to print: "the nearest mmpm.toml", "--tier user".
    """

    tier: str
    root: str
    chosen: str = ""

    @property
    def manifest_path(self) -> str:
        """`<root>/mmpm.toml`."""
        return os.path.join(self.root, "mmpm.toml")

    @property
    def lock_path(self) -> str:
        """`<root>/mmpm.lock`."""
        return os.path.join(self.root, "mmpm.lock")

    @property
    def formulas(self) -> str:
        """The folder of installed formulas; in the system tier the wheel's own."""
        if self.tier == "system":
            return self.root
        return os.path.join(self.root, ".beads", "formulas")


def choose_project(places: Places, start: str, *, tier: str | None = None, folder: str | None = None) -> Project:
    """Say which tier a command is about.

    `--project DIR` is that folder; `--tier T` that tier; else the project if it has an `mmpm.toml` or `mmpm.lock`,
    else the town if there is one, else the user.

    Args:
        places: the person's folders.
        start: absolute path of the working folder.
        tier: what `--tier` says.
        folder: what `--project` says, relative to `start` or absolute; it must exist.

    Raises:
        UsageError: an unknown tier, both flags at odds, or a folder that is not there.
        NoProjectError: `--tier project` outside of any project, `--tier town` without a town.
    """
    if tier is not None and tier not in WRITABLE_TIERS:
        raise UsageError(f"--tier {tier}: expected one of {', '.join(WRITABLE_TIERS)}")
    if folder is not None:
        if tier not in {None, "project"}:
            raise UsageError(f"--project and --tier {tier} do not fit together", "leave one of them out")
        root = os.path.normpath(os.path.join(start, folder))
        if not os.path.isdir(root):
            raise UsageError(f"--project {folder}: there is no such folder")
        return Project("project", root, "--project")
    if tier is not None:
        return _tier_root(places, start, tier)
    nearest = nearest_root(start, places.home, places.town)
    if nearest is not None and nearest[1]:
        project = Project("project", nearest[0], "the nearest mmpm.toml")
        return project if os.path.isfile(project.manifest_path) else replace(project, chosen="the nearest mmpm.lock")
    if os.path.isdir(places.town):
        return Project("town", places.town, "no mmpm.toml here, and there is a town")
    return Project("user", places.home, "no mmpm.toml here, and no town")


def choose_beads(places: Places, start: str, *, tier: str | None = None, folder: str | None = None) -> Project:
    """Say whose molecules a command is about: as `choose_project`, but a folder with `.beads/` alone is a project, too.

    Raises:
        UsageError, NoProjectError: as `choose_project`.
    """
    if tier is None and folder is None:
        nearest = nearest_root(start, places.home, places.town)
        if nearest is not None:
            return Project("project", nearest[0], "the nearest folder with .beads, mmpm.toml or mmpm.lock")
    return choose_project(places, start, tier=tier, folder=folder)


def search_order(places: Places, start: str, folder: str | None = None) -> tuple[Project, ...]:
    """Give the tiers in which a name is looked up from `start`, first hit first; only those that exist.

    A project counts as soon as it has `.beads/`, with or without `mmpm.toml`.
    """
    found: list[Project] = []
    if folder is not None:
        found.append(Project("project", os.path.normpath(os.path.join(start, folder))))
    else:
        nearest = nearest_root(start, places.home, places.town)
        if nearest is not None:
            found.append(Project("project", nearest[0]))
    found.append(Project("user", places.home))
    if os.path.isdir(places.town):
        found.append(Project("town", places.town))
    found.append(system_tier())
    return tuple(found)


def system_tier() -> Project:
    """Give the tier that comes inside the wheel: a few formulas of our own, level official."""
    import mmpm

    return Project("system", os.path.join(os.path.dirname(mmpm.__file__), "system", "formulas"))


def _tier_root(places: Places, start: str, tier: str) -> Project:
    if tier == "user":
        return Project("user", places.home, "--tier user")
    if tier == "town":
        if not os.path.isdir(places.town):
            raise NoProjectError("town", places.town)
        return Project("town", places.town, "--tier town")
    nearest = nearest_root(start, places.home, places.town)
    if nearest is None:
        raise NoProjectError("project", start)
    return Project("project", nearest[0], "--tier project")
