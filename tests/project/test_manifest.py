"""The manifest: what it may say, and edits that leave everything else as it was."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmpm.errors import ConfigSyntaxError, ManifestError
from mmpm.project.manifest import Manifest, Wanted, parse_manifest, read_manifest

MANIFEST = """\
# Our formulas
[formulas]   # sorted by hand
mol-a = "4"      # keep in step with ops
"@acme/mol-b" = { version = "^1.2", registry = "acme.corp", as = "our-b" }

[molecules]
mol-c = "*"

[[registries]]
id = "acme.corp"
root = "abababababababababababababababababababababababababababababababab"
priority = 1

[policy]
max_age = "30d"
"""
NAMES = st.from_regex(r"\A(@[a-z]{1,5}/)?[a-z]{1,8}(\.[a-z]{1,3}x)?\Z").filter(lambda name: name not in {"con", "nul"})
RANGES = st.sampled_from(["*", "4", "^1.2", "1.2.3", ">=4,<6", "latest"])
WANTED = st.builds(
    Wanted,
    section=st.sampled_from(["formulas", "molecules"]),
    name=NAMES,
    range=RANGES,
    registry=st.sampled_from([None, "acme.corp"]),
    installed_as=st.sampled_from([None, "other"]),
    prerelease=st.booleans(),
)
COMMENTS = st.lists(st.sampled_from(["# one", "", "   # two", "# ends: \t"]), max_size=3)


@st.composite
def manifests(draw):
    """A manifest's text as people write them: comments, spacing and quotes vary."""
    wanted = draw(st.lists(WANTED, max_size=5, unique_by=lambda one: (one.section, one.name)))
    lines = list(draw(COMMENTS))
    for section in draw(st.permutations(["formulas", "molecules"])):
        inside = [one for one in wanted if one.section == section]
        if not inside and draw(st.booleans()):
            continue
        lines.append(f"[{section}]{draw(st.sampled_from(['', '  # here']))}")
        for one in inside:
            lines += draw(COMMENTS)
            quote = draw(st.sampled_from(['"', "'"]))
            equals = draw(st.sampled_from(["=", " = ", "   = "]))
            lines.append(
                f"{quote}{one.name}{quote}{equals}{quote}{one.range}{quote}{draw(st.sampled_from(['', ' # why']))}"
            )
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join(lines) + draw(st.sampled_from(["", end]))


@given(text=manifests(), wanted=WANTED)
def test_a_requirement_that_is_set_is_read_back_and_nothing_else_changes(text, wanted):
    before = parse_manifest(text, "mmpm.toml")
    after = parse_manifest(before.with_requirement(wanted), "mmpm.toml")
    assert after.find(wanted.name, wanted.section) == wanted
    others = [one for one in before.wanted if (one.section, one.name) != (wanted.section, wanted.name)]
    assert [one for one in after.wanted if one != wanted] == others


@given(text=manifests(), wanted=WANTED)
def test_setting_and_removing_a_new_requirement_keeps_every_line(text, wanted):
    before = parse_manifest(text, "mmpm.toml")
    assume(before.find(wanted.name, wanted.section) is None)
    after = parse_manifest(before.with_requirement(wanted), "mmpm.toml")
    again = after.without_requirement(wanted.name, wanted.section)
    kept = [line.strip() for line in again.splitlines() if line.strip()]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert [line for line in kept if line in lines] == lines or not text.strip()


@given(text=manifests())
def test_setting_what_is_there_changes_no_byte(text):
    manifest = parse_manifest(text, "mmpm.toml")
    for wanted in manifest.wanted:
        assert manifest.with_requirement(wanted) == text


@given(text=manifests(), wanted=WANTED)
def test_an_edit_keeps_the_kind_of_line_ends(text, wanted):
    edited = parse_manifest(text, "mmpm.toml").with_requirement(wanted)
    if "\r\n" in text:
        assert edited.count("\r\n") == edited.count("\n")
    else:
        assert "\r" not in edited


def test_a_new_requirement_stands_behind_the_last_one_and_not_under_the_next_tables_comment():
    text = '[formulas]\nmol-a = "4"\n\n# We are strict\n[policy]\nmax_age = "3d"\n'
    edited = parse_manifest(text, "mmpm.toml").with_requirement(Wanted("formulas", "mol-b", "*"))
    assert edited == text.replace('mol-a = "4"\n', 'mol-a = "4"\nmol-b = "*"\n')


def test_a_new_requirement_stands_before_tables_of_their_own():
    text = '[formulas]\nmol-a = "4"\n\n[formulas.mol-x]\nversion = "2"\n'
    edited = parse_manifest(text, "mmpm.toml").with_requirement(Wanted("formulas", "mol-b", "*"))
    assert edited == text.replace('mol-a = "4"\n', 'mol-a = "4"\nmol-b = "*"\n')


def test_comments_and_order_survive_an_edit():
    manifest = parse_manifest(MANIFEST, "mmpm.toml")
    edited = manifest.with_requirement(Wanted("formulas", "mol-a", "^5"))
    assert edited == MANIFEST.replace('mol-a = "4"', 'mol-a = "^5"')


def test_every_part_of_a_manifest_is_read():
    manifest = parse_manifest(MANIFEST, "mmpm.toml")
    assert manifest.wanted == (
        Wanted("formulas", "@acme/mol-b", "^1.2", "acme.corp", "our-b"),
        Wanted("formulas", "mol-a", "4"),
        Wanted("molecules", "mol-c", "*"),
    )
    assert [registry.id for registry in manifest.registries] == ["acme.corp"]
    assert manifest.policy == {"max_age": "30d"}


def test_a_manifest_that_is_not_there_is_empty_and_the_first_edit_makes_it(tmp_path):
    manifest = read_manifest(str(tmp_path / "mmpm.toml"))
    assert not manifest.exists
    text = manifest.with_requirement(Wanted("formulas", "mol-a", "*"))
    assert text.startswith("# What this project asks for.")
    assert tomllib.loads(text) == {"formulas": {"mol-a": "*"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[formulas]\nmol-a = 4\n", r"line 2, formulas.mol-a: expected a range in quotes"),
        ('[formulas]\n\n"Mol A" = "4"\n', r"line 3, formulas.Mol A"),
        ('[formulas]\nmol-a = "four"\n', r"line 2, formulas.mol-a"),
        ('[formulas]\nmol-a = { versoin = "4" }\n', r"unknown key versoin"),
        ('[formulas]\nmol-a = { as = "@x/y" }\n', r"an installed name has no scope"),
        ("formulas = 3\n", r"line 1, formulas: expected a table"),
        ("policy = 3\n", r"policy: expected a table"),
    ],
)
def test_a_wrong_value_is_named_with_line_and_key(text, message):
    with pytest.raises(ManifestError, match=message):
        parse_manifest(text, "mmpm.toml")


def test_broken_toml_is_named_with_line_and_column():
    with pytest.raises(ConfigSyntaxError, match=r"mmpm.toml is not TOML: .*line 2, column 9"):
        parse_manifest('[formulas]\nmol-a = = "4"\n', "mmpm.toml")


def test_an_edit_of_something_that_is_no_table_is_refused():
    manifest = Manifest("mmpm.toml", text="formulas = 3\n", exists=True)
    with pytest.raises(Exception, match="expected a table"):
        manifest.with_requirement(Wanted("formulas", "mol-a", "*"))
