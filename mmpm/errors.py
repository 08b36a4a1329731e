"""Every failure that mmpm foresees, as a type: a code, one sentence of fact, one of remedy, an exit status.

Rule: text that came from outside (names, paths, server answers, archive members) passes `printable` before it
enters a message, so that nothing a package says can steer a terminal.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORESEEN = 1
USAGE = 2
NO_SOLUTION = 3
UNTRUSTED = 4
UNREACHABLE = 5
BUG = 70
INTERRUPTED = 130


def printable(text: str, limit: int = 400, *, keep: str = "") -> str:
    r"""Give `text` with every character that could steer a terminal written as an escape.

    Control characters (C0, C1, DEL), format characters such as bidi overrides, line and paragraph separators,
    private and unassigned ones and lone surrogates become `\x..` or `\u....`; `keep` names exceptions
    (``"\n\t"`` for prose). Longer texts than `limit` characters are cut and end in an ellipsis.
    """
    if len(text) > limit:
        text = text[:limit] + "…"
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    for character in text:
        if character in keep or character.isprintable():
            out.append(character)
        elif unicodedata.category(character) == "Zs":
            out.append(" ")
        else:
            code = ord(character)
            out.append(f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join(out)


def quoted(text: str, limit: int = 80) -> str:
    """Give `text` between single quotes as messages show it: printable, cut at `limit` characters."""
    return f"'{printable(text, limit)}'"


class MmpmError(Exception):
    """A failure that mmpm foresees.

    Attributes:
        code: unique, kebab case; a heading in `docs/errors.md`.
        exit_status: what the process ends with.
        fact: one sentence that names the thing.
        remedy: one sentence with a command to paste where there is one.
        details: facts for programs (`--json`), JSON-able.
    """

    code: ClassVar[str] = "failed"
    exit_status: ClassVar[int] = FORESEEN

    def __init__(self, fact: str, remedy: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(fact)
        self.fact = fact
        self.remedy = remedy
        self.details = dict(details or {})


class DocumentUnreadableError(MmpmError):
    """A lock, receipt or another document of ours on disk is not what mmpm writes."""

    code = "document-unreadable"

    def __init__(self, what: str, reason: str, remedy: str, line: int | None = None) -> None:
        at = f" (line {line})" if line else ""
        super().__init__(f"{what}{at}: {printable(reason)}", remedy, {"file": what, "line": line})


class NewerFormatError(MmpmError):
    """A document was written by a newer major of mmpm; it is left as it is."""

    code = "newer-format"

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"{what} has format {found}; this mmpm reads up to {known}",
            "install a newer mmpm; the file was not touched",
            {"file": what, "found": found, "known": known},
        )


class UsageError(MmpmError):
    """The command line asks for something that does not exist or does not fit together."""

    code = "usage"
    exit_status = USAGE

    def __init__(self, fact: str, remedy: str = "run `mmpm --help`") -> None:
        super().__init__(printable(fact), remedy)


class QuestionUnansweredError(MmpmError):
    """A question came up where nobody can answer it."""

    code = "question-unanswered"
    exit_status = USAGE

    def __init__(self, question: str) -> None:
        super().__init__(
            f"this needs an answer and there is no terminal: {printable(question)}",
            "run it again with `--yes`, or look first with `--dry-run`",
        )


class DeclinedError(MmpmError):
    """A person answered no; nothing was changed."""

    code = "declined"

    def __init__(self) -> None:
        super().__init__("nothing was changed", "run it again and answer y, or pass `--yes`")


class NoHomeError(MmpmError):
    """`HOME` does not name a folder to keep things in."""

    code = "no-home"
    exit_status = USAGE

    def __init__(self, home: str) -> None:
        super().__init__(
            f"HOME is {printable(home)!r}" if home else "HOME is not set",
            'set it to an absolute path: export HOME="$(cd ~ && pwd)"',
        )


class BadSettingError(MmpmError):
    """A setting's value is not what it has to be, or there is no such setting."""

    code = "bad-setting"
    exit_status = USAGE

    def __init__(self, key: str, origin: str, reason: str) -> None:
        where = f" in {printable(origin)}" if origin else ""
        super().__init__(
            f"{printable(key, 80)}{where}: {printable(reason)}",
            "run `mmpm config list --origin` to see every setting and where it comes from",
            {"key": key, "origin": origin},
        )


class ConfigSyntaxError(MmpmError):
    """A settings file of a person cannot be read."""

    code = "config-syntax"
    exit_status = USAGE

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{printable(path)} {printable(reason)}", "correct the file at that place", {"file": path})


class OfflineError(MmpmError):
    """Something tried to open a socket while mmpm is offline."""

    code = "offline"
    exit_status = UNREACHABLE

    def __init__(self, what: str) -> None:
        super().__init__(
            f"offline: {printable(what)} needs a network",
            "run it again without `--offline`, MMPM_OFFLINE and `offline = true`",
        )


class SystemRefusedError(MmpmError):
    """The operating system refused something: no space, no permission, a read-only disk."""

    code = "system-refused"

    def __init__(self, reason: str, path: str | None) -> None:
        where = f": {printable(path)}" if path else ""
        super().__init__(
            f"the system says: {printable(reason)}{where}",
            "free space or correct the permissions there, then run the same command again",
            {"path": path},
        )


class NoProjectError(MmpmError):
    """The asked tier is not there."""

    code = "no-project"
    exit_status = USAGE

    def __init__(self, tier: str, where: str) -> None:
        fact = f"there is no town at {printable(where)}" if tier == "town" else f"no project around {printable(where)}"
        remedy = "set GT_ROOT to the town's folder" if tier == "town" else "run `mmpm init` in the project's folder"
        super().__init__(fact, remedy, {"tier": tier, "where": where})


class InstallConflictError(MmpmError):
    """Two releases would bear the same unscoped name in one formulas folder."""

    code = "install-conflict"

    def __init__(self, first: str, second: str, installed_name: str) -> None:
        super().__init__(
            f"{first} and {second} would both be installed as {installed_name}",
            f"give one of them another name: `mmpm install {second} --as NAME`",
            {"names": [first, second], "installed_name": installed_name},
        )


class KeyUnreadableError(MmpmError):
    """A private key file could not be opened."""

    code = "key-unreadable"

    def __init__(self, reason: str, path: str = "the key file") -> None:
        super().__init__(
            f"cannot read {printable(path)}: {printable(reason)}",
            "give its passphrase with `--passphrase-file FILE` or MMPM_KEY_PASSPHRASE",
            {"file": path},
        )


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

    def __init__(self, registry: str, cause: str, origin: str = "") -> None:
        where = f" at {printable(origin)}" if origin else ""
        super().__init__(
            f"registry {printable(registry, 80)}{where} is not to be trusted: {printable(cause)}",
            "nothing of it was used; ask who runs it before you go on, nothing here overrides this",
            {"registry": registry, "origin": origin, "cause": cause},
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
            "ask who runs it; only if the key was replaced on purpose, run `mmpm registry add ... --replace`",
            {"registry": registry, "pinned": pinned, "found": found, "origin": origin},
        )


class TrustStateUnreadableError(MmpmError):
    """What this machine noted about a registry is damaged."""

    code = "trust-state-unreadable"
    exit_status = UNTRUSTED

    def __init__(self, folder: str, name: str, reason: str) -> None:
        super().__init__(
            f"{printable(folder)}/{name}: {printable(reason)}",
            "run `mmpm registry remove` and `mmpm registry add --root` with the fingerprint that you know",
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
            "run `mmpm update` where the registry can be reached, or bring a copy of it",
            {"registry": registry, "names": listed},
        )


class ManifestError(MmpmError):
    """A value in `mmpm.toml` is not what it has to be."""

    code = "bad-manifest"
    exit_status = USAGE

    def __init__(self, path: str, line: int, key: str, reason: str) -> None:
        super().__init__(
            f"{printable(path)}, line {line}, {printable(key, 120)}: {printable(reason)}",
            "correct that line",
            {"file": path, "line": line, "key": key},
        )


class LockedByOtherError(MmpmError):
    """Another process has been changing the same formulas folder for too long."""

    code = "locked-by-other"

    def __init__(self, folder: str, owner: str, waited_seconds: int) -> None:
        super().__init__(
            f"{printable(owner)} has been changing {printable(folder)} for over {waited_seconds} seconds",
            "wait for it to end, or end it; its lock goes with it",
            {"folder": folder, "owner": owner, "waited_seconds": waited_seconds},
        )
