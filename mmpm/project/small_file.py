"""Reading the small files of a person: never more of one than any of them needs."""

from __future__ import annotations

from mmpm.errors import ConfigSyntaxError

MAX_CONFIG_BYTES = 1 << 20


def read_small_file(path: str) -> bytes | None:
    """Give the bytes of a file of at most `MAX_CONFIG_BYTES`; None where there is none.

    Raises:
        ConfigSyntaxError: it cannot be read, or is larger.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigSyntaxError(path, f"cannot be read: {error.strerror}") from error
    check_size(data, path)
    return data


def check_size(data: bytes, path: str) -> None:
    """Refuse more bytes than a file of a person has.

    Raises:
        ConfigSyntaxError: `data`, which is what was read of `path`, is larger than that.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigSyntaxError(path, f"is larger than {MAX_CONFIG_BYTES} bytes")
