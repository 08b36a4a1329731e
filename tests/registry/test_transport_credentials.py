"""A credential goes to the address that it was given for, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.registry.credentials import authorization_for, origin_of, token_variable

URL = "https://mall.acme.corp/tree"


def ask(url=URL, *, own=(URL,), registry_id="acme.corp", name="acme", every=(URL,), environ=None, netrc=None):
    return authorization_for(
        url,
        registry_id=registry_id,
        own_urls=own,
        name=name,
        every_url=every,
        environ=environ or {},
        netrc_file=netrc,
    )


def test_a_token_is_found_by_id_or_name():
    assert token_variable("acme.corp_8080") == "MMPM_TOKEN_ACME_CORP_8080"
    assert ask(environ={"MMPM_TOKEN_ACME_CORP": "one"}) == "Bearer one"
    assert ask(environ={"MMPM_TOKEN_ACME": "two"}) == "Bearer two"
    assert ask() is None


@given(st.sampled_from(["http", "https"]), st.sampled_from(["mall.acme.corp", "evil.corp"]), st.integers(1, 65535))
def test_an_alternate_on_another_scheme_host_or_port_is_given_nothing(scheme, host, port):
    url = f"{scheme}://{host}:{port}/tree"
    found = ask(url, own=(URL, url), every=(URL, url), environ={"MMPM_TOKEN_ACME": "secret", "MMPM_TOKEN": "secret"})
    assert (found is not None) == (origin_of(url) == origin_of(URL))


def test_the_token_without_a_name_is_used_only_where_there_is_one_origin():
    assert ask(environ={"MMPM_TOKEN": "one"}) == "Bearer one"
    assert ask(every=(URL, URL + "2", "/a/folder"), environ={"MMPM_TOKEN": "one"}) == "Bearer one"
    assert ask(every=(URL, "https://other.corp/"), environ={"MMPM_TOKEN": "one"}) is None


@pytest.mark.parametrize(
    ("url", "registry_id", "is_given"),
    [
        ("https://mall.acme.corp/tree", "mall.acme.corp", True),
        ("https://mall.acme.corp:8443/tree", "mall.acme.corp_8443", True),
        ("https://mall.acme.corp:8443/tree", "mall.acme.corp", False),
        ("http://mall.acme.corp/tree", "mall.acme.corp", False),
        ("https://evil.corp/tree", "mall.acme.corp", False),
    ],
)
def test_an_address_that_only_a_project_states_is_given_the_token_of_its_host_alone(url, registry_id, is_given):
    every = {"MMPM_TOKEN_" + label: "secret" for label in ("MALL_ACME_CORP", "MALL_ACME_CORP_8443", "ACME")}
    found = ask(url, own=(), registry_id=registry_id, every=(url,), environ=every | {"MMPM_TOKEN": "secret"})
    assert (found is not None) == is_given
    assert ask(url, own=(), registry_id=registry_id, every=(url,), environ={"MMPM_TOKEN": "secret"}) is None


@pytest.mark.parametrize("token", ["", "a b", "a\r\nHost: evil", "é", "a\x00"])
def test_what_cannot_be_a_token_is_no_header(token):
    assert ask(environ={"MMPM_TOKEN_ACME": token}) is None


def test_netrc_serves_its_host_over_tls(tmp_path):
    file = tmp_path / "netrc"
    file.write_text("machine mall.acme.corp login me password secret\n")
    assert ask(netrc=str(file)) == "Basic bWU6c2VjcmV0"
    assert ask("http://mall.acme.corp/tree", netrc=str(file)) is None
    assert ask("https://other.corp/", netrc=str(file)) is None
    assert ask(netrc=str(tmp_path / "none")) is None
