from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_strategies import PATHS

from mmpm_store.errors import UnsafePathError
from mmpm_store.paths import Taken, check_path, fold


@given(st.text(max_size=60) | st.text("ab/.\\: ", max_size=12))
def test_a_path_that_passes_stays_below_any_folder(text: str) -> None:
    try:
        assert check_path(text) == text
    except UnsafePathError as error:
        fact = error.fact
    else:
        fact = ""
    if fact:
        assert fact.isascii()
        assert fact.isprintable()
        return
    path = text
    assert path == unicodedata.normalize("NFC", text)
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))
    assert not set("\\:\0\n") & set(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "a//b",
        "a/",
        "./a",
        "a/./b",
        "../a",
        "a/../../b",
        "..",
        "a\\b",
        "C:/x",
        "c:",
        "a\0b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "a\u202eb",
        "a\u2066b",
        "\ud800",
        "con",
        "CON.txt",
        "aux/x",
        "x/nul",
        "com1.tar",
        "LPT9",
        "com\u00b9",
        "con .txt",
        "CONIN$",
        "a.",
        "a ",
        "a./b",
        "a /b",
        "e\u0301",
        "x" * 256,
        "é" * 128,
        "/".join("a" * 33),
        "/".join(["a" * 200] * 6),
    ],
)
def test_an_unsafe_path_is_refused(path: str) -> None:
    with pytest.raises(UnsafePathError):
        check_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "formula.toml",
        ".beads/x",
        "a b",
        "...a",
        "é",
        "漢字/x.md",
        "console",
        "com",
        "com10",
        "x" * 255,
        "/".join("a" * 32),
        "a..b",
        "\u200dx",
    ],
)
def test_a_harmless_path_passes(path: str) -> None:
    assert check_path(path) == path


@given(PATHS)
def test_folding_makes_case_and_normal_form_one(path: str) -> None:
    assert (
        fold(path)
        == fold(unicodedata.normalize("NFD", path))
        == fold(unicodedata.normalize("NFC", path.swapcase().swapcase()))
    )
    assert fold(fold(path)) == fold(path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "a"),
        ("a", "A"),
        ("straße", "STRASSE"),
        ("É", "é"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("A/b", "a/c"),
        ("a/b", "A"),
        ("x/Y/z", "x/y/q"),
    ],
)
def test_two_paths_that_some_file_system_cannot_tell_apart_are_refused(first: str, second: str) -> None:
    taken = Taken()
    taken.add_file(first)
    with pytest.raises(UnsafePathError):
        taken.add_file(second)


def test_a_folder_may_be_named_again_but_not_in_another_spelling() -> None:
    taken = Taken()
    taken.add_folder("a/b")
    taken.add_folder("a/b")
    taken.add_file("a/b/c")
    with pytest.raises(UnsafePathError):
        taken.add_folder("A")
    with pytest.raises(UnsafePathError):
        taken.add_folder("a/b/c")
