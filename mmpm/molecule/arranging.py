"""A proto as one bond wants it: dimensions swapped or left out; and steps moved below an arm.

A swapped step keeps its id and its edges; what was below it goes, and what the other proto has comes in its place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mmpm.errors import quoted
from mmpm.model.capabilities import Capabilities
from mmpm.molecule.cook.wiring import without
from mmpm.molecule.events import CONNECTIONS
from mmpm.molecule.proto import Proto
from mmpm.molecule.steps import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping


def arranged(proto: Proto, swaps: Mapping[str, Proto], left_out: Collection[str]) -> Proto:
    """Give the proto with other protos in the place of steps, and without steps.

    Variables and sources of the others are added; where two declare one variable, the proto's own holds.

    Raises:
        ValueError: a step to be swapped or left out is not there (the sentence names those that are) or goes with
            another, or what comes of it is no sound proto.
    """
    present = {step.id: step.parent for step in proto.steps}
    for wanted in (*swaps, *left_out):
        if wanted not in present:
            names = ", ".join(step.id for step in proto.steps if not step.parent)
            raise ValueError(f"{proto.name} has no step {quoted(wanted)}; it has {names or 'none'}")
    _check_kept(present, swaps, left_out)
    steps = proto.steps
    for wanted, other in swaps.items():
        steps = _swapped(steps, wanted, other)
    steps = without(steps, set(left_out))
    if not swaps:
        return replace(proto, steps=steps) if left_out else proto
    declared = {one.name: one for part in (*swaps.values(), proto) for one in part.variables}
    sources = dict.fromkeys(source for part in (proto, *swaps.values()) for source in part.sources)
    variables = tuple(declared[name] for name in sorted(declared))
    return replace(proto, steps=steps, variables=variables, sources=tuple(sources))


def _check_kept(parents: Mapping[str, str], swaps: Collection[str], left_out: Collection[str]) -> None:
    """Refuse to swap what goes, and to leave out what goes with a swap: it would say nothing.

    Raises:
        ValueError: such a step is named.
    """
    for wanted in (*swaps, *left_out):
        if wanted in swaps and wanted in left_out:
            raise ValueError(f"{quoted(wanted)} is swapped and left out: it can be one of them")
        above = parents[wanted]
        while above:
            if above in swaps:
                raise ValueError(f"{quoted(wanted)} goes with {quoted(above)}, which is swapped")
            if above in left_out and wanted in swaps:
                raise ValueError(f"{quoted(wanted)} goes with {quoted(above)}, which is left out")
            above = parents[above]


def presets_of(proto: Proto) -> Mapping[str, tuple[str, ...]]:
    """Give the legs that each preset of a convoy wants, by its name; what is no preset is passed over."""
    tables = proto.attributes.get("presets")
    return {
        name: tuple(leg for leg in legs if isinstance(leg, str))
        for name, said in (tables.items() if isinstance(tables, dict) else ())
        if isinstance(said, dict) and isinstance(legs := said.get("legs"), list)
    }


def left_out_by(proto: Proto, preset: str) -> tuple[str, ...]:
    """Give the ids of the legs that a preset does without: all that it does not name.

    A convoy's synthesis stays: its last step, where it needs others and no preset counts it among the legs.

    Raises:
        ValueError: the proto has no such preset (the sentence names those that it has), or the preset names no leg.
    """
    presets = presets_of(proto)
    if preset not in presets:
        known = ", ".join(presets)
        raise ValueError(f"{proto.name} has no preset {quoted(preset)}" + (f"; it has {known}" if known else ""))
    top = [step for step in proto.steps if not step.parent]
    unknown = [leg for leg in presets[preset] if all(leg != step.id for step in top)]
    if unknown:
        raise ValueError(
            f"the preset {quoted(preset)} of {proto.name} names {quoted(unknown[0])}, and it has no such leg"
        )
    named = {leg for legs in presets.values() for leg in legs}
    is_synthesis = proto.kind == "convoy" and top and bool(top[-1].needs) and top[-1].id not in named
    legs = top[:-1] if is_synthesis else top
    return tuple(step.id for step in legs if step.id not in presets[preset])


def moved(steps: Iterable[Step], below: str) -> tuple[Step, ...]:
    """Give steps with all their ids below another: ``load`` becomes ``<below>.load``, the root's children `below`'s."""

    def name(one: str) -> str:
        return f"{below}.{one}" if one else below

    return tuple(replace(redirected(step, name), id=name(step.id), parent=name(step.parent)) for step in steps)


def compound(first: Proto, second: Proto, connection: str = "sequential") -> Proto:
    """Give one proto of two, each below a step of its name: one after the other by default.

    Where both declare one variable, the first one's declaration holds.

    Raises:
        ValueError: `connection` is none, or what comes of it is no sound proto.
    """
    if connection not in CONNECTIONS:
        raise ValueError(f"{quoted(connection)} is none of {', '.join(CONNECTIONS)}")
    names = [part.name.replace("@", "").replace("/", "-") for part in (first, second)]
    if names[0] == names[1]:
        names[1] += "-2"
    steps: list[Step] = []
    for name, part in zip(names, (first, second), strict=True):
        waits = (names[0],) if part is second and name != names[0] else ()
        root = Step(
            id=name,
            title=part.title or part.name,
            description=part.description,
            kind="epic" if part.steps else "task",
            needs=waits if connection == "sequential" else (),
            if_failed=waits if connection == "conditional" else (),
            source=part.name,
        )
        steps += [root, *moved(part.steps, name)]
    declared = {one.name: one for part in (second, first) for one in part.variables}
    capabilities = Capabilities(
        tuple(dict.fromkeys((*first.capabilities.primary, *second.capabilities.primary))),
        tuple(
            tag
            for tag in dict.fromkeys((*first.capabilities.secondary, *second.capabilities.secondary))
            if tag not in {*first.capabilities.primary, *second.capabilities.primary}
        ),
        tuple(sorted({**dict(second.capabilities.weights), **dict(first.capabilities.weights)}.items())),
    )
    return Proto(
        name=f"{names[0]}+{names[1]}",
        title=f"Compound: {first.name} + {second.name}",
        steps=tuple(steps),
        variables=tuple(declared[name] for name in sorted(declared)),
        sources=tuple(dict.fromkeys((*first.sources, *second.sources))),
        capabilities=capabilities,
    )


def redirected(step: Step, name: Callable[[str], str]) -> Step:
    """Give a step that waits for others than before: `name` gives the new id of each."""
    if not (step.needs or step.if_failed or step.waits_for):
        return step
    return replace(
        step,
        needs=tuple(dict.fromkeys(map(name, step.needs))),
        if_failed=tuple(dict.fromkeys(map(name, step.if_failed))),
        waits_for=tuple(dict.fromkeys(replace(wait, spawner=name(wait.spawner)) for wait in step.waits_for)),
    )


def _swapped(steps: tuple[Step, ...], step_id: str, other: Proto) -> tuple[Step, ...]:
    below = {step_id}
    for step in steps:  # a parent comes before its children
        if step.parent in below:
            below.add(step.id)
    gone = below - {step_id}
    found: list[Step] = []
    for step in steps:
        if step.id in gone:
            continue
        kept = redirected(step, lambda one: step_id if one in gone else one)
        if step.id != step_id:
            found.append(kept)
            continue
        title = other.title or other.name
        found.append(replace(kept, title=title, description=other.description, source=other.name))
        found.extend(moved(other.steps, step_id))
    return tuple(found)
