"""What stands in the logs of a root, ready to be shown: a cache beside them, for towns of 100,000 steps.

Rule: the logs are the truth. A row of the cache is what one file came to when it looked as its `stamp` says; a file
that looks otherwise is read again. As git does with its index, a file that was young when it was read is hashed once
more, for it may have been written again within the same tick of the clock. No row depends on another file: how
connected molecules stand is looked up when it is asked.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from blake3 import blake3

from mmpm import __version__
from mmpm.errors import MoleculeLogError
from mmpm.molecule.events import Connected
from mmpm.molecule.heads import Head, ended_by, head_of, head_of_digest, is_of_another
from mmpm.molecule.readiness import Outcome, ReadyStep, held_by_others, ready_by_itself
from mmpm.project.mol_cache import MolCache
from mmpm.project.mol_lines import NO_STAMP, look, look_at, look_grown, open_log
from mmpm.project.mol_log import list_digests, list_logs, read_digest
from mmpm.project.mol_reading import ANOTHER, burned_ids, fold_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from mmpm.molecule.state import Molecule
    from mmpm.project.mol_lines import Stamp
    from mmpm.project.mol_log import MolPlaces
    from mmpm.project.mol_reading import FoldedLog

# Raise it where the same file would come to another row: states, failures, what is ready.
FORMAT: Final = 3
SETTLED_NS: Final = 2_000_000_000  # the coarsest clock of a file system (FAT)
_BATCH: Final = 500
_AUDIT: Final = "audit/"


class Row(NamedTuple):
    """What one file came to; its JSON list is the text in the cache.

    Attributes:
        key: ``mol/<id>``, ``wisp/<id>``, ``digest/<id>``, or `_AUDIT`.
        stamp: of the file before it was read.
        read_at: the clock of this machine when reading began, ns.
        fingerprint: of its bytes; empty where they could not be read: such a row is not kept.
        trouble: why it cannot be used, and what to do; nothing where it can.
        said: a `Head`; of the audit log the ids; nothing where the file has no molecule.
        ready: as `ReadyStep`, what other molecules hold left aside.
        since, until: the moments for which `ready` is true: see `ReadyFor`.
        unread: of a log, the first line that could not be read: `FoldedLog.unread`.
        is_plain: whether it holds as long as the stamp does: no timer, and the file had settled when it was read.
    """

    key: str
    stamp: list[int]
    read_at: int
    fingerprint: str
    trouble: list[str]
    said: list[Any]
    ready: list[list[str]]
    since: str = ""
    until: str = ""
    unread: str = ""
    is_plain: bool = False

    @property
    def head(self) -> Head:
        """The molecule."""
        if self.said[-1]:
            return Head._make([*self.said[:-1], tuple(Connected(*one) for one in self.said[-1])])
        return Head._make([*self.said[:-1], ()])


def index_path(state: str, root: str) -> str:
    """Give the cache of a root; `state` is ``$XDG_STATE_HOME/mmpm``."""
    return f"{state}/mols/{blake3(os.fsencode(os.path.realpath(root))).hexdigest()[:32]}.sqlite"


class MolIndex:
    """The molecules of a root in a few words each, and what is ready in them.

    Args:
        path: of the cache: `index_path`.
        places: the root's.
        on_read: hears, after each log that had to be read, how many of how many bytes are done.
        settled_ns: a file that is older than this when it is read, by the clock of this machine, is not hashed again.
    """

    def __init__(
        self,
        path: str,
        places: MolPlaces,
        on_read: Callable[[int, int], None] | None = None,
        *,
        settled_ns: int = SETTLED_NS,
    ) -> None:
        self._places = places
        self._settled_ns = settled_ns
        self._cache = MolCache(path, f"mmpm molecules {FORMAT} {__version__} {os.path.realpath(places.root)}")
        self._on_read = on_read
        self._rows: dict[str, Row] = {}
        self._is_loaded = False
        self._unkept: dict[str, Row] = {}
        self._heads: dict[str, tuple[Head, Row]] = {}
        self._unusable: set[str] = set()
        self._digests: frozenset[str] = frozenset()
        self._outcomes: dict[str, Outcome | None] = {}
        self._troubles: dict[str, MoleculeLogError] = {}
        self._now = ""

    def refresh(self, now: str) -> None:
        """Look at every log of the root, and read those that changed.

        Args:
            now: the moment, as timers see it.
        """
        self._load()
        logs = list_logs(self._places)
        keys = [f"{log.phase}/{log.id}" for log in logs]
        self._now = now
        self._outcomes.clear()
        self._troubles.clear()
        changed = []
        for at, log in enumerate(logs):
            row = self._rows.get(keys[at])
            # Nearly all are plain: asked here, for a call for each of 10,000 is as long as opening the database.
            if row is not None and row.is_plain and tuple(row.stamp) == log.stamp:
                continue
            if not self._is_current(keys[at], log.path, log.stamp):
                changed.append(at)
        done, total = 0, sum(logs[at].size for at in changed)
        for at in changed:
            log = logs[at]
            self._put(self._read_log(keys[at], log.path, log.id))
            done += log.size
            if self._on_read is not None:
                self._on_read(done, total)
        # After the logs were read: a wisp that is squashed just now has a digest before its log goes.
        self._digests = list_digests(self._places)
        gone: list[str] = []
        if len(self._rows) > len(keys):
            known = {*keys, *(f"digest/{one}" for one in self._digests), _AUDIT}
            gone = [key for key in self._rows if key not in known]
            for key in gone:
                del self._rows[key]
        self._heads.clear()
        self._unusable.clear()
        # Only the first log of an id is the molecule's, even where it cannot be used: see `read_molecule`.
        taken = ""
        for log, row in zip(logs, map(self._rows.__getitem__, keys), strict=True):
            if log.id != taken and (row.said or row.trouble):
                taken = log.id
                if row.trouble or taken in self._digests:
                    self._choose(taken, log.path, row)
                else:
                    self._heads[taken] = row.head, row
        self._save(gone)

    def heads(self) -> tuple[Head, ...]:
        """Give every molecule that has a log which can be read, sorted by id."""
        return tuple([head for head, _ in self._heads.values()])

    def digests(self) -> tuple[Head, ...]:
        """Give every molecule whose log is gone and whose digest is here, as the digest says, sorted by id."""
        found = [self._digest(one) for one in sorted(self._digests) if one not in self._heads]
        self._save()
        return tuple(head for head in found if head is not None)

    def ready(self, now: str, ids: Collection[str] | None = None) -> tuple[tuple[Head, tuple[ReadyStep, ...]], ...]:
        """Give the steps that may be started, by molecule; those without any are not among them. Sorted by id.

        Args:
            now: the moment, as timers see it; where it is another than at `refresh`, all is looked at again.
            ids: of the molecules that are meant; None: all.
        """
        if now != self._now:
            self.refresh(now)
        found = [
            (head, tuple([ReadyStep(*one) for one in row.ready]))
            for head, row in self._heads.values()
            if row.ready
            and (ids is None or head.id in ids)
            and head.is_live
            and (not head.connections or self._is_free(head))
        ]
        self._save()
        return tuple(found)

    def links(self) -> Mapping[str, tuple[str, ...]]:
        """Give for each molecule the ids of those that it waits for; those that wait for none are left out."""
        found = {}
        for head, _ in self._heads.values():
            waits = tuple(one.on for one in head.connections if one.is_wait)
            if waits:
                found[head.id] = waits
        return found

    def outcome(self, molecule_id: str) -> Outcome | None:
        """Give how a molecule stands for those that wait for it; None where nothing here tells of it.

        A digest speaks first, then the log, then the audit log. One that cannot be read tells nothing.
        """
        if molecule_id not in self._outcomes:
            self._outcomes[molecule_id] = self._outcome(molecule_id)
        return self._outcomes[molecule_id]

    def troubles(self) -> tuple[MoleculeLogError, ...]:
        """Give why logs and digests cannot be used, of those that were looked at."""
        return tuple(self._troubles.values())

    def unread(self) -> tuple[str, ...]:
        """Give, of each log of what flows here that has lines nobody can read, its path and the first of them."""
        found = [(head, row) for head, row in self._heads.values() if row.unread and head.is_live]
        return tuple(f"{self._places.log(head.id, head.phase)}: {row.unread}" for head, row in found)

    def note(self, before: FoldedLog, after: Molecule, appended: bytes, now: str) -> None:
        """Keep what a log comes to after a line was appended, so that it need not be read again.

        Nothing is kept where the file is not what was read and that line, whoever changed it.

        Args:
            before: the log as it was read.
            after: the molecule after the line.
            appended: the line, without its line feed.
            now: the moment, as timers see it.
        """
        key = f"{after.phase}/{after.id}"
        if before.path != self._places.log(after.id, after.phase):
            return
        read_at = time.time_ns()
        found = look_grown(before.path, before.size, before.fingerprint, appended + b"\n")
        if found is not None:
            row = _row_of(key, after, now, read_at, found)._replace(unread=before.unread)
            self._cache.store({row.key: _text(row)})

    def _load(self) -> None:
        if self._is_loaded:
            return
        self._is_loaded = True
        texts = self._cache.load()
        try:
            for row in json.loads(b"[" + b",".join(texts.values()) + b"]"):
                self._rows[row[0]] = Row._make(row)
        except (ValueError, TypeError, IndexError):  # the checksums hold, so that somebody wrote it so
            self._rows.clear()

    def _save(self, gone: Iterable[str] = ()) -> None:
        if self._unkept or gone:
            self._cache.store({key: _text(row) for key, row in self._unkept.items() if row.fingerprint}, gone)
            self._unkept.clear()

    def _put(self, row: Row) -> None:
        is_settled = bool(row.fingerprint) and row.read_at - max(row.stamp[2:]) >= self._settled_ns
        row = row._replace(is_plain=is_settled and not row.since and not row.until)
        self._rows[row.key] = self._unkept[row.key] = row
        if len(self._unkept) >= _BATCH:
            self._save()

    def _is_current(self, key: str, path: str, stamp: Stamp) -> bool:
        """Tell whether there is a row of what reading the file now would come to."""
        row = self._rows.get(key)
        if row is None or tuple(row.stamp) != stamp or not row.fingerprint:
            return False
        if row.since > self._now or (row.until and row.until <= self._now):
            return False
        if row.read_at - max(stamp[2:]) >= self._settled_ns:
            return True
        looked_at = time.time_ns()
        if look(path) != (stamp, row.fingerprint):
            return False
        self._put(row._replace(read_at=looked_at))
        return True

    def _read_log(self, key: str, path: str, molecule_id: str) -> Row:
        """Read a log; whatever is wrong with it is in the row."""
        read_at = time.time_ns()
        stamp, fingerprint = NO_STAMP, ""
        try:
            with open_log(path) as log:
                if log is None:
                    return Row(key, [], read_at, "", [], [], [])
                try:
                    folded = fold_lines(log, path, molecule_id, key.partition("/")[0])
                finally:
                    stamp, fingerprint = log.stamp, log.fingerprint
        except MoleculeLogError as error:
            return Row(key, list(stamp), read_at, fingerprint, [str(error.details["reason"]), error.remedy], [], [])
        except (OSError, ValueError) as error:
            return Row(key, [], read_at, "", [_reason(error), ""], [], [])
        if folded is None:
            return Row(key, list(stamp), read_at, fingerprint, [], [], [])
        row = _row_of(key, folded.molecule, self._now, read_at, (stamp, fingerprint))
        return row._replace(unread=folded.unread)

    def _choose(self, molecule_id: str, path: str, row: Row) -> None:
        """Take a log as that of its molecule, with the digest that may end it."""
        head = row.head if row.said else None
        if row.trouble:
            self._troubles[path] = MoleculeLogError(path, *row.trouble)
        elif head is not None and head.is_live:
            digest = self._digest(molecule_id)
            another = is_of_another(digest, head) if digest is not None else ""
            if another:
                file = self._places.digest(molecule_id)
                self._troubles[file] = MoleculeLogError(file, another, ANOTHER)
                self._digests -= {molecule_id}
            head = ended_by(head, digest) if digest is not None and not another else None
        if head is None:
            self._unusable.add(molecule_id)
        else:
            self._heads[molecule_id] = head, row

    def _is_free(self, head: Head) -> bool:
        others = {one.on: self.outcome(one.on) for one in head.connections if one.is_wait}
        known = {on: outcome for on, outcome in others.items() if outcome is not None}
        return held_by_others(head.connections, known) is None

    def _outcome(self, molecule_id: str) -> Outcome | None:
        if molecule_id in self._digests:
            head = self._digest(molecule_id)
        elif molecule_id in self._heads:
            head = self._heads[molecule_id][0]
        elif molecule_id in self._unusable:
            return None
        else:
            return Outcome(is_over=True, has_failed=True) if molecule_id in self._burned() else None
        return Outcome(head.is_over, head.has_failed) if head is not None else None

    def _digest(self, molecule_id: str) -> Head | None:
        """Give what a digest says; None where it cannot be used."""
        key, path = f"digest/{molecule_id}", self._places.digest(molecule_id)
        if not self._is_current(key, path, look_at(path)):
            read_at = time.time_ns()
            stamp, fingerprint = look(path)
            trouble: list[str] = []
            said: list[Any] = []
            try:
                digest = read_digest(self._places, molecule_id)
                said = _said(head_of_digest(digest)) if digest is not None else []
            except MoleculeLogError as error:
                trouble = [str(error.details["reason"]), error.remedy]
            self._put(Row(key, list(stamp), read_at, fingerprint, trouble, said, []))
        row = self._rows[key]
        if row.trouble:
            self._troubles[path] = MoleculeLogError(path, *row.trouble)
        return row.head if row.said else None

    def _burned(self) -> Collection[str]:
        """Give the ids that the audit log tells of; none where it cannot be used."""
        path = self._places.audit
        if not self._is_current(_AUDIT, path, look_at(path)):
            read_at = time.time_ns()
            row = Row(_AUDIT, [], read_at, "", [], [], [])
            try:
                with open_log(path) as log:
                    if log is not None:
                        ids = sorted(burned_ids(log))
                        row = Row(_AUDIT, list(log.stamp), read_at, log.fingerprint, [], ids, [])
            except (OSError, ValueError) as error:
                self._troubles[path] = MoleculeLogError(path, _reason(error))
            self._put(row)
        return self._rows[_AUDIT].said


def _row_of(key: str, molecule: Molecule, now: str, read_at: int, seen: tuple[Stamp, str]) -> Row:
    found = ready_by_itself(molecule, now)
    steps = [[one.id, one.title, one.group] for one in found.steps]
    said = _said(head_of(molecule))
    stamp, fingerprint = seen
    return Row(key, list(stamp), read_at, fingerprint, [], said, steps, found.since, found.until)


def _said(head: Head) -> list[Any]:
    return [*head[:-1], [[one.on, one.connection] for one in head.connections]]


def _text(row: Row) -> bytes:
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False, check_circular=False).encode()


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
