"""A project, a store and releases made by hand: what the executor's tests work on."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mmpm.execute.apply import Outcome, apply
from mmpm.execute.context import SILENT, Context
from mmpm.execute.fetch import measure_payload
from mmpm.execute.install import begin_change, end_change
from mmpm.lock import Locked, Lockfile, format_lock, parse_lock
from mmpm.ops.sync import SyncRequest, plan_lockfile, plan_sync
from mmpm.project.config import load_settings
from mmpm.project.places import Places
from mmpm.project.tiers import Project
from mmpm_store.ids import ObjectId
from mmpm_store.objects import Store
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from mmpm.plan import Plan


class Site:
    """One machine's home, one project below it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.root = self.home / "project"
        self.root.mkdir(parents=True, exist_ok=True)
        environ = {"HOME": str(self.home)}
        places = Places.from_environment(environ)
        self.environ = environ
        self.store = Store.open(places.store, durability="none")
        self.context = Context(
            self.store,
            places,
            Project("project", str(self.root)),
            load_settings(places, environ),
            (),
            datetime(2026, 1, 10, tzinfo=UTC),
            SILENT,
            True,
            environ,
        )

    @property
    def formulas(self) -> Path:
        return self.root / ".beads" / "formulas"

    def release(
        self, name: str, version: str, files: dict[str, bytes] | bytes, executable: tuple[str, ...] = ()
    ) -> Locked:
        """Put a release's objects into the store; a formula for bytes, a bundle for a mapping."""
        base = name.rpartition("/")[2]
        kind = "bundle" if isinstance(files, dict) else "formula"
        content = files if isinstance(files, dict) else {f"{base}.formula.toml": files}
        tree = Tree.of(
            FileEntry(path, path in executable, self.store.put(data, executable=path in executable), len(data))
            for path, data in content.items()
        )
        identity = self.store.put_tree(tree)
        locked = Locked(
            name,
            version,
            kind,
            False,
            "sha256:" + "0" * 64,
            str(identity),
            tree.size,
            f"hop://r.example/formulas/{name}@{version}",
        )
        checksum, size = measure_payload(self.store, locked, tree)
        return replace(locked, checksum=checksum, size=size)

    def lock(self, *releases: Locked) -> Lockfile:
        asked = tuple(sorted(("formulas", one.name, "*") for one in releases))
        return Lockfile(asked, tuple(sorted(releases, key=lambda one: one.name)))

    def write_lock(self, *releases: Locked) -> Lockfile:
        lock = self.lock(*releases)
        (self.root / "mmpm.lock").write_bytes(format_lock(lock))
        return lock

    def plan(self, *releases: Locked) -> Plan:
        begin_change(self.context)
        try:
            return plan_lockfile(self.context, self.lock(*releases))
        finally:
            end_change(self.context)

    def install(self, *releases: Locked) -> Outcome:
        """Make exactly these releases installed, lock included."""
        begin_change(self.context)
        try:
            return apply(self.context, plan_lockfile(self.context, self.lock(*releases)))
        finally:
            end_change(self.context)

    def apply(self, plan: Plan) -> Outcome:
        """Apply a plan that an operation made."""
        try:
            return apply(self.context, plan)
        finally:
            end_change(self.context)

    def sync(self, **request: object) -> Outcome:
        try:
            return apply(self.context, plan_sync(self.context, SyncRequest(**request)))  # type: ignore[arg-type]
        finally:
            end_change(self.context)

    def write_manifest(self, *names: str) -> None:
        lines = "".join(f'"{name}" = "*"\n' for name in names)
        (self.root / "mmpm.toml").write_text(f"[formulas]\n{lines}")

    def read_lock(self) -> Lockfile:
        return parse_lock((self.root / "mmpm.lock").read_bytes())

    def files(self) -> dict[str, bytes]:
        """Every file below the formulas folder but the texts beside the formulas."""
        found = {}
        for place, _, names in os.walk(self.formulas):
            for name in names:
                path = Path(place) / name
                relative = str(path.relative_to(self.formulas))
                if relative not in {".lock.json", ".installed.json", ".gitignore"}:
                    found[relative] = path.read_bytes()
        return found

    def object_path(self, data: bytes, *, executable: bool = False) -> Path:
        return Path(self.store.path_of(ObjectId.of(data), executable=executable))
