"""Copying a registry into a mirror's tree, as the command does it, for tests."""

from __future__ import annotations

from pathlib import Path

from registry_tree import HOST

from mmpm.registry.authenticate import RegistrySource
from mmpm.registry.destination import TreeDestination
from mmpm.registry.folder import FolderTransport
from mmpm.registry.mirror.copying import Copying
from mmpm.registry.mirror.origin import Believed, Origin, look_at
from mmpm.registry.mirror.selection import Chosen
from mmpm.registry.verified import VerifiedState
from mmpm.trust.clock import AgePolicy


class Listener:
    """Keeps what it is told."""

    def __init__(self):
        self.total = self.done = 0
        self.warnings = []

    def start(self, _label, total, _unit):
        self.total += total

    def advance(self, amount=1):
        self.done += amount

    def finish(self):
        pass

    def warn(self, sentence):
        self.warnings.append(sentence)


def believed(registry):
    return Believed(registry.made.fingerprint)


def prepare(registry, tree, *places, destination=None, listener=None, floors=None):
    """A copy of `registry` into the folder `tree` that is about to begin."""
    where = destination or TreeDestination(str(tree))
    trust = Believed(registry.made.fingerprint, floors=floors)
    transports = places or (FolderTransport(registry.root),)
    origin = Origin(
        RegistrySource(HOST, transports), trust, look_at(where.read, trust, HOST), registry.now, AgePolicy()
    )
    return Copying(origin, where, listener or Listener())


def mirror(registry, tree, *places, chosen=None, **more):
    """Copy `registry` into `tree`, and give the copy that did it."""
    copying = prepare(registry, tree, *places, **more)
    with copying.destination:
        copying.bring_metadata()
        copying.count(chosen or Chosen())
        copying.bring_files(chosen or Chosen())
        copying.show(chosen or Chosen())
    return copying


def opened(registry, tree):
    return VerifiedState.open(TreeDestination(str(tree)).read, registry.keys.root, registry_id=HOST)


def tree_bytes(registry, tree, chosen=None):
    """Every tree file of what `tree` shows, by path; all of them are proved."""
    state = opened(registry, tree)
    return {file.path: state.bytes_of(file) if file.is_exact else Path(tree, file.path).read_bytes()
            for file in state.tree_files(chosen)}  # fmt: skip
