"""Listings of a store that is far away, by default settings.

    python -m benchmarks.listings [--keys 1000000] [--latency 50] [--peers boto3,s3fs,obstore] [--exists 100000]

starts `listing_server` with that many keys and prints, for listing all of them: seconds, CPU seconds of the client,
requests, and peak memory. Each client runs in a process of its own, the alternatives in their environments
(`benchmarks --help`). Those that request one page after another list a tenth of the keys, and their times are
multiplied by ten: the alternatives, and `one by one`, which is cloudfiles with `num_threads=1`.

`exists` asks for the first keys, shuffled, as a list and as an iterator.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CLIENT = """
import itertools, json, random, resource, sys, time
port, what, count = sys.argv[1:4]
count = int(count)
url = f"http://127.0.0.1:{port}"

def cloudfiles(**options):
    from cloudfiles import CloudFiles
    secrets = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    return CloudFiles("s3://lists/", endpoint=url, secrets=secrets, **options)

def length(found):
    return sum(1 for _ in found)

def boto3():
    import boto3
    client = boto3.client("s3", endpoint_url=url, aws_access_key_id="key", aws_secret_access_key="secret",
                          region_name="us-east-1")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="lists", PaginationConfig={"MaxItems": count})
    return sum(len(page["Contents"]) for page in pages)

def s3fs():
    import s3fs
    system = s3fs.S3FileSystem(endpoint_url=url, key="key", secret="secret", client_kwargs={"region_name": "us-east-1"})
    return len(system.find("lists", prefix="0" * (9 - len(str(count - 1)))))

def obstore():
    from obstore.store import S3Store
    store = S3Store("lists", endpoint=url, access_key_id="key", secret_access_key="secret", region="us-east-1",
                    client_options={"allow_http": True})
    return sum(len(batch) for batch in itertools.islice(store.list(chunk_size=1000), -(-count // 1000)))

keys = [f"{number:09d}" for number in range(count)]
random.Random(1).shuffle(keys)
run = {
    "cloudfiles": lambda: length(itertools.islice(cloudfiles().list(), count)),
    "one by one": lambda: length(itertools.islice(cloudfiles(num_threads=1).list(), count)),
    "threads": lambda: length(itertools.islice(cloudfiles(green=False).list(), count)),
    "exists, list": lambda: sum(cloudfiles().exists(keys).values()),
    "exists, iterator": lambda: sum(cloudfiles().exists(iter(keys)).values()),
    "boto3": boto3, "s3fs": s3fs, "obstore": obstore,
}[what]
if what not in ("exists, list", "exists, iterator"):
    keys.clear()
started, cpu = time.perf_counter(), time.process_time()
found = run()
print(json.dumps({"found": found, "seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu,
                  "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""


@contextmanager
def listing_server(keys: int, latency: float) -> Iterator[int]:
    """A port at which that many keys are served."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.listing_server", str(port), str(keys), str(latency)])
    try:
        for _ in range(300):
            try:
                requests(port)
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def requests(port: int) -> int:
    """The requests since the last call."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/") as response:
        return int(response.read())


def measure(python: str, port: int, what: str, count: int) -> dict[str, float]:
    """Run one client; its results and the requests that the server has counted."""
    requests(port)
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "client.py")
        script.write_text(CLIENT)
        output = subprocess.run([python, script, str(port), what, str(count)], check=True, capture_output=True,
                                text=True).stdout
    found: dict[str, float] = json.loads(output)
    if found["found"] != count:
        raise SystemExit(f"{what}: found {found['found']} of {count} keys")
    return {**found, "requests": requests(port)}


def report(what: str, found: dict[str, float], times: int = 1) -> None:
    print(f"{what:20}{found['seconds'] * times:8.2f} s {found['cpu'] * times:8.2f} s CPU "
          f"{found['requests'] * times:6.0f} requests {found['rss']:6.0f} MB", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    from benchmarks.envs import Unavailable, python_for

    parser = argparse.ArgumentParser(prog="python -m benchmarks.listings", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000, help="a power of ten (1000000)")
    parser.add_argument("--exists", type=int, default=100_000, help="keys to ask for (100000)")
    parser.add_argument("--latency", type=float, default=50, help="ms to the first byte of a page (50)")
    parser.add_argument("--peers", default="boto3,s3fs,obstore", help="other clients, '' for none")
    options = parser.parse_args(arguments)
    with listing_server(options.keys, options.latency) as port:
        print(f"list {options.keys} keys, {options.latency:g} ms a page")
        for what in ("cloudfiles", "threads"):
            report(what, measure(sys.executable, port, what, options.keys))
        report("one by one", measure(sys.executable, port, "one by one", options.keys // 10), 10)
        for peer in filter(None, options.peers.split(",")):
            try:
                report(peer, measure(python_for(peer, None), port, peer, options.keys // 10), 10)
            except Unavailable as error:
                print(f"{peer}: {error}")
        print(f"exists of {options.exists} keys")
        for what in ("exists, list", "exists, iterator"):
            report(what, measure(sys.executable, port, what, options.exists))


if __name__ == "__main__":
    main()
