"""Variables: which are declared, which values they may have, and how they are put into texts.

``{{name}}`` without spaces; one pass, so that a value is never expanded again; an unknown name stays as it is. A Go
template's ``{{.x}}`` is not one of ours and is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

from mmpm.errors import quoted
from mmpm.model.fields import Fields
from mmpm.molecule.patterns import PatternError, compile_pattern

Kind: TypeAlias = Literal["", "string", "int", "number", "bool"]

MAX_VALUE: Final = 1024 * 1024
MAX_TEXT: Final = 64 * 1024
MAX_VARIABLES: Final = 2_000
# What a text may grow to when its variables are put in: a megabyte a thousand times over is a bomb.
MAX_SUBSTITUTED: Final = 16 * 1024 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_USE = re.compile(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}", re.ASCII)
_KINDS: Final[dict[str, Kind]] = {
    "": "",
    "string": "string",
    "str": "string",
    "text": "string",
    "int": "int",
    "integer": "int",
    "number": "number",
    "float": "number",
    "bool": "bool",
    "boolean": "bool",
}
_FORMS: Final[dict[Kind, tuple[re.Pattern[str], str]]] = {
    "int": (re.compile(r"[+-]?[0-9]{1,4000}", re.ASCII), "a whole number"),
    "number": (re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII), "a number"),
    "bool": (re.compile(r"true|false|yes|no|on|off|1|0", re.ASCII | re.IGNORECASE), "true or false"),
}


@dataclass(frozen=True, slots=True)
class Variable:
    """What a formula says of one variable.

    Attributes:
        name: letters, digits and ``_``, not starting with a digit.
        default: what holds where no value is given; None where there is none (an empty text is a default).
        required: as the file says; a default makes it moot.
        enum: the values that are allowed; empty for any.
        pattern: a regular expression that must be found in the value; empty for any.
        kind: what a value has to be; empty is a text.
        unless: names of others, of which one with a value makes this one not required (``required_unless``).
    """

    name: str
    default: str | None = None
    required: bool = False
    enum: tuple[str, ...] = ()
    pattern: str = ""
    kind: Kind = ""
    description: str = ""
    unless: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give its JSON form: what is empty is left out."""
        said: dict[str, Any] = {"name": self.name}
        if self.default is not None:
            said["default"] = self.default
        for key in ("required", "enum", "pattern", "kind", "description", "unless"):
            if value := getattr(self, key):
                said[key] = list(value) if isinstance(value, tuple) else value
        return said

    @classmethod
    def of_dict(cls, value: object, what: str) -> Self:
        """Read its JSON form.

        Raises:
            ValueError: it is not one.
        """
        fields = Fields(value, what)
        kind = fields.optional("kind") or ""
        if _KINDS.get(kind, "?") != kind:
            raise ValueError(f"{what}: {quoted(kind)} is no type of a variable")
        found = cls(
            name=fields.text("name"),
            default=fields.optional("default", MAX_VALUE),
            required=fields.flag("required"),
            enum=fields.texts("enum"),
            pattern=fields.optional("pattern") or "",
            kind=_KINDS[kind],
            description=fields.optional("description", MAX_TEXT) or "",
            unless=fields.texts("unless"),
        )
        if not is_name(found.name):
            raise ValueError(f"{what}: {quoted(found.name)} cannot be a variable's name")
        return found


def is_name(text: str) -> bool:
    """Tell whether `text` can be a variable's name."""
    return len(text) <= 256 and _NAME.fullmatch(text) is not None


def names_in(text: str) -> tuple[str, ...]:
    """Give the names that are used in `text`, each once, in order of first use."""
    return tuple(dict.fromkeys(_USE.findall(text))) if "{{" in text else ()


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put `values` into `text`, in one pass; names that have none stay as they are.

    Raises:
        ValueError: the text would become longer than `MAX_SUBSTITUTED`.
    """
    if "{{" not in text:
        return text
    length = len(text)
    for use in _USE.finditer(text):
        length += len(values.get(use[1], use[0])) - len(use[0])
    if length > MAX_SUBSTITUTED:
        raise ValueError(f"a text would have {length} characters once its variables are put in")
    return _USE.sub(lambda use: values.get(use[1], use[0]), text)


def parse_assignment(text: str) -> tuple[str, str]:
    """Read ``name=value`` as it is typed, split at the first ``=``.

    Raises:
        ValueError: there is no ``=``, or what stands before it is no name.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{quoted(text)} is not name=value")
    if not is_name(name):
        raise ValueError(f"{quoted(name)} cannot be a variable's name: letters, digits and _, no digit first")
    if len(value) > MAX_VALUE:
        raise ValueError(f"the value of {name} has {len(value)} characters, more than {MAX_VALUE}")
    return name, value


def declared(tables: Mapping[str, Any]) -> tuple[Variable, ...]:
    """Give the variables of ``[vars]`` and ``[inputs]``, sorted by name; of two with a name that of ``[vars]``.

    Raises:
        ValueError: one is not what a variable can be; the sentence names its key.
    """
    found: dict[str, Variable] = {}
    for table in ("inputs", "vars"):
        entries = tables.get(table) or {}
        if not isinstance(entries, Mapping):
            raise ValueError(f"{table}: this is not a table")  # noqa: TRY004 - a document is wrong, not a caller
        if len(entries) > MAX_VARIABLES:
            raise ValueError(f"{table}: more than {MAX_VARIABLES} variables")
        for name, said in entries.items():
            found[name] = _variable(f"{table}.{name}", name, said)
    return tuple(found[name] for name in sorted(found))


def _variable(key: str, name: str, said: object) -> Variable:
    if not is_name(name):
        raise ValueError(f"{key}: a variable's name has letters, digits and _, and no digit first")
    if not isinstance(said, Mapping):
        return Variable(name, default=_as_text(key, said))  # a plain value is a default
    kind = said.get("type", "")
    if not isinstance(kind, str) or kind.lower() not in _KINDS:
        raise ValueError(f"{key}.type: {quoted(str(kind))} is none of string, int, number, bool")
    pattern = said.get("pattern", "")
    if not isinstance(pattern, str):
        raise ValueError(f"{key}.pattern: this is not a text")  # noqa: TRY004
    if pattern:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            raise ValueError(f"{key}.pattern: {error}") from None
    unless = _text_list(f"{key}.required_unless", said.get("required_unless", []))
    return Variable(
        name,
        default=None if said.get("default") is None else _as_text(f"{key}.default", said["default"]),
        required=said.get("required") is True,
        enum=_text_list(f"{key}.enum", said.get("enum", [])),
        pattern=pattern,
        kind=_KINDS[kind.lower()],
        description=said.get("description", "") if isinstance(said.get("description", ""), str) else "",
        unless=unless,
    )


def _text_list(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_VARIABLES:
        raise ValueError(f"{key}: this is not a list of texts")
    return tuple(_as_text(key, item) for item in value)


def _as_text(key: str, value: object) -> str:
    """Give a value as people type it: numbers and booleans too are written without quotes in real files."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list) or value is None:
        raise ValueError(f"{key}: a value is a text, a number or true or false")
    return str(value)


def checked(
    values: Mapping[str, str], variables: Iterable[Variable], used: Iterable[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Fill in defaults, and look whether every value is allowed.

    Args:
        values: what was given, by name; names that nobody declared are kept.
        variables: what is declared.
        used: the names that occur in the texts: only these can be missing.

    Returns:
        All values by name, and one sentence for each thing that is wrong, which names what is allowed.
    """
    filled = dict(values)
    known = tuple(variables)
    for variable in known:
        if variable.name not in filled and variable.default is not None:
            filled[variable.name] = variable.default
    occurring = set(used)
    problems: list[str] = []
    for variable in known:
        if variable.name in filled:
            problems.extend(_wrong(variable, filled[variable.name], is_given=variable.name in values))
        elif variable.name in occurring and not any(filled.get(other) for other in variable.unless):
            allowed = f" (one of {_listed(variable.enum)})" if variable.enum else ""
            problems.append(f"{variable.name} has no value: give --var {variable.name}=...{allowed}")
    return filled, tuple(problems)


def _wrong(variable: Variable, value: str, *, is_given: bool) -> list[str]:
    said = f"{variable.name} is {quoted(value)}" + ("" if is_given else " by default")
    if not value and not is_given:
        return []  # an empty default says "none", whatever its form would be
    if variable.enum and value not in variable.enum:
        return [f"{said}: it has to be one of {_listed(variable.enum)}"]
    if variable.kind in _FORMS:
        form, words = _FORMS[variable.kind]
        if not form.fullmatch(value):
            return [f"{said}: it has to be {words}"]
    if variable.pattern and not compile_pattern(variable.pattern).is_in(value):
        return [f"{said}: it has to match the pattern {quoted(variable.pattern)}"]
    return []


def _listed(allowed: tuple[str, ...]) -> str:
    return ", ".join(quoted(one) for one in allowed[:20]) + (" ..." if len(allowed) > 20 else "")
