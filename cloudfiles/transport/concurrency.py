"""How many requests to one server may be in progress at the same time: found while batches run.

A `ConcurrencyController` is handed what happened in an interval of time, and sets the width: it is widened while more
requests in progress also complete more, and narrowed when they only wait longer.

This is the only place that decides on the number of requests in progress. The rate at which they may be sent when the
server refuses some of them is decided by `limiter.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

_BUSY = 0.85
"""Share of a CPU that the client's own thread uses, above which more requests in progress cannot complete more."""

_GROWTH = 2.0
"""Factor by which the width grows while this pays."""

_MIN_GAIN = 1.25
"""Factor by which completions have to grow when the width grew by _GROWTH."""

_MAX_SLOWDOWN = 1.5
"""Factor of the least time to the first byte above which requests wait for each other."""

_MIN_WIDTH = 4
_IDLE_SHARE = 0.25
_NARROWING = 0.7
_MIN_INTERVAL, _MAX_INTERVAL = 0.02, 1.0
_MIN_COMPLETED = 20
_RETRY_SECONDS = 5.0
"""Seconds after a step that did not pay until another one is tried."""


@dataclass
class Interval:
    """What happened at one server, in this process, since the last call of `observe`.

    Attributes:
        seconds: wall clock.
        operation: 'GET', 'PUT', 'HEAD', 'LIST', 'DELETE', ...: that of most requests.
        size_class: 0 for small objects, of which the number of completed requests counts; larger for those of which
            the number of bytes counts.
        completed: requests that were completed.
        bytes: of their bodies, in both directions.
        in_progress: mean number of requests that were sent, or for which a connection was opened, and not completed.
            Those that wait for their turn, or before another attempt, do not count.
        first_byte: median number of seconds from the request to the first byte of the response, of some requests;
            None if none was measured.
        first_byte_min: the least of them.
        cpu_share: CPU time of the client's own thread per second of wall clock.
        refused: responses by which the server asked for fewer requests (429, 503).
        connects: connections opened.
        idle_workers: mean number of workers that waited for items, or for the consumer of the results.
        constrained: file descriptors or memory are short.
    """

    seconds: float
    operation: str
    size_class: int
    completed: int
    bytes: int
    in_progress: float
    first_byte: float | None
    first_byte_min: float | None
    cpu_share: float
    refused: int
    connects: int
    idle_workers: float
    constrained: bool


@dataclass
class _Baseline:
    """What is known about one operation on objects of one size class."""

    first_byte: float | None = None
    rate: float = 0.0
    width: int = 0
    retry_at: float = 0.0


class ConcurrencyController:
    """Finds the number of requests that may be in progress at one server.

    There is one per server and process, kept between batches. It has no clock: `observe` is handed the time, in
    seconds of a monotonic clock. Not thread-safe: one thread at a time calls `observe`, any thread reads `width`.

    Attributes:
        width: requests that may be in progress now, over all batches; from 1 to `maximum`.
        interval: seconds after which `observe` is to be called again.
    """

    def __init__(self, *, start: int = 20, maximum: int = 1024) -> None:
        self._maximum = max(1, maximum)
        self._start = max(1, min(start, self._maximum))
        self._baselines: dict[tuple[str, int], _Baseline] = {}
        self.width = self._start
        self.interval = _MIN_INTERVAL

    def observe(self, interval: Interval, now: float) -> None:
        """Adapt the width to what happened since the last call."""
        if not interval.seconds > 0:
            return
        baseline = self._baselines.setdefault((interval.operation, interval.size_class), _Baseline())
        if interval.constrained:
            self._narrow(self.width * _NARROWING, _MIN_WIDTH)
        elif interval.refused:
            self._narrow(self.width * _NARROWING, self._start)
            baseline.retry_at = now + _RETRY_SECONDS
        elif interval.idle_workers > _IDLE_SHARE * self.width:
            self._narrow(max(interval.in_progress * _GROWTH, self.width * _NARROWING), self._start)
        elif interval.completed >= min(_MIN_COMPLETED, self.width):
            self._compare(interval, baseline, now)

    def _compare(self, interval: Interval, baseline: _Baseline, now: float) -> None:
        rate = (interval.bytes if interval.size_class else interval.completed) / interval.seconds
        slowdown = 1.0
        if interval.first_byte:
            baseline.first_byte = min(baseline.first_byte or interval.first_byte, interval.first_byte)
            slowdown = interval.first_byte / baseline.first_byte
            self.interval = min(_MAX_INTERVAL, max(_MIN_INTERVAL, 2 * interval.first_byte))
        gained = rate > _MIN_GAIN * baseline.rate
        if self.width != baseline.width and not gained and baseline.width:
            if self.width > baseline.width:
                self._set(baseline.width)
            baseline.retry_at = now + _RETRY_SECONDS
        elif slowdown > _MAX_SLOWDOWN:
            self._narrow(self.width * _NARROWING, self._start)
            baseline.retry_at = now + _RETRY_SECONDS
        baseline.rate, baseline.width = rate, self.width
        if now >= baseline.retry_at and interval.cpu_share < _BUSY and interval.in_progress > self.width / 2:
            self._set(self.width * _GROWTH)

    def _set(self, width: float) -> None:
        self.width = int(max(1, min(self._maximum, width)))

    def _narrow(self, width: float, least: int) -> None:
        """Narrow to `width`, but not below `least`."""
        self._set(min(self.width, max(width, least)))
