"""`mmpm keys create`, `list`, `export`."""

from typing import TYPE_CHECKING, Annotated, cast

from cyclopts import Parameter

from mmpm.cli.passphrases import with_passphrase
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.ops import keys as ops

if TYPE_CHECKING:
    from mmpm.execute.apply import Outcome
    from mmpm.registry.key_folder import RoleKey
    from mmpm.trust.keys import PublicKey


def create(name: str, /, *, passphrase_file: str | None = None, no_passphrase: bool = False, session: Session) -> None:
    """Make a key pair of your own: it signs releases, acknowledgements, policies, and roles of registries.

    Args:
        name: What you call it, such as alice.
        passphrase_file: File whose first line protects the key.
        no_passphrase: Leave the key unprotected (0600, as it is).
        session: This run.
    """
    context = session.context(read_registries=False)
    phrase_path = None if passphrase_file is None else session.path(passphrase_file)
    plan = ops.plan_create_key(context, name, passphrase_file=phrase_path, is_open=no_passphrase)
    if not (no_passphrase or session.options.dry_run):
        context = with_passphrase(session, context, phrase_path, needed=True, twice=True, whose=f"the key {name}")

    def body(outcome: "Outcome | None") -> dict[str, object]:
        return {"name": name, **(_document(_made(outcome)) if outcome else {"key_id": None, "public": None})}

    outcome = run_plan(session, context, plan, schema="mmpm.keys-create/1", body=body)
    if outcome is None:
        return
    public = _made(outcome)
    session.output.result(f"Made key {name}, {public.key_id}")
    session.output.result(f"Public part: {public.text}")
    session.output.say(f"Keep a copy elsewhere: {context.places.keys}/people/{name}.pem")


def list_command(*, session: Session) -> None:
    """List the private keys of this machine: yours, and those of registries with the roles that they hold.

    Args:
        session: This run.
    """
    listing = ops.list_keys(session.context(read_registries=False))
    out = session.output
    if not (listing.people or listing.registries):
        out.say("No keys. Make one with: mmpm keys create NAME")
    for one in listing.people:
        out.result(f"{one.name}  {_id_text(one.public)}  {_state(one.is_protected)}")
    for ring in listing.registries:
        out.result(ring.registry + (f"  root {ring.root_version}" if ring.root_version else ""))
        for key in (*ring.keys, *ring.waiting):
            waits = "  waits for a rotation to be applied" if key in ring.waiting else ""
            until = f"  until {ring.expires[key.role]}" if key.role in ring.expires and not waits else ""
            out.result(f"  {key.role}  {_id_text(key.public)}  {_state(key.is_protected)}{until}{waits}")
    out.document(
        "mmpm.keys-list/1",
        {
            "people": [
                {
                    "name": one.name,
                    "protected": one.is_protected,
                    "file": one.path,
                    **_document(one.public),
                }
                for one in listing.people
            ],
            "registries": [
                {
                    "registry": ring.registry,
                    "folder": ring.folder,
                    "root_version": ring.root_version,
                    "expires": dict(ring.expires),
                    "keys": [_role_document(key) for key in ring.keys],
                    "waiting": [_role_document(key) for key in ring.waiting],
                }
                for ring in listing.registries
            ],
        },
    )


def export(name: str, /, *, output: Annotated[str | None, Parameter(alias="-o")] = None, session: Session) -> None:
    """Print the public part of a key on one line, or write it into a file.

    Args:
        name: The key, as `keys list` shows it.
        output: The file to write, which says type, key and id.
        session: This run.
    """
    context = session.context(read_registries=False)
    public = ops.export_key(context, name)
    if output is None:
        session.output.result(public.text)
        session.output.document("mmpm.keys-export/1", {"name": name, **_document(public)})
        return
    path = session.path(output)
    run_plan(
        session,
        context,
        ops.plan_export(path, public),
        schema="mmpm.keys-export/1",
        done=f"Wrote {path}",
        body=lambda _outcome: {"name": name, **_document(public)},
    )


def _made(outcome: "Outcome") -> "PublicKey":
    return cast("PublicKey", outcome.results[0])


def _document(public: "PublicKey | None") -> dict[str, object]:
    return {
        "key_id": public.key_id if public else None,
        "public": public.text if public else None,
    }


def _role_document(key: "RoleKey") -> dict[str, object]:
    return {"role": key.role, "protected": key.is_protected, "file": key.path, **_document(key.public)}


def _id_text(public: "PublicKey | None") -> str:
    return public.key_id[:16] if public else "(its .pub file is not there)"


def _state(is_protected: bool) -> str:
    return "protected" if is_protected else "open"
