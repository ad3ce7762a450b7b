"""The servers of a run, all on 127.0.0.1: nginx or a substitute, rclone's S3, the delay proxy, emulators.

nginx serves a directory tree in the layout of S3 (path-style GET, HEAD, PUT, DELETE) and ignores
signatures, so that every client can be measured against the fastest server available.
`rclone serve s3` offers the same tree with listing, bulk delete and multipart, and verifies signatures.
"""

from __future__ import annotations

import base64
import hashlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType

from benchmarks import certificate, data, envs, far_store
from benchmarks.clients.base import Target
from benchmarks.emulators import EMULATORS, KEPT, RELAY
from benchmarks.far_store import BUCKET

DIGESTED = 65536  # size of the objects served with a digest
LATENCY = 20.0  # milliseconds, round trip
UNPACED = 1_000_000  # requests per second; no server here reaches it


LISTINGS = tuple(name for name in far_store.PROFILES if name.startswith("far-listing"))


def port_of(endpoint: str) -> int:
    """The port in a URL."""
    return int(endpoint.rsplit(":", 1)[1])


class NoServer(Exception):  # noqa: N818 -- a result, not a fault
    """No program for this server is installed."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scratch_root() -> Path:
    """A new directory, in memory if the system supports it, so that no disk is measured."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30
    return Path(tempfile.mkdtemp(prefix="cloudfiles-bench-", dir=memory if roomy else None))


def _digest_locations() -> str:
    """One location per body, with the digest that S3 would send for it."""
    blocks = []
    for variant in range(data.VARIANTS):
        content = data.body(f"{variant:07d}", DIGESTED)
        crc = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
        blocks.append(f"""
    location /{BUCKET}/get-md5/{variant:02d}/ {{ etag off; add_header ETag '"{hashlib.md5(content).hexdigest()}"'; }}
    location /{BUCKET}/get-crc32/{variant:02d}/ {{ etag off;
      add_header x-amz-checksum-crc32 {crc}; add_header x-amz-checksum-type FULL_OBJECT; }}""")
    return "".join(blocks)


NGINX = """
daemon off; worker_processes 1; pid {run}/nginx.pid; error_log {run}/nginx.log warn; {user}
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600s;
  types {{ }} default_type application/octet-stream; client_max_body_size 0;
  open_file_cache max={open_files} inactive=3600s; open_file_cache_valid 3600s;
  client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fastcgi;
  uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
  map $request_method $put_etag {{ PUT '"00000000000000000000000000000000-1"'; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    listen 127.0.0.1:{tls_port} ssl backlog=1024;
    ssl_certificate {run}/server.pem; ssl_certificate_key {run}/server.key;
    ssl_session_cache shared:tls:1m;
    root {root};
    etag off;  # nginx makes one that looks like that of a multipart upload, and some clients check that
    location ~ ^/{bucket}/get-(268435456|1073741824)/ {{ etag on; }}  # pins the object while its parts are fetched
    location /{bucket}/put {{
      open_file_cache off; dav_methods PUT DELETE; create_full_put_path on; add_header ETag $put_etag;
    }}
    location /{bucket}/get-gzip/ {{ default_type application/json; add_header Content-Encoding gzip; }}
    {digests}
  }}
}}
"""

CADDY = """
{{ admin off
  auto_https off
  persist_config off }}
http://127.0.0.1:{port}, https://127.0.0.1:{tls_port} {{
  root * {root}
  header /{bucket}/get-gzip/* Content-Encoding gzip
  header /{bucket}/get-gzip/* Content-Type application/json
  file_server
  {tls}
}}
"""


def nginx_user() -> str:
    """The directive that lets its workers read files of root."""
    return "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""


def _open_files() -> int:
    """A number that leaves descriptors for connections: without any, nginx accepts none, and clients wait forever."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 60000 if limit == resource.RLIM_INFINITY else max(100, min(60000, limit - 5000))


class Servers:
    """Servers, started on first use and stopped together; a context manager."""

    def __init__(self) -> None:
        self.base = scratch_root()
        self.root = self.base / "root"
        self.run = self.base / "run"
        self.bucket = self.root / BUCKET
        for directory in (self.bucket, self.run):
            directory.mkdir(parents=True)
        self.ca_file = ""
        self.processes: list[subprocess.Popen[bytes]] = []
        self._paced: subprocess.Popen[bytes] | None = None
        self._endpoints: dict[str, str] = {}
        self.plain_server = next((name for name in ("nginx", "caddy") if envs.program(name)), "")

    def __enter__(self) -> Servers:
        envs.compile_package()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(10)
        shutil.rmtree(self.base, ignore_errors=True)

    def target(self, server: str, prefix: str) -> Target:
        """The target of a measurement: `prefix` on `server`, which is one of `endpoint` or 'disk'."""
        endpoint = "" if server == "disk" else self.endpoint(server)
        ca_file = self.ca_file if server == "tls" else ""
        bucket = far_store.LISTS if server in LISTINGS else BUCKET
        target = Target(endpoint=endpoint, bucket=bucket, prefix=prefix, directory=str(self.bucket / prefix),
                        ca_file=ca_file, connections=None if server in far_store.PROFILES else 20)
        emulator = EMULATORS.get(server)
        if emulator is None:
            return target
        return replace(target, scheme=server, access_key=emulator.access_key, secret_key=emulator.secret_key)

    def title(self, server: str) -> str:
        """The name of a server in the tables."""
        if server in EMULATORS:
            return EMULATORS[server].title
        if server in far_store.PROFILES:
            return "nginx, delayed"
        return {"signed": "rclone serve s3", "disk": "local files"}.get(server, self.plain_server)

    def endpoint(self, server: str) -> str:
        """The URL of 'plain', 'tls', 'delayed', 'signed', 'relayed' (S3 behind a relay like the emulators), 'gs', 'az',
        or of a profile of far_store.py.

        Starts it if necessary; raises NoServer.
        """
        if server not in self._endpoints:
            start: dict[str, Callable[[], None]] = {
                "plain": self._start_plain, "tls": self._start_plain,
                "delayed": self._start_delayed, "signed": self._start_rclone, "relayed": self._start_relayed,
                **{name: partial(self._start_emulator, name) for name in EMULATORS},
                **dict.fromkeys(far_store.PROFILES, self._start_far)}
            start.update(dict.fromkeys(LISTINGS, self._start_listings))
            start[server]()
        return self._endpoints[server]

    def warm(self, server: str, paths: Sequence[str]) -> None:
        """Request every path once, so that no client pays for the server's first access to a file."""
        if server not in ("plain", "tls", "delayed", *far_store.PROFILES):
            return
        port = port_of(self.endpoint("far-0" if server in far_store.PROFILES else "plain"))
        with socket.create_connection(("127.0.0.1", port)) as connection:
            reader = connection.makefile("rb")
            for start in range(0, len(paths), 50):
                some = paths[start:start + 50]
                connection.sendall(b"".join(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in some))
                for _ in some:
                    while reader.readline() not in (b"\r\n", b""):
                        pass

    def _spawn(self, command: list[str], port: int) -> None:
        with open(self.run / f"{Path(command[0]).name}.out", "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.run,
                                       env={**os.environ, "XDG_DATA_HOME": str(self.run)})
        self.processes.append(process)
        for _ in range(200):
            if process.poll() is not None:
                raise NoServer(f"{command[0]} ended at once: {Path(log.name).read_text()[-300:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise NoServer(f"{command[0]} did not listen within 10 s")

    def _start_plain(self) -> None:
        if not self.plain_server:
            raise NoServer("neither nginx nor caddy is installed; --install-peers gets caddy")
        port, tls_port = free_port(), free_port()
        self.ca_file = certificate.issue(self.run)
        common = {"run": self.run, "root": self.root, "bucket": BUCKET, "port": port, "tls_port": tls_port}
        if self.plain_server == "nginx":
            text = NGINX.format(**common, user=nginx_user(), digests=_digest_locations(), open_files=_open_files())
            arguments = ["-c", str(self.run / "plain.conf"), "-p", str(self.run)]
        else:
            text = CADDY.format(**common, tls=f"tls {self.run}/server.pem {self.run}/server.key")
            arguments = ["run", "--adapter", "caddyfile", "--config", str(self.run / "plain.conf")]
        (self.run / "plain.conf").write_text(text)
        self._spawn([envs.program(self.plain_server) or self.plain_server, *arguments], port)
        self._endpoints |= {"plain": f"http://127.0.0.1:{port}", "tls": f"https://127.0.0.1:{tls_port}"}

    def _start_rclone(self) -> None:
        rclone = envs.program("rclone")
        if rclone is None:
            raise NoServer("rclone is not installed; --install-peers installs it")
        port, keys = free_port(), Target("", "", "", "")
        self._spawn([rclone, "serve", "s3", "--config", os.devnull, "--auth-key",
                     f"{keys.access_key},{keys.secret_key}", "--addr", f"127.0.0.1:{port}",
                     "--vfs-cache-mode", "off", "--dir-cache-time", "1s", str(self.root)], port)
        self._endpoints["signed"] = f"http://127.0.0.1:{port}"

    def _start_delayed(self) -> None:
        target, port = str(port_of(self.endpoint("plain"))), free_port()
        proxy = str(Path(__file__).with_name("delay_proxy.py"))
        self._spawn([sys.executable, proxy, str(port), target, str(LATENCY)], port)
        self._endpoints["delayed"] = f"http://127.0.0.1:{port}"

    def _start_far(self) -> None:
        self._spawn_far("far", [name for name in far_store.PROFILES if name not in LISTINGS], None)

    def _start_listings(self) -> None:
        listing = self.run / "listing"
        far_store.write_listing(listing, (100_000, 1_000_000))
        self._spawn_far("listings", LISTINGS, listing)

    def _spawn_far(self, name: str, profiles: Sequence[str], listing: Path | None) -> None:
        """One nginx with a port for each profile."""
        nginx = envs.program("nginx")
        if nginx is None or far_store.modules() is None:
            raise NoServer("nginx and its Lua module (Debian: libnginx-mod-http-lua) are not installed")
        ports = {free_port(): profile for profile in profiles}
        configuration = self.run / f"{name}.conf"
        configuration.write_text(far_store.configuration(
            {port: far_store.PROFILES[profile] for port, profile in ports.items()},
            run=self.run, root=self.root, user=nginx_user(), listing=listing))
        self._spawn([nginx, "-c", str(configuration), "-p", str(self.run)], next(iter(ports)))
        self._endpoints |= {profile: f"http://127.0.0.1:{port}" for port, profile in ports.items()}

    def counters(self, server: str) -> dict[str, int]:
        """What a far store counted since the last call; empty for other servers."""
        return far_store.counters(port_of(self.endpoint(server))) if server in far_store.PROFILES else {}

    def _start_emulator(self, name: str) -> None:
        emulator, port = EMULATORS[name], free_port()
        try:
            command = emulator.command(port)
        except envs.Unavailable as error:
            raise NoServer(str(error)) from error
        self._spawn(command, port)
        endpoint = self._relay(name, port, emulator.settings, emulator.locations) + emulator.path
        emulator.create(endpoint, BUCKET)
        self._endpoints[name] = endpoint

    def _start_relayed(self) -> None:
        self.slow_down(UNPACED)

    def slow_down(self, pace: int) -> None:
        """Limit 'relayed' to a number of requests per second."""
        if self._paced is not None:
            self._paced.terminate()
            self._paced.wait(10)
            self.processes.remove(self._paced)
        port = port_of(self.endpoint("signed"))
        self._endpoints["relayed"] = self._relay("relayed", port, KEPT, pace=pace)
        self._paced = self.processes[-1]

    def _relay(self, name: str, target: int, settings: str, locations: str = "", pace: int = UNPACED) -> str:
        """The URL of an nginx that forwards requests to a port and keeps the clients' connections open."""
        nginx = envs.program("nginx")
        if nginx is None:
            raise NoServer("nginx is not installed, which stands before the emulators")
        port, configuration = free_port(), self.run / f"{name}.conf"
        configuration.write_text(RELAY.format(run=self.run, name=name, user=nginx_user(), port=port, target=target,
                                              settings=settings, locations=locations, pace=pace))
        self._spawn([nginx, "-c", str(configuration), "-p", str(self.run)], port)
        return f"http://127.0.0.1:{port}"
