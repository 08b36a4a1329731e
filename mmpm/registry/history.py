"""How an index grows: new lines at its end, the oldest into pages, yanks in place. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.registry.index import (
    INDEX_LINES,
    PAGE_LINES,
    FormulaIndex,
    PageReference,
    page_to_bytes,
    parse_release_line,
    release_line,
)
from mmpm.trust.facts import TargetFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mmpm.model.names import FormulaName
    from mmpm.model.release import Release


@dataclass(frozen=True, slots=True)
class Grown:
    """An index after a change.

    Attributes:
        index: the new index.
        new_pages: number and bytes of pages that have to be written.
        releases: the whole history in order of publication, pages included.
    """

    index: FormulaIndex
    new_pages: tuple[tuple[int, bytes], ...]
    releases: tuple[Release, ...]


def read_history(name: FormulaName, index: FormulaIndex | None, older: Sequence[object]) -> tuple[Release, ...]:
    """Give all releases of a formula in order of publication.

    Raises:
        ValueError: a line is malformed.
    """
    lines = (*older, *(index.lines if index else ()))
    return tuple(parse_release_line(name, line) for line in lines)


def append(
    name: FormulaName, index: FormulaIndex | None, history: Sequence[Release], new: Iterable[Release], serial: int
) -> Grown:
    """Add `new` releases, in order of their publication times, as what appeared at `serial`."""
    ordered = sorted(new, key=lambda one: (one.published_at, one.version))
    added = tuple(replace(one, serial=serial) for one in ordered)
    lines = list(index.lines if index else ()) + [release_line(one) for one in added]
    pages = list(index.pages if index else ())
    new_pages: list[tuple[int, bytes]] = []
    while len(lines) > INDEX_LINES:
        number = len(pages) + 1
        data = page_to_bytes(name, lines[:PAGE_LINES])
        file = TargetFile.of(data)
        pages.append(PageReference(number, file.sha256, file.length))
        new_pages.append((number, data))
        del lines[:PAGE_LINES]
    return Grown(FormulaIndex(name, tuple(lines), tuple(pages)), tuple(new_pages), (*history, *added))


def change(index: FormulaIndex, history: Sequence[Release], changed: Release) -> Grown:
    """Put `changed` in the place of the release of the same version, wherever in the history it stands."""
    releases = tuple(changed if one.version.slot == changed.version.slot else one for one in history)
    position = next(number for number, one in enumerate(releases) if one is changed)
    page_number = position // PAGE_LINES + 1
    line = release_line(changed)
    if page_number > len(index.pages):
        lines = list(index.lines)
        lines[position - PAGE_LINES * len(index.pages)] = line
        return Grown(replace(index, lines=tuple(lines)), (), releases)
    start = (page_number - 1) * PAGE_LINES
    data = page_to_bytes(index.name, [release_line(one) for one in releases[start : start + PAGE_LINES]])
    file = TargetFile.of(data)
    pages = list(index.pages)
    pages[page_number - 1] = PageReference(page_number, file.sha256, file.length)
    return Grown(replace(index, pages=tuple(pages)), ((page_number, data),), releases)


def latest(releases: Iterable[Release]) -> Release:
    """Give the release that a catalog shows.

    The highest that is neither pre-release nor yanked, else the highest not yanked, else the highest.
    """
    return max(
        releases, key=lambda one: (not one.tombstone, one.yanked is None, not one.version.is_prerelease, one.version)
    )
