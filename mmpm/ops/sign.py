"""`sign`: a publisher's signature for a release that is published already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmpm.errors import NotPublishedError, UsageError
from mmpm.ops.publish import Destination, exact_reference, find_destination, find_release
from mmpm.plan import Plan, SignRelease
from mmpm.registry.person_keys import find_person_key
from mmpm.trust.signatures import MAX_SIGNATURE, signed_bytes

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.model.release import Release


@dataclass(frozen=True, slots=True)
class SignRequest:
    """What is to be signed, and with what: exactly one of `signer` and `openpgp`.

    Attributes:
        reference: NAME@VERSION.
        signer: a person's key.
        openpgp: file of an armored signature.
        certificate: file of its OpenPGP certificate, where the registry's publishers do not have it.
        passphrase_file, signer_passphrase_file: of the registry's keys and of the person's.
    """

    reference: str
    signer: str = ""
    openpgp: str | None = None
    certificate: str | None = None
    passphrase_file: str | None = None
    signer_passphrase_file: str | None = None


@dataclass(frozen=True, slots=True)
class SignPlan:
    """The plan, empty where that key has signed the release already, and what it is about."""

    plan: Plan
    destination: Destination
    release: Release


def plan_sign(context: Context, folder: str, request: SignRequest) -> SignPlan:
    """Plan to add a signature.

    Raises:
        UsageError: not one of the two ways, or a file cannot be read.
        KeyUnknownError: there is no such key.
        NotPublishedError: there is no such release, or its bytes were taken down.
    """
    if bool(request.signer) == (request.openpgp is not None):
        raise UsageError("say with what to sign", "give --key NAME, or --openpgp FILE with an armored signature")
    destination, release = find_signable(context, folder, request.reference)
    public = find_person_key(context.places.keys, request.signer).public if request.signer else None
    if public is not None and public.key_id in dict(release.signatures):
        return SignPlan(Plan(), destination, release)
    action = SignRelease(
        destination.folder,
        destination.registry,
        destination.key_folder,
        request.passphrase_file,
        str(release.name),
        str(release.version),
        request.signer,
        request.signer_passphrase_file,
        b"" if request.openpgp is None else _read(request.openpgp, MAX_SIGNATURE),
        None if request.certificate is None else read_certificate_file(request.certificate),
    )
    return SignPlan(Plan((action,)), destination, release)


def find_signable(context: Context, folder: str, reference: str) -> tuple[Destination, Release]:
    """Find the release that is to be signed.

    Raises:
        UsageError: the reference names no exact version.
        NotPublishedError: there is no such release, or its bytes were taken down.
    """
    destination = find_destination(context, folder)
    release = find_release(destination, *exact_reference(reference))
    if release.tombstone:
        raise NotPublishedError(str(release.name), str(release.version))
    return destination, release


def statement(release: Release) -> bytes:
    """Give what a signature of `release` is made over, for tools that sign themselves."""
    return signed_bytes(release)


def read_certificate_file(path: str) -> tuple[str, str]:
    """Give fingerprint and armored text of an OpenPGP certificate.

    Raises:
        UsageError: the file holds none that can be used, or the library for them is missing.
    """
    from mmpm.trust.openpgp import read_certificate
    from mmpm.trust.publishers import MAX_CERTIFICATE

    try:
        return read_certificate(_read(path, MAX_CERTIFICATE))
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _read(path: str, limit: int) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > limit:
        raise UsageError(f"{path} is longer than {limit} bytes")
    return data
