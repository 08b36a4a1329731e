"""`mmpm registry rotate`, `mmpm keys sign`."""

import os
from typing import TYPE_CHECKING, Annotated, cast

from cyclopts import Parameter

from mmpm.cli.passphrases import with_passphrase, with_person_passphrase
from mmpm.cli.plans import run_plan, sentence_of
from mmpm.cli.session import Session
from mmpm.errors import NothingToSignError, UsageError
from mmpm.ops import rotate as ops

if TYPE_CHECKING:
    from mmpm.execute.apply import Outcome
    from mmpm.execute.rotating import Rotated, SignedCarried


def rotate(
    folder: str,
    /,
    *,
    role: tuple[str, ...] = (),
    add_key: tuple[str, ...] = (),
    remove_key: tuple[str, ...] = (),
    threshold: tuple[str, ...] = (),
    renew: tuple[str, ...] = (),
    after_theft: bool = False,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    apply: str | None = None,
    passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Change who signs for a registry: at once where the keys are here, else by a request that is carried to them.

    Args:
        folder: The registry's folder.
        role: A role whose keys new ones replace: root, targets, trust, bins, bin, snapshot, timestamp.
        add_key: A key that may sign for a role from now on, ROLE=FILE or ROLE=ed25519:...
        remove_key: A key that may sign for a role no more, ROLE=ID.
        threshold: How many of its keys must sign for a role, ROLE=N.
        renew: A role that gets a new term before the old one ends: all, root, targets, trust, bins.
        after_theft: The keys that publish were stolen: new ones, and a new start of serials for readers.
        output: Write a signing request into this file, and publish nothing.
        apply: Publish what this request says, now that it is signed.
        passphrase_file: File whose first line opens the registry's keys.
        session: This run.
    """
    context = session.context(read_registries=False)
    path = session.path(folder)
    phrase_path = None if passphrase_file is None else session.path(passphrase_file)
    if apply is not None:
        if role or add_key or remove_key or threshold or renew or output:
            raise UsageError("--apply publishes what the request says, and nothing else", "leave the other options out")
        planned = ops.plan_apply(
            context, path, session.path(apply), passphrase_file=phrase_path, after_theft=after_theft
        )
    else:
        planned = ops.plan_rotate(
            context,
            ops.RotateRequest(
                path,
                role,
                tuple(_key_option(session, one) for one in add_key),
                tuple(_pair(one, "--remove-key ROLE=ID") for one in remove_key),
                tuple(_pair(one, "--threshold ROLE=N") for one in threshold),
                renew,
                None if output is None else session.path(output),
                os.path.join(session.cwd, f"{os.path.basename(path)}.signing-request.json"),
                after_theft,
                phrase_path,
            ),
        )
    for sentence in planned.told:
        session.output.result(sentence)
    if not session.options.dry_run:
        for action in () if planned.told else planned.plan.actions:
            session.output.say(f"This will {sentence_of(action)}")
        context = with_passphrase(session, context, phrase_path, needed=planned.is_protected)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        done = _rotated(outcome) if outcome else None
        return {
            "registry": planned.registry,
            "changes": list(done.told if done else planned.told),
            "serial": done.serial if done else None,
            "root_version": done.root_version if done else None,
            "request": done.path if done else None,
            "missing": list(done.missing) if done else [],
        }

    question = None if planned.told or output else f"Change who signs for {planned.registry}?"
    question = f"Publish this for {planned.registry}?" if planned.told else question
    outcome = run_plan(session, context, planned.plan, schema="mmpm.registry-rotate/1", question=question, body=body)
    if outcome is not None:
        more = " --after-theft" if after_theft else ""
        _say_rotated(session, _rotated(outcome), folder + more, is_told=bool(planned.told))


def sign(
    file: str,
    /,
    *,
    key: tuple[str, ...] = (),
    passphrase_file: str | None = None,
    key_passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Sign a request with the keys of its registry that are on this machine, and with yours; no network is needed.

    Args:
        file: The signing request; it is written back in place.
        key: A key of yours that it waits for (`keys create`).
        passphrase_file: File whose first line opens the registry's keys.
        key_passphrase_file: File whose first line opens yours.
        session: This run.
    """
    context = session.context(read_registries=False)
    out = session.output
    path = session.path(file)
    phrase_path = None if passphrase_file is None else session.path(passphrase_file)
    own_path = None if key_passphrase_file is None else session.path(key_passphrase_file)
    planned = ops.plan_sign_carried(context, path, key, passphrase_file=phrase_path, person_passphrase_file=own_path)
    for sentence in planned.told:
        out.result(sentence)
    for need in planned.examined.needs:
        out.result(need.sentence)
    if not planned.is_known:
        out.warn(
            f"this machine knew nothing of {planned.examined.request.registry} so far: compare the first root key "
            "with what its publisher shows"
        )
    if planned.plan.is_empty:
        raise NothingToSignError(path, [one.sentence for one in planned.examined.missing])
    if not session.options.dry_run:
        context = with_passphrase(session, context, phrase_path, needed=planned.is_protected)
        for name in key:
            context = with_person_passphrase(session, context, name, own_path)

    def body(outcome: "Outcome | None") -> dict[str, object]:
        done = _signed(outcome) if outcome else None
        missing = done.missing if done else tuple(one.sentence for one in planned.examined.missing)
        return {
            "registry": planned.examined.request.registry,
            "request": path,
            "changes": list(planned.told),
            "signed": [{"role": role, "key_id": key_id} for role, key_id in (done.signatures if done else ())],
            "missing": list(missing),
        }

    outcome = run_plan(session, context, planned.plan, schema="mmpm.keys-sign/1", question="Sign this?", body=body)
    if outcome is None:
        return
    done = _signed(outcome)
    for role_name, key_id in done.signatures:
        out.result(f"Signed {role_name} with {key_id[:16]}")
    for sentence in done.missing:
        out.say(f"Still missing: {sentence}")
    if not done.missing:
        out.say(f"It is complete: carry it back and run `mmpm registry rotate DIR --apply {file}`")


def _say_rotated(session: Session, done: "Rotated", operands: str, *, is_told: bool) -> None:
    out = session.output
    if not done.changed:
        out.result(f"Nothing changes: serial {done.serial} shows it already")
        return
    for sentence in () if is_told else done.told:
        out.result(sentence)
    if done.path is None:
        out.result(f"Published with serial {done.serial}, root {done.root_version}")
        return
    out.result(f"Wrote {done.path}")
    for sentence in done.missing:
        out.say(f"Still missing: {sentence}")
    where = "carry it to the machines with those keys, run `mmpm keys sign FILE` there, and bring it back"
    out.say(f"Next: {where}" if done.missing else "It is complete")
    out.say(f"Then: mmpm registry rotate {operands} --apply {os.path.basename(done.path)}")


def _key_option(session: Session, text: str) -> tuple[str, str]:
    role, value = _pair(text, "--add-key ROLE=FILE or ROLE=ed25519:...")
    return role, value if value.startswith("ed25519:") else session.path(value)


def _pair(text: str, shape: str) -> tuple[str, str]:
    role, equals, value = text.partition("=")
    if not (role and equals and value):
        raise UsageError(f"{text} is not of the form {shape}", f"give {shape}")
    return role, value


def _rotated(outcome: "Outcome") -> "Rotated":
    return cast("Rotated", outcome.results[0])


def _signed(outcome: "Outcome") -> "SignedCarried":
    return cast("SignedCarried", outcome.results[0])
