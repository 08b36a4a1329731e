from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmpm.model.positions import locate

TEXT = b'''\
formula = "x" # [not]
version = 1
extends = [
  "a", # ]
  "b",
]
description = """
[[steps]]
id = "not this"  \\""" ]
"""

[vars]
who = "you"
[vars.there]
default = \'\'\'
[x] \'\'\'

  [[steps]]
  id = "one"
[[steps]]
id = "two"
needs = ["a",
   "b"]
[[steps.children]]
id = "child"
[[steps.children]]
  title = "t"
[steps.on_complete]
bond = "y"
[other.inner.most]
z = 1
[package.requires]
"@acme/z" = "1"
a.b = 3
'''


def test_keys_are_found_where_they_stand():
    wanted = {
        "formula": (1, 1), "version": (2, 1), "extends": (3, 1), "extends[1]": (3, 1), "description": (7, 1),
        "vars.who": (13, 1), "vars.there": (14, 1), "vars.there.default": (15, 1), "steps[0]": (18, 3),
        "steps[0].id": (19, 3), "steps[1].id": (21, 1), "steps[1].needs": (22, 1), "steps[1].children[0]": (24, 1),
        "steps[1].children[1].title": (27, 3), "steps[1].on_complete.bond": (29, 1),
        "other.inner": (30, 1), "other.inner.most.z": (31, 1),
        "package.requires.@acme/z": (33, 1), "package.requires.a.b": (34, 1),
    }  # fmt: skip
    assert locate(TEXT, wanted) == wanted
    assert locate(TEXT.replace(b"\n", b"\r\n"), wanted) == wanted


def test_what_has_no_place_gets_that_of_the_table_above():
    assert locate(TEXT, ["steps[1].title", "nothing", "", "steps[0].gate.type[3]"]) == {
        "steps[1].title": (20, 1), "nothing": (1, 1), "": (1, 1), "steps[0].gate.type[3]": (18, 3)}  # fmt: skip


@given(st.text(alphabet="ab=.[]{}\"'#\\\n ", max_size=80))
def test_any_text_can_be_searched(text):
    line, column = locate(text.encode(), ["a.b[0]"])["a.b[0]"]
    assert 1 <= line <= text.count("\n") + 1
    assert column >= 1
