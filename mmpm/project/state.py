"""The no-op `sync`: answered from one small file and the inodes it names, with `os` alone.

After a `sync` that left nothing to do, `note` writes down what every file it depends on looked like: manifest, lock,
receipt, the formulas folder itself and every installed file. While all of them look the same there is nothing to do.

Rule: no import but `os`; this runs before anything else of mmpm is loaded (a module of the standard library such as
json costs as much as the whole interpreter). The file's text (FORMAT 3), a line each:

    mmpm-state 3
    <the sentence to print>
    <root>
    <what of the environment says which rules hold>
    <inode> <mode> <size> <time in ns> <path, relative to the root's formulas folder or absolute>
    - - - - <absolute path of a file that there was not>
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = "mmpm-state 3"
_PLACES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_STATE_HOME")
_RULES = "MMPM_POLICY_"


def state_home(environ: "Mapping[str, str]") -> str:
    """Give ``$XDG_STATE_HOME/mmpm`` as `Places` does; empty if there is no home."""
    base = environ.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):
        home = environ.get("HOME", "")
        if not home.startswith("/"):
            return ""
        base = home + "/.local/state"
    return os.path.normpath(base) + "/mmpm"


def state_path(state: str, root: str) -> str:
    """Give the file for the tier at `root` (absolute), below the folder `state` (``$XDG_STATE_HOME/mmpm``)."""
    return state + "/installs" + root.rstrip("/") + "/@state"


def is_noop(root: str, environ: "Mapping[str, str]") -> "str | None":
    """Give the sentence that a `sync` of the tier at `root` prints if it has nothing to do, else None.

    Sound, not complete: None only means that the whole command must look. Every installed file is looked at (not
    read), so one that was edited, replaced or deleted is seen.
    """
    home = state_home(environ)
    if not home:
        return None
    try:
        fd = os.open(state_path(home, root), os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            text = os.read(fd, size).decode("utf-8", "surrogateescape")
        finally:
            os.close(fd)
        head, sentence, place, around, *lines = text.split("\n")
        if head != _HEAD or place != root or around != surroundings(environ) or not lines or lines.pop():
            return None
        folder = os.open(root + "/.beads/formulas", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        return sentence if looks_the_same(lines, folder) else None
    finally:
        os.close(folder)


def surroundings(environ: "Mapping[str, str]") -> str:
    """Give what of the environment says which rules hold: where settings lie, and the rules that it states; a line."""
    said = [name + "=" + environ.get(name, "") for name in _PLACES]
    said += sorted([name + "=" + environ[name] for name in environ if name.startswith(_RULES)])
    return repr(said)


def look(path: str, folder: "int | None" = None) -> str:
    """Give a line for what lies at `path` (absolute, or relative to the open `folder`).

    Raises:
        OSError: a relative path has nothing.
    """
    if path[0] == "/" and not os.path.lexists(path):
        return f"- - - - {path}"
    found = os.stat(path, dir_fd=folder, follow_symlinks=False)
    return f"{found.st_ino} {found.st_mode} {found.st_size} {found.st_mtime_ns} {path}"


def looks_the_same(lines: "list[str]", folder: "int | None" = None) -> bool:
    """Tell whether `look` would give these lines again."""
    stat = os.stat
    try:
        for line in lines:
            path = line.split(" ", 4)[4]
            if line[0] == "-":
                if os.path.lexists(path):
                    return False
                continue
            found = stat(path, dir_fd=folder, follow_symlinks=False)
            if line != f"{found.st_ino} {found.st_mode} {found.st_size} {found.st_mtime_ns} {path}":
                return False
    except (OSError, ValueError, IndexError):
        return False
    return True


def note(state: str, root: str, sentence: str, paths: "list[str]", around: str) -> bool:
    """Write down that nothing is to do at `root` while `paths` look as they do now.

    Args:
        state: ``$XDG_STATE_HOME/mmpm``.
        root: the tier's root, absolute.
        sentence: what a no-op `sync` prints; one line.
        paths: relative to ``<root>/.beads/formulas``, or absolute; ``.`` is that folder itself.
        around: what `surroundings` gave.

    Returns:
        False if it was not noted (a file vanished, or the state folder cannot be written): the next `sync` looks.
    """
    target = state_path(state, root)
    try:
        folder = os.open(root + "/.beads/formulas", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    temporary = f"{target}.{os.getpid()}"
    try:
        lines = []
        for path in paths:
            if "\n" in path:
                return False
            lines.append(look(path, folder) + "\n")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(f"{_HEAD}\n{sentence}\n{root}\n{around}\n")
            file.writelines(lines)
        os.replace(temporary, target)
    except OSError:
        return False
    finally:
        os.close(folder)
    return True


def forget(state: str, root: str) -> None:
    """Drop what was noted of `root`: called before anything there changes."""
    try:  # noqa: SIM105 - contextlib is not imported here
        os.unlink(state_path(state, root))
    except OSError:
        pass


def read_identities(path: str) -> "dict[str, tuple[int, int, int]]":
    """Give (inode, size, time in ns) by path from a state file; empty where there is none that can be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            lines = file.read().split("\n")
        if lines[0] != _HEAD:
            return {}
        rows = (line.split(" ", 4) for line in lines[4:-1] if line[:1] != "-")
        return {row[4]: (int(row[0]), int(row[2]), int(row[3])) for row in rows}
    except (OSError, ValueError, IndexError):
        return {}
