"""What this machine believes of a registry: pinned root, highest root, and the snapshot it saw last.

    $XDG_STATE_HOME/mmpm/trust/<registry id>/pinned      the root key's fingerprint, as the person accepted it
                                             root.json   the highest root that was verified from it
                                             state.json  serial, issue time, and the snapshot's hash
    $XDG_STATE_HOME/mmpm/trust/+<fingerprint>/<registry id>/    the same, of a root key that only a project states

A root key that a project's manifest states is believed for projects that state it, and apart: cloning a repository must
not decide what this machine believes a registry to be. Once the person accepted a root key for that id, that one holds.

Rules: it lies outside the store, because bytes may be copied and trust may not. It is written last, after everything
it speaks of is verified and on disk, and it never goes back: a promotion that is not newer is dropped.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import RootMismatchError, TrustStateUnreadableError
from mmpm.trust.facts import Floors, is_sha256, parse_time
from mmpm_store.durable import write_file_durably

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT: Final = 1
_MAX_STATE_BYTES: Final = 16_384
_MAX_ROOT_BYTES: Final = 1 << 20
# A promotion takes a few milliseconds, and on a slow disk beside many others seconds; only a stopped process holds it
# for so long, and then we go on without it.
_PROMOTE_WAIT_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class TrustState:
    """The snapshot of a registry that was verified last.

    Attributes:
        registry_id: its id.
        root_version: of the root that verified it.
        keyset: names the timestamp and snapshot keys of that root; while it stays the same (an epoch), serial and
            issue time never go back.
        serial: the snapshot's version.
        issued: when its timestamp was issued, RFC 3339; compares as text.
        snapshot_sha256, snapshot_length: of the snapshot document, where the local hash chain begins.
        timestamp_sha256: of the timestamp document.
        checked_at: when the registry last confirmed it by this machine's clock, RFC 3339.
        roles: versions of targets, trust and bins; empty as older versions of mmpm noted it.
    """

    registry_id: str
    root_version: int
    keyset: str
    serial: int
    issued: str
    snapshot_sha256: str
    snapshot_length: int
    timestamp_sha256: str
    checked_at: str = ""
    roles: Mapping[str, int] = field(default_factory=dict, hash=False)

    def floors(self) -> Floors:
        """Give what nothing older of this registry gets past."""
        return Floors(self.keyset, self.issued, self.serial, self.snapshot_sha256, self.root_version, dict(self.roles))

    def is_newer_than(self, other: TrustState) -> bool:
        """Whether this one may take the place of `other`: of a newer epoch, or further in the same one."""
        if self.keyset != other.keyset:
            return self.root_version > other.root_version
        return (self.serial, self.issued, self.root_version) > (other.serial, other.issued, other.root_version)

    def to_bytes(self) -> bytes:
        """Give the text of ``state.json``."""
        document = {
            "format": FORMAT,
            "id": self.registry_id,
            "root_version": self.root_version,
            "keyset": self.keyset,
            "serial": self.serial,
            "issued": self.issued,
            "snapshot": {"version": self.serial, "sha256": self.snapshot_sha256, "length": self.snapshot_length},
            "timestamp": {"sha256": self.timestamp_sha256},
            "checked_at": self.checked_at,
            "roles": dict(self.roles),
        }
        return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class TrustFolder:
    """What is believed of one registry, on disk in `path`, which need not exist.

    Attributes:
        path: ``.../trust/<registry id>``, or that of a root key which only a project states.
        registry_id: its id.
        project_root: that root key's fingerprint; None for what this machine believes as a whole.
    """

    path: str
    registry_id: str
    project_root: str | None = None

    @classmethod
    def of(cls, trust: str, registry_id: str, root: str | None = None, project_root: str | None = None) -> TrustFolder:
        """Give the folder that decides on a registry below ``$XDG_STATE_HOME/mmpm/trust``.

        Args:
            trust: that folder.
            registry_id: the registry.
            root: the fingerprint that the person configured, or None.
            project_root: the one that a project states; decides only where the person neither accepted nor
                configured any.

        Raises:
            TrustStateUnreadableError: what was accepted cannot be read.
        """
        own = cls(os.path.join(trust, registry_id), registry_id)
        if project_root is None or root is not None or own.pinned() is not None:
            return own
        return cls(os.path.join(trust, f"+{project_root}", registry_id), registry_id, project_root)

    def accepted(self, root: str | None = None, project_root: str | None = None) -> str | None:
        """Give the fingerprint that holds: the pinned one, else the one stated; None where there is none at all.

        Args:
            root: as for `of`.
            project_root: as for `of`.

        Raises:
            RootMismatchError: two of them differ.
            TrustStateUnreadableError: the pinned one cannot be read.
        """
        holding = self.pinned() or root or project_root
        for stated in (root, project_root):
            if holding is not None and stated is not None and stated != holding:
                raise RootMismatchError(self.registry_id, holding, stated)
        return holding

    def pinned(self) -> str | None:
        """Give the fingerprint that was accepted for this registry: 64 hex digits, or None before it was added.

        Raises:
            TrustStateUnreadableError: something else lies there.
        """
        data = self._read("pinned", 200)
        if data is None:
            return None
        text = data.decode("ascii", "replace").strip()
        if not is_sha256(text):
            raise TrustStateUnreadableError(self.path, "pinned", "it is not a fingerprint")
        return text

    def root(self) -> bytes | None:
        """Give the highest verified root document, or None before the first refresh.

        Raises:
            TrustStateUnreadableError: it is too long to be one.
        """
        return self._read("root.json", _MAX_ROOT_BYTES)

    def read(self) -> TrustState | None:
        """Give the state, or None before the first refresh.

        Raises:
            TrustStateUnreadableError: it is not what `promote` writes, or of a newer format.
        """
        data = self._read("state.json", _MAX_STATE_BYTES)
        if data is None:
            return None
        try:
            return _parse_state(data, self.registry_id)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise TrustStateUnreadableError(self.path, "state.json", str(error) or "a field is missing") from None

    def pin(self, fingerprint: str) -> None:
        """Accept a root key for this registry.

        Another one than the one pinned so far makes everything believed under that one void.
        """
        if not is_sha256(fingerprint):
            raise ValueError("a fingerprint is 64 hex digits")
        before = self.pinned()
        if before == fingerprint:
            return
        if before is not None:
            self.forget()
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        write_file_durably(os.path.join(self.path, "pinned"), fingerprint.encode() + b"\n")

    def forget(self) -> None:
        """Remove everything that is believed of this registry; the pin last, which says whose the rest was."""
        for name in ("state.json", "root.json"):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.path, name))
        shutil.rmtree(self.path, ignore_errors=True)

    def promote(self, state: TrustState, root: bytes) -> bool:
        """Make `state` the one that is believed; `root` is the document of version `state.root_version`.

        Returns:
            Whether it took the place of the former one. False where another process was further, or nothing is new.
        """
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        with self._alone():
            current = self.read()
            if current is not None and not state.is_newer_than(current):
                if (state.serial, state.timestamp_sha256) == (current.serial, current.timestamp_sha256):
                    # Also an earlier one: a clock that once stood in a far year must not warn of every other for ever.
                    self._write_state(replace(current, checked_at=state.checked_at), lasting=False)
                return False
            # Root first: a crash between the two leaves a newer root with an older state, which it verifies as well.
            if current is None or state.root_version > current.root_version or self.root() is None:
                write_file_durably(os.path.join(self.path, "root.json"), root)
            self._write_state(state, lasting=True)
            return True

    def _write_state(self, state: TrustState, *, lasting: bool) -> None:
        write_file_durably(os.path.join(self.path, "state.json"), state.to_bytes(), durable=lasting)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold other promotions of this registry off while one compares and writes."""
        handle = os.open(os.path.join(self.path, "promoting"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            end = time.monotonic() + _PROMOTE_WAIT_SECONDS
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > end:
                        break
                    time.sleep(0.005)
                except OSError:
                    break  # a file system without locks: the rename alone has to do
                else:
                    break
            yield
        finally:
            os.close(handle)

    def _read(self, name: str, max_bytes: int) -> bytes | None:
        try:
            with open(os.path.join(self.path, name), "rb") as file:
                data = file.read(max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(data) > max_bytes:
            raise TrustStateUnreadableError(self.path, name, f"it is longer than {max_bytes} bytes")
        return data


def _parse_state(data: bytes, registry_id: str) -> TrustState:
    value = json.loads(data)
    if value["format"] != FORMAT:
        raise ValueError(f"it has format {value['format']!r}, and this mmpm reads {FORMAT}")
    state = TrustState(
        registry_id=value["id"],
        root_version=value["root_version"],
        keyset=value["keyset"],
        serial=value["serial"],
        issued=value["issued"],
        snapshot_sha256=value["snapshot"]["sha256"],
        snapshot_length=value["snapshot"]["length"],
        timestamp_sha256=value["timestamp"]["sha256"],
        checked_at=value.get("checked_at", ""),
        roles=dict(value.get("roles", {})),
    )
    if state.registry_id != registry_id:
        raise ValueError("it is that of another registry")
    whole = (state.root_version, state.serial, state.snapshot_length, *state.roles.values())
    if any(type(number) is not int or number < 0 for number in whole):
        raise ValueError("a number is not whole")
    if not all(is_sha256(text) for text in (state.snapshot_sha256, state.timestamp_sha256)):
        raise ValueError("a hash is malformed")
    if not all(isinstance(text, str) for text in (state.keyset, state.issued, state.checked_at)):
        raise ValueError("a text is malformed")
    parse_time(state.issued)
    if state.checked_at:
        parse_time(state.checked_at)
    return state
