"""Execution records for the tests of what carries and reads them."""

from __future__ import annotations

from molecule_lives import PATROL, Life

from mmpm.molecule.answers import Stamp


def squashed(number=1, *, actor="beads/amber", reason="done", proto=PATROL, summary="Went well"):
    """The digest of a molecule of which somebody closed the first step and squashed the rest; each number another."""
    stamp = Stamp(f"2026-01-{1 + number // 24:02d}T{number % 24:02d}:30:00Z", actor)
    life = Life(proto, number=str(number))
    life.do("start", "inbox" if proto is PATROL else "discovery.files", stamp=stamp)
    life.do("close", "inbox" if proto is PATROL else "discovery.files", reason, stamp=stamp)
    return life.do("squash", summary, {}, stamp=stamp).digest
