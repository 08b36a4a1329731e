"""Actions about signed policies: made, pinned on this machine, taken away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignPolicy:
    """Sign a policy and write it into a file.

    Attributes:
        document: the policy as `mmpm.trust.signed_policy` writes it, with the signatures that it has already.
        key: name of a person's key.
        output: absolute path; written over where `overwrite`.
    """

    document: bytes
    key: str
    passphrase_file: str | None
    output: str
    overwrite: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"sign the policy with the key {self.key} and write {self.output}"


@dataclass(frozen=True, slots=True)
class PinPolicy:
    """Write down that a policy holds on this machine.

    Attributes:
        path: of the pinned policy.
        data: the file as `mmpm.project.policies` writes it.
        name: id and serial, for people.
    """

    path: str
    data: bytes
    name: str

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"pin the policy {self.name}"


@dataclass(frozen=True, slots=True)
class UnpinPolicy:
    """Take a pinned policy away."""

    path: str
    name: str

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"unpin the policy {self.name}"


PolicyAction = SignPolicy | PinPolicy | UnpinPolicy
