"""Whether a formula cooks alike under bd, gt and mmpm: every known difference that touches it, by name.

What bd and gt do is read from their sources (beads `internal/formula`, `cmd/bd/cook.go`; gastown `internal/formula`);
docs/molecules.md lists the differences. A difference is told only where this formula, or one that it is made of, has
what it is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from mmpm.errors import quoted
from mmpm.model.names import FormulaName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mmpm.molecule.proto import Proto

Tool: TypeAlias = Literal["bd", "gt"]
When: TypeAlias = Literal["cook", "bond", "run"]

MAX_OF_ONE_CODE: Final = 5
_BOTH: Final[tuple[Tool, ...]] = ("bd", "gt")
# What a step may say that gt does not read.
_GT_IGNORES: Final = ("depends_on", "waits_for", "condition", "gate", "expand", "loop", "children", "on_complete")
_GT_DROPS: Final = ("notes", "assignee", "labels", "priority", "design")
_EXTENDING_LOSES: Final = ("advice", "pointcuts", "template", "phase", "pour")
_LOOP_KEEPS: Final = frozenset(
    {"id", "title", "description", "type", "priority", "assignee", "condition", "waits_for", "expand", "expand_vars"}
    | {"gate", "loop", "on_complete", "labels", "depends_on", "needs", "children"}
)
_TEMPLATE_KEEPS: Final = frozenset(
    {"id", "title", "description", "type", "priority", "assignee", "labels", "depends_on", "needs", "children"}
)
_TARGET_LOSES: Final = ("condition", "gate", "waits_for", "on_complete", "children")


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which another tool does not do what mmpm does with a formula.

    Attributes:
        tool: whose way it is.
        when: at cooking, when it is bonded, or while it runs. Only the first makes another proto.
        code: kebab case.
        formula: in which of those that it is made of.
        key: path in its file; empty for the file as a whole.
        sentence: what the other tool does.
    """

    tool: Tool
    when: When
    code: str
    formula: str
    key: str
    sentence: str


def differences(proto: Proto, tables: Mapping[str, Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Name the differences that touch a formula.

    Args:
        proto: what mmpm makes of it.
        tables: the document of each formula that it is made of, by name, its own among them.

    Returns:
        Those of cooking first, at most five of a code in one formula; in the order of the documents.
    """
    found: list[Difference] = []
    counts: dict[tuple[str, str, str], int] = {}
    for name, document in tables.items():
        for one in _of_document(name, document, tables):
            key = (one.tool, one.code, one.formula)
            counts[key] = counts.get(key, 0) + 1
            if counts[key] <= MAX_OF_ONE_CODE:
                found.append(one)
    if any(source.origin == "overlay" for source in proto.sources):
        found.append(
            Difference(
                "bd", "cook", "overlay", proto.name, "", "overlays are Gas Town's: bd cooks the formula without it"
            )
        )
    order = {"cook": 0, "bond": 1, "run": 2}
    return tuple(sorted(found, key=lambda one: (order[one.when], one.tool)))


def _of_document(
    name: str, document: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]
) -> Iterator[Difference]:
    def said(tool: Tool, when: When, code: str, key: str, sentence: str) -> Difference:
        return Difference(tool, when, code, name, key, sentence)

    if isinstance(document.get("formula"), dict):
        for tool in _BOTH:
            yield said(tool, "cook", "formula-table", "formula", f"{tool} cannot read a [formula] table")
        return
    for build in (_head, _variables, _steps, _composition):
        for tool, when, code, key, sentence in build(document):
            yield said(tool, when, code, key, sentence)
    parents = [tables.get(text.rpartition("/")[2].partition("@")[0], {}) for text in _list(document.get("extends"))]
    if any(isinstance(parent.get("compose"), dict) for parent in parents):
        compose = document.get("compose")
        for key in ("branch", "gate", "aspects"):
            if isinstance(compose, dict) and compose.get(key):
                sentence = f"bd drops compose.{key} where a parent has a compose of its own"
                yield said("bd", "cook", "extends-loses", f"compose.{key}", sentence)


_Row: TypeAlias = tuple[Tool, When, str, str, str]


def _head(document: Mapping[str, Any]) -> Iterator[_Row]:
    version = document.get("version", 1)
    if type(version) is not int or version < 1:
        yield "bd", "cook", "version", "version", f"bd refuses the version {quoted(str(version))}: it takes 1, 2, 3, .."
        if type(version) is not int:
            yield "gt", "cook", "version", "version", "gt refuses a version that is no whole number"
    for key in ("title", "labels"):
        if document.get(key):
            for tool in _BOTH:
                yield tool, "cook", f"root-{key}", key, f"{tool} knows no {key} of a formula's root"
    kind = document.get("type")
    if kind is None and not document.get("steps") and not document.get("extends"):
        for key in ("legs", "template", "aspects", "advice"):
            if document.get(key):
                yield (
                    "bd",
                    "cook",
                    "no-type",
                    "type",
                    f"bd takes a file without type for a workflow, and reads no {key}",
                )
                break
    if document.get("legs") or isinstance(document.get("aspects"), list):
        yield "bd", "cook", "legs", "legs", "bd knows no legs, synthesis and [[aspects]]: it makes a root without steps"
    if document.get("extends"):
        for key in _EXTENDING_LOSES:
            if document.get(key):
                yield "bd", "cook", "extends-loses", key, f"bd drops {key} from a formula that extends another"
        if document.get("steps"):
            yield "gt", "cook", "extends-order", "steps", "gt refuses a step with the id of an inherited one"
    for name in _names(document):
        if "@" in name or "/" in name:
            for tool in _BOTH:
                yield tool, "cook", "name", "", f"{tool} looks for a formula of the name {quoted(name)}, and finds none"


def _names(document: Mapping[str, Any]) -> Iterator[str]:
    extends, compose = document.get("extends"), document.get("compose")
    yield from (text for text in _list(extends) if isinstance(text, str))
    if isinstance(compose, dict):
        yield from (text for text in _list(compose.get("aspects")) if isinstance(text, str))
        for kind in ("expand", "map"):
            yield from (str(item.get("with", "")) for item in _tables(compose.get(kind)))
    own = document.get("formula")
    if isinstance(own, str) and FormulaName.parse(own).scope is not None:
        yield own


def _variables(document: Mapping[str, Any]) -> Iterator[_Row]:
    has_default = False
    for table in ("vars", "inputs"):
        variables = document.get(table)
        for name, value in variables.items() if isinstance(variables, dict) else ():
            key = f"{table}.{name}"
            if table == "inputs":
                yield "bd", "bond", "inputs", key, "bd knows no [inputs]"
                continue
            if not isinstance(value, dict):
                has_default = True
                if not isinstance(value, str):
                    for tool in _BOTH:
                        yield (
                            tool,
                            "cook",
                            "default-type",
                            key,
                            f"{tool} refuses a variable that is neither text nor table",
                        )
                continue
            if "default" in value:
                has_default = True
                if value.get("required") is True:
                    yield "bd", "cook", "required-with-default", key, "bd refuses required together with a default"
                if not isinstance(value["default"], str):
                    for tool in _BOTH:
                        yield tool, "bond", "default-type", key, f"{tool} takes no default that is not a text"
            for rule in ("enum", "pattern", "type"):
                if value.get(rule):
                    yield "bd", "bond", "unchecked", f"{key}.{rule}", f"bd declares {rule} and never checks a value"
    if has_default:
        yield "bd", "bond", "bond-forgets-defaults", "vars", "bd mol bond applies no defaults; pour and wisp do"


def _steps(document: Mapping[str, Any]) -> Iterator[_Row]:
    steps = list(_items(document, "steps"))
    loops = {str(step.get("id")) for _, step in steps if isinstance(step.get("loop"), dict)}
    inline = {str(step.get("id")) for _, step in steps if step.get("expand")}
    needed = {str(need) for _, step in steps for key in ("needs", "depends_on") for need in _list(step.get(key))}
    for path, step in steps:
        own = quoted(str(step.get("id", "?")))
        if not step.get("title") and not step.get("expand"):
            yield "bd", "cook", "no-title", path, f"bd refuses {own}, which has no title"
        if step.get("acceptance") or step.get("design"):
            yield "bd", "cook", "acceptance", path, f"bd drops acceptance and design of {own}"
        if step.get("if_failed"):
            for tool in _BOTH:
                yield tool, "cook", "if-failed", path, f"{tool} does not read if_failed: {own} runs in any case"
        for key in _GT_IGNORES:
            if step.get(key):
                yield "gt", "cook", f"gt-ignores-{key.replace('_', '-')}", f"{path}.{key}", f"gt does not read {key}"
        for key in _GT_DROPS:
            if step.get(key) not in (None, "", []):
                yield "gt", "cook", "gt-drops", f"{path}.{key}", f"gt does not read {key}"
        if step.get("condition"):
            yield (
                "bd",
                "bond",
                "condition",
                path,
                f"bd cook keeps {own} whatever holds; bd pour drops the needs that lead to it",
            )
        yield from _waiting(path, step)
        yield from _loop(path, step, needed & loops)
        if str(step.get("id")) in inline and str(step.get("id")) in needed:
            yield "bd", "cook", "expand-dependents", path, f"bd forgets who needed {own} when it is expanded in place"
        if step.get("expand"):
            yield from _losing(path, step)
    for path, step in _items(document, "template"):
        lost = [key for key in step if key not in _TEMPLATE_KEEPS]
        if lost:
            yield "bd", "cook", "template-loses", path, f"bd drops {', '.join(sorted(lost))} from a template's step"


def _waiting(path: str, step: Mapping[str, Any]) -> Iterator[_Row]:
    if not step.get("waits_for"):
        return
    if not str(step["waits_for"]).startswith("children-of(") and not step.get("needs"):
        yield "bd", "cook", "gate-without-spawner", path, "bd takes the spawner from needs alone: it makes no gate here"
    yield "bd", "run", "gate-opens-early", path, "bd opens the gate while its spawner has no children yet, or is open"


def _loop(path: str, step: Mapping[str, Any], needed: set[str]) -> Iterator[_Row]:
    loop = step.get("loop")
    if not isinstance(loop, dict):
        return
    guards = [key for key in ("needs", "depends_on", "condition", "gate", "waits_for") if step.get(key)]
    if guards:
        yield "bd", "cook", "loop-loses", path, f"bd drops {', '.join(guards)} of a loop"
    if str(step.get("id")) in needed:
        yield "bd", "cook", "loop-dependents", path, "bd forgets who needed a loop"
    if "{" in str(loop.get("range", "")):
        yield "bd", "cook", "loop-range", f"{path}.loop.range", "bd knows no variables in a range"
    for place, inner in _items(loop, "body"):
        lost = sorted(key for key in inner if key not in _LOOP_KEEPS)
        if lost:
            yield "bd", "cook", "loop-loses", f"{path}.loop.{place}", f"bd drops {', '.join(lost)} in a loop's body"
        if "{i}" in f"{inner.get('title', '')}{inner.get('description', '')}" and loop.get("var") != "i":
            yield "bd", "cook", "loop-number", f"{path}.loop.{place}", "bd leaves {i} as it is"


def _losing(path: str, step: Mapping[str, Any]) -> Iterator[_Row]:
    lost = [key for key in _TARGET_LOSES if step.get(key)]
    if lost:
        yield "bd", "cook", "expand-loses", path, f"bd drops {', '.join(lost)} of a step that is expanded"


def _composition(document: Mapping[str, Any]) -> Iterator[_Row]:
    compose = document.get("compose")
    compose = compose if isinstance(compose, dict) else {}
    steps = {str(step.get("id")): step for _, step in _items(document, "steps")}
    for index, rule in enumerate(_tables(compose.get("expand"))):
        yield from _losing(f"compose.expand[{index}]", steps.get(str(rule.get("target")), {}))
        if rule.get("vars"):
            yield "gt", "cook", "gt-ignores-vars", f"compose.expand[{index}].vars", "gt puts no vars into an expansion"
    for key in ("map", "branch", "gate", "aspects"):
        if compose.get(key):
            yield "gt", "cook", f"gt-ignores-{key}", f"compose.{key}", f"gt does not act on compose.{key}"
    if compose.get("map"):
        yield (
            "bd",
            "cook",
            "map-order",
            "compose.map",
            "bd expands what a map matches in an order that differs from run to run",
        )
    if document.get("advice"):
        yield "gt", "cook", "gt-ignores-advice", "advice", "gt does not act on advice"
        globs = {str(one.get("glob")) for one in _tables(document.get("pointcuts"))}
        if globs and any(rule.get("target") not in globs for rule in _tables(document["advice"])):
            yield (
                "bd",
                "cook",
                "pointcuts",
                "pointcuts",
                "bd does not look at pointcuts: advice goes by its target alone",
            )


def _items(document: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    waiting = [(f"{key}[{index}]", item) for index, item in enumerate(_list(document.get(key)))][::-1]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, dict):
            yield path, item
            children = [(f"{path}.children[{index}]", one) for index, one in enumerate(_list(item.get("children")))]
            waiting.extend(children[::-1])


def _tables(value: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
