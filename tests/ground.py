"""What every test of the project and of the store stands on: options, seeds, a home of its own, no network."""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")

# Wall-clock deadlines would make the tests depend on how busy the machine is, and other examples each time on luck:
# these are drawn anew with --full only.
settings.register_profile(
    "sample", max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("full", parent=settings.get_profile("sample"), max_examples=1000, derandomize=False)
settings.load_profile("sample")

FOREIGN_PREFIXES = ("MMPM_", "XDG_", "GT_", "BD_")
FOREIGN = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--full` (all of every sweep) and `--seed` (which sample of it)."""
    parser.addoption("--full", action="store_true", help="run all of every long sweep instead of a sample")
    parser.addoption("--seed", type=int, default=None, help="the seed of the samples; printed, made up where absent")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed once, in the process that hands out the tests."""
    if config.option.seed is None:
        workers_seed = getattr(config, "workerinput", {}).get("sample_seed")
        config.option.seed = random.SystemRandom().randrange(2**31) if workers_seed is None else workers_seed
    if config.option.full:
        settings.load_profile("full")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Hand the seed to the workers of xdist."""
    node.workerinput["sample_seed"] = node.config.option.seed  # type: ignore[attr-defined]


def pytest_report_header(config: pytest.Config) -> str:
    """Say which sample runs."""
    return "sweeps: all of them" if config.option.full else f"sweeps: sampled, repeat with --seed {config.option.seed}"


@pytest.fixture(scope="session", autouse=True)
def isolation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the run an empty home and none of the caller's settings: no test reads or writes a person's files."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            foreign = name.upper() in FOREIGN or name.startswith(FOREIGN_PREFIXES)
            if foreign and name != "MMPM_CORPUS":
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        yield


@pytest.fixture
def sampled(request: pytest.FixtureRequest) -> Callable[[Sequence[Item], int], list[Item]]:
    """Give a function that picks `count` of a sweep's items, in order, the same for one seed; all with --full."""

    def pick(items: Sequence[Item], count: int) -> list[Item]:
        if request.config.option.full or count >= len(items):
            return list(items)
        chooser = random.Random(f"{request.config.option.seed}:{request.node.nodeid}")
        return [items[index] for index in sorted(chooser.sample(range(len(items)), count))]

    return pick


def _only_loopback(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise RuntimeError(f"a test tried to reach {address[0]}")


sys.addaudithook(_only_loopback)
