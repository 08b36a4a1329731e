"""Reading a tree from a bucket: a real S3 server, and addresses and environments that cannot be used."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from loopback import Loopback, patient
from s3_server import REGION, s3_bucket

from mmpm.registry.s3 import S3Access, S3Transport, bucket_of
from mmpm.registry.transport import (
    Forbidden,
    NotFound,
    Request,
    TooLarge,
    Transport,
    TransportError,
    Truncated,
    Unauthorized,
    Unavailable,
)

QUICK = patient(attempts=1)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    with s3_bucket(tmp_path_factory.mktemp("swift")) as made:
        yield made


@pytest.fixture
def access(bucket):
    return S3Access.of(bucket.environ)


def transport(bucket, access, prefix="reg"):
    return S3Transport(bucket.url(prefix), access, patience=QUICK)


@pytest.mark.parametrize("path", ["metadata/timestamp.json", "formulas/@acme/mol-c/1.index.json", "a b/ü+%20.txt"])
def test_a_file_is_read_by_its_path(bucket, access, path):
    bucket.put(f"reg/{path}", path.encode())
    assert transport(bucket, access).get(path, 1000) == path.encode()
    assert isinstance(transport(bucket, access), Transport)


def test_a_bucket_without_a_prefix_is_a_tree_too(bucket, access):
    bucket.put("top.json", b"1")
    assert transport(bucket, access, "").get("top.json", 10) == b"1"
    assert transport(bucket, access, "").origin == f"s3://{bucket.name}"


def test_many_files_come_and_each_failure_is_its_own(bucket, access):
    for number in range(40):
        bucket.put(f"many/{number}", bytes(number))
    wanted = [Request(str(number), 30) for number in range(42)]
    answers = {request.path: answer for request, answer in transport(bucket, access, "many").get_many(wanted)}
    assert {path for path, answer in answers.items() if isinstance(answer, bytes)} == {str(one) for one in range(31)}
    assert {path for path, answer in answers.items() if isinstance(answer, TooLarge)} == {
        str(one) for one in range(31, 40)
    }
    assert {path for path, answer in answers.items() if isinstance(answer, NotFound)} == {"40", "41"}


def test_what_is_not_there_is_not_found_and_wrong_keys_are_forbidden(bucket, access):
    with pytest.raises(NotFound):
        transport(bucket, access).get("metadata/9.root.json", 100)
    with pytest.raises(NotFound):
        S3Transport("s3://no-such-bucket/reg", access, patience=QUICK).get("x", 100)
    with pytest.raises(Forbidden, match="may not be listed"):
        transport(bucket, replace(access, secret="wrong")).get("metadata/9.root.json", 100)


def test_a_server_that_is_away_or_speaks_otherwise_is_unavailable(bucket, access):
    with pytest.raises(Unavailable, match="refused the connection"):
        transport(bucket, replace(access, endpoint="http://127.0.0.1:1")).get("x", 10)
    with pytest.raises(Unavailable, match="TLS"):
        transport(bucket, replace(access, endpoint=bucket.endpoint.replace("http:", "https:"))).get("x", 10)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///x",
        "s3://a/x",
        "s3://user@bucket/x",
        "s3://bucket:80/x",
        "s3://bucket/a/../b",
        "s3://bucket/x?y",
        "s3://bucket//x//y",
    ],
)
def test_an_address_that_names_no_bucket_is_refused(url):
    with pytest.raises(ValueError, match="not "):
        bucket_of(url)


def test_bucket_and_prefix_of_an_address():
    assert bucket_of("s3://bucket") == ("bucket", "")
    assert bucket_of("s3://bucket/") == ("bucket", "")
    assert bucket_of("s3://my.bucket/mirror/mirrors/acme.corp/") == ("my.bucket", "mirror/mirrors/acme.corp")
    assert bucket_of("s3://bucket/a%20b") == ("bucket", "a b")


def test_the_environment_says_where_and_who():
    assert S3Access.of({}) == S3Access()
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
    both = {"AWS_ENDPOINT_URL": "https://a.example", "AWS_ENDPOINT_URL_S3": "https://b.example/", "AWS_REGION": REGION}
    assert S3Access.of(keys | both) == S3Access("https://b.example", REGION, "id", "secret", "token")
    assert S3Access.of(keys | both, anonymous=True) == S3Access("https://b.example", REGION)
    assert S3Access.of({"AWS_DEFAULT_REGION": "eu-west-1"}).url == "https://s3.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_ENDPOINT_URL": "a.example"},
        {"AWS_ENDPOINT_URL": "https://user:pass@a.example"},
        {"AWS_REGION": "eu/west"},
        {"AWS_ACCESS_KEY_ID": "id"},
        {"AWS_SECRET_ACCESS_KEY": "hush"},
    ],
)
def test_an_environment_that_cannot_be_used_is_refused_and_no_secret_is_shown(environ):
    with pytest.raises(ValueError, match="AWS_") as refusal:
        S3Access.of(environ)
    assert "pass" not in str(refusal.value)
    assert "hush" not in str(refusal.value)


# ---- a server that answers as it likes


@pytest.fixture
def plain(tmp_path):
    """Serve a folder whose first level are buckets, without looking at who asks."""
    (tmp_path / "bucket" / "reg").mkdir(parents=True)
    (tmp_path / "bucket" / "reg" / "a.json").write_bytes(b"a" * 100)
    with Loopback(tmp_path) as server:
        yield server


def asking(server, key_id="", patience=QUICK):
    access = S3Access(server.url, REGION, key_id, "hush" if key_id else "", "token" if key_id else "")
    return S3Transport("s3://bucket/reg", access, patience=patience)


def test_without_keys_nothing_is_signed_and_with_them_no_secret_is_sent(plain):
    assert asking(plain).get("a.json", 100) == b"a" * 100
    assert asking(plain, "key").get("a.json", 100) == b"a" * 100
    (path, unsigned), (_, signed) = plain.asked
    assert path == "bucket/reg/a.json"
    assert not [name for name in unsigned if "amz-security" in name or name == "authorization"]
    assert signed["authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")
    assert "hush" not in str(signed)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("401", Unauthorized),
        ("403", Forbidden),
        ("404", NotFound),
        ("429", Unavailable),
        ("500", Unavailable),
        ("truncated", Truncated),
        ("no-length", Unavailable),
    ],
)
def test_a_misbehaving_server_is_told_by_kind_and_never_believed(plain, fault, kind):
    plain.fault = fault
    with pytest.raises(kind):
        asking(plain).get("a.json", 100)


def test_a_server_that_drips_is_given_up(plain):
    plain.fault = "drip"
    hasty = replace(QUICK, grace_seconds=0.1)
    with pytest.raises(Unavailable, match="slower than"):
        asking(plain, patience=hasty).get("a.json", 1000)


def test_a_flaky_server_is_asked_again(plain):
    plain.fault = "flaky"
    assert asking(plain, patience=patient(attempts=3)).get("a.json", 100) == b"a" * 100


def test_a_redirect_to_another_server_takes_no_signature_along(plain, tmp_path):
    with Loopback(tmp_path) as other:
        plain.fault, plain.redirect_to = "redirect", other.url
        with contextlib.suppress(TransportError):
            asking(plain, "key").get("a.json", 100)
        assert all("authorization" not in headers for _, headers in other.asked)
