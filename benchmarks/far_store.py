"""Stores that are far away: nginx with its Lua module, which answers after a delay.

    python -m benchmarks.far_store --latency 20 --port 9000 [--connect 20] [--list-latency 100] [--bandwidth 50]
                                   [--rate 1000] [--stalls 0.005 --stall-seconds 5] [--keys 100000 | --listing FILE]

serves until it is interrupted. All objects are in bucket `bench`: `get-4096/0000000` and so on can be read
(`--objects`, `--size`), and `put...` written. Bucket `lists` has the keys of a listing, for LIST, HEAD and GET.
`/-/PORT` answers with counters, and sets them to zero.

Latency is the time to the first byte of a response; the first response on a connection takes `--connect` longer, as if
opening it had taken that. Bandwidth is shared by all connections, each direction by itself.
"""

from __future__ import annotations

import argparse
import http.client
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import data

MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules",
           "/usr/local/lib/nginx/modules", "/usr/local/libexec/nginx")
HEADERS = 300  # bytes of a message besides its body, as far_store.lua counts them on a narrow link
BUCKET = "bench"  # the bucket of all other objects

NGINX = """
load_module {modules}/ndk_http_module.so; load_module {modules}/ngx_http_lua_module.so;
daemon off; worker_processes 1; pid {run}/far.pid; error_log {run}/far.log warn; {user}
events {{ worker_connections 8192; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600s;
  types {{ }} default_type application/octet-stream; client_max_body_size 0; client_body_buffer_size 64k;
  open_file_cache max={open_files} inactive=3600s; open_file_cache_valid 3600s;
  client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fastcgi;
  uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
  map $request_method $put_etag {{ PUT '"00000000000000000000000000000000-1"'; }}
  lua_package_path "{here}/?.lua;;"; lua_max_running_timers 4096;
  init_by_lua_block {{ far = require "far_store"
    {profiles} }}
  {servers}
}}
"""
SERVER = """
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {root}; etag off;
    log_by_lua_block {{ far.leave() }}
    location / {{ access_by_lua_block {{ far.arrive() }} {content} }}
    location /{bucket}/put {{
      access_by_lua_block {{ far.arrive() }}
      open_file_cache off; dav_methods PUT DELETE; create_full_put_path on; add_header ETag $put_etag;
    }}
    location ~ ^/lists(/|$) {{
      access_by_lua_block {{ far.arrive_listing() }}
      content_by_lua_block {{ far.lists() }}
    }}
    location /-/ {{ content_by_lua_block {{ far.counters() }} log_by_lua_block {{ }} }}
  }}
"""


@dataclass(frozen=True)
class Profile:
    """How one port behaves."""

    latency: float = 0.0  # seconds to the first byte of a response
    connect: float | None = None  # seconds that a new connection takes; None: as long as a response
    list_latency: float | None = None  # seconds to the first byte of a page; None: as any response
    bandwidth: float = 0.0  # bytes per second, all connections together, each direction by itself; 0: unlimited
    rate: float = 0.0  # requests per second, above which it answers 503; 0: unlimited
    stalls: float = 0.0  # the share of requests that take `stall` longer
    stall: float = 5.0  # seconds

    def as_lua(self) -> str:
        connect = self.latency if self.connect is None else self.connect
        listing = self.latency if self.list_latency is None else self.list_latency
        values = {**asdict(self), "connect": connect, "list_latency": listing}
        return "{" + ", ".join(f"{name} = {value:g}" for name, value in values.items()) + "}"


NARROW = 50 * 125_000  # bytes per second
THROTTLED = 1000.0  # requests per second
LISTS = "lists"  # the bucket of the listing
LISTED = 4096  # bytes of each object in it, as in far_store.lua
PROFILES = {
    **{f"far-{latency}": Profile(latency / 1000) for latency in (0, 5, 20, 50, 100)},
    "far-narrow": Profile(0.02, bandwidth=NARROW),
    "far-throttled": Profile(0.02, rate=THROTTLED),
    "far-stalls": Profile(0.02, stalls=0.005),
    "far-listing-0": Profile(),
    "far-listing-50": Profile(0.05),
    "far-listing-100": Profile(0.1),
}


def modules() -> str | None:
    """The directory of nginx's Lua module, or None if it is not installed."""
    return next((path for path in MODULES if Path(path, "ngx_http_lua_module.so").exists()), None)


def configuration(profiles: Mapping[int, Profile], *, run: Path, root: Path, user: str, listing: Path | None) -> str:
    """The text of nginx.conf, with one port per profile."""
    declared = [f"far.profile({port}, {profile.as_lua()})" for port, profile in profiles.items()]
    if listing is not None:
        declared.append(f'far.keys("{listing}")')
    servers = [SERVER.format(port=port, root=root, bucket=BUCKET,
                             content="content_by_lua_block { far.send() }" if profile.bandwidth else "")
               for port, profile in profiles.items()]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return NGINX.format(modules=modules(), run=run, user=user, here=Path(__file__).resolve().parent,
                        profiles="\n    ".join(declared), servers="".join(servers),
                        open_files=max(100, min(20_000, limit - 5000)))


def listed_prefix(count: int) -> str:
    """The prefix in the listing with that many keys."""
    return f"digits-{count}"


def write_listing(path: Path, counts: Sequence[int]) -> None:
    """The keys of `data.names` below the prefix of each count, one per line in byte order."""
    with open(path, "w") as file:
        for count in sorted(counts, key=listed_prefix):
            file.writelines(f"{listed_prefix(count)}/{name}\n" for name in data.names(count))


def counters(port: int) -> dict[str, int]:
    """What a port counted since the last call: requests, refused, stalled, connections, peak_connections, ..."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", f"/-/{port}")
        found: dict[str, int] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.far_store", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--latency", type=float, default=20, help="ms to the first byte (20)")
    parser.add_argument("--connect", type=float, help="ms more for the first response of a connection (as --latency)")
    parser.add_argument("--list-latency", type=float, help="ms to the first byte of a page (as --latency)")
    parser.add_argument("--bandwidth", type=float, default=0, help="Mbit/s, all connections together")
    parser.add_argument("--rate", type=float, default=0, help="requests/s; 503 above")
    parser.add_argument("--stalls", type=float, default=0, help="the share of requests that stall, such as 0.005")
    parser.add_argument("--stall-seconds", type=float, default=5)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--size", type=int, default=4096, help="bytes of each object")
    parser.add_argument("--keys", type=int, default=0, help="number of keys in bucket lists: 000000000, 000000001, ...")
    parser.add_argument("--listing", type=Path, help="a file with its keys instead, one per line, in byte order")
    return parser.parse_args()


def milliseconds(value: float | None) -> float | None:
    return None if value is None else value / 1000


def serve(options: argparse.Namespace, base: Path) -> None:
    from benchmarks.servers import nginx_user

    run, root = base / "run", base / "root"
    run.mkdir()
    data.write_tree(root / BUCKET / f"get-{options.size}", data.names(options.objects),
                    lambda key: data.pieces(key, options.size))
    listing = options.listing.resolve() if options.listing else None
    if options.keys:
        listing = run / "keys"
        listing.write_text("".join(f"{number:09d}\n" for number in range(options.keys)))
    profile = Profile(latency=options.latency / 1000, connect=milliseconds(options.connect),
                      list_latency=milliseconds(options.list_latency), bandwidth=options.bandwidth * 125_000,
                      rate=options.rate, stalls=options.stalls, stall=options.stall_seconds)
    text = configuration({options.port: profile}, run=run, root=root, user=nginx_user(), listing=listing)
    (run / "far.conf").write_text(text)
    print(f"s3://http://127.0.0.1:{options.port}/{BUCKET}/get-{options.size}/ and .../put/, .../lists/", flush=True)
    process = subprocess.Popen(["nginx", "-c", str(run / "far.conf"), "-p", str(run)])
    try:
        process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    import signal

    from benchmarks.servers import scratch_root

    if modules() is None:
        raise SystemExit("nginx's Lua module is not installed (Debian: libnginx-mod-http-lua)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    base = scratch_root()
    with tempfile.TemporaryDirectory(dir=base.parent, prefix="cloudfiles-far-") as directory:
        base.rmdir()
        serve(parse(), Path(directory))


if __name__ == "__main__":
    main()
