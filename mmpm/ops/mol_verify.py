"""Whether a digest or a proof still says what it said: nothing but hashing, and nothing but the file is needed.

A digest names its root, so that whoever changes it can name another one, too. What stands for the root is elsewhere:
the log of the molecule, where it is still here, and the root that a person was given.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from mmpm.errors import (
    DigestUntrustedError,
    MoleculeLogError,
    NoDigestError,
    StepUnknownError,
    UsageError,
    printable,
    quoted,
)
from mmpm.model.checksums import Checksum
from mmpm.model.spelling import closest
from mmpm.molecule.digest import MAX_DIGEST_BYTES, Digest, digest_of, root_of
from mmpm.molecule.events import PHASES, is_molecule_id
from mmpm.molecule.proofs import Proof, prove, verify
from mmpm.molecule.transitions import is_live
from mmpm.plan import Plan, WriteFiles
from mmpm.project.mol_log import read_plain
from mmpm.project.mol_reading import fold_log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmpm.molecule.state import Molecule
    from mmpm.ops.mol_state import Workspace
    from mmpm.project.mol_log import MolPlaces

AGREES: Final = "agrees"
NO_LOG: Final = "none"
MAX_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found to hold.

    Attributes:
        digest: None where a proof was looked at.
        root: the root it holds under.
        log: of a digest: `AGREES`, `NO_LOG`, or why the molecule's log, which is here, could not be compared.
        step: id below the molecule of the step asked for; empty for none.
        outcome: the fields of that step; long ones of a proof as ``<field>_hash``, their sha256.
        proof: of that step; None where none was asked for.
    """

    digest: Digest | None
    root: str
    log: str = NO_LOG
    step: str = ""
    outcome: dict[str, str] | None = None
    proof: Proof | None = None


def parse_root(text: str) -> str:
    """Read ``sha256:`` and 64 digits, or the digits alone.

    Raises:
        ValueError: it is neither.
    """
    return str(Checksum.parse(text if ":" in text else f"sha256:{text}"))


def verify_operand(
    workspace: Callable[[], Workspace], operand: str, path: str, *, step: str = "", root: str = "", proves: bool = False
) -> Verified:
    """Check a digest or a proof.

    Args:
        workspace: gives where molecules may be; not called for a proof that lies in a file of another name.
        operand: a molecule's id, or a file.
        path: the operand as an absolute path.
        step: the step that is asked for, by its id below the molecule or its full one; empty for none.
        root: the root it has to hold under, ``sha256:..``; empty where a person gave none.
        proves: whether a proof of the step is wanted.

    Raises:
        DigestUntrustedError: something does not hold; it names what.
        NoDigestError: there is no digest of that molecule here, and no such file.
        UsageError: a proof is looked at without a root, or a proof of it is wanted.
        StepUnknownError: the digest tells of no such step.
    """
    data, source = _read(workspace, operand, path)
    what = printable(source)
    if b'"leaf":' in data and b'"bonded_at":' not in data:
        return _proof(data, what, step, root, proves=proves)
    try:
        digest = Digest.parse(data)
    except ValueError as error:
        raise DigestUntrustedError(what, [str(error)]) from None
    if source != path and digest.id != operand:
        raise DigestUntrustedError(what, [f"it is the digest of {digest.id}"])
    if is_molecule_id(operand) and digest.id != operand:
        # A file may have any name, and a molecule that has no digest here is not to be vouched for by another's.
        reason = f"there is none of it here, and the file of that name holds the digest of {digest.id}"
        raise NoDigestError(operand, reason, f"`mmpm mol verify ./{operand}` checks that file")
    log = _check_digest(digest, what, workspace().places, root)
    if not step:
        return Verified(digest, digest.root, log)
    own = step.removeprefix(f"{digest.id}.")
    outcome = next((one for one in digest.outcomes if one.step == own), None)
    if outcome is None:
        raise StepUnknownError(own, digest.id, closest(own, [one.step for one in digest.outcomes]))
    said = {one.name: value for one in fields(outcome) if (value := getattr(outcome, one.name))}
    return Verified(digest, digest.root, log, own, said, prove(digest, own) if proves else None)


def plan_proof(proof: Proof, path: str, *, force: bool) -> Plan:
    """Plan to write a proof into a file."""
    return Plan((WriteFiles(((path, proof.to_bytes() + b"\n", 0o644),), overwrite=force),))


def _read(workspace: Callable[[], Workspace], operand: str, path: str) -> tuple[bytes, str]:
    """Give the bytes that an operand names, and where they lie; the digest of a molecule comes before a file."""
    if is_molecule_id(operand):
        here = workspace().places
        if os.path.lexists(here.digest(operand)):
            return _bytes(here.digest(operand)), here.digest(operand)
        if not os.path.isfile(path):
            raise NoDigestError(operand, *_why_none(here, operand))
    elif not os.path.lexists(path):
        raise NoDigestError(operand, "there is no such file, and a molecule's id has no dot", "")
    return _bytes(path), path


def _bytes(path: str) -> bytes:
    try:
        data = read_plain(path, MAX_DIGEST_BYTES)
    except OSError as error:
        raise NoDigestError(path, f"it cannot be read: {error.strerror or error}", "") from None
    except ValueError as error:
        raise NoDigestError(path, str(error), "") from None
    if data is None:
        raise NoDigestError(path, "there is no such file", "")
    return data


def _why_none(places: MolPlaces, molecule_id: str) -> tuple[str, str]:
    try:
        molecule = _logged(places, molecule_id)
    except MoleculeLogError as error:
        return error.fact, error.remedy
    if molecule is not None and is_live(molecule.state):
        return "it still runs", f"`mmpm mol squash {molecule_id} --summary TEXT` makes its digest"
    if molecule is not None and molecule.root:
        return (
            f"its log says that it was squashed into {molecule.root}, and that digest is not here",
            f"restore {places.digest(molecule_id)}, from version control for one",
        )
    return f"there is neither a digest of it nor a file of that name in {places.root}", ""


def _check_digest(digest: Digest, what: str, places: MolPlaces, root: str) -> str:
    """Give how the log stands to a digest that holds.

    Raises:
        DigestUntrustedError: it does not hold.
    """
    reasons = []
    found = root_of(digest)
    holds = found == digest.root
    if not holds:
        reasons.append(f"its fields give the root {found}, and it names {printable(digest.root, 80)}: it was changed")
    if root and digest.root != root:
        reasons.append(f"its root is {printable(digest.root, 80)}, and {root} was given")
    log, molecule = "", None
    if is_molecule_id(digest.id):
        try:
            molecule = _logged(places, digest.id)
        except MoleculeLogError as error:
            log = error.fact
    if molecule is not None:
        reasons += against_log(digest, molecule, holds=holds)
    if reasons:
        raise DigestUntrustedError(what, reasons)
    return log or (NO_LOG if molecule is None else AGREES)


def against_log(digest: Digest, molecule: Molecule, *, holds: bool = True) -> list[str]:
    """Give what a molecule's log tells otherwise than its digest, a sentence each.

    Args:
        digest: of the molecule.
        molecule: as its log has it.
        holds: whether the digest says what its own root says.
    """
    reasons = []
    if molecule.root and molecule.root != digest.root:
        reasons.append(f"the log of {digest.id} was squashed into {printable(molecule.root, 80)}")
    elif not molecule.root and not is_live(molecule.state):
        return [f"the log of {digest.id} says that it was burned"]
    at, actor = (molecule.ended_at, molecule.ended_by) if molecule.root else (digest.completed_at, digest.actor)
    told = digest_of(molecule, digest.summary, digest.lock_entry, at, actor)
    other = _differing(digest, told)
    if other:
        named = ", ".join(other[:MAX_NAMED]) + (f" and {len(other) - MAX_NAMED} more" if len(other) > MAX_NAMED else "")
        reasons.append(f"the log of {digest.id} tells otherwise of: {named}")
    elif not holds:
        reasons.append("its log agrees with all but the summary and the lock entry: one of these was changed")
    return reasons


def _differing(digest: Digest, told: Digest) -> list[str]:
    """Give the names of what two digests say differently."""
    found = [
        name.replace("_", " ")
        for name in ("id", "phase", "title", "provenance", "actor", "bonded_by", "bonded_at", "completed_at")
        if getattr(digest, name) != getattr(told, name)
    ]
    pairs: tuple[tuple[str, Mapping[str, object], Mapping[str, object]], ...] = (
        ("variable", digest.variables, told.variables),
        ("arm", {one.step: one for one in digest.arms}, {one.step: one for one in told.arms}),
        ("step", {one.step: one for one in digest.outcomes}, {one.step: one for one in told.outcomes}),
    )
    for kind, ours, theirs in pairs:
        changed = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
        found += [f"{kind} {quoted(key)}" for key in changed]
        if not changed and kind != "variable" and list(ours) != list(theirs):
            found.append(f"the order of its {kind}s")
    return found


def _logged(places: MolPlaces, molecule_id: str) -> Molecule | None:
    """Give what the log of a molecule says, whatever its digest does.

    Raises:
        MoleculeLogError: it is there and cannot be used.
    """
    logs = (fold_log(places.log(molecule_id, phase), molecule_id, phase) for phase in PHASES)
    return next((log.molecule for log in logs if log is not None), None)


def _proof(data: bytes, what: str, step: str, root: str, *, proves: bool) -> Verified:
    if proves:
        raise UsageError(f"{what} is a proof already", "a proof is made from a digest: leave out --proof")
    try:
        # As it was printed it ends in a line feed.
        proof = Proof.parse(data.removesuffix(b"\n"))
    except ValueError as error:
        raise DigestUntrustedError(what, [str(error)]) from None
    if not root:
        raise UsageError(
            f"{what} is a proof, which holds only under a root that you know from elsewhere",
            "give --root sha256:.., as `mmpm mol verify` of the digest prints it",
        )
    outcome = proof.outcome
    shown = step if step and proof.is_of(step) else proof.step
    if not shown and "step_hash" in outcome and not step:
        raise UsageError(f"{what} is the proof of a step whose id is too long to stand in it", "name it by --step STEP")
    if verify(proof, step or shown, root) and all(isinstance(value, str) for value in outcome.values()):
        outcome.pop("step_hash", None)
        return Verified(None, root, step=shown, outcome={**outcome, "step": shown})
    reasons = []
    if proof.root != root:
        reasons.append(f"it is a proof under {printable(proof.root, 80)}, and {root} was given")
    if step and shown != step:
        full = " (a proof names a step without its molecule)" if is_molecule_id(step.partition(".")[0]) else ""
        said = f"it shows the step {quoted(shown)}, and not {quoted(step)}{full}"
        reasons.append(said if shown else f"it does not show the step {quoted(step)}{full}")
    if not verify(proof, shown, proof.root):
        reasons.append("what it shows does not lead to its root: it was changed")
    elif not reasons:
        reasons.append("what it shows is not what became of a step")
    raise DigestUntrustedError(what, reasons)
