"""Which registries a person or a project has configured: from `config.toml`, `mmpm.toml` and `~/.gtconfig.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from mmpm.errors import ConfigSyntaxError, printable
from mmpm.project.placing import refused
from mmpm.project.small_file import read_small_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_PRIORITY = 100
AUTH_KINDS = ("none", "token", "netrc")


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    """One registry as configured; what is trusted of it lies elsewhere.

    Attributes:
        id: the registry id, a host name (`host_port` where it has a port).
        urls: alternates in the order in which they are tried; URLs or absolute folders; may be empty (never online).
        name: what people call it; the id where none was given.
        priority: lower is asked first; equal ones go by id.
        scopes: scopes such as `@acme` that belong to this registry outright; sorted.
        root: sha256 hex of the root key's canonical signed part (the fingerprint) as the person configured it, or
            `None` where only the pinned state knows it.
        auth: `none`, `token` or `netrc`; the person's alone, as `ca_file` is.
        ca_file: certificates for this registry alone.
        origin: the file that names it.
        from_project: those of urls and name that only a project's `mmpm.toml` states. A clone may name any address
            and any registry, so that no credential goes there for that (`mmpm.registry.credentials`).
        project_root: the fingerprint that a project's `mmpm.toml` states where the person configured none or another;
            it is believed for that project alone (`mmpm.registry.state`).
    """

    id: str
    urls: tuple[str, ...] = ()
    name: str = ""
    priority: int = DEFAULT_PRIORITY
    scopes: tuple[str, ...] = ()
    root: str | None = None
    auth: str = "none"
    ca_file: str | None = None
    origin: str = ""
    from_project: frozenset[str] = frozenset()
    project_root: str | None = None

    @property
    def own_urls(self) -> tuple[str, ...]:
        """Those of urls that the person's own files or command line give."""
        return tuple(url for url in self.urls if url not in self.from_project)

    @property
    def label(self) -> str:
        """The name to print."""
        return self.name or self.id

    def to_toml(self) -> dict[str, object]:
        """Give the keys of its `[[registries]]` entry, defaults left out."""
        entry: dict[str, object] = {"id": self.id}
        if self.name and self.name != self.id:
            entry["name"] = self.name
        if self.urls:
            entry["urls"] = list(self.urls)
        if self.priority != DEFAULT_PRIORITY:
            entry["priority"] = self.priority
        if self.scopes:
            entry["scopes"] = list(self.scopes)
        if self.root is not None:
            entry["root"] = self.root
        if self.auth != "none":
            entry["auth"] = self.auth
        if self.ca_file is not None:
            entry["ca_file"] = self.ca_file
        return entry


def registries_from_toml(document: Mapping[str, object], origin: str) -> tuple[RegistryConfig, ...]:
    """Read `[[registries]]` of a parsed `config.toml` or `mmpm.toml`, in the order of the file.

    Raises:
        BadSettingError: an entry is not well formed, or two entries share an id.
    """
    entries = document.get("registries", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise refused("registries", origin, "expected tables, each [[registries]]")
    found: dict[str, RegistryConfig] = {}
    for position, entry in enumerate(cast("Sequence[Mapping[str, object]]", entries)):
        registry = _from_entry(entry, f"registries[{position}]", origin)
        if registry.id in found:
            raise refused(f"registries[{position}].id", origin, f"{registry.id} is named twice")
        found[registry.id] = registry
    return tuple(found.values())


def registries_from_gtconfig(path: str) -> tuple[RegistryConfig, ...]:
    """Read the registries list of Gas Town's `~/.gtconfig.yaml` (name, url, auth, priority); the rest is not ours.

    Raises:
        BadSettingError: the list is not well formed.
        ConfigSyntaxError: the file is not YAML, with line and column.
    """
    import yaml

    try:
        document = yaml.safe_load(read_small_file(path) or b"")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ConfigSyntaxError(path, f"is not YAML: {printable(str(error.problem))}{where}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigSyntaxError(path, "is not YAML") from error
    entries = (document.get("registries") or []) if isinstance(document, dict) else []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise refused("registries", path, "expected a list of name, url, auth, priority")
    found: list[RegistryConfig] = []
    for position, entry in enumerate(entries):
        url = entry.get("url")
        if not isinstance(url, str):
            raise refused(f"registries[{position}].url", path, "expected a URL")
        known = {key: entry[key] for key in ("name", "auth", "priority") if key in entry}
        key_path = f"registries[{position}]"
        known |= {"urls": [url.rstrip("/")], "id": _id_of_url(url, key_path, path)}
        found.append(_from_entry(known, key_path, path))
    return tuple(found)


def recognise(entries: Sequence[RegistryConfig], configured: Sequence[RegistryConfig]) -> tuple[RegistryConfig, ...]:
    """Give each entry of a list that has no ids the id of the configured registry that it means.

    That is the one with its address, else the one with the id that its address suggests, else the one with its name.
    An entry that means none of them keeps the id that its address suggests.
    """
    return tuple(replace(entry, id=_meant(entry, configured) or entry.id) for entry in entries)


def _meant(entry: RegistryConfig, configured: Sequence[RegistryConfig]) -> str | None:
    urls = set(entry.urls)
    for one in configured:
        if any(url.rstrip("/") in urls for url in one.urls):
            return one.id
    if any(one.id == entry.id for one in configured):
        return entry.id
    return next((one.id for one in configured if entry.name and entry.name in {one.id, one.name}), None)


def merge_registries(*origins: Sequence[RegistryConfig]) -> tuple[RegistryConfig, ...]:
    """Join lists, strongest first, by id; give them in the order in which they are asked.

    An earlier list decides every field that it states (a field at its default states nothing).
    """
    merged: dict[str, RegistryConfig] = {}
    for registries in origins:
        for registry in registries:
            strong = merged.get(registry.id)
            merged[registry.id] = registry if strong is None else _overlay(strong, registry)
    return tuple(sorted(merged.values(), key=lambda registry: (registry.priority, registry.id)))


def scope_owner(registries: Sequence[RegistryConfig], name: str) -> RegistryConfig | None:
    """Give the registry that a name's scope is bound to: the first that is configured for it; None for any."""
    scope = name.partition("/")[0]
    return next((one for one in registries if scope in one.scopes), None)


def with_project(own: Sequence[RegistryConfig], stated: Sequence[RegistryConfig]) -> tuple[RegistryConfig, ...]:
    """Join what a person configured with what a project's manifest states, in the order in which they are asked.

    A clone may state anything. So what it says of trust stays apart from what the person says, and how a registry is
    met (credentials, certificates) is the person's alone.
    """
    persons = {one.id: one for one in own}
    roots = {one.id: one.root for one in stated}
    return tuple(
        _bounded(one, persons.get(one.id, RegistryConfig(one.id)), roots.get(one.id))
        for one in merge_registries(stated, own)
    )


def _bounded(merged: RegistryConfig, own: RegistryConfig, root: str | None) -> RegistryConfig:
    return replace(
        merged,
        root=own.root,
        project_root=root if root != own.root else None,
        auth=own.auth,
        ca_file=own.ca_file,
        from_project=frozenset({*merged.urls, merged.name} - {*own.urls, own.name, ""}),
    )


def _overlay(strong: RegistryConfig, weak: RegistryConfig) -> RegistryConfig:
    return replace(
        strong,
        urls=strong.urls or weak.urls,
        name=strong.name or weak.name,
        priority=weak.priority if strong.priority == DEFAULT_PRIORITY else strong.priority,
        scopes=strong.scopes or weak.scopes,
        root=strong.root or weak.root,
        auth=weak.auth if strong.auth == "none" else strong.auth,
        ca_file=strong.ca_file or weak.ca_file,
    )


def _from_entry(entry: Mapping[str, object], key: str, origin: str) -> RegistryConfig:
    """Check one entry by hand; unknown keys are a newer mmpm's business."""

    def text(name: str) -> str | None:
        value = entry.get(name)
        if value is not None and (not isinstance(value, str) or not value or not value.isprintable()):
            raise refused(f"{key}.{name}", origin, "expected a text")
        return value

    def texts(name: str) -> tuple[str, ...]:
        value = entry.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one.isprintable() for one in value):
            raise refused(f"{key}.{name}", origin, "expected a list of texts")
        return tuple(value)

    from mmpm.model.names import RegistryId

    try:
        identity = str(RegistryId.parse(text("id") or ""))
    except ValueError as error:
        raise refused(f"{key}.id", origin, str(error)) from error
    priority = entry.get("priority", DEFAULT_PRIORITY)
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= 10**6:
        raise refused(f"{key}.priority", origin, "expected a whole number, lower is asked first")
    auth = text("auth") or "none"
    if auth not in AUTH_KINDS:
        raise refused(f"{key}.auth", origin, f"expected one of {', '.join(AUTH_KINDS)}")
    root = text("root")
    if root is not None:
        root = root.removeprefix("sha256:").lower()
        if len(root) != 64 or set(root) - set("0123456789abcdef"):
            raise refused(f"{key}.root", origin, "expected the 64 digits of a root fingerprint")
    scopes = texts("scopes")
    if not all(scope.startswith("@") for scope in scopes):
        raise refused(f"{key}.scopes", origin, "expected scopes such as @acme")
    url = text("url")
    return RegistryConfig(
        id=identity,
        urls=((url,) if url else ()) + texts("urls"),
        name=text("name") or "",
        priority=priority,
        scopes=tuple(sorted(set(scopes))),
        root=root,
        auth=auth,
        ca_file=text("ca_file"),
        origin=origin,
    )


def _id_of_url(url: str, key: str, origin: str) -> str:
    """Give the registry id that a URL stands for where nothing better is said: its host, `_port` behind it."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise refused(f"{key}.url", origin, "expected a URL") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise refused(f"{key}.url", origin, "expected an http or https URL")
    return parts.hostname if port is None else f"{parts.hostname}_{port}"
