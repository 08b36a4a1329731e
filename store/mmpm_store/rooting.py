"""Writing a root: the part of `mmpm_store.roots` that a warm installation needs, without any import that costs."""

import os

from mmpm_store.durable import write_file_durably
from mmpm_store.layout import root_path, vanished_path

FORMAT = 1


def write_root(store: str, key: str, trees: list[str], *, durable: bool) -> None:
    """Say that the user `key` needs exactly `trees` from now on.

    Args:
        store: the store's folder.
        key: names the user.
        trees: ``blake3:..``, sorted, distinct.
        durable: whether it survives a power cut when this returns.

    Raises:
        NoSpaceError: the root is as it was.
    """
    path = root_path(store, key)
    listed = ",".join([f'"{tree}"' for tree in trees])
    data = f'{{"format":{FORMAT},"key":{_quoted(key)},"trees":[{listed}]}}'.encode()
    write_file_durably(path, data, durable=durable, staging=f"{store}/staging")
    try:  # noqa: SIM105 - contextlib is not imported here
        os.unlink(vanished_path(path))
    except FileNotFoundError:
        pass


def _quoted(text: str) -> str:
    """Write a JSON text; json itself is imported for what needs escapes only."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    import json

    return json.dumps(text)
