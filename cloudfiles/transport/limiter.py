"""One brake per host: when the server says slow down, every worker of the process does."""

from __future__ import annotations

_WINDOW = 1.0
"""Seconds over which requests and refusals are counted, and between two changes of the rate: the
workers that are refused in one moment say one thing, not twenty."""

_SHARE = 0.2
"""Share of refused requests above which it is too many requests. Busy stores refuse a few of a hundred at
any rate: their own backoff is enough for those, and braking the others would only cost time."""

_LEAST = 8
"""Refusals in the last two windows that it takes to brake: fewer may be chance."""

_GROWTH = 1.25
"""Factor a second by which the rate recovers."""

_FLOOR = 1.0
"""Requests a second that are always allowed."""


class Limiter:
    """Counts requests; once told to slow down, spaces them out. Times are monotonic seconds, handed in.

    Once more than a fifth of the requests are refused, halves the rate that was measured. From
    then on, after each second: halves it again where more than a fifth were refused in it, else
    lets it grow by a quarter; and lets go once it allowed more than what was measured at first.

    Attributes:
        rate: requests a second now allowed, None for no limit.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self._began = 0.0  # of the window being counted
        self._count = 0
        self._refused = 0
        self._last_count = 0  # the same of the window before
        self._last_refused = 0
        self._measured = 0.0  # requests a second in it
        self._unlimited = 0.0  # what was measured before the first brake
        self._next = 0.0  # when the next request may go

    def enter(self, now: float) -> float:
        """Count one request; the seconds it has to wait before it goes, 0.0 for none."""
        self._count += 1
        if now - self._began >= _WINDOW:
            self._end_window(now)
        return 0.0 if self.rate is None else self._slot(self.rate, now)

    def _end_window(self, now: float) -> None:
        self._measured = self._count / (now - self._began)
        if self.rate is not None:
            self._change(self.rate, now - self._began)
        self._last_count, self._last_refused = self._count, self._refused
        self._began, self._count, self._refused = now, 0, 0

    def _change(self, rate: float, seconds: float) -> None:
        if self._refused > _SHARE * self._count:
            self.rate = max(_FLOOR, rate / 2)
        elif rate > self._unlimited:
            self.rate = None
        else:
            self.rate = rate * _GROWTH ** min(int(seconds), 60)

    def _slot(self, rate: float, now: float) -> float:
        slot = max(now, self._next)
        self._next = slot + 1.0 / rate
        return slot - now

    def slow_down(self, now: float) -> None:
        """The server refused a request because there are too many."""
        self._refused += 1
        refused = self._refused + self._last_refused
        if self.rate is None and refused >= _LEAST and refused > _SHARE * (self._count + self._last_count):
            self._brake(now)

    def _brake(self, now: float) -> None:
        # A window just begun holds too few requests to tell the rate, the last whole one is better
        running = self._count / max(now - self._began, _WINDOW / 10)
        self._unlimited = max(self._measured, running, 2 * _FLOOR)
        self.rate = self._unlimited / 2
        self._next = now
        self._last_count = self._last_refused = 0  # what led to this is not to lead to more
        self._began, self._count, self._refused = now, 0, 0
