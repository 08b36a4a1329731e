"""Fixtures of the store's tests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from mmpm_store.objects import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


if "ground" not in sys.modules:  # the store's tests alone, without those of the project beside them
    settings.register_profile("store", deadline=None, derandomize=True)
    settings.load_profile("store")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store that does not flush: what is tested here is order, not the disk."""
    return Store.open(tmp_path / "store", durability="none")


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Give a new empty folder at each call, also from within a law."""
    return lambda: tmp_path_factory.mktemp("fresh")
