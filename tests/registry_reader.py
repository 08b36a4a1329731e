"""A machine that reads one registry with `RefreshSession`, its store and what it believes below one folder."""

from __future__ import annotations

from loopback import patient

from mmpm.registry.folder import FolderTransport
from mmpm.registry.refresh import RefreshSession, RegistrySource, refresh
from mmpm.registry.state import TrustFolder
from mmpm.trust.clock import AgePolicy

QUICK = patient(attempts=1)
ID = "acme.corp"


class Reader:
    """A machine that reads one registry."""

    def __init__(self, folder, tree, *places, root=""):
        self.store = folder / "store"
        self.trust = folder / "trust"
        self.tree = tree
        self.places = places or (FolderTransport(str(tree.folder)),)
        self.root = tree.fingerprint if root == "" else root
        self.now = None
        self.policy = AgePolicy()

    def source(self):
        return RegistrySource(ID, tuple(self.places), self.root)

    def session(self, **policy):
        now = self.now or self.tree.now
        return RefreshSession(self.source(), str(self.store), str(self.trust), now, AgePolicy(**policy))

    def refresh(self, names=(), **options):
        now = self.now or self.tree.now
        return refresh(self.source(), str(self.store), str(self.trust), now, names, policy=self.policy, **options)

    def offline(self):
        source, now = RegistrySource(ID, (), self.root), self.now or self.tree.now
        session = RefreshSession(source, str(self.store), str(self.trust), now, self.policy)
        session.begin()
        session.commit()
        return session.snapshot

    @property
    def state(self):
        return TrustFolder.of(str(self.trust), ID).read()


def versions(snapshot, name):
    return [str(release.version) for release in snapshot.releases(name)]
