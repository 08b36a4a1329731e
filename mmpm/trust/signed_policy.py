"""A policy that an enterprise signs and its machines pin: one JSON document. Pure but for the signatures' library.

    {"format":1,"id":"acme","serial":3,"issued":"..","policy":{"min_level":"audited",..},"successor":"ed25519:..",
     "signatures":[{"public":"<hex>","signature":"<hex>"},..]}

Rules: every signature covers the canonical document without `signatures`. What a policy says that this program does
not know makes it unreadable: a rule is never left out silently.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.model.names import FormulaName
from mmpm.trust.facts import format_time, parse_time
from mmpm.trust.policy import RULES, RuleValue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from mmpm.trust.keys import SigningKey

FORMAT: Final = 1
MAX_BYTES: Final = 1 << 20
MAX_SIGNATURES: Final = 16
_KEYS: Final = {"format", "id", "serial", "issued", "policy", "successor", "signatures"}
_KEY_TEXT: Final = "ed25519:"


@dataclass(frozen=True, slots=True)
class SignedPolicy:
    """One policy document.

    Attributes:
        id: short name; one of each is pinned on a machine.
        serial: the higher one is the newer.
        issued: when it was made, RFC 3339 UTC.
        rules: by name (`mmpm.trust.policy.RULES`), as in a settings file: text, whole number, list of texts.
        successor: the key (64 hex digits) that signs the ones after this, where that is another one; else empty.
        signatures: (public key, signature), each in hex.
    """

    id: str
    serial: int
    issued: str
    rules: Mapping[str, RuleValue]
    successor: str = ""
    signatures: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        FormulaName(None, self.id)
        if format_time(parse_time(self.issued)) != self.issued:
            raise ValueError(f"{quoted(self.issued)} is not a time in UTC to the second")
        unknown = sorted(set(self.rules) - set(RULES))
        if unknown:
            raise ValueError(f"it has the rule {quoted(unknown[0])}, which this program does not know")
        if self.successor and not is_key(self.successor):
            raise ValueError("its successor is not a key such as ed25519:<64 hex digits>")

    @property
    def signed_bytes(self) -> bytes:
        """What every signature covers."""
        rules = {name: list(one) if isinstance(one, tuple) else one for name, one in self.rules.items()}
        document: dict[str, object] = {
            "format": FORMAT,
            "id": self.id,
            "serial": self.serial,
            "issued": self.issued,
            "policy": rules,
        }
        if self.successor:
            document["successor"] = _KEY_TEXT + self.successor
        return canonical_json(document)

    def to_json(self) -> dict[str, object]:
        """Give the document."""
        document = parse_json(self.signed_bytes, "the policy")
        assert isinstance(document, dict)
        return {**document, "signatures": [{"public": key, "signature": one} for key, one in self.signatures]}

    def to_bytes(self) -> bytes:
        """Give the file."""
        return canonical_json(self.to_json()) + b"\n"

    def signed(self, key: SigningKey) -> SignedPolicy:
        """Give this with a signature by `key` added, in the place of one that the same key made."""
        made = (key.public.hex, key.sign(self.signed_bytes).hex())
        others = [one for one in self.signatures if one[0] != made[0]]
        return replace(self, signatures=tuple(sorted([*others, made])))

    def is_signed_by(self, public: str) -> bool:
        """Whether a good signature by the key `public` (64 hex digits) is there."""
        from mmpm.trust.keys import PublicKey

        signature = dict(self.signatures).get(public)
        return signature is not None and PublicKey(public).verifies(bytes.fromhex(signature), self.signed_bytes)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a document.

        Raises:
            ValueError: it is none that this program can obey; one sentence.
        """
        return cls.of(parse_json(data, "the policy", max_bytes=MAX_BYTES))

    @classmethod
    def of(cls, value: object) -> Self:
        """Read a parsed document; see `parse`."""
        what = "the policy"
        fields = Fields(value, what)
        fields.require_format(FORMAT)
        assert isinstance(value, dict)
        unknown = sorted(set(value) - _KEYS)
        if unknown:
            raise ValueError(f"{what} has the key {quoted(unknown[0])}, which this program does not know")
        signatures = fields.items("signatures")
        if len(signatures) > MAX_SIGNATURES:
            raise ValueError(f"{what} has more than {MAX_SIGNATURES} signatures")
        return cls(
            fields.text("id", 64),
            fields.whole("serial"),
            fields.text("issued", 40),
            {name: _rule_value(name, one) for name, one in fields.table("policy").items()},
            (fields.optional("successor", 100) or "").removeprefix(_KEY_TEXT),
            tuple(sorted({_signature(one) for one in signatures})),
        )


def is_key(text: str) -> bool:
    """Whether `text` is a public key: 64 lower-case hex digits."""
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _rule_value(name: str, value: object) -> RuleValue:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if isinstance(value, str) or type(value) is int:
        return value
    raise ValueError(f"its rule {quoted(name)} is neither a text, a whole number nor a list of texts")


def _signature(value: object) -> tuple[str, str]:
    fields = Fields(value, "a signature of the policy")
    public, signature = fields.text("public", 64), fields.text("signature", 128)
    if not (is_key(public) and len(signature) == 128 and is_key(signature[:64]) and is_key(signature[64:])):
        raise ValueError("a signature of the policy does not hold a key of 32 bytes and a signature of 64")
    return public, signature
