"""Where the process begins and ends. Rule: a no-op `sync` and `--version` are answered with `os` and `sys` alone."""

import gc
import os
import sys


def main() -> None:
    """Run the command line of this process and end it."""
    # A command makes many small values and drops them at its end: looking for cycles so often finds none. A list of
    # 10,000 molecules has 150,000 of them, and walking these costs as much as reading them.
    gc.set_threshold(200_000)
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
    _end(status)


def _run(line: "list[str]") -> int:
    if "--frozen" in line:
        from mmpm.cli.quick import installed_again

        if installed_again(line):
            return 0
    from mmpm.cli.app import run

    return run(line)


def _end(status: int) -> None:
    """End the process without giving back its memory value by value, which takes 7 ms after a thousand names.

    What a process owes at its end is done here: what was registered for it is called and the streams are flushed.
    Files were closed by whoever opened them. Where a thread is still at work, or somebody measures or traces, the
    interpreter ends as it does.
    """
    threading = sys.modules.get("threading")
    is_watched = sys.getprofile() is not None or sys.gettrace() is not None
    if is_watched or (threading is not None and threading.active_count() > 1):
        sys.exit(status)
    import atexit

    atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter itself calls at its end
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        status = status or 1
    os._exit(status)


if __name__ == "__main__":
    main()
