"""Find the project around a folder, with `os` alone: the no-op `sync` runs this before anything else is imported."""

import os


def nearest_root(start: str, home: str, town: str) -> tuple[str, bool] | None:
    """Give the nearest folder at or above `start` with `mmpm.toml`, `mmpm.lock` or `.beads/`, and whether with ours.

    The walk stops below `home` and `town`: these are tiers of their own, never projects.

    Returns:
        `(folder, has manifest or lock)`, or `None` where no folder on the way has any.
    """
    folder = start
    while folder not in (home, town):
        if os.path.isfile(os.path.join(folder, "mmpm.toml")) or os.path.isfile(os.path.join(folder, "mmpm.lock")):
            return folder, True
        if os.path.isdir(os.path.join(folder, ".beads")):
            return folder, False
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return None
