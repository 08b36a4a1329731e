"""Commands that look and change nothing: `list`, `show`."""

from mmpm.cli.operands import parse_reference
from mmpm.cli.output import Output, Styled, badge
from mmpm.cli.session import Session
from mmpm.model.references import release_address
from mmpm.ops.listing import Listed, TierListing, list_formulas
from mmpm.ops.showing import About, Place, Shown, show_formula
from mmpm.project.tiers import search_order
from mmpm.trust.key_ids import short

SHOWN_VERSIONS = 12
SHOWN_LINES = 12  # of a description whose first paragraph does not end


def list_command(*, installed: bool = False, session: Session) -> None:
    """List the formulas of this machine, tier by tier.

    Args:
        installed: Only what mmpm installed, in the tier that this folder is about.
        session: This run.
    """
    context = session.context()
    options = session.options
    if installed or options.tier or options.project:
        tiers = [context.project]
        session.output.detail(f"Tier: {context.project.tier} ({context.project.chosen})")
    else:
        tiers = list(search_order(context.places, session.cwd))
    listings = list_formulas(context, tiers, installed_only=installed)
    for listing in listings:
        _print_tier(session.output, listing, with_head=len(listings) > 1)
    if not any(listing.formulas for listing in listings):
        session.output.say("Nothing is installed" if installed else "There are no formulas")
    session.output.document("mmpm.list/1", {"tiers": [_tier_json(listing) for listing in listings]})


def _print_tier(out: Output, listing: TierListing, *, with_head: bool) -> None:
    if with_head and listing.formulas:
        out.result(Styled(f"{listing.project.tier}:", "bold"), f" {listing.project.formulas}")
    for one in listing.formulas:
        out.result("  " * with_head, *_line(out, one))


def _line(out: Output, one: Listed) -> list[str | Styled]:
    """Give a line as in the seed: `mol-polecat-work 4.0.0 [pinned]`."""
    pieces: list[str | Styled] = [one.name]
    if one.installed_name != one.name.rpartition("/")[2]:
        pieces.append(f" as {one.installed_name}")
    if one.version:
        pieces.append(f" {one.version}")
    mark = mark_of(one)
    if mark:
        is_telling = one.state == "outdated" or one.withdrawn or one.barred
        pieces += [" ", Styled(mark, "yellow" if is_telling else "dim")]
    if one.badge and one.state != "official":
        pieces += [" ", badge(out, one.badge)]
    if one.problem:
        pieces += [" ", Styled(one.problem, "red")]
    if one.shadowed_by:
        pieces += [" ", Styled(f"(hidden by {one.shadowed_by})", "dim")]
    return pieces


def mark_of(one: Listed) -> str:
    """Give the mark in brackets: `[pinned]`, `[latest]`, `[^4, 4.2.0 available]`, `[2, yanked: why]`; `unmanaged`."""
    if one.state == "unmanaged":
        return "unmanaged"
    if one.state in {"pinned", "latest", "local", "official"}:
        first = one.state
    else:
        first = one.requested if one.requested not in {"", "*", "latest"} else ""
    available = f"{one.available} available" if one.available else ""
    barred = "barred by policy" if one.barred else ""
    inside = ", ".join(part for part in (first, available, *one.withdrawn, barred) if part)
    return f"[{inside}]" if inside else ""


def _tier_json(listing: TierListing) -> dict[str, object]:
    return {
        "tier": listing.project.tier,
        "root": listing.project.root,
        "formulas": [{name: getattr(one, name) for name in Listed.__slots__} for one in listing.formulas],
    }


def show(reference: str, /, *, resolve: bool = False, provenance: bool = False, session: Session) -> None:
    """Show what is known of a formula.

    Args:
        reference: NAME, NAME@VERSION or hop://...
        resolve: Show in which tier it is found, and which file is used.
        provenance: Show where the bytes come from and what vouches for them.
        session: This run.
    """
    context = session.context()
    tiers = search_order(context.places, session.cwd, session.options.project)
    shown = show_formula(context, parse_reference(reference), tiers)
    out = session.output
    _print_head(out, shown)
    if resolve:
        _print_resolution(out, shown)
    if provenance:
        _print_provenance(out, shown)
    out.document("mmpm.show/1", _shown_json(shown))


def _print_head(out: Output, shown: Shown) -> None:
    found = shown.published
    latest = " (latest)" if found and found.is_latest else ""
    latest += f" [{found.release.kind}]" if found and found.release.kind != "formula" else ""
    yanked = f" (yanked: {found.release.yanked})" if found and found.release.yanked is not None else ""
    out.result(Styled(shown.name, "bold"), f" {shown.version}".rstrip(), latest, Styled(yanked, "red"))
    about = shown.about
    if about and about.description:
        _print_description(out, shown.name, about.description.strip())
    if found:
        out.result(f"Registry: {found.registry}")
        versions = [version if yanked is None else f"{version} (yanked)" for version, yanked in found.versions]
        more = f", and {len(versions) - SHOWN_VERSIONS} more" if len(versions) > SHOWN_VERSIONS else ""
        out.result(f"Versions: {', '.join(versions[:SHOWN_VERSIONS])}{more}")
        out.result(f"Published: {found.release.published_at}")
    for label, value in _facts(about):
        out.result(f"{label}: {value}")
    if found:
        out.result(f"Checksum: {found.release.checksum}")
    if shown.vouched is not None:
        out.result("Level: ", badge(out, shown.vouched.level), f" ({'; '.join(shown.vouched.sentences)})")
    used = shown.used
    if used is not None and used.listed is not None:
        mark = mark_of(used.listed)
        out.result(
            " ".join(part for part in ("Here:", used.listed.version, mark, f"in {used.tier}, {used.path}") if part)
        )


def _print_description(out: Output, name: str, text: str) -> None:
    """Print the first paragraph; the whole with `--verbose`."""
    lines = text.splitlines()
    end = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    shown = len(lines) if out.verbose else min(end, SHOWN_LINES)
    out.result('"' + "\n".join(lines[:shown]) + '"')
    if shown < len(lines):
        out.result(Styled(f"(and {len(lines) - shown} more lines: mmpm show {name} --verbose)", "dim"))


def _facts(about: About | None) -> list[tuple[str, str]]:
    """Give label and value of what a formula says of itself, empty ones left out."""
    if about is None:
        return []
    rows = [
        ("Author", about.author),
        ("License", about.license),
        ("Repository", about.repository),
        ("Skills", ", ".join(about.capabilities.tags)),
        ("Requires", ", ".join(about.requires)),
        ("Attaches at run time", ", ".join(about.soft)),
        ("Files", str(about.files) if about.files > 1 else ""),
        ("Changelog", about.changelog),
    ]
    return [(label, value.strip()) for label, value in rows if value]


def _print_resolution(out: Output, shown: Shown) -> None:
    out.result("Resolution (the first hit is used):")
    for number, place in enumerate(shown.places, 1):
        if place.listed is None:
            out.result(f"  {number}. {place.tier}: -")
            continue
        used = out.mark("done", out.out) if place is shown.used else f"hidden by {place.listed.shadowed_by}"
        words = [f"{number}. {place.tier}:", place.listed.version, mark_of(place.listed), place.path, used]
        out.result("  " + " ".join(word for word in words if word))


def _print_provenance(out: Output, shown: Shown) -> None:
    out.result("Provenance:")
    for label, value in _provenance(shown):
        out.result(f"  {label}: {value}")


def _provenance(shown: Shown) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    found = shown.published
    if found:
        release = found.release
        rows += [
            ("Source", release_address(found.registry, release.name, release.version)),
            ("Checksum", str(release.checksum)),
            ("Tree", str(release.tree)),
            ("Published", f"{release.published_at}, serial {release.serial}"),
            ("Listed by", f"snapshot {found.serial}, issued {found.issued}"),
            ("Root key", f"sha256:{found.root}" if found.root else "not pinned"),
            ("Signatures", ", ".join(short(key_id) for key_id, _ in release.signatures) or "none by a publisher"),
        ]
    rows += _vouched_rows(shown)
    entry = shown.used.receipt if shown.used else None
    if entry is not None:
        rows += [
            ("Installed", f"{entry.version} at {entry.installed_at} from {entry.source}"),
            ("Installed checksum", entry.checksum),
            ("Level when installed", entry.level),
        ]
        if entry.origin:
            rows.append(("Forked from", entry.origin))
    elif shown.used is not None:
        rows.append(
            ("Here", "the system tier, official" if shown.used.tier == "system" else "a file that mmpm did not install")
        )
    return rows


def _vouched_rows(shown: Shown) -> list[tuple[str, str]]:
    """Say how far a release is trusted, by whom, and in which registry of which mirror that is found."""
    one = shown.vouched
    if one is None:
        return []
    rows = [("Level", f"{one.level}: {'; '.join(one.sentences)}")]
    if one.publisher is not None:
        rows.append(("Publisher", f"{one.publisher.name} ({one.publisher.id})"))
    rows += [(f"Key {key_id}", what) for key_id, what in one.keys]
    for what, by, at, note in one.marks:
        rows.append((f"Marked {what}", ", ".join(part for part in (f"by {by}" if by else "", at, note) if part)))
    rows += [("Withdrawn", word) for word in one.words]
    if one.barred:
        rows.append(("Barred by", one.barred))
    rows.append(("Addresses", ", ".join(one.urls) or "none configured"))
    return rows


def _shown_json(shown: Shown) -> dict[str, object]:
    about, found = shown.about, shown.published
    return {
        "name": shown.name,
        "version": shown.version,
        "about": about
        and {
            "description": about.description,
            "author": about.author,
            "license": about.license,
            "repository": about.repository,
            "capabilities": about.capabilities.to_document(),
            "requires": list(about.requires),
            "soft": list(about.soft),
            "changelog": about.changelog,
            "files": about.files,
        },
        "level": shown.vouched.level if shown.vouched else None,
        "published": found
        and {
            "registry": found.registry,
            "is_latest": found.is_latest,
            "versions": [{"version": version, "yanked": yanked} for version, yanked in found.versions],
            "checksum": str(found.release.checksum),
            "tree": str(found.release.tree),
            "size": found.release.size,
            "kind": found.release.kind,
            "published_at": found.release.published_at,
            "yanked": found.release.yanked,
            "serial": found.serial,
            "issued": found.issued,
            "root": found.root,
        },
        "resolution": [_place_json(place) for place in shown.places],
        "provenance": dict(_provenance(shown)),
    }


def _place_json(place: Place) -> dict[str, object]:
    listed = place.listed
    return {
        "tier": place.tier,
        "path": place.path,
        "version": listed.version if listed else "",
        "state": listed.state if listed else "",
    }
