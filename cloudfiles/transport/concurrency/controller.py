"""How many requests to one server may be in progress at the same time: found while batches run.

A `ConcurrencyController` is handed what happened in an interval of time, and sets the width. At first it grows
(`ramp.py`), then larger ones are tried from time to time (`steady_width.py`). It is narrowed when the server refuses
requests, or this process cannot use as many. `docs/concurrency.md` tells why.

This is the only place that decides on the number of requests in progress. The rate at which they may be sent when the
server refuses some of them is decided by `rate_limit/limiter.py`.
"""

from __future__ import annotations

import math

from cloudfiles.transport.concurrency.baseline import Baseline
from cloudfiles.transport.concurrency.interval import LEAST_SECONDS, Interval
from cloudfiles.transport.concurrency.ramp import Ramp
from cloudfiles.transport.concurrency.steady_width import SteadyWidth

_FILLED = 0.7
"""Share of the width that is in progress at least when it tells what the width is good for."""

_SHORTAGE_CUT, _SHORTAGE_HOLD = 0.7, 0.5
"""Factor by which the width is narrowed if descriptors or memory are short, and seconds for which no other is tried."""

_REFUSED_SHARE, _REFUSED_HOLD, _REFUSED_SECONDS = 0.05, 1.0, 10.0
"""Share of refused requests up to which the width is kept; seconds after the first refusal in which it is not raised,
as the limiter may not have decided yet; and seconds without refusals after which another one is the first. Later
refusals happen at any rate, unless the limiter limits it: with fewer requests at a time, all would only take longer."""

_USED, _USED_SECONDS = 1.25, 10.0
_IDLE_SHARE, _IDLE_SECONDS, _IDLE_CUT = 0.1, 1.0, 0.7
"""If more than this share of the workers is idle for a second, the width is narrowed to a multiple of the requests that
were in progress at most in the last 10 seconds, by a factor at most."""

_FIRST_INTERVAL, _MIN_INTERVAL, _MAX_INTERVAL = 0.005, 0.01, 0.25
"""Seconds of an interval, while nothing is known about the latency, and afterwards."""


class _Load:
    """One operation on objects of one size class: what is known, and its width when it was last seen."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.baseline = Baseline()
        self.ramp = Ramp(self.baseline)
        self.steady = SteadyWidth(self.baseline)

    def hold(self, until: float | None, now: float) -> None:
        """The ramp is over. Try no other width until then; None: for as long as after the last trial."""
        self.ramp.is_over = True
        self.steady.hold(until, now)

    def grow_again(self) -> None:
        """The width is not known: it grows as at the beginning, when it may."""
        self.begin()
        self.steady.grows = False
        self.ramp = Ramp(self.baseline, has_begun=True)

    def begin(self) -> None:
        """What has happened so far tells nothing about what comes."""
        self.baseline.begin_round()
        self.steady.begin_window()


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
        self._loads: dict[tuple[str, int], _Load] = {}
        self._load: _Load | None = None
        self._size_class = 0
        self._idle = 0.0
        self._used = 0.0
        self._refused = self._refused_since = -math.inf  # when the last refusal was, and the first one
        self.width = self._start
        self.interval = _FIRST_INTERVAL

    @property
    def maximum(self) -> int:
        """The largest width. May be changed at any time; a lower one narrows at once."""
        return self._maximum

    @maximum.setter
    def maximum(self, maximum: int) -> None:
        self._maximum = max(1, maximum)
        self._start = min(self._start, self._maximum)
        self._set(self.width)

    def observe(self, interval: Interval, now: float) -> None:
        """Adapt the width to what happened since the last call."""
        if not interval.seconds > LEAST_SECONDS:
            return
        load = self._renewed(self._select(interval), interval)
        self._used = max(interval.in_progress, self._used * (1.0 - min(1.0, interval.seconds / _USED_SECONDS)))
        if interval.constrained:
            self._narrow(self.width * _SHORTAGE_CUT, 1)
            load.hold(now + _SHORTAGE_HOLD, now)
        elif interval.limited:
            self._refused = self._refused_since = now
            self._narrow(2.0 * self._used, self._start)
            load.grow_again()
        elif self._awaits_limit(interval, now):
            share = interval.refused / (interval.refused + interval.completed)
            if share > _REFUSED_SHARE:
                self._narrow(self.width * (1.0 - share), self._start)
            load.grow_again()
        elif self._starved(interval):
            self._narrow(max(_USED * self._used, self.width * _IDLE_CUT), self._start)
            load.hold(now, now)
        elif interval.in_progress < _FILLED * self.width:
            load.begin()  # the work runs out: this tells nothing about the width
        else:
            self._find(load, interval, now)
        load.width = self.width

    def _select(self, interval: Interval) -> _Load:
        """What is known about work of this kind."""
        key = (interval.operation, interval.size_class)
        load = self._loads.get(key)
        if load is None:
            width = self.width if interval.size_class <= self._size_class else min(self.width, self._start)
            load = self._loads[key] = _Load(width)
            self.interval = _FIRST_INTERVAL
        if load is not self._load:
            if self._load is not None and not (interval.refused or interval.constrained or interval.limited):
                self._set(load.width)
            self._load, self._size_class = load, interval.size_class
            load.begin()
        return load

    def _renewed(self, load: _Load, interval: Interval) -> _Load:
        """`load`, or a new one if the server has moved away: it is to be measured again, with few requests in progress,
        as the cause may also be that there are so many."""
        if not load.baseline.has_moved(interval):
            return load
        self._narrow(self._start, 1)
        self._load = self._loads[interval.operation, interval.size_class] = _Load(self.width)
        return self._load

    def _awaits_limit(self, interval: Interval, now: float) -> bool:
        """Whether requests are refused, and the limiter may not have decided yet whether to limit their rate."""
        if not interval.refused:
            return False
        if now - self._refused >= _REFUSED_SECONDS:
            self._refused_since = now
        self._refused = now
        return now - self._refused_since < _REFUSED_HOLD

    def _starved(self, interval: Interval) -> bool:
        is_idle = interval.idle_workers > _IDLE_SHARE * self.width
        self._idle = self._idle + interval.seconds if is_idle else 0.0
        if self._idle < _IDLE_SECONDS:
            return False
        self._idle = 0.0
        return True

    def _find(self, load: _Load, interval: Interval, now: float) -> None:
        """Find a better width from what happened with this one."""
        load.baseline.learn(interval)
        if load.ramp.is_over:
            width = load.steady.next_width(self.width, self._maximum, interval, now)
            seconds = load.steady.interval
            if load.steady.grows:
                load.grow_again()
        else:
            width = load.ramp.next_width(self.width, interval, now)
            seconds = load.baseline.latency / 4
            if load.ramp.is_over or width >= self._maximum:
                load.hold(None, now)
        if width < self.width:
            self._narrow(width, self._start)
        elif load.baseline.may_widen:
            self._set(width)
        else:
            seconds = _MAX_INTERVAL  # there is no hurry, and looking takes time
        if 0.0 < seconds < math.inf:
            self.interval = min(_MAX_INTERVAL, max(_MIN_INTERVAL, seconds))

    # ---- the width

    def _set(self, width: float) -> None:
        self.width = int(max(1, min(self._maximum, width)))

    def _narrow(self, width: float, least: int) -> None:
        """Narrow to `width`, but not below `least`."""
        self._set(min(self.width, max(width, least)))
