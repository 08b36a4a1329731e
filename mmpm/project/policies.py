"""Signed policies that are pinned on this machine: read, and written down.

    /etc/mmpm/policy/<id>.json, $XDG_STATE_HOME/mmpm/policy/<id>.json
        {"format":1,"key":"ed25519:<hex>","document":{the signed policy}}

Rules: every one that lies there holds. One that cannot be read stops whatever asks for settings: a rule that nobody
can read is not a rule that does not count. The signature was checked when the file was written; whoever can write here
could pin another key as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mmpm.errors import PolicyUnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.project.places import Places
    from mmpm.trust.signed_policy import SignedPolicy

FORMAT: Final = 1
SUFFIX: Final = ".json"
MAX_BYTES: Final = 2 << 20


@dataclass(frozen=True, slots=True)
class Pinned:
    """One pinned policy.

    Attributes:
        path: its file.
        key: the public key (64 hex digits) that the next one has to be signed with.
        document: what it says.
    """

    path: str
    key: str
    document: SignedPolicy

    @property
    def origin(self) -> str:
        """How messages name it."""
        return f"the pinned policy {self.document.id}, serial {self.document.serial}"

    def to_bytes(self) -> bytes:
        """Give the file."""
        from mmpm.model.canonical import canonical_json

        head = {"format": FORMAT, "key": f"ed25519:{self.key}", "document": self.document.to_json()}
        return canonical_json(head) + b"\n"


def pinned_files(places: Places) -> Iterator[str]:
    """Give the files of pinned policies, those of the whole machine first; looks into folders alone.

    Raises:
        PolicyUnreadableError: a folder is there and cannot be read.
    """
    for folder in places.policies:
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PolicyUnreadableError(folder, str(error.strerror)) from None
        for name in names:
            if name.endswith(SUFFIX) and not name.startswith("."):
                yield f"{folder}/{name}"


def read_pinned(paths: Iterable[str]) -> tuple[Pinned, ...]:
    """Read pinned policies.

    Raises:
        PolicyUnreadableError: one of them cannot be read.
    """
    return tuple(_read(path) for path in paths)


def watched(places: Places) -> tuple[str, ...]:
    """Give every path that decides which rules hold for a person: settings, folders of policies and what is in them."""
    return (places.config_file, *places.system_config_files, *places.policies, *pinned_files(places))


def own_path(places: Places, policy_id: str) -> str:
    """Give the file of a policy that the person pins."""
    return f"{places.policies[-1]}/{policy_id}{SUFFIX}"


def _read(path: str) -> Pinned:
    from mmpm.model.canonical import parse_json
    from mmpm.model.fields import Fields
    from mmpm.trust.signed_policy import SignedPolicy, is_key

    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        fields = Fields(parse_json(data, "the pinned policy", max_bytes=MAX_BYTES), "the pinned policy")
        fields.require_format(FORMAT)
        key = fields.text("key", 100).removeprefix("ed25519:")
        document = SignedPolicy.of(fields.table("document"))
    except OSError as error:
        raise PolicyUnreadableError(path, str(error.strerror)) from None
    except ValueError as error:
        raise PolicyUnreadableError(path, str(error)) from None
    if not is_key(key):
        raise PolicyUnreadableError(path, "its key is not an ed25519 key")
    return Pinned(path, key, document)
