"""The whole corpus, published into two registries of a world."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from corpus import Corpus, bundle_batch, formula_batch
from world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def whole_corpus(corpus: Corpus, folder: Path) -> Iterator[World]:
    """Open a world with every formula in `formulas` and every bundle in `bundles`, each published in one batch.

    Its `unpacked` is the folder of the bundles as they are in the corpus.
    """
    unpacked = corpus.unpack_bundles(folder / "bundles")
    with World(folder) as world:
        for name, lines in (("formulas", formula_batch(corpus)), ("bundles", bundle_batch(corpus, unpacked))):
            registry = world.registry(name)
            batch = folder / f"{name}.jsonl"
            batch.write_text(lines)
            registry.publisher.run("publish", "--batch", str(batch), "--to", str(registry.folder), "--yes")
        world.unpacked = unpacked
        yield world
