"""A real HTTP server on loopback over a folder, whose misbehaviour is turned on by name."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from mmpm.registry.remote import Patience

STATUS_FAULTS = {"401": 401, "403": 403, "404": 404, "429": 429, "500": 500, "503": 503}
BODY_FAULTS = {
    "garbage": b"\x00\xff garbage \x1b[31m",
    "html": b"<html><body>Log in to the hotel</body></html>",
    "empty": b"",
}


def patient(*, attempts: int = 2) -> Patience:
    """Give a patience that a busy machine never ends, for readers of a server on loopback."""
    from mmpm.registry.remote import Patience

    return Patience(
        600, 600, 600, min_bytes_per_second=100, total_seconds=3600, attempts=attempts, backoff_seconds=0.01
    )


class Loopback:
    """Serves `folder`.

    Attributes:
        fault: what it does to each path, a name: a status, "garbage", "html", "empty", "truncated", "drip",
            "endless", "no-length", "redirect", "flaky" (503 to every other request) or None; or a function of the path that
            gives one.
        asked: the paths asked for, in order, with their headers.
    """

    def __init__(self, folder: Path, tls: ssl.SSLContext | None = None) -> None:
        self.folder = folder
        self.fault: str | Callable[[str], str | None] | None = None
        self.redirect_to = ""
        self.asked: list[tuple[str, dict[str, str]]] = []
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = (
                1 << 16
            )  # head and body in one packet: unbuffered, each answer waits 40 ms for an acknowledgement

            def log_message(self, *arguments: object) -> None:
                pass

            def do_GET(self) -> None:
                loopback._answer(self)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_port = True
            request_queue_size = 256  # beyond it connections wait for seconds: several processes ask on many threads

            def handle_error(self, *arguments: object) -> None:
                pass  # a client that hangs up on a dripping answer is the point of the test

        # Keeps the port ours until the end: where the server is stopped, nobody else's shall answer.
        self._port = socket.socket()
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._port.bind(("127.0.0.1", 0))
        self._server = Server(self._port.getsockname(), Handler)
        scheme = "http"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._port.close()

    def stop(self) -> None:
        """Listen no more: who connects is refused."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(handler.path).lstrip("/")
        self.asked.append((path, {key.lower(): value for key, value in handler.headers.items()}))
        fault = self.fault(path) if callable(self.fault) else self.fault
        if fault == "flaky":
            fault = "503" if len(self.asked) % 2 else None
        if fault in STATUS_FAULTS:
            self._send(handler, STATUS_FAULTS[fault], b"no")
        elif fault in BODY_FAULTS:
            self._send(handler, 200, BODY_FAULTS[fault])
        elif fault == "redirect":
            handler.send_response(302)
            handler.send_header("Location", f"{self.redirect_to}/{path}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        elif fault == "endless":
            handler.send_response(200)
            handler.close_connection = True
            handler.end_headers()
            with suppress(OSError):  # until whoever asked has had enough
                while True:
                    handler.wfile.write(b"[" * 65_536)
        elif fault == "drip":
            handler.send_response(200)
            handler.send_header("Content-Length", "500")
            handler.end_headers()
            for _ in range(200):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)
        else:
            self._send_file(handler, path, fault)

    def _send_file(self, handler: BaseHTTPRequestHandler, path: str, fault: str | None) -> None:
        full = os.path.join(self.folder, path)
        if not os.path.isfile(full):
            self._send(handler, 404, b"not found")
            return
        with open(full, "rb") as file:
            data = file.read()
        handler.send_response(200)
        if fault != "no-length":
            handler.send_header("Content-Length", str(len(data)))
        if fault in {"truncated", "no-length"}:
            handler.close_connection = True
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2] if fault == "truncated" else data)

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
