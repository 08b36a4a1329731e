"""Finding formulas in the signed catalogs that are here: `search`. Ranked, by priority of registries, no network.

What ranks (the first difference decides):

1. of the words asked for, where they were found: the whole name, the beginning of the name, a word of the name, a part
   of the name, a capability, a word of the description or the author, a part of one of these;
2. of the capabilities asked for: primary ones before secondary ones, then by the weight that the formula declares (one
   half where it declares none);
3. formulas that somebody vouches for (a verified publisher, a mark) before those that nobody does;
4. the registry that is asked first, then the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.model.spelling import closest
from mmpm.ops.catalog import Owners, read_shelves
from mmpm.ops.vouching import Vouching, judge_latest
from mmpm.trust.levels import UNVERIFIED, rank

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from mmpm.execute.context import Context
    from mmpm.ops.catalog import Entry, Shelf

SORTS = ("relevance", "name", "newest")
_UNDECLARED_WEIGHT = 0.5
_WORD = re.compile(r"[^\s,;]+")
_PART_OF_NAME = re.compile(r"[a-z]{3,}")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is looked for.

    Attributes:
        text: words that must all occur.
        capabilities: tags that it must all have.
        author: a part of the author's name.
        level: the least trust level.
        sort: one of `SORTS`.
        limit, offset: the part of the results to give.
        shows_shadowed: also those that a registry in front hides.
    """

    text: str = ""
    capabilities: tuple[str, ...] = ()
    author: str = ""
    level: str = "unverified"
    sort: str = "relevance"
    limit: int = 20
    offset: int = 0
    shows_shadowed: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One result.

    Attributes:
        entry: what the catalog says.
        registry: id of the registry that has it.
        level: how far its latest release is trusted, by what its index claims.
        badge: that where it is to be shown; empty where it tells nothing.
        shadowed_by: id of the registry whose formula of this name is used instead; empty for the owner's.
    """

    entry: Entry
    registry: str
    level: str = "unverified"
    shadowed_by: str = ""
    badge: str = ""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found.

    Attributes:
        hits: the part that was asked for, in order.
        total: how many there are.
        shadowed: how many more a registry in front hides.
        did_you_mean: names near the text, where no name fits it; else the text with the words that names have.
        other_capabilities: for each tag that no formula has, tags that are near it.
        searched: id, serial and time of issue of each registry that was searched.
        incomplete: ids of registries of which not all (or nothing) is here.
    """

    hits: tuple[Hit, ...]
    total: int
    shadowed: int
    did_you_mean: tuple[str, ...]
    other_capabilities: dict[str, tuple[str, ...]]
    searched: tuple[tuple[str, int, str], ...]
    incomplete: tuple[str, ...]


def search(context: Context, request: SearchRequest) -> SearchResult:
    """Search what is known here of every configured registry.

    Raises:
        RegistryUntrustedError, TrustStateUnreadableError: what is here of one is damaged.
    """
    shelves = read_shelves(context)
    wanted = _Wanted.of(request)
    least = rank(request.level)
    owners = Owners(shelves)
    vouching = Vouching(context)
    ranked: list[tuple[tuple[float, ...], int, str, Hit]] = []
    shadowed = 0
    for position, shelf in enumerate(shelves):
        for entry in shelf.entries:
            place = wanted.rank(entry)
            if place is None:
                continue
            level = judge_latest(vouching, shelf.config.id, entry.name, entry.version)
            if rank(level) < least:
                continue
            owner = owners.of(entry.name)
            shadowed_by = "" if owner == shelf.config.id else owner
            if shadowed_by and not request.shows_shadowed:
                shadowed += 1
                continue
            hit = Hit(entry, shelf.config.id, level, shadowed_by, vouching.badge(level))
            ranked.append(((*place, level == UNVERIFIED), position, entry.name, hit))
    ranked.sort(key=lambda one: one[:3])
    hits = [hit for *_, hit in ranked]
    if request.sort == "name":
        hits.sort(key=lambda hit: hit.entry.name)
    elif request.sort == "newest":
        hits.sort(key=lambda hit: hit.entry.published_at, reverse=True)
    return SearchResult(
        hits=tuple(hits[request.offset : request.offset + request.limit]),
        total=len(hits),
        shadowed=shadowed,
        did_you_mean=_did_you_mean(shelves, wanted, hits),
        other_capabilities=_other_capabilities(shelves, request.capabilities) if not hits else {},
        searched=tuple((shelf.config.id, shelf.serial, shelf.issued) for shelf in shelves if shelf.issued),
        incomplete=tuple(shelf.config.id for shelf in shelves if not shelf.is_complete),
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A request, made ready for thousands of entries.

    Attributes:
        request: it.
        whole: its text in lower case; `words`: of it, each with the pattern that finds it as a whole word.
    """

    request: SearchRequest
    whole: str
    words: tuple[tuple[str, re.Pattern[str]], ...]
    author: str

    @classmethod
    def of(cls, request: SearchRequest) -> _Wanted:
        whole = " ".join(request.text.lower().split())
        words = dict.fromkeys(_WORD.findall(whole))
        patterns = tuple((word, re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")) for word in words)
        return cls(request, whole, patterns, request.author.lower())

    def rank(self, entry: Entry) -> tuple[float, ...] | None:
        """Give what an entry sorts by, lower first; None if it does not match."""
        request = self.request
        of_capabilities = 0.0
        for tag in request.capabilities:
            if tag in entry.primary:
                of_capabilities -= 1 + float(entry.weights.get(tag, _UNDECLARED_WEIGHT))
            elif tag in entry.secondary:
                of_capabilities -= float(entry.weights.get(tag, _UNDECLARED_WEIGHT))
            else:
                return None
        if self.author and self.author not in entry.author.lower():
            return None
        if not self.words:
            return 0, of_capabilities
        tags = " ".join((*entry.primary, *entry.secondary))
        hay = f"{entry.name}\n{tags}\n{entry.author}\n{entry.description}".lower()
        for word, _ in self.words:
            if word not in hay:
                return None
        return self._place(entry, hay), of_capabilities

    def _place(self, entry: Entry, hay: str) -> float:
        """Give the mean place in which the words were found, the whole name being 0."""
        name = entry.name
        base = name.rpartition("/")[2]
        short = base.removeprefix("mol-")
        if self.whole in {name, base, short}:
            return 0.0
        if name.startswith(self.whole) or base.startswith(self.whole) or short.startswith(self.whole):
            return 1.0
        total = 0
        for word, pattern in self.words:
            if word in name:
                total += 2 if pattern.search(name) else 3
            elif word in entry.primary:
                total += 4
            elif word in entry.secondary:
                total += 5
            else:
                total += 6 if pattern.search(hay) else 7
        return total / len(self.words)


def _did_you_mean(shelves: Sequence[Shelf], wanted: _Wanted, hits: Sequence[Hit]) -> tuple[str, ...]:
    """Give names near what was typed, where it looks like a name and none has it in it."""
    slug = wanted.whole.replace(" ", "-")
    if not slug or (hits and len(wanted.words) > 1) or any(slug in hit.entry.name for hit in hits):
        return ()
    names = {entry.name for shelf in shelves for entry in shelf.entries}
    if slug in names:
        return ()
    return tuple(closest(slug, names)) or (() if hits else _corrected(wanted, names))


def _corrected(wanted: _Wanted, names: AbstractSet[str]) -> tuple[str, ...]:
    """Give the text with each word as names have it, where a word of theirs is near; nothing where none is."""
    known = {part for name in names for part in _PART_OF_NAME.findall(name)}
    words = [word if word in known else next(iter(closest(word, known)), word) for word, _ in wanted.words]
    text = " ".join(words)
    return (text,) if text != wanted.whole else ()


def _other_capabilities(shelves: Sequence[Shelf], asked: Sequence[str]) -> dict[str, tuple[str, ...]]:
    known = (
        {tag for shelf in shelves for entry in shelf.entries for tag in (*entry.primary, *entry.secondary)}
        if asked
        else set()
    )
    return {tag: tuple(closest(tag, known)) for tag in asked if tag not in known}
