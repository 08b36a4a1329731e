"""What may come next on a half typed command line. Everything here is local and quick: no registry is asked."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, get_args

from mmpm.cli.options import COLORS, SWITCHES, WITH_VALUE
from mmpm.cli.table import COMMANDS, GROUPS, find_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mmpm.cli.session import Session
    from mmpm.cli.table import Row

SCRIPTS = {
    "bash": """\
_mmpm() {
    local IFS=$'\\n'
    COMPREPLY=($(mmpm completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    [ ${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _mmpm mmpm
""",
    "zsh": """\
#compdef mmpm
_mmpm() {
    local -a found
    found=("${(@f)$(mmpm completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -Q -a found; else _files; fi
}
compdef _mmpm mmpm
""",
    "fish": """\
function __mmpm_words
    set -l typed (commandline -opc) (commandline -ct)
    mmpm completion words -- $typed[2..-1] 2>/dev/null
end
complete -c mmpm -a '(__mmpm_words)'
""",
}


def candidates(typed: Sequence[str], session: Session) -> list[str]:
    """Give the words that may stand in place of the last one of `typed`, sorted; empty where files may follow.

    Args:
        typed: the words behind `mmpm`, the last one being half typed or empty.
        session: gives settings, registries and what is installed.
    """
    *before, last = typed or [""]
    if before and before[-1] in WITH_VALUE:
        return _starting(last, {"--color": COLORS, "--tier": ("project", "user", "town")}.get(before[-1], ()))
    words = [word for word in before if not word.startswith("-")]
    if words[:1] == ["formula"]:
        words = words[1:]
    row = find_row(words)
    values = _values(row, before[-1]) if row and before and before[-1].startswith("-") else None
    if values is not None:
        return _starting(last, values)
    if last.startswith("-"):
        return _starting(last, [*SWITCHES, *WITH_VALUE, "--help", *(_options(row) if row else ())])
    if row is None:
        return _starting(last, _next_words(words))
    return _starting(last, _operands(row, session))


def _starting(prefix: str, words: Iterable[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(prefix)})


def _next_words(words: Sequence[str]) -> list[str]:
    """Give the words that continue a group, or begin a command."""
    typed = " ".join(words)
    names = [*GROUPS, *(name for row in COMMANDS for name in (row.words, *row.aliases))]
    if not typed:
        return [name.partition(" ")[0] for name in names]
    return [name[len(typed) + 1 :] for name in names if name.startswith(typed + " ")]


def _options(row: Row) -> list[str]:
    module, _, function = row.target.partition(":")
    parameters = inspect.signature(getattr(import_module(f"mmpm.cli.commands.{module}"), function)).parameters
    return [
        "--" + name.strip("_").replace("_", "-")
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name != "session"
    ]


def _values(row: Row, option: str) -> tuple[str, ...] | None:
    """Give what may stand behind an option of a command, nothing where that is anything; None where nothing may."""
    from cyclopts import Parameter

    module, _, function = row.target.partition(":")
    parameters = inspect.signature(getattr(import_module(f"mmpm.cli.commands.{module}"), function)).parameters
    for name, parameter in parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY or name == "session":
            continue
        kind = parameter.annotation
        said = [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Parameter)]
        aliases = [alias for one in said for alias in one.alias or ()]
        if option not in ("--" + name.strip("_").replace("_", "-"), *aliases):
            continue
        inner = get_args(kind)[0] if said else kind
        return None if inner is bool else tuple(_choices(inner))
    return None


def _choices(kind: object) -> Iterator[str]:
    """Give the texts that a type of `Literal` names, also where None may stand instead."""
    for one in get_args(kind):
        if isinstance(one, str):
            yield one
        else:
            yield from _choices(one)


def _operands(row: Row, session: Session) -> list[str]:
    if row.completes == "settings":
        from mmpm.project.settings import SETTINGS

        return list(SETTINGS)
    if row.completes == "shells":
        return list(SCRIPTS)
    if row.completes == "registries":
        from mmpm.project.config import load_registries

        return [registry.id for registry in load_registries(session.places)]
    if row.completes in {"molecules", "running", "seen", "digests", "protos"}:
        return _molecules(row.completes, session)
    if row.completes == "installed":
        from mmpm.project.files import read_project

        return [entry.name for entry in read_project(session.project()).receipt.entries]
    if row.completes == "locked":
        from mmpm.project.files import read_project

        files = read_project(session.project())
        return [one.name for one in (files.lock.releases if files.lock is not None else files.receipt.entries)]
    return []


def _molecules(what: str, session: Session) -> list[str]:
    """Give the ids of molecules: those that run, those that can be bonded, digests, or what can be looked at."""
    from mmpm.project.mol_log import MolPlaces, list_digests, list_logs
    from mmpm.project.tiers import choose_beads

    found: list[str] = []
    if what in {"molecules", "seen", "protos"}:
        from mmpm.ops.mol_catalogue import read_catalogue

        found += (one.record.id for one in read_catalogue(session.places, session.cwd).templates())
    if what == "protos":
        from mmpm.project.files import read_project

        return [*found, *(entry.name for entry in read_project(session.project()).receipt.entries)]
    places = MolPlaces(choose_beads(session.places, session.cwd).root)
    if what != "digests":
        found += (log.id for log in list_logs(places))
    if what in {"digests", "seen"}:
        found += sorted(list_digests(places))
    return list(dict.fromkeys(found))
