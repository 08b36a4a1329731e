"""On which line of a person's settings file a refused value stands: looked up only once something is refused."""

from __future__ import annotations

import re

from mmpm.errors import BadSettingError

_PART = re.compile(r"[^.\[\]]+|\[[0-9]+\]")


def refused(key: str, origin: str, reason: str) -> BadSettingError:
    """Make the error for a value that is not what it has to be, with its line where `origin` is a file.

    Args:
        key: as in `install.link` or `registries[0].url`.
        origin: the file that says it, or the variable.
        reason: a sentence.
    """
    return BadSettingError(key, origin, reason, _line_of(origin, key))


def _line_of(path: str, key: str) -> int | None:
    """Give the line (from 1) of a key, or of the nearest one above it; `None` where it cannot be found."""
    if not path.endswith((".toml", ".yaml")):
        return None
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
        return _line_in_toml(data, key) if path.endswith(".toml") else _line_in_yaml(data, key)
    except (OSError, ValueError):
        return None


def _line_in_toml(data: bytes, key: str) -> int:
    from mmpm.model.positions import locate

    return locate(data, [key])[key][0]


def _line_in_yaml(data: bytes, key: str) -> int | None:
    import yaml

    try:
        node = yaml.compose(data, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    line = None
    for part in _PART.findall(key):
        if isinstance(node, yaml.MappingNode):
            found = next(((one, value) for one, value in node.value if one.value == part), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and part.startswith("[") and int(part[1:-1]) < len(node.value):
            node = node.value[int(part[1:-1])]
            line = node.start_mark.line + 1
        else:
            break
    return line
