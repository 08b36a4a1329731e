"""Cooking what is installed or lies in a file: `mol cook`, `mol check`, and what bonding takes from a formula.

A name is found as bd and gt find it (project, user, town, system; the first hit wins), and among the molecules of the
catalogue, layer beside tier. What a file names lies beside
it, else it is found by its name. The proto says what it was cooked from: the release with its checksum where the file
is as it was installed, else the file's own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import CookError, NotFoundHereError, PayloadRefusedError, ProtoNotFoundError, printable
from mmpm.model.checksums import Checksum
from mmpm.model.formula import parse_formula
from mmpm.model.names import FormulaName
from mmpm.model.spelling import closest
from mmpm.model.toml_text import MAX_TOML_BYTES
from mmpm.molecule.arranging import arranged, left_out_by
from mmpm.molecule.beads.protos import of_records
from mmpm.molecule.cook.cooking import Bound, Cooked, bound, cook
from mmpm.molecule.cook.inheritance import Ingredient
from mmpm.molecule.cook.overlays import Overlay, parse_overlay
from mmpm.molecule.proto import Source
from mmpm.ops.mol_catalogue import read_catalogue
from mmpm.ops.mol_release import with_release
from mmpm.plan import Plan, PutObject, WriteFiles
from mmpm.project.files import content_id, read_optional, read_project, real_path
from mmpm.project.tiers import TIERS, search_order
from mmpm.reconcile import BUNDLE_FORMULA, FLAT_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.execute.context import Context
    from mmpm.molecule.beads.catalogue import Catalogue, Entry
    from mmpm.molecule.proto import Proto
    from mmpm.project.tiers import Project
    from mmpm.receipt import Installed

_OVERLAYS: Final = "formula-overlays"
_JSON_SUFFIX: Final = ".formula.json"
_ENDINGS: Final = (FLAT_SUFFIX, _JSON_SUFFIX)
"""Of formula files, in the order in which bd looks for them; the second is its older form."""
_LAYERS: Final = ("project", "user", "town", "built-in")
"""Of the catalogue, beside `TIERS` of formulas: the first that has a name is meant."""


@dataclass(frozen=True, slots=True)
class Dish:
    """A formula, cooked.

    Attributes:
        cooked: with its variables still in it.
        bound: with the values that were given; None where none were.
        path: of the formula's file.
        ingredient: the formula itself; None for a molecule of a catalogue, which is cooked already.
        overlay: what the town or the rig says, or None.
    """

    cooked: Cooked
    bound: Bound | None
    path: str
    ingredient: Ingredient | None
    overlay: Overlay | None

    @property
    def proto(self) -> Proto:
        """What was asked for."""
        return self.bound.proto if self.bound else self.cooked.proto


@dataclass(frozen=True, slots=True)
class Found:
    """A formula, where its file is, and of which tier; the tier is empty for a file that a person named."""

    ingredient: Ingredient
    path: str
    tier: str = ""


class Kitchen:
    """Finds formulas from one working folder, each file read once."""

    def __init__(self, context: Context, cwd: str) -> None:
        self._context = context
        self._cwd = cwd
        self._tiers = search_order(context.places, cwd, chosen_folder(context))
        self._receipts: dict[str, tuple[Installed, ...]] = {}
        self._beside = ""

    def find(self, operand: str, *, by_name: bool = False) -> Found:
        """Give the formula that a person means; with `by_name` no file of the working folder but one typed as a path.

        Raises:
            NotFoundHereError: no tier has a formula of the name.
            PayloadRefusedError, FormulaSyntaxError, FormulaInvalidError: it is no formula.
        """
        path = os.path.normpath(os.path.join(self._cwd, operand))
        if os.path.isdir(path) and os.path.isfile(os.path.join(path, BUNDLE_FORMULA)):
            path = os.path.join(path, BUNDLE_FORMULA)
        if _is_path(operand) or (not by_name and os.path.isfile(path) and not self._has(operand)):
            data = _read(path)
            if data is None:
                raise PayloadRefusedError(operand, "there is no such file")
            self._beside = os.path.dirname(path)
            return Found(_ingredient(data, path, "file"), path)
        found = self._installed(operand)
        if found is None:
            raise NotFoundHereError(operand, "*", [f"{tier.tier}: {tier.formulas}" for tier in self._tiers])
        return found

    def _has(self, operand: str) -> bool:
        """Tell whether a tier has a formula of that name: then no file that happens to be called so takes its place."""
        return _is_name(operand) and self._installed(operand) is not None

    def names(self) -> tuple[str, ...]:
        """Give the names of the formulas that lie in the tiers, sorted, each once."""
        found: set[str] = set()
        for tier in self._tiers:
            try:
                listed = os.listdir(real_path(tier, tier.formulas))
            except OSError:
                continue
            for ending in _ENDINGS:
                found.update(name.removesuffix(ending) for name in listed if name.endswith(ending))
        return tuple(sorted(found))

    def load(self, name: str) -> Ingredient | None:
        """Find a formula by the name that another gives it; this is what cooking takes."""
        if self._beside:
            base = FormulaName.parse(name).base
            for ending in _ENDINGS:
                path = os.path.join(self._beside, base + ending)
                data = _read(path)
                if data is not None:
                    return _ingredient(data, path, "file")
        found = self._installed(name)
        return found.ingredient if found else None

    def overlay(self, base: str) -> Overlay | None:
        """Give what the rig says of a formula, else the town, else None.

        Raises:
            FormulaSyntaxError, FormulaInvalidError: it is no overlay.
        """
        town = self._context.places.town
        places = [("town", os.path.join(town, _OVERLAYS))]
        rig = self._rig(town)
        if rig:
            places.insert(0, (f"rig {rig}", os.path.join(town, rig, _OVERLAYS)))
        for who, folder in places:
            path = os.path.join(folder, f"{base}.toml")
            data = _read(path)
            if data is not None:
                source = Source(f"overlay of {who}", "", str(Checksum.of(data)), "overlay")
                return parse_overlay(data, path, source)
        return None

    def _rig(self, town: str) -> str:
        """Give the rig that this is about: `$GT_RIG`, else the folder of the town in which the working folder lies."""
        said = self._context.environ.get("GT_RIG", "")
        if said and "/" not in said and not said.startswith("."):
            return said
        real, root = os.path.realpath(self._cwd), os.path.realpath(town).rstrip("/") + "/"
        first = real.removeprefix(root).split("/")[0] if real.startswith(root) else ""
        return "" if first.startswith(".") else first

    def _installed(self, text: str) -> Found | None:
        try:
            name = FormulaName.parse(text)
        except ValueError as error:
            raise PayloadRefusedError(text, str(error)) from None
        for tier in self._tiers:
            formulas = real_path(tier, tier.formulas)
            for entry in self._entries(tier):
                if entry.name == text:  # under another name, perhaps
                    found = self._read_installed(tier, formulas, entry.installed_name)
                    if found is not None:
                        return found
            found = self._read_installed(tier, formulas, name.base)
            if found is not None and (name.scope is None or found.ingredient.formula.name == text):
                return found
        return None

    def _read_installed(self, tier: Project, formulas: str, base: str) -> Found | None:
        entries = self._entries(tier)
        for relative in (base + FLAT_SUFFIX, f"{base}/{BUNDLE_FORMULA}", base + _JSON_SUFFIX):
            path = os.path.join(formulas, relative)
            data = _read(path)
            if data is None:
                continue
            ingredient = _ingredient(data, path, "file")
            entry = next((one for one in entries if one.installed_name == base), None)
            if entry is not None and (relative, content_id(data)) in {(file.path, file.id) for file in entry.files}:
                source = Source(entry.name, entry.version, entry.checksum, "release")
                return Found(Ingredient(ingredient.formula, source), path, tier.tier)
            return Found(ingredient, path, tier.tier)
        return None

    def _entries(self, tier: Project) -> tuple[Installed, ...]:
        if tier.tier == "system":
            return ()
        if tier.root not in self._receipts:
            self._receipts[tier.root] = tuple(read_project(tier).receipt.entries)
        return self._receipts[tier.root]


def chosen_folder(context: Context) -> str | None:
    """Give the project's root where ``--project`` names it, else None: then the working folder decides."""
    return context.project.root if context.project.chosen.startswith("--project") else None


def cook_formula(
    context: Context, cwd: str, operand: str, values: Mapping[str, str] | None = None, *, preset: str = ""
) -> Dish:
    """Cook a formula by name or path, with the overlay that counts here; else give a molecule of the catalogue.

    Args:
        context: its places say where the tiers are.
        cwd: absolute path of the working folder.
        operand: a name, or a path of a formula file or bundle.
        values: of variables; None leaves them in the texts, an empty mapping puts the defaults in.
        preset: of a convoy: only its legs stay.

    Raises:
        ProtoNotFoundError: no tier and no catalogue has it; a `NotFoundHereError`.
        PayloadRefusedError, FormulaSyntaxError, FormulaInvalidError: it is no formula.
        CookError, VariablesRefusedError: it cannot be cooked.
    """
    looked = look_up(context, cwd, operand)
    if looked.entry is not None:
        made = with_release(looked.catalogue, looked.entry, of_records(looked.catalogue, operand))
        made = _chosen(made, preset)
        return Dish(Cooked(made), None if values is None else bound(made, values), looked.entry.path, None, None)
    found = looked.found
    overlay = looked.kitchen.overlay(FormulaName.parse(found.ingredient.formula.name).base)
    cooked = cook(found.ingredient, looked.kitchen.load, (overlay,) if overlay else (), values)
    cooked = replace(cooked, proto=_chosen(cooked.proto, preset))
    made = cooked.proto
    return Dish(cooked, None if values is None else bound(made, values), found.path, found.ingredient, overlay)


@dataclass(frozen=True, slots=True)
class InFile:
    """An operand that names a formula's file."""

    kitchen: Kitchen
    found: Found
    entry: None = None


@dataclass(frozen=True, slots=True)
class InCatalogue:
    """An operand that names a record of the catalogue."""

    catalogue: Catalogue
    entry: Entry


def look_up(context: Context, cwd: str, operand: str) -> InFile | InCatalogue:
    """Say what an operand names: of formulas and records the one whose tier comes first.

    Raises:
        ProtoNotFoundError: no tier and no catalogue has it.
        PayloadRefusedError, FormulaSyntaxError, FormulaInvalidError: it is no formula.
    """
    kitchen = Kitchen(context, cwd)
    found: Found | None = None
    by_name = os.path.exists(os.path.join(cwd, operand)) and not _is_path(operand)
    if by_name:  # seldom: a file is called as a molecule may be
        by_name = read_catalogue(context.places, cwd, chosen_folder(context)).get(operand) is not None
    try:
        found = kitchen.find(operand, by_name=by_name)
    except NotFoundHereError:
        pass
    except PayloadRefusedError:
        # An id of a catalogue need not be a formula's name: BD-17.
        if "/" in operand or operand.endswith((".toml", ".json")) or _is_name(operand):
            raise
    if found is None or found.tier:
        catalogue = read_catalogue(context.places, cwd, chosen_folder(context))
        entry = _of_catalogue(catalogue, operand, found)
        if entry is not None:
            return InCatalogue(catalogue, entry)
        if found is None:
            known = {*kitchen.names(), *(one.record.id for one in catalogue.templates())}
            raise ProtoNotFoundError(operand, closest(operand, sorted(known)), len(catalogue.problems))
    return InFile(kitchen, found)


def _chosen(proto: Proto, preset: str) -> Proto:
    """Give the proto with the legs of a preset alone; all of it where none is named.

    Raises:
        CookError: it has no such preset.
    """
    if not preset:
        return proto
    try:
        return arranged(proto, {}, left_out_by(proto, preset))
    except ValueError as error:
        raise CookError(proto.name, str(error), remedy=f"`mmpm mol cook {proto.name}` names its presets") from None


def _of_catalogue(catalogue: Catalogue, operand: str, found: Found | None) -> Entry | None:
    """Give the record of that id where its layer comes before the formula's tier; of ours, where both have it."""
    entry = catalogue.get(operand)
    if entry is not None and found is not None:
        layer, tier = _LAYERS.index(entry.layer), TIERS.index(found.tier)
        if tier < layer or (tier == layer and entry.layer != _LAYERS[-1]):
            return None
    return entry


def _is_path(operand: str) -> bool:
    """Tell whether an operand is typed as a path; any other is one only where nothing else has that name."""
    return operand.endswith((".toml", ".json")) or operand.startswith((".", "/"))


def _is_name(text: str) -> bool:
    try:
        FormulaName.parse(text)
    except ValueError:
        return False
    return True


def plan_cook(dish: Dish, *, store: bool, output: str | None, force: bool) -> Plan:
    """Plan what is kept of a dish: an object in the store, a file with the proto's text.

    Args:
        dish: what was cooked.
        store: whether the store gets it.
        output: absolute path of a file to write, or None.
        force: write over a file that is there.
    """
    data = dish.proto.to_bytes()
    actions: list[PutObject | WriteFiles] = []
    if store:
        actions.append(PutObject(content_id(data), data, f"the proto of {dish.proto.name}"))
    if output is not None:
        actions.append(WriteFiles(((output, data, 0o644),), overwrite=force))
    return Plan(tuple(actions))


def _read(path: str) -> bytes | None:
    try:
        return read_optional(path)
    except NotADirectoryError:
        return None
    except OSError as error:
        raise PayloadRefusedError(path, f"it cannot be read: {printable(error.strerror or str(error))}") from None


def _ingredient(data: bytes, path: str, origin: str) -> Ingredient:
    formula = parse_formula(data[: MAX_TOML_BYTES + 1], os.path.basename(path), is_json=path.endswith(".json"))
    return Ingredient(formula, Source(formula.name, str(formula.version), str(Checksum.of(data)), origin))
