"""A folder registry whose roles change, and readers that follow it, for tests of rotation."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry_tree import HOST, PATIENCE_SECONDS, FolderRegistry

from mmpm.registry.commit import Committing
from mmpm.registry.folder import FolderTransport
from mmpm.registry.key_folder import load_every_key, load_keys, prepare_keys
from mmpm.registry.refresh import ALL, Refreshed, RefreshSession, RegistrySource
from mmpm.registry.rotate import Applied, RoleChange, apply_request, current_keys, make_request, sign_request
from mmpm.trust.clock import AgePolicy
from mmpm.trust.facts import RoleKeys

if TYPE_CHECKING:
    from pathlib import Path

    from mmpm.trust.signing_request import SigningRequest


class RotatingRegistry(FolderRegistry):
    """A registry whose operator has every key at hand."""

    def request(self, change: RoleChange) -> SigningRequest:
        """A request for `change`, signed by all keys of the key folder."""
        request = make_request(self.load(), change, self.now)
        assert request is not None
        return sign_request(request, load_every_key(self.keys_folder, HOST, None))

    def apply(self, request: SigningRequest, **limits) -> Applied:
        """Publish a request."""
        keys = load_every_key(self.keys_folder, HOST, None)
        how = Committing(keys, self.now, **{"key_folder": self.keys_folder, "wait_seconds": PATIENCE_SECONDS, **limits})
        applied = apply_request(self.root, request, how)
        self.keys = load_keys(self.keys_folder, HOST, None)
        return applied

    def new_keys(self, *roles: str) -> dict[str, RoleKeys]:
        """New keys, as many as each role's threshold asks for; they wait in the key folder."""
        current = current_keys(self.load())
        made = {role: prepare_keys(self.keys_folder, role, current[role].threshold, None) for role in roles}
        return {role: RoleKeys(tuple(key.hex for key in keys), len(keys)) for role, keys in made.items()}

    def rotate(self, *roles: str, **limits) -> Applied:
        """Replace the keys of `roles` by new ones."""
        return self.apply(self.request(RoleChange(self.new_keys(*roles))), **limits)


@dataclass
class Follower:
    """A machine that reads a registry, wherever a copy of it is."""

    folder: Path
    fingerprint: str

    def refresh(self, place: str, now) -> Refreshed:
        """Learn everything that the tree at `place` says."""
        source = RegistrySource(HOST, (FolderTransport(place),), self.fingerprint)
        session = RefreshSession(
            source, str(self.folder / "store"), str(self.folder / "trust"), now, AgePolicy(None, None)
        )
        session.begin()
        session.fetch(ALL)
        self.snapshot = session.snapshot
        return session.commit()

    @property
    def names(self) -> set[str]:
        """The formulas that it knows."""
        return set(self.snapshot.names())


def copy_tree(source: str, target: Path) -> str:
    """A mirror by `cp -r`."""
    shutil.copytree(source, target)
    return str(target)
