"""The file of a signing request: what is to be signed, carried to the machine with the keys and back. Pure.

A request holds the new documents of root, targets, trust and bins as far as they change, the files that the new trust
lists, and the state that all of it starts from, complete enough to be verified from the first root on. So whoever has
nothing but the file and a key can be told what changes. `docs/formats.md`, "Signing requests".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mmpm.errors import SigningRequestRefusedError, UntrustedMetadataError
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.trust.documents import join_parts, split_parts
from mmpm.trust.facts import DOCUMENTS, ROOT
from mmpm.trust.keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from mmpm.trust.keys import SigningKey

FORMAT: Final = 1
KIND: Final = "signing-request"
MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_ROOTS: Final = 10_000
_MAX_TEXT: Final = 1000

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Base:
    """The state that a request starts from.

    Attributes:
        serial: of the registry then; documents and not serials decide whether a request still fits.
        roots: every root document since the first.
        documents: of targets, trust and bins, as they are.
        files: of what the role trust lists, those that change, as they are.
    """

    serial: int
    roots: tuple[bytes, ...]
    documents: Mapping[str, bytes]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature of the whole request, its collected signatures aside, by a key that the registry publishes with.

    It vouches for what no document says: the purpose and the serial.
    """

    public: str
    signature: str


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """What is to be signed.

    Attributes:
        registry: the id.
        purpose: sentences by whoever made it.
        base: the state before.
        documents: the new ones by role, in the order of `DOCUMENTS`, with the signatures so far.
        files: the targets that go with the role trust: those that are new or other than before.
        seal: None where whoever made it has none of the registry's online keys.
    """

    registry: str
    purpose: tuple[str, ...]
    base: Base
    documents: Mapping[str, bytes]
    files: Mapping[str, str] = field(default_factory=dict)
    seal: Seal | None = None

    @property
    def id(self) -> str:
        """The sha256 of all but signatures: the same before and after it was signed."""
        return hashlib.sha256(self._sealed()).hexdigest()

    def to_bytes(self) -> bytes:
        """Give the canonical file."""
        seal = {"public": self.seal.public, "signature": self.seal.signature} if self.seal else None
        return canonical_json({**self._value(self.documents), "seal": seal}) + b"\n"

    def sealed(self, key: SigningKey) -> SigningRequest:
        """Give the request with a seal by `key`."""
        return replace(self, seal=Seal(key.public.hex, key.sign(self._sealed()).hex()))

    def has_seal_of(self, keys: Iterable[str]) -> bool:
        """Whether its seal holds and is of one of `keys` (public, hex)."""
        if self.seal is None or self.seal.public not in keys:
            return False
        return PublicKey(self.seal.public).verifies(bytes.fromhex(self.seal.signature), self._sealed())

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the file.

        Raises:
            SigningRequestRefusedError: it is none.
        """
        try:
            return cls._read(data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SigningRequestRefusedError(str(error)) from None
        except UntrustedMetadataError as error:
            raise SigningRequestRefusedError(error.fact) from None

    @classmethod
    def _read(cls, data: bytes) -> Self:
        value = parse_json(data, "a signing request", max_bytes=MAX_BYTES)
        fields = Fields(value, "a signing request")
        fields.require_format(FORMAT)
        if fields.text("kind", 40) != KIND:
            raise ValueError("it is no signing request")
        base = Fields(value.get("base"), "the base of a signing request")
        roots = [_envelope(one) for one in base.items("roots")]
        if not 0 < len(roots) <= _MAX_ROOTS:
            raise ValueError("its base does not have all roots from the first on")
        seal = value.get("seal")
        read = cls(
            fields.text("registry", 300),
            tuple(_short(one) for one in fields.items("purpose")),
            Base(
                base.whole("serial"),
                tuple(roots),
                _unique((str(one["role"]), _envelope(one)) for one in _tables(base, "documents")),
                _unique((str(one["target"]), str(one["text"])) for one in _tables(base, "files")),
            ),
            _unique((str(one["role"]), _envelope(one)) for one in _tables(fields, "documents")),
            _unique((str(one["target"]), str(one["text"])) for one in _tables(fields, "files")),
            None if seal is None else Seal(PublicKey(seal["public"]).hex, bytes.fromhex(seal["signature"]).hex()),
        )
        if canonical_json(value) + b"\n" != read.to_bytes():
            raise ValueError("it says something that this version of mmpm does not know")
        return read

    def _sealed(self) -> bytes:
        bare = {role: join_parts(split_parts(data)[0], {}) for role, data in self.documents.items()}
        return canonical_json(self._value(bare))

    def _value(self, documents: Mapping[str, bytes]) -> dict[str, object]:
        return {
            "format": FORMAT,
            "kind": KIND,
            "registry": self.registry,
            "purpose": list(self.purpose),
            "base": {
                "serial": self.base.serial,
                "roots": [_told(ROOT, one) for one in self.base.roots],
                "documents": [_told(role, one) for role, one in sorted(self.base.documents.items())],
                "files": [{"target": target, "text": text} for target, text in sorted(self.base.files.items())],
            },
            "documents": [_told(role, documents[role]) for role in DOCUMENTS if role in documents],
            "files": [{"target": target, "text": text} for target, text in sorted(self.files.items())],
        }


def _tables(fields: Fields, key: str) -> list[Any]:
    found: list[Any] = fields.items(key)
    return found


def _told(role: str, data: bytes) -> dict[str, object]:
    signed, signatures = split_parts(data)
    listed = [{"keyid": key_id, "sig": signature} for key_id, signature in sorted(signatures.items())]
    return {"role": role, "version": signed["version"], "signed": signed, "signatures": listed}


def _envelope(one: Any) -> bytes:
    signatures = _unique((str(each["keyid"]), str(each["sig"])) for each in one["signatures"])
    if not isinstance(one["signed"], dict) or one["signed"].get("version") != one["version"]:
        raise ValueError("a document of it has another version than is written beside it")
    return join_parts(one["signed"], signatures)


def _unique(pairs: Iterable[tuple[_Key, Any]]) -> dict[_Key, Any]:
    listed = list(pairs)
    found = dict(listed)
    if len(found) != len(listed):
        raise ValueError("it names a document, file or signature twice")
    return found


def _short(text: object) -> str:
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        raise ValueError(f"a sentence of its purpose is no text of at most {_MAX_TEXT} characters")
    return text
