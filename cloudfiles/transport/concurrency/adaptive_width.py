"""The number of workers of batches that was not given: found by a controller for each origin, shared by its batches."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from cloudfiles.inputs import environment_count
from cloudfiles.runtime.descriptors import (
    descriptor_limit,
    is_descriptor_shortage,
    process_descriptors,
    with_descriptor,
)
from cloudfiles.transport.body_memory import process_body_memory
from cloudfiles.transport.traffic import Traffic, traffic_of
from cloudfiles.values import NamedTuple

if TYPE_CHECKING:
    from cloudfiles.runtime.contract import Runtime
    from cloudfiles.transport.concurrency.controller import ConcurrencyController
    from cloudfiles.transport.rate_limit.limiter import Limiter
    from cloudfiles.transport.request import Origin

FIRST_WIDTH = 20
"""Workers with which a batch starts if nothing is known about its server yet."""

MAX_WIDTH = 1024
"""Maximum number of workers, unless `max_concurrency` or CLOUDFILES_MAX_CONCURRENCY says otherwise."""

MAX_THREADS = 64
"""Maximum number of workers that are OS threads, over all batches to the same origins."""

PARTS_MEMORY = 128 << 20
"""Bytes of parts in progress, and in memory, over all objects that are transferred at once."""

_MIN_PARTS = 2
_DESCRIPTOR_SHARE = 4
"""At most this fraction of the descriptor limit is used for workers, each of which has a connection."""

_UNCHANGED, _MAX_DOUBLINGS, _LONGEST_INTERVAL = 8, 3, 0.1
"""Intervals are doubled each time that so many have left the width unchanged, so often, and up to so many seconds."""

_SIZE_CLASSES = (256 << 10, 8 << 20)
"""Mean bytes of a request from which on it belongs to the next size class."""


def max_width(given: int | None = None) -> int:
    """The maximum number of workers: as given, or set in the environment, within a quarter of the descriptors.

    Raises ConfigurationError if the environment variable is not a positive integer.
    """
    if given is None:
        given = environment_count("CLOUDFILES_MAX_CONCURRENCY", MAX_WIDTH)
    return max(1, min(given, descriptor_limit() // _DESCRIPTOR_SHARE))


class _Marks(NamedTuple):
    """The counters at the beginning of an interval."""

    time: float
    begun: int = 0
    in_progress: int = 0
    completed: int = 0
    bytes: int = 0
    connects: int = 0
    refused: int = 0
    shortages: int = 0  # of descriptors, and of memory


class AdaptiveWidth:
    """How many workers there may be, over all batches that send requests to the same origins.

    There is one per process, kept between batches. The batches ask for their share from time to time, and so tell what
    it is based on; whichever asks after the end of an interval hands it to the controller.
    """

    def __init__(self, traffic: Sequence[Traffic], controller: ConcurrencyController | None = None,
                 limiters: Sequence[Limiter] = ()) -> None:
        # Here, as a single request needs none.
        from cloudfiles.transport.concurrency.controller import ConcurrencyController

        self._controller = controller or ConcurrencyController(start=FIRST_WIDTH, maximum=max_width())
        self._traffic = traffic
        self._limiters = limiters
        # Weak references, in order: a Ctrl-C may keep a batch from leaving.
        self._shares: weakref.WeakKeyDictionary[WorkerShare, None] = weakref.WeakKeyDictionary()
        self._marks = _Marks(0.0)
        self._cpu: dict[Runtime, float] = {}  # CPU seconds of each runtime at the beginning of the interval
        self._unchanged = 0  # consecutive intervals that left the width as it was
        self._size_class = 0
        self._operation = "GET"
        self._lock = threading.Lock()  # never held while waiting

    @property
    def interval(self) -> float:
        """Seconds after which a batch asks again: more while the width stays as it is, since asking costs 0.1 ms."""
        shortest = self._controller.interval
        longer: float = shortest * 2.0 ** min(_MAX_DOUBLINGS, self._unchanged // _UNCHANGED)
        return max(shortest, min(_LONGEST_INTERVAL, longer))

    def join(self, share: WorkerShare, now: float) -> None:
        with self._lock:
            if not any(each.wanted for each in self._shares):
                self._unchanged = 0
                self._begin(now)
            self._shares[share] = None
            self._controller.maximum = max(self._controller.maximum, share.maximum)
            self._cpu.setdefault(share.runtime, share.runtime.cpu_seconds())

    def leave(self, share: WorkerShare) -> None:
        with self._lock:
            self._shares.pop(share, None)

    def workers(self, share: WorkerShare, now: float) -> int:
        """The number of workers that this batch may have now."""
        with self._lock:
            if now - self._marks.time >= self.interval:
                self._observe(now)
            shares = list(self._shares)
            return fair_share(self._width(), _wanted(shares), shares.index(share))

    def _width(self) -> int:
        """The number of all workers: each one that waits as its request was refused is replaced by another one."""
        controller = self._controller
        backing_off = sum(len(each.backing_off) for each in self._traffic)
        return min(controller.maximum, controller.width + backing_off)

    # ---- intervals

    def _begin(self, now: float) -> None:
        self._marks = self._current(now)
        self._cpu = {share.runtime: share.runtime.cpu_seconds() for share in self._shares}

    def _current(self, now: float) -> _Marks:
        def total(name: str) -> int:
            return sum(getattr(each, name) for each in self._traffic)

        return _Marks(now, total("begun"), total("in_progress"), total("completed"), total("bytes"),
                      total("connects"), total("refused"), process_descriptors.shortages + process_body_memory().waits)

    def _observe(self, now: float) -> None:
        from cloudfiles.transport.concurrency.interval import Interval

        before, after = self._marks, self._current(now)
        seconds = now - before.time
        completed, moved = after.completed - before.completed, after.bytes - before.bytes
        if completed > max(0, after.in_progress - before.in_progress):  # else most of what was sent is not answered yet
            self._size_class = size_class(moved / completed)
        self._operation, samples = self._samples(before.time)
        interval = Interval(
            seconds=seconds, operation=self._operation, size_class=self._size_class, completed=completed, bytes=moved,
            in_progress=(before.in_progress + after.in_progress) / 2,
            first_byte=median(samples) if samples else None, first_byte_min=min(samples, default=None),
            cpu_share=self._cpu_share(seconds), refused=after.refused - before.refused,
            connects=after.connects - before.connects,
            idle_workers=float(sum(share.waiting for share in self._shares)),
            constrained=after.shortages > before.shortages,
            samples=len(samples), first_responses=tuple(sorted(
                each for traffic in self._traffic for each in traffic.first_responses.copy() if each[0] > before.time)),
            limited=any(limiter.rate is not None for limiter in self._limiters))
        self._begin(now)
        width = self._controller.width
        self._controller.observe(interval, now)
        self._unchanged = self._unchanged + 1 if self._controller.width == width else 0

    def _samples(self, since: float) -> tuple[str, list[float]]:
        """The operation of most requests, and samples of the seconds to the first byte of its responses."""
        most: tuple[str, list[float]] = (self._operation, [])
        for operation in {each for traffic in self._traffic for each in traffic.first_byte.operations()}:
            samples = [seconds for traffic in self._traffic for seconds in traffic.first_byte.recent(operation, since)]
            if len(samples) > len(most[1]):
                most = operation, samples
        return most

    def _cpu_share(self, seconds: float) -> float:
        used = [share.runtime.cpu_seconds() - self._cpu[share.runtime]
                for share in self._shares if share.runtime in self._cpu]
        return max(used, default=0.0) / seconds


class WorkerShare:
    """The share of one batch in the workers of its origins.

    Args:
        origins: returns the origins that the batch sends requests to, as far as they are known.
        maximum: the maximum number of workers of this batch.

    Attributes:
        runtime: that of the workers.
        uses_threads: whether the workers are OS threads.
        maximum: the maximum number of workers of this batch.
        wanted: the number of workers that the batch has work for.
        waiting: workers that wait for items, or until results are consumed.
    """

    def __init__(self, origins: Callable[[], tuple[Origin, ...]], runtime: Runtime, maximum: int) -> None:
        self.runtime = runtime
        self.wanted = 0
        self.waiting = 0
        self.uses_threads = runtime.name == "threads"
        self.maximum = min(maximum, MAX_THREADS) if self.uses_threads else maximum
        self._origins = origins
        self._known: tuple[Origin, ...] = ()
        self._width: AdaptiveWidth | None = None

    @property
    def interval(self) -> float:
        """Seconds after which `workers` is to be called again."""
        return _FIRST_INTERVAL if self._width is None else self._width.interval

    def workers(self, now: float, wanted: int, waiting: int = 0) -> int:
        """The number of workers that the batch may have now, at least 1. See the attributes for the arguments."""
        self.wanted, self.waiting = max(1, min(wanted, self.maximum)), waiting
        origins = self._origins()
        if origins != self._known:  # a server may redirect to another one
            self.leave()
            self._join(origins, now)
        if self._width is None:
            return min(self.wanted, FIRST_WIDTH)
        return self._width.workers(self, now)

    def _join(self, origins: tuple[Origin, ...], now: float) -> None:
        try:
            width = with_descriptor(adaptive_width_of, origins)
        except OSError as error:
            if not is_descriptor_shortage(error):
                raise
            return  # its modules cannot be read: the batch goes on as it began, and tries again
        self._known, self._width = origins, width
        width.join(self, now)

    def pause(self) -> None:
        """The batch needs no workers, until it asks for them again."""
        self.wanted = self.waiting = 0

    def leave(self) -> None:
        """The batch has ended."""
        if self._width is not None:
            self._width.leave(self)
            self._known, self._width = (), None


def _wanted(shares: Sequence[WorkerShare]) -> list[int]:
    """The workers that each batch has work for: those of OS threads together within their maximum."""
    threads = [share.wanted for share in shares if share.uses_threads]
    within = iter([fair_share(MAX_THREADS, threads, index) for index in range(len(threads))])
    return [next(within) if share.uses_threads else share.wanted for share in shares]


def parts_at_once(part_size: int, objects: int = 1) -> int:
    """The maximum number of parts in progress of each of so many objects, within PARTS_MEMORY.

    >>> parts_at_once(8 << 20), parts_at_once(8 << 20, 4), parts_at_once(512 << 20)
    (32, 8, 2)
    """
    return max(_MIN_PARTS, PARTS_MEMORY // max(1, part_size) // objects)


_FIRST_INTERVAL = 0.01
"""Seconds after which it is checked whether the origin is known by now."""


def median(samples: list[float]) -> float:
    """The median: of two in the middle, the larger."""
    return sorted(samples)[len(samples) // 2]


def fair_share(width: int, wanted: Iterable[int], index: int) -> int:
    """The share of the batch `index` in `width` workers, of batches that each want so many; at least 1.

    None gets more than it wants. The others share what is left equally.

    >>> [fair_share(20, [3, 50, 50], index) for index in range(3)]
    [3, 8, 9]
    """
    ordered = sorted(enumerate(wanted), key=lambda pair: pair[1])
    left = width
    for position, (batch, wants) in enumerate(ordered):
        share = max(1, min(wants, left // (len(ordered) - position)))
        if batch == index:
            return share
        left = max(0, left - min(share, wants))
    raise IndexError(index)


def size_class(mean: float) -> int:
    """The size class of requests that moved `mean` bytes each.

    >>> size_class(4096), size_class(1 << 20), size_class(8 << 20)
    (0, 1, 2)
    """
    return sum(mean >= limit for limit in _SIZE_CLASSES)


# ---- shared by the whole process

_widths: dict[tuple[Origin, ...], AdaptiveWidth] = {}


def adaptive_width_of(origins: tuple[Origin, ...]) -> AdaptiveWidth:
    """The number of workers of all batches of this process that send requests to these origins."""
    width = _widths.get(origins)
    if width is None:
        from cloudfiles.transport.client import limiter_of  # here: it takes long to import

        width = _widths.setdefault(origins, AdaptiveWidth([traffic_of(origin) for origin in origins],
                                                          limiters=[limiter_of(origin) for origin in origins]))
    return width


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_widths.clear)
