"""A strict reader of beads' issues JSONL, written from beads' own pages and sources, not from what mmpm writes.

Read at beads commit fbcee6c6246c874ed98a129d9c1ac22127d8c585 (2026-06-01): `website/docs/cli-reference/import.md`,
`internal/types/types.go` (the JSON tags of Issue, Dependency, Comment, BondRef; `ValidateWithCustom`; built-in statuses
and types), `cmd/bd/import.go` and `internal/molecules/molecules.go` (how lines are read),
`internal/storage/issueops/create.go` and `dependencies.go` (what a batch is refused for), and the widths of the columns
in `internal/storage/schema/migrations`.

One line that Go's decoder refuses, or one issue that does not validate, costs the whole import there: so it is here.
Beyond that the reader is stricter than beads: keys that beads does not know are refused unless they are named, and so
are a dependency whose target is not there, and one that would make a cycle.
"""

from __future__ import annotations

import json
import re
from datetime import datetime

MAX_LINE_BYTES = 64 * 1024 * 1024  # `scanner.Buffer` of import; the loader of molecules.jsonl stops at 64 KiB
STATUSES = {"open", "in_progress", "blocked", "deferred", "closed", "pinned", "hooked"}
TYPES = {
    *("bug", "feature", "task", "epic", "chore", "decision", "message", "molecule"),
    *("gate", "spike", "story", "milestone", "event"),
}

TEXT, WHOLE, BOOL, MOMENT, ANY = "text", "whole", "bool", "moment", "any"
ISSUE = {
    **dict.fromkeys(("id", "title", "description", "design", "acceptance_criteria", "notes", "spec_id"), TEXT),
    "status": TEXT,
    "priority": WHOLE,
    "issue_type": TEXT,
    "assignee": TEXT,
    "owner": TEXT,
    "estimated_minutes": WHOLE,
    "created_at": MOMENT,
    "created_by": TEXT,
    "updated_at": MOMENT,
    "started_at": MOMENT,
    "closed_at": MOMENT,
    "close_reason": TEXT,
    "closed_by_session": TEXT,
    "due_at": MOMENT,
    "defer_until": MOMENT,
    "external_ref": TEXT,
    "source_system": TEXT,
    "metadata": ANY,
    "compaction_level": WHOLE,
    "compacted_at": MOMENT,
    "compacted_at_commit": TEXT,
    "original_size": WHOLE,
    "labels": [TEXT],
    "dependencies": "dependencies",
    "comments": "comments",
    "sender": TEXT,
    "ephemeral": BOOL,
    "no_history": BOOL,
    "wisp_type": TEXT,
    "pinned": BOOL,
    "is_template": BOOL,
    "bonded_from": "bonds",
    "await_type": TEXT,
    "await_id": TEXT,
    "timeout": WHOLE,
    "waiters": [TEXT],
    **dict.fromkeys(("source_formula", "source_location", "mol_type", "work_type"), TEXT),
    **dict.fromkeys(("event_kind", "actor", "target", "payload"), TEXT),
}
DEPENDENCY = {
    **dict.fromkeys(("issue_id", "depends_on_id", "type", "created_by", "metadata", "thread_id"), TEXT),
    "created_at": MOMENT,
}
COMMENT = {**dict.fromkeys(("id", "issue_id", "author", "text"), TEXT), "created_at": MOMENT}
BOND = dict.fromkeys(("source_id", "bond_type", "bond_point"), TEXT)
INNER = {"dependencies": DEPENDENCY, "comments": COMMENT, "bonds": BOND}
# VARCHAR(n) counts characters.
WIDTHS = {
    **dict.fromkeys(("id", "assignee", "created_by", "owner", "await_id", "actor", "target", "source_system"), 255),
    **dict.fromkeys(("status", "issue_type", "await_type", "wisp_type", "mol_type", "work_type", "event_kind"), 32),
}
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class RefusedError(ValueError):
    """What bd would refuse, or lose."""


def read_issues(data: bytes, *, also_keys=(), elsewhere=()) -> list[dict[str, object]]:
    """Read a file as `bd import` does.

    Args:
        data: the whole file.
        also_keys: of issues, that bd passes over.
        elsewhere: ids that a dependency may lead to beside those of the file.
    """
    issues = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if len(line) > MAX_LINE_BYTES:
            raise RefusedError(f"line {number} is too long")
        if line:
            issue = read_issue(line, also_keys)
            if issue["status"] != "tombstone":
                issues.append(issue)
    check_batch(issues, set(elsewhere))
    return issues


def read_issue(line: bytes, also_keys=()) -> dict[str, object]:
    """Read and validate one line."""
    try:
        value = json.loads(line.decode("utf-8"))
    except ValueError as error:
        raise RefusedError(str(error)) from None
    if "_schema" in value or value.get("_type") == "memory":
        raise RefusedError("this is no issue")
    known = {"_type", "dependency_count", "dependent_count", "comment_count", "parent", *also_keys}  # of `bd export`
    issue = fields({key: one for key, one in value.items() if key not in known}, ISSUE, "issue")
    issue["status"] = issue.get("status") or "open"
    issue["issue_type"] = issue.get("issue_type") or "task"
    if issue["status"] != "tombstone":
        validate(issue)
    return issue


def fields(value, table, what):
    """Decode an object as Go's encoding/json does into a struct: null is as if it were absent."""
    if not isinstance(value, dict):
        raise RefusedError(f"{what} is no object")
    found = {}
    for key, one in value.items():
        if key not in table:
            raise RefusedError(f"{what}: bd has no key {key!r}")
        if one is not None:
            found[key] = decoded(one, table[key], f"{what}.{key}")
    return found


def decoded(value, kind, what):
    """Decode one value."""
    if kind == ANY:
        if not isinstance(value, dict):
            raise RefusedError(f"{what} is no object")
        return value
    if isinstance(kind, list) or kind in INNER:
        if not isinstance(value, list):
            raise RefusedError(f"{what} is no list")
        return [
            decoded(one, kind[0], what) if isinstance(kind, list) else fields(one, INNER[kind], what) for one in value
        ]
    wanted = {TEXT: str, MOMENT: str, WHOLE: int, BOOL: bool}[kind]
    if type(value) is not wanted:
        raise RefusedError(f"{what}: cannot unmarshal {type(value).__name__} into {kind}")
    if kind == MOMENT:
        if not RFC_3339.fullmatch(value):
            raise RefusedError(f"{what}: {value!r} is not RFC 3339")
        try:
            datetime.fromisoformat(value)
        except ValueError as error:
            raise RefusedError(f"{what}: {error}") from None
    if kind == WHOLE and not -(1 << 63) <= value < 1 << 63:
        raise RefusedError(f"{what} does not fit an int64")
    return value


def validate(issue):
    """Do as `Issue.ValidateWithCustom` without custom statuses and types, and as the columns do."""
    title = issue.get("title", "")
    if not title or len(title.encode()) > 500:
        raise RefusedError("a title has 1 to 500 bytes")
    if "priority" not in issue or not 0 <= issue["priority"] <= 4:
        raise RefusedError("priority must be between 0 and 4, and 0 is no default")
    if issue["status"] not in STATUSES:
        raise RefusedError(f"invalid status: {issue['status']}")
    if issue["issue_type"] not in TYPES:
        raise RefusedError(f"invalid issue type: {issue['issue_type']}")
    if (issue["status"] == "closed") != ("closed_at" in issue):
        raise RefusedError("closed_at is there if and only if the status is closed")
    if issue.get("estimated_minutes", 0) < 0:
        raise RefusedError("estimated_minutes cannot be negative")
    if issue.get("ephemeral") and issue.get("no_history"):
        raise RefusedError("ephemeral and no_history are mutually exclusive")
    for key, width in WIDTHS.items():
        if len(issue.get(key, "")) > width:
            raise RefusedError(f"{key} has more than {width} characters")
    if any(len(label) > 255 for label in issue.get("labels", ())):
        raise RefusedError("a label has more than 255 characters")
    if not issue.get("id"):
        raise RefusedError("it has no id; bd would make one, and edges would lead nowhere")
    for edge in issue.get("dependencies", ()):
        edge.setdefault("issue_id", issue["id"])
        if edge["issue_id"] != issue["id"]:
            raise RefusedError("a dependency stands with another issue")
        if not 0 < len(edge.get("type", "")) <= 32:
            raise RefusedError("a dependency's type has 1 to 32 characters")
        if len(edge.get("created_by", "")) > 255:
            raise RefusedError("created_by has more than 255 characters")
        try:
            json.loads(edge.get("metadata") or "{}")
        except ValueError as error:
            raise RefusedError(f"metadata of a dependency: {error}") from None


def check_batch(issues, elsewhere):
    """Do as the creation of a batch: ids once, no self, no cycle of blockers, targets that are there."""
    ids = [issue["id"] for issue in issues]
    if len(set(ids)) < len(ids):
        raise RefusedError("two issues have one id: the second would be written over the first")
    if len({bool(issue.get("ephemeral")) for issue in issues}) > 1:
        raise RefusedError("a batch mixes wisps and others")
    blockers = {one: [] for one in ids}
    for issue in issues:
        for edge in issue.get("dependencies", ()):
            on = edge["depends_on_id"]
            if on == issue["id"]:
                raise RefusedError(f"{on} depends on itself")
            if on not in blockers and on not in elsewhere and not on.startswith("external:"):
                raise RefusedError(f"{issue['id']} -> {on}: target not found")
            if edge["type"] in {"blocks", "conditional-blocks"} and on in blockers:
                blockers[issue["id"]].append(on)
    waiting = {one: len(on) for one, on in blockers.items()}
    followers = {one: [] for one in ids}
    for one, on in blockers.items():
        for other in on:
            followers[other].append(one)
    free = [one for one, count in waiting.items() if not count]
    for one in free:
        for other in followers[one]:
            waiting[other] -= 1
            if not waiting[other]:
                free.append(other)
    if len(free) < len(ids):
        raise RefusedError("a dependency would create a cycle")
