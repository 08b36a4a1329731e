"""Where things lie and which tier a command is about."""

from __future__ import annotations

import os

import pytest

from mmpm.errors import NoHomeError, NoProjectError, UsageError
from mmpm.project.places import Places
from mmpm.project.tiers import choose_project, search_order


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def places(home):
    return Places.from_environment({"HOME": str(home)})


def test_places_follow_the_xdg_folders():
    places = Places.from_environment(
        {"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s", "GT_ROOT": "/t"}
    )
    assert places.config_file == "/c/mmpm/config.toml"
    assert places.store == "/d/mmpm/store"
    assert places.trust == "/s/mmpm/trust"
    assert places.keys == "/d/mmpm/keys"
    assert places.gtconfig_file == "/h/.gtconfig.yaml"
    assert places.town == "/t"


def test_relative_xdg_folders_are_ignored():
    places = Places.from_environment({"HOME": "/h", "XDG_DATA_HOME": "d"})
    assert places.data == "/h/.local/share/mmpm"


def test_mmpm_store_moves_the_store_and_knows_the_tilde():
    assert Places.from_environment({"HOME": "/h", "MMPM_STORE": "~/s"}).store == "/h/s"


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_mmpm_says_so(environ):
    with pytest.raises(NoHomeError):
        Places.from_environment(environ)


def test_the_nearest_manifest_decides(places, home):
    deep = home / "code" / "app" / "src"
    deep.mkdir(parents=True)
    (home / "code" / "app" / "mmpm.toml").touch()
    project = choose_project(places, str(deep))
    assert (project.tier, project.root) == ("project", str(home / "code" / "app"))
    assert project.formulas == str(home / "code" / "app" / ".beads" / "formulas")


def test_a_folder_with_beads_alone_is_nearest_but_not_chosen(places, home):
    app = home / "app"
    (app / ".beads").mkdir(parents=True)
    assert choose_project(places, str(app)).tier == "user"
    assert choose_project(places, str(app), tier="project").root == str(app)


def test_a_town_is_chosen_before_the_user(places, home):
    (home / "gt").mkdir()
    assert choose_project(places, str(home)).root == str(home / "gt")
    assert choose_project(places, str(home)).tier == "town"


def test_the_walk_stops_below_home_and_town(places, home):
    (home / "mmpm.toml").touch()
    (home / "gt" / "rig").mkdir(parents=True)
    (home / "gt" / "mmpm.toml").touch()
    assert choose_project(places, str(home / "gt" / "rig")).tier == "town"
    (home / "other").mkdir()
    assert choose_project(places, str(home / "other")).tier == "town"


def test_flags_choose_outright(places, home):
    (home / "x").mkdir()
    assert choose_project(places, str(home), folder="x").root == str(home / "x")
    assert choose_project(places, str(home), tier="user").root == str(home)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"tier": "system"}, UsageError),
        ({"tier": "galaxy"}, UsageError),
        ({"tier": "town"}, NoProjectError),
        ({"tier": "project"}, NoProjectError),
        ({"folder": "missing"}, UsageError),
        ({"folder": ".", "tier": "user"}, UsageError),
    ],
)
def test_what_does_not_fit_is_refused(places, home, arguments, error):
    with pytest.raises(error):
        choose_project(places, str(home), **arguments)


def test_names_are_looked_up_in_project_user_town_system(places, home):
    (home / "gt").mkdir()
    (home / "app" / ".beads").mkdir(parents=True)
    tiers = search_order(places, str(home / "app"))
    assert [project.tier for project in tiers] == ["project", "user", "town", "system"]
    assert os.path.isabs(tiers[-1].formulas)


def test_a_folder_with_a_lock_alone_is_a_project(places, home):
    app = home / "app" / "sub"
    app.mkdir(parents=True)
    (home / "app" / "mmpm.lock").touch()
    (home / "gt").mkdir()
    project = choose_project(places, str(app))
    assert (project.tier, project.root, project.chosen) == ("project", str(home / "app"), "the nearest mmpm.lock")
