"""`mmpm store ...`."""

from typing import TYPE_CHECKING

from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import size_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmpm.execute.apply import Outcome
    from mmpm_store.check import Repaired, Variant
    from mmpm_store.collect import Collected
    from mmpm_store.ids import ObjectId


def status(*, session: Session) -> None:
    """Say what the store holds, and who uses it.

    Args:
        session: This run.
    """
    from mmpm.ops.store import store_status

    held = store_status(session.context())
    counts = held.status
    out = session.output
    out.result(f"Store:       {held.path}")
    out.result(f"Objects:     {counts.objects} ({size_text(counts.bytes)})")
    if held.max_bytes is not None:
        out.result(f"Limit:       {size_text(held.max_bytes)}")
    empties = ", emptied by `mmpm store prune --quarantine`" if counts.quarantined else ""
    out.result(f"Quarantine:  {counts.quarantined} ({size_text(counts.quarantined_bytes)}){empties}")
    out.result(f"Used by:     {len(held.users)} receipt{'s' * (len(held.users) != 1)}")
    for key, trees in held.users:
        out.result(f"  {key} ({trees} release{'s' * (trees != 1)})")
    out.document(
        "mmpm.store-status/1",
        {
            "path": held.path,
            "objects": counts.objects,
            "bytes": counts.bytes,
            "max_bytes": held.max_bytes,
            "quarantined": counts.quarantined,
            "quarantined_bytes": counts.quarantined_bytes,
            "staging": counts.staging,
            "users": [{"receipt": key, "releases": trees} for key, trees in held.users],
        },
    )


def verify(*, session: Session) -> int:
    """Read and hash every object of the store; change nothing. Exit 1 where something needs mending.

    Args:
        session: This run.
    """
    from mmpm.errors import FORESEEN
    from mmpm.ops.store import verify_objects

    looked = verify_objects(session.context())
    health = looked.health
    out = session.output
    failed = out.mark("failed", out.out)
    for what, variants in (("damaged", health.damaged), ("missing", health.missing), ("writable", health.wrong_mode)):
        for object_id, _executable in variants:
            used = ", ".join(looked.users.get(object_id, ()))
            out.result(f"{failed} {what}: {object_id}" + (f", used by {used}" if used else ""))
    for path in health.strangers:
        out.warn(f"objects/{path} in the store is not an object")
    if health.is_sound:
        out.result(f"{out.mark('done', out.out)} {_objects(health.objects)} ({size_text(health.bytes)}): sound")
    else:
        out.say("  fix: run `mmpm store repair`")
    out.document(
        "mmpm.store-verify/1",
        {
            "ok": health.is_sound,
            "objects": health.objects,
            "bytes": health.bytes,
            "damaged": [_variant(one, looked.users) for one in health.damaged],
            "missing": [_variant(one, looked.users) for one in health.missing],
            "writable": [_variant(one, looked.users) for one in health.wrong_mode],
            "strangers": list(health.strangers),
        },
    )
    return 0 if health.is_sound else FORESEEN


def repair(*, session: Session) -> int:
    """Move damaged objects to quarantine and fetch them, and missing ones, from any registry at hand.

    Args:
        session: This run.
    """
    from mmpm.errors import FORESEEN
    from mmpm.ops.store import plan_repair

    context = session.context()

    def body(outcome: "Outcome | None") -> dict[str, object]:
        done = _repaired(outcome) if outcome else None
        return {
            "mended": [_variant(one) for one in done.mended] if done else [],
            "lost": [_variant(one) for one in done.lost] if done else [],
            "unused": [_variant(one) for one in done.unused] if done else [],
        }

    outcome = run_plan(
        session, context, plan_repair(context), schema="mmpm.store-repair/1", nothing="The store is sound", body=body
    )
    if outcome is None:
        return 0
    done = _repaired(outcome)
    out = session.output
    out.result(f"Mended {_objects(len(done.mended) + len(done.modes))}")
    if done.unused:
        out.say(f"{len(done.unused)} damaged, in quarantine; nothing installed needs them")
    for object_id, _executable in done.lost:
        out.result(f"{out.mark('failed', out.out)} lost: {object_id}")
    if done.lost:
        out.say("  fix: run `mmpm store repair` again when a registry or a copy of the store that has them is at hand")
    return FORESEEN if done.lost else 0


def prune(*, everything: bool = False, force: bool = False, quarantine: bool = False, session: Session) -> None:
    """Remove what no installed release and not this project's lock needs.

    Args:
        everything: Also what is younger than store.grace, and however small the store is.
        force: Although it cannot be read what some installed releases need.
        quarantine: Also what is damaged and was put aside.
        session: This run.
    """
    from mmpm.ops.store import plan_prune

    context = session.context()

    def body(outcome: "Outcome | None") -> dict[str, object]:
        done = _collected(outcome) if outcome else None
        return {
            "removed": len(done.removed) if done else 0,
            "freed_bytes": done.freed_bytes if done else 0,
            "kept": done.kept_objects if done else None,
            "kept_bytes": done.kept_bytes if done else None,
            "quarantine_removed": _cleared(outcome) if outcome else 0,
        }

    plan = plan_prune(context, everything=everything, force=force, quarantine=quarantine)
    outcome = run_plan(session, context, plan, schema="mmpm.store-prune/1", body=body)
    if outcome is None:
        return
    done, cleared = _collected(outcome), _cleared(outcome)
    out = session.output
    if done is not None:
        out.result(
            f"Removed {_objects(len(done.removed))} ({size_text(done.freed_bytes)}), kept {_objects(done.kept_objects)}"
            f" ({size_text(done.kept_bytes)})"
        )
    if cleared:
        out.result(f"Removed {cleared} file{'s' * (cleared != 1)} from quarantine")


def path(object_id: str | None = None, /, *, session: Session) -> None:
    """Print where the store is, or where one of its objects lies.

    Args:
        object_id: blake3:.. of an object.
        session: This run.
    """
    from mmpm.ops.store import object_path

    context = session.context()
    found = context.store.path if object_id is None else object_path(context, object_id)
    session.output.result(found)
    session.output.document("mmpm.store-path/1", {"path": found})


def _repaired(outcome: "Outcome") -> "Repaired":
    from mmpm_store.check import Repaired

    (done,) = outcome.results
    assert isinstance(done, Repaired)
    return done


def _collected(outcome: "Outcome") -> "Collected | None":
    from mmpm_store.collect import Collected

    return next((done for done in outcome.results if isinstance(done, Collected)), None)


def _cleared(outcome: "Outcome") -> int:
    return sum(done for done in outcome.results if isinstance(done, int))


def _variant(variant: "Variant", users: "Mapping[ObjectId, tuple[str, ...]] | None" = None) -> dict[str, object]:
    object_id, executable = variant
    shown: dict[str, object] = {"id": str(object_id), "executable": executable}
    return shown if users is None else {**shown, "used_by": list(users.get(object_id, ()))}


def _objects(number: int) -> str:
    return f"{number} object{'s' * (number != 1)}"
