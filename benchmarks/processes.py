"""What `parallel=` costs the program, its workers and the server, each by itself: `python -m benchmarks.processes`.

On a machine with few cores, of which the server needs a part, the rate says little. The CPU time that the program
itself spends per object limits how many objects it can take over per second, and the time that a worker spends,
divided by it, is the number of workers that it can keep busy if each has a core of its own. Linux only.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import data
from benchmarks.clients.ours import place
from benchmarks.servers import Servers
from cloudfiles import CloudFiles, close_workers

SIZES = {4096: 14000, 65536: 4000}
"""The number of objects of each size."""


@dataclass(frozen=True)
class Sample:
    """One batch; CPU times in microseconds per object."""

    rate: float
    program: float
    workers: float
    server: float


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of all threads of these processes so far."""
    nanoseconds = 0
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # the thread has ended
                nanoseconds += int(file.read_text().split()[0])
    return nanoseconds / 1e9


def children(parent: int) -> set[int]:
    """The processes that a process has started."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(file.read_text().rpartition(")")[2].split()[1]) == parent:
                found.add(int(file.parent.name))
    return found


def measured(batch: Callable[[], object], count: int, servers: set[int]) -> Sample:
    """The costs of a batch."""
    workers = children(os.getpid()) - servers
    nginx = {child for server in servers for child in children(server)}
    before = time.process_time(), cpu_seconds(workers), cpu_seconds(nginx), time.perf_counter()
    result = batch()
    after = time.process_time(), cpu_seconds(workers), cpu_seconds(nginx), time.perf_counter()
    del result
    program, own, served, seconds = (late - early for late, early in zip(after, before, strict=True))
    return Sample(count / seconds, *(1e6 * cpu / count for cpu in (program, own, served)))


def batches(servers: Servers, size: int, count: int) -> dict[str, Callable[[int], object]]:
    """For each verb a batch over a number of processes, with default settings."""
    keys = data.names(count)
    contents = [(key, data.body(key, size)[:-7] + key.encode()) for key in keys]  # all different, as usual
    directory = servers.bucket / f"get-{size}"
    directory.mkdir()
    for key, content in contents:
        (directory / key).write_bytes(content)
    reads, writes = (CloudFiles(**place(servers.target("plain", prefix))) for prefix in (f"get-{size}", "put"))

    def get(processes: int) -> object:
        found = reads.get(keys, parallel=processes)
        if [each["content"] for each in found[::97]] != [content for _, content in contents[::97]]:
            raise SystemExit("the contents differ")
        return found

    return {"get": get, "put": lambda processes: writes.puts(contents, parallel=processes)}


def first_batch(batch: Callable[[int], object], processes: int) -> float:
    """Seconds for a batch that starts its worker processes."""
    close_workers()
    began = time.perf_counter()
    batch(processes)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processes",
                                     description="The CPU time of parallel=: program, workers and server.")
    parser.add_argument("--processes", default="1,2,4", help="the numbers to compare (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds; the median is printed (default: %(default)s)")
    arguments = parser.parse_args()
    numbers = [int(number) for number in arguments.processes.split(",")]
    titles = ("batch", "processes", "objects/s", "program, us", "workers, us", "server, us", "keeps busy", "first, s")
    print(f"| {' | '.join(titles)} |\n|---|{'---:|' * 7}")
    with Servers() as servers:
        servers.endpoint("plain")
        pids = {process.pid for process in servers.processes}
        for size, count in SIZES.items():
            for verb, batch in batches(servers, size, count).items():
                batch(1)
                first = {number: first_batch(batch, number) for number in numbers}
                samples: dict[int, list[Sample]] = {number: [] for number in numbers}
                for _ in range(arguments.rounds):
                    for number in numbers:
                        samples[number].append(measured(lambda: batch(number), count, pids))  # noqa: B023
                for number in numbers:
                    report(f"{verb} {size >> 10} KiB", number, samples[number], first[number])
    close_workers()


def report(name: str, processes: int, samples: list[Sample], first: float) -> None:
    """Print a line with the medians."""
    rate, program, workers, server = (median(getattr(sample, field) for sample in samples)
                                      for field in ("rate", "program", "workers", "server"))
    figures = [f"{rate:,.0f}", f"{program:.1f}", "", f"{server:.1f}", "", f"{first:.2f}"]
    if processes > 1:
        figures[2], figures[4] = f"{workers:.1f}", f"{workers / program:.0f}"
    print(f"| {name} | {processes} | {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
