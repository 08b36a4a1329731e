"""A root with molecules in it, written as the program writes them, for tests that only read."""

from __future__ import annotations

import os

from molecule_lives import ANN, PATROL, REVIEW, Life, Stamp

from mmpm.project.mol_log import MolPlaces

ONYX = Stamp("2026-01-12T08:00:00Z", "beads/onyx")


def put(root, life, digest=None):
    """Write a molecule's log and digest below `root` and give its id; of a squashed wisp the digest alone."""
    places = MolPlaces(str(root))
    for folder in (places.mols, places.wisps, places.digests):
        os.makedirs(folder, exist_ok=True)
    now = life.now
    if digest is None or now.phase == "mol":
        with open(places.log(now.id, now.phase), "wb") as file:
            file.writelines(line.to_bytes() + b"\n" for line in life.lines)
    if digest is not None:
        with open(places.digest(now.id), "wb") as file:
            file.write(digest.to_bytes())
    return now.id


def patrol_that_failed():
    """A wisp with an arm whose check failed, squashed: (its life, its digest)."""
    life = Life(PATROL, "wisp", extra="value")
    life.close("inbox")
    life.arm("arm-ace")
    life.close("survey", "arm-ace.load")
    life.close("arm-ace.check", reason="failed: broken")
    entry = {"name": "mol-witness-patrol", "version": "2.1.0"}
    return life, life.do("squash", "Two lines\nof summary", entry).digest


def review_that_is_done():
    """A mol that two people worked on, squashed by one of them: (its life, its digest)."""
    life = Life(REVIEW, scope="lib/")
    life.close("discovery.files", "discovery.deps")
    life.do("close", "security", "no findings", stamp=ONYX)
    life.close("synthesis")
    return life, life.do("squash", "", {}, stamp=Stamp("2026-01-13T09:00:00Z", ANN.actor)).digest


def review_that_runs():
    """A mol of which two steps are closed, by another person."""
    life = Life(REVIEW)
    for step in ("discovery.files", "discovery.deps"):
        life.do("close", step, "done", stamp=ONYX)
    return life
