"""Looking over what the registries have, as far as it is here: `search`, `audit confusion`."""

from mmpm.cli.output import Output, Styled
from mmpm.cli.session import Session
from mmpm.errors import UsageError
from mmpm.ops.search import LEVELS, SORTS, Hit, SearchRequest, SearchResult
from mmpm.ops.search import search as search_catalogs

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
        out.say(Styled(f"{found.shadowed} more are hidden by registries in front; --all shows them", "dim"))
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
    if hit.level != LEVELS[0]:
        pieces.append(f" {out.mark(hit.level, out.out)}")
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
