"""What can be wrong with a formula, its payload, and a registry that is published to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors.base import UNTRUSTED, MmpmError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable


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


class KeyForeignError(MmpmError):
    """A private key beside those of a registry is not one that the registry names: what it signs, nobody believes."""

    code = "key-foreign"

    def __init__(self, role: str) -> None:
        super().__init__(
            f"the keys of {role} on this machine are not those that the registry names for {role}, or too few of them",
            "copy the key folder from the machine where they were rotated; nothing was published",
            {"role": role},
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


class NotARegistryError(MmpmError):
    """A folder holds no registry tree; where a mirror would do, it is none either."""

    code = "not-a-registry"

    def __init__(self, folder: str, wanted: str = "registry") -> None:
        name = printable(folder)
        super().__init__(
            f"{name} is neither a mirror nor a registry: it has neither mirrors/ nor metadata/timestamp.json"
            if wanted == "mirror"
            else f"{name} is not a registry: it has no metadata/timestamp.json",
            f"name the folder of one, or make a mirror with `mmpm mirror create {name} --from REGISTRY`"
            if wanted == "mirror"
            else f"make one with `mmpm registry init {name} --id HOST`",
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
            f"run `mmpm registry rotate DIR --renew {printable(role)}`; until then nothing can be published",
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


class RegistryRestoredError(MmpmError):
    """A registry's folder shows less than was published with its keys: it is an older copy of itself."""

    code = "registry-restored"

    def __init__(self, folder: str, shown: int, shown_issued: str, serial: int, issued: str) -> None:
        super().__init__(
            f"{printable(folder)} is at serial {shown} of {shown_issued}, "
            f"but serial {serial} of {issued} was published with these keys",
            "bring the newest copy of the folder back; if there is none, `mmpm publish --after-restore` goes on above "
            "that serial, so that readers follow: what was published in between is lost",
            {"folder": folder, "shown": shown, "shown_issued": shown_issued, "serial": serial, "issued": issued},
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
