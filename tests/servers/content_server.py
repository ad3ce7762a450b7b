"""A small web server in threads of this process, at any address of this machine."""

from __future__ import annotations

import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ContentServer

    def setup(self) -> None:
        super().setup()
        self.server.accepted.append(self.request.getsockname()[0])

    def do_GET(self) -> None:
        deadline = time.monotonic() + 30
        while len(self.server.accepted) < self.server.least and time.monotonic() < deadline:
            time.sleep(0.001)
        self.send_response(200)
        self.send_header("content-length", "7")
        self.end_headers()
        self.wfile.write(b"content")

    def log_message(self, *args: Any) -> None:
        pass


class ContentServer(ThreadingHTTPServer):
    """Answers every GET with b"content".

    Attributes:
        accepted: its own address, once for each connection.
        least: how many connections there are before it answers.
    """

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, host: str, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__((host, port), _Handler)
        self.port: int = self.server_address[1]
        self.accepted: list[str] = []
        self.least = 0
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def __enter__(self) -> ContentServer:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are none."""
