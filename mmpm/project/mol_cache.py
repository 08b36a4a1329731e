"""Texts by key in a database of this machine, for `mol_index`: the only importer of sqlite3.

Rule: a cache. Whatever is wrong with the file (damaged, somebody else's, read-only, in use, of another version), it is
made anew or done without, and nobody hears of it. A text is given back as it was stored or not at all: each stands
behind a checksum over key and text, so that nothing here has to be flushed to the disk, and a power cut costs no more
than the work of making it again.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# Other processes hold the database for as long as it takes to write some rows.
_BUSY_SECONDS: Final = 0.5
_CHECKSUM_BYTES: Final = 4
_ABOUT: Final = ""  # the key of what the texts are: who wrote them, in which form
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class MolCache:
    """A database file that may come and go.

    Args:
        path: absolute.
        about: what the texts are; where the file holds others, they are dropped.
    """

    def __init__(self, path: str, about: str) -> None:
        self._path = path
        self._about = about.encode()

    def load(self) -> dict[str, bytes]:
        """Give every text that is whole; nothing where there is no use in the file."""
        found: dict[str, bytes] = {}

        def read(database: sqlite3.Connection) -> None:
            rows = database.execute("SELECT key, stored FROM texts").fetchall()
            found.update({key: stored[_CHECKSUM_BYTES:] for key, stored in rows if _is_whole(key, stored)})

        if not os.path.lexists(self._path) or not self._use(read) or found.pop(_ABOUT, None) != self._about:
            return {}
        return found

    def store(self, texts: Mapping[str, bytes], gone: Iterable[str] = ()) -> None:
        """Keep these texts, and drop those of the keys `gone`; all others too where the file holds something else."""

        def write(database: sqlite3.Connection) -> None:
            database.execute("BEGIN IMMEDIATE")
            database.execute("CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, stored BLOB NOT NULL)")
            about = database.execute("SELECT stored FROM texts WHERE key = ?", (_ABOUT,)).fetchone()
            if about is None or about[0] != _checksum(_ABOUT, self._about) + self._about:
                database.execute("DELETE FROM texts")
            rows = [(key, _checksum(key, text) + text) for key, text in texts.items()]
            rows.append((_ABOUT, _checksum(_ABOUT, self._about) + self._about))
            database.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?)", rows)
            database.executemany("DELETE FROM texts WHERE key = ?", [(key,) for key in gone])
            database.execute("COMMIT")

        # What is damaged or somebody else's is thrown away by the first try: once more, and then done without.
        if not self._use(write, is_writing=True) and not os.path.lexists(self._path):
            self._use(write, is_writing=True)

    def _use(self, work: Callable[[sqlite3.Connection], None], *, is_writing: bool = False) -> bool:
        """Do some work with the database; False where it could not be done."""
        try:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            if os.path.lexists(self._path) and not os.path.isfile(self._path):
                self._discard()
            database = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        except (OSError, sqlite3.Error):
            return False
        try:
            database.text_factory = _text
            database.execute("PRAGMA synchronous = OFF")
            work(database)
        except sqlite3.Error as error:
            database.close()
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            # A table that is not as it should be is somebody else's; while we read it may be one that is being made.
            if code in _DAMAGED or (is_writing and code == sqlite3.SQLITE_ERROR):
                self._discard()
            return False
        except (ValueError, OverflowError, MemoryError):  # the sentence of an error tells of a damaged name, for one
            database.close()
            self._discard()
            return False
        database.close()
        return True

    def _discard(self) -> None:
        for path in (self._path, f"{self._path}-journal", f"{self._path}-wal", f"{self._path}-shm"):
            try:
                os.unlink(path)
            except OSError:
                continue


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _checksum(key: str, text: bytes) -> bytes:
    return zlib.crc32(text, zlib.crc32(key.encode())).to_bytes(_CHECKSUM_BYTES, "big")


def _is_whole(key: object, stored: object) -> bool:
    if not isinstance(key, str) or not isinstance(stored, bytes):
        return False
    return stored[:_CHECKSUM_BYTES] == _checksum(key, stored[_CHECKSUM_BYTES:])
