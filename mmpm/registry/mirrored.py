"""What a mirror says that it carries: ``mirrored.json`` of one registry, and the registries that ``mirror.json`` names.

Rule: neither is signed, so neither is believed. `mirrored.json` only takes releases out of what may be chosen, which
whoever serves the mirror can do anyway by not serving them; the registries of `mirror.json` are each introduced and
confirmed on their own. `ValueError` with one plain sentence for anything that is not the document expected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mmpm.errors import quoted
from mmpm.model.canonical import canonical_json, parse_json
from mmpm.model.fields import Fields
from mmpm.model.names import RegistryId

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from mmpm.model.release import Release

MIRROR_JSON: Final = "mirror.json"
POLICY_JSON: Final = "policy.json"
MIRRORED_JSON: Final = "mirrored.json"
MIRRORS: Final = "mirrors"
"""The folder of a mirror's root that holds a registry's tree under each registry's id."""
FORMAT: Final = 1
MAX_MIRRORED_BYTES: Final = 8 << 20
MAX_MIRROR_BYTES: Final = 16 << 20
MAX_NAMES: Final = 200_000
MAX_REGISTRIES: Final = 1000


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Which releases of a registry a mirror carries.

    Attributes:
        registry_id: the registry.
        serial: of the state that the mirror showed when it was written.
        is_complete: every release of that state; then `releases` is not looked at.
        releases: versions by name.
    """

    registry_id: str
    serial: int
    is_complete: bool
    releases: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def has(self, release: Release) -> bool:
        """Whether `release` may be there; what appeared after `serial` is nothing that this speaks of."""
        if self.is_complete or release.serial > self.serial:
            return True
        return str(release.version) in self.releases.get(str(release.name), ())

    def to_bytes(self) -> bytes:
        """Give ``mirrored.json``."""
        return canonical_json(
            {
                "format": FORMAT,
                "id": self.registry_id,
                "serial": self.serial,
                "complete": self.is_complete,
                "releases": {name: sorted(versions) for name, versions in self.releases.items()},
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read what anybody may have written.

        Raises:
            ValueError: not that document.
        """
        what = MIRRORED_JSON
        fields = Fields(parse_json(data, what), what)
        fields.require_format(FORMAT)
        listed = fields.table("releases")
        if len(listed) > MAX_NAMES:
            raise ValueError(f"{what} has {len(listed)} names; at most {MAX_NAMES} are allowed")
        releases: dict[str, frozenset[str]] = {}
        for name, versions in listed.items():
            if not isinstance(versions, list) or not all(isinstance(one, str) for one in versions):
                raise ValueError(f"{what}: the versions of {quoted(name)} are not a list of texts")
            releases[name] = frozenset(versions)
        return cls(fields.text("id", 300), fields.whole("serial"), fields.flag("complete"), releases)


def mirrored_registries(data: bytes) -> tuple[str, ...]:
    """Give the ids of the registries that a ``mirror.json`` names, sorted; each has its tree below `MIRRORS`.

    Raises:
        ValueError: not that document, or it names something that can be no registry.
    """
    fields = Fields(parse_json(data, MIRROR_JSON), MIRROR_JSON)
    fields.require_format(FORMAT)
    found = fields.table("registries")
    if len(found) > MAX_REGISTRIES:
        raise ValueError(f"{MIRROR_JSON} names {len(found)} registries; at most {MAX_REGISTRIES} are allowed")
    return tuple(sorted(str(RegistryId.parse(one)) for one in found))
