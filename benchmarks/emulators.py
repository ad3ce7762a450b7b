"""Emulators of Cloud Storage and of Azure Blob Storage, with a bucket or container for a run.

They are slow, and Google's closes every connection. Behind a relay that keeps the clients' connections open, the CPU
time of a client is its own. Clients spend more CPU time per request if responses arrive one by one, so the server that
an emulator is compared with is put behind such a relay, too, and limited to the same rate.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import envs
from benchmarks.clients.base import Target

ACCOUNT = "devstoreaccount1"  # public: learn.microsoft.com/azure/storage/common/storage-use-azurite
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
TOKEN = "a-token-that-the-emulator-does-not-look-at"
ONCE = "proxy_http_version 1.0;"
KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'
# Headers that obstore requires of the XML API and the emulator omits.
PUBLIC = """location /bench/ { proxy_pass http://emulator;
      add_header ETag '"1"'; add_header Last-Modified "Fri, 20 Nov 2026 00:00:00 GMT"; }"""

RELAY = """
daemon off; worker_processes 1; pid {run}/{name}.pid; error_log {run}/{name}.log warn; {user}
events {{ worker_connections 4096; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600s; client_max_body_size 0;
  client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fastcgi;
  uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi; client_body_buffer_size 1m; proxy_buffers 64 64k;
  underscores_in_headers on; limit_req_zone $server_port zone=pace:1m rate={pace}r/s; limit_req_log_level info;
  upstream emulator {{ server 127.0.0.1:{target}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    limit_req zone=pace burst=100000; proxy_set_header Host $http_host; {settings}
    location / {{ proxy_pass http://emulator; }}
    {locations}
  }}
}}
"""


@dataclass(frozen=True)
class Emulator:
    """How to start an emulator, connect to it, and create a bucket."""

    title: str
    command: Callable[[int], list[str]]  # by the port; raises Unavailable
    create: Callable[[str, str], None]  # by the endpoint and the name of the bucket
    path: str  # of the endpoint's URL
    settings: str  # of the relay
    access_key: str
    secret_key: str
    locations: str = ""  # of the relay


def _google_command(port: int) -> list[str]:
    python = envs.python_for("gcp_storage_emulator", None)
    return [python, str(Path(__file__).with_name("emulated_google.py")), str(port)]


def _azurite_command(port: int) -> list[str]:
    program = envs.program("azurite-blob")
    if program is None:
        raise envs.Unavailable("azurite is not installed; --install-peers installs it from npm")
    return [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--silent",
            "--disableTelemetry", "--skipApiVersionCheck"]


def _request(method: str, url: str, body: bytes | None, headers: dict[str, str]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers)
        answer = connection.getresponse()
        if answer.status // 100 != 2:
            raise OSError(f"{method} {url}: status {answer.status}: {answer.read()[:300]!r}")
    finally:
        connection.close()


def _make_bucket(endpoint: str, name: str) -> None:
    _request("POST", f"{endpoint}/storage/v1/b?project={name}", json.dumps({"name": name}).encode(),
             {"Content-Type": "application/json"})


def _make_container(endpoint: str, name: str) -> None:
    """Create a container with public read access; signed as described in "Authorize with Shared Key"."""
    headers = {"x-ms-blob-public-access": "container", "x-ms-date": formatdate(usegmt=True),
               "x-ms-version": "2021-12-02"}
    lines = ["PUT", *[""] * 11, *(f"{field}:{value}" for field, value in headers.items()),
             f"/{ACCOUNT}/{ACCOUNT}/{name}", "restype:container"]
    signature = hmac.digest(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256)
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"
    _request("PUT", f"{endpoint}/{name}?restype=container", None, {**headers, "Content-Length": "0"})


EMULATORS = {
    "gs": Emulator("gcp-storage-emulator behind nginx", _google_command, _make_bucket, "", ONCE, TOKEN, "", PUBLIC),
    "az": Emulator("azurite behind nginx", _azurite_command, _make_container, f"/{ACCOUNT}", KEPT, ACCOUNT, KEY),
}


def lay_out(target: Target, keys: Sequence[str], content: Callable[[str], bytes]) -> None:
    """Store the objects with this package; the clients check them when they read."""
    from benchmarks.clients.ours import place
    from cloudfiles import CloudFiles

    CloudFiles(**place(target)).puts((key, content(key)) for key in keys)
