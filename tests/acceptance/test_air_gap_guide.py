"""docs/air-gap.md: every command of the operator's guide is typed, in order, on its machine; what it shows is compared.

The far machine and the vault have no network: their processes run in a network namespace without interfaces where that
is allowed, and making a socket is an error in them anyway. A guide whose commands changed is written anew with
`PYTHONPATH=tests python tests/acceptance/test_air_gap_guide.py`; read the difference before you keep it.
"""

from __future__ import annotations

import difflib
import random
import re
import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loopback import Loopback
from nginx_server import Nginx, find_nginx
from sandbox import Sandbox, without_network
from world import CHECKOUT, formula_text

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = CHECKOUT / "docs" / "air-gap.md"
MACHINES = ("mill", "vault", "near", "far", "desk")
CUT_OFF = ("vault", "far")
LATER = {"february": (("mol-smoke-test", "1.1.0"), ("mol-handover", "1.0.0")), "march": (("mol-handover", "1.1.0"),)}


@contextmanager
def exercise(folder: Path) -> Iterator[Sandbox]:
    """The machines of the guide, with what is published there, and servers over the registry and the mirror."""
    with ExitStack() as stack:
        box = stack.enter_context(Sandbox(folder, MACHINES))
        for name in CUT_OFF:
            box.machines[name].before = without_network()
            box.machines[name].is_cut_off = True
        for name in ("mill", "vault", "near", "far"):
            (box.machines[name].cwd / "phrase").write_text("one passphrase for all of them, in a test\n")
        lay_out_work(box.machines["mill"].cwd / "work")
        registry = box.machines["mill"].folder / "srv" / "acme"
        mirror = box.machines["far"].folder / "srv" / "mirror"
        registry.mkdir()
        mirror.mkdir()
        box.urls["https://formulas.acme.example"] = stack.enter_context(Loopback(registry)).url
        box.urls["http://mirror.far.example"] = serve(stack, mirror, folder / "nginx")
        yield box


def serve(stack: ExitStack, mirror: Path, scratch: Path) -> str:
    """Serve the far mirror: by nginx, configured as the guide says, where it is installed."""
    program = find_nginx()
    if program is None:
        return stack.enter_context(Loopback(mirror)).url
    server = Nginx(program, mirror, scratch)
    stack.callback(server.stop)
    return server.url


def lay_out_work(work: Path) -> None:
    """What the publisher has: the examples of the documents, a bundle that is large, what comes later."""
    shutil.copytree(CHECKOUT / "docs" / "examples", work)
    survey = work / "mol-site-survey.formula.bundle"
    (survey / "maps").mkdir(parents=True)
    (survey / "formula.toml").write_text(formula_text("mol-site-survey", "1.0.0", {}))
    (survey / "maps" / "site.bin").write_bytes(random.Random(1).randbytes(200_000))
    for month, releases in LATER.items():
        (work / month).mkdir()
        for name, version in releases:
            (work / month / f"{name}.formula.toml").write_text(formula_text(name, version, {}))


def test_the_guide_s_commands_show_what_it_says(tmp_path):
    written = GUIDE.read_text()
    with exercise(tmp_path) as box:
        played = box.play(written)
    assert played == written, "\n".join(difflib.unified_diff(written.splitlines(), played.splitlines(), n=6))


def test_nginx_is_configured_as_the_guide_says():
    [location] = re.findall(r"^ *(location .*)$", GUIDE.read_text(), re.MULTILINE)
    assert location in (CHECKOUT / "tests" / "nginx_server.py").read_text()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch, exercise(Path(scratch)) as box:
        GUIDE.write_text(box.play(GUIDE.read_text()))
