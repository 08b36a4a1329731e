"""Every failure that mmpm foresees, as a type: a code, one sentence of fact, one of remedy, an exit status.

Rule: text that came from outside (names, paths, server answers, archive members) passes `printable` before it
enters a message, so that nothing a package says can steer a terminal.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FORESEEN = 1
USAGE = 2
NO_SOLUTION = 3
UNTRUSTED = 4
UNREACHABLE = 5
BUG = 70
INTERRUPTED = 130

_MESSAGE_LIMIT = 20_000


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
        # Cleaned here once more, whatever a subclass forgot; clean text stays as it is.
        self.fact = printable(fact, _MESSAGE_LIMIT, keep="\n")
        self.remedy = printable(remedy, _MESSAGE_LIMIT, keep="\n")
        super().__init__(self.fact)
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
        self.reason = reason
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


class FormulaSyntaxError(MmpmError):
    """A formula file is not TOML 1.0.

    Attributes:
        line: from 1.
        column: in characters, from 1.
        reason: what the reader stumbled on, printable.
        excerpt: the line around the column, printable, at most 80 characters or so.
    """

    code = "formula-syntax"

    def __init__(self, filename: str, line: int, column: int, reason: str, excerpt: str) -> None:
        self.line, self.column = line, column
        self.reason, self.excerpt = printable(reason, 200), printable(excerpt, 160)
        shown = f": {self.excerpt}" if self.excerpt.strip() else ""
        super().__init__(
            f"{printable(filename)}:{line}:{column}: {self.reason}{shown}",
            "correct that line, then run `mmpm check` on the file",
            {"file": filename, "line": line, "column": column, "reason": self.reason},
        )


class FormulaInvalidError(MmpmError):
    """A formula file is TOML, but what we read of it is not what it has to be.

    Attributes:
        problems: (key path, sentence) of each, in the order of reading; never empty.
    """

    code = "formula-invalid"

    def __init__(self, filename: str, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        key, reason = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(
            f"{printable(filename)}: {printable(key, 120)}: {printable(reason, 300)}{more}",
            "correct it, then run `mmpm check` on the file",
            {"file": filename, "problems": [{"key": key, "reason": reason} for key, reason in self.problems]},
        )


class PayloadRefusedError(MmpmError):
    """What should be published, built or imported is not a formula file, bundle or fragment that we take."""

    code = "payload-refused"

    def __init__(self, path: str, reason: str, remedy: str = "") -> None:
        super().__init__(
            f"{printable(path)}: {printable(reason)}",
            remedy
            or "give a NAME.formula.toml, a bundle folder with formula.toml, its tar.gz or tar.zst, or a NAME.jsonl",
            {"path": path},
        )


class KeysMissingError(MmpmError):
    """A registry's private key is not on this machine."""

    code = "keys-missing"

    def __init__(self, registry_id: str, path: str) -> None:
        super().__init__(
            f"the keys of {printable(registry_id)} are not here: there is no {printable(path)}",
            "publish on the machine where `mmpm registry init` ran, or copy that key folder here",
            {"registry": registry_id, "file": path},
        )


class PublisherBusyError(MmpmError):
    """Another publisher is at work on the same registry folder and does not finish."""

    code = "publisher-busy"

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__(
            f"another publisher has held {printable(path)} for more than {seconds:.0f} seconds",
            "wait for it or end it, then publish again",
            {"file": path},
        )


class ChangedMeanwhileError(MmpmError):
    """A file changed between the making of a plan and its applying."""

    code = "changed-meanwhile"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{printable(path)} was changed while this command was at work; nothing was done",
            "run the command again",
            {"path": path},
        )


class NotWhatWasLockedError(MmpmError):
    """The bytes of a release are not those that its checksum and its tree both name."""

    code = "checksum-mismatch"
    exit_status = UNTRUSTED

    def __init__(self, name: str, version: str, expected: str, found: str) -> None:
        super().__init__(
            f"{printable(name)} {printable(version)}: its files have the checksum {found}, not {expected} as locked",
            "do not use it; tell the registry's owner, and compare mmpm.lock with an older commit",
            {"name": name, "version": version, "expected": expected, "found": found},
        )


class ObjectsMissingError(MmpmError):
    """Files that are to be installed are not in the store, and no registry at hand gave them."""

    code = "objects-missing"
    exit_status = UNREACHABLE

    def __init__(self, names: list[str], reason: str, remedy: str) -> None:
        some = ", ".join(printable(name, 80) for name in names[:5]) + (" ..." if len(names) > 5 else "")
        super().__init__(f"files of {some} are not in the store, and {reason}", remedy, {"names": names})


class NotARegistryError(MmpmError):
    """A folder holds no registry tree."""

    code = "not-a-registry"

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"{printable(folder)} is not a registry: it has no metadata/timestamp.json",
            f"make one with `mmpm registry init {printable(folder)} --id HOST`",
            {"folder": folder},
        )


class RegistryExistsError(MmpmError):
    """A new registry was asked for where something lies already."""

    code = "registry-exists"

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            f"{printable(where)} {printable(what)}", "choose an empty or new folder, and a new id", {"folder": where}
        )


class DamagedRegistryError(MmpmError):
    """A registry folder lacks a file that its signed metadata lists, or has other bytes in it."""

    code = "damaged-registry"
    exit_status = UNTRUSTED

    def __init__(self, folder: str, path: str) -> None:
        super().__init__(
            f"the registry in {printable(folder)} is damaged at {printable(path)}",
            "restore that file from a mirror or a backup; nothing was published",
            {"folder": folder, "file": path},
        )


class RegistryExpiredError(MmpmError):
    """A role that signs rarely has expired, so that no reader would take a new timestamp."""

    code = "registry-expired"
    exit_status = UNTRUSTED

    def __init__(self, role: str, expires: str) -> None:
        super().__init__(
            f"the registry's {printable(role)} metadata expired at {expires}",
            "sign it anew with the offline keys (`mmpm registry rotate`)",
            {"role": role, "expires": expires},
        )


class ClockBehindError(MmpmError):
    """This machine's clock is before the registry's last publish, and issue times never go back."""

    code = "clock-behind"

    def __init__(self, now: str, issued: str) -> None:
        super().__init__(
            f"this machine's clock says {now}, but the registry was last published at {issued}",
            "set the clock, then publish again",
            {"now": now, "issued": issued},
        )


class VersionTakenError(MmpmError):
    """A version is published already, with other bytes."""

    code = "version-taken"

    def __init__(self, name: str, version: str, published: str) -> None:
        what = "" if version == published else f" as {printable(published)}"
        super().__init__(
            f"{printable(name)} {printable(version)} is already published{what}, with other bytes",
            "give the new content a new version; a published version never changes",
            {"name": name, "version": version, "published": published},
        )


class NotPublishedError(MmpmError):
    """A release that should be changed is not in the registry."""

    code = "not-published"

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"{printable(name)} {printable(version)} is not in this registry",
            f"see what is there with `mmpm show {printable(name)}`",
            {"name": name, "version": version},
        )


class UnpublishableError(MmpmError):
    """A release lacks what every release must have, or its payload is not what it says."""

    code = "unpublishable"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"{printable(name)} cannot be published: {printable(reason)}",
            "correct it, then look at it with `mmpm check PATH`",
            {"name": name, "reason": reason},
        )


class RootNotPinnedError(MmpmError):
    """Nothing says which root key a registry is expected to have."""

    code = "root-not-pinned"
    exit_status = UNTRUSTED

    def __init__(self, registry: str, found: str = "", origin: str = "") -> None:
        where = f" at {printable(origin)}" if origin else ""
        shows = f"; it shows the root key sha256:{printable(found, 80)}" if found else ""
        option = f"sha256:{found}" if found else "sha256:..."
        command = f"mmpm registry add {printable(origin) or 'URL'} --root {option}"
        super().__init__(
            f"no root key was accepted for registry {printable(registry, 80)}{where}{shows}",
            f"compare the key with whoever runs it, then run `{command}`",
            {"registry": registry, "found": found, "origin": origin},
        )


class LockMissingError(MmpmError):
    """A command needs a lock, and there is none."""

    code = "lock-missing"

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no {printable(path)}", "run `mmpm lock`, or leave --frozen out", {"path": path})


class LockOutOfDateError(MmpmError):
    """The manifest asks for something that the lock was not made for."""

    code = "lock-out-of-date"

    def __init__(self, names: list[str]) -> None:
        what = ", ".join(printable(name, 80) for name in names[:5]) or "what the manifest asks for"
        super().__init__(f"mmpm.lock does not cover {what}", "run `mmpm lock`, then commit mmpm.lock", {"names": names})


class DriftError(MmpmError):
    """`sync --check` found that something would change."""

    code = "drift"

    def __init__(self, root: str, counts: Mapping[str, int]) -> None:
        what = ", ".join(f"{kind} {count}" for kind, count in counts.items() if kind not in {"set-root", "note-state"})
        super().__init__(
            f"what is installed in {printable(root)} is not what manifest and lock say ({what})",
            "run `mmpm sync`",
            {"root": root, "counts": dict(counts)},
        )


class NotFoundHereError(MmpmError):
    """No tier has the formula, and no registry that is known here."""

    code = "not-found"

    def __init__(self, name: str, wanted: str, reasons: Iterable[str]) -> None:
        listed = list(reasons)
        lines = "".join(f"\n{printable(reason)}" for reason in listed)
        what = printable(name, 80) + ("" if wanted in {"*", "latest"} else f"@{printable(wanted, 80)}")
        super().__init__(
            f"there is no {what} here" + (lines or "; no registry is configured"),
            "look at its spelling, run `mmpm update`, or add a registry that has it with `mmpm registry add`",
            {"name": name, "range": wanted, "reasons": listed},
        )


class PreflightFailedError(MmpmError):
    """Something that should be published does not pass the pre-flight checks."""

    code = "preflight-failed"

    def __init__(self, failed: int, total: int, first: str, failure: MmpmError | None) -> None:
        reason = failure.fact if failure else "a check failed"
        fact = (
            reason if total == 1 else f"{failed} of {total} releases cannot be published; {printable(first)}: {reason}"
        )
        super().__init__(
            fact,
            failure.remedy if failure else "correct it, then publish again",
            {"failed": failed, "total": total, "first": first, "cause": failure.code if failure else None},
        )


class BatchLineError(MmpmError):
    """A line of a batch file is not what `publish --batch` reads."""

    code = "batch-line"

    def __init__(self, path: str, line: int, reason: str) -> None:
        super().__init__(
            f"{printable(path)}, line {line}: {printable(reason)}",
            'write one JSON object a line: {"path": "..", "name": "..", "version": "1.0.0"}; nothing was published',
            {"file": path, "line": line},
        )


class FileInTheWayError(MmpmError):
    """A file that would be made is there already."""

    code = "file-in-the-way"

    def __init__(self, path: str) -> None:
        super().__init__(f"{printable(path)} is there already", "move it away, or choose another name", {"path": path})


class NotInstalledError(MmpmError):
    """A command is about a formula that is not installed in this tier."""

    code = "not-installed"

    def __init__(self, name: str, root: str, remedy: str = "`mmpm list` shows what is installed") -> None:
        super().__init__(f"{printable(name)} is not installed in {printable(root)}", remedy, {"name": name})


class StillRequiredError(MmpmError):
    """A formula that another installed one requires cannot go alone."""

    code = "still-required"

    def __init__(self, name: str, by: list[str]) -> None:
        who = ", ".join(printable(one, 80) for one in by[:5])
        super().__init__(
            f"{printable(name)} is required by {who}",
            f"uninstall {printable(by[0], 80)} as well, or leave {printable(name, 80)}",
            {"name": name, "by": by},
        )


class NothingToAdoptError(MmpmError):
    """There is no unmanaged formula of a name."""

    code = "nothing-to-adopt"

    def __init__(self, name: str, folder: str, reason: str) -> None:
        super().__init__(
            f"{printable(name)}: {reason} in {printable(folder)}",
            "`mmpm list` shows what is unmanaged",
            {"name": name, "folder": folder},
        )


class NoSolutionError(MmpmError):
    """No set of releases meets all requirements."""

    code = "no-solution"
    exit_status = NO_SOLUTION

    def __init__(
        self, steps: Sequence[str], notes: Sequence[str], remedies: Sequence[str], derivation: Mapping[str, object]
    ) -> None:
        numbered = [f"{number}. {step}" for number, step in enumerate(steps, 1)] if len(steps) > 1 else list(steps)
        lines = ["no set of releases meets the requirements", *numbered, *notes]
        super().__init__(
            "\n".join(printable(line, 4000) for line in lines),
            "\n".join(printable(remedy) for remedy in remedies),
            {"steps": list(steps), "notes": list(notes), "remedies": list(remedies), "derivation": derivation},
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


class ReleaseChangedError(MmpmError):
    """A registry has other bytes under a version than the ones that were locked from it: releases are immutable."""

    code = "release-changed"
    exit_status = UNTRUSTED

    def __init__(self, source: str, locked: str, found: str) -> None:
        super().__init__(
            f"{printable(source)} has the checksum {printable(found, 80)} now; mmpm.lock has {printable(locked, 80)}",
            "ask whoever runs the registry; to take the new bytes, remove the release's line from mmpm.lock and"
            " run `mmpm lock`",
            {"source": source, "locked": locked, "found": found},
        )


class NotRequiredError(MmpmError):
    """A command is about a formula that neither manifest nor lock has."""

    code = "not-required"

    def __init__(self, names: Iterable[str]) -> None:
        listed = sorted(names)
        shown = ", ".join(printable(name, 80) for name in listed[:5])
        super().__init__(
            f"{shown} {'is' if len(listed) == 1 else 'are'} neither in mmpm.toml nor in mmpm.lock",
            "run `mmpm list` to see what is, or `mmpm install NAME`",
            {"names": listed},
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


class StoreIncompleteError(MmpmError):
    """Listings of trees in use are missing or damaged, so that nobody knows which objects they need."""

    code = "store-incomplete"

    def __init__(self, trees: Iterable[str]) -> None:
        listed = sorted(trees)
        super().__init__(
            f"the listings of some releases in use cannot be read ({len(listed)}), so it is not known what they need; "
            "nothing was removed",
            "run `mmpm store repair`; `mmpm store prune --force` removes their files as well",
            {"trees": listed},
        )


class NotFoundInStoreError(MmpmError):
    """A command is about an object that the store does not have."""

    code = "not-in-store"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f"{printable(text, 100)} {reason}",
            "give blake3: and 64 hexadecimal digits, as `mmpm show NAME --json` and the lock have them",
            {"object": text},
        )
