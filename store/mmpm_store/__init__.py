"""A content-addressed store of files and trees of files, usable on its own (`store/README.md`).

Nothing is imported here: take names from the modules, `from mmpm_store.objects import Store`.
"""
