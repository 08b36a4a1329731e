"""`upgrade`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmpm.cli.operands import parse_reference
from mmpm.cli.output import Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session

if TYPE_CHECKING:
    from mmpm.ops.upgrade import Upgrade

SHOWN_CHANGELOGS = 10


def upgrade(*names: str, session: Session) -> None:
    """Let formulas move up within the ranges of mmpm.toml.

    Args:
        names: Which ones; all of them if none is named.
        session: This run.
    """
    from mmpm.ops.upgrade import UpgradeRequest, prepare_upgrade

    out = session.output
    out.say("Checking for updates...")
    session.progress.ends_with_mark = True
    context = session.context()
    wanted = tuple(str(parse_reference(name).name) for name in names)
    found = prepare_upgrade(context, UpgradeRequest(wanted, session.options.dry_run))
    _show_upgrade(session, found, wanted)
    outcome = run_plan(
        session,
        context,
        found.plan,
        schema="mmpm.upgrade/1",
        question="Upgrade?" if found.moves else None,
        nothing="Everything is up to date",
        body=lambda _outcome: _upgrade_json(found),
    )
    if outcome is not None:
        for move in found.moves:
            out.result(f"Installed: {move.name}@{move.new}" if move.new else f"Removed: {move.name}@{move.old}")
        if not found.moves:
            out.result("Everything is up to date")


def _show_upgrade(session: Session, found: "Upgrade", names: Sequence[str]) -> None:
    out = session.output
    alone = len(names) == 1 and len(found.moves) == 1 and found.moves[0].name == names[0]
    for move in found.moves:
        if not move.old or not move.new:
            out.say(f"{move.name}: {'new, ' + move.new if move.new else move.old + ', no longer needed'}")
            continue
        if not alone:
            out.say(Styled(f"{move.name}", "bold"))
        out.say(f"Current: {move.old}")
        out.say(f"Latest: {move.new}")
        shown = len(move.changelogs) if out.verbose else SHOWN_CHANGELOGS
        for version, text in move.changelogs[:shown]:
            out.say(f"Changelog for {version}:")
            for line in text.splitlines():
                out.say(f"{line}")
        older = move.changelogs[shown:]
        if older:
            out.say(f"and {len(older)} more (`--verbose` shows all; `mmpm show {move.name}@{older[0][0]}` one of them)")
    if names:
        for name, version in found.unchanged:
            out.say(f"{name} {version} stays")
    for held in found.held:
        if held.range:
            # A range: the version alone would pin it.
            fix = f"`mmpm unpin {held.name}`" if held.is_pinned else f"`mmpm install {held.name}@^{held.newest}`"
            out.say(f"{held.name}: {held.newest} exists, but mmpm.toml asks for {held.range} ({fix})")
        else:
            out.say(f"{held.name}: {held.newest} exists, but does not go with the rest")


def _upgrade_json(found: "Upgrade") -> dict[str, object]:
    return {
        "moves": [
            {
                "name": move.name,
                "old": move.old or None,
                "new": move.new or None,
                "changelogs": [{"version": version, "text": text} for version, text in move.changelogs],
            }
            for move in found.moves
        ],
        "held": [
            {
                "name": one.name,
                "version": one.version,
                "newest": one.newest,
                "range": one.range,
                "pinned": one.is_pinned,
            }
            for one in found.held
        ],
    }
