"""Actions on keys, roles and what is signed with them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Make a person's key pair in `keys`, the folder of all keys; `is_open` leaves it unprotected."""

    name: str
    keys: str
    passphrase_file: str | None = None
    is_open: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"make the key {self.name}"


@dataclass(frozen=True, slots=True)
class SignCarried:
    """Sign the request in the file `path` with the keys of a registry's roles that are here, and those of `people`.

    Attributes:
        request: id of the request as it was shown; another one in the file's place is not signed.
        signatures: role and key id of what will be added, as far as it can be told before the keys are opened.
    """

    path: str
    request: str
    registry: str
    key_folder: str
    people: tuple[str, ...]
    signatures: tuple[tuple[str, str], ...]
    passphrase_file: str | None = None
    person_passphrase_file: str | None = None

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        listed = ", ".join(f"{role} with {key_id[:16]}" for role, key_id in self.signatures)
        return f"sign {listed or 'what waits for the keys here'} in {self.path}"


@dataclass(frozen=True, slots=True)
class RoleTerms:
    """Who signs for a role from now on: `public` (hex) and as many new keys as `made`, `threshold` of all these."""

    role: str
    public: tuple[str, ...]
    made: int
    threshold: int


@dataclass(frozen=True, slots=True)
class RotateRoles:
    """Change who signs for a registry: signed and published at once where the keys are here, else carried to them.

    Attributes:
        based_on: version by role (root, targets, trust, bins) of what was looked at.
        terms: of the roles whose keys or threshold change.
        renew: roles that get a new term.
        files: targets of the role trust with their new text; None takes one out.
        purpose: sentences for whoever signs.
        output: the file of the request; None publishes at once where enough keys are here.
        fallback: where the request goes if they are not.
        after_theft: the tree may be a backup, or show what a thief published.
    """

    folder: str
    registry: str
    key_folder: str
    passphrase_file: str | None
    based_on: tuple[tuple[str, int], ...]
    terms: tuple[RoleTerms, ...] = ()
    renew: tuple[str, ...] = ()
    files: tuple[tuple[str, str | None], ...] = ()
    purpose: tuple[str, ...] = ()
    output: str | None = None
    fallback: str = ""
    after_theft: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        said = [f"make {one.made} new key{'s' * (one.made != 1)} for {one.role}" for one in self.terms if one.made]
        said += [f"change the keys of {one.role}" for one in self.terms if not one.made]
        said += [f"renew {', '.join(self.renew)}"] if self.renew else []
        about = f"change what {self.registry} says of publishers and releases"
        said += (list(self.purpose) or [about]) if self.files else []
        end = f"write a signing request to {self.output}" if self.output else f"publish that in {self.folder}"
        return "; ".join([*said, end])


@dataclass(frozen=True, slots=True)
class ApplySigned:
    """Publish what a request says that was carried to its keys and back."""

    path: str
    request: str
    folder: str
    registry: str
    key_folder: str
    passphrase_file: str | None
    after_theft: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"publish what {self.path} says in {self.folder}"


TrustAction = CreateKey | SignCarried | RotateRoles | ApplySigned
