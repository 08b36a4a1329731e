"""Cooking the longest real chain, 1,025 steps, beside reading the same file with tomllib and the same tree with json.

Where the corpus is not here, a chain of the same shape is made.
"""

from __future__ import annotations

import json
import tomllib

import pytest
from corpus import corpus_folder
from kitchen import formula, ingredient

from mmpm.molecule.cook.cooking import cook
from mmpm.molecule.proto import Proto

LONGEST = "formulas/towers-of-hanoi-10/1.0.0.formula.toml"


@pytest.fixture(scope="module")
def chain(small):
    """The bytes of a formula of 1,025 steps."""
    folder = corpus_folder()
    if folder is not None and not small:
        return (folder / LONGEST).read_bytes()
    steps = [
        f'[[steps]]\nid = "move-{n}"\ntitle = "Move {n}"\ndescription = "Move it."\n'
        + (f'needs = ["move-{n - 1}"]\n' if n else "")
        for n in range(20 if small else 1025)
    ]
    return formula("\n".join(steps)).encode()


def test_cook_1025_steps_from_the_file(versus, chain):
    """Bytes of a file to bytes of a proto; reading the file is most of it, with either."""
    text = chain.decode()
    versus(
        lambda _round: cook(ingredient(chain), {}.get).proto.to_bytes(),
        lambda _round: tomllib.loads(text),
        against="tomllib of the file",
        goal="under 1 s",
        rounds=7,
    )


def test_read_the_proto_of_1025_steps(versus, chain):
    """What bonding reads: the proto, checked, beside the same text read by json alone."""
    data = cook(ingredient(chain), {}.get).proto.to_bytes()
    versus(
        lambda _round: Proto.parse(data),
        lambda _round: json.loads(data),
        against="json of the proto",
        goal="under 100 ms",
        rounds=7,
    )
