"""Show a plan, ask about it, apply it, say what came of it: once for every command that changes something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmpm.plan import kind_of, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mmpm.cli.session import Session
    from mmpm.execute.apply import Outcome
    from mmpm.execute.context import Context
    from mmpm.plan import Action, Plan

NOTHING = "Nothing to do"


def run_plan(
    session: Session,
    context: Context,
    plan: Plan,
    *,
    schema: str,
    question: str | None = None,
    done: str | None = None,
    nothing: str = NOTHING,
    body: Callable[[Outcome | None], Mapping[str, object]] | None = None,
) -> Outcome | None:
    """Carry a plan out as the options say.

    With `--dry-run` the plan is printed (with `--json` as one document) and nothing changes. Otherwise `question` is
    asked where there is one, the plan applied, and the JSON document printed: `applied`, the plan, of a change of a
    formulas folder what came of it, and `body`.

    Args:
        session: options and output.
        context: what the plan is applied in.
        plan: may be empty: then `nothing` is said, and nobody is asked.
        schema: the JSON document's, `mmpm.<verb>/1`.
        question: without `[y/N]`; `None` for changes that a person asked for in so many words.
        done: the result line once it is done; `None` where the command prints its own.
        nothing: what to say of an empty plan.
        body: more keys for the JSON document; gets the outcome, or `None` where nothing was applied.

    Returns:
        The outcome, or `None` where nothing was applied (dry run, empty plan).

    Raises:
        QuestionUnansweredError, DeclinedError: see `Output.ask`.
        MmpmError: whatever the plan meets.
    """
    output = session.output
    for note in plan.notes:
        output.warn(note)
    tier = {"tier": context.project.tier, "root": context.project.root} if plan.folder else {}
    # Only `--json` prints it, and of a thousand releases it takes as long to make as a fifth of their installation.
    shown = to_json(plan) if session.options.as_json else {}

    def document(outcome: Outcome | None) -> None:
        about = {"applied": outcome is not None, "dry_run": session.options.dry_run, **tier, "plan": shown}
        about |= _came_of_it(outcome) if plan.folder else {}
        output.document(schema, {**about, **(body(outcome) if body else {})})

    if session.options.dry_run:
        sentences = sentences_of(plan)
        for sentence in sentences:
            output.result(f"would {sentence}")
        if not sentences:
            output.say(nothing)
        document(None)
        return None
    if plan.is_empty:
        output.say(nothing)
        document(None)
        return None
    if question is not None:
        output.ask(question, yes=session.options.yes)
    from mmpm.execute.apply import apply

    outcome = apply(context, plan)
    if done is not None:
        output.result(done)
    document(outcome)
    return outcome


_WRITTEN = {"receipt": "the receipt ", "installed": "gt's list "}
"""What stands before the path of a file whose name does not say what it is."""


def sentences_of(plan: Plan) -> list[str]:
    """Say what a plan will do: formulas, then files that a person reads, then the rest.

    What mmpm notes for itself alone is left to `--json`.
    """
    from mmpm import plan as p

    about_formulas = (p.InstallTree, p.ReplaceTree, p.RemoveTree, p.AdoptFile, p.KeepAside)

    def rank(action: Action) -> int:
        if isinstance(action, about_formulas):
            return 0
        return 2 if isinstance(action, p.WriteText) and action.role in _WRITTEN else 1

    shown = [action for action in plan.actions if not isinstance(action, (p.SetRoot, p.NoteState))]
    return [sentence_of(action) for action in sorted(shown, key=rank)]


def _came_of_it(outcome: Outcome | None) -> dict[str, object]:
    """Give the keys that every change of a formulas folder has; where nothing was applied, with nothing in them."""
    return {
        "linked": outcome.linked if outcome else 0,
        "copied": outcome.copied if outcome else 0,
        "fetched_bytes": outcome.fetched_bytes if outcome else 0,
        "kept": [{"path": path, "kept_as": kept} for path, kept in outcome.kept] if outcome else [],
    }


def sentence_of(action: Action) -> str:
    """Say what an action will do, as words behind "would": "install mol-review 1.2.0"."""
    from mmpm import plan as p
    from mmpm.reconcile import change_of

    if change := change_of(action):
        return " ".join(change)
    match action:
        case p.KeepAside(path=path, kept_as=kept):
            return f"keep {path} as {kept}"
        case p.AdoptFile(name=name, path=path):
            return f"adopt {path} as {name}"
        case p.WriteText(role=role, path=path):
            return f"write {_WRITTEN.get(role, '')}{path}"
        case p.SetRoot(key=key):
            return f"tell the store what {key} uses"
        case p.NoteState(sentence=sentence):
            return f"note for the next sync: {sentence}"
        case p.PlaceFiles(files=files):
            return "write " + ", ".join(path for path, _, _ in files)
    words = getattr(action, "words", None)
    if isinstance(words, str):
        return words
    # An action without words of its own shows its kind and its short fields.
    fields = [str(getattr(action, name)) for name in type(action).__dataclass_fields__]
    return " ".join([kind_of(action).replace("-", " "), *(field for field in fields if len(field) < 100)])
