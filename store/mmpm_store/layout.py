"""Where objects and roots lie in a store, and with which modes: what reading, writing and linking share.

Rule: no import that costs; a warm installation loads this before anything else of the store.
"""

import os

from blake3 import blake3

PLAIN_MODE = 0o444
EXECUTABLE_MODE = 0o555
EXECUTABLE_SUFFIX = "-x"
READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def name_of(hexadecimal: str, executable: bool) -> str:
    """Give the path below ``objects/`` of the object with that hash."""
    return f"{hexadecimal[:2]}/{hexadecimal[2:]}{EXECUTABLE_SUFFIX if executable else ''}"


def hash_in(name: str) -> str:
    """Give the hash that `name_of` put into a name."""
    return name[:2] + name[3:65]


def mode_of(name: str) -> int:
    """Give the mode that the variant of that name has."""
    return EXECUTABLE_MODE if name.endswith(EXECUTABLE_SUFFIX) else PLAIN_MODE


def root_path(store: str, key: str) -> str:
    """Give the file in which the store (its folder) keeps what the user `key` needs."""
    return f"{store}/roots/{blake3(os.fsencode(key)).hexdigest()}.json"


def vanished_path(root: str) -> str:
    """Give what a root's file is called once its receipt was found missing."""
    return root.removesuffix(".json") + ".vanished"
