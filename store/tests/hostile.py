"""Writes tar archives, right and wrong ones, header by header."""

from __future__ import annotations

BLOCK = 512
END = bytes(2 * BLOCK)


def header(  # noqa: PLR0917
    name: bytes = b"f",
    size: bytes | int = 0,
    kind: bytes = b"0",
    mode: bytes = b"0000644\0",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    checksum: bytes | None = None,
    link: bytes = b"",
) -> bytes:
    size_field = b"%011o\0" % size if isinstance(size, int) else size
    block = b"".join(
        (
            name.ljust(100, b"\0")[:100], mode, b"0000000\0", b"0000000\0", size_field.ljust(12, b"\0"), b"0" * 11 + b"\0", b" " * 8, kind,
            link.ljust(100, b"\0"), magic, bytes(64), bytes(16), prefix.ljust(155, b"\0"), bytes(12),
        ),
    )  # fmt: skip
    assert len(block) == BLOCK
    return block[:148] + (b"%06o\0 " % sum(block) if checksum is None else checksum) + block[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def file(name: bytes = b"f", data: bytes = b"x", **more: object) -> bytes:
    return header(name, len(data), **more) + padded(data)  # type: ignore[arg-type]


def pax(records: dict[str, str] | bytes, kind: bytes = b"x") -> bytes:
    if isinstance(records, bytes):
        data = records
    else:
        data = b""
        for key, value in records.items():
            rest = f" {key}={value}\n".encode()
            length = len(rest) + 1
            while len(str(length)) + len(rest) != length:
                length = len(str(length)) + len(rest)
            data += str(length).encode() + rest
    return header(b"PaxHeaders/x", len(data), kind) + padded(data)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    return header(b"././@LongLink", len(name) + 1, kind, magic=b"ustar  \0") + padded(name + b"\0")
