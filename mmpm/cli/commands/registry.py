"""`mmpm registry add`, `list`, `remove`; `mmpm update`."""

import sys
from typing import TYPE_CHECKING, cast

from mmpm.cli.output import is_terminal
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UNREACHABLE, MmpmError, RootNotPinnedError
from mmpm.ops import registries as ops
from mmpm.registry.address import is_url

if TYPE_CHECKING:
    from mmpm.execute.apply import Outcome
    from mmpm.registry.changes import NameChange
    from mmpm.registry.refresh import Refreshed


def add(
    where: str,
    /,
    *,
    name: str | None = None,
    priority: int | None = None,
    scope: tuple[str, ...] = (),
    root: tuple[str, ...] = (),
    replace: bool = False,
    session: Session,
) -> None:
    """Trust a registry: compare its root key, and keep its address.

    Args:
        where: Its URL, s3://bucket/prefix or its folder; a mirror adds each registry in it.
        name: What you call it; else its id.
        priority: Lower is asked first.
        scope: A scope that belongs to this registry alone, such as @acme.
        root: Its root key, as its publisher shows it (sha256:...); without it you are asked.
        replace: The registry has a new root key, and that is expected.
        session: This run.
    """
    context = session.context()
    out = session.output
    place = where if is_url(where) else session.path(where)
    met = ops.meet(context, place, root, name or "", may_replace=replace)
    for one in met:
        found = one.introduction
        out.say(f"Registry {found.registry_id} ({found.title}) at {found.origin}")
        out.say(f"Root key sha256:{found.fingerprint}")
        if not one.is_accepted and not session.options.dry_run:
            # Nothing but a person or a fingerprint that was brought here can vouch for a key; `--yes` is neither.
            if out.as_json or not is_terminal(sys.stdin):
                raise RootNotPinnedError(found.registry_id, found.fingerprint, one.url)
            out.ask("Is this the key that its publisher shows?", yes=False)
    scopes = tuple(one if one.startswith("@") else f"@{one}" for one in scope)
    plan = ops.plan_add(context, met, ops.Addition(name, priority, scopes))

    def body(outcome: "Outcome | None") -> dict[str, object]:
        done = {one.registry_id: one for one in cast("list[Refreshed]", outcome.results if outcome else [])}
        return {
            "registries": [
                {
                    "id": one.introduction.registry_id,
                    "title": one.introduction.title,
                    "url": one.url,
                    "fingerprint": one.introduction.fingerprint,
                    "serial": done[one.introduction.registry_id].new_serial
                    if one.introduction.registry_id in done
                    else None,
                }
                for one in met
            ]
        }

    outcome = run_plan(session, context, plan, schema="mmpm.registry-add/1", nothing="It is there already", body=body)
    for refreshed in cast("list[Refreshed]", outcome.results if outcome else []):
        out.result(f"Added registry {refreshed.registry_id}, serial {refreshed.new_serial}")


def list_command(*, session: Session) -> None:
    """List the configured registries, the one asked first in front.

    Args:
        session: This run.
    """
    listed = ops.list_registries(session.context())
    out = session.output
    if not listed:
        out.say("No registries. Add one with: mmpm registry add URL")
    for one in listed:
        config = one.config
        name = f"{config.label} ({config.id})" if config.label != config.id else config.id
        out.result(f"{name}  priority {config.priority}" + "".join(f"  {scope}" for scope in config.scopes))
        for url in config.urls:
            out.result(f"  {url}")
        out.result(f"  root key sha256:{one.fingerprint}" if one.fingerprint else "  no root key was accepted yet")
        out.result(f"  serial {one.serial} of {one.issued}" if one.serial is not None else "  never refreshed")
    out.document(
        "mmpm.registry-list/1",
        {
            "registries": [
                {
                    "id": one.config.id,
                    "name": one.config.label,
                    "urls": list(one.config.urls),
                    "priority": one.config.priority,
                    "scopes": list(one.config.scopes),
                    "fingerprint": one.fingerprint,
                    "serial": one.serial,
                    "issued": one.issued,
                    "origin": one.config.origin,
                }
                for one in listed
            ]
        },
    )


def remove(*names: str, session: Session) -> None:
    """Forget the addresses of registries; root keys and serials seen stay noted, so that none can go back unseen.

    Args:
        names: Names or ids.
        session: This run.
    """
    context = session.context()
    plan = ops.plan_remove(context, names)
    run_plan(session, context, plan, schema="mmpm.registry-remove/1", done=f"Removed {', '.join(names)}")


def update(*names: str, all: bool = False, session: Session) -> int | None:  # noqa: A002 - the option's name
    """Ask registries what is new.

    Args:
        names: Names or ids of registries; all of them if none is given.
        all: Bring the index of every formula, and not only of those known or locked here.
        session: This run.
    """
    context = session.context()
    out = session.output
    plan = ops.plan_update(context, names, everything=all)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        refreshed, failures = _results(outcome)
        return {
            "registries": [_document(one) for one in refreshed],
            "failed": [{"code": one.code, "fact": one.fact, "remedy": one.remedy} for one in failures],
        }

    nothing = "No registries. Add one with: mmpm registry add URL"
    outcome = run_plan(session, context, plan, schema="mmpm.update/1", nothing=nothing, body=body)
    refreshed, failures = _results(outcome)
    for one in refreshed:
        out.result(_headline(one))
        for change in one.changes:
            out.result(f"  {_sentence(change)}")
    if failures:
        for failure in failures[1:]:
            out.warn(failure.fact)
        if not out.as_json:
            raise failures[0]
        return failures[0].exit_status  # the document has said it
    # Asking was the job: installing goes on with what was known before, but here something was not done.
    return UNREACHABLE if any(one.is_held for one in refreshed) else None


def _results(outcome: "Outcome | None") -> "tuple[tuple[Refreshed, ...], tuple[MmpmError, ...]]":
    if outcome is None:
        return (), ()
    return cast("tuple[tuple[Refreshed, ...], tuple[MmpmError, ...]]", outcome.results[0])


def _headline(one: "Refreshed") -> str:
    if one.is_held:
        return f"{one.registry_id}: serial {one.new_serial} stays"
    if one.old_serial is None:
        return f"{one.registry_id}: serial {one.new_serial}"
    if one.old_serial == one.new_serial:
        return f"{one.registry_id}: nothing new since serial {one.new_serial}"
    return f"{one.registry_id}: serial {one.old_serial} -> {one.new_serial}"


def _sentence(change: "NameChange") -> str:
    if change.is_gone:
        return f"{change.name} is gone"
    words = [change.name + (" (new)" if change.is_new else "")]
    if change.published:
        words.append(", ".join(change.published))
    if change.yanked:
        words.append(f"yanked {', '.join(change.yanked)}")
    if len(words) > 1:
        return " ".join(words)
    return f"{change.name} is new" if change.is_new else f"{change.name} changed"


def _document(one: "Refreshed") -> dict[str, object]:
    return {
        "id": one.registry_id,
        "old_serial": one.old_serial,
        "new_serial": one.new_serial,
        "held": one.is_held,
        "changes": [
            {
                "name": change.name,
                "new": change.is_new,
                "gone": change.is_gone,
                "published": list(change.published),
                "yanked": list(change.yanked),
            }
            for change in one.changes
        ],
    }
