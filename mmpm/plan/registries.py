"""Actions on registries: which ones this machine knows, and those that a person publishes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddRegistry:
    """Trust a registry: pin its root, keep its addresses in the settings.

    Attributes:
        urls: all its addresses in the order in which they are tried, absolute folders among them.
        replace: what was believed under another root key is void.
    """

    registry: str
    urls: tuple[str, ...]
    fingerprint: str
    name: str
    priority: int
    scopes: tuple[str, ...] = ()
    replace: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"add registry {self.registry} at {', '.join(self.urls)}"


@dataclass(frozen=True, slots=True)
class RemoveRegistry:
    """Forget a registry."""

    registry: str

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"remove registry {self.registry}"


@dataclass(frozen=True, slots=True)
class RefreshRegistries:
    """Learn what registries have now.

    Attributes:
        registries: their ids.
        everything: bring the index of every formula.
        locked: registry and name of what the project has, whose index is brought in any case.
    """

    registries: tuple[str, ...]
    everything: bool = False
    locked: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"ask {', '.join(self.registries)} what is new"


@dataclass(frozen=True, slots=True)
class InitRegistry:
    """Make a new registry tree in `folder` and its keys in `key_folder`; `open_keys` leaves them unprotected."""

    folder: str
    registry: str
    title: str
    key_folder: str
    passphrase_file: str | None = None
    open_keys: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"make registry {self.registry} in {self.folder}"


@dataclass(frozen=True, slots=True)
class Publication:
    """One release to publish: where its files are, and its release document, complete (canonical JSON).

    `parts`: files whose contents are the lines of the one at `path`, which need not be there then.
    """

    name: str
    version: str
    path: str
    checksum: str
    size: int
    document: bytes
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishReleases:
    """Publish into a folder registry; no releases at all renew its timestamp.

    `after_restore`: the folder is known to be an older copy of the registry. `signer`: the person's key that signs
    what is new; empty for none.
    """

    folder: str
    registry: str
    key_folder: str
    passphrase_file: str | None
    releases: tuple[Publication, ...]
    after_restore: bool = False
    signer: str = ""
    signer_passphrase_file: str | None = None

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        signed = f", signed with {self.signer}" if self.signer else ""
        return f"publish {len(self.releases)} release{'s' * (len(self.releases) != 1)} to {self.folder}{signed}"


@dataclass(frozen=True, slots=True)
class SignRelease:
    """Add a signature to a published release: with the key of a person, or one of OpenPGP that was made elsewhere.

    Attributes:
        signer: the person's key; empty where `openpgp` holds an armored signature.
        certificate: fingerprint and text of the OpenPGP certificate; None tries those of the registry's publishers.
    """

    folder: str
    registry: str
    key_folder: str
    passphrase_file: str | None
    name: str
    version: str
    signer: str = ""
    signer_passphrase_file: str | None = None
    openpgp: bytes = b""
    certificate: tuple[str, str] | None = None

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        whose = f"by {self.signer}" if self.signer else "of OpenPGP"
        return f"add a signature {whose} to {self.name}@{self.version} in {self.folder}"


@dataclass(frozen=True, slots=True)
class YankRelease:
    """Mark a published release as withdrawn; `take_down` removes its bytes as well."""

    folder: str
    registry: str
    key_folder: str
    passphrase_file: str | None
    name: str
    version: str
    reason: str
    take_down: bool = False

    @property
    def words(self) -> str:
        """What it will do, behind "would"."""
        return f"{'take down' if self.take_down else 'yank'} {self.name}@{self.version}"


RegistryAction = (
    AddRegistry | RemoveRegistry | RefreshRegistries | InitRegistry | PublishReleases | SignRelease | YankRelease
)
