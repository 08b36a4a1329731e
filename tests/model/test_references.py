from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.strategies import VERSIONS, range_texts

from mmpm.model.names import FormulaName, RegistryId
from mmpm.model.ranges import ANY, VersionRange
from mmpm.model.references import Reference, Requirement, release_address
from mmpm.model.versions import Version

NAMES = st.sampled_from(["mol-polecat-work", "@acme/mol-deploy", "a", "@a/b"]).map(FormulaName.parse)
HOSTS = st.one_of(st.none(), st.sampled_from(["molmall.gastown.io", "acme.corp", "localhost_8080"]).map(RegistryId))


@given(st.builds(Reference, HOSTS, NAMES, range_texts().map(VersionRange.parse)))
def test_a_reference_reads_back_from_its_text(reference):
    assert Reference.parse(str(reference)) == reference


@given(NAMES, VERSIONS)
def test_the_source_of_a_release_is_a_reference_that_pins_it(name, version):
    reference = Reference.parse(release_address(RegistryId("acme.corp"), name, version))
    assert (reference.registry, reference.name, reference.range.exact) == (RegistryId("acme.corp"), name, version)
    assert reference.is_pin


@pytest.mark.parametrize(
    ("text", "registry", "name", "wanted"),
    [
        ("mol-polecat-work", None, "mol-polecat-work", "*"),
        ("mol-polecat-work@4", None, "mol-polecat-work", "4"),
        ("mol-polecat-work@4.0.0", None, "mol-polecat-work", "4.0.0"),
        ("mol-x@>=4,<6", None, "mol-x", ">=4,<6"),
        ("mol-x@latest", None, "mol-x", "*"),
        ("@acme/mol-deploy", None, "@acme/mol-deploy", "*"),
        ("@acme/mol-deploy@2", None, "@acme/mol-deploy", "2"),
        ("hop://acme.corp/formulas/mol-deploy", "acme.corp", "mol-deploy", "*"),
        ("hop://acme.corp/formulas/@acme/mol-deploy@2.1.0", "acme.corp", "@acme/mol-deploy", "2.1.0"),
        ("hop://localhost:8080/formulas/a", "localhost_8080", "a", "*"),
    ],
)
def test_every_form_of_the_seed_is_read(text, registry, name, wanted):
    reference = Reference.parse(text)
    assert reference == Reference(
        registry and RegistryId(registry), FormulaName.parse(name), VersionRange.parse(wanted)
    )
    assert reference.is_pin == (wanted.count(".") == 2)


@pytest.mark.parametrize(
    "text", ["", "@", "a@", "a@ ", "a@@4", "hop://", "hop://h", "hop://h/formulas", "hop://h/formulas/", "hop://h/other/a",
             "hop:///formulas/a", "hop://h/formulas/a/b", "hop://h/formulas/a?x", "hop://u@h/formulas/a", "https://h/a"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(ValueError, match=r".") as caught:
        Reference.parse(text)
    assert str(caught.value).isprintable()


def test_a_requirement_of_any_version_is_written_as_its_name():
    assert str(Requirement.parse("@acme/x@*")) == "@acme/x"
    assert Requirement.parse("a") == Requirement(FormulaName(None, "a"), ANY)
    assert str(Requirement(FormulaName(None, "a"), VersionRange.only(Version.parse("1.2.3")))) == "a@1.2.3"
