"""One run of the program: its options, its streams, and the context made from them when a command asks for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmpm.cli.output import Styled
from mmpm.cli.progress import TerminalProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from mmpm.cli.options import Options
    from mmpm.cli.output import Output
    from mmpm.execute.context import Context
    from mmpm.project.config import Settings
    from mmpm.project.manifest import Manifest
    from mmpm.project.places import Places
    from mmpm.project.tiers import Project


@dataclass(slots=True)
class Session:
    """What every command function gets as `session`.

    Attributes:
        options: the options that stand anywhere on the line.
        output: where results and words go.
        environ: the environment; commands read variables from here only.
        cwd: absolute path of the working folder; relative operands are relative to it.
        now: the moment the command began, UTC and aware.
        guard_offline: makes opening a socket an error in this process, for good.
    """

    options: Options
    output: Output
    environ: Mapping[str, str]
    cwd: str
    now: datetime
    guard_offline: Callable[[], None]
    progress: TerminalProgress = field(init=False)
    _places: Places | None = None
    _context: Context | None = None

    def __post_init__(self) -> None:
        self.progress = TerminalProgress(self.output)

    @property
    def places(self) -> Places:
        """The person's folders."""
        if self._places is None:
            from mmpm.project.places import Places

            self._places = Places.from_environment(self.environ)
        return self._places

    def project(self) -> Project:
        """Choose the tier and root as `--tier`, `--project` and the working folder say."""
        from mmpm.project.tiers import choose_project

        return choose_project(self.places, self.cwd, tier=self.options.tier, folder=self.options.project)

    def say_tier(self) -> None:
        """Say which tier and root the command is about: a choice of ours where nobody gave it."""
        project = self.project()
        self.output.say(Styled(f"Tier: {project.tier}, {project.root} ({project.chosen})", "dim"))

    def settings(self, manifest: Manifest | None = None) -> Settings:
        """Read all settings; with the project's `[policy]` where its manifest is given."""
        from mmpm.project.config import load_settings

        flags = {"offline": True if self.options.offline else None, "color": self.options.color}
        settings = load_settings(
            self.places,
            self.environ,
            flags=flags,
            policy=manifest.policy if manifest else None,
            manifest_path=manifest.path if manifest else "mmpm.toml",
        )
        self.output.set_color(settings.text("color") or "auto")
        return settings

    def context(self, *, read_manifest: bool = True, read_registries: bool = True) -> Context:
        """Make the context, once: store opened, settings and registries read, the offline guard set where asked.

        Args:
            read_manifest: `False` for `sync --frozen` and whatever else the manifest must not decide.
            read_registries: `False` for `config`, which has to work where an entry of a registry is refused.

        Raises:
            MmpmError: settings, manifest or store cannot be read.
        """
        if self._context is None:
            from mmpm.execute.context import Context
            from mmpm.project.config import load_registries
            from mmpm_store.objects import Store

            project = self.project()
            manifest = self._manifest(project) if read_manifest else None
            settings = self.settings(manifest)
            for warning in settings.warnings:
                self.output.warn(warning)
            if settings.offline:
                self.guard_offline()
            self._context = Context(
                store=Store.open(settings.text("store.path") or self.places.store),
                places=self.places,
                project=project,
                settings=settings,
                registries=load_registries(self.places, manifest.registries if manifest else ())
                if read_registries
                else (),
                now=self.now,
                progress=self.progress,
                offline=settings.offline,
                environ=self.environ,
            )
        return self._context

    @staticmethod
    def _manifest(project: Project) -> Manifest:
        # Only imported where it is read: it brings the version ranges along, which `sync --frozen` does without.
        from mmpm.project.manifest import read_manifest

        return read_manifest(project.manifest_path)

    def path(self, operand: str) -> str:
        """Give the absolute path of a path operand."""
        from mmpm.project.places import expand_home

        return os.path.normpath(os.path.join(self.cwd, expand_home(operand, self.places.home)))
