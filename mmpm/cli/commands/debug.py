"""`debug solve`."""

import sys

from mmpm.cli.session import Session
from mmpm.errors import UsageError


def debug_solve(file: str, /, *, batch: bool = False, session: Session) -> int:
    """Solve one universe and print the answer as JSON.

    Args:
        file: The problem (docs/solver.md); `-` is standard input.
        batch: The file has a problem a line; an answer a line is printed.
        session: This run.
    """
    if file == "-":
        data = sys.stdin.buffer.read()
    else:
        with open(session.path(file), "rb") as opened:
            data = opened.read()
    status = 0
    for line in [line for line in data.splitlines() if line.strip()] if batch else [data]:
        answer, is_problem = _solved(line)
        if not is_problem:
            if not batch:
                raise UsageError(str(answer["error"]), "docs/solver.md describes the document")
            status = 1
        session.output.raw(_json_line(answer))
    return status


def _solved(data: bytes) -> tuple[dict[str, object], bool]:
    from mmpm.solver.problem import answer, parse_problem

    try:
        return answer(parse_problem(data)), True
    except ValueError as error:
        return {"error": str(error)}, False


def _json_line(value: dict[str, object]) -> bytes:
    import json

    return json.dumps(value, ensure_ascii=True).encode() + b"\n"
