"""A client of plain TUF, python-tuf's own updater, reads a registry as well, and follows its roots."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from registry_tree import formula
from rotating import RotatingRegistry
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from mmpm.registry import layout
from mmpm.trust.facts import ROLES


class FolderFetcher(FetcherInterface):
    """Fetches from a folder."""

    def _fetch(self, url):
        path = Path(unquote(urlsplit(url).path))
        if not path.is_file():
            raise DownloadHTTPError("there is no such file", 404)
        yield path.read_bytes()


@pytest.fixture
def registry(tmp_path):
    made = RotatingRegistry(
        tmp_path / "origin", datetime.now(UTC).replace(microsecond=0)
    )  # that client looks at the clock
    made.publish(formula("mol-a"))
    return made


def update(registry, folder):
    first = Path(registry.root, layout.role_file("root", 1)).read_bytes()
    where = f"file://{registry.root}/"
    updater = Updater(str(folder), f"{where}metadata/", str(folder), where, FolderFetcher(), bootstrap=first)
    updater.refresh()
    return updater


def test_a_plain_client_follows_every_rotation(registry, tmp_path):
    folder = tmp_path / "client"
    folder.mkdir()
    for number, roles in enumerate([("timestamp",), ("root", "targets"), ROLES]):
        registry.rotate(*roles)
        registry.publish(formula(f"mol-{number}"))
        updater = update(registry, folder)
        found = updater.get_targetinfo(layout.index_target(f"mol-{number}"))
        assert found is not None
        assert Path(updater.download_target(found)).is_file()
        assert updater.get_targetinfo(layout.index_target("mol-none")) is None
