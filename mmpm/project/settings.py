"""The settings there are: one table of keys, kinds and defaults, and how a text becomes a value.

Rule: a setting exists by its row in SETTINGS alone; reading, `config list`, environment names and the manual follow.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY = 86_400
_DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY}
_SIZE_UNITS = {
    "": 1, "b": 1, "k": 1000, "kb": 1000, "kib": 1 << 10, "m": 10**6, "mb": 10**6, "mib": 1 << 20,
    "g": 10**9, "gb": 10**9, "gib": 1 << 30, "t": 10**12, "tb": 10**12, "tib": 1 << 40,
}  # fmt: skip

Value = bool | int | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: its dotted key, kind (bool, choice, duration, size, count, path, text, list), default and meaning.

    Durations are whole seconds, sizes bytes, lists patterns of names (`mmpm.trust.policy`); `None` is "no limit" or
    "not set".
    """

    key: str
    kind: str
    default: Value
    help: str
    choices: tuple[str, ...] = ()
    variable: str = ""

    @property
    def environment_variable(self) -> str:
        """The variable that sets it, such as `MMPM_INSTALL_LINK`."""
        return self.variable or "MMPM_" + self.key.upper().replace(".", "_")


SETTINGS: dict[str, Setting] = {
    row.key: row
    for row in (
        Setting("offline", "bool", False, "use only what is on this machine; opening a socket is an error"),
        Setting("color", "choice", "auto", "colour on terminals", ("auto", "always", "never")),
        Setting("install.link", "choice", "auto", "how files leave the store", ("auto", "hard", "copy")),
        Setting("store.path", "path", None, "where the store is", variable="MMPM_STORE"),
        Setting("store.max_size", "size", None, "what collection shrinks the store to"),
        Setting("store.grace", "duration", 14 * DAY, "younger objects are never collected"),
        Setting("policy.max_age", "duration", 30 * DAY, "a registry's snapshot older than this warns"),
        Setting("policy.red_line", "duration", None, "a registry's snapshot older than this is refused"),
        Setting("policy.min_age", "duration", 0, "releases younger than this are not chosen"),
        Setting(
            "policy.min_level",
            "choice",
            "unverified",
            "releases that are trusted less are not chosen",
            ("unverified", "verified", "official", "audited"),
        ),
        Setting("policy.allow", "list", None, "only formulas that one of these patterns means are chosen"),
        Setting("policy.deny", "list", None, "formulas that one of these patterns means are not chosen"),
        Setting("network.timeout", "duration", 30, "longest silence of a server, in seconds"),
        Setting("network.deadline", "duration", 600, "longest time for one answer, in seconds"),
        Setting("network.min_rate", "size", 1024, "slowest answer that is waited for, in bytes a second"),
        Setting("network.retries", "count", 3, "how often a failed request is sent again"),
        Setting("network.connections", "count", 8, "requests at once"),
        Setting("network.ca_file", "path", None, "certificates to trust besides the system's"),
        Setting("publish.to", "text", None, "registry that `publish` uses where none is named"),
    )
}


def parse_setting(setting: Setting, value: object) -> Value:
    """Turn what a file or variable says into the setting's value.

    Raises:
        ValueError: one sentence that says what is expected.
    """
    if setting.kind == "bool":
        return _parse_bool(value)
    if setting.kind == "count":
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**6:
            raise ValueError("expected a whole number")
        return value
    if setting.kind in {"duration", "size"}:
        return _parse_amount(value, setting.kind)
    if setting.kind == "list":
        return _parse_patterns(value, may_be_empty=setting.key != "policy.allow")
    if not isinstance(value, str) or not value:
        raise ValueError("expected a text in quotes")
    if setting.kind == "choice" and value not in setting.choices:
        raise ValueError(f"expected one of {', '.join(setting.choices)}")
    return value


def _parse_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off", ""} and isinstance(value, str):
        return False
    raise ValueError("expected true or false")


def _parse_patterns(value: object, *, may_be_empty: bool) -> tuple[str, ...]:
    """Read `["@acme/*", "mol-a@^2"]`, or the same with commas between; a range has `||` and no comma then."""
    from mmpm.trust.policy import MAX_PATTERNS, parse_pattern

    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise ValueError("expected a list of patterns such as @acme/* or mol-*")
    if len(value) > MAX_PATTERNS:
        raise ValueError(f"expected at most {MAX_PATTERNS} patterns")
    if not value and not may_be_empty:
        raise ValueError('expected at least one pattern ("*" is every formula)')
    for one in value:
        parse_pattern(one)
    return tuple(value)


def _parse_amount(value: object, kind: str) -> int | None:
    """Read `90`, `7d`, `20GiB`, `never`."""
    expected = (
        "expected a time such as 90s, 24h, 7d or never" if kind == "duration" else "expected a size such as 20GiB"
    )
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62:
        return value
    text = value.strip().lower() if isinstance(value, str) else ""
    if text in {"never", "none"}:
        return None
    digits = len(text) - len(text.lstrip("0123456789"))
    number, unit = text[:digits], text[digits:].strip()
    units = _DURATION_UNITS | {"": 1} if kind == "duration" else _SIZE_UNITS
    if not number or len(number) > 15 or unit not in units:
        raise ValueError(expected)
    return int(number) * units[unit]


def show_setting(setting: Setting, value: Value) -> str:
    """Give the text a person would write for `value`; `parse_setting` reads it back."""
    if value is None:
        return "never" if setting.kind == "duration" else "none" if setting.kind == "size" else ""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if setting.kind == "duration" and isinstance(value, int):
        for unit in ("d", "h", "m"):
            if value and value % _DURATION_UNITS[unit] == 0:
                return f"{value // _DURATION_UNITS[unit]}{unit}"
        return f"{value}s"
    if setting.kind == "size" and isinstance(value, int):
        for name, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if value and value % size == 0:
                return f"{value // size}{name}"
    return str(value)
