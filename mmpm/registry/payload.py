"""Reading what should become a release: a formula file, a bundle (folder or archive), molecules, execution records.

What is taken from a bundle folder: every plain file, with its x bit (the owner's), its path in Unicode normal form C.
Links, devices, pipes and sockets are refused. Left out, and said in `Payload.skipped`: folders of version control
(.git, .hg, .svn, .jj), __pycache__, .DS_Store, Thumbs.db, and empty folders, which a tree cannot hold. Of an archive
everything is taken. A bundle has its formula in ``formula.toml`` at its top.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import PayloadRefusedError, quoted
from mmpm.model.checksums import Checksum
from mmpm.model.findings import Finding
from mmpm.model.formula import parse_formula
from mmpm.model.names import FormulaName
from mmpm.model.payload import Payload
from mmpm.model.toml_text import MAX_TOML_BYTES
from mmpm_store.archive import collect_archive, strip_top
from mmpm_store.canonical import payload_checksum
from mmpm_store.errors import StoreError
from mmpm_store.ids import ObjectId
from mmpm_store.paths import MAX_DEPTH
from mmpm_store.tar import DEFAULT_LIMITS, ArchiveFile, Limits
from mmpm_store.tree import FileEntry, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mmpm.model.formula import Formula
    from mmpm.model.release import ReleaseKind
    from mmpm.model.versions import Version
    from mmpm_store.objects import Store

FORMULA_SUFFIX = ".formula.toml"
BUNDLE_SUFFIX = ".formula.bundle"
FRAGMENT_SUFFIX = ".jsonl"
RECORDS_SUFFIX = ".records.jsonl"
BUNDLE_FORMULA = "formula.toml"
SKIPPED_NAMES = frozenset({".git", ".hg", ".svn", ".jj", "__pycache__", ".DS_Store", "Thumbs.db"})

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_TAR_MAGIC = slice(257, 262)  # "ustar"


@dataclass(frozen=True, slots=True)
class Collected:
    """A payload with its files in memory.

    Attributes:
        files: sorted by path, as `payload.tree` lists them.
    """

    payload: Payload
    files: tuple[ArchiveFile, ...]


def put_payload(store: Store, collected: Collected) -> None:
    """Put files and tree of a collected payload into `store`."""
    store.put_many((file.data, file.executable) for file in collected.files)
    store.put_tree(collected.payload.tree)


def collect_payload(
    path: str, *, name: FormulaName | None = None, version: Version | None = None, limits: Limits = DEFAULT_LIMITS
) -> Collected:
    """Read a payload whole: ``X.formula.toml``, a bundle folder or a tar of one, ``X.jsonl``, ``X.records.jsonl``.

    Args:
        path: of the file or folder.
        name: overrides the file's, as publishing under a scope does.
        version: overrides the file's.
        limits: what a folder or archive may hold.

    Raises:
        PayloadRefusedError: it is none of these, holds what a bundle may not, or is too large.
        FormulaSyntaxError, FormulaInvalidError: its formula is not one.
    """
    try:
        if os.path.isdir(path):
            files, skipped = _read_folder(path, limits)
            return _bundle(path, files, skipped, name, version)
        with open(path, "rb") as file:
            first = file.read(512)
            file.seek(0)
            if _is_archive(first):
                return _bundle(path, strip_top(collect_archive(file, limits))[1], (), name, version)
            data = file.read(limits.file_bytes + 1)
    except FileNotFoundError:
        raise PayloadRefusedError(path, "no such file or folder") from None
    except OSError as error:
        raise PayloadRefusedError(path, error.strerror or "cannot be read", "look at its permissions") from None
    except StoreError as error:
        raise PayloadRefusedError(path, error.fact, error.remedy) from None
    if len(data) > limits.file_bytes:
        raise PayloadRefusedError(path, f"the file has more than {limits.file_bytes} bytes")
    if os.path.basename(path) == BUNDLE_FORMULA and _bundle_above(path):
        raise PayloadRefusedError(
            path, "this is only one file of a bundle", f"give the folder: {os.path.dirname(path)}"
        )
    return collect_bytes(data, path, name=name, version=version)


def collect_bytes(
    data: bytes, filename: str, *, name: FormulaName | None = None, version: Version | None = None
) -> Collected:
    """Read a payload from bytes, as `import` gets them from standard input; the same errors as `collect_payload`."""
    if _is_archive(data[:512]):
        try:
            return _bundle(filename, strip_top(collect_archive(data))[1], (), name, version)
        except StoreError as error:
            raise PayloadRefusedError(filename, error.fact, error.remedy) from None
    if filename.endswith(RECORDS_SUFFIX):
        return _records(data, filename, name, version)
    if filename.endswith(FRAGMENT_SUFFIX):
        return _fragment(data, filename, name, version)
    formula = parse_formula(data, os.path.basename(filename))
    own = name or FormulaName.parse(formula.name)
    files = (ArchiveFile(f"{own.unscoped}{FORMULA_SUFFIX}", executable=False, data=data),)
    return _collected(own, version, "formula", files, formula)


def join_lines(parts: Iterable[str]) -> bytes:
    """Give the file whose lines are the contents of these files, in this order.

    Raises:
        PayloadRefusedError: one cannot be read, or together they are more than a payload may be.
    """
    lines = bytearray()
    for path in parts:
        try:
            with open(path, "rb") as file:
                lines += file.read(DEFAULT_LIMITS.file_bytes - len(lines) + 1) + b"\n"
        except OSError as error:
            raise PayloadRefusedError(path, error.strerror or "cannot be read", "run the command again") from None
        if len(lines) > DEFAULT_LIMITS.file_bytes:
            raise PayloadRefusedError(path, f"with it there are more than {DEFAULT_LIMITS.file_bytes} bytes")
    return bytes(lines)


def _is_archive(first: bytes) -> bool:
    return first.startswith((_GZIP, _ZSTD)) or first[_TAR_MAGIC] == b"ustar"


def _bundle_above(path: str) -> bool:
    return os.path.basename(os.path.dirname(os.path.abspath(path))).endswith(BUNDLE_SUFFIX)


def _collected(
    name: FormulaName,
    given: Version | None,
    kind: ReleaseKind,
    files: tuple[ArchiveFile, ...],
    formula: Formula | None,
    *,
    skipped: tuple[str, ...] = (),
    about: str = "",
) -> Collected:
    """Make listing and checksum of `files` (sorted); the version is the `given` one, else the formula's."""
    tree = Tree.of(FileEntry(file.path, file.executable, ObjectId.of(file.data), len(file.data)) for file in files)
    if kind == "bundle":
        digest, size = payload_checksum(name.unscoped, files)
        checksum = Checksum(digest)
    else:
        checksum, size = Checksum.of(files[0].data), len(files[0].data)
    findings = list(formula.warnings) if formula else []
    if formula and FormulaName.parse(formula.name).base != name.base:
        told = f"the file says that it is {quoted(formula.name)}: bd and gt will know it as that"
        findings.append(Finding("name-differs", "formula", told))
    version = given or (formula.version if formula else None)
    if version is None:
        raise PayloadRefusedError(str(name), "nothing states its version", "give it with --version 1.0.0")
    missing = tuple(key for key in (formula.missing if formula else ()) if not (key == "version" and given))
    payload = Payload(name, version, kind, tree, checksum, size, formula, missing, tuple(findings), skipped, about)
    return Collected(payload, files)


def _bundle(
    path: str,
    files: list[ArchiveFile],
    skipped: tuple[str, ...],
    name: FormulaName | None,
    version: Version | None,
) -> Collected:
    main = next((file for file in files if file.path == BUNDLE_FORMULA), None)
    if main is None:
        raise PayloadRefusedError(
            path, f"there is no {BUNDLE_FORMULA} at the top of the bundle", f"name its formula {BUNDLE_FORMULA}"
        )
    formula = parse_formula(main.data, f"{os.path.basename(path.rstrip('/'))}/{BUNDLE_FORMULA}")
    own = name or FormulaName.parse(formula.name)
    ordered = tuple(sorted(files, key=lambda file: file.path))
    try:
        return _collected(own, version, "bundle", ordered, formula, skipped=skipped)
    except StoreError as error:
        raise PayloadRefusedError(path, error.fact, error.remedy) from None


def _read_folder(top: str, limits: Limits) -> tuple[list[ArchiveFile], tuple[str, ...]]:
    """Read every file below `top`, and name what was skipped; bounded like an archive."""
    files: list[ArchiveFile] = []
    skipped: list[str] = []
    total = 0
    for relative, entry in _walk(top, skipped):
        if len(files) >= limits.members:
            raise PayloadRefusedError(top, f"the folder has more than {limits.members} files")
        data, executable = _read_plain_file(top, relative, entry.path, limits)
        total += len(data)
        if total > limits.total_bytes:
            raise PayloadRefusedError(top, f"the folder has more than {limits.total_bytes} bytes")
        files.append(ArchiveFile(unicodedata.normalize("NFC", relative), executable, data))
    return files, tuple(sorted(skipped))


def _walk(top: str, skipped: list[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Give every entry below `top` that is neither a folder nor skipped, with its relative path."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        if folder.count("/") > MAX_DEPTH:
            raise PayloadRefusedError(top, f"the folder is more than {MAX_DEPTH} levels deep")
        with os.scandir(os.path.join(top, folder)) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
        if not inside and folder:
            skipped.append(folder)
        for entry in inside:
            relative = folder + entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name in SKIPPED_NAMES:
                    skipped.append(f"{relative}/")
                else:
                    waiting.append(f"{relative}/")
            elif entry.name in SKIPPED_NAMES and not entry.is_symlink():
                skipped.append(relative)
            else:
                yield relative, entry


def _read_plain_file(top: str, relative: str, path: str, limits: Limits) -> tuple[bytes, bool]:
    """Read one file of a bundle folder and tell its x bit; what is no plain file is refused unopened."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        raise PayloadRefusedError(top, f"{quoted(relative)} is a symbolic link", "put a copy of the file in its place")
    if not stat.S_ISREG(status.st_mode):
        raise PayloadRefusedError(top, f"{quoted(relative)} is not a plain file", "take it out of the folder")
    # Between the look and the opening it may have been exchanged: never follow, never wait for a pipe's other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise PayloadRefusedError(top, f"{quoted(relative)} is not a plain file", "take it out of the folder")
        data = file.read(limits.file_bytes + 1)
    if len(data) > limits.file_bytes:
        raise PayloadRefusedError(top, f"{quoted(relative)} has more than {limits.file_bytes} bytes")
    if relative == BUNDLE_FORMULA and len(data) > MAX_TOML_BYTES:
        raise PayloadRefusedError(top, f"{BUNDLE_FORMULA} has more than {MAX_TOML_BYTES} bytes")
    return data, bool(status.st_mode & stat.S_IXUSR)


def _fragment(data: bytes, filename: str, name: FormulaName | None, version: Version | None) -> Collected:
    """Read a molecules fragment: JSON lines, each a record that a catalogue reads, no id twice."""
    from mmpm.molecule.beads.records import Record

    name = name or _name_of_file(filename, FRAGMENT_SUFFIX)
    if version is None:
        raise PayloadRefusedError(filename, "a molecules fragment states no version", "give it with --version 1.0.0")
    lines: dict[str, int] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            # As a catalogue will read it: what it would leave out is nobody's to install.
            record = Record.parse(line.strip())
        except ValueError as error:
            raise PayloadRefusedError(filename, f"line {number}: {error}", "correct that line") from None
        before = lines.setdefault(record.id, number)
        if before != number:
            reason = f"line {number} has the id {quoted(record.id)} of line {before}, and a catalogue takes one of them"
            raise PayloadRefusedError(filename, reason, "take one of these lines out")
    if not lines:
        raise PayloadRefusedError(filename, "the fragment has no records", "write one record a line")
    files = (ArchiveFile(f"{name.unscoped}{FRAGMENT_SUFFIX}", executable=False, data=data),)
    return _collected(name, version, "molecules", files, None)


def _records(data: bytes, filename: str, name: FormulaName | None, version: Version | None) -> Collected:
    """Read execution records: one digest a line, each verified, none twice."""
    from mmpm.molecule.record_file import Summary, read_record_lines

    name = name or _name_of_file(filename, RECORDS_SUFFIX)
    if version is None:
        raise PayloadRefusedError(filename, "execution records state no version", "give it with --version 1.0.0")
    summary = Summary()
    lines: dict[str, int] = {}
    for line in read_record_lines(data):
        if line.digest is None:
            raise PayloadRefusedError(filename, f"line {line.number} {line.reason}", "take that line out")
        before = lines.setdefault(line.digest.root, line.number)
        if before != line.number:
            raise PayloadRefusedError(filename, f"line {line.number} is line {before} again", "take that line out")
        summary.add(line.digest)
    if not lines:
        raise PayloadRefusedError(filename, "there are no records in it", "write one digest a line")
    files = (ArchiveFile(f"{name.unscoped}{RECORDS_SUFFIX}", executable=False, data=data),)
    return _collected(name, version, "records", files, None, about=summary.sentence)


def _name_of_file(filename: str, suffix: str) -> FormulaName:
    try:
        return FormulaName.parse(os.path.basename(filename).removesuffix(suffix))
    except ValueError as error:
        raise PayloadRefusedError(filename, f"the file's name names the release: {error}") from None
