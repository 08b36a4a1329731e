"""Fixtures of the project's tests: the corpus where it is at hand, a small world, nginx."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from corpus import Corpus, corpus_folder
from nginx_server import Nginx, find_nginx
from world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytest_plugins = ["ground"]


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The corpus of real formulas and bundles; the test is skipped where it is absent."""
    folder = corpus_folder()
    if folder is None:
        pytest.skip("the corpus is not at hand (MMPM_CORPUS, or ../shared/corpus)")
    return Corpus(folder)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One small world of its own: machines, registries, servers on loopback."""
    with World(tmp_path) as made:
        yield made


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Callable[[Path], Nginx]]:
    """Give a function that serves a folder by nginx; skipped without nginx, failed with CI=true."""
    program = find_nginx()
    if program is None:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say("nginx is not installed")
    running: list[Nginx] = []

    def serve(folder: Path) -> Nginx:
        running.append(Nginx(program, folder, tmp_path / f"nginx-{len(running)}"))
        return running[-1]

    yield serve
    for server in running:
        server.stop()
