"""What can be wrong with a registry that is read: reach, trust, age, identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors.base import UNREACHABLE, UNTRUSTED, MmpmError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable


def _operand(origin: str) -> str:
    """Give an address as it can be pasted into a shell; one that is not known stays a word to replace."""
    import shlex

    return shlex.quote(printable(origin)) if origin else "URL"


class UntrustedMetadataError(MmpmError):
    """Signed metadata of a registry is not what its keys vouch for."""

    code = "untrusted-metadata"
    exit_status = UNTRUSTED

    def __init__(self, role: str, reason: str) -> None:
        super().__init__(
            f"the registry's {printable(role)} metadata is not to be trusted: {printable(reason)}",
            "ask whoever runs the registry or mirror; nothing of it was used",
            {"role": role, "reason": reason},
        )


class RolledBackError(MmpmError):
    """A registry shows an older state than it has shown before."""

    code = "rolled-back"
    exit_status = UNTRUSTED

    def __init__(self, shown: str, seen: str) -> None:
        super().__init__(
            f"the registry shows {printable(shown)}, but {printable(seen)} was seen before",
            "ask whoever runs the registry or mirror why it went back; nothing of it was used",
            {"shown": shown, "seen": seen},
        )


class RegistryUnreachableError(MmpmError):
    """A registry could not answer, and what is known of it does not suffice to go on without."""

    code = "registry-unreachable"
    exit_status = UNREACHABLE

    def __init__(self, registry: str, cause: str, origin: str = "", known: str = "") -> None:
        where = f" at {printable(origin)}" if origin else ""
        super().__init__(
            f"registry {printable(registry, 80)}{where}: {printable(cause)}" + (f"; {known}" if known else ""),
            "correct that, then run it again; no other registry is asked in its place",
            {"registry": registry, "origin": origin, "cause": cause},
        )


class RegistryUntrustedError(MmpmError):
    """A registry answered with something that its keys, hashes or clock forbid to believe."""

    code = "registry-untrusted"
    exit_status = UNTRUSTED

    def __init__(self, registry: str, cause: str, origin: str = "", path: str = "") -> None:
        where = f" at {printable(origin)}" if origin else ""
        what = " ".join(filter(None, (path, cause)))
        super().__init__(
            f"registry {printable(registry, 80)}{where} is not to be trusted: {printable(what)}",
            "nothing of it was used; ask who runs it before you go on, nothing here overrides this",
            {"registry": registry, "origin": origin, "cause": what, "path": path},
        )


class RegistryTooOldError(MmpmError):
    """The last word of a registry is older than policy allows."""

    code = "registry-too-old"
    exit_status = UNTRUSTED

    def __init__(self, registry: str, cause: str) -> None:
        super().__init__(
            f"what is known of registry {printable(registry, 80)} {printable(cause)}",
            "run `mmpm update` where the registry can be reached, or bring a newer copy",
            {"registry": registry, "cause": cause},
        )


class RootMismatchError(MmpmError):
    """A registry of a known id has another root key than the one that was accepted."""

    code = "root-mismatch"
    exit_status = UNTRUSTED

    def __init__(self, registry: str, pinned: str, found: str, origin: str = "") -> None:
        where = f" at {printable(origin)}" if origin else ""
        super().__init__(
            f"registry {printable(registry, 80)}{where} has the root key sha256:{printable(found, 80)}, "
            f"not sha256:{printable(pinned, 80)}",
            "ask who runs it; only if the key was replaced on purpose, run "
            f"`mmpm registry add {_operand(origin)} --root sha256:{printable(found, 80)} --replace`",
            {"registry": registry, "pinned": pinned, "found": found, "origin": origin},
        )


class TrustStateUnreadableError(MmpmError):
    """What this machine noted about a registry is damaged."""

    code = "trust-state-unreadable"
    exit_status = UNTRUSTED

    def __init__(self, folder: str, name: str, reason: str) -> None:
        super().__init__(
            f"{printable(folder)}/{name}: {printable(reason)}",
            "run `mmpm registry add URL --root sha256:... --replace` with the fingerprint that you know",
            {"folder": folder, "file": name},
        )


class NotFetchedError(MmpmError):
    """A name is not known here, because the part of the registry's index that would tell was never fetched."""

    code = "not-fetched"
    exit_status = UNREACHABLE

    def __init__(self, registry: str, names: Iterable[str], what: str = "is not fetched here") -> None:
        listed = sorted(names)
        shown = ", ".join(printable(name, 80) for name in listed[:5]) + (", ..." if len(listed) > 5 else "")
        super().__init__(
            f"{shown} {what}: whether registry {printable(registry, 80)} has it can only be told online",
            "run `mmpm update --all` where the registry can be reached, or bring a copy of it",
            {"registry": registry, "names": listed},
        )


class RootNotPinnedError(MmpmError):
    """Nothing says which root key a registry is expected to have."""

    code = "root-not-pinned"
    exit_status = UNTRUSTED

    def __init__(self, registry: str, found: str = "", origin: str = "") -> None:
        where = f" at {printable(origin)}" if origin else ""
        shows = f"; it shows the root key sha256:{printable(found, 80)}" if found else ""
        option = f"sha256:{found}" if found else "sha256:..."
        command = f"mmpm registry add {_operand(origin)} --root {option}"
        super().__init__(
            f"no root key was accepted for registry {printable(registry, 80)}{where}{shows}",
            f"compare the key with whoever runs it, then run `{command}`",
            {"registry": registry, "found": found, "origin": origin},
        )


class UnknownRegistryError(MmpmError):
    """A requirement names a registry that is not configured."""

    code = "unknown-registry"

    def __init__(self, registry: str, name: str) -> None:
        super().__init__(
            f"{printable(name, 80)} is to come from registry {printable(registry, 80)}, which is not configured",
            "add it with `mmpm registry add URL`, or see `mmpm registry list`",
            {"registry": registry, "name": name},
        )


class RegistryNotConfiguredError(MmpmError):
    """A command names a registry that is not configured."""

    code = "registry-not-configured"

    def __init__(self, registry: str, known: Iterable[str]) -> None:
        listed = ", ".join(printable(one, 80) for one in known)
        super().__init__(
            f"no registry {printable(registry, 80)} is configured" + (f"; there are {listed}" if listed else ""),
            "see `mmpm registry list`, or add it with `mmpm registry add URL`",
            {"registry": registry},
        )


class RegistryFixedError(MmpmError):
    """A registry is configured in a file that commands do not edit."""

    code = "registry-fixed"

    def __init__(self, registry: str, origin: str) -> None:
        super().__init__(
            f"registry {printable(registry, 80)} is configured in {printable(origin)}",
            "take its entry out of that file",
            {"registry": registry, "origin": origin},
        )
