"""Mirrors: folders that hold copies of registries' trees, with all that is signed and the files of a selection."""
