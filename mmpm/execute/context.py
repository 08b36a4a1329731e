"""All that an operation may touch outside itself, in one frozen value. It is made in `cli/` (later `server/`) only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mmpm.project.config import Settings
    from mmpm.project.places import Places
    from mmpm.project.registries import RegistryConfig
    from mmpm.project.tiers import Project
    from mmpm_store.objects import Store


class Progress(Protocol):
    """Who listens while an operation works; the terminal, a JSON collector, or nobody (`SILENT`).

    One bar at a time: `start`, any number of `advance`, `finish`. `finish` without `start` is harmless.
    Every text is cleaned of control characters by the listener.
    """

    def start(self, label: str, total: int, unit: str) -> None:
        """Begin a stretch of `total` units (`bytes`, `files`, `releases`); `label` as in "Downloading..."."""
        ...

    def advance(self, amount: int = 1) -> None:
        """Say that `amount` more units are done; may be called from any thread."""
        ...

    def finish(self) -> None:
        """End the stretch."""
        ...

    def say(self, sentence: str) -> None:
        """Tell the person something (standard error; silent with `--quiet` and `--json`)."""
        ...

    def warn(self, sentence: str) -> None:
        """Warn; never silent, and in the `--json` document under `warnings`."""
        ...


class _Silent:
    """Nobody listens."""

    def start(self, label: str, total: int, unit: str) -> None:
        pass

    def advance(self, amount: int = 1) -> None:
        pass

    def finish(self) -> None:
        pass

    def say(self, sentence: str) -> None:
        pass

    def warn(self, sentence: str) -> None:
        pass


SILENT: Progress = _Silent()


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation works with.

    Attributes:
        store: the machine's objects.
        places: where things lie on this machine.
        project: the tier and root that this command is about.
        settings: every setting with its origin.
        registries: configured registries, first to be asked first; may be empty.
        now: the moment at which the command began, UTC and aware.
        progress: who listens.
        offline: whether making a socket is an error (flag, variable or configuration).
        environ: the environment, for credentials (`MMPM_TOKEN*`) and proxies alone.
    """

    store: Store
    places: Places
    project: Project
    settings: Settings
    registries: tuple[RegistryConfig, ...]
    now: datetime
    progress: Progress
    offline: bool
    environ: Mapping[str, str]
