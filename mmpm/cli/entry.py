"""Where the process begins. Rule: a no-op `sync` and `--version` are answered with `os` and `sys` alone."""

import gc
import sys


def main() -> None:
    """Run the command line of this process and end it."""
    # A command makes many small values and drops them at its end: looking for cycles so often finds none.
    gc.set_threshold(50_000)
    line = sys.argv[1:]
    if line in (["--version"], ["-V"]):
        import mmpm

        sys.stdout.write("mmpm " + mmpm.__version__ + "\n")
        return
    if line == ["sync"]:
        from mmpm.cli.quick import nothing_to_do

        said = nothing_to_do()
        if said is not None:
            sys.stderr.write(said + "\n")
            return
    try:
        status = _run(line)
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


def _run(line: "list[str]") -> int:
    if "--frozen" in line:
        from mmpm.cli.quick import installed_again

        if installed_again(line):
            return 0
    from mmpm.cli.app import run

    return run(line)


if __name__ == "__main__":
    main()
