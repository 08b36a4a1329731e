"""`.lock.json` in a formulas folder: what is installed there, as a value and as text.

The seed's fields exactly (`version`, `formulas.{name}.{version, pinned, checksum, installed_at, source}`), plus ours.
A receipt is local to a machine and alone enough to install the same bytes elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mmpm.textform import Reader, encode
from mmpm_store.errors import UnsafePathError
from mmpm_store.paths import check_path

FORMAT_VERSION = 1
FILE_NAME = ".lock.json"

_READER = Reader(FILE_NAME, "run `mmpm sync`, which writes it again from mmpm.lock")


@dataclass(frozen=True, slots=True)
class InstalledFile:
    """One file that we put into a formulas folder.

    Attributes:
        path: relative to the formulas folder, ``/``-separated, safe.
        id: ``blake3:..`` of its bytes.
        executable: whether the owner's x bit is set.
    """

    path: str
    id: str
    executable: bool


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed release.

    Attributes:
        name: the release's name, with its scope.
        version, pinned, checksum, source: as in the lock.
        installed_at: RFC 3339 UTC; kept while the release stays the same.
        tree: ``blake3:..`` of the listing.
        kind: as in the lock.
        size: as in the lock.
        requested: the range that the person asked for; empty for a dependency.
        level: the registry's trust level at install time, a hint for display.
        serial: the registry's serial at install time; 0 when no registry was asked.
        alias: the name it is installed under, if another than its own.
        origin: of a fork: ``name@version`` that it was made from.
        files: sorted by path.
    """

    name: str
    version: str
    pinned: bool
    checksum: str
    installed_at: str
    source: str
    tree: str
    kind: str = "formula"
    size: int = 0
    requested: str = ""
    level: str = "unverified"
    serial: int = 0
    alias: str | None = None
    origin: str | None = None
    files: tuple[InstalledFile, ...] = ()

    @property
    def installed_name(self) -> str:
        """The unscoped name that the release's files bear on disk."""
        return self.alias or self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything installed in one formulas folder: entries sorted by name, unique."""

    entries: tuple[Installed, ...] = field(default=())

    def get(self, name: str) -> Installed | None:
        """Give the entry of `name`, scoped name included."""
        return next((entry for entry in self.entries if entry.name == name), None)


def parse_receipt(data: bytes, what: str = FILE_NAME) -> Receipt:
    """Read a receipt; one that the seed's program wrote (its five fields only) is accepted.

    Raises:
        DocumentUnreadableError: not a receipt.
        NewerFormatError: a newer major wrote it.
    """
    reader = _READER if what == _READER.what else Reader(what, _READER.remedy)
    document = reader.document(data, FORMAT_VERSION)
    formulas = reader.mapping(document.get("formulas"), "`formulas`")
    entries = [_parse_entry(reader, name, value) for name, value in formulas.items()]
    entries.sort(key=lambda entry: entry.name)
    return Receipt(tuple(entries))


def is_receipt(data: bytes) -> bool:
    """Tell a receipt from a lock by its text; `parse_receipt` may refuse it all the same."""
    import json

    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "formulas" in document and "releases" not in document


def _parse_entry(reader: Reader, key: str, value: object) -> Installed:
    name = reader.name(key, "a key of `formulas`")
    entry = reader.mapping(value, name)
    tree = entry.get("tree", "")
    alias = entry.get("as")
    if alias is not None and "/" in reader.name(alias, f"{name}: `as`"):
        reader.fail(f"{name}: `as` is a scoped name")
    origin = entry.get("origin")
    return Installed(
        name,
        reader.version(entry.get("version"), f"{name}: `version`"),
        reader.flag(entry.get("pinned", False), f"{name}: `pinned`"),
        reader.checksum(entry.get("checksum"), f"{name}: `checksum`"),
        reader.text(entry.get("installed_at", ""), f"{name}: `installed_at`", 40),
        reader.source(entry.get("source", ""), f"{name}: `source`"),
        reader.object_id(tree, f"{name}: `tree`") if tree else "",
        reader.text(entry.get("kind", "formula"), f"{name}: `kind`", 40),
        reader.number(entry.get("size", 0), f"{name}: `size`"),
        reader.text(entry.get("requested", ""), f"{name}: `requested`"),
        reader.text(entry.get("level", "unverified"), f"{name}: `level`", 100),
        reader.number(entry.get("serial", 0), f"{name}: `serial`"),
        alias,
        None if origin is None else reader.text(origin, f"{name}: `origin`"),
        _parse_files(reader, name, alias or name.rpartition("/")[2], entry.get("files", [])),
    )


def _parse_files(reader: Reader, name: str, installed_name: str, value: object) -> tuple[InstalledFile, ...]:
    if not isinstance(value, list):
        reader.fail(f"{name}: `files` is not a list")
    files = []
    flat, folder = f"{installed_name}.formula.toml", f"{installed_name}/"
    for row in value:
        if not isinstance(row, list) or len(row) < 3 or not _is_safe(row[0]) or row[1] not in (0, 1):
            reader.fail(f"{name}: `files` has a row that is not [path, 0 or 1, blake3 id] with a safe path")
        # A release has no other places than these: what lies elsewhere is somebody's own, whatever a receipt says.
        if row[0] != flat and not row[0].startswith(folder):
            reader.fail(f"{name}: `files` has a path that is not of {installed_name}")
        files.append(InstalledFile(row[0], reader.object_id(row[2], f"{name}: `files`"), row[1] == 1))
    return tuple(files)


def _is_safe(path: object) -> bool:
    # These rows name files to be removed: they stay inside the folder, and are none of its dot files (ours, gt's).
    if not isinstance(path, str) or path.startswith("."):
        return False
    try:
        check_path(path)
    except UnsafePathError:
        return False
    return True


def format_receipt(receipt: Receipt) -> bytes:
    """Write `receipt`, one release a line: the same value always gives the same bytes."""
    lines = ",\n".join(f"{encode(entry.name)}:{encode(_entry_line(entry))}" for entry in receipt.entries)
    body = "{\n" + lines + "\n}" if lines else "{}"
    return f'{{"version":{FORMAT_VERSION},\n"formulas":{body}}}\n'.encode()


def _entry_line(entry: Installed) -> dict[str, object]:
    line: dict[str, object] = {
        "version": entry.version,
        "pinned": entry.pinned,
        "checksum": entry.checksum,
        "installed_at": entry.installed_at,
        "source": entry.source,
        "kind": entry.kind,
        "tree": entry.tree,
        "size": entry.size,
        "requested": entry.requested,
        "level": entry.level,
        "serial": entry.serial,
    }
    if entry.alias:
        line["as"] = entry.alias
    if entry.origin:
        line["origin"] = entry.origin
    line["files"] = [[file.path, int(file.executable), file.id] for file in entry.files]
    return line
