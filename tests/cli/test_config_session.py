"""`mmpm config` as a person and a program see it."""

from __future__ import annotations

import json


def test_settings_are_set_shown_and_taken_out(terminal):
    terminal.play(
        """
        $ mmpm config get install.link
        auto
        $ mmpm config set install.link hard
        Set install.link = hard
        $ mmpm config set install.link hard
        Nothing to do
        $ mmpm config get install.link
        hard
        $ mmpm config unset install.link
        Unset install.link
        $ mmpm config unset install.link
        Nothing to do
        """
    )


def test_refusals_name_the_thing_and_the_remedy(terminal):
    terminal.play(
        """
        $ mmpm config get install.lnk
        error[bad-setting]: install.lnk: there is no such setting; did you mean install.link?
          fix: run `mmpm config list --origin` to see every setting and where it comes from
        [exit 2]
        $ mmpm config set install.link soft
        error[bad-setting]: install.link: expected one of auto, hard, copy
          fix: run `mmpm config list --origin` to see every setting and where it comes from
        [exit 2]
        $ mmpm config set install.link
        error[usage]: config set: VALUE is missing
          fix: run `mmpm config set --help`
        [exit 2]
        $ mmpm confg list
        error[usage]: there is no command 'confg'; did you mean config?
          fix: run `mmpm --help`
        [exit 2]
        $ mmpm config list --orign
        error[usage]: config list: there is no option --orign; did you mean --origin?
          fix: run `mmpm config list --help`
        [exit 2]
        """
    )


def test_a_dry_run_changes_nothing(terminal):
    terminal.play(
        """
        $ mmpm --dry-run config set install.link hard
        would set install.link = hard in ~/.config/mmpm/config.toml
        $ mmpm config get install.link
        auto
        """
    )


def test_origins_are_listed(terminal):
    terminal.environ["MMPM_INSTALL_LINK"] = "copy"
    terminal.run("config", "set", "policy.max_age", "7d")
    out = terminal.tidy(terminal.run("config", "list", "--origin", "--offline").out)
    lines = [line.split() for line in out.splitlines()]
    assert ["offline", "=", "true", "#", "flag"] in lines
    assert ["install.link", "=", "copy", "#", "MMPM_INSTALL_LINK"] in lines
    assert ["policy.max_age", "=", "7d", "#", "~/.config/mmpm/config.toml"] in lines
    assert len({line.index("#") for line in out.splitlines()}) == 1


def test_a_setting_that_a_stronger_origin_decides_is_set_with_a_warning(terminal):
    terminal.environ["MMPM_INSTALL_LINK"] = "copy"
    terminal.play(
        """
        $ mmpm config set install.link hard
        warning: install.link is decided by MMPM_INSTALL_LINK, which comes before ~/.config/mmpm/config.toml
        Set install.link = hard
        """
    )


def test_json_is_one_document(terminal):
    document = json.loads(terminal.run("config", "get", "offline", "--json").out)
    assert document == {
        "schema": "mmpm.config-get/1",
        "key": "offline",
        "value": False,
        "origin": "default",
        "warnings": [],
    }
    document = json.loads(terminal.run("config", "set", "install.link", "hard", "--json").out)
    assert document["applied"] is True
    assert document["plan"]["summary"] == {"set-config": 1}


def test_a_failure_in_json_has_code_remedy_and_status(terminal):
    seen = terminal.run("--json", "config", "get", "nope")
    document = json.loads(seen.out)
    assert document["schema"] == "mmpm.error/1"
    assert document["error"]["code"] == "bad-setting"
    assert document["error"]["exit_status"] == seen.status == 2
    assert document["error"]["remedy"]
    assert seen.err == ""


def test_a_refused_entry_of_a_registry_is_named_with_its_line_and_config_works_on(terminal):
    (terminal.home / ".gtconfig.yaml").write_text("registries:\n- name: acme\n  url: /media/usb\n")
    terminal.play(
        """
        $ mmpm registry list
        error[bad-setting]: registries[0].url in ~/.gtconfig.yaml, line 3: expected an http or https URL
          fix: correct that line in ~/.gtconfig.yaml
        [exit 2]
        $ mmpm config get install.link
        auto
        $ mmpm config set install.link hard
        Set install.link = hard
        """
    )
    assert terminal.run("config", "list", "--origin").status == 0


def test_a_refused_setting_is_named_with_its_line(terminal):
    folder = terminal.home / ".config" / "mmpm"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('offline = false\n[install]\nlink = "soft"\n')
    terminal.play(
        """
        $ mmpm list
        error[bad-setting]: install.link in ~/.config/mmpm/config.toml, line 3: expected one of auto, hard, copy, found 'soft'
          fix: correct that line in ~/.config/mmpm/config.toml
        [exit 2]
        """
    )


def test_a_refused_variable_is_named(terminal):
    terminal.environ["MMPM_INSTALL_LINK"] = "soft"
    terminal.play(
        """
        $ mmpm list
        error[bad-setting]: install.link in MMPM_INSTALL_LINK: expected one of auto, hard, copy, found 'soft'
          fix: correct it, or run `unset MMPM_INSTALL_LINK`
        [exit 2]
        """
    )
