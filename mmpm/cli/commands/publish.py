"""`mmpm registry init`, `mmpm publish`, `mmpm yank`."""

import os
from typing import TYPE_CHECKING, cast

from mmpm.cli.passphrases import with_passphrase, with_person_passphrase
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.model.references import release_address
from mmpm.ops import publish as ops
from mmpm.plan import PublishReleases

if TYPE_CHECKING:
    from mmpm.execute.apply import Outcome
    from mmpm.execute.context import Context
    from mmpm.registry.init import NewRegistry
    from mmpm.registry.publish import Published


def init_registry(
    folder: str,
    /,
    *,
    id: str,  # noqa: A002 - the option's name
    title: str | None = None,
    passphrase_file: str | None = None,
    no_passphrase: bool = False,
    session: Session,
) -> None:
    """Make a new registry in a folder, and its keys.

    Args:
        folder: Where the tree is to be; empty or not there yet.
        id: Its host name, which is its identity for ever.
        title: What people call it.
        passphrase_file: File whose first line protects the keys.
        no_passphrase: Leave the keys unprotected (0600, as they are).
        session: This run.
    """
    context = session.context()
    phrase_path = _path_or_none(session, passphrase_file)
    root = session.path(folder)
    plan = ops.plan_registry_init(context, root, id, title, passphrase_file=phrase_path, open_keys=no_passphrase)
    if not (no_passphrase or session.options.dry_run):
        context = with_passphrase(session, context, phrase_path, needed=True, twice=True)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        return {"registry": id, "folder": root, "fingerprint": _made(outcome).fingerprint if outcome else None}

    outcome = run_plan(session, context, plan, schema="mmpm.registry-init/1", body=body)
    if outcome is None:
        return
    made = _made(outcome)
    out = session.output
    out.result(f"Made registry {made.id} in {root}")
    out.result(f"Fingerprint: {made.fingerprint}")
    out.say(f"Keys: {context.places.keys}/{made.id} (keep them, and a copy elsewhere)")
    out.say(f"Others add it with: mmpm registry add {root} --root {made.fingerprint}")


def publish(
    *what: str,
    to: str | None = None,
    batch: str | None = None,
    version: str | None = None,
    author: str | None = None,
    changelog: str | None = None,
    init: bool = False,
    after_restore: bool = False,
    sign: str | None = None,
    passphrase_file: str | None = None,
    sign_passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Publish releases to a folder registry; with nothing to publish, renew its timestamp.

    Args:
        what: Formula files, bundle folders or archives, molecules fragments, execution records (X.records.jsonl), or
            names of formulas in your tiers.
        to: The registry's folder, or the name of one added from its folder; else the setting publish.to.
        batch: File of JSON lines: path, name, version, published_at, author, changelog.
        version: The version, where the file says none or another.
        author: Who publishes it, where the file says nobody.
        changelog: What is new, for those who upgrade.
        init: Say how publishing is set up.
        after_restore: Go on although the folder is an older copy, restored from a backup.
        sign: A key of yours (`keys create`): every new release gets its signature.
        passphrase_file: File whose first line opens the registry's keys.
        sign_passphrase_file: File whose first line opens the key that signs.
        session: This run.
    """
    if init:
        _say_setup(session)
        return
    context = session.context()
    folder = destination(session, context, to)
    phrase_path = _path_or_none(session, passphrase_file)
    if batch is not None:
        from mmpm.ops.batch import count_lines, read_batch

        path = session.path(batch)
        sources, total = read_batch(context, path, author=author, changelog=changelog), count_lines(path)
        label = f"{total} release{'s' * (total != 1)}"
        if what or version:
            raise UsageError("--batch takes no names and no --version", "leave them out")
    else:
        found = [
            ops.find_source(
                context, one, session.path(one), cwd=session.cwd, version=version, author=author, changelog=changelog
            )
            for one in what
        ]
        sources, total, label = iter(found), len(found), ", ".join(what)
    out = session.output
    session.progress.ends_with_mark = True
    if total != 1:
        out.say(f"Publishing {label}..." if total else "Renewing the timestamp...")
    planned = ops.plan_publish(
        context,
        folder,
        sources,
        total=total,
        passphrase_file=phrase_path,
        after_restore=after_restore,
        signer=sign or "",
        signer_passphrase_file=_path_or_none(session, sign_passphrase_file),
    )
    if total == 1:  # of one release the name is said, which a path does not tell
        out.say(f"Publishing {planned.preflights[0].name or label}...")
    say_checks(session, planned, total)
    if planned.failure is not None:
        raise planned.failure
    place = planned.destination
    if not (planned.plan.is_empty or session.options.dry_run):
        needed = place.is_protected
        context = with_passphrase(session, context, phrase_path, needed=needed)
        context = with_person_passphrase(session, context, sign, sign_passphrase_file)
    host = place.registry

    def body(outcome: "Outcome | None") -> dict[str, object]:
        return {"registry": host, "checks": checks_json(planned), **_published_json(outcome, host)}

    outcome = run_plan(
        session,
        context,
        planned.plan,
        schema="mmpm.publish/1",
        question=f"Publish to {host}?" if total else None,
        nothing=f"Already published in {host}, with equal bytes",
        body=body,
    )
    if outcome is not None:
        _say_published(session, _published(outcome), host)


def yank(
    reference: str,
    /,
    *,
    reason: str,
    to: str | None = None,
    take_down: bool = False,
    passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Withdraw a release from choice; locks and exact pins still get it, with a warning.

    Args:
        reference: Which one, NAME@VERSION.
        reason: What a person who has it should know.
        to: The registry's folder, or the name of one added from its folder; else the setting publish.to.
        take_down: Remove its bytes from the registry as well, for good; the version is never given again.
        passphrase_file: File whose first line opens the keys.
        session: This run.
    """
    context = session.context()
    folder = destination(session, context, to)
    phrase_path = _path_or_none(session, passphrase_file)
    plan = ops.plan_yank(context, folder, reference, reason, phrase_path, take_down=take_down)
    if not (plan.is_empty or session.options.dry_run):
        needed = ops.find_destination(context, folder).is_protected
        context = with_passphrase(session, context, phrase_path, needed=needed)
    run_plan(
        session,
        context,
        plan,
        schema="mmpm.yank/1",
        question=f"Take {reference} down, its bytes too?" if take_down else f"Yank {reference}?",
        done=f"{'Took down' if take_down else 'Yanked'} {reference}: {reason}",
        nothing=f"{reference} is {'taken down' if take_down else 'yanked'} already",
    )


def destination(session: Session, context: "Context", to: str | None) -> str:
    """Give the registry folder that `--to` or the setting names: its path, else the registry's id or name."""
    chosen = to or context.settings.text("publish.to")
    if chosen is None:
        raise UsageError("no registry is named", "say which with --to DIR, or `mmpm config set publish.to DIR`")
    if "://" in chosen:
        raise UsageError(f"{chosen} is not a folder", "publish to the registry's folder: --to DIR")
    path = session.path(chosen)
    return path if os.path.isdir(path) else ops.folder_of_registry(context, chosen) or path


def _path_or_none(session: Session, path: str | None) -> str | None:
    return None if path is None else session.path(path)


def say_checks(session: Session, planned: ops.PublishPlan, total: int) -> None:
    """Print what was found of `total` sources: of one every check, of several those that failed."""
    out = session.output
    if not total:
        return
    out.say("Pre-flight checks:")
    for one in planned.preflights:
        if total > 1:
            out.say(f"{one.label}:")
        for check in one.checks:
            out.say(f"{out.mark(check.result, out.err)} {check.sentence}")
    if total > 1 and planned.failure is None:
        new = sum(len(action.releases) for action in planned.plan.actions if isinstance(action, PublishReleases))
        out.say(f"{out.mark('done', out.err)} {total} releases are valid, {new} of them not yet published")


def checks_json(planned: ops.PublishPlan) -> list[object]:
    """Give the checks for `--json`."""
    return [
        {"release": one.label, "checks": [{"result": check.result, "check": check.sentence} for check in one.checks]}
        for one in planned.preflights
    ]


def _made(outcome: "Outcome") -> "NewRegistry":
    return cast("NewRegistry", outcome.results[0])


def _published(outcome: "Outcome") -> "Published":
    return cast("Published", outcome.results[0])


def _published_json(outcome: "Outcome | None", host: str) -> dict[str, object]:
    if outcome is None:
        return {"serial": None, "published": []}
    done = _published(outcome)
    return {"serial": done.serial, "published": [release_address(host, *one) for one in done.new]}


def _say_published(session: Session, done: "Published", host: str) -> None:
    out = session.output
    if not done.new:
        out.result(f"{host} is at serial {done.serial}")
        return
    if len(done.new) > 1:
        out.result(f"Published: {len(done.new)} releases to hop://{host}, serial {done.serial}")
        return
    name, version = done.new[0]
    out.result(f"Published: {release_address(host, name, version)}")
    out.result(f"View at: https://{host}/formulas/{name}")


def _say_setup(session: Session) -> None:
    out = session.output
    out.result("Setting up Mol Mall publishing...")
    out.result("1. Make a registry in a folder: mmpm registry init DIR --id HOST")
    out.result(f"2. Keep its keys safe, and a copy of them elsewhere: {session.places.keys}/HOST")
    out.result("3. Run: mmpm publish NAME --to DIR")
    out.document("mmpm.publish-init/1", {"keys": session.places.keys})
