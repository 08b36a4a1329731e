"""What lock and receipt share: JSON documents of ours that lie where people, git and other tools can reach them.

Rule: nothing here trusts the text. A field is checked for its shape before a value is made of it, so that a name
that would climb out of a folder, or a checksum that is none, ends here in one line.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, NoReturn

from mmpm.errors import DocumentUnreadableError, NewerFormatError
from mmpm.model.names import FormulaName, RegistryId

# 100,000 releases make a lock of 33 MB; what is larger is not ours.
MAX_BYTES = 64 << 20
_MARKERS = (b"<<<<<<< ", b">>>>>>> ", b"||||||| ")

# What `Version.parse` takes (a test holds them together), without making a value of each.
_NUMBER = r"(?:0|[1-9][0-9]{0,14})"
_PART = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"(?=.{{1,128}}\Z){_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PART}(?:\.{_PART})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
).fullmatch
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}").fullmatch
_BLAKE3 = re.compile(r"blake3:[0-9a-f]{64}").fullmatch


class Reader:
    """Reads the fields of one kind of document; every refusal names the document and where in it.

    Attributes:
        what: the file's name for messages (``mmpm.lock``).
        remedy: the sentence that says how to get a good one.
    """

    __slots__ = ("remedy", "what")

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        self.remedy = remedy

    def fail(self, reason: str, line: int | None = None) -> NoReturn:
        """Refuse the document.

        Raises:
            DocumentUnreadableError: always.
        """
        raise DocumentUnreadableError(self.what, reason, self.remedy, line)

    def document(self, data: bytes, version: int) -> dict[str, Any]:
        """Read `data` as a JSON object whose ``version`` is at most `version`.

        Raises:
            DocumentUnreadableError: not such an object; merge-conflict markers are named with their line.
            NewerFormatError: written by a newer major.
        """
        if len(data) > MAX_BYTES:
            self.fail(f"is larger than {MAX_BYTES >> 20} MiB")
        try:
            value = json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant)
        except _DuplicateKeyError as error:
            self.fail(f"has the key {error.args[0]!r} twice in one object")
        except json.JSONDecodeError as error:
            marker = conflict_line(data)
            if marker:
                self.fail("has merge-conflict markers", marker)
            self.fail(f"is not JSON ({error.msg})", error.lineno)
        except UnicodeDecodeError:
            self.fail("is not UTF-8")
        except (ValueError, RecursionError):
            self.fail("is not a JSON document that mmpm writes")
        if not isinstance(value, dict):
            self.fail("is not a JSON object")
        found = value.get("version")
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            self.fail("has no format version (the field `version`)")
        if found > version:
            raise NewerFormatError(self.what, found, version)
        return value

    def mapping(self, value: object, where: str) -> dict[str, Any]:
        """Take a JSON object."""
        if not isinstance(value, dict):
            self.fail(f"{where} is not an object")
        return value

    def text(self, value: object, where: str, limit: int = 1024) -> str:
        """Take one line of printable text."""
        if not isinstance(value, str) or len(value) > limit or not value.isprintable():
            self.fail(f"{where} is not a line of text")
        return value

    def number(self, value: object, where: str) -> int:
        """Take a count below 2**53."""
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 53:
            self.fail(f"{where} is not a count")
        return value

    def flag(self, value: object, where: str) -> bool:
        """Take true or false."""
        if value is not True and value is not False:
            self.fail(f"{where} is neither true nor false")
        return value

    def name(self, value: object, where: str) -> str:
        """Take a formula's name, scoped or not: safe as a part of a path."""
        if not isinstance(value, str):
            self.fail(f"{where} is not a formula's name")
        try:
            FormulaName.parse(value)
        except ValueError as error:
            self.fail(f"{where}: {error}")
        return value

    def version(self, value: object, where: str) -> str:
        """Take a version."""
        if not isinstance(value, str) or not _VERSION(value):
            self.fail(f"{where} is not a version")
        return value

    def checksum(self, value: object, where: str) -> str:
        """Take ``sha256:<hex>``."""
        if not isinstance(value, str) or not _SHA256(value):
            self.fail(f"{where} is not a sha256 checksum")
        return value

    def source(self, value: object, where: str) -> str:
        """Take where a release came from; a registry's id in it is one, since it names a folder of ours."""
        text = self.text(value, where)
        if text.startswith("hop://") and not _is_registry_id(registry_of(text)):
            self.fail(f"{where} names no registry")
        return text

    def object_id(self, value: object, where: str) -> str:
        """Take ``blake3:<hex>``."""
        if not isinstance(value, str) or not _BLAKE3(value):
            self.fail(f"{where} is not a blake3 id")
        return value

    def ranges(self, value: object, where: str) -> tuple[tuple[str, str], ...]:
        """Take an object of names and ranges; sorted by name."""
        if not value:
            return () if isinstance(value, dict) else self.fail(f"{where} is not an object")
        pairs = self.mapping(value, where)
        return tuple(sorted((self.name(name, where), self.text(text, where)) for name, text in pairs.items()))


# One encoder for all: json.dumps with options of its own makes one each time.
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Writes a value on one line, without spaces, keys in the order given, characters as they are."""


def registry_of(source: str) -> str:
    """Give the id of the registry that a release with this `source` came from; empty for imported and local ones."""
    return source.removeprefix("hop://").partition("/")[0] if source.startswith("hop://") else ""


@lru_cache(maxsize=1024)
def _is_registry_id(text: str) -> bool:
    try:
        RegistryId(text)
    except ValueError:
        return False
    return True


class _DuplicateKeyError(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key[:80])
            seen.add(key)
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def conflict_line(data: bytes) -> int | None:
    """Give the line (from 1) of the first marker that a merge of git left in a text; None where it left none."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.startswith(_MARKERS):
            return number
    return None
