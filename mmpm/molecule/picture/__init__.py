"""Molecules to look at: one chart of any of them, drawn as a tree or as a picture. Pure."""
