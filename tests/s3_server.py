"""A server that speaks S3 for tests: the one that `MMPM_TEST_S3` names, or a real OpenStack Swift on loopback.

`MMPM_TEST_S3` is JSON: {"endpoint": "http://127.0.0.1:9000", "bucket": "..", "key": "..", "secret": ".."}. Without it
Swift is started by `start_swift.sh` from `.venv-swift` beside this folder (made by `.ci/run` of requirements/swift.txt),
or from the bin folder that `MMPM_TEST_SWIFT` names; where there is none tests skip, but with `CI=true` they fail.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from obstore import put
from obstore.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "us-east-1"
# Read before the tests' environment is emptied of what the caller has set.
_GIVEN = os.environ.get("MMPM_TEST_S3")
_OWN = Path(__file__).resolve().parent.parent / ".venv-swift" / "bin"
_PROGRAMS = Path(os.environ.get("MMPM_TEST_SWIFT") or _OWN)
_START = Path(__file__).with_name("start_swift.sh")
_NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Bucket:
    """A bucket, and what reads and writes it."""

    endpoint: str
    name: str
    key: str
    secret: str

    @property
    def environ(self) -> dict[str, str]:
        """What a person sets so that mmpm reads the bucket."""
        keys = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION, **keys}

    def url(self, prefix: str = "") -> str:
        """Give the address of what lies below `prefix`."""
        return f"s3://{self.name}/{prefix}".rstrip("/")

    def put(self, path: str, data: bytes) -> None:
        """Write one object."""
        put(self._store(), path, data)

    def put_tree(self, folder: Path, prefix: str) -> None:
        """Write every file below `folder`."""
        store = self._store()
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda one: put(store, f"{prefix}/{one.relative_to(folder)}", one.read_bytes()), files))

    def create(self) -> None:
        """Make the bucket; one that is there stays."""
        request = urllib.request.Request(f"{self.endpoint}/{self.name}", method="PUT", headers=self._signed())
        try:
            urllib.request.urlopen(request, timeout=600).close()
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise

    def _store(self) -> S3Store:
        config = {"bucket": self.name, "endpoint": self.endpoint, "region": REGION}
        keys = {"access_key_id": self.key, "secret_access_key": self.secret}
        return S3Store(config={**config, **keys}, client_options={"allow_http": True})

    def _signed(self) -> dict[str, str]:
        """Sign ``PUT /bucket`` without a body (AWS signature, version 4)."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {"host": urlsplit(self.endpoint).netloc, "x-amz-content-sha256": _NOTHING, "x-amz-date": now}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        asked = f"PUT\n/{self.name}\n\n{lines}\n{names}\n{_NOTHING}"
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        said = f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**headers, "authorization": said}


@contextlib.contextmanager
def s3_bucket(folder: Path) -> Iterator[Bucket]:
    """Give an empty bucket; `folder` is where a server of our own keeps its files."""
    if _GIVEN:
        said = json.loads(_GIVEN)
        bucket = Bucket(said["endpoint"], said["bucket"], said["key"], said["secret"])
        bucket.create()
        yield bucket
        return
    if not (_PROGRAMS / "swift-proxy-server").exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{_PROGRAMS} has no swift: .ci/run installs it")
        pytest.skip("no S3 server: set MMPM_TEST_S3, or install requirements/swift.txt into .venv-swift")
    with _free_ports(4) as port:
        try:
            subprocess.run(["bash", _START, folder, _PROGRAMS, str(port)], check=True, timeout=900)
            bucket = Bucket(f"http://127.0.0.1:{port}", "registries", "test:tester", "testing")
            bucket.create()
            yield bucket
        finally:
            for line in (folder / "pids").read_text().split() if (folder / "pids").exists() else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line), signal.SIGTERM)


@contextlib.contextmanager
def _free_ports(count: int) -> Iterator[int]:
    """Give the first of `count` ports in a row that nobody listens on, and keep other test runs from the row.

    Looking alone would not do: Swift listens a second later, and shares a port with whoever listens there already. No
    port is among those that systems give to whoever wants any (from 32768 on): one of these may be given meanwhile.
    """
    rows = range(20000, 32000, count)
    begin = os.getpid() % len(rows)
    for first in (*rows[begin:], *rows[:begin]):
        with contextlib.ExitStack() as held:
            try:
                row = held.enter_context(Path(tempfile.gettempdir(), f"mmpm-test-ports-{first}").open("w"))
                fcntl.flock(row, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with contextlib.ExitStack() as sockets:
                    for port in range(first, first + count):
                        sockets.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            yield first
            return
    raise AssertionError("no free ports")
