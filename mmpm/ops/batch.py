"""The batch file of `publish --batch`: JSON lines, one release each. Alone of the publishing verbs needs pydantic."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mmpm.errors import BatchLineError, UsageError

# Pydantic reads the annotations, so these are imported while the program runs.
from mmpm.model.names import FormulaName
from mmpm.model.outside import OutsideDocument, parsed
from mmpm.model.versions import Version
from mmpm.ops.preflight import Source
from mmpm.trust.facts import format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmpm.execute.context import Context

MAX_BATCH_LINE_BYTES = 1 << 20
_MAX_TEXT = 4096


class BatchLine(OutsideDocument):
    """One line.

    Attributes:
        path: of what is published, relative to the batch file's folder.
        name, version: in place of what the file says.
        published_at: RFC 3339; the moment of the command where absent.
        author, changelog: in place of what the options say.
    """

    path: Annotated[str, Field(min_length=1, max_length=_MAX_TEXT)]
    name: Annotated[FormulaName, parsed(FormulaName.parse)] | None = None
    version: Annotated[Version, parsed(Version.parse)] | None = None
    published_at: Annotated[str, parsed(lambda text: format_time(parse_time(text)))] | None = None
    author: Annotated[str, Field(max_length=_MAX_TEXT)] | None = None
    changelog: str | None = None


def count_lines(path: str) -> int:
    """Count the lines of a batch file that are not blank.

    Raises:
        UsageError: it cannot be read.
    """
    return sum(1 for _ in _lines(path))


def read_batch(context: Context, path: str, *, author: str | None, changelog: str | None) -> Iterator[Source]:
    """Read a batch file; the options fill what a line leaves out.

    Raises:
        BatchLineError: a line is not what `BatchLine` says.
    """
    folder = os.path.dirname(os.path.abspath(path))
    now = format_time(context.now)
    for number, text in _lines(path):
        try:
            line = BatchLine.parse(text, "the line")
        except ValueError as error:
            raise BatchLineError(path, number, str(error)) from None
        yield Source(
            os.path.join(folder, line.path),
            line.published_at or now,
            line.name,
            line.version,
            line.author or author,
            line.changelog or changelog,
        )


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(MAX_BATCH_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_BATCH_LINE_BYTES:
                    raise BatchLineError(path, number, "the line is longer than 1 MiB")
                if line.strip():
                    yield number, line
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "give a file of JSON lines") from None
