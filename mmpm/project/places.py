"""Where mmpm keeps things on a person's machine, as values made from an environment mapping.

Rule: nothing here reads `os.environ` or touches a disk; the edge passes the environment in.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from mmpm.errors import NoHomeError

if TYPE_CHECKING:
    from collections.abc import Mapping


SYSTEM = "/etc/mmpm"


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths of one person's folders; none needs to exist.

    Attributes:
        home: `$HOME`, root of the user tier.
        config: `$XDG_CONFIG_HOME/mmpm`, holds `config.toml`.
        data: `$XDG_DATA_HOME/mmpm`, holds the store and `keys/`.
        state: `$XDG_STATE_HOME/mmpm`, holds `trust/`, `journals/`, `installs/` and `catalogs/`.
        store: `$MMPM_STORE`, else `data`/store.
        town: `$GT_ROOT`, `$GT_HOME`, else `~/gt`: root of the town tier where it is a folder.
        system: folders of the whole machine, the one that decides first: `mmpm` in each of `$XDG_CONFIG_DIRS`, and
            `/etc/mmpm` whatever the environment says.
    """

    home: str
    config: str
    data: str
    state: str
    store: str
    town: str
    system: tuple[str, ...] = (SYSTEM,)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the XDG variables, `HOME`, `MMPM_STORE`, `GT_ROOT` and `GT_HOME`.

        Relative XDG paths are ignored, as the XDG base directory specification asks.

        Raises:
            NoHomeError: `HOME` is missing or relative.
        """
        home = environ.get("HOME", "")
        if not os.path.isabs(home):
            raise NoHomeError(home)
        home = os.path.normpath(home)

        def folder(variable: str, *fallback: str) -> str:
            given = environ.get(variable, "")
            base = os.path.normpath(given) if os.path.isabs(given) else os.path.join(home, *fallback)
            return os.path.join(base, "mmpm")

        data = folder("XDG_DATA_HOME", ".local", "share")
        store = environ.get("MMPM_STORE", "")
        town = environ.get("GT_ROOT") or environ.get("GT_HOME") or os.path.join(home, "gt")
        return cls(
            home=home,
            config=folder("XDG_CONFIG_HOME", ".config"),
            data=data,
            state=folder("XDG_STATE_HOME", ".local", "state"),
            store=os.path.abspath(expand_home(store, home)) if store else os.path.join(data, "store"),
            town=os.path.abspath(expand_home(town, home)),
            system=tuple(dict.fromkeys([*(f"{one}/mmpm" for one in _config_dirs(environ)), SYSTEM])),
        )

    @property
    def config_file(self) -> str:
        """The person's `config.toml`."""
        return os.path.join(self.config, "config.toml")

    @property
    def system_config_files(self) -> tuple[str, ...]:
        """The `config.toml` of the whole machine, the one that decides first."""
        return tuple(f"{folder}/config.toml" for folder in self.system)

    @property
    def policies(self) -> tuple[str, ...]:
        """Folders of pinned policies: of the whole machine, then the person's own. Each of them holds."""
        return (*(f"{folder}/policy" for folder in self.system), os.path.join(self.state, "policy"))

    @property
    def gtconfig_file(self) -> str:
        """Gas Town's own settings, of which the registries list is read."""
        return os.path.join(self.home, ".gtconfig.yaml")

    @property
    def keys(self) -> str:
        """Private keys, one folder a registry id."""
        return os.path.join(self.data, "keys")

    @property
    def trust(self) -> str:
        """Pinned roots and what was last believed, one folder a registry id."""
        return os.path.join(self.state, "trust")


def _config_dirs(environ: Mapping[str, str]) -> list[str]:
    """Give `$XDG_CONFIG_DIRS`; relative paths are ignored, as the specification asks."""
    return [os.path.normpath(one) for one in environ.get("XDG_CONFIG_DIRS", "").split(":") if os.path.isabs(one)]


def expand_home(path: str, home: str) -> str:
    """Give `path` with a leading `~` replaced by `home`; `~other` stays as it is."""
    if path == "~":
        return home
    return os.path.join(home, path[2:]) if path.startswith("~/") else path
