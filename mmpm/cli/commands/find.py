"""Looking over what the registries have, as far as it is here: `search`, `audit confusion`."""

from mmpm.cli.output import Output, Styled, badge
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.ops import confusion
from mmpm.ops.search import SORTS, Hit, SearchRequest, SearchResult
from mmpm.ops.search import search as search_catalogs
from mmpm.trust.levels import LEVELS

SHOWN_DESCRIPTION = 160


def search(
    *text: str,
    capabilities: tuple[str, ...] = (),
    author: str = "",
    level: str = LEVELS[0],
    sort: str = SORTS[0],
    limit: int = 20,
    offset: int = 0,
    all: bool = False,  # noqa: A002 - the option's name
    session: Session,
) -> None:
    """Search the catalogs of your registries, as the last update brought them; no registry is asked.

    Args:
        text: Words of name, description, capabilities or author; all must occur.
        capabilities: Capabilities that it must have, comma-separated.
        author: Part of the author's name.
        level: At least unverified, verified, official or audited.
        sort: By relevance, name or newest.
        limit: Show so many.
        offset: Leave out so many first.
        all: Show also what a registry in front hides.
        session: This run.
    """
    tags = tuple(tag.strip().lower() for one in capabilities for tag in one.split(",") if tag.strip())
    _one_of("--level", level, LEVELS)
    _one_of("--sort", sort, SORTS)
    if limit < 1 or offset < 0:
        raise UsageError("--limit and --offset count results", "give --limit 1 or more and --offset 0 or more")
    request = SearchRequest(" ".join(text), tags, author, level, sort, limit, offset, shows_shadowed=all)
    found = search_catalogs(session.context(), request)
    out = session.output
    if not found.searched:
        out.say("No catalog is here. Bring them with: mmpm update, after mmpm registry add URL")
    else:
        _print_found(out, request, found)
    for registry in found.incomplete:
        out.warn(f"not all that {registry} has is known here: run `mmpm update {registry}`")
    out.document("mmpm.search/1", _found_json(found))


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{option} {value} is not known", f"give one of {', '.join(known)}")


def _print_found(out: Output, request: SearchRequest, found: SearchResult) -> None:
    what = [f'"{request.text}"'] if request.text else []
    what += [f"capabilities: {', '.join(request.capabilities)}"] if request.capabilities else []
    what += [f"author: {request.author}"] if request.author else []
    what += [f"level: {request.level}"] if request.level != LEVELS[0] else []
    matching = f" matching {', '.join(what)}" if what else ""
    out.say(f"Formulas{matching}" if found.total else f"No formula{matching}")
    for hit in found.hits:
        _print_hit(out, hit, with_registry=len(found.searched) > 1)
    shown = request.offset + len(found.hits)
    if found.hits and shown < found.total:
        out.say(Styled(f"{request.offset + 1} to {shown} of {found.total}; --offset {shown} shows the next", "dim"))
    if found.shadowed:
        are = "is" if found.shadowed == 1 else "are"
        out.say(Styled(f"{found.shadowed} more {are} hidden by registries in front; --all shows them", "dim"))
    if found.did_you_mean:
        out.say(f"Did you mean {_either(found.did_you_mean)}?")
    for tag, others in found.other_capabilities.items():
        out.say(f"No formula has the capability {tag}" + (f"; did you mean {_either(others)}?" if others else ""))


def _either(names: tuple[str, ...]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _print_hit(out: Output, hit: Hit, *, with_registry: bool) -> None:
    entry = hit.entry
    pieces: list[str | Styled] = [Styled(entry.name, "bold"), f" v{entry.version}"]
    if entry.kind != "formula":
        pieces.append(f" [{entry.kind}]")
    if hit.badge:
        pieces += [" ", badge(out, hit.badge)]
    if with_registry:
        pieces.append(Styled(f" {hit.registry}", "dim"))
    if hit.shadowed_by:
        pieces.append(Styled(f" (hidden by {hit.shadowed_by})", "yellow"))
    out.result(*pieces)
    tags = [*entry.primary, *entry.secondary]
    if tags:
        out.result(f"Capabilities: {', '.join(tags)}")
    first = next((line.strip() for line in entry.description.splitlines() if line.strip()), "")
    if len(first) > SHOWN_DESCRIPTION and not out.verbose:
        first = first[:SHOWN_DESCRIPTION].rpartition(" ")[0] + out.mark("ellipsis", out.out)
    if first:
        out.result(f'"{first}"')


def _found_json(found: SearchResult) -> dict[str, object]:
    return {
        "formulas": [_hit_json(hit) for hit in found.hits],
        "total": found.total,
        "shadowed": found.shadowed,
        "did_you_mean": list(found.did_you_mean),
        "other_capabilities": {tag: list(others) for tag, others in found.other_capabilities.items()},
        "registries": [{"id": name, "serial": serial, "issued": issued} for name, serial, issued in found.searched],
        "incomplete": list(found.incomplete),
    }


def _hit_json(hit: Hit) -> dict[str, object]:
    entry = hit.entry
    return {
        "name": entry.name,
        "version": entry.version,
        "kind": entry.kind,
        "description": entry.description,
        "author": entry.author or None,
        "license": entry.license or None,
        "repository": entry.repository or None,
        "capabilities": {"primary": entry.primary, "secondary": entry.secondary, "weights": entry.weights},
        "published_at": entry.published_at,
        "registry": hit.registry,
        "level": hit.level,
        "shadowed_by": hit.shadowed_by or None,
    }


def audit_confusion(*, session: Session) -> int | None:
    """List every name that two of your registries have: which one wins today, and what if it vanished.

    Exit 1 if the order of the registries alone decides about a name, or not every name is known here.

    Args:
        session: This run.
    """
    found = confusion.audit_confusion(session.context())
    out = session.output
    for one in found.confusions:
        _print_confusion(out, one)
    open_ones = [one for one in found.confusions if one.is_open]
    for registry in found.incomplete:
        out.warn(f"not every name of {registry} is known here: run `mmpm update {registry}`")
    if not found.confusions:
        many = len(found.searched)
        out.say(f"No name is in two of {many} registries" if many > 1 else "There are not two registries to compare")
    elif open_ones:
        count = f"{len(open_ones)} of {len(found.confusions)} by order alone"
        out.say(f"{count}; bind them in mmpm.toml, or give their scope to a registry:")
        out.say(f'  "{open_ones[0].name}" = {{ version = "*", registry = "{open_ones[0].winner}" }}')
    out.document(
        "mmpm.audit-confusion/1",
        {
            "confusions": [_confusion_json(one) for one in found.confusions],
            "open": len(open_ones),
            "incomplete": list(found.incomplete),
            "registries": list(found.searched),
        },
    )
    return 1 if open_ones or found.incomplete else None


def _print_confusion(out: Output, one: confusion.Confusion) -> None:
    style = "yellow" if one.is_open else "dim"
    out.result(Styled(one.name, "bold"), Styled(" by order alone" if one.is_open else " bound", style))
    for claimant in one.claimants:
        mark = f" {out.mark('done', out.out)}" if claimant.registry == one.winner else ""
        latest = f" {claimant.latest}" if claimant.latest else ""
        out.result(f"  {claimant.registry}{latest} (priority {claimant.priority}){mark}")
    out.result(f"  {one.winner} wins: {_why_it_wins(one)}")
    if one.if_dropped == one.if_removed:
        out.result(f"  if it vanished: {one.if_dropped or 'nobody, and that is an error'}")
    else:
        out.result(f"  if it dropped the name: {one.if_dropped or 'nobody, and that is an error'}")
        out.result(f"  if it were no longer configured: {one.if_removed or 'nobody, and that is an error'}")
    if one.locked_from and one.locked_from != one.winner:
        out.result(Styled(f"  the lock here has it from {one.locked_from}", "yellow"))


def _why_it_wins(one: confusion.Confusion) -> str:
    match one.reason:
        case "claim":
            return "the project asks for it from there"
        case "scope":
            return f"the scope {one.name.partition('/')[0]} belongs to it"
        case "priority":
            return "it is asked first, by priority"
        case _:
            return "priorities are equal, and its id sorts first"


def _confusion_json(one: confusion.Confusion) -> dict[str, object]:
    return {
        "name": one.name,
        "registries": [
            {"id": each.registry, "priority": each.priority, "latest": each.latest or None} for each in one.claimants
        ],
        "winner": one.winner,
        "reason": one.reason,
        "open": one.is_open,
        "if_dropped": one.if_dropped or None,
        "if_removed": one.if_removed or None,
        "locked_from": one.locked_from or None,
    }
