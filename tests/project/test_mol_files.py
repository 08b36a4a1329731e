"""Where catalogues lie, and that what lies there is read without being believed."""

from __future__ import annotations

import json
import os

import pytest

from mmpm.molecule.beads.catalogue import load
from mmpm.project import mol_files
from mmpm.project.mol_files import catalogue_files, read_layers
from mmpm.project.places import Places


@pytest.fixture
def home(tmp_path):
    for folder in ("home/gt/.beads", "home/.beads", "home/rig/.beads", "elsewhere/.beads"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def places(home):
    return Places.from_environment({"HOME": str(home)})


def names(places, start, folder=None):
    return [name for name, _ in catalogue_files(places, str(start), folder)]


def path_of(places, start, name, folder=None):
    return dict(catalogue_files(places, str(start), folder))[name]


def test_the_layers_are_built_in_town_user_and_project(places, home):
    assert names(places, home / "rig") == ["built-in", "town", "user", "project"]
    assert path_of(places, home / "rig", "town") == str(home / "gt/.beads/molecules.jsonl")
    assert path_of(places, home / "rig", "user") == str(home / ".beads/molecules.jsonl")
    assert path_of(places, home / "rig", "project") == str(home / "rig/.beads/molecules.jsonl")


def test_outside_of_a_project_there_is_no_layer_of_one(places, home):
    assert names(places, home) == ["built-in", "town", "user"]
    assert names(places, home / "gt") == ["built-in", "town", "user"]


def test_the_town_is_where_gas_town_says(home, tmp_path):
    places = Places.from_environment({"HOME": str(home), "GT_ROOT": str(tmp_path / "elsewhere")})
    assert path_of(places, home / "rig", "town") == str(tmp_path / "elsewhere/.beads/molecules.jsonl")


def test_a_project_may_be_named(places, home, tmp_path):
    assert path_of(places, home, "project", str(tmp_path / "elsewhere")).startswith(str(tmp_path / "elsewhere"))


def test_a_folder_that_is_two_tiers_is_read_once(places, home):
    paths = [path for _, path in catalogue_files(places, str(home), str(home))]
    assert len(paths) == len(set(paths))


def test_only_what_is_there_is_read(places, home):
    (home / ".beads/molecules.jsonl").write_text('{"id":"x"}\n')
    layers, problems = read_layers(places, str(home / "rig"))
    assert [layer.name for layer in layers] == ["built-in", "user"]
    assert problems == ()


def test_the_built_in_layer_is_free_of_faults(places, home):
    layers, _ = read_layers(places, str(home))
    found = load(layers[:1])
    assert found.problems == ()
    assert all(json.loads(line) for line in layers[0].data.splitlines())


def test_a_file_that_is_too_large_is_left_out_and_it_is_said(places, home, monkeypatch):
    monkeypatch.setattr(mol_files, "MAX_CATALOGUE_BYTES", 20_000)
    (home / ".beads/molecules.jsonl").write_bytes(b" " * 20_001)
    layers, problems = read_layers(places, str(home))
    assert [layer.name for layer in layers] == ["built-in"]
    assert "more than 20000 bytes" in str(problems[0])


@pytest.mark.parametrize("kind", ["pipe", "folder", "unreadable link"])
def test_what_is_no_file_is_left_out_and_it_is_said(places, home, kind):
    path = home / ".beads/molecules.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path)
    layers, problems = read_layers(places, str(home))
    assert [layer.name for layer in layers] == ["built-in"]
    assert [problem.path for problem in problems] == [str(path)]
