"""`mol export`: a molecule, a digest or a proto in the form that another program reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import MoleculeRefusedError
from mmpm.molecule.beads.issues import jsonl, of_digest, of_molecule, of_proto_issues
from mmpm.molecule.events import is_molecule_id
from mmpm.molecule.transitions import is_live
from mmpm.ops.mol_cook import cook_formula
from mmpm.ops.mol_verify import against_log
from mmpm.plan import Plan, WriteFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.execute.context import Context
    from mmpm.ops.mol_state import Workspace


@dataclass(frozen=True, slots=True)
class Exported:
    """What was made.

    Attributes:
        kind: ``molecule``, ``digest`` or ``proto``.
        id: of it.
        issues: beads' issues, the root first.
        notes: a sentence each, for the person.
    """

    kind: str
    id: str
    issues: tuple[Mapping[str, object], ...]
    notes: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        """The text of a file of them."""
        return jsonl(self.issues)


def export_beads(workspace: Workspace, context: Context, cwd: str, operand: str) -> Exported:
    """Give what an operand names as beads' issues; molecules that are here come before formulas and catalogues.

    Args:
        workspace: of the root whose molecules it may be.
        context: where formulas and molecules of the catalogue are looked for.
        cwd: absolute path of the working folder.
        operand: the id of a molecule, the name of a formula or of a molecule of the catalogue, a formula's file.

    Raises:
        MoleculeRefusedError: it is a step, or was burned.
        MoleculeLogError: the log or digest cannot be used.
        ProtoNotFoundError, CookError: it is none of these, or cannot be cooked.
    """
    found = workspace.find(operand)
    if found is not None and found.step:
        whole = found.molecule.id
        raise MoleculeRefusedError(
            f"{operand} is a step, and a step alone would lead nowhere", f"`mmpm mol export {whole}` takes all of it"
        )
    if found is not None and not is_live(found.molecule.state) and not found.molecule.root:
        raise MoleculeRefusedError(f"{operand} was burned: nothing of it is to stay", "`mmpm mol gc` tidies it away")
    digest = workspace.digest(operand) if is_molecule_id(operand) else None
    # Of a squashed wisp the digest is all there is, also where a log still waits to be removed.
    if found is not None and not (digest is not None and found.molecule.phase == "wisp"):
        notes = found.molecule.problems
        if digest is not None and against_log(digest, found.molecule):
            notes += (
                f"{operand}: its digest is left out, for its log tells otherwise: see `mmpm mol verify {operand}`",
            )
            digest = None
        return Exported("molecule", operand, of_molecule(found.molecule, digest), notes)
    if digest is not None:
        return Exported("digest", operand, (of_digest(digest),))
    whole = operand.partition(".")[0]
    left = workspace.digest(whole) if whole != operand and is_molecule_id(whole) else None
    if left is not None and any(f"{whole}.{one.step}" == operand for one in left.outcomes):
        raise MoleculeRefusedError(
            f"{operand} is a step of a squashed molecule, of which the digest is left",
            f"`mmpm mol export {whole}` takes that",
        )
    dish = cook_formula(context, cwd, operand)
    return Exported("proto", dish.proto.name, of_proto_issues(dish.proto), tuple(dish.cooked.notes))


def plan_write(exported: Exported, path: str, *, force: bool) -> Plan:
    """Plan to write what was made into a file."""
    return Plan((WriteFiles(((path, exported.data, 0o644),), overwrite=force),), notes=exported.notes)
