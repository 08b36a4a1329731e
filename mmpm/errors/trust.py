"""What can be wrong with keys, signing requests, marks and policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.errors.base import UNTRUSTED, MmpmError, printable

if TYPE_CHECKING:
    from collections.abc import Sequence


class KeyExistsError(MmpmError):
    """A key of that name is on this machine already."""

    code = "key-exists"

    def __init__(self, name: str, path: str) -> None:
        super().__init__(
            f"there is a key {printable(name)} already: {printable(path)}",
            "give the new one another name; a key is never overwritten",
            {"name": name, "file": path},
        )


class KeyUnknownError(MmpmError):
    """A command names a key that is not on this machine."""

    code = "key-unknown"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        listed = ", ".join(printable(one, 80) for one in known)
        super().__init__(
            f"no key {printable(name, 80)} is on this machine" + (f"; there are {listed}" if listed else ""),
            "see `mmpm keys list`, or make one with `mmpm keys create NAME`",
            {"name": name},
        )


class SigningRequestRefusedError(MmpmError):
    """A signing request is not what it should be: malformed, changed on its way, or about another registry."""

    code = "signing-request-refused"
    exit_status = UNTRUSTED

    def __init__(self, reason: str, path: str = "the signing request") -> None:
        self.reason = reason
        super().__init__(
            f"{printable(path)} is refused: {printable(reason)}",
            "nothing was signed or published; have a new request made with `mmpm registry rotate DIR -o FILE`",
            {"file": path, "reason": reason},
        )


class SigningRequestOutdatedError(MmpmError):
    """The registry has moved on since a signing request was made."""

    code = "signing-request-outdated"

    def __init__(self, reason: str, path: str = "the signing request") -> None:
        self.reason = reason
        super().__init__(
            f"{printable(path)} cannot be applied any more: {printable(reason)}",
            "nothing was published; make a new request where the registry is and have that one signed",
            {"file": path, "reason": reason},
        )


class SignaturesMissingError(MmpmError):
    """A signing request lacks signatures."""

    code = "signatures-missing"

    def __init__(self, missing: Sequence[str], path: str = "the signing request") -> None:
        self.missing = tuple(missing)
        shown = "; ".join(printable(one) for one in missing)
        super().__init__(
            f"{printable(path)} is not signed by enough keys: {shown}",
            "carry it to the machine with those keys, run `mmpm keys sign FILE` there, and bring it back",
            {"file": path, "missing": list(missing)},
        )


class SignatureBadError(MmpmError):
    """A detached signature is there, and is not that key's over that release."""

    code = "signature-bad"
    exit_status = UNTRUSTED

    def __init__(self, name: str, version: str, key_id: str, reason: str) -> None:
        super().__init__(
            f"the signature of {printable(name)} {printable(version)} by the key {printable(key_id, 64)} is bad: "
            f"{printable(reason)}",
            "do not install it; ask the publisher which bytes were signed",
            {"name": name, "version": version, "key_id": key_id},
        )


class SignatureUncheckedError(MmpmError):
    """A signature was given that cannot be checked here, so that it is not taken."""

    code = "signature-unchecked"

    def __init__(self, name: str, version: str, reason: str) -> None:
        super().__init__(
            f"the signature of {printable(name)} {printable(version)} cannot be checked: {printable(reason)}",
            "give the certificate of whoever made it with --certificate FILE",
            {"name": name, "version": version},
        )


class SignatureTakenError(MmpmError):
    """One key signed the same bytes under another name or version already."""

    code = "signature-taken"

    def __init__(self, name: str, version: str) -> None:
        super().__init__(
            f"this key signed the bytes of {printable(name)} {printable(version)} already, "
            "under another name or version",
            "sign with another key, or publish it once",
            {"name": name, "version": version},
        )


class NothingToSignError(MmpmError):
    """No key on this machine is one that a signing request waits for."""

    code = "nothing-to-sign"

    def __init__(self, path: str, missing: Sequence[str]) -> None:
        shown = "; ".join(printable(one) for one in missing) or "it is complete"
        super().__init__(
            f"no key here is one that {printable(path)} waits for: {shown}",
            "name a key of yours with `--key NAME`, or carry it to the machine with those keys",
            {"file": path, "missing": list(missing)},
        )


class PolicyUnreadableError(MmpmError):
    """A pinned policy is there and cannot be read, so that nobody knows which rules hold."""

    code = "policy-unreadable"
    exit_status = UNTRUSTED

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"the pinned policy {printable(path)} cannot be read: {printable(reason)}",
            "put the file right, or take it away and pin the policy anew: `mmpm policy pin FILE --key KEY`",
            {"file": path, "reason": reason},
        )


class PolicyRefusedError(MmpmError):
    """A signed policy is not what it should be: malformed, of another key, or older than the pinned one."""

    code = "policy-refused"
    exit_status = UNTRUSTED

    def __init__(self, where: str, reason: str, pinned: str = "") -> None:
        super().__init__(
            f"the policy {printable(where)} is refused: {printable(reason)}",
            f"{printable(pinned)} stays in force; ask whoever signs it for a newer one"
            if pinned
            else "nothing was pinned; ask whoever signs it for the key and the newest policy",
            {"file": where, "reason": reason},
        )


class PolicyNotPinnedError(MmpmError):
    """No policy of that name is pinned by this person."""

    code = "policy-not-pinned"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        listed = ", ".join(printable(one, 80) for one in known)
        super().__init__(
            " ".join(filter(None, ("you have pinned no policy", printable(name, 80))))
            + (f"; there is {listed}" if listed else ""),
            "`mmpm policy show` lists what is in force; what lies in /etc/mmpm only an administrator takes away",
            {"name": name},
        )


class PolicyBarredError(MmpmError):
    """The lock has releases that policy bars."""

    code = "policy-barred"
    exit_status = UNTRUSTED
    shown = 5  # `details` has all

    def __init__(self, barred: Sequence[tuple[str, str, str]]) -> None:
        """Take name, version and what bars it of each."""
        told = [
            f"{printable(name)} {printable(version)} is barred by {printable(why)}" for name, version, why in barred
        ]
        more = f"; and {len(told) - self.shown} more" if len(told) > self.shown else ""
        names = " ".join(printable(name) for name, _, _ in barred[: self.shown])
        super().__init__(
            "; ".join(told[: self.shown]) + more,
            f"choose others with `mmpm lock` or `mmpm upgrade {names}`, which say if there are none; what is installed "
            "was left alone",
            {"barred": [{"name": name, "version": version, "why": why} for name, version, why in barred]},
        )
