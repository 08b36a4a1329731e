"""The addresses of registries: which are asked over a network, which lie on a disk, which belong to a mirror.

Rule: an address is text that a person typed or a file states; what kind it is, is decided here and nowhere else.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from mmpm.errors import printable

_HTTP = ("http://", "https://")
_S3 = "s3://"
_FILE = "file://"


def is_http(url: str) -> bool:
    """Whether an address is that of a web server."""
    return url.startswith(_HTTP)


def is_s3(url: str) -> bool:
    """Whether an address is ``s3://bucket/prefix``."""
    return url.startswith(_S3)


def is_remote(url: str) -> bool:
    """Whether an address is asked over a network, as opposed to a folder."""
    return is_http(url) or is_s3(url)


def is_url(where: str) -> bool:
    """Whether `where` is an address as it stands; anything else is the path of a folder."""
    return is_remote(where) or where.startswith(_FILE)


def is_mirror(url: str) -> bool:
    """Whether an address is that of a registry in a mirror: a copy, behind a gap and perhaps partial."""
    return "/mirrors/" in url


def folder_of(where: str) -> str:
    """Give the folder that an address without a network names: a path, or a ``file://`` URL, percent-encoded.

    Raises:
        ValueError: the URL names another machine, or no path.
    """
    if not where.startswith(_FILE):
        return where
    parts = urlsplit(where)
    path = unquote(parts.path)
    if parts.netloc not in {"", "localhost"}:
        raise ValueError(f"{printable(where, 80)!r} names a file on another machine: write file:///PATH")
    if not path.startswith("/") or "\0" in path or parts.query or parts.fragment:
        raise ValueError(f"{printable(where, 80)!r} names no folder: write file:///PATH, with %20 for a blank")
    return path


def join(where: str, *parts: str) -> str:
    """Give the address of what lies below `where`."""
    return "/".join((where.rstrip("/"), *parts))
