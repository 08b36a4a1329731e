from __future__ import annotations

import json
import re

import pytest

from mmpm.solver.problem import answer, parse_problem


def solved(**document):
    return answer(parse_problem(json.dumps({"id": "x"} | document).encode()))


A = {"version": "1.0.0"}
B = {"version": "2.0.0"}


def test_the_newest_versions_that_go_together_are_the_solution():
    packages = {"a": [A, B | {"deps": {"b": ">=1.0.0,<2.0.0 || ==3.1.0"}}], "b": [A, B]}
    assert solved(packages=packages, root={"a": "*"}) == {"id": "x", "solution": {"a": "2.0.0", "b": "1.0.0"}}


def test_a_yanked_version_is_out_unless_the_root_pins_it_or_it_is_locked():
    packages = {"a": [A, B | {"yanked": True}]}
    assert solved(packages=packages, root={"a": "*"})["solution"] == {"a": "1.0.0"}
    assert solved(packages=packages, root={"a": "==2.0.0"})["solution"] == {"a": "2.0.0"}
    assert solved(packages=packages, root={"a": "*"}, locked={"a": "2.0.0"})["solution"] == {"a": "2.0.0"}
    assert solved(packages=packages, root={"a": ">=2.0.0"})["unsat"] is True


def test_the_first_registry_that_has_a_name_owns_it():
    registries = [{"name": "acme", "packages": {"a": [A]}}, {"name": "public", "packages": {"a": [A, B]}}]
    assert solved(registries=registries, root={"a": "*"})["solution"] == {"a": "1.0.0"}
    refused = solved(registries=registries, root={"a": ">=2.0.0"})
    assert "public has a 2.0.0, which is shadowed: acme comes first" in str(refused["explanation"])


def test_pre_releases_follow_plain_precedence_unless_stable_ones_come_first():
    packages = {"a": [A, {"version": "2.0.0-rc.1"}]}
    assert solved(packages=packages, root={"a": "*"})["solution"] == {"a": "2.0.0-rc.1"}
    assert solved(packages=packages, root={"a": "*"}, policy="stable-first")["solution"] == {"a": "1.0.0"}


def test_constraints_bind_only_what_is_installed_anyway():
    packages = {"a": [A | {"constrains": {"b": "<2.0.0"}}], "b": [A, B]}
    assert solved(packages=packages, root={"a": "*"})["solution"] == {"a": "1.0.0"}
    assert solved(packages=packages, root={"a": "*", "b": "*"})["solution"] == {"a": "1.0.0", "b": "1.0.0"}


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"root": []}', '{"root": {"a": 1}}', '{"packages": {"a": {}}}', '{"packages": {"a": [{"version": 1}]}}',
     '{"policy": "oldest"}', '{"root": {"a": ">=x"}}', '{"packages": {"a": [{"version": "1.0.0"}, {"version": "1.0.0"}]}}'],
)  # fmt: skip
def test_what_is_no_problem_is_refused_with_a_sentence(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_problem(text.encode())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "the problem: expected an object"),
        ('{"root": {"a": 1}}', "root.a: expected a text"),
        ('{"packages": {"a": [{"version": "1.0.0"}, {}]}}', "packages.a[1].version is missing"),
        ('{"packages": {"a": [{"version": "1.0.0", "yanked": 0}]}}', "packages.a[0].yanked: expected true or false"),
        ('{"locked": {"a\\u001b[2J": "x"}}', r"locked.a\x1b[2J: "),
    ],
)
def test_a_refusal_names_the_key_in_one_printable_line(text, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        parse_problem(text.encode())
    assert str(caught.value).isprintable()
