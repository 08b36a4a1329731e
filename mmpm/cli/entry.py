"""Where the process begins. Rule: a no-op `sync` and `--version` are answered with `os` and `sys` alone."""

import sys


def main() -> None:
    """Run the command line of this process and end it."""
    line = sys.argv[1:]
    if line in (["--version"], ["-V"]):
        import mmpm

        sys.stdout.write("mmpm " + mmpm.__version__ + "\n")
        return
    if line == ["sync"]:
        said = _nothing_to_do()
        if said is not None:
            sys.stderr.write(said + "\n")
            return
    try:
        from mmpm.cli.app import run

        status = run(line)
    except KeyboardInterrupt:
        status = 130
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        from mmpm.cli.output import silence

        silence()
        status = status or (141 if isinstance(error, BrokenPipeError) else 1)
    sys.exit(status)


def _nothing_to_do() -> str | None:
    """Give what a `sync` that has nothing to do says, or `None` where the real one has to look."""
    import os

    from mmpm.project.walk import nearest_root

    environ = os.environ
    home = environ.get("HOME", "")
    town = environ.get("GT_ROOT") or environ.get("GT_HOME") or home + "/gt"
    try:
        nearest = nearest_root(os.getcwd(), home, town)
        if nearest is None or not nearest[1]:
            return None
        from mmpm.project.state import is_noop

        return is_noop(nearest[0], environ)
    except (ImportError, OSError):
        return None


if __name__ == "__main__":
    main()
