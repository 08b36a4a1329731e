"""The effects of `registry init`, `publish`, `sign` and `yank`: opens the keys, and the registry's writers work."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import KeyUnreadableError, UnpublishableError
from mmpm.execute.passphrases import read_passphrase
from mmpm.execute.rotating import reloading
from mmpm.execute.trusting import load_person_key
from mmpm.model.names import FormulaName, RegistryId
from mmpm.model.versions import Version
from mmpm.registry.commit import Committing
from mmpm.registry.documents import ReleaseDocument
from mmpm.registry.init import NewRegistry, init_registry
from mmpm.registry.key_folder import load_keys
from mmpm.registry.payload import collect_payload, join_lines
from mmpm.registry.publish import Published, PublishItem, publish
from mmpm.registry.sign import Countersigned, add_signature, with_key, with_openpgp
from mmpm.registry.yank import Yanked, yank
from mmpm_store.ids import ObjectId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mmpm.execute.context import Context
    from mmpm.plan import InitRegistry, Publication, PublishReleases, SignRelease, YankRelease


def apply_init(context: Context, action: InitRegistry) -> NewRegistry:
    """Make a registry and its keys."""
    passphrase = None if action.open_keys else read_passphrase(context, action.passphrase_file)
    if passphrase is None and not action.open_keys:
        raise KeyUnreadableError("a new key needs a passphrase, or the flag --no-passphrase", action.key_folder)
    return init_registry(
        action.folder,
        RegistryId.parse(action.registry),
        action.title,
        key_folder=action.key_folder,
        passphrase=passphrase,
        now=context.now,
    )


def apply_publish(context: Context, action: PublishReleases) -> Published:
    """Publish, with progress by release."""
    how = _committing(context, action.registry, action.key_folder, action.passphrase_file)
    how = replace(how, after_restore=action.after_restore)
    context.progress.start("Uploading...", max(1, len(action.releases)), "releases")
    key = load_person_key(context, action.signer, action.signer_passphrase_file) if action.signer else None
    published = publish(action.folder, _items(action), how, lambda _count: context.progress.advance(), key)
    context.progress.finish()
    return published


def apply_sign(context: Context, action: SignRelease) -> Countersigned:
    """Add one signature."""
    how = _committing(context, action.registry, action.key_folder, action.passphrase_file)
    if action.signer:
        make = with_key(load_person_key(context, action.signer, action.signer_passphrase_file))
    else:
        make = with_openpgp(action.openpgp, action.certificate, context.now)
    name, version = FormulaName.parse(action.name), Version.parse(action.version)
    return add_signature(action.folder, name, version, make, how)


def apply_yank(context: Context, action: YankRelease) -> Yanked:
    """Yank one release."""
    how = _committing(context, action.registry, action.key_folder, action.passphrase_file)
    name, version = FormulaName.parse(action.name), Version.parse(action.version)
    return yank(action.folder, name, version, action.reason, how, take_down=action.take_down)


def _committing(context: Context, registry: str, key_folder: str, passphrase_file: str | None) -> Committing:
    passphrase = read_passphrase(context, passphrase_file)
    keys = load_keys(key_folder, registry, passphrase)
    how = Committing(keys, context.now, on_wait=context.progress.say, key_folder=key_folder)
    return reloading(how, key_folder, registry, passphrase)


def _items(action: PublishReleases) -> Iterator[PublishItem]:
    for one in action.releases:
        try:
            document = ReleaseDocument.parse(one.document)
        except ValueError as error:  # a field beyond the limits of the format, an author of 10,000 letters say
            raise UnpublishableError(f"{one.name}@{one.version}", str(error)) from None
        yield PublishItem(document, _reader(document, one))


def _reader(document: ReleaseDocument, publication: Publication) -> Callable[[ObjectId], bytes]:
    """Give the function that reads a release's files anew; the writer compares them with the document."""
    path = publication.path
    if publication.parts:
        return lambda _object_id: join_lines(publication.parts)
    if os.path.isdir(path):
        places = {one.id: os.path.join(path, one.path) for one in document.tree.entries}
        if all(os.path.exists(place) for place in places.values()):  # else a name was normalised on its way in
            return lambda object_id: _read(places[object_id])
    elif document.kind != "bundle":
        return lambda _object_id: _read(path)
    collected = collect_payload(path, name=document.name, version=document.version)
    files = {ObjectId.of(file.data): file.data for file in collected.files}
    return lambda object_id: files.get(object_id, b"")


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
