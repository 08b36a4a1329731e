"""A small kitchen for tests: formulas as TOML texts, cooked from memory."""

from __future__ import annotations

from mmpm.model.checksums import Checksum
from mmpm.model.formula import parse_formula
from mmpm.molecule.cook.cooking import bound, cook
from mmpm.molecule.cook.inheritance import Ingredient
from mmpm.molecule.proto import Source


def ingredient(text):
    data = text if isinstance(text, bytes) else text.encode()
    formula = parse_formula(data, "test.formula.toml")
    return Ingredient(formula, Source(formula.name, str(formula.version), str(Checksum.of(data)), "file"))


def cooked(text, *others, values=None, overlays=()):
    """Cook `text`; `others` are what it names."""
    shelf = {one.formula.name: one for one in map(ingredient, others)}
    return cook(ingredient(text), shelf.get, overlays, values)


def proto_of(text, *others, values=None, overlays=()):
    return cooked(text, *others, values=values, overlays=overlays).proto


def bound_of(text, *others, **values):
    return bound(proto_of(text, *others), values)


def needs_of(proto):
    """Give what each step needs, by id."""
    return {step.id: list(step.needs) for step in proto.steps}


def formula(body, name="mol-x"):
    return f'formula = "{name}"\nversion = 1\ndescription = "d"\n{body}'
