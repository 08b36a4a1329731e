"""`mmpm mirror import`."""

import sys
from typing import TYPE_CHECKING, cast

from mmpm.cli.output import is_terminal
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import FORESEEN, PackRootNotPinnedError, UsageError, counted, printable, size_text
from mmpm.ops import pack_import as ops

if TYPE_CHECKING:
    from mmpm.execute.apply import Outcome
    from mmpm.execute.importing import ImportOutcome
    from mmpm.registry.pack.importing import Imported
    from mmpm.registry.pack.settling import Landed

_SHOWN_MISSING = 5


def import_packs(
    *packs: str, to: str | None = None, to_store: bool = False, root: tuple[str, ...] = (), session: Session
) -> int | None:
    """Import packs into a mirror, or straight into this machine's store.

    Args:
        packs: Packs, volumes, or lists of volumes, in any order; none tries the packs that wait.
        to: Folder of the mirror; made if missing.
        to_store: Import into this machine's store instead.
        root: Root key of a registry that is new here (sha256:...); without it you are asked.
        session: This run.
    """
    if (to is None) != to_store:
        fact = "a pack is imported to one place" if to_store else "say where to import to"
        raise UsageError(fact, "give `--to DIR` for a mirror, or `--to-store`")
    context = session.context(read_manifest=False)
    out = session.output
    request = ops.ImportRequest(tuple(map(session.path, packs)), session.path(to) if to is not None else "", root)
    brought = ops.look_into(context, request)
    for one in brought:
        if one.is_accepted:
            continue
        out.say(f"Registry {one.told.id} in {printable(one.pack)}, serial {one.told.serial} of {one.told.issued}")
        out.say(f"Root key sha256:{one.fingerprint}")
        if not session.options.dry_run:
            # Nothing but a person or a fingerprint that was brought here can vouch for a key; `--yes` is neither.
            if out.as_json or not is_terminal(sys.stdin):
                raise PackRootNotPinnedError(one.told.id, one.fingerprint, one.pack)
            out.ask("Is this the key that its publisher shows?", yes=False)
    plan = ops.plan_import(request, brought)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        return _document(_came(outcome)) if outcome is not None else {}

    outcome = run_plan(session, context, plan, schema="mmpm.mirror-import/1", nothing="No pack waits", body=body)
    if outcome is None:
        return None
    came = _came(outcome)
    for imported in came.imported:
        _tell(session, imported)
    for partial in came.partial:
        names = ", ".join(printable(name) for name in partial.missing[:_SHOWN_MISSING])
        more = ", .." if len(partial.missing) > _SHOWN_MISSING else ""
        out.result(f"{printable(partial.pack)}: volumes are missing: {names}{more}")
        out.say(f"The others wait ({size_text(partial.kept_bytes)}); import these when they come")
    for imported in came.retried:
        out.say(f"Tried again: pack {imported.pack}")
        if imported.refusal is not None:
            out.warn(f"{imported.refusal.fact}; it waits no more")
        else:
            _tell(session, imported)
    refused = list(came.refused.values())
    for error in refused[1:]:
        out.warn(error.fact)
    if refused and not out.as_json:
        raise refused[0]
    refusals = [one.exit_status for one in refused]
    refusals += [one.refusal.exit_status for one in came.retried if one.refusal is not None]
    if refusals:
        return max(refusals)
    return FORESEEN if came.is_incomplete else None


def _came(outcome: "Outcome | None") -> "ImportOutcome":
    assert outcome is not None
    return cast("ImportOutcome", outcome.results[0])


def _tell(session: Session, imported: "Imported") -> None:
    out = session.output
    for one in imported.landed:
        out.result(_sentence(one))
        for note in one.notes:
            out.warn(note)
        for path in one.missing[:_SHOWN_MISSING]:
            out.result(f"  missing: {printable(path)}")
        if one.missing_count > _SHOWN_MISSING:
            out.result(f"  and {one.missing_count - _SHOWN_MISSING} more")
    new, known = imported.new_objects, imported.known_objects
    out.say(f"{counted(new, 'new file')} of releases ({size_text(imported.new_bytes)}), {known} were here already")
    if imported.request:
        out.result(f"It waits ({size_text(imported.waiting_bytes)}). Ask for the rest with: {imported.request}")
        out.say("Carry that file back, and there run: mmpm mirror export -o PACK --base request.json")


def _sentence(one: "Landed") -> str:
    match one.kind:
        case "shown" if one.old_serial is None:
            return f"{one.registry_id}: serial {one.serial}"
        case "shown":
            return f"{one.registry_id}: serial {one.old_serial} -> {one.serial}"
        case "extended":
            return f"{one.registry_id}: more releases of serial {one.old_serial}"
        case "same" | "older" if one.kind == "same" or one.serial == one.old_serial:
            return f"{one.registry_id}: serial {one.serial} is already here"
        case "older":
            shown = "" if one.old_serial is None else f"; serial {one.old_serial} stays"
            return f"{one.registry_id}: serial {one.serial} is older than what is known here{shown}"
        case _:
            return f"{one.registry_id}: serial {one.serial} waits, something is missing"


def _document(came: "ImportOutcome") -> dict[str, object]:
    return {
        "incomplete": came.is_incomplete,
        "packs": [_pack(one) for one in came.imported],
        "partial": [
            {"pack": one.pack, "missing": list(one.missing), "kept_bytes": one.kept_bytes} for one in came.partial
        ],
        "retried": [_pack(one) for one in came.retried],
        "failed": [
            {"pack": name, "code": error.code, "fact": error.fact, "remedy": error.remedy}
            for name, error in came.refused.items()
        ],
    }


def _pack(imported: "Imported") -> dict[str, object]:
    return {
        "pack": imported.pack,
        "id": imported.pack_id,
        "new_files": imported.new_objects,
        "new_bytes": imported.new_bytes,
        "known_files": imported.known_objects,
        "request": imported.request or None,
        "waiting_bytes": imported.waiting_bytes,
        "refused": None if imported.refusal is None else imported.refusal.code,
        "registries": [
            {
                "id": one.registry_id,
                "outcome": one.kind,
                "old_serial": one.old_serial,
                "serial": one.serial,
                "missing": list(one.missing[:100]),
                "missing_count": one.missing_count,
                "notes": list(one.notes),
            }
            for one in imported.landed
        ],
    }
