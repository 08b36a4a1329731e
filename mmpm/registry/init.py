"""Makes a new registry: an empty tree with all its roles signed, and its keys in a folder of their own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import RegistryExistsError
from mmpm.registry import layout
from mmpm.registry.documents import registry_json
from mmpm.registry.key_folder import begin_keys, finish_keys, generate_keys, has_keys, save_keys, unfinished_root
from mmpm.registry.person_keys import FOLDER as PEOPLE
from mmpm.registry.published import archive_timestamp
from mmpm.registry.rendering import listing
from mmpm.registry.tree_writer import IMMUTABLE_MODE, TreeWriter
from mmpm.trust.facts import (
    BIN,
    BINS,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TRUST,
    Identity,
    RoleFile,
    TargetFile,
)
from mmpm.trust.levels import Publishers
from mmpm.trust.metadata import (
    Chain,
    make_root,
    sign_bins,
    sign_listing,
    sign_snapshot,
    sign_timestamp,
    sign_top_targets,
)
from mmpm_store.durable import fsync_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mmpm.model.names import RegistryId
    from mmpm.trust.keys import SigningKey


@dataclass(frozen=True, slots=True)
class NewRegistry:
    """A registry that was made; the fingerprint is what people compare when they add it."""

    id: str
    title: str
    fingerprint: str


def init_registry(
    root: str, registry_id: RegistryId, title: str, *, key_folder: str, passphrase: bytes | None, now: datetime
) -> NewRegistry:
    """Make the tree at `root` and its keys in `key_folder`; after a crash, the same call again begins anew.

    A crash leaves keys without a tree or a tree without ``timestamp.json``; `abandoned keys` are told apart by that
    and replaced.

    Args:
        root: a folder that is empty, or not there yet.
        registry_id: the registry's host name, its identity for ever.
        title: for people.
        key_folder: outside of `root`.
        passphrase: protects the keys; None leaves them open.
        now: the first `issued`.

    Raises:
        RegistryExistsError: something lies in `root` already, or keys of that id in `key_folder`.
    """
    check_new(root, str(registry_id), key_folder)
    os.makedirs(root, exist_ok=True)
    begin_keys(key_folder, os.path.abspath(root))
    keys = generate_keys()
    identity = Identity(str(registry_id), title)
    public = {role: key.public for role, key in keys.items()}
    root_bytes = make_root(identity, public, keys[ROOT], now)
    save_keys(key_folder, keys, root_bytes, passphrase)
    with TreeWriter(root) as writer:
        _write_tree(writer, identity, keys, root_bytes, now)
    archive_timestamp(os.path.abspath(root), 1)
    finish_keys(key_folder)
    return NewRegistry(identity.id, title, Chain(root_bytes).fingerprint)


def check_new(root: str, registry_id: str, key_folder: str) -> None:
    """Find out whether a registry may be made here.

    Raises:
        RegistryExistsError: it may not.
    """
    if os.path.basename(key_folder) == PEOPLE:
        raise RegistryExistsError(key_folder, "is where the keys of people lie, so that no registry has this id")
    # What a crash in the middle of `init` left may go: nothing signed by those keys was ever shown.
    begun = unfinished_root(key_folder)
    is_unfinished = begun is not None and not os.path.exists(f"{begun}/{layout.TIMESTAMP}")
    if os.path.isdir(root):
        if os.listdir(root) and not (is_unfinished and begun == os.path.abspath(root)):
            raise RegistryExistsError(root, "is not empty")
    elif os.path.lexists(root):
        raise RegistryExistsError(root, "is not a folder")
    inside = os.path.commonpath([os.path.realpath(root), os.path.realpath(key_folder)]) == os.path.realpath(root)
    if inside:
        raise RegistryExistsError(key_folder, "would be inside the registry, where keys never belong")
    if has_keys(key_folder) and not is_unfinished:
        raise RegistryExistsError(key_folder, f"holds keys of {registry_id} already")


def _write_tree(
    writer: TreeWriter, identity: Identity, keys: Mapping[str, SigningKey], root_bytes: bytes, now: datetime
) -> None:
    publishers = Publishers().to_bytes()
    published = TargetFile.of(publishers)
    # Bins do not name themselves: 256 empty ones are one document under 256 names, signed once.
    empty_bin = sign_listing(BIN, keys[BIN], now, {}, 1)
    files = {
        TARGETS: sign_top_targets(keys[TARGETS], now, trust=keys[TRUST].public, bins=keys[BINS].public),
        TRUST: sign_listing(TRUST, keys[TRUST], now, {layout.PUBLISHERS: published}, 1),
        BINS: sign_bins(keys[BINS], now, bin_key=keys[BIN].public),
        **dict.fromkeys(layout.bin_roles(), empty_bin),
    }
    snapshot = sign_snapshot(keys[SNAPSHOT], now, {role: RoleFile.of(1, data) for role, data in files.items()}, 1)
    timestamp = sign_timestamp(keys[TIMESTAMP], now, RoleFile.of(1, snapshot), 1)
    writer.put(layout.role_file(ROOT, 1), root_bytes)
    writer.put(layout.hashed(layout.PUBLISHERS, published.sha256), publishers)
    for role, data in files.items():
        writer.put(layout.role_file(role, 1), data)
    writer.put(layout.role_file(SNAPSHOT, 1), snapshot)
    writer.replace(layout.REGISTRY_JSON, registry_json(identity.id, identity.title))
    writer.replace(layout.FORMULAS_LISTING, listing(b"", (), 0))
    writer.prepare(layout.TIMESTAMP, (timestamp,), IMMUTABLE_MODE)
    writer.flush()
    writer.reveal()
    fsync_path(f"{writer.root}/metadata")
