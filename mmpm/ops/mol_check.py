"""`mol check`: does this formula, or this molecule of the catalogue, come out alike under bd, gt and mmpm?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmpm.errors import CookError
from mmpm.model.names import FormulaName
from mmpm.molecule.beads.compatibility import record_differences
from mmpm.molecule.beads.protos import of_records
from mmpm.molecule.cook.compatibility import Difference, differences
from mmpm.molecule.cook.cooking import cook
from mmpm.ops.mol_cook import InCatalogue, look_up
from mmpm.project.mol_files import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.execute.context import Context
    from mmpm.molecule.cook.inheritance import Ingredient


@dataclass(frozen=True, slots=True)
class Compared:
    """What is known of one formula.

    Attributes:
        differences: that touch it.
        failure: why mmpm itself cannot cook it; empty where it can.
    """

    differences: tuple[Difference, ...]
    failure: str = ""

    @property
    def is_alike(self) -> bool:
        """Whether the same steps and edges come out of all three."""
        return not self.failure and all(one.when != "cook" for one in self.differences)


def check_formula(context: Context, cwd: str, operand: str) -> Compared:
    """Look at a formula by name or path, or at a molecule of the catalogue.

    Raises:
        ProtoNotFoundError, PayloadRefusedError, FormulaSyntaxError, FormulaInvalidError: there is no such thing.
    """
    looked = look_up(context, cwd, operand)
    if isinstance(looked, InCatalogue):
        return _of_records(looked)
    kitchen, ingredient = looked.kitchen, looked.found.ingredient
    base = FormulaName.parse(ingredient.formula.name).base
    tables: dict[str, Mapping[str, Any]] = {base: ingredient.formula.tables}

    def load(name: str) -> Ingredient | None:
        found = kitchen.load(name)
        if found is not None:
            tables[FormulaName.parse(name).base] = found.formula.tables
        return found

    overlay = kitchen.overlay(base)
    try:
        cooked = cook(ingredient, load, (overlay,) if overlay else ())
    except CookError as error:
        return Compared((), error.fact)
    return Compared(differences(cooked.proto, tables))


def _of_records(looked: InCatalogue) -> Compared:
    catalogue, entry = looked.catalogue, looked.entry
    try:
        proto = of_records(catalogue, entry.record.id)
    except CookError as error:
        return Compared((), error.fact)
    records = [one.record for _, one in catalogue.tree(entry.record.id)]
    return Compared(record_differences(proto, records, is_built_in=entry.layer == BUILT_IN))
