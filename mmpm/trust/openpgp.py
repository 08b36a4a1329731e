"""OpenPGP signatures of releases, verified by Sequoia: the only importer of `pysequoia`, the extra ``openpgp``.

Rule: where the library is not installed nothing is taken for verified and nothing for forged; it is said.
See `docs/decisions/0011-openpgp-by-a-library.md`.
"""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from mmpm.errors import printable
from mmpm.trust.key_ids import OPENPGP, kind_of
from mmpm.trust.publishers import MAX_CERTIFICATE
from mmpm.trust.signatures import BAD, GOOD, UNCHECKED, Checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pysequoia import Cert, Sig

MISSING: Final = "OpenPGP signatures need the extra `openpgp` (pip install 'molmall[openpgp]')"
_TOLERANCE: Final = timedelta(minutes=30)


def is_available() -> bool:
    """Whether the library is installed."""
    return importlib.util.find_spec("pysequoia") is not None


def check(data: bytes, key_id: str, signature: bytes, certificate: str, now: datetime | None) -> Checked:
    """Check a detached signature over `data`.

    Args:
        data: what must be signed.
        key_id: the certificate's fingerprint.
        signature: armored or binary, bounded by the caller.
        certificate: armored.
        now: the machine's time, to tell a forged signature from a clock that stands before it was made.
    """
    if not is_available():
        return Checked(key_id, UNCHECKED, MISSING)
    from pysequoia import verify

    try:
        with _plain_errors():
            cert = _certificate(certificate)
            if cert.fingerprint != key_id:
                return Checked(key_id, UNCHECKED, "the certificate that is listed for it has another fingerprint")
            if cert.is_revoked:
                return Checked(key_id, UNCHECKED, "its certificate says itself that it is revoked")
    except ValueError as error:
        return Checked(key_id, UNCHECKED, f"its certificate cannot be used: {error}")
    created = None
    try:
        with _plain_errors():
            parsed = _signature(signature)
            created = parsed.created
            found = verify(bytes=data, store=lambda _ids: [cert], signature=parsed).valid_sigs
            if any(one.certificate == key_id for one in found):
                return Checked(key_id, GOOD)
    except ValueError as error:
        if created is not None and now is not None and created > now + _TOLERANCE:
            return Checked(key_id, UNCHECKED, "it was made later than this machine's clock says it is")
        return Checked(key_id, BAD, f"OpenPGP: {error}")
    return Checked(key_id, BAD, "OpenPGP: it is not that key's signature")


def read_certificate(data: bytes) -> tuple[str, str]:
    """Give fingerprint and armored text of a certificate's public part, whatever else the file holds of it.

    Raises:
        ValueError: the library is missing, or this is no certificate that it can use.
    """
    if not is_available():
        raise ValueError(MISSING)
    if len(data) > MAX_CERTIFICATE:
        raise ValueError(f"a certificate has at most {MAX_CERTIFICATE} bytes")
    with _plain_errors():
        cert = _certificate(data.decode("ascii", "replace")) if data.startswith(b"-----") else _certificate_of(data)
        fingerprint, text = cert.fingerprint, str(cert)
    if "PRIVATE KEY" in text:
        raise ValueError("this is a secret key; export the public part with `gpg --armor --export KEY`")
    if kind_of(fingerprint) != OPENPGP:
        raise ValueError("only certificates of OpenPGP version 4 are known here")
    return fingerprint, text


def _certificate(text: str) -> Cert:
    return _certificate_of(text.encode("ascii", "replace"))


def _certificate_of(data: bytes) -> Cert:
    from pysequoia import Cert

    return Cert.from_bytes(data)


def _signature(data: bytes) -> Sig:
    from pysequoia import Sig

    return Sig.from_bytes(data)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what the library raises into a `ValueError` of one sentence; its texts end in a backtrace."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    except BaseException as error:
        # A panic of the library's Rust code over hostile input is no `Exception`; it is a refusal like any other.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        lines = str(error).splitlines()
        raise ValueError(printable(lines[0] if lines else "it cannot be read", 200)) from None
