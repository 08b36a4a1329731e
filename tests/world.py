"""One small world: machines that run the real command, registries with real signatures, servers on loopback.

    world.registry("acme", priority=1).release("mol-deploy", "1.0.0")
    world.registry("public", priority=2).release("mol-deploy", "9.9.9")
    assert world.install("mol-deploy").version == "1.0.0"

What a registry is told to release is published with the next command that a machine runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parent.parent
START_SCRIPT = CHECKOUT / "scripts" / "mmpm"
NO_SOCKETS = CHECKOUT / "tests" / "no_sockets.py"
AT_TIME = CHECKOUT / "tests" / "at_time.py"

# Statuses of the process, as the manual gives them.
DONE, FORESEEN, USAGE, NO_SOLUTION, UNTRUSTED, UNREACHABLE, BUG = 0, 1, 2, 3, 4, 5, 70


@dataclass(frozen=True)
class Ran:
    """What one run of the command gave.

    Attributes:
        status: the exit status; negative: killed by that signal.
    """

    words: tuple[str, ...]
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """Standard output as the one document that `--json` promises."""
        document = json.loads(self.out)
        assert isinstance(document, dict), self
        assert "schema" in document, self
        return document

    def __str__(self) -> str:
        return f"$ mmpm {' '.join(self.words)}\n{self.out}--- stderr\n{self.err}--- status {self.status}"


@dataclass
class Machine:
    """A computer: a home folder and an environment of its own.

    Attributes:
        folder: holds `home` and `project`.
        extra: more environment.
        clock: an RFC 3339 time at which this machine's clock stands; empty: the real one.
    """

    world: World
    folder: Path
    extra: dict[str, str] = field(default_factory=dict)
    clock: str = ""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        self.project.mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def project(self) -> Path:
        """The folder in which commands run; under `home`, so that the search for a project ends there."""
        return self.home / "project"

    @property
    def formulas(self) -> Path:
        return self.project / ".beads" / "formulas"

    @property
    def store(self) -> Path:
        return self.home / ".local" / "share" / "mmpm" / "store"

    @property
    def trust(self) -> Path:
        return self.home / ".local" / "state" / "mmpm" / "trust"

    @property
    def lock(self) -> Path:
        return self.project / "mmpm.lock"

    def environment(self) -> dict[str, str]:
        """The whole environment of this machine's commands."""
        kept = {name: os.environ[name] for name in ("PATH", "MMPM_CORPUS") if name in os.environ}
        return kept | {"HOME": str(self.home), "LANG": "C.UTF-8", "TERM": "dumb"} | self.extra

    def command(self, *words: str, guard: bool = False) -> list[str]:
        """The argument vector of `mmpm WORDS`; with `guard`, making a socket is an error in that process."""
        script = [str(AT_TIME), self.clock] if self.clock else [str(START_SCRIPT)]
        return [sys.executable, *([str(NO_SOCKETS)] if guard else []), *script, *words]

    def start(self, *words: str, cwd: Path | None = None, **popen: object) -> subprocess.Popen[bytes]:
        """Start a command and come back at once, for what happens beside or to it."""
        self.world.settle()
        settings: dict[str, object] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        } | popen
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            self.command(*words), cwd=cwd or self.project, env=self.environment(), **settings
        )

    def try_run(
        self,
        *words: str,
        cwd: Path | None = None,
        stdin: bytes = b"",
        guard: bool = False,
        before: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a command to its end, whatever that is. `before` stands in front of it (`unshare -n`)."""
        self.world.settle()
        done = subprocess.run(
            [*before, *self.command(*words, guard=guard)],
            cwd=cwd or self.project,
            env=self.environment() | dict(environment or {}),
            input=stdin,
            capture_output=True,
            check=False,
            timeout=900,
        )
        return Ran(words, done.returncode, done.stdout.decode(), done.stderr.decode())

    def run(self, *words: str, status: int = DONE, **options: object) -> Ran:
        """Run a command that must end with `status`."""
        ran = self.try_run(*words, **options)  # type: ignore[arg-type]
        assert ran.status == status, f"expected {status}\n{ran}"
        return ran

    def add(self, registry: Registry, *words: str, url: str | None = None) -> Ran:
        """Add a registry, its root pinned, at its folder or at `url`."""
        self.world.settle()
        place = url or str(registry.folder)
        priority = ["--priority", str(registry.priority)]
        return self.run(
            "registry", "add", place, "--name", registry.name, *priority, "--root", registry.fingerprint, *words
        )

    def installed(self) -> dict[str, dict[str, object]]:
        """The formulas of the receipt."""
        receipt = json.loads((self.formulas / ".lock.json").read_bytes())
        formulas = receipt["formulas"]
        assert isinstance(formulas, dict)
        return formulas


@dataclass
class Registry:
    """A registry tree in a folder, published by a machine of its own.

    Attributes:
        id: a host name.
        fingerprint: of its root, as `registry init` printed it.
    """

    world: World
    name: str
    id: str
    priority: int
    folder: Path
    publisher: Machine
    fingerprint: str = ""
    waiting: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        made = self.publisher.run(
            "registry", "init", str(self.folder), "--id", self.id, "--no-passphrase", "--yes", "--json"
        )
        self.fingerprint = find_text(made.json, ("fingerprint", "root"))

    def release(
        self,
        name: str,
        version: str = "1.0.0",
        *,
        requires: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
        text: str | None = None,
        changelog: str | None = None,
    ) -> Self:
        """Have a release published with the next command; with `files` it is a bundle (`scripts/*` executable)."""
        source = self.world.folder / "sources" / self.name / f"{name.replace('/', '-')}-{version}"
        formula = (text or formula_text(name, version, requires or {})).encode()
        if files is None:
            path = source / f"{name.rpartition('/')[2]}.formula.toml"
            path.parent.mkdir(parents=True)
            path.write_bytes(formula)
        else:
            path = source / f"{name.rpartition('/')[2]}.formula.bundle"
            write_tree(path, {"formula.toml": formula, **files})
        line: dict[str, object] = {"name": name, "version": version, "path": str(path)}
        if changelog is not None:
            line["changelog"] = changelog
        self.waiting.append(line)
        return self

    def settle(self) -> None:
        """Publish what waits."""
        if not self.waiting:
            return
        waiting, self.waiting = self.waiting, []
        batch = self.publisher.folder / "batch.jsonl"
        batch.write_text("".join(json.dumps(line) + "\n" for line in waiting))
        self.publisher.run("publish", "--batch", str(batch), "--to", str(self.folder), "--yes")


@dataclass(frozen=True)
class InstalledRelease:
    """One entry of a receipt."""

    name: str
    version: str
    source: str


class World:
    """All of it, in one folder that the test framework removes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines: dict[str, Machine] = {}
        self.registries: dict[str, Registry] = {}
        self._servers: list[Loopback] = []
        self._settling = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for server in self._servers:
            server.__exit__()

    def machine(self, name: str = "here", *, folder: Path | None = None, **extra: str) -> Machine:
        """The machine of that name, made on first mention."""
        if name not in self.machines:
            self.machines[name] = Machine(self, folder or self.folder / "machines" / name, dict(extra))
        return self.machines[name]

    def registry(self, name: str, priority: int = 1, registry_id: str | None = None) -> Registry:
        """The registry of that name, made on first mention."""
        if name not in self.registries:
            publisher = self.machine(f"publisher-of-{name}")
            folder = self.folder / "registries" / name
            self.registries[name] = Registry(self, name, registry_id or f"{name}.example", priority, folder, publisher)
        return self.registries[name]

    def serve(self, folder: Path) -> Loopback:
        """Serve a folder on loopback; `.fault` makes it misbehave."""
        self._servers.append(Loopback(folder))
        return self._servers[-1]

    def settle(self) -> None:
        """Publish whatever waits in any registry."""
        if self._settling:
            return
        self._settling = True
        try:
            for registry in self.registries.values():
                registry.settle()
        finally:
            self._settling = False

    def install(self, name: str) -> InstalledRelease:
        """Install on a machine that knows every registry of the world, at its folder."""
        machine = self.machine("here")
        if not (machine.project / "mmpm.toml").exists():
            machine.run("init")
            for registry in self.registries.values():
                machine.add(registry)
        machine.run("install", name)
        entry = machine.installed()[name.partition("@")[0] if not name.startswith("@") else name]
        return InstalledRelease(name, str(entry["version"]), str(entry["source"]))


def formula_text(name: str, version: str, requires: Mapping[str, str]) -> str:
    """A small valid formula in the flat form."""
    lines = [
        f'formula = "{name.rpartition("/")[2]}"',
        f'description = "What {name} {version} does"',
        f"version = {version.split('.', maxsplit=1)[0]}",
        "",
        "[[steps]]",
        'id = "work"',
        f'title = "Work as {version} says"',
        "",
        "[package]",
        f'version = "{version}"',
        'author = "someone@example.com"',
        'license = "MIT"',
    ]
    if requires:
        lines += ["", "[package.requires]", *(f'"{other}" = "{text}"' for other, text in requires.items())]
    lines += ["", "[capabilities]", 'primary = ["testing"]', ""]
    return "\n".join(lines)


def write_tree(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their relative paths; those under `scripts/` are executable."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if name.startswith("scripts/") else 0o644)


def read_tree(folder: Path, *, ignore: Sequence[str] = ()) -> dict[str, tuple[bytes, bool]]:
    """Every file under a folder: relative path, bytes, whether its owner may execute it."""
    found = {}
    for root, _folders, files in os.walk(folder):
        for name in files:
            path = Path(root) / name
            relative = str(path.relative_to(folder))
            if name not in ignore:
                assert not path.is_symlink(), path
                found[relative] = (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
    return found


def sha256(data: bytes) -> str:
    """As it stands in files: `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def find_text(document: object, keys: Sequence[str]) -> str:
    """The first text under one of `keys`, wherever in a JSON document it stands."""
    if isinstance(document, dict):
        for key in keys:
            if isinstance(document.get(key), str):
                return str(document[key])
    children = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    for child in children:
        found = find_text(child, keys)
        if found:
            return found
    return ""


def copy_folder(source: Path, target: Path) -> None:
    """`cp -r`, as a person would carry a folder."""
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
