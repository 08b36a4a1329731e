"""The whole corpus through the command: every formula version in one batch, every bundle version in another."""

from __future__ import annotations

import json

import pytest
from corpus import formula_batch
from terminal import Terminal

from mmpm.model.names import FormulaName
from mmpm.registry import layout
from mmpm.registry.key_folder import load_root
from mmpm.registry.published import PublishedTree
from mmpm_store.ids import ObjectId

pytestmark = pytest.mark.corpus


@pytest.fixture
def publisher(tmp_path):
    return Terminal(tmp_path)


def publish(publisher, host, batch):
    """Publish a batch into a new registry and give its verified tree."""
    (publisher.cwd / "batch.jsonl").write_text(batch)
    assert publisher.run("registry", "init", "reg", "--id", host, "--no-passphrase").status == 0
    seen = publisher.run("publish", "--batch", "batch.jsonl", "--to", "reg", "--yes", "--json")
    assert seen.status == 0, seen.both
    assert json.loads(seen.out)["serial"] == 2
    keys = publisher.home / ".local/share/mmpm/keys" / host
    return PublishedTree.load(str(publisher.cwd / "reg"), load_root(str(keys), host))


def releases_of(tree):
    """Every release in the tree's indexes, with its document."""
    for role in layout.bin_roles():
        for target in tree.bin_targets(role):
            name = layout.name_of_index(target)
            if name is not None:
                index = tree.index(FormulaName.parse(name))
                for release in index.releases():
                    yield release, tree.document(release)


def test_all_formula_versions_are_published_in_one_batch(publisher, corpus):
    tree = publish(publisher, "formulas.example", formula_batch(corpus))
    found = {}
    for release, document in releases_of(tree):
        download = publisher.cwd / "reg" / layout.download_alias(str(release.name), str(release.version))
        found[str(release.name), str(release.version)] = download.read_bytes()
        assert release.kind == "formula"
        assert release.published_at == document.published_at
    assert found == {
        (line["name"], line["version"]): (corpus.folder / str(line["path"])).read_bytes() for line in corpus.formulas
    }
    assert len(found) == 467


def test_all_bundle_versions_are_published_in_one_batch(publisher, corpus, tmp_path):
    unpacked = corpus.unpack_bundles(tmp_path / "bundles")
    lines = []
    for name, version in corpus.bundle_versions:
        folder = next((unpacked / name / version).iterdir())
        lines.append(json.dumps({"name": name, "version": version, "path": str(folder)}) + "\n")
    tree = publish(publisher, "bundles.example", "".join(lines))
    found = {
        (str(release.name), str(release.version), entry.path, entry.executable, entry.size, entry.id)
        for release, document in releases_of(tree)
        for entry in document.tree.entries
    }
    assert len({one[:2] for one in found}) == 196
    assert found == {
        (
            line["bundle"],
            line["version"],
            line["path"],
            int(str(line["mode"]), 8) & 0o100 != 0,
            line["size"],
            ObjectId.of((next((unpacked / line["bundle"] / line["version"]).iterdir()) / line["path"]).read_bytes()),
        )
        for line in corpus.bundle_files
    }
