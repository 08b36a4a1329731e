"""A terminal for each test, and registries that it knows."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from signed_tree import START, SignedTree
from terminal import Terminal
from world import formula_text

from mmpm.receipt import Installed, InstalledFile, Receipt, format_receipt
from mmpm_store.ids import ObjectId


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path)


@pytest.fixture
def formulas_folder(terminal):
    """The formulas folder of a project in the working folder, with nothing in it yet."""
    folder = terminal.cwd / ".beads" / "formulas"
    folder.mkdir(parents=True)
    (terminal.cwd / "mmpm.toml").touch()
    return folder


@pytest.fixture
def receive(formulas_folder):
    """Gives a function that writes a receipt: a flat formula lies in the folder because a release brought it."""

    def write(name, version, text):
        entry = Installed(
            name=name,
            version=version,
            pinned=False,
            checksum="sha256:" + "0" * 64,
            installed_at="2026-01-10T00:00:00Z",
            source=f"hop://molmall.example/formulas/{name}@{version}",
            tree="blake3:" + "0" * 64,
            files=(InstalledFile(f"{name}.formula.toml", str(ObjectId.of(text.encode())), executable=False),),
        )
        path = formulas_folder / ".lock.json"
        path.write_bytes(format_receipt(Receipt((entry,))))
        return path

    return write


@pytest.fixture
def registry(terminal):
    """A registry in a folder, its root key pinned by configuration."""
    tree = SignedTree(terminal.folder / "registry", "molmall.example")
    (terminal.home / ".config" / "mmpm").mkdir(parents=True)
    (terminal.home / ".config" / "mmpm" / "config.toml").write_text(
        f'[[registries]]\nid = "{tree.id}"\nurls = ["{tree.folder}"]\nroot = "{tree.fingerprint}"\n'
    )
    terminal.now = START + timedelta(hours=1)
    return tree


@pytest.fixture
def mall(terminal):
    """A project in the working folder and a registry that is added; gives a function that publishes releases."""
    made = terminal.run("registry", "init", "../reg", "--id", "molmall.example", "--no-passphrase", "--yes")
    assert terminal.run("init").status == 0
    fingerprint = re.search(r"[0-9a-f]{64}", made.out)[0]
    assert terminal.run("registry", "add", "../reg", "--root", fingerprint).status == 0

    def publish(*releases):
        lines = []
        for name, version, *requires in releases:
            path = terminal.folder / f"{name}-{version}.formula.toml"
            path.write_text(formula_text(name, version, dict(one.split("@") for one in requires)))
            line = {"name": name, "version": version, "path": str(path), "changelog": f"- What {version} brings"}
            lines.append(json.dumps(line) + "\n")
        batch = terminal.folder / "batch.jsonl"
        batch.write_text("".join(lines))
        assert terminal.run("publish", "--batch", str(batch), "--to", "../reg", "--yes").status == 0

    publish(("mol-a", "1.0.0"), ("mol-a", "1.1.0"), ("mol-b", "1.0.0", "mol-a@^1"), ("mol-b", "2.0.0-rc.1"))
    return publish
