"""Publishing thousands of releases in one batch."""

from __future__ import annotations

import pytest
from references import copy_folder
from synthetic import write_formulas

RELEASES = 3_000
RELEASES_IN_A_SMOKE_RUN = 30


@pytest.fixture(scope="module")
def batch(scratch, small):
    return write_formulas(scratch / "formulas", RELEASES_IN_A_SMOKE_RUN if small else RELEASES)


def test_publish_batch_of_3000_releases(versus, batch, scratch, bench_world):
    def publish(number: int) -> None:
        registry = bench_world.registry(f"batch-{number}")
        registry.publisher.run("publish", "--batch", str(batch), "--to", str(registry.folder), "--yes")

    versus(
        publish,
        lambda number: copy_folder(batch.parent, scratch / f"sources-{number}"),
        against="cp -r of the sources",
        goal="10 s (300 releases a second)",
        rounds=3,
        prepare=lambda number: bench_world.registry(f"batch-{number}"),
    )
