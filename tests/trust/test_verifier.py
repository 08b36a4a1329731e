"""Verification needs no HTTP client, and makes no socket as it is loaded."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
made = []
sys.addaudithook(lambda event, _: made.append(event) if event.startswith("socket.") else None)
import mmpm.trust.metadata
assert not made, made
assert "urllib3" not in sys.modules and "requests" not in sys.modules
from tuf.ngclient import Updater
"""


def test_the_verifier_is_loaded_without_a_socket_and_without_harm_to_the_package():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
