"""An index read by its written form: one look at each line, its fields when they are asked for.

`canonical_json` writes an index in one way only: known keys in their order, no blanks. Text of exactly this form is
strict JSON with each key once, so that nothing is left of what the strict parser looks for; what is not, down to a
single line (a yank, a character beyond ASCII, a key of tomorrow), makes the whole document one for that parser. What
is chosen among is read here and held to its rules for every line: version and requirements. The other fields of a
line are read, strictly, when one of them is asked for: so always before anything of it gets into a lock.

Why this is enough: the bytes have the sha256 that a verified signature names, so that form and fields protect from a
careless publisher and from readers that disagree, and not from what was changed on the way.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from mmpm.model.canonical import parse_json
from mmpm.model.release import Release
from mmpm.model.versions import Version
from mmpm.registry.index import INDEX_LINES, parse_release_line, requirement

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.model.names import FormulaName
    from mmpm.model.references import Requirement

    Refuse = Callable[[ValueError], Exception]

MAX_BYTES: Final = 4 << 20
"""Longer documents are left to the strict parser; 256 lines with 20 requirements each have 0.3 MB."""

# Printable ASCII but for the two characters that mean something in a JSON text. No repetition is ever taken back
# (`*+`), so that a hostile text costs neither time nor memory beyond its length.
_TEXT: Final = r'"[ !#-\[\]-~]*+"'
_TEXTS: Final = rf"\[{_TEXT}(?:,{_TEXT})*+\]"
_PAIRS: Final = rf"{_TEXT}:{_TEXT}(?:,{_TEXT}:{_TEXT})*+"
_WHOLE: Final = r"(?:0|[1-9][0-9]{0,15})"
_COUNTS: Final = rf"{_TEXT}:{_WHOLE}(?:,{_TEXT}:{_WHOLE})*+"
_LINE: Final = re.compile(
    rf'(\{{"checksum":{_TEXT},"document":{_TEXT},"kind":{_TEXT},"published_at":"([ !#-\[\]-~]{{0,40}})",'
    rf'(?:"requires":\{{({_PAIRS})\}},)?"serial":{_WHOLE},(?:"signatures":\{{{_PAIRS}\}},)?'
    rf'(?:"signed_later":\{{{_COUNTS}\}},)?"size":{_WHOLE},(?:"soft":{_TEXTS},)?'
    rf'"tree":{_TEXT},"version":"([ !#-\[\]-~]*+)"\}})'
)
_PAIR: Final = re.compile(r'"([^"]*)":"([^"]*)"')


def read_written(data: bytes, name: FormulaName, refuse: Refuse) -> tuple[Release, ...] | None:
    """Give the releases of an index without pages, or of a page, in order of publication.

    Args:
        data: a document whose sha256 was checked.
        name: of the formula.
        refuse: makes the error for a line whose other fields turn out malformed.

    Returns:
        None where the document is not of the written form: whether it is an index at all is for `FormulaIndex.parse`.

    Raises:
        ValueError: a version or a requirement is malformed.
    """
    if len(data) > MAX_BYTES:
        return None
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return None
    head = f'{{"format":1,"name":"{name}","releases":['
    if not (text.startswith(head) and text.endswith("]}")):
        return None
    found = _LINE.findall(text, len(head))
    # The lines joined again are the text: so nothing stands before, between or behind them.
    if len(found) > INDEX_LINES or ",".join([line for line, _, _, _ in found]) != text[len(head) : -2]:
        return None
    parse, later = Version.parse, Release.later
    releases = []
    for line, published_at, needs, version in found:
        requires = _requirements(needs) if needs else ()
        if requires is None:
            return None
        releases.append(later(name, parse(version), requires, published_at, partial(_whole, name, line, refuse)))
    return tuple(releases)


def _whole(name: FormulaName, line: str, refuse: Refuse) -> Release:
    """Read all of a line that is of the written form."""
    try:
        return parse_release_line(name, parse_json(line.encode(), "a release line", max_depth=None))
    except ValueError as error:
        raise refuse(error) from None


# Releases of a formula repeat the requirements of the one before.
@lru_cache(maxsize=16384)
def _requirements(text: str) -> tuple[Requirement, ...] | None:
    """Read the inside of `requires`; None where a name stands twice."""
    pairs = _PAIR.findall(text)
    if len(dict(pairs)) != len(pairs):
        return None
    pairs.sort()
    return tuple([requirement(name, wanted) for name, wanted in pairs])
