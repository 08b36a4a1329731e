"""`mmpm sign`; `mmpm registry publisher`, `mark`, `unmark` and `marks`."""

from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

from cyclopts import Parameter

from mmpm.cli.commands.publish import destination
from mmpm.cli.passphrases import with_passphrase, with_person_passphrase
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.ops import marks as marking
from mmpm.ops import sign as signing
from mmpm.trust.key_ids import short

if TYPE_CHECKING:
    from mmpm.execute.apply import Outcome
    from mmpm.execute.context import Context
    from mmpm.execute.rotating import Rotated
    from mmpm.registry.sign import Countersigned

Output: TypeAlias = Annotated[str | None, Parameter(alias="-o")]


def sign(
    reference: str,
    /,
    *,
    to: str | None = None,
    key: str | None = None,
    openpgp: str | None = None,
    certificate: str | None = None,
    statement: bool = False,
    passphrase_file: str | None = None,
    key_passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Add a publisher's signature to a release that is published already.

    Args:
        reference: Which release, NAME@VERSION.
        to: The registry's folder; else the setting publish.to.
        key: A key of yours (`keys create`).
        openpgp: File of an armored detached OpenPGP signature over what --statement prints.
        certificate: File of the OpenPGP certificate, where the registry's publishers do not have it.
        statement: Print what has to be signed, for gpg or another tool, and do nothing else.
        passphrase_file: File whose first line opens the registry's keys.
        key_passphrase_file: File whose first line opens the key that signs.
        session: This run.
    """
    context = session.context(read_registries=False)
    folder = destination(session, context, to)
    if statement:
        _, release = signing.find_signable(context, folder, reference)
        data = signing.statement(release)
        if not session.output.as_json:
            session.output.raw(data)  # to the byte, no line break behind it
        session.output.document("mmpm.sign-statement/1", {"release": reference, "statement": data.decode()})
        return
    phrase_path = None if passphrase_file is None else session.path(passphrase_file)
    request = signing.SignRequest(
        reference,
        key or "",
        None if openpgp is None else session.path(openpgp),
        None if certificate is None else session.path(certificate),
        phrase_path,
        None if key_passphrase_file is None else session.path(key_passphrase_file),
    )
    planned = signing.plan_sign(context, folder, request)
    if not (planned.plan.is_empty or session.options.dry_run):
        context = with_passphrase(session, context, phrase_path, needed=planned.destination.is_protected)
        context = with_person_passphrase(session, context, key, request.signer_passphrase_file)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        done = _done(outcome) if outcome else None
        return {
            "release": f"{planned.release.name}@{planned.release.version}",
            "key_id": done.key_id if done else None,
            "serial": done.serial if done else None,
            "changed": done.changed if done else False,
        }

    nothing = f"{reference} is signed by that key already"
    outcome = run_plan(session, context, planned.plan, schema="mmpm.sign/1", nothing=nothing, body=body)
    if outcome is None:
        return
    done = _done(outcome)
    if not done.changed:
        session.output.say(nothing)
        return
    session.output.result(f"Signed {reference} with the key {done.key_id}, serial {done.serial}")


def _done(outcome: "Outcome") -> "Countersigned":
    return cast("Countersigned", outcome.results[0])


# --- publishers and marks of a registry -----------------------------------------------------------------------------


def add_publisher(
    folder: str,
    publisher: str,
    /,
    *,
    name: str | None = None,
    key: tuple[str, ...] = (),
    scope: tuple[str, ...] = (),
    formula: tuple[str, ...] = (),
    output: Output = None,
    passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Make somebody a publisher, or give a publisher more keys, scopes or names.

    Args:
        folder: The registry's folder.
        publisher: A short name for them, such as acme.
        name: What people call them.
        key: ed25519:HEX, a file of `keys export`, an OpenPGP certificate, or the name of a key of this machine.
        scope: A scope that is theirs, such as @acme.
        formula: A formula that is theirs beside that.
        output: Write a signing request to this file instead of publishing.
        passphrase_file: File whose first line opens the registry's keys.
        session: This run.
    """
    context = session.context(read_registries=False)
    how = _operating(session, folder, output, passphrase_file)
    keys = tuple(_key_operand(session, one) for one in key)
    planned = marking.plan_publisher(context, how, marking.PublisherAsked(publisher, name, keys, scope, formula))
    _change(session, context, how, planned, verb="registry-publisher-add", nothing=f"{publisher} is that already")


def revoke_publisher(
    folder: str,
    publisher: str,
    /,
    *,
    reason: str,
    key: str | None = None,
    from_serial: int = 0,
    output: Output = None,
    passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Say that a publisher's key, or every one of them, counts no more.

    Args:
        folder: The registry's folder.
        publisher: Whose keys.
        reason: What everybody shall know.
        key: The key's id or the beginning of it; else all of the publisher's keys.
        from_serial: The first serial of the registry whose signatures are not trusted; 0 takes all of them.
        output: Write a signing request to this file instead of publishing.
        passphrase_file: File whose first line opens the registry's keys.
        session: This run.
    """
    context = session.context(read_registries=False)
    how = _operating(session, folder, output, passphrase_file)
    planned = marking.plan_revoke(context, how, publisher, key=key, from_serial=from_serial, reason=reason)
    question = None if planned.plan.is_empty else f"{_sentence(planned)}? A revocation is never taken back"
    _change(
        session,
        context,
        how,
        planned,
        verb="registry-publisher-revoke",
        nothing="That is revoked already",
        question=question,
    )


def list_publishers(folder: str, /, *, session: Session) -> None:
    """List the publishers of a registry, their keys, what they own, and what was revoked.

    Args:
        folder: The registry's folder.
        session: This run.
    """
    destination_, publishers = marking.list_publishers(session.context(read_registries=False), session.path(folder))
    out = session.output
    if not publishers.publishers:
        out.say(
            f"{destination_.registry} has no publishers. Add one with: mmpm registry publisher add DIR ID --key KEY"
        )
    for one in publishers.publishers:
        owned = ", ".join((*one.scopes, *one.names)) or "nothing"
        out.result(f"{one.id}  {one.name}  owns {owned}")
        for key in one.keys:
            out.result(f"  {key.kind}  {key.key_id}")
        for revoked in one.revoked:
            what = short(revoked.key_id) if revoked.key_id else "every key"
            since = f"from serial {revoked.from_serial} on" if revoked.from_serial else "altogether"
            out.result(f"  revoked  {what} {since}: {revoked.reason}")
    document = [one.to_json() for one in publishers.publishers]
    out.document("mmpm.registry-publisher-list/1", {"registry": destination_.registry, "publishers": document})


def mark(
    folder: str,
    level: str,
    what: str,
    /,
    *,
    by: str = "",
    note: str = "",
    output: Output = None,
    passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Mark a formula as official, or a release as audited.

    Args:
        folder: The registry's folder.
        level: official, or audited.
        what: The formula's NAME for official, the release NAME@VERSION for audited.
        by: Who says so, for people.
        note: What they say, on one line.
        output: Write a signing request to this file instead of publishing.
        passphrase_file: File whose first line opens the registry's keys.
        session: This run.
    """
    context = session.context(read_registries=False)
    how = _operating(session, folder, output, passphrase_file)
    planned = marking.plan_mark(context, how, level, what, by=by, note=note)
    _change(session, context, how, planned, verb="registry-mark", nothing=f"{what} is marked {level} already")


def unmark(
    folder: str,
    level: str,
    what: str,
    /,
    *,
    output: Output = None,
    passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Withdraw a mark.

    Args:
        folder: The registry's folder.
        level: official, or audited.
        what: The formula's NAME for official, the release NAME@VERSION for audited.
        output: Write a signing request to this file instead of publishing.
        passphrase_file: File whose first line opens the registry's keys.
        session: This run.
    """
    context = session.context(read_registries=False)
    how = _operating(session, folder, output, passphrase_file)
    planned = marking.plan_unmark(context, how, level, what)
    _change(session, context, how, planned, verb="registry-unmark", nothing=f"{what} is not marked {level}")


def list_marks(folder: str, name: str | None = None, /, *, session: Session) -> None:
    """List the marks of a registry, or of one formula.

    Args:
        folder: The registry's folder.
        name: The formula.
        session: This run.
    """
    context = session.context(read_registries=False)
    destination_, marks = marking.list_marks(context, session.path(folder), name)
    out = session.output
    if not marks:
        out.say(f"No marks for {name}" if name else f"{destination_.registry} has no marks")
    for one in marks:
        level, what = ("audited", f"{one.name}@{one.version}") if one.checksum else ("official", one.name)
        by = f" by {one.by}" if one.by else ""
        out.result(f"{out.mark(level, out.out)}  {what}{by} on {one.at[:10]}" + (f": {one.note}" if one.note else ""))
    out.document(
        "mmpm.registry-marks/1",
        {
            "registry": destination_.registry,
            "marks": [
                {
                    "level": "audited" if one.checksum else "official",
                    "name": one.name,
                    "version": one.version or None,
                    "checksum": one.checksum or None,
                    "by": one.by,
                    "at": one.at,
                    "note": one.note,
                }
                for one in marks
            ],
        },
    )


def _operating(session: Session, folder: str, output: str | None, passphrase_file: str | None) -> marking.Operating:
    return marking.Operating(
        session.path(folder),
        None if output is None else session.path(output),
        session.cwd,
        None if passphrase_file is None else session.path(passphrase_file),
    )


def _key_operand(session: Session, text: str) -> str:
    return text if text.startswith("ed25519:") else session.path(text)


def _sentence(planned: marking.TrustPlan) -> str:
    return planned.words[0].upper() + planned.words[1:]


def _change(
    session: Session,
    context: "Context",
    how: marking.Operating,
    planned: marking.TrustPlan,
    *,
    verb: str,
    nothing: str,
    question: str | None = None,
) -> None:
    """Carry a change of publishers or marks out, and say what came of it or where its request lies."""
    if not (planned.plan.is_empty or session.options.dry_run):
        context = with_passphrase(session, context, how.passphrase_file, needed=planned.is_protected)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        done = cast("Rotated", outcome.results[0]) if outcome else None
        return {
            "registry": planned.destination.registry,
            "changes": list(done.told if done else ()),
            "serial": done.serial if done else None,
            "request": done.path if done else None,
            "missing": list(done.missing) if done else [],
        }

    outcome = run_plan(
        session, context, planned.plan, schema=f"mmpm.{verb}/1", question=question, nothing=nothing, body=body
    )
    if outcome is None:
        return
    done = cast("Rotated", outcome.results[0])
    out = session.output
    if done.path is not None:
        out.result(f"Wrote {done.path}")
        for sentence in done.missing:
            out.say(f"It waits: {sentence}")
        carried = f"mmpm keys sign {done.path}" if done.missing else None
        out.say(f"Where those keys are: {carried}" if carried else "It has all signatures")
        out.say(f"Then, back here: mmpm registry rotate {how.folder} --apply {done.path}")
    else:
        out.result(f"{_sentence(planned)}: done, serial {done.serial}")
