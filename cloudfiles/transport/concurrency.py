"""How many requests to one server may be in progress at the same time: found while batches run.

A `ConcurrencyController` is handed what happened in an interval of time, and sets the width. While the width grows, it
is a small multiple of the requests that are known to be answered as fast as fewer. After that, larger widths are tried
from time to time, and it is narrowed when requests wait for each other. `docs/concurrency.md` tells why.

This is the only place that decides on the number of requests in progress. The rate at which they may be sent when the
server refuses some of them is decided by `limiter.py`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from cloudfiles.transport.interval import LEAST_SECONDS, Interval, Window

_BUSY = 0.85
"""Share of a CPU that the client's own thread uses, above which more requests in progress cannot complete more."""

_CPU_MARGIN = 1.5
"""Factor of the width that keeps the CPU busy, beyond which the width is not raised."""

_FILLED = 0.7
"""Share of the width that is in progress at least when it tells what the width is good for."""

_GROWTH, _SURE_GROWTH = 1.4, 1.6
_FAST_GROWTH, _FASTEST_GROWTH = 1.7, 5.0
"""Factors by which the width exceeds the requests that are known to be answered as fast as fewer: the first two if the
line may be a slow one, so that on a slow line there are never more than twice the requests that it takes to use it; the
others if it is known not to be. The larger ones if requests that are sent together are answered together."""

_SLOW_LINE = 10e6
"""Bytes per second up to which a line may be a slow one: 80 Mbit/s."""

_TOGETHER, _SPREAD = 0.2, 0.4
"""Differences between the median and the least time to the first byte, as a share of the median: up to the first,
requests are answered together. The growth falls from there to the second."""

_ALLOWANCE, _LARGE_ALLOWANCE = 2.0, 4.0
"""Multiples of the random variation that are allowed for in the least time to the first byte. The second if responses
are not answered together: of many rounds, one then seems fast by chance."""

_FIRST_ROUND_TRIPS = 2.0
"""Round trips after which the first responses come, at least: one opens a connection."""

_FIRST_ROUND_TRIPS = 2.0
"""Round trips after which the first responses come, at least: one opens a connection."""

_MIN_BURST = 10
"""Responses of which the bytes per second tell how fast the line is, at least."""

_ALMOST = 0.9
"""Share of the least time to the first byte after which responses are counted: intervals do not end when they come."""

_UNLOADED, _LOADED = 1.1, 1.5
"""Factors of the least time to the first byte: up to the first, requests do not wait for each other; from the second
on, more of them only wait longer. The growth falls from one to the other."""

_FEW_QUEUED, _MANY_QUEUED, _QUEUED = 10.0, 30.0, 15.0
"""Requests of this client that wait for others, once the width is found: below the first, a larger width is tried;
above the second, it is narrowed so that the third are left. These are numbers and not shares of the width, so that
clients that share a server get equal shares: those with the largest width are the first to narrow it."""

_SLIGHT, _CERTAIN = 1.05, 1.15
"""Factors of the least time to the first byte: up to the first, nothing waits; from the second on, something does."""

_NEAR = 0.002
"""The width is not raised if any response began within so many seconds: so near a server, a few requests in progress
keep the client busy. On a busy machine, its CPU time alone does not tell."""

_MOVED, _FORGET_SECONDS = 4.0, 10.0
"""Multiple of the least time to the first byte, and the seconds for which all responses take longer than that, after
which what was known about the server is forgotten."""

_FAR = 0.005
"""Seconds from which on a server is so far away that a few more connections do no harm: the first responses, which
include what a server does for a new connection, are not waited for twice."""

_OVERLOADED = 0.3
"""Seconds to the first byte from which on the width is not raised: most likely many clients already wait for the
server, and each of them would gain by asking for more, until all wait forever."""

_STEP, _MIN_GAIN = 1.5, 0.4
"""A trial of a larger width: its factor, and the share of a proportional gain that makes it worthwhile."""

_TRY_AGAIN, _MAX_TRY_AGAIN = 0.5, 60.0
"""Seconds until the next trial. They are doubled, up to the second, by each trial that was not worthwhile."""

_MAX_CUT = 0.7
"""Factor by which the width is narrowed at most in one step, except for what the server refused."""

_REFUSED_SHARE, _REFUSED_HOLD = 0.05, 1.0
"""Share of refused requests up to which the width is kept, and seconds for which it is not raised after a refusal."""

_USED, _USED_SECONDS = 1.25, 10.0
_IDLE_SHARE, _IDLE_SECONDS = 0.1, 1.0
"""If more than this share of the workers is idle for a second, the width is narrowed to a multiple of the requests that
were in progress at most in the last 10 seconds."""

_DRIFT, _MAX_DRIFT = 0.005, 4.0
"""Share by which the least time to the first byte is raised per second while requests wait for each other: the reason
may be the server or other clients. It is raised to a multiple of the least ever, at most."""

_MIN_ROUND, _UNSAMPLED_ROUNDS = 20, 2
"""Requests in a round, at least, and rounds that make one if no time to the first byte was measured."""

_FIRST_INTERVAL, _MIN_INTERVAL, _MAX_INTERVAL = 0.005, 0.01, 0.25
_AT_ONCE, _MAX_UNKNOWN = 0.012, 32
_WINDOW, _MAX_WINDOW, _ENOUGH = 0.25, 2.0, 400
"""Seconds and completed requests after which a decision is made in the steady state: after the second at the latest."""


@dataclass
class _Load:
    """What is known about one operation on objects of one size class.

    Attributes:
        latency: the least seconds to the first byte, slowly raised while others load the server.
        least: the least ever.
        nearest: the least seconds to the first byte of a single response.
        moved: seconds for which no response has begun as soon as that.
        ramping: the width is still being doubled.
        has_begun: the first requests have been completed.
        answering: seconds of the intervals in which the first responses came.
        peak: bytes per second while they came.
        window: the intervals since the last decision.
        round: the intervals since the latency was last updated.
        recent: the intervals of the last `latency` seconds.
        sent: requests in progress over open connections, and the time, since `latency` seconds ago.
        trial: the width and the rate before a trial in the steady state.
        try_at: time of the next trial.
        pause: seconds until then, doubled with each that fails.
        before: width and rate before the last step of large objects.
        settled: time from which the last step shows.
        occupied: the share of the time that a request in progress waits for its first byte.
        loaded_since: time since which requests have waited for each other while the width grew.
        dispersion: how far answers were apart at most, as the width grew.
        cpu: the least CPU seconds of a request.
    """

    width: int
    latency: float = math.inf
    least: float = math.inf
    nearest: float = math.inf
    moved: float = 0.0
    ramping: bool = True
    has_begun: bool = False
    answering: float = 0.0
    peak: float = 0.0
    window: Window = field(default_factory=Window)
    round: Window = field(default_factory=Window)
    recent: deque[Interval] = field(default_factory=deque)
    sent: deque[tuple[float, float]] = field(default_factory=deque)
    trial: tuple[int, float] | None = None
    try_at: float = -math.inf
    pause: float = _TRY_AGAIN
    before: tuple[float, float] | None = None
    settled: float = -math.inf
    occupied: float = 0.1
    loaded_since: float = math.inf
    dispersion: float = 0.0
    cpu: float = math.inf


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
            self._narrow(self.width * _MAX_CUT, 1)
            self._hold(load, now + _TRY_AGAIN)
        elif interval.limited:
            self._narrow(2.0 * self._used, self._start)
            self._hold(load, now + _REFUSED_HOLD)
        elif interval.refused:
            share = interval.refused / (interval.refused + interval.completed)
            if share > _REFUSED_SHARE:
                self._narrow(self.width * (1.0 - share), self._start)
            self._hold(load, now + _REFUSED_HOLD)
        elif self._starved(interval):
            self._narrow(max(_USED * self._used, self.width * _MAX_CUT), self._start)
            self._hold(load, now)
        elif interval.in_progress < _FILLED * self.width:
            load.window, load.round = Window(), Window()  # the work runs out: this tells nothing about the width
        elif load.ramping:
            self._ramp(load, interval, now)
        else:
            self._steady(load, interval, now)
        load.width = self.width

    def _select(self, interval: Interval) -> _Load:
        """What is known about work of this kind."""
        key = (interval.operation, interval.size_class)
        load = self._loads.get(key)
        if load is None:
            width = self.width if interval.size_class <= self._size_class else min(self.width, self._start)
            load = self._loads[key] = _Load(width)
        if load is not self._load:
            if self._load is not None and not (interval.refused or interval.constrained or interval.limited):
                self._set(load.width)
            self._load, self._size_class = load, interval.size_class
            load.window, load.round = Window(), Window()
        return load

    def _renewed(self, load: _Load, interval: Interval) -> _Load:
        """`load`, or a new one if the server has been several times as far away as it was for _FORGET_SECONDS: it is to
        be measured again, with few requests in progress, as the cause may also be that there are so many."""
        nearest = min(load.least, load.nearest)
        if interval.first_byte_min is None or interval.limited or nearest == math.inf:
            return load
        load.moved = load.moved + interval.seconds if interval.first_byte_min > _MOVED * nearest else 0.0
        if load.moved < _FORGET_SECONDS:
            return load
        self._narrow(self._start, 1)
        self._load = self._loads[interval.operation, interval.size_class] = _Load(self.width)
        return self._load

    def _starved(self, interval: Interval) -> bool:
        is_idle = interval.idle_workers > _IDLE_SHARE * self.width
        self._idle = self._idle + interval.seconds if is_idle else 0.0
        if self._idle < _IDLE_SECONDS:
            return False
        self._idle = 0.0
        return True

    def _hold(self, load: _Load, until: float) -> None:
        """End the ramp, and try no other width until then."""
        load.ramping = False
        load.trial = load.before = None
        load.loaded_since = math.inf
        load.window = Window()
        load.try_at = max(load.try_at, until)

    # ---- while the width is found

    def _ramp(self, load: _Load, interval: Interval, now: float) -> None:
        self._learn(load, interval)
        proven, recent = self._proven(load, interval, now), self._recent(load, interval)
        load.window.add(interval)
        if load.latency == math.inf or not recent.completed:
            return
        self.interval = min(_MAX_INTERVAL, max(_MIN_INTERVAL, load.latency / 4))
        if recent.cpu_share > _BUSY:
            self._hold(load, now + load.pause)
        elif interval.size_class or not load.round.sampled + recent.sampled:
            self._step(load, now)
        elif recent.sampled:
            self._grow(load, recent, proven, now)
        if self.width == self._maximum:
            self._hold(load, now)

    def _grow(self, load: _Load, recent: Window, proven: float, now: float) -> None:
        """Widen to a multiple of what is needed now, or end the ramp if requests wait for each other."""
        slowdown = max(1e-6, recent.latency / load.latency / (1.0 + 2.0 * recent.noise))
        if slowdown > _LOADED:
            load.loaded_since = min(load.loaded_since, now)
            if now - load.loaded_since >= recent.latency:  # else it may have been a pause of the server
                self._narrow(recent.mean_in_progress / slowdown + _QUEUED, self._start)
                self._hold(load, now + load.pause)
            return
        load.loaded_since = math.inf
        waiting = recent.rate() * recent.latency
        load.occupied = min(1.0, max(load.occupied, waiting / max(1.0, recent.mean_sent)))
        needed = min(proven, waiting / slowdown / load.occupied)
        self._widen(min(self._growth(load, recent, slowdown) * needed, _CPU_MARGIN * load.latency / load.cpu))

    def _growth(self, load: _Load, recent: Window, slowdown: float) -> float:
        """The factor by which the width may exceed what is needed now."""
        load.dispersion = max(load.dispersion, recent.dispersion)
        together = min((_SPREAD - load.dispersion) / (_SPREAD - _TOGETHER), (_UNLOADED - slowdown) / (_UNLOADED - 1.0))
        is_fast = max(load.peak, recent.rate(1)) > _SLOW_LINE
        low, high = (_FAST_GROWTH, _FASTEST_GROWTH) if is_fast else (_GROWTH, _SURE_GROWTH)
        growth = _between(low, high, together)
        return _between(1.0, growth, (_LOADED - slowdown) / (_LOADED - _UNLOADED))

    def _proven(self, load: _Load, interval: Interval, now: float) -> float:
        """Requests that were in progress over open connections so long ago that their answers have been seen."""
        load.sent.append((now - interval.seconds / 2, interval.in_progress - interval.dialing))
        while len(load.sent) > 1 and load.sent[1][0] <= now - _ALMOST * load.latency:
            load.sent.popleft()
        return load.sent[0][1] if load.sent[0][0] <= now - _ALMOST * load.latency else 0.0

    def _recent(self, load: _Load, interval: Interval) -> Window:
        """What happened in the last `latency` seconds, or in the last intervals while that is not known."""
        load.recent.append(interval)
        if load.latency == math.inf and len(load.recent) > _MAX_UNKNOWN:
            load.recent.popleft()
        window = Window()
        for number, each in enumerate(reversed(load.recent), 1):
            window.add(each)
            if window.seconds >= _ALMOST * load.latency:
                while len(load.recent) > number:
                    load.recent.popleft()
                break
        return window

    def _step(self, load: _Load, now: float) -> None:
        """Double the width for large objects while their bytes come faster."""
        window = load.window
        if now < load.settled:
            load.window = Window()
            return
        if window.seconds < max(2.0 * load.latency, _WINDOW / 2):
            return
        load.window = Window()
        rate, width = window.rate(1), window.mean_in_progress
        if load.before is not None and rate < load.before[1] * (1.0 + _MIN_GAIN * (width / load.before[0] - 1.0)):
            self._narrow(load.before[0], self._start)
            self._hold(load, now + load.pause)
            return
        load.before, load.settled = (width, rate), now + 2.0 * load.latency
        self._widen(2.0 * self.width)

    def _learn(self, load: _Load, interval: Interval) -> None:
        """Update the least latency after each round: when as many requests as are in progress were completed."""
        window = load.round
        window.add(interval)
        if interval.first_byte_min is not None:
            load.nearest = min(load.nearest, interval.first_byte_min)
        if not load.has_begun:
            self._begin(load, interval)
        rounds = 1 if window.sampled else _UNSAMPLED_ROUNDS
        if window.completed < rounds * max(_MIN_ROUND, window.mean_in_progress):
            return
        load.round = Window()
        allowance = _ALLOWANCE if window.dispersion < _SPREAD else _LARGE_ALLOWANCE
        latency = window.latency * (1.0 + allowance * window.noise)
        load.least = min(load.least, latency)
        load.latency = min(load.latency, latency)
        load.cpu = min(load.cpu, max(LEAST_SECONDS, window.cpu / window.completed))

    def _begin(self, load: _Load, interval: Interval) -> None:
        """Widen as soon as the first requests are completed: by how long the server took, and how close to each other
        the responses came, which tells how many more requests it can answer in that time."""
        window = load.round
        load.answering += interval.seconds if interval.completed else 0.0
        if window.completed < _MIN_ROUND:
            return
        load.has_begun = True
        seconds = load.answering
        if seconds <= _AT_ONCE:  # in two intervals, of which the first and the last one count half
            seconds = max(_FIRST_INTERVAL, seconds - _FIRST_INTERVAL)
        load.peak = window.bytes / seconds
        if not window.sampled and window.latency > _FAR and window.cpu_share < _BUSY:
            possible = window.completed / seconds * window.latency / _FIRST_ROUND_TRIPS
            self._widen(max(2.0 * self.width, min(_FASTEST_GROWTH * self.width, possible)))

    # ---- once it is found

    def _steady(self, load: _Load, interval: Interval, now: float) -> None:
        self._learn(load, interval)
        window = load.window
        window.add(interval)
        if now < load.settled:
            load.window = Window()
            return
        if window.completed < max(_ENOUGH, 2.0 * self.width) and window.seconds < _MAX_WINDOW:
            return
        if window.seconds < _WINDOW or not window.completed:
            return
        load.window = Window()
        self.interval = min(_MAX_INTERVAL, max(_MIN_INTERVAL, 2.0 * window.latency))
        rate, slowdown = window.rate(interval.size_class), max(1e-6, window.latency / load.latency)
        queued = window.mean_in_progress * (1.0 - 1.0 / slowdown - 2.0 * window.noise)
        is_busy = window.cpu_share > _BUSY
        if load.trial is not None:
            self._judge(load, rate, slowdown, now)
        elif is_busy:
            pass
        elif queued > _MANY_QUEUED and slowdown > _CERTAIN and window.sampled:
            self._narrow(max(window.mean_in_progress / slowdown + _QUEUED, _MAX_CUT * self.width), self._start)
            load.settled = now + 2.0 * window.latency
            load.try_at = max(load.try_at, now + load.pause)
            load.latency = min(load.latency * (1.0 + _DRIFT * window.seconds), _MAX_DRIFT * load.least)
        elif (queued < _FEW_QUEUED or slowdown < _SLIGHT) and now >= load.try_at and self.width < self._maximum:
            load.trial, load.settled = (self.width, rate), now + 2.0 * window.latency
            self._widen(math.ceil(self.width * _STEP))

    def _judge(self, load: _Load, rate: float, slowdown: float, now: float) -> None:
        """Whether a trial was worthwhile."""
        assert load.trial is not None
        width, before = load.trial
        load.trial = None
        if rate >= before * (1.0 + _MIN_GAIN * (self.width / width - 1.0)):
            load.pause = _TRY_AGAIN
            load.ramping = slowdown < _UNLOADED
            load.recent.clear()
            load.sent.clear()
        else:
            self._narrow(width, 1)
            load.pause = min(2.0 * load.pause, _MAX_TRY_AGAIN)
            load.try_at = now + load.pause

    # ---- the width

    def _set(self, width: float) -> None:
        self.width = int(max(1, min(self._maximum, width)))

    def _widen(self, width: float) -> None:
        load = self._load
        if load is None or (load.nearest >= _NEAR and (load.latency < _OVERLOADED or load.latency == math.inf)):
            self._set(max(self.width, width))

    def _narrow(self, width: float, least: int) -> None:
        """Narrow to `width`, but not below `least`."""
        self._set(min(self.width, max(width, least)))


def _between(low: float, high: float, share: float) -> float:
    """`low` at a share of 0 or less, `high` at 1 or more."""
    return low + (high - low) * max(0.0, min(1.0, share))
