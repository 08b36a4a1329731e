"""One wheel carries the command, both import names and the formulas of the system tier."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import venv
import zipfile

import pytest
from world import CHECKOUT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("molmall-*.whl")
    return built


def test_it_holds_the_program_and_the_store_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.startswith("molmall-")} == {"mmpm", "mmpm_store"}
    assert [name for name in names if name.endswith(".formula.toml")]
    assert "mmpm/py.typed" in names
    assert "mmpm_store/py.typed" in names
    assert not [name for name in names if "test" in name.rpartition("/")[2]]


def test_the_installed_command_runs(wheel, tmp_path):
    # The new environment sees this one's dependencies, so that nothing has to be fetched.
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    here = subprocess.run(
        [sys.executable, "-c", "import tuf; print(tuf.__path__[0].rpartition('/')[0])"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            str(wheel),
        ],
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        [str(tmp_path / "venv" / "bin" / "mmpm"), "--help"],
        env={"PYTHONPATH": here, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "install" in done.stdout


def test_every_dependency_is_used_and_nothing_else_is():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["openpgp"]
    names = {re.match(r"[\w-]+", one)[0].replace("-", "_").replace("pyyaml", "yaml") for one in declared}
    used = set()
    for folder in ("mmpm", "store/mmpm_store"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    used |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    used.add(node.module.partition(".")[0])
    assert used - set(sys.stdlib_module_names) - {"mmpm", "mmpm_store"} == names
