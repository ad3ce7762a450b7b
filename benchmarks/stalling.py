"""How long a batch takes with a store on which some requests stall: `python -m benchmarks.stalling [--threads]`.

Runs in real time, on loopback: `far_store` responds after 20 ms, but to one request in 200 after 5 s more. A process
gets 5 000 small objects with default settings, then with `hedge=False`.
"""

from __future__ import annotations

import multiprocessing
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection

from benchmarks import far_store

COUNT = 5000
LATENCY = 20  # ms
STALL = 5  # seconds
SHARE = 0.005


def run_client(port: int, hedge: bool, green: bool | None, pipe: Connection) -> None:
    from cloudfiles import CloudFiles

    cf = CloudFiles(f"http://127.0.0.1:{port}/{far_store.BUCKET}/get-4096/", hedge=hedge, green=green)
    paths = [f"{number:07d}" for number in range(COUNT)]
    began = time.monotonic()
    results = cf.get(paths)
    pipe.send(time.monotonic() - began)
    assert all(len(each["content"]) == 4096 for each in results)


def wait_for(port: int) -> None:
    """Wait until the server answers."""
    for _ in range(100):
        try:
            far_store.counters(port)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not start")


def measure(share: float, hedge: bool = True, green: bool | None = None) -> tuple[float, int, int]:
    """Duration in seconds, number of requests, and number of those that stalled."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ["--port", port, "--latency", LATENCY, "--stalls", share, "--stall-seconds", STALL, "--objects", COUNT]
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.far_store", *map(str, arguments)],
                              stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        ours, theirs = multiprocessing.Pipe()
        client = multiprocessing.get_context("spawn").Process(target=run_client, args=(port, hedge, green, theirs))
        client.start()
        client.join()
        assert client.exitcode == 0
        counted = far_store.counters(port)
    finally:
        server.terminate()
        server.wait()
    return ours.recv(), counted["requests"], counted["stalled"]


def main() -> None:
    green = False if "--threads" in sys.argv else None
    plain, _, _ = measure(0.0, green=green)
    print(f"without stalls: {plain:.2f} s", flush=True)
    for hedge in (True, False):
        seconds, requests, stalled = measure(SHARE, hedge, green)
        print(f"{stalled} of {requests} requests stall for {STALL} s, hedge={hedge}: {seconds:.2f} s "
              f"(wanted: at most {1.5 * plain + 1:.2f} s)", flush=True)


if __name__ == "__main__":
    main()
