"""`mmpm sign`."""

from typing import TYPE_CHECKING, cast

from mmpm.cli.commands.publish import destination
from mmpm.cli.passphrases import with_passphrase, with_person_passphrase
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.ops import sign as signing

if TYPE_CHECKING:
    from mmpm.execute.apply import Outcome
    from mmpm.registry.sign import Countersigned


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
