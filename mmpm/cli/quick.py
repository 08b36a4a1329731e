"""What is answered before the command line is loaded: a no-op `sync`, and installing again what was installed before.

Rule: `os` and `sys` alone until it is known that there is something to do.
"""

import os
import sys

from mmpm.project.walk import nearest_root

# Up to this many changes are named one by one.
NAMED_CHANGES = 20


def installed_line(release: str) -> str:
    """Say that ``name@version`` was installed."""
    return f"Installed: {release}"


def nothing_to_do() -> "str | None":
    """Give what a `sync` that has nothing to do says, or `None` where the real one has to look."""
    root = _project_root()
    if root is None:
        return None
    from mmpm.project.state import is_noop

    return is_noop(root, os.environ)


def installed_again(line: "list[str]") -> bool:
    """Carry out a `sync --frozen` of a lock that this machine has installed before; False: the real one has to."""
    if line[:1] != ["sync"] or "--frozen" not in line or not {"--frozen", "--offline"}.issuperset(line[1:]):
        return False
    root = _project_root()
    if root is None:
        return False
    from mmpm.execute.again import install_again

    releases = install_again(root, os.environ)
    if releases is None:
        return False
    found = "mmpm.toml" if os.path.isfile(f"{root}/mmpm.toml") else "mmpm.lock"
    tier = f"Tier: project, {root} (the nearest {found})"
    lines = [installed_line(release) for release in releases]
    if len(lines) > NAMED_CHANGES:
        lines = [f"Synced: {len(lines)} installed"]
    if _is_plain(tier):
        sys.stderr.write(tier + "\n")
        sys.stdout.writelines([line + "\n" for line in lines])
    else:
        from mmpm.cli.output import Output, Styled

        output = Output(os.environ)
        output.say(Styled(tier, "dim"))
        for said in lines:
            output.result(said)
    return True


def _is_plain(text: str) -> bool:
    """Whether both streams take `text` as it is: no person looks on, and nothing in it has to be escaped."""
    try:
        is_watched = sys.stderr.isatty() or sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))
    except (AttributeError, ValueError, OSError):
        return False
    return not is_watched and text.isascii() and text.isprintable()


def _project_root() -> "str | None":
    """Give the root of the project around the working folder; None where there is none with a manifest."""
    environ = os.environ
    home = os.path.normpath(environ.get("HOME", ""))
    town = os.path.normpath(environ.get("GT_ROOT") or environ.get("GT_HOME") or home + "/gt")
    try:
        nearest = nearest_root(os.getcwd(), home, town)
    except OSError:
        return None
    return nearest[0] if nearest is not None and nearest[1] else None
