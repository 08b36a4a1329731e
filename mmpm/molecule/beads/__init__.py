"""Molecules as beads keeps them: records, the catalogue of four layers, and issues that bd reads."""
