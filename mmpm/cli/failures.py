"""How a run ends that did not go well: message, exit status, and never a traceback for what was foreseen."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from mmpm.errors import BUG, FORESEEN, INTERRUPTED, MmpmError, SystemRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.cli.output import Output

BROKEN_PIPE = 141  # what a shell shows for a process that SIGPIPE ended


def report(error: BaseException, output: Output) -> int:
    """Tell the person (or with `--json` the program) what happened; give the exit status."""
    from mmpm.cli.output import Styled, silence

    if isinstance(error, BrokenPipeError):
        silence()
        return BROKEN_PIPE
    if isinstance(error, KeyboardInterrupt):
        output.say("interrupted")
        if output.as_json:
            remedy = "run the command again: it completes what it had begun"
            _print_json(output, _body("interrupted", "interrupted", remedy, INTERRUPTED))
        return INTERRUPTED
    if isinstance(error, OSError) and not isinstance(error, MmpmError):
        error = _refused(error)
    facts = _facts(error)
    if facts is None:
        return _report_bug(error, output)
    code, fact, remedy, status, details = facts
    if output.as_json:
        _print_json(output, {**_body(code, fact, remedy, status), "details": details})
        return status
    quiet, output.quiet = output.quiet, False
    first, *others = fact.split("\n")
    output.say(Styled(f"error[{code}]:", "red"), f" {first}")
    for line in others:
        output.say(f"  {line}")
    if remedy:
        lines = remedy.split("\n")
        output.say(Styled("  fix:", "green"), f" {lines[0]}")
        for line in lines[1:]:
            output.say(f"       {line}")
    output.quiet = quiet
    return status


def _facts(error: BaseException) -> tuple[str, str, str, int, Mapping[str, object]] | None:
    """Give code, fact, remedy, exit status and details of a foreseen failure; `None` for a bug."""
    if isinstance(error, MmpmError):
        return error.code, error.fact, error.remedy, error.exit_status, error.details
    # The store's own errors have facts and remedies too; only a process that uses it has it imported.
    store_errors = sys.modules.get("mmpm_store.errors")
    if store_errors is not None and isinstance(error, store_errors.StoreError):
        return store_code(type(error)), error.fact, error.remedy, FORESEEN, {}
    return None


def store_code(kind: type[BaseException]) -> str:
    """Give the code of one of the store's errors: `DamagedObjectError` is `damaged-object`."""
    name = kind.__name__.removesuffix("Error")
    return "".join("-" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("-")


def _refused(error: OSError) -> MmpmError:
    path = error.filename if isinstance(error.filename, (str, bytes)) else None
    return SystemRefusedError(error.strerror or str(error), os.fsdecode(path) if path is not None else None)


def _report_bug(error: BaseException, output: Output) -> int:
    import traceback

    text = "".join(traceback.format_exception(error))
    quiet, output.quiet = output.quiet, False
    as_json, output.as_json = output.as_json, False
    output.say(text, end="")
    output.say("error[bug]: mmpm met something that it did not foresee")
    output.say("  fix: please report the lines above, with the command that you ran")
    output.quiet, output.as_json = quiet, as_json
    if as_json:
        _print_json(output, _body("bug", f"{type(error).__name__}: {error}", "please report this", BUG))
    return BUG


def _body(code: str, fact: str, remedy: str, status: int) -> dict[str, object]:
    return {"code": code, "fact": fact, "remedy": remedy, "exit_status": status, "details": {}}


def _print_json(output: Output, body: Mapping[str, object]) -> None:
    if output.has_document:  # there is one document at most: the status alone tells of what failed after it
        return
    document = {"schema": "mmpm.error/1", "error": body, "warnings": output.warnings}
    output.out.write(json.dumps(document, default=str) + "\n")
    output.out.flush()
