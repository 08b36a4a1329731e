"""`mmpm policy show`, `sign`, `pin`, `unpin`."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mmpm.cli.output import Styled
from mmpm.cli.passphrases import with_person_passphrase
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.ops import policy as ops
from mmpm.registry.address import is_url

if TYPE_CHECKING:
    from mmpm.project.policies import Pinned
    from mmpm.trust.policy import Stated


def show(*, session: Session) -> None:
    """Show the rules that hold in this folder, and who set each.

    Args:
        session: This run.
    """
    rules = ops.show_policy(session.context(read_registries=False))
    out = session.output
    width = max(len(_rule(one)) for one in (*rules.in_force, *rules.others))
    for one in rules.in_force:
        out.result(f"{_rule(one):<{width}}  # {one.origin}")
    for one in rules.others:
        out.result(Styled(f"{_rule(one):<{width}}  # {one.origin}, and something stricter holds", "dim"))
    for pinned in rules.pinned:
        out.say(f"Pinned: {_pinned_line(pinned)}")
    out.document(
        "mmpm.policy-show/1",
        {
            "rules": [_stated_json(one) for one in rules.in_force],
            "overruled": [_stated_json(one) for one in rules.others],
            "pinned": [_pinned_json(one) for one in rules.pinned],
        },
    )


def sign(
    file: str,
    /,
    *,
    key: str,
    output: Annotated[str, Parameter(alias="-o")] = "policy.json",
    successor: str = "",
    passphrase_file: str | None = None,
    session: Session,
) -> None:
    """Sign a policy for the machines of an enterprise, or add a signature to a signed one.

    Args:
        file: TOML with id, serial and a table [policy]; or a signed policy.
        key: A key of yours (`keys create`).
        output: The file to write.
        successor: The key (ed25519:HEX) that will sign the policies after this one.
        passphrase_file: File whose first line opens the key.
        session: This run.
    """
    context = session.context(read_registries=False)
    phrase_path = None if passphrase_file is None else session.path(passphrase_file)
    request = ops.SignRequest(session.path(file), key, session.path(output), phrase_path, successor)
    plan = ops.plan_sign_policy(context, request)
    if not session.options.dry_run:
        context = with_person_passphrase(session, context, key, phrase_path)
    run_plan(session, context, plan, schema="mmpm.policy-sign/1", done=f"Wrote {request.output}")


def pin(where: str, /, *, key: str, session: Session) -> None:
    """Have a signed policy hold on this machine, before flags, environment and files.

    Args:
        where: File or URL of the signed policy.
        key: The key that signs it, as ed25519:HEX.
        session: This run.
    """
    context = session.context()
    plan, pinned = ops.plan_pin(context, where if is_url(where) else session.path(where), key)
    line = _pinned_line(pinned)
    run_plan(
        session,
        context,
        plan,
        schema="mmpm.policy-pin/1",
        done=f"Pinned: {line}",
        nothing=f"Pinned already: {line}",
        body=lambda _outcome: {"pinned": _pinned_json(pinned)},
    )


def unpin(name: str | None = None, /, *, session: Session) -> None:
    """Take away a policy that you pinned.

    Args:
        name: Its id; the only one where none is named.
        session: This run.
    """
    context = session.context(read_registries=False)
    plan, pinned = ops.plan_unpin(context, name)
    document = pinned.document
    run_plan(
        session,
        context,
        plan,
        schema="mmpm.policy-unpin/1",
        question=f"Unpin the policy {document.id}? Its rules hold no more on this machine",
        done=f"Unpinned: {document.id}",
    )


def _rule(one: "Stated") -> str:
    return f"policy.{one.rule} = {one.text}"


def _pinned_line(one: "Pinned") -> str:
    document = one.document
    return f"{document.id}, serial {document.serial}, issued {document.issued}, key ed25519:{one.key}"


def _stated_json(one: "Stated") -> dict[str, object]:
    value = list(one.value) if isinstance(one.value, tuple) else one.value
    return {"rule": one.rule, "value": value, "text": one.text, "origin": one.origin}


def _pinned_json(one: "Pinned") -> dict[str, object]:
    document = one.document
    return {
        "id": document.id,
        "serial": document.serial,
        "issued": document.issued,
        "key": f"ed25519:{one.key}",
        "file": one.path,
    }
