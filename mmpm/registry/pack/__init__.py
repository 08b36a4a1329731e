"""Packs: one file, or its volumes, that carries part of registry trees across an air gap (docs/formats.md, "Packs")."""
