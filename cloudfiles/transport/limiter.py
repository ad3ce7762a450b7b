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

    Once more than a fifth of the requests are refused, halves the rate that was measured, or the
    one it allows, at most once a second; grows by a quarter a second without that; and lets go
    when it allows twice what was measured before the first.

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
        self._changed = 0.0  # when the rate was last set
        self._next = 0.0  # when the next request may go

    def enter(self, now: float) -> float:
        """Count one request; the seconds it has to wait before it goes, 0.0 for none."""
        self._count += 1
        if now - self._began >= _WINDOW:
            self._begin_window(now)
        return 0.0 if self.rate is None else self._slot(now)

    def _begin_window(self, now: float) -> None:
        self._measured = self._count / (now - self._began)
        self._last_count, self._last_refused = self._count, self._refused
        self._began, self._count, self._refused = now, 0, 0

    def _slot(self, now: float) -> float:
        assert self.rate is not None
        if now - self._changed >= _WINDOW:
            self.rate *= _GROWTH ** int(now - self._changed)
            self._changed = now
            if self.rate > 2 * self._unlimited:
                self.rate = None
                return 0.0
        slot = max(now, self._next)
        self._next = slot + 1.0 / self.rate
        return slot - now

    def slow_down(self, now: float) -> None:
        """The server refused a request because there are too many."""
        self._refused += 1
        if not self._are_too_many():
            return
        if self.rate is None:
            # A window just begun holds too few requests to tell the rate: the last whole one does.
            running = self._count / max(now - self._began, _WINDOW)
            self._unlimited = max(running, self._measured, 2 * _FLOOR)
            self.rate = self._unlimited / 2
            self._next = now
        elif now - self._changed >= _WINDOW:
            self.rate = max(_FLOOR, self.rate / 2)
        else:
            return
        self._changed = now

    def _are_too_many(self) -> bool:
        refused = self._refused + self._last_refused
        return refused >= _LEAST and refused > _SHARE * (self._count + self._last_count)
