"""What can be wrong with molecules: catalogues, protos, and what is bonded from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors.base import UNTRUSTED, MmpmError, printable
from mmpm.errors.project import NotFoundHereError

if TYPE_CHECKING:
    from collections.abc import Iterable


class MoleculeNotFoundError(MmpmError):
    """No layer of the catalogue has the record that a command is about."""

    code = "molecule-not-found"

    def __init__(self, record_id: str, near: Iterable[str]) -> None:
        meant = list(near)
        also = f"; did you mean {' or '.join(printable(one, 80) for one in meant)}?" if meant else ""
        super().__init__(
            f"there is no molecule {printable(record_id, 80)} in any catalogue here{also}",
            "`mmpm mol list` shows what there is",
            {"id": record_id, "near": meant},
        )


class ProtoNotFoundError(NotFoundHereError):
    """No tier has the formula, and no layer of the catalogue the molecule, that is to be cooked or bonded."""

    code = "proto-not-found"

    def __init__(self, name: str, near: Iterable[str], unread: int = 0) -> None:
        meant = list(near)
        also = f"; did you mean {' or '.join(printable(one, 80) for one in meant)}?" if meant else ""
        lines = f" and {unread} line{'s' * (unread != 1)} of catalogues that cannot be read" if unread else ""
        MmpmError.__init__(
            self,
            f"there is no formula and no molecule {printable(name, 80)} here{also}",
            f"`mmpm mol list` shows the molecules{lines}, `mmpm list` the formulas; `mmpm search` finds others",
            {"name": name, "near": meant, "unread": unread},
        )


class CookError(MmpmError):
    """A formula cannot be cooked.

    Attributes:
        formula: its name, or that of the one among those it is made of.
        path: names of formulas or ids of steps that lead to the failure; may be empty.
        problems: (key path, sentence) of each, where several things are wrong with a file.
    """

    code = "cook-failed"

    def __init__(
        self,
        formula: str,
        reason: str,
        path: Iterable[str] = (),
        problems: Iterable[tuple[str, str]] = (),
        remedy: str = "",
    ) -> None:
        self.formula = formula
        self.reason = reason
        self.path = tuple(path)
        self.problems = tuple(problems)
        super().__init__(
            f"{printable(formula, 120)} cannot be cooked: {printable(reason, 2000)}",
            remedy or "correct the formula, or ask its author; `mmpm mol check` on it names everything that is odd",
            {
                "formula": formula,
                "reason": reason,
                "path": list(self.path),
                "problems": [{"key": key, "reason": reason} for key, reason in self.problems],
            },
        )


class VariablesRefusedError(MmpmError):
    """Values of variables are missing, or not what the formula allows."""

    code = "variables-refused"

    def __init__(self, formula: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        more = f" (and {len(self.problems) - 3} more)" if len(self.problems) > 3 else ""
        super().__init__(
            f"{printable(formula, 120)}: {printable('; '.join(self.problems[:3]), 2000)}{more}",
            "give each as `--var name=value`",
            {"formula": formula, "problems": list(self.problems)},
        )


class MoleculeNotHereError(MmpmError):
    """No mol or wisp of the name lies below this root."""

    code = "molecule-not-here"

    def __init__(self, operand: str, root: str, near: Iterable[str] = ()) -> None:
        meant = list(near)
        also = f"; did you mean {' or '.join(printable(one, 200) for one in meant)}?" if meant else ""
        super().__init__(
            f"there is no molecule or step {printable(operand, 200)} in {printable(root)}{also}",
            "`mmpm mol list --running` shows the molecules that are there; `--project DIR` looks elsewhere",
            {"id": operand, "root": root, "near": meant},
        )


class MoleculeRefusedError(MmpmError):
    """A molecule, as it stands, does not allow what was asked for."""

    code = "molecule-refused"

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(
            printable(reason, 2000),
            remedy or "`mmpm mol show` of the molecule says how it stands",
            {"reason": reason},
        )


class MoleculeLogError(MmpmError):
    """The log or the digest of a molecule cannot be used as it lies there."""

    code = "molecule-log-unusable"

    def __init__(self, path: str, reason: str, remedy: str = "") -> None:
        super().__init__(
            f"{printable(path)}: {printable(reason, 1000)}",
            remedy or "restore the file, from version control for one, or move it away",
            {"path": path, "reason": reason},
        )


class RecordInTheWayError(MmpmError):
    """A record should be written into a catalogue, and its name means something there already."""

    code = "record-in-the-way"

    def __init__(self, record_id: str, where: str, remedy: str) -> None:
        super().__init__(
            f"there is {printable(record_id, 120)} already: {printable(where)}",
            remedy,
            {"id": record_id, "where": where},
        )


class DigestUntrustedError(MmpmError):
    """A digest or a proof does not hold."""

    code = "digest-untrusted"
    exit_status = UNTRUSTED

    def __init__(self, what: str, reasons: Iterable[str]) -> None:
        said = list(reasons)
        super().__init__(
            f"{printable(what)} does not hold: {printable('; '.join(said), 4000)}",
            "do not rely on it; get the digest again from whoever squashed the molecule, or from version control",
            {"what": what, "reasons": said},
        )


class NoDigestError(MmpmError):
    """There is no digest to look at."""

    code = "no-digest"

    def __init__(self, operand: str, reason: str, remedy: str) -> None:
        super().__init__(
            f"no digest by {printable(operand, 200)}: {printable(reason, 1000)}",
            remedy
            or "name a molecule that was squashed (`mmpm mol records` lists them), or the file of a digest or proof",
            {"operand": operand, "reason": reason},
        )


class StepUnknownError(MmpmError):
    """A digest tells of no such step."""

    code = "step-unknown"

    def __init__(self, step: str, molecule_id: str, near: Iterable[str] = ()) -> None:
        meant = list(near)
        also = f"; did you mean {' or '.join(printable(one, 200) for one in meant)}?" if meant else ""
        super().__init__(
            f"the digest of {printable(molecule_id, 200)} tells of no step {printable(step, 200)}{also}",
            f"`mmpm mol show {printable(molecule_id, 200)} --all` lists its steps",
            {"step": step, "molecule": molecule_id, "near": meant},
        )


class TooManyToDrawError(MmpmError):
    """A molecule has more steps, or more lines between them, than a picture can show."""

    code = "too-many-to-draw"

    def __init__(self, molecule_id: str, count: int, what: str, most: int) -> None:
        super().__init__(
            f"{printable(molecule_id, 200)} has {count} {what}: a picture shows at most {most}",
            "draw a part of it, `mmpm mol graph ID.STEP`, or look at `mmpm mol show ID --parallel`",
            {"id": molecule_id, "count": count, "what": what, "most": most},
        )
