"""Listings of a store that is far away, by default settings, for keys of different shapes.

    python -m benchmarks.listings [--keys 1000000] [--latency 50] [--shapes digits,hexadecimal] [--calls list,exists]

starts a `far_store` with that many keys for each shape (`key_shapes.py`). For each call it prints the elapsed seconds,
the CPU seconds of the client, its requests and peak memory, and how many times as fast as `one by one` it is.

- `list` lists all keys. `one by one` is the same with `num_threads=1`, of which a tenth of the keys is measured.
- `exists` and `size` ask for the first `--asked` keys, shuffled, as a list and as an iterator. `one by one` is the time
  that the same number of pages takes one after another.

Each measurement runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import far_store
from benchmarks.key_shapes import SHAPES, keys
from benchmarks.runner import PROJECT
from benchmarks.servers import free_port

CLIENT = """
import itertools, json, random, resource, sys, time
from cloudfiles import CloudFiles

def peak_memory():  # MB; ru_maxrss includes that of the process from which this one was forked
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20
    with open("/proc/self/status") as file:
        return int(file.read().split("VmHWM:")[1].split()[0]) >> 10

port, call, count, listing, options = sys.argv[1:]
secrets = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
cf = CloudFiles("s3://lists/", endpoint=f"http://127.0.0.1:{port}", secrets=secrets, **json.loads(options))
count = int(count)
asked = []
if call != "list":
    with open(listing, encoding="utf-8") as file:
        asked = [line[:-1] for line in itertools.islice(file, count)]
    random.Random(1).shuffle(asked)
run = {"list": lambda: sum(1 for _ in itertools.islice(cf.list(), count)),
       "exists": lambda: sum(cf.exists(asked).values()),
       "exists, iterator": lambda: sum(cf.exists(iter(asked)).values()),
       "size": lambda: sum(size == 4096 for size in cf.size(asked).values()),
       "size, iterator": lambda: sum(size == 4096 for size in cf.size(iter(asked)).values())}[call]
started, cpu = time.perf_counter(), time.process_time()
found = run()
print(json.dumps({"found": found, "seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu,
                  "rss": peak_memory()}))
"""


@contextmanager
def listing_server(listing: Path, latency: float) -> Iterator[int]:
    """A port at which the keys of a file are listed, each page after `latency` milliseconds."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.far_store", "--port", str(port), "--latency", "0", "--objects", "0",
         "--list-latency", str(latency), "--listing", str(listing)], cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                far_store.counters(port)
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def measure(port: int, listing: Path, call: str, count: int, **options: int) -> dict[str, float]:
    """Run one client; its results and the requests that the server has counted."""
    far_store.counters(port)
    command = [sys.executable, "-c", CLIENT, str(port), call, str(count), str(listing), json.dumps(options)]
    done = subprocess.run(command, check=False, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(PROJECT)})
    if done.returncode:
        raise SystemExit(f"{call}: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    if found["found"] != count:
        raise SystemExit(f"{call}: found {found['found']} of {count} keys")
    return {**found, "requests": far_store.counters(port)["requests"]}


def report(shape: str, call: str, found: dict[str, float], slow: float, times: int = 1) -> None:
    seconds = found["seconds"] * times
    print(f"{shape:12} {call:17}{seconds:8.2f} s {found['cpu'] * times:7.2f} s CPU {found['requests'] * times:6.0f} "
          f"requests {found['rss']:5.0f} MB {slow / seconds:6.1f}", flush=True)


def measure_shape(shape: str, options: argparse.Namespace, listing: Path) -> None:
    listing.write_text("".join(f"{key}\n" for key in keys(shape, options.keys)), encoding="utf-8")
    with listing_server(listing, options.latency) as port:
        tenth = measure(port, listing, "list", options.keys // 10, num_threads=1)
        slow = 10 * tenth["seconds"]
        report(shape, "list, one by one", tenth, slow, times=10)
        for call in options.calls.split(","):
            if call == "list":
                report(shape, call, measure(port, listing, call, options.keys), slow)
            else:
                for each in (call, f"{call}, iterator"):
                    report(shape, each, measure(port, listing, each, options.asked),
                           slow * options.asked / options.keys)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listings", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000, help="of each shape (1000000)")
    parser.add_argument("--asked", type=int, default=100_000, help="keys to ask for (100000)")
    parser.add_argument("--latency", type=float, default=50, help="ms to the first byte of a page (50)")
    parser.add_argument("--shapes", default=",".join(SHAPES), help="(all)")
    parser.add_argument("--calls", default="list,exists,size", help="(all)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        for shape in options.shapes.split(","):
            measure_shape(shape, options, Path(directory, "keys"))


if __name__ == "__main__":
    main()
