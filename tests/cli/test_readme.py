"""The README's transcript is what a person sees: its commands are typed on a terminal, on the formulas in docs/examples."""

from __future__ import annotations

import re
import subprocess

from terminal import CHECKOUT

FORMULAS = ("mol-release-notes.formula.toml", "mol-smoke-test.formula.bundle", "mol-release-train.formula.toml")


def test_the_transcript_is_what_a_person_sees(terminal):
    written = (CHECKOUT / "README.md").read_text()
    transcript = re.search(r"^```\n(\$ mmpm .*?)^```$", written, re.MULTILINE | re.DOTALL)[1]
    terminal.environ["NO_COLOR"] = "1"
    folder = terminal.home / "usb" / "examples"
    folder.parent.mkdir()
    made = terminal.look(
        "registry", "init", str(folder), "--id", "examples.example", "--title", "Examples", "--no-passphrase"
    )
    key = re.search(r"[0-9a-f]{64}", made.out)[0]
    examples = CHECKOUT / "docs" / "examples"
    paths = [str(examples / name) for name in FORMULAS]
    assert terminal.look("publish", *paths, "--to", str(folder), "--yes").status == 0

    def in_readme(text):
        text = text.replace(str(folder), "/media/usb/examples").replace(str(terminal.home), "/home/ann")
        return re.sub("[0-9a-f]{64}", "51d0" * 16, text)

    seen = ""
    for line in transcript.splitlines():
        if not line.startswith("$ "):
            continue
        words = line.removeprefix("$ ").replace("51d0" * 16, key).replace("/media/usb/examples", str(folder)).split()
        seen += line + "\n"
        if words[0] == "mmpm":
            result = terminal.look(*words[1:])
            assert result.status == 0, result.out
            seen += in_readme(result.out)
        else:
            subprocess.run(words, cwd=terminal.cwd, check=True)
    assert seen == transcript
