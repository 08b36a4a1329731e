"""One run of the command line, from words to an exit status."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mmpm.cli.failures import report
from mmpm.cli.options import take_options
from mmpm.cli.output import Output, can_show, is_terminal
from mmpm.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from inspect import BoundArguments

    from cyclopts import App


def run(
    line: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: str | None = None,
    now: datetime | None = None,
    guard_offline: Callable[[], None] | None = None,
) -> int:
    """Run one command line (without the program's name) and give the exit status; nothing is raised.

    Args:
        line: the words behind `mmpm`.
        environ: instead of the process environment.
        cwd: instead of the process working folder.
        now: turns the clock by hand; UTC and aware. There is no variable or flag for it.
        guard_offline: instead of forbidding sockets for the life of the process.
    """
    environ = os.environ if environ is None else environ
    output = Output(environ, as_json="--json" in line)
    session: Session | None = None
    try:
        options, words = take_options(line)
        output = Output(
            environ,
            as_json=options.as_json,
            quiet=options.quiet,
            verbose=options.verbose,
            progress=not options.no_progress,
            color=options.color or "auto",
        )
        session = Session(
            options=options,
            output=output,
            environ=environ,
            cwd=os.getcwd() if cwd is None else cwd,
            now=now or _clock(),
            guard_offline=guard_offline or _forbid_sockets,
        )
        if options.offline:
            session.guard_offline()
        return _dispatch(words, session)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # noqa: BLE001  # the one place where every failure becomes a message
        if session is not None:
            session.progress.abandon()
        try:
            return report(error, output)
        except BrokenPipeError as broken:
            return report(broken, output)
    finally:
        _let_go()


def _let_go() -> None:
    """Let others change the folders that this command kept them from; a command that kept none never imported that."""
    locking = sys.modules.get("mmpm.execute.locking")
    if locking is not None:
        locking.release_all()


def _clock() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _forbid_sockets() -> None:
    from mmpm.cli.offline import forbid_sockets

    forbid_sockets()


def _dispatch(words: list[str], session: Session) -> int:
    """Find the command that the words name, read its parameters, call it."""
    if words[:1] == ["formula"]:  # the seeds type `gt formula install`
        words = words[1:]
    if words[:1] in (["--version"], ["-V"]):
        return _version(session)
    quick = _quick_sync(words, session)
    if quick is not None:
        return quick
    from mmpm.cli.table import build_app, find_row

    out = session.output.out
    app = build_app(fancy=is_terminal(out) and can_show(out, "╭│") and session.environ.get("TERM") != "dumb")
    command, bound, ignored = _parsed(app, words)
    given = {"session": session} if "session" in ignored else {}
    row = find_row(words)
    if given and row is not None and row.changes_tier:
        session.say_tier()
    status = command(*bound.args, **bound.kwargs, **given)
    session.output.out.flush()
    return status if isinstance(status, int) else 0


def _parsed(app: App, words: list[str]) -> tuple[Callable[..., object], BoundArguments, Mapping[str, object]]:
    """Read a command's parameters; a lone `-` that is no option's value is an operand, which the parser denies.

    Raises:
        UsageError: the line is none of the command's.
    """
    from cyclopts import CycloptsError, UnknownOptionError

    from mmpm.cli.usage import as_usage

    try:
        return app.parse_args(words, print_error=False, exit_on_error=False)
    except UnknownOptionError as error:
        if "-" not in {error.token.keyword, error.token.value} or "--" in words:
            raise as_usage(error, words) from error
    except CycloptsError as error:
        raise as_usage(error, words) from error
    place = words.index("-")
    try:
        return app.parse_args([*words[:place], *words[place + 1 :], "--", "-"], print_error=False, exit_on_error=False)
    except CycloptsError as error:
        raise as_usage(error, words) from error


def _quick_sync(words: list[str], session: Session) -> int | None:
    """Run a `sync` with plain flags without the command line library, whose import costs as much as the work.

    Returns:
        The exit status, or `None` where the real parser has to look at the line.
    """
    if words[:1] != ["sync"]:
        return None
    flags: dict[str, bool] = {}
    for word in words[1:]:
        if word not in {"--frozen", "--locked", "--check"}:
            return None
        flags[word[2:]] = True
    from mmpm.cli.table import COMMANDS

    row = next((row for row in COMMANDS if row.words == "sync"), None)
    if row is None:
        return None
    import importlib

    session.say_tier()
    module, _, function = row.target.partition(":")
    status = getattr(importlib.import_module(f"mmpm.cli.commands.{module}"), function)(**flags, session=session)
    session.output.out.flush()
    return status if isinstance(status, int) else 0


def _version(session: Session) -> int:
    import mmpm

    session.output.result(f"mmpm {mmpm.__version__}")
    session.output.document("mmpm.version/1", {"version": mmpm.__version__})
    return 0
