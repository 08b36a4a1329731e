"""What a signing request changes, in sentences for the person whose key it waits for. Pure.

Rule: everything that would be signed is in a sentence. A file that says more than its sentences is refused, as
`documents.read_facts` refuses a document.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from mmpm.errors import SigningRequestRefusedError, printable, quoted
from mmpm.trust.facts import DOCUMENTS, ROLES, ROOT, SNAPSHOT, TIMESTAMP, TRUST
from mmpm.trust.levels import Marks, Publishers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mmpm.trust.facts import RoleKeys
    from mmpm.trust.levels import Mark, Publisher
    from mmpm.trust.signing import Examined

_PUBLISHERS: Final = "trust/publishers.json"
_LEVELS: Final = re.compile(r"trust/levels/[0-9a-f]{2}\.json")
_SHOWN_ID: Final = 16

_One = TypeVar("_One")


def describe(examined: Examined) -> tuple[str, ...]:
    """Give what a request changes; the first two sentences say of what.

    Raises:
        SigningRequestRefusedError: it changes something that cannot be said.
    """
    request, base = examined.request, examined.request.base
    identity = examined.before[ROOT].identity
    title = f" ({printable(identity.title)})" if identity is not None and identity.title != request.registry else ""
    told = [
        f"registry {request.registry}{title}, first root key sha256:{examined.fingerprint}",
        f"from its state of serial {base.serial}, root {len(base.roots)}, sha256:{examined.fingerprints[-1]}",
    ]
    vouched = "" if examined.is_sealed else " (nobody vouches for this sentence)"
    told += [f"said to be for: {printable(one)}{vouched}" for one in request.purpose]
    told += _roles(examined)
    told += _documents(examined)
    try:
        told += _files(examined)
    except ValueError as error:
        raise SigningRequestRefusedError(f"what it carries cannot be described: {error}") from None
    return tuple(told)


def _roles(examined: Examined) -> Iterator[str]:
    for role in ROLES:
        before, after = examined.keys(role)
        if before == after:
            continue
        for public in after.public:
            if public not in before.public:
                yield f"{role}: the key ed25519:{public} ({_ids(after, [public])}) is added"
        for public in before.public:
            if public not in after.public:
                yield f"{role}: the key ed25519:{public} ({_ids(before, [public])}) is taken out"
        ids = _ids(after, after.public)
        yield f"{role}: from now on {_threshold(after)} must sign: {ids} (before: {_threshold(before)})"
    online = [examined.keys(role) for role in (SNAPSHOT, TIMESTAMP)]
    if any(before.public != after.public for before, after in online):
        yield "a new epoch: readers forget which serials they have seen under the former snapshot and timestamp keys"


def _threshold(keys: RoleKeys) -> str:
    number = len(keys.public)
    return f"{keys.threshold} of {number} key{'s' * (number != 1)}"


def _ids(keys: RoleKeys, public: Iterable[str]) -> str:
    wanted = set(public)
    return ", ".join(sorted(key_id[:_SHOWN_ID] for key_id, one in keys.by_id.items() if one in wanted))


def _documents(examined: Examined) -> Iterator[str]:
    for role in DOCUMENTS:
        before, after = examined.before[role], examined.after[role]
        if role not in examined.request.documents:
            continue
        yield f"{role} becomes version {after.version}, good until {after.expires} (before: {before.expires})"
        if before.identity != after.identity and after.identity is not None:
            yield f"the registry's title becomes {quoted(after.identity.title)}"
        for peer in sorted(set(after.peers) - set(before.peers)):
            yield f"{quoted(peer)} becomes a peer"
        for peer in sorted(set(before.peers) - set(after.peers)):
            yield f"{quoted(peer)} is no peer any more"


def _files(examined: Examined) -> Iterator[str]:
    request = examined.request
    gone = set(examined.before[TRUST].targets) - set(examined.after[TRUST].targets)
    for target in sorted({*request.files, *gone}):
        before, after = request.base.files.get(target), request.files.get(target)
        if target == _PUBLISHERS and after is not None:
            yield from _publishers(before, after)
        elif _LEVELS.fullmatch(target):
            yield from _marks(before, after)
        else:
            raise ValueError(f"there is no way to say what {quoted(target)} means")


def _publishers(before: str | None, after: str) -> Iterator[str]:
    # What is replaced may be of an older version; what is signed must be exactly what its sentences say.
    old = {one.id: one for one in Publishers.parse((before or '{"format":1,"publishers":[]}').encode()).publishers}
    new = Publishers.parse(after.encode())
    if new.to_bytes() != after.encode():
        raise ValueError("the publishers say something that this version of mmpm does not know")
    for one in new.publishers:
        yield from _publisher(old.pop(one.id, None), one)
    for one in old.values():
        yield f"publisher {one.id} ({printable(one.name)}) is taken out with all its keys, scopes and names"


def _publisher(old: Publisher | None, new: Publisher) -> Iterator[str]:
    who = f"publisher {new.id}"
    if old is None:
        yield f"{who} ({printable(new.name)}) is added"
    elif old.name != new.name:
        yield f"{who} is called {printable(new.name)} from now on"
    for key in _added(old.keys if old else (), new.keys):
        shown = f"ed25519:{key.public}" if key.kind == "ed25519" else f"OpenPGP {key.key_id}"
        yield f"{who}: the key {shown} ({key.key_id[:_SHOWN_ID]}) is added"
    for key in _added(new.keys, old.keys if old else ()):
        yield f"{who}: the key {key.key_id[:_SHOWN_ID]} is taken out"
    for owned in _added((*old.scopes, *old.names) if old else (), (*new.scopes, *new.names)):
        yield f"{who} owns {owned} from now on"
    for owned in _added((*new.scopes, *new.names), (*old.scopes, *old.names) if old else ()):
        yield f"{who} owns {owned} no more"
    for one in _added(old.revoked if old else (), new.revoked):
        what = f"the key {one.key_id[:_SHOWN_ID]}" if one.key_id else "every key"
        yield f"{who}: {what} is revoked from serial {one.from_serial} on: {printable(one.reason)}"
    for one in _added(new.revoked, old.revoked if old else ()):
        what = f"of the key {one.key_id[:_SHOWN_ID]}" if one.key_id else "of every key"
        yield f"{who}: the revocation {what} from serial {one.from_serial} on is TAKEN BACK: {printable(one.reason)}"


def _marks(before: str | None, after: str | None) -> Iterator[str]:
    old = Marks.parse(before.encode()) if before else Marks()
    new = Marks.parse(after.encode()) if after else Marks()
    if after is not None and new.to_bytes() != after.encode():
        raise ValueError("a shard of marks says something that this version of mmpm does not know")
    for word, was, now in (("official", old.officials, new.officials), ("audited", old.audits, new.audits)):
        yield from _changed(word, was, now)


def _changed(word: str, was: Mapping[str, Mark], now: Mapping[str, Mark]) -> Iterator[str]:
    for key, mark in sorted(now.items()):
        if was.get(key) != mark:
            again = ", in place of another such mark" if key in was else ""
            yield f"{_marked(mark)} is marked {word}{again} ({_details(mark)})"
    for key, mark in sorted(was.items()):
        if key not in now:
            yield f"{_marked(mark)} is {word} no more ({_details(mark)})"


def _marked(mark: Mark) -> str:
    return f"{mark.name}@{mark.version} {mark.checksum}" if mark.checksum else mark.name


def _details(mark: Mark) -> str:
    note = f": {printable(mark.note)}" if mark.note else ""
    return f"by {printable(mark.by) or 'nobody named'} at {mark.at}{note}"


def _added(before: Iterable[_One], after: Iterable[_One]) -> list[_One]:
    known = set(before)
    return [one for one in after if one not in known]
