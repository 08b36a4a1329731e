"""docs/workflows.md: every command of the guide is typed, in order; what it shows is compared.

Making a socket is an error in its processes. A guide whose commands changed is written anew with
`PYTHONPATH=tests python tests/acceptance/test_workflow_guide.py`; read the difference before you keep it.
"""

from __future__ import annotations

import difflib
import tempfile
from pathlib import Path

from sandbox import Sandbox, without_network
from world import CHECKOUT

GUIDE = CHECKOUT / "docs" / "workflows.md"


def played(folder: Path, text: str) -> str:
    """The guide as it would have to be, typed on the machine of its prompt."""
    with Sandbox(folder, ("rig",)) as box:
        rig = box.machines["rig"]
        rig.before, rig.is_cut_off = without_network(), True
        rig.environ["BD_ACTOR"] = "beads/amber"
        rig.cwd /= "rig"
        (rig.cwd / ".beads").mkdir(parents=True)
        return box.play(text)


def test_the_guide_s_commands_show_what_it_says(tmp_path):
    written = GUIDE.read_text()
    shown = played(tmp_path, written)
    assert shown == written, "\n".join(difflib.unified_diff(written.splitlines(), shown.splitlines(), n=6))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        GUIDE.write_text(played(Path(scratch), GUIDE.read_text()))
