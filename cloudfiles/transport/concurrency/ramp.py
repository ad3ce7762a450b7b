"""How the number of concurrent requests grows, from the first responses of a server on. Pure."""

from __future__ import annotations

import math
from collections import deque

from cloudfiles.transport.concurrency.baseline import OVERLOADED, Baseline
from cloudfiles.transport.concurrency.interval import LEAST_SECONDS, MIN_GAIN, Interval, Window

_BURST = 15
"""First responses of which the intervals tell how many more the server and the line can take: not all of the first 20
requests, as some may take longer."""

_BURST_SECONDS = 0.05
"""Seconds for which they are assumed to continue to come as fast, at most: a longer round trip may be a queue in which
requests of others wait, and those of this client stand next to each other."""

_MOST, _BUSY_GROWTH = 1 << 20, 2
"""The largest width that they can show; and the factor by which they let it grow at most if this thread was busy, or
had to wait for a core: they may have come one by one, long before they were seen."""

_GROWTH, _FAST_GROWTH = 1.4, 1.8
"""Factors by which the width exceeds the requests that are known to be answered as fast as fewer, the second if the
line is known not to be slow. Through a slow line, there are never more than twice the requests that it takes to use
it."""

_SLOW_LINE = 10e6
"""Bytes per second up to which a line may be a slow one: 80 Mbit/s."""

_UNLOADED, _LOADED = 1.1, 1.5
"""Factors of the latency: up to the first, requests do not wait for each other; from the second on, more of them only
wait longer. The growth falls from one to the other."""

_QUEUED = 15.0
"""Requests that may wait for others when the width is reduced."""

_OPENING = 2.0
"""Multiple of the latency after which a client that is still busy will remain so, since the width was raised or a
connection was opened. Opening connections takes CPU time, but only once."""

_ALMOST = 0.9
"""Share of the latency for which responses are counted: intervals do not end when they come."""

_UNKNOWN = 32
"""Intervals that are looked back while the latency is not known."""

_LARGE_SECONDS = 0.125
"""Seconds after which the bytes per second of larger objects are compared, at least."""


class Ramp:
    """The width of one kind of work while it grows.

    Attributes:
        is_over: the width is found, or cannot be found now.
    """

    def __init__(self, baseline: Baseline, *, has_begun: bool = False) -> None:
        self.is_over = False
        self._baseline = baseline
        self._has_begun = has_begun
        self._first_responses: list[tuple[float, float]] = []  # of the server
        self._intervals: deque[Interval] = deque()  # of the last `latency` seconds
        self._opened = -math.inf  # when the width was raised, and connections for it were opened
        self._loaded_since = math.inf  # since when requests have waited for each other
        self._window = Window()  # larger objects: the intervals since the last step
        self._before: tuple[float, float] | None = None  # their number and bytes per second before it
        self._settled = -math.inf  # when it shows

    def next_width(self, width: int, interval: Interval, now: float) -> float:
        """The width from now on."""
        found = self._next_width(width, interval, now)
        if found > width or interval.connects:
            self._opened = now
        return found

    def _next_width(self, width: int, interval: Interval, now: float) -> float:
        if not self._has_begun:
            possible = self._possible(interval)
            width = max(width, int(min(_MOST if not interval.is_busy else _BUSY_GROWTH * width, possible)))
        recent = self._recent(interval)
        if self._baseline.latency == math.inf or not recent.completed:
            return width
        if recent.is_busy:
            self.is_over = not interval.connects and now - self._opened >= _OPENING * self._baseline.latency
            return width
        if interval.size_class or not recent.sampled:
            return self._double(width, interval, now)
        return self._grow(width, recent, now)

    # ---- small objects

    def _possible(self, interval: Interval) -> float:
        """After the first responses: how many would come in a round trip, if they continued to come as fast."""
        responses = self._first_responses
        responses.extend(interval.first_responses)
        if len(responses) < _BURST:
            return 0.0
        self._has_begun = True
        latency = min(round_trip for _, round_trip in responses)
        if latency >= OVERLOADED:
            return 0.0
        latency = min(latency, _BURST_SECONDS)
        (begin, _), (end, _) = responses[1], responses[-1]  # the first one may be far ahead of the others
        return (len(responses) - 2) / max(LEAST_SECONDS, end - begin) * latency

    def _recent(self, interval: Interval) -> Window:
        """What happened in the last `latency` seconds, or in the last intervals while that is not known."""
        intervals, latency, window = self._intervals, self._baseline.latency, Window()
        intervals.append(interval)
        if latency == math.inf and len(intervals) > _UNKNOWN:
            intervals.popleft()
        for number, each in enumerate(reversed(intervals), 1):
            window.add(each)
            if window.seconds >= _ALMOST * latency:
                while len(intervals) > number:
                    intervals.popleft()
                break
        return window

    def _grow(self, width: int, recent: Window, now: float) -> float:
        """A multiple of what is needed now, or the end of the ramp if requests wait for each other."""
        slowdown = self._baseline.slowdown(recent) / (1.0 + 2.0 * recent.noise)
        if slowdown > _LOADED:
            self._loaded_since = min(self._loaded_since, now)
            if now - self._loaded_since < recent.latency:
                return width  # it may have been a pause of the server
            self.is_over = True
            return min(width, recent.mean_in_progress / slowdown + _QUEUED)
        self._loaded_since = math.inf
        needed = recent.rate() * recent.latency / slowdown
        growth = _FAST_GROWTH if recent.rate(1) > _SLOW_LINE else _GROWTH
        growth = min(growth, recent.seconds / max(LEAST_SECONDS, recent.cpu))  # more would keep the client's CPU busy
        share = min(1.0, (_LOADED - slowdown) / (_LOADED - _UNLOADED))
        return max(width, math.ceil((1.0 + (growth - 1.0) * share) * needed))

    # ---- larger objects, and those whose time to the first byte is not known

    def _double(self, width: int, interval: Interval, now: float) -> float:
        """Twice the width while bytes come faster for it."""
        window = self._window
        window.add(interval)
        if now < self._settled:
            self._window = Window()
            return width
        if window.seconds < max(2.0 * self._baseline.latency, _LARGE_SECONDS):
            return width
        self._window = Window()
        rate, in_progress = window.rate(1), window.mean_in_progress
        if self._before is not None:
            before, least = self._before[0], self._before[1]
            if rate < least * (1.0 + MIN_GAIN * (in_progress / before - 1.0)):
                self.is_over = True
                return min(width, before)
        self._before, self._settled = (in_progress, rate), now + 2.0 * self._baseline.latency
        return 2.0 * width
