"""The molecules of one root, as they lie there: what every verb about running work reads and decides over.

Rule: whoever writes calls `Workspace.begin` before anything is read; readers need no lock. A digest's file is the
squash: a log beside it that still flows counts as squashed everywhere.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import MmpmError, MoleculeLogError, MoleculeNotHereError, MoleculeRefusedError, UsageError
from mmpm.execute import locking
from mmpm.execute.molecules import complete
from mmpm.model.spelling import closest
from mmpm.molecule.answers import Refusal, Stamp
from mmpm.molecule.events import MAX_ACTOR, is_molecule_id
from mmpm.molecule.lines import parse_line
from mmpm.molecule.readiness import Outcome, outcome_of
from mmpm.molecule.steps import MAX_TEXT
from mmpm.plan import PutObject
from mmpm.project.files import content_id, real_path
from mmpm.project.mol_lines import open_log
from mmpm.project.mol_log import MolPlaces, list_logs, make_folder, make_folders, read_digest
from mmpm.project.mol_reading import burned_ids, read_molecule
from mmpm.project.tiers import choose_beads
from mmpm_store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.execute.context import Context
    from mmpm.molecule.answers import Answer, Change
    from mmpm.molecule.digest import Digest
    from mmpm.molecule.lines import Line
    from mmpm.molecule.proto import Proto
    from mmpm.molecule.state import Molecule
    from mmpm.project.mol_log import LogFile
    from mmpm.project.mol_reading import FoldedLog

_NO_PREFIX = re.compile(r"[^a-z0-9]+")
MAX_PREFIX = 16
# A log of fewer steps is read again within a few milliseconds.
KEPT_STEPS = 500


@dataclass(frozen=True, slots=True)
class Address:
    """What a full id names.

    Attributes:
        step: id below the molecule; empty for the molecule itself.
    """

    molecule: Molecule
    step: str

    @property
    def id(self) -> str:
        """The full id."""
        return self.molecule.full_id(self.step)


class Workspace:
    """The molecules of one root; each log is read once, until `begin` or `forget`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.places = MolPlaces(context.project.root)
        self._molecules: dict[str, Molecule | None] = {}
        self._logs: dict[str, FoldedLog] = {}
        self._is_bare = False

    @classmethod
    def of(cls, context: Context, cwd: str, *, tier: str | None = None, folder: str | None = None) -> Workspace:
        """Choose the root as `project.tiers.choose_beads` does.

        Raises:
            UsageError, NoProjectError: as there.
        """
        return cls(replace(context, project=choose_beads(context.places, cwd, tier=tier, folder=folder)))

    def begin(self, *, makes: bool = False) -> None:
        """Keep other writers of this root away until the command ends, complete what was killed, forget what was read.

        Args:
            makes: whether a molecule may be made. Where not, a root that has none is left without the folder of the
                lock, and has none until the command ends, whoever makes one meanwhile.

        Raises:
            LeadsOutsideError: a folder of molecules is a link out of the project.
            LockedByOtherError: another process kept the root for too long.
        """
        folders = (self.places.mols, self.places.wisps, self.places.digests)
        for folder in folders:
            real_path(self.context.project, folder)
        self._molecules.clear()
        self._logs.clear()
        self._is_bare = not makes and not any(map(os.path.isdir, folders))
        if self._is_bare:
            return
        make_folder(self.places.wisps)
        locking.hold_file(self.places.lock, os.path.realpath(self.places.mols), self.context.progress)
        make_folders(self.places, "wisp")
        self._complete()

    def _complete(self) -> None:
        """Complete what was killed; that it cannot be keeps nobody from other work, for readers see it as ended."""
        try:
            completed = complete(self.places)
        except (MmpmError, StoreError, OSError) as error:
            fact = error.fact if isinstance(error, (MmpmError, StoreError)) else str(error)
            self.context.progress.warn(f"the end of a molecule, in which a command was killed, waits: {fact}")
            return
        if completed:
            self.context.progress.say(f"A command was killed before this one: {completed}")

    def logs(self) -> tuple[LogFile, ...]:
        """Give the logs of all molecules, sorted by id."""
        return () if self._is_bare else list_logs(self.places)

    def forget(self, molecule_id: str) -> None:
        """Read a molecule anew the next time: its log was changed."""
        self._molecules.pop(molecule_id, None)
        self._logs.pop(molecule_id, None)

    def ids(self) -> tuple[str, ...]:
        """Give the ids of all molecules that have a log here, sorted."""
        return tuple(dict.fromkeys(log.id for log in self.logs()))

    def molecule(self, molecule_id: str) -> Molecule | None:
        """Give a molecule as it stands; None where it has no log here.

        Raises:
            MoleculeLogError: its log or its digest cannot be used.
        """
        if molecule_id not in self._molecules:
            self._molecules[molecule_id] = self._read(molecule_id)
        return self._molecules[molecule_id]

    def unread(self, molecule_id: str) -> str:
        """Give the path of a molecule's log, and the first line that nobody can read; empty where there is none."""
        log = self._logs.get(molecule_id)
        return f"{log.path}: {log.unread}" if log is not None and log.unread else ""

    def find(self, operand: str) -> Address | None:
        """Give what a full id names: the first dot ends the molecule's own; None where it names nothing here."""
        molecule_id = operand.partition(".")[0]
        molecule = self.molecule(molecule_id) if is_molecule_id(molecule_id) else None
        step = molecule.step_of(operand) if molecule else None
        return Address(molecule, step) if molecule is not None and step is not None else None

    def address(self, operand: str) -> Address:
        """Do as `find`.

        Raises:
            MoleculeNotHereError: it names nothing here.
            MoleculeRefusedError: it is squashed, and only its digest is left.
            MoleculeLogError: the log or digest cannot be used.
        """
        found = self.find(operand)
        if found is not None:
            return found
        molecule_id = operand.partition(".")[0]
        molecule = self.molecule(molecule_id) if is_molecule_id(molecule_id) else None
        if molecule is None and is_molecule_id(molecule_id) and self.digest(molecule_id) is not None:
            raise MoleculeRefusedError(
                f"{molecule_id} is squashed: its digest is all that is left", f"`mmpm mol show {molecule_id}` shows it"
            )
        known = [molecule.full_id(step) for step in molecule.steps] if molecule else self.ids()
        raise MoleculeNotHereError(operand, self.places.root, closest(operand, known))

    def digest(self, molecule_id: str) -> Digest | None:
        """Give the digest of a molecule; None where there is none.

        Raises:
            MoleculeLogError: the file is none, or does not hold.
        """
        return None if self._is_bare else read_digest(self.places, molecule_id)

    def keeping(self, proto: Proto, molecule_id: str, phase: str) -> PutObject:
        """Give what keeps a proto that is bonded, as long as the log is there: `mol distill` and others ask for it."""
        data = proto.to_bytes()
        log = self.places.log(molecule_id, phase)
        return PutObject(content_id(data), data, f"the proto of {proto.name}", log)

    def outcome(self, molecule_id: str) -> Outcome | None:
        """Give how a molecule stands for those that wait for it; None where nothing here tells of it."""
        # The log first: a wisp that is squashed just now has a digest before its log goes.
        molecule = self.molecule(molecule_id)
        digest = self.digest(molecule_id)
        if digest is not None:
            return Outcome(is_over=True, has_failed=digest.has_failed)
        if molecule is not None:
            return outcome_of(molecule)
        return Outcome(is_over=True, has_failed=True) if molecule_id in self._burned() else None

    def others(self, molecule: Molecule) -> Mapping[str, Outcome]:
        """Give how those stand that a molecule waits for; one that nothing here tells of is not among them."""
        found = {one.on: self.outcome(one.on) for one in molecule.connections if one.is_wait}
        return {on: outcome for on, outcome in found.items() if outcome is not None}

    def links(self) -> Mapping[str, tuple[str, ...]]:
        """Give for each molecule the ids of those that it waits for."""
        from mmpm.ops.mol_ready import open_index

        places, progress = self.context.places, self.context.progress
        return open_index(places.state, self.places.root, self.stamp("-").at, progress).links()

    def keep(self, after: Molecule, line: bytes) -> None:
        """Tell the index what a molecule came to by a line that was appended, where reading it again takes long."""
        before = self._logs.get(after.id)
        if before is not None and len(after.steps) >= KEPT_STEPS:
            from mmpm.project.mol_index import MolIndex, index_path

            path = index_path(self.context.places.state, self.places.root)
            MolIndex(path, self.places).note(before, after, line, self.stamp("-").at)

    def stamp(self, actor: str | None = None) -> Stamp:
        """Give when and who: `actor`, ``$BD_ACTOR``, ``$GT_ROLE``, else user@host.

        Raises:
            UsageError: the name is too long or has characters that no line of text has.
        """
        environ = self.context.environ
        name = actor or environ.get("BD_ACTOR") or environ.get("GT_ROLE") or _user_at_host()
        if len(name) > MAX_ACTOR or not name.isprintable():
            raise UsageError(f"--actor: a name is at most {MAX_ACTOR} printable characters")
        return Stamp(self.context.now.strftime("%Y-%m-%dT%H:%M:%SZ"), name)

    @property
    def prefix(self) -> str:
        """What the ids of this root's molecules begin with: its folder's name."""
        name = os.path.basename(os.path.realpath(self.places.root)).lower()
        return _NO_PREFIX.sub("-", name).strip("-")[:MAX_PREFIX].rstrip("-") or "mm"

    def _read(self, molecule_id: str) -> Molecule | None:
        found = None if self._is_bare else read_molecule(self.places, molecule_id)
        if found is None:
            return None
        molecule, self._logs[molecule_id] = found
        return molecule

    def _burned(self) -> frozenset[str]:
        """Give the ids that the audit log tells of."""
        try:
            with open_log(self.places.audit) as log:
                return burned_ids(log) if log is not None else frozenset()
        except (OSError, ValueError) as error:
            raise MoleculeLogError(self.places.audit, str(error)) from error


def accepted(answer: Answer, molecule_id: str = "") -> Change:
    """Give the change that an operation came to, on a molecule that is there or on none.

    Raises:
        MoleculeRefusedError: the molecule does not allow it.
    """
    if isinstance(answer, Refusal):
        shown = f"`mmpm mol show {molecule_id}` says how it stands" if molecule_id else ""
        raise MoleculeRefusedError(answer.reason, answer.remedy or shown)
    return answer


def check_text(option: str, text: str) -> None:
    """Refuse what somebody typed and could not be written, or not be read again.

    Raises:
        UsageError: it is too long, or was no UTF-8.
    """
    if len(text) > MAX_TEXT:
        raise UsageError(f"{option}: it has {len(text)} characters, and {MAX_TEXT} are the most")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{option}: it is not UTF-8") from None


def written(line: Line, what: str, remedy: str) -> bytes:
    """Give the text of a line, without its line feed: what nobody could read again is not written.

    Args:
        line: the operation.
        what: what could not be written, as in "WHAT cannot be written: ..".
        remedy: what to do then.

    Raises:
        MoleculeRefusedError: it is too long, or a text in it is.
    """
    try:
        data = line.to_bytes()
        parse_line(data)
    except ValueError as error:
        raise MoleculeRefusedError(f"{what} cannot be written: {error}", remedy) from None
    return data


def _user_at_host() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this user id: containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
