"""What can be wrong between manifest, lock, receipt and the installed files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors.base import NO_SOLUTION, UNREACHABLE, UNTRUSTED, USAGE, MmpmError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


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


class FragmentError(MmpmError):
    """A molecules fragment was to be installed as a formula."""

    code = "fragment"

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"{name} {version} is a fragment of molecules: it belongs into a catalogue, not among the formulas",
            f"run `mmpm mol install {printable(name)}`",
            {"name": name, "version": version},
        )


class NothingToInstallError(MmpmError):
    """A release of execution records was to be installed, or is required by something that was."""

    code = "nothing-to-install"

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"{name} {version} is a release of execution records: they are read where they are, and not installed",
            "`mmpm mol records --everywhere` shows them; name a formula or molecules",
            {"name": name, "version": version},
        )


class InstallConflictError(MmpmError):
    """Two releases would bear the same unscoped name in one formulas folder."""

    code = "install-conflict"

    def __init__(self, first: str, second: str, installed_name: str) -> None:
        super().__init__(
            f"{first} and {second} would both be installed as {installed_name}",
            f"give one of them another name: `mmpm install {second} --as NAME`",
            {"names": [first, second], "installed_name": installed_name},
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


class ReleaseMalformedError(MmpmError):
    """A release's files are not what its kind has (a formula is one file), or have not its size."""

    code = "release-malformed"
    exit_status = UNTRUSTED

    def __init__(self, name: str, version: str, reason: str) -> None:
        super().__init__(
            f"{printable(name)} {printable(version)} {printable(reason)}",
            "do not use it; tell the registry's owner",
            {"name": name, "version": version, "reason": reason},
        )


class ListingMalformedError(MmpmError):
    """What a release names as the listing of its files is none, though its bytes are the ones that are named."""

    code = "listing-malformed"
    exit_status = UNTRUSTED

    def __init__(self, listing: str, reason: str) -> None:
        super().__init__(
            f"the listing {printable(listing)} of a release's files is not to be used: {printable(reason)}",
            "do not use that release; tell the registry's owner",
            {"listing": listing, "reason": reason},
        )


class ObjectsMissingError(MmpmError):
    """Files that are to be installed are not in the store, and no registry at hand gave them."""

    code = "objects-missing"
    exit_status = UNREACHABLE

    def __init__(self, names: list[str], reason: str, remedy: str) -> None:
        some = ", ".join(printable(name, 80) for name in names[:5]) + (" ..." if len(names) > 5 else "")
        super().__init__(f"files of {some} are not in the store, and {reason}", remedy, {"names": names})


class EntryIncompleteError(MmpmError):
    """A receipt of the seed's program lists a release whose bytes are neither beside it nor at a registry."""

    code = "entry-incomplete"

    def __init__(self, name: str, version: str, source: str) -> None:
        shown = f"{printable(name)} {version}"
        super().__init__(
            f"the receipt lists {shown}, but neither the file beside it nor a registry at hand has those bytes",
            "put its file back or run `mmpm registry add` for where it came from, "
            f"or take {printable(name)} out of .lock.json and run `mmpm adopt` for your own file",
            {"name": name, "version": version, "source": source},
        )


class LockMissingError(MmpmError):
    """A command needs a lock, and there is none."""

    code = "lock-missing"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"there is no {printable(path)}",
            "run `mmpm lock`, or get it from where the project comes from",
            {"path": path},
        )


class LockOutOfDateError(MmpmError):
    """The manifest asks for something that the lock was not made for, or what is locked was withdrawn since."""

    code = "lock-out-of-date"

    def __init__(self, names: list[str], lack: str = "does not cover") -> None:
        what = ", ".join(printable(name, 80) for name in names[:5]) or "what the manifest asks for"
        super().__init__(
            f"mmpm.lock {printable(lack)} {what}", "run `mmpm lock`, then commit mmpm.lock", {"names": names}
        )


class LeadsOutsideError(MmpmError):
    """A link in a project leads out of it: a clone may not choose where on this machine is written."""

    code = "leads-outside"

    def __init__(self, path: str, leads_to: str) -> None:
        super().__init__(
            f"{printable(path)} is a link that leads out of the project, to {printable(leads_to)}",
            "put a folder or a file in its place",
            {"path": path, "leads_to": leads_to},
        )


class DriftError(MmpmError):
    """`sync --check` found that something would change."""

    code = "drift"
    shown = 3  # of each kind of change; `details` has all

    def __init__(self, root: str, changes: Iterable[tuple[str, str]]) -> None:
        """Take (verb, what) of each change, as in ("install", "mol-a 1.0.0")."""
        kinds: dict[str, list[str]] = {}
        for verb, what in changes:
            kinds.setdefault(verb, []).append(what)
        would = []
        for verb, whats in kinds.items():
            more = len(whats) - self.shown
            listed = ", ".join(printable(what, 100) for what in whats[: self.shown])
            would.append(f"{printable(verb)} {listed}" + (f" and {more} more" if more > 0 else ""))
        super().__init__(
            f"what is installed in {printable(root)} is not what manifest and lock say: sync would {'; '.join(would)}",
            "run `mmpm sync`",
            {"root": root, "changes": kinds},
        )


class NotFoundHereError(MmpmError):
    """No tier has the formula, and no registry that is known here."""

    code = "not-found"

    def __init__(self, name: str, wanted: str, reasons: Iterable[str], near: Iterable[str] = ()) -> None:
        listed = list(reasons)
        lines = "".join(f"\n{printable(reason)}" for reason in listed)
        what = printable(name, 80) + ("" if wanted in {"*", "latest"} else f"@{printable(wanted, 80)}")
        meant = " or ".join(printable(one, 80) for one in near)
        super().__init__(
            f"there is no {what} here" + (lines or "; no registry is configured"),
            (f"did you mean {meant}?\n" if meant else "")
            + "look at its spelling, run `mmpm update`, or add a registry that has it with `mmpm registry add`",
            {"name": name, "range": wanted, "reasons": listed},
        )


class NotInstalledError(MmpmError):
    """A command is about a formula that is not installed in this tier."""

    code = "not-installed"

    def __init__(self, name: str, root: str, remedy: str = "`mmpm list` shows what is installed") -> None:
        super().__init__(f"{printable(name)} is not installed in {printable(root)}", remedy, {"name": name})


class StillRequiredError(MmpmError):
    """A formula that another installed one requires cannot go alone."""

    code = "still-required"

    def __init__(self, name: str, by: list[str]) -> None:
        who = ", ".join(printable(one, 80) for one in by[:5]) + (f" and {len(by) - 5} more" if len(by) > 5 else "")
        super().__init__(
            f"{printable(name)} is required by {who}",
            f"uninstall {who if len(by) <= 5 else 'them'} as well, or leave {printable(name, 80)}",
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


class UnknownHereError(NoSolutionError):
    """Nothing known here meets all requirements, and what would tell more was never fetched."""

    code = "unknown-here"
    exit_status = UNREACHABLE


class SearchTooLongError(MmpmError):
    """The solver met so many conflicts that the question is not worth more time."""

    code = "search-too-long"
    exit_status = NO_SOLUTION

    def __init__(self, conflicts: int) -> None:
        super().__init__(
            f"no answer was found within {conflicts} conflicts, and no proof that there is none",
            "pin some of the larger formulas with `mmpm pin NAME@VERSION`, and report this with `mmpm debug solve`",
            {"conflicts": conflicts},
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
