"""Change a formulas folder as one: stage everything, write the intent down, take the steps, forget the intent."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from mmpm.errors import ChangedMeanwhileError, DocumentUnreadableError
from mmpm.execute import locking
from mmpm.execute.again import FEW
from mmpm.execute.journal import drop_journal, flush, has_journal, recover, write_journal
from mmpm.execute.staging import stage_files
from mmpm.execute.steps import Step, Work
from mmpm.plan import InstallTree, KeepAside, NoteState, PlaceFiles, RemoveTree, ReplaceTree, SetRoot, WriteText
from mmpm.project.files import content_id, read_optional, real_path
from mmpm.project.state import forget, note, surroundings
from mmpm.receipt import FILE_NAME, parse_receipt
from mmpm_store.durable import fsync_path, sync_filesystem, write_file_durably

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmpm.execute.apply import Outcome
    from mmpm.execute.context import Context
    from mmpm.plan import Plan

checkpoint: Callable[[str], None] = lambda _: None  # noqa: E731 - tests put a function in its place that ends the process


def begin_change(context: Context, *, wait_seconds: float = locking.WAIT_SECONDS) -> str:
    """Keep others from the project's formulas folder, and complete what a killed process began there.

    Every operation that plans over the folder calls this before it reads anything.

    Returns:
        The folder, links resolved.

    Raises:
        LeadsOutsideError: the folder, manifest or lock of a project is a link out of it.
        LockedByOtherError: another process is at work there.
    """
    project = context.project
    formulas = real_path(project, project.formulas)
    for path in (project.manifest_path, project.lock_path):
        real_path(project, path)
    locking.hold(context.places.state, formulas, context.progress, wait_seconds)
    done = recover(context.places.state, formulas)
    if done is not None:
        forget(context.places.state, context.project.root)
        context.progress.say("Completed what an interrupted command had begun")
    return formulas


def end_change(context: Context) -> None:
    """Let others change the folder: when a plan was applied, or will not be."""
    locking.release(os.path.realpath(context.project.formulas))


def apply_project(context: Context, plan: Plan, outcome: Outcome) -> None:
    """Apply all of the plan's project actions, or none.

    Raises:
        ChangedMeanwhileError: a text is no longer the one that the plan was made over.
        LockedByOtherError: another process is at work there.
    """
    formulas = begin_change(context)
    state = context.places.state
    try:
        for action in plan.of(WriteText):
            assert isinstance(action, WriteText)
            if action.replaces is not None and content_id(read_optional(action.path)) != action.replaces:
                raise ChangedMeanwhileError(action.path)
        forget(state, context.project.root)
        _set_roots(context, plan)
        is_fresh = not os.path.lexists(formulas)
        staging = _make_staging(formulas)
        work = Work(formulas, staging, checkpoint)
        try:
            _change(context, plan, outcome, work)
        except BaseException:
            # Once the intent is written down, what it needs stays: the next command completes it.
            if not has_journal(state, formulas):
                shutil.rmtree(staging, ignore_errors=True)
            raise
        shutil.rmtree(staging, ignore_errors=True)
        outcome.kept += work.kept
        outcome.skipped += work.skipped
        _tell(context, outcome)
        for action in plan.of(NoteState):
            assert isinstance(action, NoteState)
            around = surroundings(context.environ)
            note(state, context.project.root, action.sentence, list(action.paths), around)
        if is_fresh and not outcome.copied:
            from mmpm.execute.remembering import remember

            remember(context, plan, formulas)
    finally:
        end_change(context)


def _make_staging(formulas: str) -> str:
    """Make the staging folder: beside the formulas folder, or in it where that is a file system of its own.

    Renaming the empty folder there and back shows, before anything is written down, what every later rename needs.

    Raises:
        OSError: the formulas folder cannot be changed.
    """
    name = f"{locking.STAGING_PREFIX}{os.urandom(6).hex()}"
    beside, inside = f"{os.path.dirname(formulas)}/{name}", f"{formulas}/{name}"
    os.makedirs(beside)
    if not os.path.isdir(formulas):
        return beside
    try:
        os.rename(beside, inside)
    except OSError as error:
        os.rmdir(beside)
        if error.errno != errno.EXDEV:
            raise
        os.mkdir(inside)
        return inside
    os.rename(inside, beside)
    return beside


def _tell(context: Context, outcome: Outcome) -> None:
    """Say what a person must know, whatever command it was: what was kept, left, or copied instead of linked."""
    for path, kept in outcome.kept:
        context.progress.warn(f"{path} had other bytes than we install; they are kept as {kept}")
    for path in outcome.skipped:
        context.progress.warn(f"{path} was changed meanwhile and is left as it is; run `mmpm sync`")
    if outcome.copied and outcome.reasons != ("asked",):
        context.progress.say(f"{outcome.copied} files were copied, not linked ({', '.join(outcome.reasons)})")


def _change(context: Context, plan: Plan, outcome: Outcome, work: Work) -> None:
    state = context.places.state
    checkpoint("begin")
    is_fresh = not os.path.lexists(work.formulas)
    report = stage_files(context, f"{work.staging}/new", plan)
    outcome.linked += report.linked
    outcome.copied += report.copied
    outcome.reasons = tuple(reason for reason, _ in report.reasons)
    checkpoint("staged")
    is_large = report.linked > FEW or report.copied > 0
    steps = _steps(plan, work, is_fresh=is_fresh, flush_texts=not is_large)
    if is_large:
        sync_filesystem(work.staging)
    else:
        for folder, _, _ in os.walk(work.staging):
            fsync_path(folder)
    checkpoint("flushed")
    # One rename is whole by itself; anything more needs its intent written down.
    is_single = len(steps) == 1 and steps[0][0] == "whole"
    if not is_single:
        write_journal(state, work.formulas, work.staging, steps)
    checkpoint("journal")
    work.run(steps)
    flush(work)
    checkpoint("done")
    if not is_single:
        drop_journal(state, work.formulas)
    checkpoint("dropped")


def _steps(plan: Plan, work: Work, *, is_fresh: bool, flush_texts: bool) -> list[Step]:
    """Order the work: what is kept, what goes, what comes, then the texts; those of the folder are staged here."""
    steps: list[Step] = []
    texts = [action for action in plan.actions if isinstance(action, WriteText)]
    inside = [text for text in texts if os.path.dirname(text.path) == work.formulas]
    if is_fresh:
        for text in inside:
            name = os.path.basename(text.path)
            write_file_durably(f"{work.staging}/new/{name}", text.text.encode(), durable=flush_texts)
        if inside or plan.of(InstallTree, ReplaceTree):
            steps.append(["whole", "new"])
    else:
        steps += [["aside", one.path, one.kept_as, one.id] for one in plan.actions if isinstance(one, KeepAside)]
        for action in plan.actions:
            if isinstance(action, (RemoveTree, ReplaceTree)):
                steps += [["remove", file.path, file.id] for file in action.remove]
        steps += _install_steps(plan, work)
        steps += _place_steps(plan, work, durable=flush_texts)
        for text in inside:
            name = os.path.basename(text.path)
            write_file_durably(f"{work.staging}/{name}", text.text.encode(), durable=flush_texts)
            steps.append(["install", name, name, [content_id(read_optional(text.path))]])
    steps += [["write", text.path, text.text, text.replaces] for text in texts if text not in inside]
    return steps


def _install_steps(plan: Plan, work: Work) -> list[Step]:
    """Say what is renamed into place: a bundle's folder as a whole where none is there, else file by file."""
    ours = _ours(work.formulas)
    tops: dict[str, bool] = {}
    steps: list[Step] = []
    for action in plan.actions:
        if not isinstance(action, (InstallTree, ReplaceTree)):
            continue
        for file in action.link:
            top, slash, _ = file.path.partition("/")
            if slash and top not in tops:
                tops[top] = not os.path.lexists(f"{work.formulas}/{top}")
                if tops[top]:
                    steps.append(["install", f"new/{top}", top, []])
            if not slash or not tops[top]:
                steps.append(["install", f"new/{file.path}", file.path, [file.id, *ours.get(file.path, ())]])
    return steps


def _place_steps(plan: Plan, work: Work, *, durable: bool) -> list[Step]:
    """Stage what becomes a person's, and say where it is renamed to: over ours; what is in the way is kept."""
    ours = _ours(work.formulas)
    steps: list[Step] = []
    for action in plan.of(PlaceFiles):
        assert isinstance(action, PlaceFiles)
        for path, data, mode in action.files:
            staged = f"{work.staging}/placed/{path}"
            os.makedirs(os.path.dirname(staged), exist_ok=True)
            write_file_durably(staged, data, mode, durable=durable)
            steps.append(["install", f"placed/{path}", path, ours.get(path, [])])
    return steps


def _ours(formulas: str) -> dict[str, list[str]]:
    """Give the ids that the receipt on disk has for its paths: what may be replaced without a word."""
    data = read_optional(f"{formulas}/{FILE_NAME}")
    if data is None:
        return {}
    try:
        receipt = parse_receipt(data)
    except DocumentUnreadableError:  # `sync` makes it again; until then nothing there is known to be ours
        return {}
    return {file.path: [file.id] for entry in receipt.entries for file in entry.files}


def _set_roots(context: Context, plan: Plan) -> None:
    for action in plan.of(SetRoot):
        from mmpm_store.ids import ObjectId
        from mmpm_store.roots import set_root

        assert isinstance(action, SetRoot)
        try:
            set_root(context.store, action.key, [ObjectId.parse(tree) for tree in action.trees])
        except OSError as error:
            # A store that we may only read is installed from all the same; what it loses there, our links still have.
            if error.errno not in {errno.EROFS, errno.EACCES}:
                raise
