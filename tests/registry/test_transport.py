"""What every transport promises, run over a folder and over HTTP; then what only one of them can do."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
import threading
from dataclasses import replace

import pytest
from loopback import Loopback, patient

from mmpm.registry.folder import FolderTransport
from mmpm.registry.http import Connection, HttpTransport
from mmpm.registry.transport import (
    ByteBudget,
    Forbidden,
    NotFound,
    Request,
    TooLarge,
    Transport,
    Truncated,
    Unauthorized,
    Unavailable,
    read_in_threads,
)

# Only an answer that drips meets a time-out; a busy machine must not meet one elsewhere.
QUICK = replace(patient(), grace_seconds=0.1)


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    (folder / "metadata").mkdir(parents=True)
    (folder / "metadata" / "timestamp.json").write_bytes(b"{}")
    (folder / "formulas" / "@acme" / "mol-x").mkdir(parents=True)
    (folder / "formulas" / "@acme" / "mol-x" / "index.json").write_bytes(b"scoped")
    (folder / "empty").write_bytes(b"")
    (folder / "large").write_bytes(os.urandom(3_000_000))
    for number in range(100):
        (folder / f"n{number}").write_bytes(str(number).encode() * 10)
    return folder


@pytest.fixture
def server(tree):
    with Loopback(tree) as loopback:
        yield loopback


@pytest.fixture(params=["folder", "http"])
def transport(request, tree, server):
    if request.param == "folder":
        return FolderTransport(str(tree))
    return HttpTransport(server.url + "/", patience=QUICK)


# ---- the conformance suite


def test_every_transport_is_one(transport):
    assert isinstance(transport, Transport)


def test_a_file_comes_whole(transport, tree):
    assert transport.get("metadata/timestamp.json", 100) == b"{}"
    assert transport.get("formulas/@acme/mol-x/index.json", 100) == b"scoped"
    assert transport.get("empty", 0) == b""
    assert transport.get("large", 3_000_000) == (tree / "large").read_bytes()


def test_a_file_that_is_not_there_is_not_found(transport):
    for path in ["nothing", "nothing/below", "metadata/timestamp.json/below"]:
        with pytest.raises(NotFound):
            transport.get(path, 100)


def test_a_file_longer_than_asked_for_is_refused(transport):
    for path, limit in [("large", 2_999_999), ("metadata/timestamp.json", 1), ("n7", 0)]:
        with pytest.raises(TooLarge):
            transport.get(path, limit)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../tree/n1", "a/../n1", "a//b", "./n1", "n1/", "a\\b", "a\nb"])
def test_a_path_that_is_not_a_trees_is_a_bug_of_ours(transport, path):
    with pytest.raises(ValueError, match="not a path of a registry tree"):
        transport.get(path, 100)


def test_many_files_are_each_answered_once(transport):
    requests = [Request(f"n{number}", 100) for number in range(100)]
    requests += [Request("gone", 1), Request("large", 5)]
    answers = dict(transport.get_many(iter(requests)))
    assert set(answers) == set(requests)
    assert all(answers[Request(f"n{number}", 100)] == str(number).encode() * 10 for number in range(100))
    assert isinstance(answers[Request("gone", 1)], NotFound)
    assert isinstance(answers[Request("large", 5)], TooLarge)


def test_no_request_is_no_answer(transport):
    assert list(transport.get_many([])) == []


def readers_at_work():
    return [one for one in threading.enumerate() if one.name.startswith("mmpm-read")]


def test_requests_are_drawn_lazily_and_an_abandoned_iteration_stops(transport):
    drawn = []

    def endless():
        number = 0
        while True:
            drawn.append(number)
            yield Request(f"n{number % 100}", 100)
            number += 1

    answers = transport.get_many(endless())
    next(iter(answers))
    answers.close()
    assert len(drawn) < 2000
    after = len(drawn)
    assert readers_at_work() == []
    assert len(drawn) == after


@pytest.mark.parametrize("size", [3 << 20, 9 << 20])
def test_heavy_answers_wait_for_the_consumer_so_that_memory_is_bounded(size):
    budget = ByteBudget(6 << 20)
    counting = threading.Lock()
    held, most = 0, 0

    def get(_path, _max_bytes):
        nonlocal held, most
        budget.take(size)
        with counting:
            held += 1
            most = max(most, held)
        return bytes(size)

    answers = read_in_threads(get, [Request(str(number), size) for number in range(20)], 8, budget)
    seen = 0
    for _, answer in answers:
        assert len(answer) == size
        seen += 1
        with counting:
            held -= 1
    assert seen == 20
    assert most <= max(1, (6 << 20) // size)


def test_leaving_early_frees_whoever_waits_with_a_heavy_answer():
    budget = ByteBudget(1)
    answers = read_in_threads(
        lambda _path, _max_bytes: budget.take(2 << 20) or bytes(2 << 20), (Request("a", 9) for _ in range(9)), 8, budget
    )
    next(answers)
    answers.close()
    assert readers_at_work() == []


def test_a_bug_in_the_requests_is_raised_to_the_consumer(transport):
    def broken():
        yield Request("n1", 100)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(transport.get_many(broken()))


# ---- the folder


def test_a_folder_that_is_not_there_is_unavailable_and_not_empty(tmp_path):
    with pytest.raises(Unavailable, match="no such folder"):
        FolderTransport(str(tmp_path / "unplugged")).get("metadata/timestamp.json", 10)


def test_a_link_a_pipe_and_a_folder_under_a_name_of_ours_are_not_read(tree, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (tree / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tree / "pipe")
    for path in ["link", "pipe", "metadata"]:
        with pytest.raises(NotFound):
            FolderTransport(str(tree)).get(path, 100)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_forbidden(tree):
    (tree / "n1").chmod(0)
    with pytest.raises(Forbidden):
        FolderTransport(str(tree)).get("n1", 100)


# ---- HTTP


@pytest.mark.parametrize(
    ("fault", "kind", "cause"),
    [
        ("401", Unauthorized, "401"),
        ("403", Forbidden, "403"),
        ("404", NotFound, "404"),
        ("429", Unavailable, "answered 429"),
        ("500", Unavailable, "answered 500"),
        ("truncated", Truncated, "ended"),
        ("drip", Unavailable, "slower than"),
        ("no-length", Unavailable, "Content-Length"),
    ],
)
def test_each_failure_of_a_server_has_its_type_and_names_its_cause(server, fault, kind, cause):
    server.fault = fault
    with pytest.raises(kind, match=cause) as caught:
        HttpTransport(server.url, patience=QUICK).get("n11", 100_000)
    assert type(caught.value) is kind
    assert caught.value.origin == server.url


def test_nobody_listening_is_unavailable(tree):
    with Loopback(tree) as gone:
        gone.stop()
        with pytest.raises(Unavailable, match="refused the connection"):
            HttpTransport(gone.url, patience=QUICK).get("n1", 10)


def test_a_server_that_recovers_is_asked_again_and_one_that_refuses_is_not(server):
    server.fault = "flaky"
    assert HttpTransport(server.url, patience=QUICK).get("n1", 100) == b"1" * 10
    assert len(server.asked) == 2
    server.asked.clear()
    server.fault = "403"
    with pytest.raises(Forbidden):
        HttpTransport(server.url, patience=QUICK).get("n1", 100)
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["", "/", "/formulas/@acme", "/formulas/@acme/"])
def test_one_slash_stands_between_the_address_and_a_path(server, url):
    path = "mol-x/index.json" if url.strip("/") else "metadata/timestamp.json"
    HttpTransport(server.url + url, patience=QUICK).get(path, 100)
    assert [asked for asked, _ in server.asked] == [f"{url.strip('/')}/{path}".lstrip("/")]


def test_tries_are_bounded(server):
    server.fault = "503"
    with pytest.raises(Unavailable):
        HttpTransport(server.url, patience=QUICK).get("n1", 100)
    assert len(server.asked) == QUICK.attempts


def test_credentials_go_to_their_own_origin_and_not_along_a_redirect(server, tree):
    with Loopback(tree) as other:
        server.fault = "redirect"
        server.redirect_to = other.url
        transport = HttpTransport(server.url, Connection(authorization="Bearer secret"), QUICK)
        assert transport.get("n1", 100) == b"1" * 10
        assert server.asked[0][1]["authorization"] == "Bearer secret"
        assert "authorization" not in other.asked[0][1]


@pytest.mark.parametrize("url", ["ftp://a/b", "/a", "http://", "https://u:p@h/", "http://h/?q=1", "http://h/#f"])
def test_what_is_not_a_registry_url_is_refused_and_no_password_is_repeated(url):
    with pytest.raises(ValueError, match="URL") as caught:
        HttpTransport(url)
    assert "u:p" not in str(caught.value)


def test_a_proxy_is_used_and_excluded_hosts_bypass_it(server, tree):
    with Loopback(tree) as proxy:
        # A proxy gets the absolute URL as its path; the loopback server files it under that odd name: a 404.
        through = HttpTransport(server.url, Connection(proxy_url=proxy.url), QUICK)
        with pytest.raises(NotFound):
            through.get("n1", 100)
        assert proxy.asked
        assert not server.asked
        around = HttpTransport(server.url, Connection(proxy_url=proxy.url, no_proxy="127.0.0.1"), QUICK)
        assert around.get("n1", 100) == b"1" * 10


def _certificate(folder):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return (folder / "cert.pem").read_bytes(), context


def test_a_private_authority_is_trusted_only_when_named(tree, tmp_path):
    pem, context = _certificate(tmp_path)
    with Loopback(tree, context) as server:
        assert HttpTransport(server.url, Connection(ca_pem=pem), QUICK).get("n1", 100) == b"1" * 10
        with pytest.raises(Unavailable, match="certificate that is not trusted"):
            HttpTransport(server.url, patience=QUICK).get("n1", 100)


def test_a_redirect_never_leads_from_https_to_http(server, tree, tmp_path):
    pem, context = _certificate(tmp_path)
    with Loopback(tree, context) as secure:
        secure.fault = "redirect"
        secure.redirect_to = server.url
        with pytest.raises(Unavailable):
            HttpTransport(secure.url, Connection(ca_pem=pem), QUICK).get("n1", 100)
        assert not server.asked
