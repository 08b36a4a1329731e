"""Every failure that is foreseen: a unique code, a remedy, an exit status of the manual, a heading in docs/errors.md."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm import errors
from mmpm.cli.failures import store_code
from mmpm.errors import MmpmError, printable
from mmpm_store import errors as store_errors

MANUAL = Path(__file__).resolve().parents[1] / "docs" / "errors.md"
EXIT_STATUSES = {1, 2, 3, 4, 5}


def below(kind):
    """Every subclass, however deep; a name that begins with an underscore is only a shape for others."""
    for child in kind.__subclasses__():
        yield from below(child)
        if not child.__name__.startswith("_"):
            yield child


KINDS = sorted(set(below(MmpmError)), key=lambda kind: kind.__name__)
STORE_KINDS = sorted(set(below(store_errors.StoreError)), key=lambda kind: kind.__name__)
SAMPLES = {
    str: "\x1b[2Jname", int: 3, float: 1.5, bool: True,
    list[str]: ["\x1b[2Jname"], Iterable[str]: ["\x1b[2Jname"], Sequence[str]: ["\x1b[2Jname"],
    Sequence[tuple[str, str, str]]: [("\x1b[2Jname", "\x1b[2J1.0.0", "\x1b[2Jrule")],
    Iterable[tuple[str, str]]: [("\x1b[2Jkey", "\x1b[2Jreason")], Mapping[str, int]: {"x": 1}, MmpmError: MmpmError("\x1b[2Jfact", "\x1b[2Jremedy"),
}  # fmt: skip


def sample(kind):
    """Make one such error, with hostile text for every text that its constructor takes."""
    scope = {**vars(typing), **vars(errors), "Iterable": Iterable, "Mapping": Mapping, "Sequence": Sequence}
    given_values = []
    for name, parameter in inspect.signature(kind).parameters.items():
        annotation = eval(str(parameter.annotation), scope)
        for plain in typing.get_args(annotation) or ():
            if plain in SAMPLES and annotation not in SAMPLES:
                annotation = plain
        assert annotation in SAMPLES, f"{kind.__name__}.{name}: {annotation} has no sample in this test"
        given_values.append(SAMPLES[annotation])
    return kind(*given_values)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_failure_has_a_fact_a_remedy_and_a_status(kind):
    error = sample(kind)
    assert error.fact
    assert error.remedy
    assert error.exit_status in EXIT_STATUSES
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert not error.fact.endswith(".")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_text_of_others_enters_a_message_unescaped(kind):
    error = sample(kind)
    assert "\x1b" not in error.fact + error.remedy


def test_every_code_is_unique():
    codes = [kind.code for kind in KINDS] + [store_code(kind) for kind in STORE_KINDS]
    assert sorted(codes) == sorted(set(codes))


def test_the_manual_has_one_heading_for_every_code():
    headings = re.findall(r"^## (.+)$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE)
    codes = {kind.code for kind in KINDS} | {store_code(kind) for kind in STORE_KINDS} | {"bug"}
    assert sorted(headings) == sorted(codes)


def test_every_failure_is_declared_in_one_place():
    assert {kind.__module__.rpartition(".")[0] for kind in KINDS} == {errors.__name__}


@given(text=st.text(), keep=st.sampled_from(["", "\n\t"]))
def test_printable_text_cannot_steer_a_terminal(text, keep):
    shown = printable(text, 1000, keep=keep)
    assert all(character.isprintable() or character in keep for character in shown)
    shown.encode("utf-8")
