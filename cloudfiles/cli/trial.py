"""One trial of a store: objects put, asked for, got, listed and deleted again, each batch timed and checked."""

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
"""Contents kept in memory at once, but for a single object that has more."""

_SINGLES = 200
"""Objects that are got one after the other, to see how long one takes."""

Bar = Callable[[str, int], Any]


class WrongAnswerError(CloudFilesError):
    """The store answered, but not with what was put there."""


@dataclass
class Measurement:
    """What one operation took.

    Attributes:
        seconds: by the clock, of the batches alone: contents are made and compared outside of it.
        cpu: seconds that this process spent, all threads together.
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
class Trial:
    """The objects of a trial below `cf`, a prefix of their own.

    Attributes:
        begun: how many of them may have been put already.
        bar: draws progress: called with an operation and its number of objects, gives a tqdm.
    """

    cf: CloudFiles
    objects: int
    size: int
    bar: Bar
    begun: int = 0
    _block: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._block = os.urandom(self.size)

    def path(self, number: int) -> str:
        return f"{number:08d}"

    def content(self, number: int) -> bytes:
        """Of each object another, as long as its size leaves room for its number."""
        return (number.to_bytes(8, "little") + self._block[8:])[:self.size]

    def batches(self) -> Iterator[range]:
        """The objects' numbers, as many at a time as may be kept in memory."""
        step = max(1, min(_BATCH_OBJECTS, _BATCH_BYTES // max(1, self.size)))
        return (range(at, min(at + step, self.objects)) for at in range(0, self.objects, step))

    # ---- operations

    def run(self) -> Iterator[Measurement]:
        """Every operation in turn. Raises WrongAnswerError where a store is not true to what was put."""
        self._begin()
        yield from map(self._measured, (self.put, self.exists, self.get, self.list, self.delete))

    def _begin(self) -> None:
        """Put the first object: credentials and connection are then found, or the trial ends here with nothing put."""
        self.begun = 1
        try:
            self.cf.put(self.path(0), self.content(0))
        except CloudFilesError as error:
            if not isinstance(error, TransportError) or getattr(error, "nothing_sent", False):
                self.begun = 0  # surely nothing to remove: do not try to, on a store that does not work
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

    # ---- besides

    def latencies(self) -> Sequence[float]:
        """Seconds that single gets take, one after the other, sorted."""
        seconds = []
        for number in range(min(_SINGLES, self.objects)):
            began = time.perf_counter()
            content = self.cf.get(self.path(number))
            seconds.append(time.perf_counter() - began)
            _expect(content == self.content(number), f"get: {self.path(number)} has different content than was put")
        return sorted(seconds)

    def paths(self) -> Collection[str]:
        return [self.path(number) for number in range(self.begun)]

    def clean_up(self) -> None:
        """Remove what is left: nothing, unless the trial broke off."""
        if self.begun:
            self.cf.delete(self.paths(), progress=False)


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise WrongAnswerError(otherwise)
