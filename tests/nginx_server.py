"""nginx on loopback over a registry's folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def find_nginx() -> str | None:
    """The path of nginx, which may lie where only root looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


class Nginx:
    """nginx on loopback over a folder, as FORMATS.md says a registry is to be served."""

    def __init__(self, program: str, folder: Path, scratch: Path) -> None:
        scratch.mkdir(parents=True)
        # It is given a socket that listens already, as nginx gives its own to its successor: no port that was free a
        # moment ago, and nothing to wait for.
        listening = socket.create_server(("127.0.0.1", 0), backlog=511)
        port = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        temporary = "".join(
            f"  {name}_temp_path {scratch}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        (scratch / "nginx.conf").write_text(
            f"{user}worker_processes 1;\npid {scratch}/pid;\nerror_log {scratch}/error.log;\ndaemon off;\n"
            "events { worker_connections 256; }\n"
            f"http {{\n  access_log off;\n{temporary}"
            "  types { application/json json; application/toml toml; application/gzip gz; }\n"
            f"  server {{\n    listen 127.0.0.1:{port};\n    root {folder};\n"
            "    location / { try_files $uri $uri/index.json =404; }\n  }\n}\n"
        )
        with listening:
            self._process = subprocess.Popen(
                [program, "-p", str(scratch), "-c", str(scratch / "nginx.conf")],
                env=os.environ | {"NGINX": f"{listening.fileno()};"},
                pass_fds=[listening.fileno()],
            )

    def get(self, path: str) -> bytes:
        """The body of a GET that must succeed, without following redirects to elsewhere."""
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=600) as answer:
            body = answer.read()
            assert isinstance(body, bytes)
            return body

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(600)
