"""How wide a text is, and how it is cut and wrapped: in columns of a terminal, in pixels of a picture.

Rule: what belongs to the character before it (accents, the selector of an emoji) is never cut off from it, and a
character that takes two columns counts as two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN: Final = "\u200d\ufe0f"
"""What a picture may hold although it is not printable: what joins the parts of an emoji."""

_ELLIPSIS: Final = "..."
# Widths in a usual sans serif, in hundredths of its size; what is not here is 62.
_NARROW: Final = dict.fromkeys("ijl.,:;'|!I`", 32) | dict.fromkeys('frt()[]{}/\\- "*', 42)
_BROAD: Final = dict.fromkeys("mMWw@%", 96) | dict.fromkeys("ABCDEFGHJKLNOPQRSTUVXYZ&#<>+=~_", 74)
_WIDTHS: Final = {**_NARROW, **_BROAD}
_USUAL: Final = 62


def columns(text: str) -> int:
    """Give how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(_columns(character) for character in text)


def one_line(text: str, most: int) -> str:
    """Give a text as one line of at most `most` columns; a longer one is cut and ends in three dots."""
    line = " ".join(text[: 8 * most].split())
    if len(line) <= most and columns(line) <= most and len(text) <= 8 * most:
        return line
    kept, taken = [], 0
    for cluster in _clusters(line):
        taken += columns(cluster)
        if taken > most:
            break
        kept.append(cluster)
    return "".join(kept) + _ELLIPSIS


def pixels(text: str, size: float) -> float:
    """Give about how wide a text is in a sans serif of `size` pixels, rather too much than too little."""
    total = 0
    for character in text:
        if character.isascii():
            total += _WIDTHS.get(character, _USUAL)
        else:
            total += {0: 0, 1: 74, 2: 130}[_columns(character)]
    return total * size / 100


def wrapped(text: str, width: float, size: float, most: int) -> tuple[str, ...]:
    """Give a text in at most `most` lines of at most `width` pixels; what is left over ends in three dots.

    Breaks stand between words, else between letters.
    """
    lines = [""]
    words = text[: int(4 * most * width / size) + 4].split()
    for word in words:
        grown = f"{lines[-1]} {word}" if lines[-1] else word
        if pixels(grown, size) <= width:
            lines[-1] = grown
            continue
        if lines[-1]:
            lines.append("")
        if len(lines) > most:
            break
        for cluster in _clusters(word):
            if lines[-1] and pixels(lines[-1] + cluster, size) > width:
                lines.append("")
            lines[-1] += cluster
        if len(lines) > most:
            break
    if len(lines) <= most:
        return tuple(lines) if lines[-1] or len(lines) == 1 else tuple(lines[:-1])
    return (*lines[: most - 1], _with_dots(lines[most - 1], width, size))


def fitted(text: str, width: float, size: float) -> str:
    """Give a text as one line of at most `width` pixels; a longer one is cut and ends in three dots."""
    line = " ".join(text[: int(8 * width / size) + 8].split())
    return line if pixels(line, size) <= width else _with_dots(line, width, size)


def _with_dots(line: str, width: float, size: float) -> str:
    clusters = list(_clusters(line))
    while clusters and pixels("".join(clusters) + _ELLIPSIS, size) > width:
        clusters.pop()
    return "".join(clusters).rstrip() + _ELLIPSIS


def _clusters(text: str) -> Iterator[str]:
    """Give what stands together: a character with all that is drawn over it."""
    if text.isascii():
        yield from text
        return
    cluster = ""
    for character in text:
        if cluster and (_columns(character) == 0 or cluster.endswith("\u200d")):
            cluster += character
        else:
            if cluster:
                yield cluster
            cluster = character
    if cluster:
        yield cluster


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    import unicodedata  # a shared library of its own, and most texts are plain

    if unicodedata.category(character) in {"Mn", "Me", "Cf"} or "\ufe00" <= character <= "\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
