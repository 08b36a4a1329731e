"""`mmpm mol verify`: whether a digest, or the proof of one step, still says what it said."""

from dataclasses import fields
from typing import Annotated

from cyclopts import Parameter

from mmpm.cli.output import Output, Styled
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import UsageError, printable
from mmpm.molecule.digest import StepOutcome
from mmpm.molecule.proofs import Proof
from mmpm.ops.mol_state import Workspace
from mmpm.ops.mol_verify import AGREES, NO_LOG, Verified, parse_root, plan_proof, verify_operand

_ORDER = {one.name: number for number, one in enumerate(fields(StepOutcome))}
SCHEMA = "mmpm.mol-verify/1"
_LOG = {
    AGREES: "the molecule's log is here and tells the same, step by step",
    NO_LOG: "the molecule's log is not here",
}


def verify(
    digest: str,
    /,
    *,
    step: str | None = None,
    proof: bool = False,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    force: bool = False,
    root: str | None = None,
    session: Session,
) -> None:
    """Check that a digest says what its root says, or that a proof shows a step under a root.

    Args:
        digest: A molecule's id, or the file of a digest or of a proof.
        step: The step to tell of, or to prove.
        proof: Print the proof of --step, less than a kilobyte that shows it without the rest.
        output: Write the proof into this file.
        force: Write over a file that is there.
        root: The root that it has to hold under, as you know it from elsewhere.
        session: This run.
    """
    # An empty one is a variable that nobody set: what was to be checked would pass unchecked.
    for name, value in (("--step", step), ("--root", root), ("-o", output)):
        if value == "":
            raise UsageError(f"{name}: it is empty", f"name what is meant, or leave {name} out")
    if proof and not step:
        raise UsageError("--proof: of which step?", f"write `mmpm mol verify {digest} --step STEP --proof`")
    if output and not proof:
        raise UsageError("-o is where a proof is written", "give --step STEP --proof with it")
    try:
        expected = parse_root(root) if root else ""
    except ValueError as error:
        raise UsageError(f"--root: {error}", "write it as `mmpm mol verify` prints it") from None
    session.settings()
    found = verify_operand(
        lambda: _workspace(session),
        digest,
        session.path(digest),
        step=step or "",
        root=expected,
        proves=proof,
    )
    if found.proof is None:
        _print(session.output, found, is_given=bool(expected))
        session.output.document(SCHEMA, _body(found))
    elif output is not None:
        path = session.path(output)
        plan = plan_proof(found.proof, path, force=force)
        context = session.context(read_manifest=False, read_registries=False)
        run_plan(session, context, plan, schema=SCHEMA, done=f"Wrote {path}", body=lambda _: _body(found))
        session.output.say(f"It shows {found.step} under {found.root}")
    else:
        _print_proof(session, found, found.proof)


def _workspace(session: Session) -> Workspace:
    # Only for a digest: a proof is checked on a machine that has nothing and where nothing can be written.
    context = session.context(read_manifest=False, read_registries=False)
    return Workspace.of(context, session.cwd, tier=session.options.tier, folder=session.options.project)


def _print_proof(session: Session, found: Verified, proof: Proof) -> None:
    session.output.document(SCHEMA, _body(found))
    if not session.options.as_json:
        session.output.raw_json(proof.to_bytes() + b"\n")
        session.output.say(f"It shows {found.step} under {found.root}")


def _print(out: Output, found: Verified, *, is_given: bool) -> None:
    digest = found.digest
    mark = Styled(out.mark("done", out.out), "green")
    if digest is None:
        out.line(mark, f" The proof holds: {found.step}")
    else:
        out.line(mark, f" The digest of {digest.id} holds")
        for line in digest.lines()[:3]:
            out.line(line)
    out.line(f"Root: {found.root}")
    if digest is not None:
        out.line(f"Log: {_LOG.get(found.log, f'not compared: {found.log}')}")
    for key, value in sorted((found.outcome or {}).items(), key=lambda item: _ORDER.get(item[0], len(_ORDER))):
        out.line(f"{printable(key).replace('_', ' ').capitalize()}: {' '.join(value.split())}")
    if digest is not None and not is_given and found.log != AGREES:
        out.say("Nothing but the file itself vouches for its root: compare it with one that you know, by --root")


def _body(found: Verified) -> dict[str, object]:
    return {
        "holds": True,
        "kind": "digest" if found.digest else "proof",
        "id": found.digest.id if found.digest else None,
        "root": found.root,
        "log": found.log if found.digest else None,
        "step": found.outcome,
        "proof": found.proof.to_bytes().decode() if found.proof else None,
    }
