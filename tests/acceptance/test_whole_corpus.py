"""Every real formula and bundle can be published, and comes back byte for byte."""

from __future__ import annotations

import json

import pytest
from corpus_shop import whole_corpus
from world import read_tree

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def shop(corpus, tmp_path_factory):
    """Two registries: all 467 formula versions in one, all 196 bundle versions in the other, each in one batch."""
    with whole_corpus(corpus, tmp_path_factory.mktemp("shop")) as world:
        yield world


@pytest.fixture
def machine(shop, request):
    """A new machine that knows both registries; formulas come first."""
    made = shop.machine(f"for-{request.node.name}".translate(str.maketrans("[]@/", "----")))
    made.run("init")
    return made


def newest(corpus, name: str, major: int | None = None) -> str:
    """The highest of the corpus's versions, all of which are three plain numbers."""
    versions = [tuple(map(int, str(line["version"]).split("."))) for line in corpus.formulas if line["name"] == name]
    return ".".join(map(str, max(version for version in versions if major is None or version[0] == major)))


def test_467_formula_versions_and_196_bundle_versions_are_there(shop, corpus):
    assert len(corpus.formulas) == 467
    assert len(corpus.bundle_versions) == 196
    for registry, wanted in (
        ("formulas", {(line["name"], line["version"]) for line in corpus.formulas}),
        ("bundles", set(corpus.bundle_versions)),
    ):
        tree = shop.registries[registry].folder / "formulas"
        for name, version in wanted:
            document = json.loads((tree / str(name) / str(version) / "index.json").read_bytes())
            assert (document["name"], document["version"]) == (name, version)


@pytest.mark.parametrize(
    ("requirement", "major"),
    [
        ("mol-polecat-work@4", 4),
        ("mol-polecat-work@4.0.0", None),
        ("mol-polecat-work@latest", None),
        ("@gastown/beads-release", None),
    ],
)
def test_a_requirement_installs_the_bytes_of_the_corpus(requirement, major, machine, corpus):
    machine.add(machine.world.registries["formulas"])
    machine.run("install", requirement)
    name = requirement[0] + requirement[1:].partition("@")[0]
    version = "4.0.0" if requirement.endswith("4.0.0") else newest(corpus, name, major)
    file = machine.formulas / f"{name.rpartition('/')[2]}.formula.toml"
    assert file.read_bytes() == corpus.formula_bytes(name, version)


def test_shiny_enterprise_brings_its_two_dependencies(shop, machine, corpus):
    machine.add(shop.registries["formulas"])
    machine.run("install", "shiny-enterprise")
    line = next(
        line
        for line in corpus.formulas
        if (line["name"], line["version"]) == ("shiny-enterprise", newest(corpus, "shiny-enterprise"))
    )
    needed = {*line["extends"], *line["compose_with"], *line["compose_aspects"], *line["step_expand"]}
    assert len(needed) == 2
    for name in {"shiny-enterprise", *needed}:
        file = machine.formulas / f"{name}.formula.toml"
        assert file.read_bytes() == corpus.formula_bytes(name, newest(corpus, name)), name


def test_bundles_come_back_with_their_exec_bits(shop, machine, corpus, sampled):
    machine.add(shop.registries["bundles"])
    latest: dict[str, str] = {}
    for name, version in corpus.bundle_versions:
        latest[name] = max(latest.get(name, "0.0.0"), version, key=lambda text: tuple(map(int, text.split("."))))
    chosen = sampled(sorted(latest.items()), 8)
    machine.run("install", *(f"{name}@{version}" for name, version in chosen))
    executables = 0
    for name, version in chosen:
        source = next((shop.unpacked / name / version).iterdir())
        wanted = read_tree(source)
        assert read_tree(machine.formulas / name) == wanted, name
        assert (machine.formulas / f"{name}.formula.toml").read_bytes() == wanted["formula.toml"][0]
        executables += sum(executable for _data, executable in wanted.values())
    assert executables


def test_every_formula_validates(machine, corpus):
    paths = [str(corpus.folder / str(line["path"])) for line in corpus.formulas]
    machine.run("check", *paths)


def test_what_no_toml_reader_accepts_gets_line_and_column(machine, corpus):
    import tomllib

    refused = accepted = 0
    for line in corpus.edge:
        path = corpus.folder / str(line["path"])
        data = path.read_bytes()
        try:
            tomllib.loads(data.decode().replace("\r\n", "\n"))
        except ValueError:
            ran = machine.run("check", str(path), status=1)
            where = (ran.out + ran.err).partition(path.name + ":")[2].split(":")
            assert where[0].isdigit(), ran
            assert where[1].split()[0].isdigit(), ran
            refused += 1
        else:
            if "crlf" in line["why"]:
                assert b"\r\n" in data
                machine.run("check", str(path))
                assert path.read_bytes() == data
                accepted += 1
    assert refused == 18
    assert accepted


def test_crlf_files_keep_their_bytes_through_publish_and_install(world, corpus):
    line = next(line for line in corpus.edge if "crlf" in line["why"] and not line["detail"])
    path = corpus.folder / str(line["path"])
    registry = world.registry("edge")
    registry.publisher.run("publish", str(path), "--version", "1.0.0", "--to", str(registry.folder), "--yes")
    machine = world.machine()
    machine.run("init")
    machine.add(registry)
    machine.run("install", str(line["name"]))
    assert (machine.formulas / f"{line['name']}.formula.toml").read_bytes() == path.read_bytes()
