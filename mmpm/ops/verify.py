"""`verify`: is what lies on disk what the receipt, the lock and the registries' signed indexes say?

Every installed file is read and hashed; nothing that was noted about inodes is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmpm.errors import SignatureBadError
from mmpm.ops.known import LocalReleases
from mmpm.ops.receipts import flat_name, problem_of_unlisted
from mmpm.ops.vouching import Vouching
from mmpm.project.files import observe, read_project

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.lock import Lockfile
    from mmpm.receipt import Installed, Receipt
    from mmpm.reconcile import Seen

TRUSTED = "trusted"
UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found out about one release.

    Attributes:
        name, version: of the release.
        files: how many of its files are as installed.
        problems: sentences; empty when all is well.
        level: how far it is trusted now, by signatures that were checked.
        warnings: what changed for the worse since it was installed, where no rule of policy bars it for that.
        index: `trusted` if the registry's verified index lists this checksum and tree, `untrusted` if it lists
            others, empty where that was not asked or is not known here.
    """

    name: str
    version: str
    files: int
    problems: tuple[str, ...]
    index: str = ""
    level: str = ""
    warnings: tuple[str, ...] = ()


def verify_installed(context: Context, *, against_lock: bool = False) -> list[Verified]:
    """Check every installed release, sorted by name; with `against_lock` every locked one too, and the indexes.

    Raises:
        DocumentUnreadableError, NewerFormatError: receipt or lock cannot be read.
    """
    files = read_project(context.project)
    receipt = files.receipt
    paths = [file.path for entry in receipt.entries for file in entry.files]
    context.progress.start("Verifying...", len(receipt.entries), "releases")
    seen = observe(files.formulas, paths)
    found = []
    lock = files.lock
    known = LocalReleases(context) if against_lock else None
    vouching = Vouching(context, checks=True)
    for entry in receipt.entries:
        found.append(_vouched(vouching, entry, _check(entry, files.formulas, seen, lock, known)))
        context.progress.advance()
    context.progress.finish()
    return found + _not_installed(lock, receipt)


def _vouched(vouching: Vouching, entry: Installed, checked: Verified) -> Verified:
    """Add what vouches for a release by now, and what policy says to that."""
    try:
        vouched = vouching.of(entry, entry.level)
    except SignatureBadError as error:
        return replace(checked, problems=(*checked.problems, error.fact), index=UNTRUSTED)
    if vouched.barred:
        remedy = f"`mmpm upgrade {entry.name}` looks for another, `mmpm uninstall {entry.name}` does without"
        told = f"is barred by {vouched.barred}; {', '.join((*vouched.words, remedy))}"
        return replace(checked, problems=(*checked.problems, told), level=vouched.level)
    return replace(checked, level=vouched.level, warnings=vouched.words)


def _check(
    entry: Installed, folder: str, seen: dict[str, Seen], lock: Lockfile | None, known: LocalReleases | None
) -> Verified:
    problems = []
    good = 0
    if not entry.files:
        # The seed's program lists no files: what it installed is one, and known by its checksum.
        wrong = problem_of_unlisted(folder, entry)
        good = int(not wrong)
        if wrong:
            problems.append(f"{flat_name(entry)} {'is missing' if wrong == 'missing' else 'was edited'}")
    for file in entry.files:
        there = seen.get(file.path)
        if there is None:
            problems.append(f"{file.path} is missing")
        elif there.id != file.id:
            problems.append(f"{file.path} was edited")
        elif there.executable != file.executable:
            problems.append(f"{file.path} has another x bit")
        else:
            good += 1
    locked = lock.get(entry.name) if lock else None
    if lock is not None and locked is None:
        problems.append("is installed, but not in the lock")
    elif locked is not None and (locked.tree, locked.checksum) != (entry.tree or locked.tree, entry.checksum):
        problems.append(f"is installed in other bytes than locked ({locked.version})")
    index = _in_index(entry, known) if known else ""
    if index == UNTRUSTED:
        problems.append("is listed by its registry with another checksum or tree")
    return Verified(entry.name, entry.version, good, tuple(problems), index)


def _not_installed(lock: Lockfile | None, receipt: Receipt) -> list[Verified]:
    if lock is None:
        return []
    here = {entry.name for entry in receipt.entries}
    return [
        Verified(locked.name, locked.version, 0, ("is locked, but not installed",))
        for locked in lock.placed
        if locked.name not in here
    ]


def _in_index(entry: Installed, known: LocalReleases) -> str:
    """Say whether the registry that `entry` came from lists it with these bytes, as far as that is known here."""
    releases = known.of(entry)
    if releases is None:
        return ""
    for release in releases:
        if str(release.version) == entry.version:
            same = (str(release.tree), str(release.checksum)) == (entry.tree or str(release.tree), entry.checksum)
            return TRUSTED if same else UNTRUSTED
    return UNTRUSTED
