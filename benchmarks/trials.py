"""One measurement in its own process: warm up, run against the clock, check the results.

A trial is adjusted to the client. After two warm-ups (the first opens connections, the second
determines the rate), the batch is reduced to what fits into the time given, so that a client at 600
requests/s does not get a batch that was made for one at 40 000.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import data
from benchmarks.clients.base import Client, Items, Tally, Target
from benchmarks.far_store import LISTED
from benchmarks.stored import held

STREAMED = 1000  # objects that a stream cycles through
FEWEST = 200  # operations in a timed batch, however slow the client
PAIRED = 500  # gets per alternating batch


@dataclass(frozen=True)
class Job:
    """A measurement that the runner requests from a measuring process."""

    client: str
    verb: str
    target: Target
    count: int  # operations at most
    size: int  # bytes of an object
    grouped: bool = False  # use names of `data.grouped`
    fresh: bool = False  # no warm-up: the first batch of the process is measured, connections and all

    def names(self) -> list[str]:
        return data.grouped(self.count) if self.grouped else data.names(self.count)


class Mismatch(Exception):  # noqa: N818 -- a result, not a fault
    """The results, or the objects on the server, are wrong."""


class Trial:
    """`prepare`, then `run` against the clock, then `check`."""

    operations: int
    volume = 0  # bytes transferred

    def __init__(self, client: Client, job: Job) -> None:
        self.client = client
        self.job = job
        self.directory = Path(job.target.directory)

    def prepare(self) -> None:
        """Warm up and prepare what `run` needs."""

    def run(self) -> Any:
        raise NotImplementedError

    def check(self, result: Any) -> None:
        """Raise Mismatch if a result is wrong."""

    def tallies(self) -> dict[str, Tally]:
        """Results by the name of their row, for a trial that measures several things."""
        return {}

    def pace(self, function: Callable[[Sequence[Any]], Any], items: Sequence[Any]) -> int:
        """Warm up with some of `items`; return how many to use."""
        if self.job.fresh:
            return len(items)
        assert self.job.target.connections is not None
        first = min(2 * self.job.target.connections, len(items) // 4)
        second = min(5 * first, len(items) // 2)
        function(items[:first])
        started = time.perf_counter()
        function(items[first:first + second])
        rate = second / (time.perf_counter() - started)
        return max(min(FEWEST, len(items)), min(len(items), int(rate * self.job.target.seconds)))


def compare(key: str, found: Any, wanted: bytes) -> None:
    """Length and content."""
    if found is None or len(found) != len(wanted):
        raise Mismatch(f"{key}: {len(wanted)} bytes expected, {'nothing' if found is None else len(found)} came")
    if memoryview(found).cast("B") != memoryview(wanted):
        raise Mismatch(f"{key}: the content differs")


class Get(Trial):
    def fetch(self, keys: Sequence[str]) -> Any:
        return self.client.get(keys)

    def wanted(self, key: str) -> bytes:
        return data.body(key, self.job.size)

    def prepare(self) -> None:
        self.keys = self.job.names()
        if not self.client.name.startswith("wrk"):
            self.keys = self.keys[:self.pace(self.fetch, self.keys)]
        self.operations = len(self.keys)
        self.volume = self.operations * self.job.size

    def run(self) -> Any:
        return self.fetch(self.keys)

    def check(self, result: Any) -> None:
        bodies = list(self.client.bodies(result, self.keys))
        if len(bodies) != len(self.keys):
            raise Mismatch(f"{len(self.keys)} objects asked for, {len(bodies)} came")
        for key, found in zip(self.keys, bodies, strict=True):
            compare(key, found, self.wanted(key))


class GetDecoded(Get):
    def fetch(self, keys: Sequence[str]) -> Any:
        return self.client.get_decoded(keys)

    def wanted(self, key: str) -> bytes:
        return data.document(key, self.job.size)


class GetRecorded(Get):
    """Alternate batches with and without a recording in one process: two processes differ by more than its cost.

    Results are checked and dropped after each batch; otherwise every garbage collection would traverse them.
    """

    def run(self) -> None:
        self.samples: dict[str, list[Tally]] = {self.client.name: [], f"{self.client.name}, recording": []}
        self.paired = min(PAIRED, len(self.keys))
        for turn in range(0, len(self.keys) - self.paired + 1, self.paired):
            keys = self.keys[turn:turn + self.paired]
            ways = [self.client.get, self.client.get_recorded]
            pairs = list(zip(self.samples, ways, strict=True))
            for name, way in pairs if turn // self.paired % 2 else reversed(pairs):
                self._compare(keys, self._timed(name, way, keys))

    def _timed(self, name: str, way: Callable[[Sequence[str]], Any], keys: Sequence[str]) -> Any:
        cpu, started = time.process_time(), time.perf_counter()
        result = way(keys)
        self.samples[name].append(Tally(len(keys), time.perf_counter() - started, time.process_time() - cpu))
        return result

    def _compare(self, keys: Sequence[str], fetched: Any) -> None:
        for key, found in zip(keys, self.client.bodies(fetched, keys), strict=True):
            compare(key, found, self.wanted(key))

    def check(self, result: Any) -> None:
        """Done after each batch."""

    def tallies(self) -> dict[str, Tally]:
        """The median batch, so that disturbed ones do not count."""
        return {name: Tally(self.paired, median(tally.seconds for tally in some), median(tally.cpu for tally in some))
                for name, some in self.samples.items()}


class Put(Trial):
    def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        items = [(key, data.body(key, self.job.size)) for key in self.job.names()]
        if self.client.name.startswith("wrk"):
            self.items = items
        else:
            self.items = items[:self.pace(self._put_blanks, items)]
        self.staged = self.client.stage(self.items)
        self.operations = len(self.items)
        self.volume = self.operations * self.job.size

    def _put_blanks(self, items: Items) -> None:
        """Remove what the warm-up wrote."""
        self.client.put(self.client.stage([(key, bytes(len(content))) for key, content in items]))

    def run(self) -> Any:
        return self.client.put(self.staged)

    def check(self, result: Any) -> None:
        with held(self.job.target) as read:
            for key, wanted in self.items:
                compare(key, read(key), wanted)


class Exists(Trial):
    """Every requested key exists."""

    def asked(self) -> list[str]:
        return self.job.names()

    def prepare(self) -> None:
        keys = self.asked()
        self.keys = keys[:self.pace(self.client.exists, keys)]
        self.operations = len(self.keys)

    def run(self) -> Any:
        return self.client.exists(self.keys)

    def check(self, result: Any) -> None:
        wanted = [not key.endswith("-absent") for key in self.keys]
        if list(result) != wanted:
            raise Mismatch("exists: wrong answers")


class Size(Exists):
    """On a far store's listing, where every object has the same size."""

    def run(self) -> Any:
        return self.client.size(self.keys)

    def check(self, result: Any) -> None:
        if list(result) != [LISTED] * len(self.keys):
            raise Mismatch("size: wrong answers")


class ExistsEach(Exists):
    """One request per key, although a listing could answer."""

    def run(self) -> Any:
        return self.client.exists_each(self.keys)


class ExistsSparse(Exists):
    """One key in fifty of those under the prefix, and as many missing ones."""

    def asked(self) -> list[str]:
        return [name for key in self.job.names()[::50] for name in (key, key + "-absent")]


class List(Trial):
    def prepare(self) -> None:
        if not self.job.fresh:
            self.client.list()
        self.operations = self.job.count

    def run(self) -> Any:
        return self.client.list()

    def check(self, result: Any) -> None:
        if sorted(str(name).rsplit("/", 1)[-1] for name in result) != self.job.names():
            raise Mismatch(f"list: {self.job.count} names expected, {len(result)} came, or other ones")


class Delete(Trial):
    def prepare(self) -> None:
        warm, self.keys = data.names(40), data.names(self.job.count, start=40)
        self.directory.mkdir(parents=True, exist_ok=True)
        for key in warm + self.keys:
            (self.directory / key).write_bytes(b"x")
        time.sleep(1.5)  # the server keeps directory listings for a second
        self.client.delete(warm)
        self.operations = len(self.keys)

    def run(self) -> Any:
        return self.client.delete(self.keys)

    def check(self, result: Any) -> None:
        left = len(list(self.directory.iterdir())) if self.directory.exists() else 0
        if left:
            raise Mismatch(f"delete: {left} of {len(self.keys)} objects are still there")


class GetBig(Trial):
    """One large object, without a warm-up."""

    def prepare(self) -> None:
        self.key = self.job.names()[0]
        self.operations, self.volume = 1, self.job.size

    def run(self) -> Any:
        return self.client.get_big(self.key)

    def check(self, result: Any) -> None:
        found = result if result is not None else next(iter(self.client.bodies(None, [self.key])))
        compare(self.key, found, data.body(self.key, self.job.size))


class PutBig(Trial):
    def prepare(self) -> None:
        self.key = self.job.names()[0]
        self.content = data.body(self.key, self.job.size)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.staged = self.client.stage([(self.key, self.content)])[0]
        self.operations, self.volume = 1, self.job.size

    def run(self) -> Any:
        return self.client.put_big(*self.staged)

    def check(self, result: Any) -> None:
        path = self.directory / self.key
        compare(self.key, path.read_bytes() if path.exists() else None, self.content)
        shutil.rmtree(self.directory)


class Stream(Trial):
    """Keys from a generator, results counted and dropped; the memory is measured."""

    def prepare(self) -> None:
        self.names = data.names(STREAMED)
        for _ in self.client.stream(self.names[:100]):
            pass
        self.operations = self.job.count

    def run(self) -> Any:
        names = self.names
        return sum(len(body) for body in self.client.stream(names[i % len(names)] for i in range(self.job.count)))

    def check(self, result: Any) -> None:
        if result != self.job.count * self.job.size:
            raise Mismatch(f"stream: {self.job.count * self.job.size} bytes expected, {result} came")
