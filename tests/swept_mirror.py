"""A mirror in three states, machines that know the middle one, and ways to spoil one file of the newest: for sweeps."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from loopback import Loopback
from terminal import Terminal
from world import formula_text

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "acme.example"
LONG = 400
"""So many releases of one formula that its older ones stand in a page."""


@dataclass
class Kind:
    """One sort of file in a tree.

    Attributes:
        pattern: which paths of a tree are of it.
        words: of which one must stand in what is said where such a file is refused, beside the file's own name.
    """

    name: str
    pattern: str
    words: tuple[str, ...] = ()


KINDS = (
    Kind("root", r"metadata/\d+\.root\.json", ("root",)),
    Kind("timestamp", r"metadata/timestamp\.json", ("timestamp",)),
    Kind("snapshot", r"metadata/\d+\.snapshot\.json", ("snapshot",)),
    Kind("targets", r"metadata/\d+\.targets\.json", ("targets",)),
    Kind("trust", r"metadata/\d+\.trust\.json", ("trust",)),
    Kind("bins", r"metadata/\d+\.bins\.json", ("bins",)),
    Kind("bin", r"metadata/\d+\.bin-..\.json", ("bin-",)),
    Kind("index", r"formulas/.*\.index\.json"),
    Kind("page", r"formulas/.*\.page-\d+\.json", ("page",)),
    Kind("shard", r"catalog/.*\.jsonl", ("catalog",)),
    Kind("publishers", r"trust/[0-9a-f]{64}\.publishers\.json", ("publishers",)),
    Kind("levels", r"trust/levels/.*\.json", ("levels",)),
    Kind("signature", r"signatures/.*", ("signature", "mol-")),
    Kind("object", r"objects/.*", ("blake3:", "files of", "mol-")),
)


def kind_of(path: str) -> Kind | None:
    """Which sort of file lies at a path of a tree; None for what no reader believes."""
    return next((kind for kind in KINDS if re.fullmatch(kind.pattern, path)), None)


@dataclass
class Person(Terminal):
    """A machine at whose terminal everything is to end well."""

    def must(self, *words: str) -> str:
        """Run a command that must end well; give what it printed."""
        seen = self.run(*words)
        assert seen.status == 0, (words, seen.both)
        return seen.out


class SweptMirror:
    """The registry, `states` of its tree, and in `case` what one case of a sweep changes.

    Attributes:
        states: copies of the registry's tree, oldest first; the machines know the second.
        truth: of each path, all bytes that the registry ever had there.
        case: `case/mirror` is spoiled; `case/home`, `case/far` are put back for each case.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.case = folder / "case"
        self.mirror = self.case / "mirror"
        self.tree = self.mirror / "mirrors" / HOST
        self.operator = Person(folder / "operator")
        self.states: list[Path] = []
        self.truth: dict[str, set[bytes]] = {}
        self.server = Loopback(self.mirror)
        self.spoilt = ""
        self._make_states()
        self.foreign = self._make_foreign()
        self.base = {transport: self._make_machine(transport) for transport in ("folder", "http")}

    def place(self, transport: str) -> str:
        """Where the mirror is, for `registry add`."""
        return str(self.mirror) if transport == "folder" else self.server.url

    # ---- what is swept

    def _make_states(self) -> None:
        one = self.operator
        self.fingerprint = re.search(
            r"[0-9a-f]{64}", one.must("registry", "init", "reg", "--id", HOST, "--no-passphrase", "--yes")
        )[0]
        one.must("keys", "create", "alice", "--no-passphrase")
        one.must(
            "registry", "publisher", "add", "reg", "acme", "--key", "alice", "--formula", "mol-a", "--formula", "mol-c"
        )
        self._publish(("mol-a", "1.0.0", {}), *(("mol-long", f"1.0.{number}", {}) for number in range(LONG)))
        self._keep()
        one.now += timedelta(days=1)
        one.must("registry", "mark", "reg", "audited", "mol-a@1.0.0")
        self._publish(("mol-b", "1.0.0", {"mol-a": "*"}))
        self._keep()
        one.now += timedelta(days=1)
        one.must("registry", "rotate", "reg", "--renew", "all", "--yes")
        self._publish(("mol-a", "1.1.0", {}), ("mol-c", "1.0.0", {"mol-a": "^1.1"}))
        one.must("registry", "mark", "reg", "official", "mol-c")
        self._keep()
        self.now = one.now + timedelta(hours=1)
        self.serial = json.loads((self.states[2] / "metadata" / "timestamp.json").read_bytes())["signed"]["meta"][
            "snapshot.json"
        ]["version"]

    def _publish(self, *releases: tuple[str, str, dict[str, str]]) -> None:
        lines = []
        for name, version, requires in releases:
            path = self.operator.folder / "sources" / version / f"{name}.formula.toml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(formula_text(name, version, requires))
            lines.append(json.dumps({"name": name, "version": version, "path": str(path)}) + "\n")
        batch = self.operator.folder / "batch.jsonl"
        batch.write_text("".join(lines))
        self.operator.must("publish", "--batch", str(batch), "--to", "reg", "--sign", "alice", "--yes")

    def _keep(self) -> None:
        kept = self.folder / f"state-{len(self.states)}"
        shutil.copytree(self.operator.cwd / "reg", kept)
        self.states.append(kept)
        for path in files_in(kept):
            data = (kept / path).read_bytes()
            # Each state between two of ours was shown as well, and its timestamp is kept under its number.
            for known in {path, re.sub(r"\d+\.timestamp", "timestamp", path)}:
                self.truth.setdefault(known, set()).add(data)

    def _make_foreign(self) -> Path:
        """A registry of the same name with other keys, and of the same shape."""
        other = Person(self.folder / "stranger", now=self.operator.now)
        other.must("registry", "init", "reg", "--id", HOST, "--no-passphrase", "--yes")
        other.must("keys", "create", "alice", "--no-passphrase")
        other.must("registry", "publisher", "add", "reg", "acme", "--key", "alice", "--formula", "mol-a")
        lines = "".join(
            json.dumps({"name": name, "version": "9.0.0", "path": str(self._source(name))}) + "\n"
            for name in ("mol-a", "mol-b", "mol-c", "mol-long")
        )
        (other.cwd / "batch.jsonl").write_text(lines)
        other.must("publish", "--batch", "batch.jsonl", "--to", "reg", "--sign", "alice", "--yes")
        other.must("registry", "mark", "reg", "official", "mol-c")
        other.must("registry", "rotate", "reg", "--renew", "root", "--yes")
        return other.cwd / "reg"

    def _source(self, name: str) -> Path:
        path = self.folder / "stranger" / "sources" / f"{name}.formula.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(formula_text(name, "9.0.0", {}))
        return path

    def _make_machine(self, transport: str) -> Path:
        """A machine that knows the second state and installed from it, and a mirror of that state that it keeps."""
        self._lay_out(self.states[1])
        (self.case / "home").mkdir()
        machine = self._machine(self.operator.now - timedelta(hours=20))
        machine.must("init")
        machine.must("registry", "add", self.place(transport), "--root", self.fingerprint)
        machine.must("install", "mol-b")
        machine.must("mirror", "create", str(self.case / "far"), "--from", HOST)
        kept = self.folder / f"machine-{transport}"
        kept.mkdir()
        for name in ("home", "far"):
            (self.case / name).rename(kept / name)
        shutil.rmtree(self.case)
        return kept

    def _lay_out(self, state: Path) -> None:
        if self.case.exists():
            shutil.rmtree(self.case)
        self.tree.parent.mkdir(parents=True)
        subprocess.run(["cp", "-al", str(state), str(self.tree)], check=True)
        head = {"select": "all", "from": [], "locks": [], "only": [], "root": self.fingerprint}
        (self.mirror / "mirror.json").write_text(json.dumps({"format": 1, "registries": {HOST: head}}))

    def _machine(self, now) -> Person:
        machine = Person.__new__(Person)
        machine.folder = self.case
        machine.home = self.case / "home"
        machine.cwd = machine.home / "rig"
        machine.cwd.mkdir(parents=True, exist_ok=True)
        machine.environ = {"HOME": str(machine.home), "TERM": "xterm", "PATH": os.environ["PATH"]}
        machine.now = now
        machine.encoding = "utf-8"
        machine.sockets_forbidden = 0
        return machine

    def fresh(self, transport: str, *, far: bool = False, home: bool = True) -> Person:
        """Put everything back: the mirror shows the newest state, the machine knows the one before.

        Args:
            transport: by which the machine reads the mirror.
            far: whether the mirror that it keeps itself is put back as well.
            home: or else the machine is a new one that knows nothing.
        """
        if not self.tree.exists():
            self._lay_out(self.states[2])
        if self.spoilt:
            (self.tree / self.spoilt).unlink(missing_ok=True)
            os.link(self.states[2] / self.spoilt, self.tree / self.spoilt)
            self.spoilt = ""
        for name, wanted in (("home", home), ("far", far)):
            shutil.rmtree(self.case / name, ignore_errors=True)
            if wanted:
                subprocess.run(["cp", "-a", str(self.base[transport] / name), str(self.case / name)], check=True)
        self.server.asked.clear()
        return self._machine(self.now)

    def paths(self) -> dict[str, list[str]]:
        """The believed files of the newest state by the name of their kind."""
        found: dict[str, list[str]] = {kind.name: [] for kind in KINDS}
        for path in files_in(self.states[2]):
            kind = kind_of(path)
            if kind is not None:
                found[kind.name].append(path)
        return found

    # ---- spoiling

    def spoil(self, path: str, how: str) -> bool:
        """Spoil one file of the mirror; False where that cannot be done to it."""
        target = self.tree / path
        data = target.read_bytes()
        if how == "grown" and re.search(r"timestamp|root", path):
            return False  # these bear signatures over what they say, and no hash over how they say it
        new = self._spoilt(path, data, how)
        if new is None or new == data:
            return False
        self.spoilt = path
        target.unlink()
        if how == "oversized":
            with target.open("wb") as file:
                file.write(data)
                file.truncate(100 << 20)
        elif how != "missing":
            target.write_bytes(new)
        return True

    def _spoilt(self, path: str, data: bytes, how: str) -> bytes | None:
        if how.startswith("flip"):
            place = {"first": 0, "last": len(data) - 1, "middle": len(data) // 2}.get(how.removeprefix("flip "))
            place = random.Random(path).randrange(len(data)) if place is None else place
            return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        if how in {"cut", "shorter by one", "empty", "missing", "oversized", "grown"}:
            return {"cut": data[: len(data) // 2], "shorter by one": data[:-1], "grown": data + b" "}.get(how, b"")
        return self._another(path, data, how)

    def _another(self, path: str, data: bytes, how: str) -> bytes | None:
        """Bytes of another file of its kind: a neighbour's, a stranger's, an older one's."""
        kind = kind_of(path)
        assert kind is not None
        trees = {"swapped": self.states[2:], "foreign": [self.foreign], "older": self.states[:2]}[how]
        for tree in trees:
            for other in sorted(files_in(tree), reverse=True):
                found = (tree / other).read_bytes() if kind_of(other) == kind and _fits(path, other, how) else data
                if found != data:
                    return found
        return None


HOWS = (
    "flip first", "flip middle", "flip last", "flip anywhere", "cut", "shorter by one", "grown", "empty", "missing",
    "swapped", "foreign", "older", "oversized",
)  # fmt: skip


def _fits(path: str, other: str, how: str) -> bool:
    """Whether `other` is the same file of another time; for a swap, of another place."""
    return how != "older" or _stem(path) == _stem(other)


def _stem(path: str) -> str:
    """What stays of a path when versions and hashes go: `metadata/.bin-3f.json`."""
    return re.sub(r"(?<=/)(\d+|[0-9a-f]{64})(?=\.)", "", path)


def files_in(tree: Path) -> Iterator[str]:
    """Every file below a folder, by its path there."""
    for top, _, names in os.walk(tree):
        for name in names:
            yield str((Path(top) / name).relative_to(tree))
