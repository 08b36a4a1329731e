"""Commands that look and change nothing: `list`, `show`."""

from mmpm.cli.output import Output, Styled
from mmpm.cli.session import Session
from mmpm.ops.listing import Listed, TierListing, list_formulas
from mmpm.project.tiers import search_order


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
        out.result("  " * with_head, *_line(one))


def _line(one: Listed) -> list[str | Styled]:
    """Give a line as in the seed: `mol-polecat-work 4.0.0 [pinned]`."""
    pieces: list[str | Styled] = [one.name]
    if one.installed_name != one.name.rpartition("/")[2]:
        pieces.append(f" as {one.installed_name}")
    if one.version:
        pieces.append(f" {one.version}")
    mark = mark_of(one)
    if mark:
        pieces += [" ", Styled(mark, "yellow" if one.state == "outdated" else "dim")]
    if one.problem:
        pieces += [" ", Styled(one.problem, "red")]
    if one.shadowed_by:
        pieces += [" ", Styled(f"(hidden by {one.shadowed_by})", "dim")]
    return pieces


def mark_of(one: Listed) -> str:
    """Give the mark in brackets: `[pinned]`, `[latest]`, `[^4]`, `[^4, 4.2.0 available]`, or the word `unmanaged`."""
    if one.state == "unmanaged":
        return "unmanaged"
    if one.state in {"pinned", "latest", "local", "official"}:
        return f"[{one.state}]"
    requested = one.requested if one.requested not in {"", "*", "latest"} else ""
    available = f"{one.available} available" if one.available else ""
    inside = ", ".join(part for part in (requested, available) if part)
    return f"[{inside}]" if inside else ""


def _tier_json(listing: TierListing) -> dict[str, object]:
    return {
        "tier": listing.project.tier,
        "root": listing.project.root,
        "formulas": [{name: getattr(one, name) for name in Listed.__slots__} for one in listing.formulas],
    }
