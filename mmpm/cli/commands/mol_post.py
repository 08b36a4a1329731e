"""`mmpm mol post`: execution records go to a registry, where others read them."""

from typing import TYPE_CHECKING, cast

from mmpm.cli.commands.publish import checks_json, destination, say_checks
from mmpm.cli.passphrases import with_passphrase, with_person_passphrase
from mmpm.cli.plans import run_plan
from mmpm.cli.session import Session
from mmpm.errors import VersionTakenError, printable
from mmpm.model.references import release_address
from mmpm.ops.mol_post import PostPlan, plan_post
from mmpm.ops.mol_state import Workspace
from mmpm.plan import Plan

if TYPE_CHECKING:
    from mmpm.execute.apply import Outcome
    from mmpm.execute.context import Context
    from mmpm.registry.publish import Published

TOLD = 5
TRIES = 5


def post(
    *digests: str,
    to: str | None = None,
    name: str | None = None,
    sign: str | None = None,
    passphrase_file: str | None = None,
    sign_passphrase_file: str | None = None,
    session: Session,
) -> int | None:
    """Post execution records to a registry, for others to read: as a release that is mirrored and carried like any.

    Summaries, values of variables and reasons of steps go out as they are.

    Args:
        digests: Ids of squashed molecules; none: all whose records are not there yet.
        to: The registry's folder, or the name of one added from its folder; else the setting publish.to.
        name: Name of the release; else records- and the name of the folder that the records are in.
        sign: A key of yours (`keys create`): the release gets its signature.
        passphrase_file: File whose first line opens the registry's keys.
        sign_passphrase_file: File whose first line opens the key that signs.
        session: This run.
    """
    context = session.context()
    options = session.options
    workspace = Workspace.of(context, session.cwd, tier=options.tier, folder=options.project)
    phrase = None if passphrase_file is None else session.path(passphrase_file)
    sign_phrase = None if sign_passphrase_file is None else session.path(sign_passphrase_file)
    session.progress.ends_with_mark = True
    folder = destination(session, context, to)
    for tries_left in range(TRIES - 1, -1, -1):
        planned = plan_post(
            context,
            workspace,
            folder,
            digests,
            name=name,
            passphrase_file=phrase,
            signer=sign or "",
            signer_passphrase_file=sign_phrase,
        )
        _say(session, planned, workspace.places.root)
        try:
            if planned.publish is not None and planned.publish.failure is not None:
                raise planned.publish.failure
            if planned.publish is not None and not options.dry_run:
                needed = planned.publish.destination.is_protected
                context = with_passphrase(session, context, phrase, needed=needed)
                context = with_person_passphrase(session, context, sign, sign_passphrase_file)
            _apply(session, context, planned)
            break
        except VersionTakenError:
            if not tries_left:
                raise
            session.output.say(f"Somebody else posted as {planned.name} meanwhile: once more")
    return 1 if planned.left_out else None


def _apply(session: Session, context: "Context", planned: PostPlan) -> None:
    def body(outcome: "Outcome | None") -> dict[str, object]:
        return _json(planned, outcome)

    outcome = run_plan(
        session,
        context,
        planned.publish.plan if planned.publish else Plan(),
        schema="mmpm.mol-post/1",
        question=(
            f"Post {_count(planned.count)} to {planned.registry}, "
            "with summaries, values of variables and reasons of steps as they are?"
        ),
        nothing=_nothing(planned),
        body=body,
    )
    if outcome is None:
        return
    for each in planned.posts:
        address = release_address(planned.registry, planned.name, each.version)
        session.output.result(f"Posted: {address}  {_count(len(each.ids))}")


def _say(session: Session, planned: PostPlan, root: str) -> None:
    out = session.output
    for sentence in planned.left_out:
        out.warn(f"left out: {sentence}")
    if planned.held_back:
        more = f" and {len(planned.held_back) - TOLD} more" if len(planned.held_back) > TOLD else ""
        ids = f"{', '.join(planned.held_back[:TOLD])}{more}"
        out.warn(f"a version of {planned.name} was taken down, which may have held {ids}: name those that you mean")
    if planned.publish is None:
        return
    out.say(f"Posting {_count(planned.count)} of {printable(root)} to {planned.registry} as {planned.name}...")
    say_checks(session, planned.publish, len(planned.posts))


def _nothing(planned: PostPlan) -> str:
    if planned.publish is not None:
        return f"Nothing to post: somebody else posted the same as {planned.name} meanwhile"
    if planned.already:
        verb = "is" if planned.already == 1 else "are"
        return f"Nothing to post: {_count(planned.already)} {verb} in {planned.name} of {planned.registry} already"
    if planned.held_back or planned.left_out:
        return "Nothing to post"
    return "Nothing to post: no molecule was squashed here"


def _count(number: int) -> str:
    return f"{number} record{'s' * (number != 1)}"


def _json(planned: PostPlan, outcome: "Outcome | None") -> dict[str, object]:
    done = cast("Published", outcome.results[0]) if outcome else None
    return {
        "registry": planned.registry,
        "name": planned.name,
        "serial": done.serial if done else None,
        "posts": [
            {
                "release": release_address(planned.registry, planned.name, each.version),
                "version": each.version,
                "records": list(each.ids),
            }
            for each in planned.posts
        ],
        "already": planned.already,
        "held_back": list(planned.held_back),
        "left_out": list(planned.left_out),
        "checks": checks_json(planned.publish) if planned.publish else [],
    }
