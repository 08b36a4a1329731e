"""Streams: nothing steers a terminal, plain where it must be, words where marks cannot be shown."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import render

from mmpm.cli.failures import report
from mmpm.cli.output import MARKS, Output, Styled
from mmpm.cli.progress import TerminalProgress
from mmpm.cli.trees import print_tree
from mmpm.molecule.picture.drawing import TreeLine
from mmpm.molecule.picture.wrapping import columns


class Screen(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, encoding="utf-8", *, terminal=True):
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True, newline="")
        self.terminal = terminal

    def isatty(self):
        return self.terminal

    @property
    def seen(self):
        return self.buffer.getvalue().decode(self.encoding)


def output(environ=None, *, terminal=True, encoding="utf-8", **options):
    return Output(
        {"TERM": "xterm"} if environ is None else environ,
        out=Screen(encoding, terminal=terminal),
        err=Screen(encoding, terminal=terminal),
        **options,
    )


@given(text=st.text())
def test_no_text_of_others_steers_the_terminal(text):
    out = output()
    out.result(text)
    out.say("name: ", Styled(text, "bold"))
    out.warn(text)
    out.redraw(text)
    seen = out.out.seen + out.err.seen
    for code in ("\x1b[1m", "\x1b[33m", "\x1b[0m", "\r\x1b[2K"):
        seen = seen.replace(code, "")
    assert not [character for character in seen if ord(character) < 32 and character not in "\n\t"]
    assert not [character for character in seen if character in "\x7f\x9b\u202e\u2066"]


@pytest.mark.parametrize(
    ("options", "environ", "terminal", "colored"),
    [
        ({}, {"TERM": "xterm"}, True, True),
        ({}, {"TERM": "xterm"}, False, False),
        ({}, {"TERM": "dumb"}, True, False),
        ({}, {}, True, False),
        ({}, {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({}, {"TERM": "xterm", "FORCE_COLOR": "1"}, False, True),
        ({}, {"TERM": "xterm", "FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"color": "always"}, {"NO_COLOR": "1"}, False, True),
        ({"color": "never"}, {"TERM": "xterm", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour_goes_by_flag_then_variable_then_terminal(options, environ, terminal, colored):
    out = output(environ, terminal=terminal, **options)
    out.result(Styled("x", "red"))
    assert ("\x1b" in out.out.seen) is colored


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_marks_become_words_where_the_stream_cannot_show_them(encoding):
    out = output(encoding=encoding, terminal=False)
    for name in MARKS:
        out.say(out.mark(name))
    out.say("naïve ✓ 漢")
    assert out.err.seen.startswith("ok\nfailed\n")
    assert "\\u6f22" in out.err.seen


def test_json_silences_words_and_keeps_warnings():
    out = output(as_json=True)
    out.say("Resolving...")
    out.result("x")
    out.warn("old snapshot")
    out.document("mmpm.x/1", {"a": "\x1b"})
    assert out.err.seen == ""
    assert json.loads(out.out.seen) == {"schema": "mmpm.x/1", "a": "\x1b", "warnings": ["old snapshot"]}


def test_what_fails_after_the_document_adds_no_second_one():
    out = output(as_json=True)
    out.document("mmpm.x/1", {"a": 1})
    assert report(KeyboardInterrupt(), out) == 130
    assert json.loads(out.out.seen)["a"] == 1


def test_quiet_still_warns_and_gives_results():
    out = output(quiet=True, terminal=False)
    out.say("Resolving...")
    out.result("x")
    out.warn("old snapshot")
    out.warn("old snapshot")
    assert (out.out.seen, out.err.seen) == ("x\n", "warning: old snapshot\n")


def test_the_bar_looks_like_the_seeds(monkeypatch):
    monkeypatch.setattr("mmpm.cli.progress.MOMENT_SECONDS", 1e9)
    out = output({"TERM": "xterm", "NO_COLOR": "1"})
    bar = TerminalProgress(out)
    bar.start("Downloading...", 4, "bytes")
    bar.advance(2)
    bar.advance(2)
    bar.finish()
    bar.finish()
    assert out.err.seen.endswith("\r\x1b[2KDownloading... ████████████████████ 100%\n")


@pytest.mark.parametrize("options", [{"terminal": False}, {"environ": {"TERM": "dumb"}}, {"progress": False}])
def test_where_nothing_may_move_the_bar_is_one_plain_line(options):
    out = output(**options)
    bar = TerminalProgress(out)
    bar.start("Downloading...", 4, "bytes")
    bar.advance(4)
    bar.finish()
    assert out.err.seen == "Downloading... ✓\n"


def test_words_in_between_do_not_tear_the_bar():
    out = output({"TERM": "xterm", "NO_COLOR": "1"})
    bar = TerminalProgress(out)
    bar.start("Downloading...", 4, "bytes")
    bar.warn("slow")
    bar.abandon()
    assert out.err.seen.endswith("\r\x1b[2Kwarning: slow\n\r\x1b[2KDownloading... \r\x1b[2K")


@pytest.fixture
def long_bar(monkeypatch):
    """A bar of four units on a terminal, of which every stretch counts as long."""
    monkeypatch.setattr("mmpm.cli.progress.MOMENT_SECONDS", 0.0)
    out = output({"TERM": "xterm", "COLUMNS": "80"})
    bar = TerminalProgress(out)
    bar.start("Downloading...", 4, "files")
    bar.advance()
    yield bar, out.err
    bar.abandon()


def test_a_long_stretch_is_redrawn_and_ends_as_in_the_seed(long_bar):
    bar, err = long_bar
    bar.advance()
    bar.finish()
    assert "Downloading... █████                 25%" in err.seen
    assert render(err.seen) == "Downloading... ████████████████████ 100%\n"


def test_a_stretch_may_end_with_a_mark_as_the_seeds_upgrade_does(long_bar):
    bar, err = long_bar
    bar.ends_with_mark = True
    bar.advance()
    bar.finish()
    assert "Downloading... █████                 25%" in err.seen
    assert render(err.seen) == "Downloading... ✓\n"


def test_words_stand_above_a_long_bar(long_bar):
    bar, err = long_bar
    bar.warn("slow")
    bar.say("Waiting")
    bar.advance(3)
    bar.finish()
    bar.finish()
    assert re.sub(r"\x1b\[33m|\x1b\[0m", "", render(err.seen)) == (
        "warning: slow\nWaiting\nDownloading... ████████████████████ 100%\n"
    )


def test_an_abandoned_bar_leaves_an_empty_line_and_the_cursor(long_bar):
    bar, err = long_bar
    bar.abandon()
    assert render(err.seen) == ""
    assert "\x1b[?25l" not in err.seen


def test_a_narrow_terminal_shows_the_start_of_the_line(monkeypatch):
    monkeypatch.setattr("mmpm.cli.progress.MOMENT_SECONDS", 0.0)
    out = output({"TERM": "xterm", "COLUMNS": "20"})
    bar = TerminalProgress(out)
    bar.start("Downloading...", 4, "files")
    bar.advance()
    bar.finish()
    assert render(out.err.seen) == "Downloading... █████\n"


def tree(title, depth=1):
    lasts = (False,) * depth
    pieces = (("step", "bold"), (f' "{title}"', ""), (" Needs: .first, .second, .third", ""), (" ready", "cyan"))
    return [
        TreeLine(pieces=(("mol-x", ""),)),
        TreeLine(lasts, 0, "ready", pieces),
        TreeLine((True,), 0, "open", pieces),
    ]


def printed(environ, *, terminal, title="a title of some words", depth=1):
    out = output({"TERM": "xterm", "NO_COLOR": "1", **environ}, terminal=terminal)
    print_tree(out, tree(title, depth))
    return out.out.seen.splitlines()


def test_a_line_of_a_tree_that_is_wider_than_the_terminal_goes_on_beside_the_tree():
    assert printed({"COLUMNS": "49"}, terminal=True) == [
        "mol-x",
        '├── ○ step "a title of some words" Needs: .first,',
        "│       .second, .third ready",
        '└── ○ step "a title of some words" Needs: .first,',
        "        .second, .third ready",
    ]


@given(st.integers(40, 200), st.text(st.sampled_from("ab \u8a66\u0301"), max_size=80))
def test_a_wrapped_tree_loses_no_word_and_fits_where_words_do(width, title):
    whole = printed({}, terminal=False, title=title)
    wrapped = printed({"COLUMNS": str(width)}, terminal=True, title=title)
    assert "".join(wrapped).replace(" ", "").replace("│", "") == "".join(whole).replace(" ", "").replace("│", "")
    longest = max(len(word.encode()) for word in " ".join(whole).split())
    assert all(columns(line) <= width or longest > width - 16 for line in wrapped)


@pytest.mark.parametrize("environ", [{"COLUMNS": "20"}, {"COLUMNS": "x"}, {"COLUMNS": "-1"}, {"COLUMNS": "9" * 5000}])
def test_where_there_is_no_room_or_none_is_known_a_step_is_one_line(environ):
    assert len(printed(environ, terminal=True)) == len(printed({"COLUMNS": "48"}, terminal=False)) == 3
    assert len(printed({"COLUMNS": "80"}, terminal=True, title="word " * 40, depth=40)) == 3 + 3
