"""What a file in a mirror's tree is, told from its path alone. Pure.

Rule: a file that has no shape of a tree's is foreign: nothing of ours put it there, reads it, or removes it.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from mmpm.model.names import FormulaName
from mmpm.model.versions import Version
from mmpm.registry import layout
from mmpm.registry.mirrored import MIRRORED_JSON

Shape: TypeAlias = Literal[
    "metadata", "target", "object", "signature", "release alias", "page alias", "note", "foreign"
]

_OBJECT: Final = re.compile(r"objects/[0-9a-f]{2}/[0-9a-f]{62}")
_SIGNATURE: Final = re.compile(r"signatures/[0-9a-f]{64}/[0-9a-f]{40,64}\.(sig|asc)")
_SHARD: Final = re.compile(r"(catalog/[0-9a-f]{2}\.jsonl|trust/levels/[0-9a-f]{2}\.json)")


def shape_of(path: str) -> Shape:
    """Give the shape of a file of a tree ('/'-separated, relative)."""
    if path == layout.TIMESTAMP or layout.parse_role_file(path) is not None:
        return "metadata"
    if _OBJECT.fullmatch(path):
        return "object"
    if _SIGNATURE.fullmatch(path):
        return "signature"
    if path in {layout.REGISTRY_JSON, layout.FORMULAS_LISTING, MIRRORED_JSON}:
        return "note"
    hashed = layout.parse_hashed(path)
    if hashed is not None and _is_target(hashed[0]):
        return "target"
    if release_of(path) is not None:
        return "release alias"
    name = layout.name_of_index(path)
    return "page alias" if name is not None and _is_name(name) else "foreign"


def release_of(path: str) -> tuple[str, str] | None:
    """Give name and version slot of the release whose unsigned copy lies at `path`, or None."""
    folder, _, last = path.rpartition("/")
    parent, _, version = folder.rpartition("/")
    if last not in {"index.json", "download"} or not parent.startswith("formulas/"):
        return None
    name = parent.removeprefix("formulas/")
    try:
        return (name, Version.parse(version).slot) if _is_name(name) else None
    except ValueError:
        return None


def _is_target(target: str) -> bool:
    if target == layout.PUBLISHERS or _SHARD.fullmatch(target):
        return True
    folder, _, _ = target.rpartition("/")
    name = layout.name_of_index(f"{folder}/index.json") if layout.is_page(target) else layout.name_of_index(target)
    return name is not None and _is_name(name)


def _is_name(text: str) -> bool:
    try:
        return str(FormulaName.parse(text)) == text
    except ValueError:
        return False
