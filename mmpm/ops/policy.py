"""Policies as queries and plans: `policy show`, `sign`, `pin`, `unpin`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from mmpm.errors import BadSettingError, PolicyNotPinnedError, PolicyRefusedError, RegistryUnreachableError, UsageError
from mmpm.execute.policing import checked, read_at
from mmpm.plan import Plan
from mmpm.plan.policies import PinPolicy, SignPolicy, UnpinPolicy
from mmpm.project.config import parse_toml
from mmpm.project.policies import own_path
from mmpm.project.settings import SETTINGS, parse_setting, show_setting
from mmpm.registry.address import folder_of, is_remote, is_url
from mmpm.trust.facts import format_time
from mmpm.trust.policy import RULES, Stated
from mmpm.trust.signed_policy import MAX_BYTES, SignedPolicy, is_key

if TYPE_CHECKING:
    from mmpm.execute.context import Context
    from mmpm.project.policies import Pinned


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds here.

    Attributes:
        in_force: the rules that decide, each with who stated it.
        others: what was stated beside, and is not stricter.
        pinned: signed policies.
    """

    in_force: tuple[Stated, ...]
    others: tuple[Stated, ...]
    pinned: tuple[Pinned, ...]


@dataclass(frozen=True, slots=True)
class SignRequest:
    """What is to be signed.

    Attributes:
        path: a TOML file (``id``, ``serial``, ``[policy]``), or a signed policy that gets one more signature.
        key: name of a person's key.
        successor: the key that signs the ones after this; empty where it stays the same.
        output: absolute path.
    """

    path: str
    key: str
    output: str
    passphrase_file: str | None = None
    successor: str = ""


def show_policy(context: Context) -> Rules:
    """Give every rule of this machine and project; defaults where nobody states one."""
    settings = context.settings
    in_force = list(settings.policy.stated)
    stated = [
        Stated(key.partition(".")[2], value, show_setting(SETTINGS[key], value), origin)
        for key, value, origin in settings.stated
    ]
    known = {one.rule for one in in_force}
    for rule in RULES:
        setting = SETTINGS[f"policy.{rule}"]
        if rule not in known and setting.default not in (None, 0, "unverified"):
            text = show_setting(setting, setting.default)
            in_force.append(Stated(rule, cast("int", setting.default), text, "default"))
    others = tuple(one for one in stated if one not in in_force)
    return Rules(tuple(in_force), others, settings.pinned)


def plan_sign_policy(context: Context, request: SignRequest) -> Plan:
    """Plan to sign a policy.

    Raises:
        ConfigSyntaxError, BadSettingError: the file is no policy.
        PolicyRefusedError: it is a signed policy that cannot be read.
    """
    if not os.path.isfile(request.path):
        raise UsageError(f"there is no file {request.path}", "name a policy (TOML), or a signed one to sign it as well")
    data = _read_file(request.path)
    if data.lstrip()[:1] == b"{":
        try:
            policy = SignedPolicy.parse(data)
        except ValueError as error:
            raise PolicyRefusedError(request.path, str(error)) from None
        if request.successor:
            raise UsageError("a signed policy keeps what it says", "give --successor where it is first signed")
    else:
        policy = _from_toml(context, data, request)
    is_same = os.path.realpath(request.output) == os.path.realpath(request.path)
    action = SignPolicy(policy.to_bytes(), request.key, request.passphrase_file, request.output, overwrite=is_same)
    return Plan((action,))


def _from_toml(context: Context, data: bytes, request: SignRequest) -> SignedPolicy:
    document = parse_toml(data, request.path)
    rules = document.get("policy")
    if not isinstance(rules, dict) or not rules:
        raise BadSettingError("policy", request.path, "expected a table [policy] with a rule at least")
    unknown = sorted(set(document) - {"id", "serial", "policy"}) + sorted(
        f"policy.{one}" for one in set(rules) - {*RULES}
    )
    if unknown:
        raise BadSettingError(unknown[0], request.path, f"is not known here; rules are {', '.join(RULES)}")
    identity, serial = document.get("id"), document.get("serial")
    if not isinstance(identity, str) or type(serial) is not int or serial < 1:
        raise BadSettingError("id", request.path, 'expected id = "NAME" and serial = 1, or higher each time')
    for rule, value in rules.items():
        try:
            parse_setting(SETTINGS[f"policy.{rule}"], value)
        except ValueError as error:
            raise BadSettingError(f"policy.{rule}", request.path, str(error)) from None
    plain = {rule: tuple(value) if isinstance(value, list) else value for rule, value in rules.items()}
    successor = _key(request.successor) if request.successor else ""
    try:
        return SignedPolicy(identity, serial, format_time(context.now), plain, successor)
    except ValueError as error:
        raise BadSettingError("id", request.path, str(error)) from None


def plan_pin(context: Context, where: str, key: str) -> tuple[Plan, Pinned]:
    """Plan to pin a policy.

    Args:
        context: where pinned policies are.
        where: absolute path or URL of a signed policy.
        key: ``ed25519:<hex>``: the key that must have signed it.

    Returns:
        The plan, empty where it is pinned already, and what it says.

    Raises:
        PolicyRefusedError: it is not signed with that key, or older than the pinned one.
        RegistryUnreachableError: the URL cannot be had.
        UsageError: the key is none.
    """
    public = _key(key)
    data = _read_url(context, where) if is_url(where) else _read_file(where)
    try:
        policy_id = SignedPolicy.parse(data).id
    except ValueError as error:
        raise PolicyRefusedError(where, str(error)) from None
    path = own_path(context.places, policy_id)
    before = next((one for one in context.settings.pinned if one.path == path), None)
    if before is not None and public != before.key and not (before.document.is_signed_by(public)):
        raise PolicyRefusedError(
            where, f"ed25519:{before.key} is the pinned key, and not ed25519:{public}", before.origin
        )
    found = checked(data, where, before.key if before is not None else public, before)
    if found is None:
        assert before is not None
        return Plan(), before
    found = replace(found, path=path)
    name = f"{policy_id}, serial {found.document.serial}"
    return Plan((PinPolicy(path, found.to_bytes(), name),)), found


def plan_unpin(context: Context, policy_id: str | None) -> tuple[Plan, Pinned]:
    """Plan to take away a policy that the person pinned; the only one where none is named.

    Raises:
        PolicyNotPinnedError: there is none of that name, or several and none was named.
    """
    folder = context.places.policies[-1]
    own = [one for one in context.settings.pinned if os.path.dirname(one.path) == folder]
    found = [one for one in own if policy_id is None or one.document.id == policy_id]
    if len(found) != 1:
        raise PolicyNotPinnedError(policy_id or "", [one.document.id for one in own])
    return Plan((UnpinPolicy(found[0].path, found[0].document.id),)), found[0]


def _key(text: str) -> str:
    key = text.removeprefix("ed25519:")
    if not is_key(key):
        raise UsageError(
            f"{text!r} is no key", "give it as ed25519:<64 hex digits>, as `mmpm keys export NAME` prints it"
        )
    return key


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyRefusedError(path, f"it cannot be read: {error.strerror}") from None


def _read_url(context: Context, url: str) -> bytes:
    if not is_remote(url):
        try:
            return _read_file(folder_of(url))
        except ValueError as error:
            raise PolicyRefusedError(url, str(error)) from None
    root, _, name = url.rpartition("/")
    data = read_at(context, "policy.invalid", root, name, is_project=False)
    if data is None:
        raise RegistryUnreachableError("of the policy", "it cannot be had", url)
    return data
