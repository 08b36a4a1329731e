"""A registry tree in a bucket: ``s3://bucket/prefix``, at the endpoint and with the keys that the environment gives.

    AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL       a server that is not Amazon's; http:// only if it is written so
    AWS_REGION, AWS_DEFAULT_REGION              us-east-1 if neither is set
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN     without them nothing is signed (a public bucket)

Rules: shared configuration files, roles and a cloud's metadata service are not asked: whoever needs them puts their
keys into these variables. A server with an endpoint of its own is asked by path (``/bucket/key``). Whoever may not list
a bucket gets 403 in place of 404 from some servers; that stops, as any 403 does, so allow readers ``ListBucket``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self
from urllib.parse import unquote, urlsplit

from obstore.store import S3Store

from mmpm.errors import printable
from mmpm.registry.address import is_http
from mmpm.registry.remote import Connection, Patience, RemoteTransport, client_options
from mmpm.registry.transport import THREADS, check_request_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from obstore.store import S3Config

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}")
_REGION: Final = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class S3Access:
    """Where buckets are, and who asks.

    Attributes:
        endpoint: URL of a server that is not Amazon's; empty for Amazon's.
        region: of the bucket.
        key_id, secret, token: credentials; all empty for none, and `token` where they are not temporary.
    """

    endpoint: str = ""
    region: str = "us-east-1"
    key_id: str = ""
    secret: str = ""
    token: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str], *, anonymous: bool = False) -> Self:
        """Read it from the environment; without credentials if `anonymous`.

        Raises:
            ValueError: what stands there cannot be used.
        """
        endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        if endpoint:
            parts = urlsplit(endpoint)
            if not is_http(endpoint) or not parts.hostname or parts.username or parts.query or parts.fragment:
                raise ValueError("AWS_ENDPOINT_URL is not a plain http:// or https:// URL")
        if not _REGION.fullmatch(region):
            raise ValueError(f"AWS_REGION is not a region: {printable(region, 80)!r}")
        key_id, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
        if anonymous or not (key_id or secret):
            return cls(endpoint.rstrip("/"), region)
        if not (key_id and secret):
            raise ValueError("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set")
        return cls(endpoint.rstrip("/"), region, key_id, secret, environ.get("AWS_SESSION_TOKEN", ""))

    @property
    def url(self) -> str:
        """The server that is asked."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"


class S3Transport(RemoteTransport):
    """Reads a registry tree below ``s3://bucket/prefix``."""

    forbidden: ClassVar[str] = "answered 403: the keys are not good there, or what is not there may not be listed"

    def __init__(
        self,
        url: str,
        access: S3Access,
        connection: Connection | None = None,
        patience: Patience | None = None,
        *,
        user_agent: str = "mmpm",
        is_online: bool = True,
        threads: int = THREADS,
    ) -> None:
        bucket, prefix = bucket_of(url)
        config: S3Config = {
            "bucket": bucket,
            "region": access.region,
            "virtual_hosted_style_request": not access.endpoint,
            "skip_signature": not access.key_id,
        }
        if access.endpoint:
            config["endpoint"] = access.endpoint
        if access.key_id:
            config["access_key_id"] = access.key_id
            config["secret_access_key"] = access.secret
        if access.token:
            config["session_token"] = access.token
        patience = patience or Patience()
        options = client_options(access.url, connection or Connection(), patience, user_agent, threads)
        store = S3Store(prefix=prefix or None, config=config, client_options=options, retry_config={"max_retries": 0})
        super().__init__(url.rstrip("/"), store, patience, is_online=is_online, threads=threads)


def bucket_of(url: str) -> tuple[str, str]:
    """Give bucket and prefix (without slashes around it, perhaps empty) of ``s3://bucket/prefix``.

    Raises:
        ValueError: it is no such address.
    """
    parts = urlsplit(url)
    prefix = unquote(parts.path).strip("/")
    if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
        raise ValueError(f"not an s3://bucket/prefix address: {printable(url, 80)!r}")
    return parts.netloc, check_request_path(prefix) if prefix else ""
