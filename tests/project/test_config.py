"""Settings: precedence, origins, what a person may write, and registries from three files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpm.errors import BadSettingError, ConfigSyntaxError
from mmpm.project.config import load_registries, load_settings
from mmpm.project.config_file import drop_registry, put_registry
from mmpm.project.places import Places
from mmpm.project.registries import RegistryConfig, merge_registries, registries_from_toml
from mmpm.project.settings import SETTINGS, parse_setting, show_setting

ROOT = "ab" * 32


@pytest.fixture
def places(tmp_path):
    found = Places.from_environment({"HOME": str(tmp_path)})
    (tmp_path / ".config" / "mmpm").mkdir(parents=True)
    return found


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


@given(key=st.sampled_from(sorted(SETTINGS)), amount=st.integers(0, 10**6), data=st.data())
def test_what_a_setting_shows_it_reads_back(key, amount, data):
    setting = SETTINGS[key]
    value = {
        "bool": st.booleans(),
        "choice": st.sampled_from(setting.choices or ("x",)),
        "path": st.just("/x"),
        "text": st.just("x"),
        "count": st.just(amount),
        "duration": st.one_of(st.none(), st.just(amount), st.just(amount * 60)),
        "size": st.one_of(st.none(), st.just(amount), st.just(amount << 20)),
        "list": st.lists(st.sampled_from(["*", "@acme/*", "mol-*", f"mol-a@{amount}"]), min_size=1).map(tuple),
    }[setting.kind]
    drawn = data.draw(value)
    assert parse_setting(setting, show_setting(setting, drawn)) == drawn


@given(
    key=st.sampled_from(sorted(SETTINGS)), value=st.one_of(st.text(), st.integers(), st.floats(), st.lists(st.text()))
)
def test_any_value_is_read_or_refused_with_a_sentence(key, value):
    refused = None
    try:
        parse_setting(SETTINGS[key], value)
    except ValueError as error:
        refused = str(error)
    assert refused is None or refused.startswith("expected") or SETTINGS[key].kind == "list"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90", 90), ("15m", 900), ("24h", 86400), ("7d", 604800), ("never", None)]
)
def test_times_are_written_with_their_unit(text, seconds):
    assert parse_setting(SETTINGS["policy.max_age"], text) == seconds


@pytest.mark.parametrize(("text", "size"), [("20GiB", 20 << 30), ("5 MB", 5_000_000), ("12", 12), ("none", None)])
def test_sizes_are_written_with_their_unit(text, size):
    assert parse_setting(SETTINGS["store.max_size"], text) == size


def test_the_strongest_origin_decides_and_is_named(places):
    write(places.config_file, 'offline = true\n[policy]\nmax_age = "1d"\nmin_age = "1h"\nred_line = "9d"\n')
    settings = load_settings(
        places,
        {"MMPM_POLICY_MAX_AGE": "2d", "MMPM_POLICY_MIN_AGE": "2h"},
        flags={"color": "never"},
        policy={"max_age": "3d"},
        manifest_path="/p/mmpm.toml",
    )
    found = {key: (settings[key], settings.values[key].origin) for key in SETTINGS}
    assert found["policy.max_age"] == (2 * 86400, "MMPM_POLICY_MAX_AGE")
    assert found["policy.min_age"] == (7200, "MMPM_POLICY_MIN_AGE")
    assert found["policy.red_line"] == (9 * 86400, places.config_file)
    assert found["color"] == ("never", "flag")
    assert found["install.link"] == ("auto", "default")
    assert settings.offline


def test_paths_are_absolute_wherever_they_come_from(places, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(places.config_file, '[network]\nca_file = "ca.pem"\n[store]\npath = "/elsewhere"\n')
    settings = load_settings(places, {"MMPM_STORE": "~/s"})
    assert settings.text("network.ca_file") == f"{places.config}/ca.pem"
    assert settings.text("store.path") == f"{places.home}/s"
    assert load_settings(places, {"MMPM_STORE": "s"}).text("store.path") == f"{tmp_path}/s"


def test_an_empty_variable_sets_nothing(places):
    assert load_settings(places, {"MMPM_OFFLINE": ""}).values["offline"].origin == "default"


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_mmpm_offline_equals_the_flag(places, value):
    assert load_settings(places, {"MMPM_OFFLINE": value}).offline


def test_a_wrong_value_names_key_and_origin(places):
    write(places.config_file, '[install]\nlink = "soft"\n')
    with pytest.raises(
        BadSettingError, match=r"install\.link in .*config\.toml, line 2: expected one of auto, hard, copy"
    ):
        load_settings(places, {})


def test_broken_toml_is_named_with_line_and_column(places):
    write(places.config_file, "a = 1\nb = = 2\n")
    with pytest.raises(ConfigSyntaxError, match="line 2, column"):
        load_settings(places, {})


def test_toml_that_nests_too_deep_is_refused(places):
    write(places.config_file, "a = " + "[" * 50_000)
    with pytest.raises(ConfigSyntaxError):
        load_settings(places, {})


def test_keys_that_no_setting_has_are_a_warning(places):
    write(places.config_file, "[install]\nlnk = 1\n[future]\nx = 1\n")
    warnings = load_settings(places, {}).warnings
    assert [warning.rpartition(" ")[2] for warning in warnings] == ["install.lnk", "future"]


SEED = """\
# ~/.gtconfig.yaml
registries:
- name: acme
  url: https://molmall.acme.corp
  auth: token
  priority: 1 # Check first
- name: public
  url: https://molmall.gastown.io
  auth: none
  priority: 2 # Fallback
other: {x: 1}
"""


def test_the_seeds_registries_list_is_read(places):
    write(places.gtconfig_file, SEED)
    acme, public = load_registries(places)
    assert (acme.id, acme.name, acme.auth, acme.priority) == ("molmall.acme.corp", "acme", "token", 1)
    assert public.urls == ("https://molmall.gastown.io",)


@pytest.mark.parametrize(
    "text",
    ["registries: [", "registries: 3", "registries: [{name: x}]", "registries: [{url: 'file:///x'}]", "a: *b", "\x00"],
)
def test_a_broken_gtconfig_is_refused_with_its_name(places, text):
    write(places.gtconfig_file, text)
    with pytest.raises((ConfigSyntaxError, BadSettingError), match="gtconfig"):
        load_registries(places)


def test_an_empty_gtconfig_has_no_registries(places):
    write(places.gtconfig_file, "")
    assert load_registries(places) == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nregistries: 3", 2),
        ("registries:\n- {name: x}", 2),
        ("registries:\n- name: x\n  url: https://x.example\n  priority: first", 4),
        ("registries:\n- url: https://x.example\n-\n  url: 'file:///x'", 4),
    ],
)
def test_a_refused_entry_of_gtconfig_is_found_by_its_line(places, text, line):
    write(places.gtconfig_file, text)
    with pytest.raises(BadSettingError, match=rf"gtconfig\.yaml, line {line}: "):
        load_registries(places)


@pytest.mark.parametrize(
    ("url", "name"),
    [("http://mirror.example:81/acme/", "boss"), ("https://acme.corp", "boss"), ("https://other.example", "acme")],
    ids=["its address", "its host", "its name"],
)
def test_an_entry_of_gtconfig_is_the_registry_that_it_means(places, url, name):
    mine = f'id = "acme.corp"\nurls = ["http://mirror.example:81/acme"]\nroot = "{ROOT}"\nname = "acme"\n'
    write(places.config_file, f"[[registries]]\n{mine}")
    write(places.gtconfig_file, f"registries: [{{name: {name}, url: '{url}', auth: token, priority: 3}}]")
    (found,) = load_registries(places)
    assert (found.id, found.root, found.auth, found.priority) == ("acme.corp", ROOT, "token", 3)
    assert found.urls == ("http://mirror.example:81/acme",)


def test_two_entries_of_gtconfig_with_one_host_are_told_apart_by_their_addresses(places):
    entries = [f'[[registries]]\nid = "{name}.example"\nurls = ["https://m.example/{name}"]\n' for name in "ab"]
    write(places.config_file, "".join(entries))
    listed = [f"{{name: {name}, url: 'https://m.example/{name}'}}" for name in "ba"]
    write(places.gtconfig_file, f"registries: [{', '.join(listed)}]")
    assert [(one.id, one.name) for one in load_registries(places)] == [("a.example", "a"), ("b.example", "b")]


def test_an_entry_of_gtconfig_is_not_taken_for_a_registry_that_a_project_names(places):
    write(places.gtconfig_file, "registries: [{name: acme, url: 'https://m.example'}]")
    stated = RegistryConfig(id="evil.example", name="acme", urls=("https://m.example",), root=ROOT)
    found = {one.id: (one.root, one.project_root) for one in load_registries(places, (stated,))}
    assert found == {"evil.example": (None, ROOT), "m.example": (None, None)}


def test_manifest_and_configuration_describe_one_registry_together(places):
    write(places.config_file, '[[registries]]\nid = "a.example"\nurls = ["https://m.example/a"]\npriority = 7\n')
    stated = RegistryConfig(id="a.example", root=ROOT, scopes=("@acme",), priority=1)
    (found,) = load_registries(places, (stated,))
    assert (found.priority, found.root, found.project_root, found.scopes) == (1, None, ROOT, ("@acme",))
    assert found.urls == ("https://m.example/a",)


def test_how_a_registry_is_met_and_which_key_it_has_is_not_for_a_project_to_say(places):
    write(
        places.config_file,
        f'[[registries]]\nid = "a.example"\nurls = ["https://m.example/a"]\nroot = "{ROOT}"\nauth = "token"\n',
    )
    stated = (
        RegistryConfig(id="a.example", root="cd" * 32, auth="netrc", ca_file="/clone/ca.pem"),
        RegistryConfig(id="b.example", urls=("https://b.example",), auth="netrc", ca_file="/clone/ca.pem"),
    )
    known, new = load_registries(places, stated)
    assert (known.root, known.project_root, known.auth, known.ca_file) == (ROOT, "cd" * 32, "token", None)
    assert (new.own_urls, new.auth, new.ca_file) == ((), "none", None)
    (same,) = load_registries(places, (RegistryConfig(id="a.example", root=ROOT),))
    assert (same.root, same.project_root) == (ROOT, None)


def test_registries_are_asked_by_priority_then_id():
    merged = merge_registries(
        [RegistryConfig("b.example"), RegistryConfig("a.example"), RegistryConfig("z.example", priority=1)]
    )
    assert [one.id for one in merged] == ["z.example", "a.example", "b.example"]


@pytest.mark.parametrize(
    "entry",
    [
        {"id": ""},
        {"id": "Bad Host"},
        {"id": "a.example", "priority": "1"},
        {"id": "a.example", "priority": True},
        {"id": "a.example", "urls": "x"},
        {"id": "a.example", "auth": "magic"},
        {"id": "a.example", "root": "zz"},
        {"id": "a.example", "scopes": ["acme"]},
        {"id": "a.example", "name": "a\x1b[31m"},
    ],
)
def test_a_malformed_registry_is_refused(entry):
    with pytest.raises(BadSettingError):
        registries_from_toml({"registries": [entry]}, "config.toml")


def test_a_registry_named_twice_is_refused():
    with pytest.raises(BadSettingError, match="named twice"):
        registries_from_toml({"registries": [{"id": "a.example"}] * 2}, "config.toml")


def test_adding_and_removing_a_registry_leaves_the_rest_of_the_file(places):
    before = '# mine\noffline = false  # for now\n\n[[registries]]\nid = "b.example"  # theirs\n'
    write(places.config_file, before)
    registry = RegistryConfig("a.example", urls=("/media/usb",), name="usb", priority=1, scopes=("@acme",), root=ROOT)
    put_registry(places.config_file, registry)
    (first, second) = load_registries(places)
    assert first == RegistryConfig(**{**{n: getattr(registry, n) for n in registry.__slots__}, "origin": first.origin})
    assert second.id == "b.example"
    put_registry(places.config_file, RegistryConfig("a.example", urls=("/other",)))
    assert load_registries(places)[0].urls == ("/other",)
    drop_registry(places.config_file, "a.example")
    with open(places.config_file, encoding="utf-8") as file:
        assert file.read().strip() == before.strip()
