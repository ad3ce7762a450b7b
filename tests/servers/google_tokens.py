"""Google's token endpoints, metadata server and IAM Credentials API, as far as clients of them can tell.

Source: Compute Engine docs, "Query VM metadata"; IAM Credentials API reference, generateAccessToken and signBlob.
"""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EMAIL = "reader@my-project.iam.gserviceaccount.com"


class TokenServer(ThreadingHTTPServer):
    """The server, in a thread of this process.

    Attributes:
        seen: path and form (or JSON) of each request.
        failures: statuses answered before anything else.
        lifetime: seconds of each token.
        sign: what signBlob signs by; None refuses.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.failures: list[int] = []
        self.lifetime = 3600
        self.sign: Callable[[bytes], bytes] | None = None
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def paths(self) -> list[str]:
        return [path for path, _ in self.seen]


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        is_json = "json" in self.headers["content-type"]
        form = json.loads(body) if is_json else dict(urllib.parse.parse_qsl(body.decode()))
        self._answer({**form, "authorization": self.headers["authorization"]})

    def do_GET(self) -> None:
        self._answer({"flavor": self.headers["metadata-flavor"]})

    def _answer(self, asked: dict[str, Any]) -> None:
        path = self.path.partition("?")[0]
        self.server.seen.append((path, asked))
        if self.server.failures:
            self._send(self.server.failures.pop(0), {"error": "unavailable", "error_description": "later"})
            return
        number = len(self.server.seen)
        token = {"access_token": f"ya29.{path.rpartition('/')[2]}-{number}", "expires_in": self.server.lifetime,
                 "token_type": "Bearer", "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
        if path.endswith(":generateAccessToken"):
            token = {"accessToken": f"ya29.impersonated-{number}", "expireTime": "2099-01-01T00:00:00Z"}
        if path.endswith(":signBlob"):
            self._sign(asked)
        elif path.endswith("/project-id"):
            self._send(200, "my-project")
        elif path.endswith(("/default/", f"/{EMAIL}/")):
            self._send(200, {"email": EMAIL, "scopes": [], "aliases": ["default"]})
        elif path.endswith("/universe-domain"):
            self._send(200, "googleapis.com")
        else:
            self._send(200, token)

    def _sign(self, asked: dict[str, Any]) -> None:
        if self.server.sign is None:
            message = f"Permission 'iam.serviceAccounts.signBlob' denied on resource {EMAIL}"
            self._send(403, {"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}})
            return
        blob = self.server.sign(base64.b64decode(asked["payload"]))
        self._send(200, {"keyId": "k", "signedBlob": base64.b64encode(blob).decode()})

    def _send(self, status: int, document: Any) -> None:
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(document, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Metadata-Flavor", "Google")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def token_server() -> Iterator[TokenServer]:
    server = TokenServer()
    try:
        yield server
    finally:
        server.shutdown()  # polls, see serve_forever
        server.server_close()
        server.thread.join()
