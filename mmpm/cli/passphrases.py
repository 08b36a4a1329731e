"""Asking for the passphrase of private keys: once for every command that signs or makes keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import QuestionUnansweredError, UsageError

if TYPE_CHECKING:
    from mmpm.cli.session import Session
    from mmpm.execute.context import Context


def with_passphrase(
    session: Session,
    context: Context,
    file: str | None,
    *,
    needed: bool,
    twice: bool = False,
    whose: str = "the registry's keys",
    variable: str = "",
) -> Context:
    """Ask for the passphrase where neither file nor variable gives it, and put it where the effects look.

    Args:
        session: whom to ask.
        context: is given back, with the answer in its environment.
        file: what `--passphrase-file` says.
        needed: whether any key asks for one.
        twice: the keys are new, and a slip would lock them for ever.
        whose: keys it opens, for the question.
        variable: where the answer goes; empty for the variable of all keys.

    Raises:
        UsageError: there is no terminal, or the two answers differ.
    """
    from mmpm.execute.passphrases import PASSPHRASE_VARIABLE

    variable = variable or PASSPHRASE_VARIABLE
    if not needed or file is not None or _is_given(session, context, variable):
        return context
    try:
        typed = session.output.ask_secret(f"Passphrase of {whose}: ")
    except QuestionUnansweredError:
        remedy = f"give it with --passphrase-file FILE or {PASSPHRASE_VARIABLE}"
        remedy += ", or leave the keys open with --no-passphrase" if twice else ""
        raise UsageError(f"{whose} need a passphrase, and there is no terminal", remedy) from None
    if twice and session.output.ask_secret("The same again: ") != typed:
        raise UsageError("the two passphrases differ", "try again")
    return replace(context, environ={**context.environ, variable: typed})


def with_person_passphrase(session: Session, context: Context, name: str | None, file: str | None) -> Context:
    """Ask for the passphrase of a person's key, beside that of a registry's keys; `name` None: of no key."""
    if not name:
        return context
    from mmpm.execute.passphrases import PERSON_VARIABLE
    from mmpm.registry.person_keys import find_person_key

    needed = find_person_key(context.places.keys, name).is_protected
    return with_passphrase(session, context, file, needed=needed, whose=f"the key {name}", variable=PERSON_VARIABLE)


def _is_given(session: Session, context: Context, variable: str) -> bool:
    from mmpm.execute.passphrases import PASSPHRASE_VARIABLE

    # What was typed for other keys of this run is in the context alone.
    return bool(context.environ.get(variable) or session.environ.get(PASSPHRASE_VARIABLE))
