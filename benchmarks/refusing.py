"""How long a batch takes with a store that is down for a while, or limits its rate: `python -m benchmarks.refusing`.

Runs in real time, on loopback: a server in its own process responds with 503, and processes get small objects.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\nETag: \"1\"\r\n\r\n" + b"x" * 64
REFUSED = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"
LATENCY = 0.005


class Store:
    """Rejects everything for `outage` seconds from the first request, then what exceeds `rate` (a token bucket)."""

    def __init__(self, outage: float, rate: float) -> None:
        self.began = 0.0
        self._outage = outage
        self._rate = rate
        self._tokens = rate / 10
        self._at = 0.0
        self.asked = self.refused = 0

    def takes(self) -> bool:
        now = time.monotonic()
        self.began = self.began or now
        self._tokens = min(self._rate / 10, self._tokens + self._rate * (now - (self._at or now)))
        self._at = now
        self.asked += 1
        if now - self.began < self._outage or self._tokens < 1:
            self.refused += 1
            return False
        self._tokens -= 1
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                answer = GOOD if self.takes() else REFUSED
                await asyncio.sleep(LATENCY)
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def run_store(outage: float, rate: float, pipe: Connection) -> None:
    async def main() -> None:
        store = Store(outage, rate)
        server = await asyncio.start_server(store.serve, "127.0.0.1", 0, backlog=1000)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)
        pipe.send((store.asked, store.refused))
        server.close()

    asyncio.run(main())


def run_client(port: int, count: int, workers: int | None) -> None:
    from cloudfiles import CloudFiles

    results = CloudFiles(f"http://127.0.0.1:{port}/", num_threads=workers).get([str(n) for n in range(count)])
    assert len(results) == count


def measure(outage: float, rate: float, count: int, workers: int | None, processes: int) -> tuple[float, int, int]:
    """Duration in seconds, number of requests, and number of rejected ones. workers: None for the default setting."""
    start = multiprocessing.get_context("spawn")
    ours, theirs = start.Pipe()
    server = start.Process(target=run_store, args=(outage, rate, theirs))
    server.start()
    port = ours.recv()
    began = time.monotonic()
    clients = [start.Process(target=run_client, args=(port, count // processes, workers)) for _ in range(processes)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
        assert client.exitcode == 0
    seconds = time.monotonic() - began
    ours.send(None)
    asked, refused = ours.recv()
    server.join()
    return seconds, asked, refused


CASES: dict[str, tuple[float, Callable[[], tuple[float, int, int]]]] = {
    "work": (0.0, lambda: measure(0, 1e9, 5000, 200, 1)),
    "outage-12": (12.0, lambda: measure(12, 1e9, 5000, 200, 1)),
    "outage-60": (60.0, lambda: measure(60, 1e9, 5000, 200, 1)),
    "rate-200": (40.0, lambda: measure(0, 200, 8000, 50, 4)),
    "rate-1000": (20.0, lambda: measure(0, 1000, 20_000, 200, 1)),
    "default-1000": (20.0, lambda: measure(0, 1000, 20_000, None, 1)),
    "default-1000-4": (20.0, lambda: measure(0, 1000, 20_000, None, 4)),
}
"""The shortest possible duration in seconds, without the work itself, and the run."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.refusing",
                                     description="Batches at a store that is down, or limits its rate, in real time.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"what to measure (all): {', '.join(CASES)}")
    names = parser.parse_args().cases or list(CASES)
    if unknown := set(names) - set(CASES):
        parser.error(f"unknown case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    for name in names:
        least, run = CASES[name]
        seconds, asked, refused = run()
        print(f"{name}: {seconds:.1f} s (at least {least:.0f} and the work), "
              f"{refused} of {asked} requests refused ({refused / asked:.1%})", flush=True)


if __name__ == "__main__":
    main()
