"""Installing again what this machine has installed before, in a folder where nothing is: a fresh clone or work tree.

After an installation into an empty place `mmpm.execute.remembering` writes down all that it came to: which objects were
linked where, and which texts lay beside them. Where the same lock is to be installed under the same circumstances,
that is read back here and done: every object re-hashed, linked, the texts written, all of it flushed and renamed.

Rules: nothing is decided here. Whatever is not exactly as it was written down (another setting, an object that is
damaged or gone, a folder that is there, a lock that another process holds) gives `None`, and the real command does and
says the rest; what was staged until then it clears away. No import that costs: planning a thousand releases takes
longer than linking them, and so do the imports of those who plan.
"""

import os
from time import gmtime, strftime

from blake3 import blake3

from mmpm.execute.locking import STAGING_PREFIX, hold_at_once, journal_path, release
from mmpm.project.state import forget, looks_the_same, state_home
from mmpm_store.durable import fsync_path, sync_filesystem, write_file_durably
from mmpm_store.rooting import write_root
from mmpm_store.verifying import intact_ones

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = "mmpm-again 1"
# Up to this many links are flushed folder by folder: syncfs also waits for what other programs wrote.
FEW = 16
_RECEIPT = ".lock.json"
# Variables that say where things are: the same texts, or nothing is as it was.
_PLACES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_STATE_HOME", "MMPM_STORE")
# Variables of ours that change nothing about an installation from the store, as their names begin.
_HARMLESS = ("MMPM_TOKEN", "MMPM_KEY_PASSPHRASE", "MMPM_CORPUS")


class Memory:
    """What an installation came to; `text` and `parse` are each other's inverse.

    Attributes:
        circumstances: as `circumstances` gave it.
        store: the store's folder.
        watched: lines of `mmpm.project.state.look` about files that decide how and what is installed.
        releases: ``name@version``, in the order of the plan.
        trees: ``blake3:..`` of what the receipt uses, sorted.
        installed_at: the time in the receipt.
        folders: below the formulas folder, parents first.
        objects: name below the store's ``objects/``, size in bytes, paths below the formulas folder.
        texts: name in the formulas folder -> content.
    """

    __slots__ = (
        "circumstances",
        "folders",
        "installed_at",
        "objects",
        "releases",
        "store",
        "texts",
        "trees",
        "watched",
    )

    def __init__(
        self,
        *,
        circumstances: str,
        store: str,
        watched: list[str],
        releases: list[str],
        trees: list[str],
        installed_at: str,
        folders: list[str],
        objects: list[tuple[str, int, list[str]]],
        texts: dict[str, str],
    ) -> None:
        self.circumstances = circumstances
        self.store = store
        self.watched = watched
        self.releases = releases
        self.trees = trees
        self.installed_at = installed_at
        self.folders = folders
        self.objects = objects
        self.texts = texts

    @property
    def is_small(self) -> bool:
        """Whether so few files are linked that flushing them one by one is faster than all that waits."""
        return sum([len(paths) for _, _, paths in self.objects]) <= FEW

    def to_bytes(self) -> bytes:
        """Give the file's text: fields between NUL, the hash of all before it last."""
        rows = [f"{name} {size} " + "\t".join(paths) for name, size, paths in self.objects]
        lists = (self.watched, self.releases, self.trees, self.folders, rows)
        pairs = [part for item in self.texts.items() for part in item]
        fields = [HEAD, self.circumstances, self.store, self.installed_at, *map("\n".join, lists), *pairs]
        data = "\0".join(fields).encode("utf-8", "surrogateescape")
        return data + b"\0" + blake3(data).hexdigest().encode()

    @classmethod
    def parse(cls, data: bytes) -> "Memory | None":
        """Read what `to_bytes` wrote; None for anything else, as a crash or a power cut may leave it."""
        if blake3(data[:-65]).hexdigest().encode() != data[-64:]:
            return None
        head, circumstances, store, installed_at, *fields = data[:-65].decode("utf-8", "surrogateescape").split("\0")
        if head != HEAD:
            return None
        watched, releases, trees, folders, rows = [field.split("\n") if field else [] for field in fields[:5]]
        objects = []
        for row in rows:
            name, size, paths = row.split(" ", 2)
            objects.append((name, int(size), paths.split("\t")))
        texts = dict(zip(fields[5::2], fields[6::2], strict=True))
        return cls(
            circumstances=circumstances,
            store=store,
            watched=watched,
            releases=releases,
            trees=trees,
            installed_at=installed_at,
            folders=folders,
            objects=objects,
            texts=texts,
        )


def memory_path(state: str, lock: bytes) -> str:
    """Give the file of a lock's memory: `lock` is its canonical text."""
    return f"{state}/again/{blake3(lock).hexdigest()}"


def circumstances(environ: "Mapping[str, str]") -> "str | None":
    """Give what of the environment says where things are; None where a variable of ours says more than that."""
    for name, value in environ.items():
        if name == "MMPM_STORE":
            is_known = value[:1] in {"", "/"}
        elif name == "MMPM_OFFLINE":
            is_known = value in {"", "0", "1"}
        else:
            is_known = not name.startswith("MMPM_") or name.startswith(_HARMLESS)
        if not is_known:
            return None
    return "\1".join([environ.get(name, "") for name in _PLACES])


def install_again(root: str, environ: "Mapping[str, str]") -> "list[str] | None":
    """Install what the project's lock says as it was installed before, if nothing is installed there yet.

    Returns:
        ``name@version`` of each release; None where the real command has to look.
    """
    state = state_home(environ)
    parent = f"{root}/.beads"
    formulas = f"{parent}/formulas"
    try:
        with open(f"{root}/mmpm.lock", "rb") as file:
            lock = file.read()
        with open(memory_path(state, lock), "rb") as file:
            memory = Memory.parse(file.read())
        if memory is None or memory.circumstances != circumstances(environ) or not looks_the_same(memory.watched):
            return None
        # A link on the way may lead out of the project: that is for the real command to judge.
        for path in (root, parent, f"{root}/mmpm.lock", f"{root}/mmpm.toml"):
            if os.path.realpath(path) != path:
                return None
        if os.path.lexists(formulas) or not hold_at_once(state, formulas):
            return None
        try:
            os.makedirs(parent, exist_ok=True)
            if os.path.lexists(journal_path(state, formulas)):
                return None
            if any(name.startswith(STAGING_PREFIX) for name in os.listdir(parent)):
                return None
            forget(state, root)
            write_root(memory.store, f"{formulas}/{_RECEIPT}", memory.trees, durable=memory.is_small)
            staging = f"{parent}/{STAGING_PREFIX}{os.urandom(6).hex()}"
            os.mkdir(staging)
            if not _stage(memory, f"{staging}/new"):
                return None
            _flush(memory, staging)
            os.rename(f"{staging}/new", formulas)
            fsync_path(parent)
            os.rmdir(staging)
        finally:
            release(formulas)
    except (OSError, ValueError):
        return None
    return memory.releases


def _stage(memory: Memory, into: str) -> bool:
    """Make the formulas folder in the folder `into`; False if an object is not what it was."""
    os.mkdir(into)
    target = os.open(into, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    source = os.open(f"{memory.store}/objects", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    verdicts = intact_ones(source, [(name, size) for name, size, _ in memory.objects])
    try:
        for folder in memory.folders:
            os.mkdir(folder, dir_fd=target)
        link = os.link
        for name, _, paths in memory.objects:
            if not next(verdicts):
                return False
            for path in paths:
                link(name, path, src_dir_fd=source, dst_dir_fd=target)
    finally:
        verdicts.close()
        os.close(source)
        os.close(target)
    old = f'"installed_at":"{memory.installed_at}"'
    now = strftime('"installed_at":"%Y-%m-%dT%H:%M:%SZ"', gmtime())
    for name, text in memory.texts.items():
        content = text.replace(old, now) if name == _RECEIPT else text
        write_file_durably(f"{into}/{name}", content.encode("utf-8", "surrogateescape"), durable=False)
    return True


def _flush(memory: Memory, staging: str) -> None:
    """Make durable what was staged, and the root: the store's file system is this one, for its files were linked."""
    if not memory.is_small:
        sync_filesystem(staging)
        return
    for name in memory.texts:
        fsync_path(f"{staging}/new/{name}")
    for folder in ["", *memory.folders]:
        fsync_path(f"{staging}/new/{folder}")
    fsync_path(staging)
