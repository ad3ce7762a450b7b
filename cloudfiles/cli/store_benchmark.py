"""A benchmark of one store: objects are put, looked up, read, listed and deleted; each batch is timed and checked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cloudfiles import CloudFiles
from cloudfiles.exceptions import CloudFilesError, TransportError

_BATCH_BYTES, _BATCH_OBJECTS = 256 << 20, 100_000
"""Limits of a batch, whose contents are in memory; a larger object is a batch of its own."""

_SINGLE_GETS = 200
"""Objects that are read one after the other, for the latency."""

ProgressBar = Callable[[str, int], Any]
"""Called with an operation and its number of objects; returns a tqdm."""


class WrongResultError(CloudFilesError):
    """The store returned something else than was put there."""


@dataclass
class Measurement:
    """The duration of one operation.

    Attributes:
        seconds: elapsed time of the batches, without the time to create and compare contents.
        cpu: CPU seconds of this process, all threads together.
    """

    operation: str
    objects: int = 0
    bytes: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        cpu, began = time.process_time(), time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began
        self.cpu += time.process_time() - cpu

    def as_dict(self) -> dict[str, Any]:
        return {
            "operation": self.operation, "objects": self.objects, "bytes": self.bytes,
            "seconds": round(self.seconds, 6), "objects_per_second": round(self.objects / self.seconds, 1),
            "megabytes_per_second": round(self.bytes / self.seconds / 1e6, 3),
            "cpu_microseconds_per_object": round(self.cpu / self.objects * 1e6, 2),
        }


@dataclass
class StoreBenchmark:
    """Operations on objects below `cf`, which holds nothing else.

    Attributes:
        objects: number of objects.
        size: of each, in bytes.
        bar: creates a progress bar.
        begun: number of objects that may exist.
    """

    cf: CloudFiles
    objects: int
    size: int
    bar: ProgressBar
    begun: int = 0
    _block: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._block = os.urandom(self.size)

    def path(self, number: int) -> str:
        return f"{number:08d}"

    def content(self, number: int) -> bytes:
        """Different for each object whose size has room for its number."""
        return (number.to_bytes(8, "little") + self._block[8:])[:self.size]

    def batches(self) -> Iterator[range]:
        """The numbers of the objects, batch by batch."""
        step = max(1, min(_BATCH_OBJECTS, _BATCH_BYTES // max(1, self.size)))
        return (range(at, min(at + step, self.objects)) for at in range(0, self.objects, step))

    # ---- operations

    def run(self) -> Iterator[Measurement]:
        """Run every operation in turn. Raises WrongResultError if the store returns something else than was put."""
        self._begin()
        yield from map(self._measured, (self.put, self.exists, self.get, self.list, self.delete))

    def _begin(self) -> None:
        """Put the first object, to find credentials and a connection, or fail before anything else is stored."""
        self.begun = 1
        try:
            self.cf.put(self.path(0), self.content(0))
        except CloudFilesError as error:
            if not isinstance(error, TransportError) or getattr(error, "nothing_sent", False):
                self.begun = 0  # nothing was stored: do not try to remove it from a store that does not work
            raise

    def _measured(self, operation: Callable[[Measurement, Any], None]) -> Measurement:
        measurement = Measurement(operation.__name__)
        with self.bar(measurement.operation, self.objects) as bar:
            operation(measurement, bar)
        measurement.objects = self.objects
        return measurement

    def put(self, measurement: Measurement, bar: Any) -> None:
        for numbers in self.batches():
            files = [(self.path(number), self.content(number)) for number in numbers]
            self.begun = numbers.stop
            with measurement.timed():
                self.cf.puts(files, progress=bar)
        measurement.bytes = self.objects * self.size

    def exists(self, measurement: Measurement, bar: Any) -> None:
        for numbers in self.batches():
            paths = [self.path(number) for number in numbers]
            with measurement.timed():
                answers = self.cf.exists(paths, progress=bar)
            _expect(all(answers[path] for path in paths), "exists: returned False for an object that was put")
        _expect(not self.cf.exists("missing"), "exists: returned True for an object that was never put")

    def get(self, measurement: Measurement, bar: Any) -> None:
        for numbers in self.batches():
            paths = [self.path(number) for number in numbers]
            with measurement.timed():
                results = self.cf.get(paths, progress=bar)
            for number, result in zip(numbers, results, strict=True):
                _expect(result["content"] == self.content(number), f"get: {result['path']} has different content than "
                                                                   "was put")
        measurement.bytes = self.objects * self.size

    def list(self, measurement: Measurement, bar: Any) -> None:
        with measurement.timed():
            paths = list(self.cf.list())
        bar.update(len(paths))
        _expect(sorted(paths) == [self.path(number) for number in range(self.objects)],
                f"list: returned {len(paths)} paths that do not match the {self.objects} objects put")

    def delete(self, measurement: Measurement, bar: Any) -> None:
        paths = self.paths()
        with measurement.timed():
            self.cf.delete(paths, progress=bar)
        _expect(not any(self.cf.exists(paths).values()), "delete: a deleted object still exists")
        self.begun = 0

    # ---- latency and cleanup

    def latencies(self) -> Sequence[float]:
        """The durations of single gets, one after the other, in seconds, sorted."""
        seconds = []
        for number in range(min(_SINGLE_GETS, self.objects)):
            began = time.perf_counter()
            content = self.cf.get(self.path(number))
            seconds.append(time.perf_counter() - began)
            _expect(content == self.content(number), f"get: {self.path(number)} has different content than was put")
        return sorted(seconds)

    def paths(self) -> Collection[str]:
        return [self.path(number) for number in range(self.begun)]

    def clean_up(self) -> None:
        """Remove the objects that may exist: none after a complete run."""
        if self.begun:
            self.cf.delete(self.paths(), progress=False)


def _expect(correct: bool, message: str) -> None:
    if not correct:
        raise WrongResultError(message)
