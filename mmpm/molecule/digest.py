"""What is left of a molecule that was squashed: a digest, which is also the execution record of its work.

Its root is a Merkle root (RFC 9162, section 2.1, with SHA-256) over every field: a leaf for the formula, the lock
entry, the rest of the head, each variable, each arm, each step's outcome. Change any of them and the root is another.
A proof (`proofs`) shows one leaf under a root with one hash a level.

Rule: a leaf is ``[label, value]`` as canonical JSON; what takes more than `MAX_PLAIN` bytes there stands in a step's
leaf by its hash, the step's id included, so that a proof stays under 1,024 bytes whatever was written, in any script.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Self, get_args

from mmpm.errors import printable, quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.molecule.events import MAX_ACTOR, PHASES, Provenance, check_moment, is_molecule_id
from mmpm.molecule.merkle import PREFIX, leaf_hash, levels
from mmpm.molecule.state import is_failure
from mmpm.molecule.steps import MAX_TEXT, is_step_id
from mmpm.molecule.transitions import StepState, has_run, is_over

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmpm.molecule.state import Molecule

FORMAT: Final = 1
MAX_DIGEST_BYTES: Final = 64 * 1024 * 1024
# Of one digest, arms among them: twice what a molecule may have, for branches of a repository may have been joined.
MAX_OUTCOMES: Final = 500_000
MAX_PLAIN: Final = 64
STEP: Final = "step "


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What became of one step.

    Attributes:
        step: id below the molecule.
        state: ``open``, ``in_progress``, ``closed`` or ``skipped``.
        reason: as it was closed with.
        actor: who closed it, else who started it; empty for nobody.
    """

    step: str
    title: str = ""
    state: str = "open"
    reason: str = ""
    actor: str = ""
    started_at: str = ""
    closed_at: str = ""

    @property
    def has_run(self) -> bool:
        """Whether somebody closed it."""
        return has_run(self.state)

    @property
    def has_failed(self) -> bool:
        """Whether it was closed as failed."""
        return self.has_run and is_failure(self.reason)


_OUTCOME: Final = tuple(one.name for one in fields(StepOutcome))


@dataclass(frozen=True, slots=True)
class ArmRecord:
    """What was bonded while it ran: the arm's root step, and which formula it was."""

    step: str
    provenance: Provenance
    values: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest.

    Attributes:
        id: of the molecule.
        title: ``Digest: <title of the molecule>``.
        actor: who squashed it.
        bonded_by: who bonded it.
        lock_entry: what the lock said of the formula; empty where it was not locked.
        variables: with their values.
        outcomes: of all steps, in their order.
        summary: as it was given, else an outline.
        root: ``sha256:..``, over all the rest.
    """

    id: str
    phase: str
    title: str
    provenance: Provenance
    actor: str
    bonded_by: str
    bonded_at: str
    completed_at: str
    summary: str = ""
    lock_entry: Mapping[str, str] = field(default_factory=dict, hash=False)
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    arms: tuple[ArmRecord, ...] = ()
    outcomes: tuple[StepOutcome, ...] = ()
    root: str = ""

    @property
    def formula(self) -> str:
        """``name@version``, as the record prints it; the name where there is no version."""
        return f"{self.provenance.name}@{self.provenance.version}" if self.provenance.version else self.provenance.name

    @property
    def has_failed(self) -> bool:
        """Whether any step failed, or did not end."""
        return any(one.has_failed or not is_over(one.state) for one in self.outcomes)

    def lines(self) -> tuple[str, ...]:
        """Give the execution record as the seed prints it: whatever it says, a line stays one line."""
        exercised = [f"- {tag} (primary)" for tag in self.provenance.capabilities.primary]
        exercised += [f"- {tag} (secondary)" for tag in self.provenance.capabilities.secondary]
        return (
            f"Polecat: {printable(self.actor)}",
            f"Formula: {printable(self.formula)}",
            f"Completed: {self.completed_at}",
            *(("Capabilities exercised:", *exercised) if exercised else ()),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give its JSON form: what is empty is left out."""
        said: dict[str, Any] = {"format": FORMAT, "provenance": self.provenance.to_dict()}
        for key in (*_HEAD, "id", "title", "root"):
            if value := getattr(self, key):
                said[key] = value
        for key in ("lock_entry", "variables"):
            if value := getattr(self, key):
                said[key] = dict(value)
        if self.arms:
            said["arms"] = [_arm_dict(arm) for arm in self.arms]
        if self.outcomes:
            said["outcomes"] = [_outcome_dict(one) for one in self.outcomes]
        return said

    def to_bytes(self) -> bytes:
        """Give its one text: canonical JSON."""
        return canonical_json(self.to_dict())

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a digest; whether it holds is for `verify_digest`.

        Raises:
            ValueError: it is not the one text of a digest.
        """
        # Counted before they are made: within quotes it would stand with backslashes.
        if data.count(b'"step":') > MAX_OUTCOMES:
            raise ValueError(f"a digest: it tells of more than {MAX_OUTCOMES} steps")
        said = Fields(parse_json(data, "a digest", max_bytes=MAX_DIGEST_BYTES), "a digest")
        said.require_format(FORMAT)
        found = cls(
            id=_molecule_id(said.text("id")),
            phase=_one_of(said.text("phase"), PHASES),
            title=said.text("title", MAX_TEXT),
            provenance=Provenance.of_dict(said.table("provenance"), "the formula of a digest"),
            actor=said.optional("actor", MAX_ACTOR) or "",
            bonded_by=said.optional("bonded_by", MAX_ACTOR) or "",
            bonded_at=check_moment(said.text("bonded_at")),
            completed_at=check_moment(said.text("completed_at")),
            summary=said.optional("summary", MAX_TEXT) or "",
            lock_entry=said.mapping("lock_entry"),
            variables=said.mapping("variables"),
            arms=tuple(_arm(one) for one in said.items("arms")),
            outcomes=tuple(_outcome(one) for one in said.items("outcomes")),
            root=said.text("root"),
        )
        if len({one.step for one in found.outcomes}) < len(found.outcomes):
            raise ValueError("a digest: two outcomes are of one step")
        if len({one.step for one in found.arms}) < len(found.arms):
            raise ValueError("a digest: two arms are one step")
        if found.to_bytes() != data:
            raise ValueError("a digest: this is not the one text that its contents have")
        return found


_HEAD: Final = ("phase", "actor", "bonded_by", "bonded_at", "completed_at", "summary")


def digest_of(molecule: Molecule, summary: str, lock_entry: Mapping[str, str], completed_at: str, actor: str) -> Digest:
    """Give the digest of a molecule as it stands."""
    outcomes = tuple(
        StepOutcome(
            step=step_id,
            title=record.step.title,
            state=record.state,
            reason=record.reason,
            actor=record.closed_by or record.started_by,
            started_at=record.started_at,
            closed_at=record.closed_at,
        )
        for step_id, record in molecule.steps.items()
    )
    digest = Digest(
        id=molecule.id,
        phase=molecule.phase,
        title=f"Digest: {molecule.title}",
        provenance=molecule.provenance,
        actor=actor,
        bonded_by=molecule.bonded_by,
        bonded_at=molecule.bonded_at,
        completed_at=completed_at,
        summary=summary or _outline(outcomes),
        lock_entry=dict(lock_entry),
        variables=dict(molecule.values),
        arms=tuple(ArmRecord(step, arm.provenance, dict(arm.values)) for step, arm in molecule.arms.items()),
        outcomes=outcomes,
    )
    return replace(digest, root=root_of(digest))


def root_of(digest: Digest) -> str:
    """Give the Merkle root over all that a digest says."""
    return PREFIX + levels([leaf_hash(leaf) for leaf in leaves_of(digest)])[-1][0].hex()


def leaves_of(digest: Digest) -> tuple[bytes, ...]:
    """Give the leaves, steps last: their order and number are part of what is proved."""
    head = {"id": digest.id, "title": digest.title, **{key: getattr(digest, key) for key in _HEAD}}
    head |= {"variables": len(digest.variables), "arms": len(digest.arms), "steps": len(digest.outcomes)}
    return (
        _leaf("formula", digest.provenance.to_dict()),
        _leaf("lock", dict(digest.lock_entry)),
        _leaf("head", head),
        *(_leaf(f"variable {name}", value) for name, value in sorted(digest.variables.items())),
        *(_leaf(f"arm {arm.step}", _arm_dict(arm)) for arm in digest.arms),
        *(_leaf(step_label(one.step), _shortened(one)) for one in digest.outcomes),
    )


def verify_digest(digest: Digest, root: str | None = None) -> bool:
    """Tell whether a digest says what its root says, and that root is the expected one where one is given."""
    return digest.root == root_of(digest) and root in (None, digest.root)


def _leaf(label: str, value: object) -> bytes:
    return canonical_json([label, value])


def step_label(step: str) -> str:
    """Give the label of a step's leaf; no id of a step holds a blank."""
    return f"{STEP}{step}" if len(step) <= MAX_PLAIN else f"step_hash {hashlib.sha256(step.encode()).hexdigest()}"


def _outcome_dict(one: StepOutcome) -> dict[str, str]:
    return {key: value for key in _OUTCOME if (value := getattr(one, key))}


def _shortened(one: StepOutcome) -> dict[str, str]:
    """Give an outcome for its leaf, whose label has the id already.

    A long text stands by its hash under another key, so that neither passes for the other.
    """
    said = {}
    for key, value in _outcome_dict(one).items():
        if key == "step":
            continue
        if len(canonical_json(value)) - len('""') > MAX_PLAIN:
            said[f"{key}_hash"] = hashlib.sha256(value.encode()).hexdigest()
        else:
            said[key] = value
    return said


def _arm_dict(arm: ArmRecord) -> dict[str, Any]:
    said: dict[str, Any] = {"step": arm.step, "provenance": arm.provenance.to_dict()}
    return {**said, "values": dict(arm.values)} if arm.values else said


def _arm(value: object) -> ArmRecord:
    said = Fields(value, "an arm of a digest")
    step = said.text("step")
    if not is_step_id(step):
        raise ValueError(f"an arm of a digest: {quoted(step)} cannot be a step's id")
    return ArmRecord(step, Provenance.of_dict(said.table("provenance"), "an arm"), said.mapping("values"))


def _outcome(value: object) -> StepOutcome:
    said = Fields(value, "an outcome of a digest")
    texts = {key: said.optional(key, MAX_TEXT) or "" for key in _OUTCOME}
    if not is_step_id(texts["step"]):
        raise ValueError(f"an outcome of a digest: {quoted(texts['step'])} cannot be a step's id")
    _one_of(texts["state"], get_args(StepState))
    for key in ("started_at", "closed_at"):
        if texts[key]:
            check_moment(texts[key])
    return StepOutcome(**texts)


def _molecule_id(text: str) -> str:
    if not is_molecule_id(text):
        raise ValueError(f"a digest: {quoted(text)} cannot be a molecule's id")
    return text


def _one_of(text: str, allowed: Sequence[str]) -> str:
    if text not in allowed:
        raise ValueError(f"a digest: {quoted(text)} is none of {', '.join(allowed)}")
    return text


def _outline(outcomes: Sequence[StepOutcome]) -> str:
    """Give what stands for a summary that nobody wrote."""
    counts = {
        "done": sum(1 for one in outcomes if one.has_run and not one.has_failed),
        "failed": sum(1 for one in outcomes if one.has_failed),
        "skipped": sum(1 for one in outcomes if is_over(one.state) and not one.has_run),
        "not done": sum(1 for one in outcomes if not is_over(one.state)),
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{len(outcomes)} steps: {told}" if told else "no steps"
