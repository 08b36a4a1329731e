"""Releases of molecules into a catalogue and out of it: `mol install`, `mol uninstall`."""

from dataclasses import replace

from mmpm.cli.operands import parse_reference
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.project.mol_files import FILE


def install(*names: str, session: Session) -> None:
    """Put the molecules of releases into your catalogue, ~/.beads/molecules.jsonl; with --tier into another.

    A formula is cooked, and its records are put there; `mmpm install` would put its file among the formulas.

    Args:
        names: NAME, NAME@RANGE or hop://...
        session: This run.
    """
    from mmpm.ops.mol_install import prepare_mol_install

    references = [parse_reference(name) for name in names]
    if not references:
        raise UsageError("mol install: name at least one release", "run `mmpm mol install NAME`")
    _choose_user(session)
    context = session.context()
    change = prepare_mol_install(context, references, dry_run=session.options.dry_run)
    chosen = [change.resolved.lock.get(str(reference.name)) for reference in references]
    outcome = run_plan(
        session,
        context,
        change.plan,
        schema="mmpm.mol-install/1",
        nothing="These molecules are in the catalogue already",
        body=lambda _outcome: {"releases": [{"name": one.name, "version": one.version} for one in chosen if one]},
    )
    if outcome is not None:
        for one in chosen:
            if one is not None:
                session.output.result(f"Installed: {one.name}@{one.version}")
        session.output.say(f"Catalogue: {context.project.root}/.beads/{FILE}")


def uninstall(*names: str, session: Session) -> None:
    """Take the molecules of releases out of your catalogue, exactly those that were put in; with --tier out of another.

    Args:
        names: Which releases.
        session: This run.
    """
    from mmpm.ops.uninstall import plan_uninstall

    if not names:
        raise UsageError("mol uninstall: name at least one release", "run `mmpm mol uninstall NAME`")
    _choose_user(session)
    context = session.context()
    plan = plan_uninstall(context, names, section="molecules", dry_run=session.options.dry_run)
    outcome = run_plan(session, context, plan, schema="mmpm.mol-uninstall/1")
    if outcome is not None:
        for name in names:
            session.output.result(f"Removed: {name}")


def _choose_user(session: Session) -> None:
    """Choose the user tier where the line names none, as the seed has it, and say which tier it is."""
    if session.options.tier is None and session.options.project is None:
        session.options = replace(session.options, tier="user")
    session.say_tier()
