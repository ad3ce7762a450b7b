"""The number of concurrent requests to one server after it was found: larger ones are tried from time to time. Pure."""

from __future__ import annotations

import math

from cloudfiles.transport.concurrency.baseline import Baseline
from cloudfiles.transport.concurrency.interval import MIN_GAIN, Interval, Window

_STEP = 1.5
"""Factor of the width in a trial."""

_TRY_AGAIN, _MAX_TRY_AGAIN = 0.5, 60.0
"""Seconds until the next trial. They are doubled, up to the second, by each trial that was not worthwhile."""

_FEW_QUEUED, _MANY_QUEUED, _QUEUED = 10.0, 30.0, 15.0
"""Requests of this client that wait for others: below the first, a larger width is tried; above the second, it is
reduced so that the third are left. These are numbers and not shares of the width, so that clients that share a server
get equal shares: those with the largest width are the first to reduce it."""

_CERTAIN = 1.15
"""Factor of the latency from which on requests do wait. A smaller one may be random variation."""

_UNLOADED = 1.1
"""Factor of the latency up to which a trial that was worthwhile lets the width grow as it did at the beginning."""

_MAX_CUT = 0.7
"""Factor by which the width is reduced at most."""

_WINDOW, _MAX_WINDOW, _ENOUGH = 0.25, 2.0, 400
"""Seconds and completed requests after which a decision is made; after the second at the latest."""


class SteadyWidth:
    """The width of one kind of work once it is found.

    Attributes:
        grows: a trial has shown that the width is to grow again.
        interval: seconds until what has happened is looked at again.
    """

    def __init__(self, baseline: Baseline) -> None:
        self.grows = False
        self.interval = 0.0
        self._baseline = baseline
        self._window = Window()  # since the last decision
        self._trial: tuple[int, float] | None = None  # the width and the rate before it
        self._settled = -math.inf  # when the last change shows
        self._try_at = -math.inf
        self._pause = _TRY_AGAIN

    def begin_window(self) -> None:
        """What has happened since the last decision tells nothing."""
        self._window = Window()

    def hold(self, until: float | None, now: float) -> None:
        """Try no other width until then; None: for as long as after the last trial."""
        self.begin_window()
        self._trial = None
        self._try_at = max(self._try_at, now + self._pause if until is None else until)

    def next_width(self, width: int, maximum: int, interval: Interval, now: float) -> float:
        """The width from now on."""
        window = self._window
        window.add(interval)
        if now < self._settled:
            self._window = Window()
            return width
        if window.completed < max(_ENOUGH, 2.0 * width) and window.seconds < _MAX_WINDOW:
            return width
        if window.seconds < _WINDOW or not window.completed:
            return width
        self._window = Window()
        self.interval = 2.0 * window.latency
        rate, slowdown = window.rate(interval.size_class), self._baseline.slowdown(window)
        if self._trial is not None:
            return self._judge(width, self._trial, rate, slowdown, now)
        queued = window.mean_in_progress * (1.0 - 1.0 / slowdown)
        if window.is_busy:
            return width
        if queued >= _FEW_QUEUED and window.sampled:
            self._baseline.drift(window.seconds)
        if queued > _MANY_QUEUED and slowdown > _CERTAIN and window.sampled:
            self._settled = now + 2.0 * window.latency
            self._try_at = max(self._try_at, now + self._pause)
            return min(width, max(window.mean_in_progress / slowdown + _QUEUED, _MAX_CUT * width))
        if queued < _FEW_QUEUED and now >= self._try_at and width < maximum:
            self._trial, self._settled = (width, rate), now + 2.0 * window.latency
            return math.ceil(_STEP * width)
        return width

    def _judge(self, width: int, trial: tuple[int, float], rate: float, slowdown: float, now: float) -> float:
        """Whether a trial was worthwhile."""
        self._trial = None
        before, least = trial
        if rate >= least * (1.0 + MIN_GAIN * (width / before - 1.0)):
            self._pause = _TRY_AGAIN
            self.grows = slowdown < _UNLOADED
            return width
        self._pause = min(2.0 * self._pause, _MAX_TRY_AGAIN)
        self._try_at = now + self._pause
        return min(width, before)
