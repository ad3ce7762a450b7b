"""When the requests of a process to one server may go: freely, at a rate, or one at a time to see whether it is back.

The one place that reacts to a server that refuses or does not answer. Whoever waits here asks again
every `POLL_SECONDS` seconds at the latest, so what is learnt from one answer is heard by all of them at once.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

POLL_SECONDS = 0.25
"""Seconds after which whoever waits asks again, however far away its turn is."""

_WINDOW = 1.0
"""Seconds over which answers are counted between two changes of the rate. Some stores count by the second
themselves: less would show them as one that refuses nothing, and then everything."""

_MIN_ANSWERS = 5
_MAX_WINDOW = 20.0
"""Answers that say little: a window lasts until there are more, up to these seconds."""

_MAX_REFUSED_SHARE = 0.2
"""Share of refused requests above which it is too many requests. Busy stores refuse a few of a hundred at
any rate: their own backoff is enough for those, and slowing down the others would only cost time."""

_MIN_FAILURES = 8
"""Failures that it takes to slow down, or to take the server for down: fewer may be chance."""

_MAX_ANSWERS = 1000
"""Answers after which the older ones count less."""

_MIN_RATE = 0.05
"""Requests a second that are always allowed: thousands of processes may share what a store allows."""

_START_RATE = 20.0
_FAST_START, _SLOW_START = 0.1, 0.25
"""Requests a second to begin with, and seconds after which they are doubled: the former when a server is
back that was down for some time, the latter when one began to refuse requests."""

_OUTAGE_SECONDS = 3.0
"""Seconds after which a server that was down was surely not just asked too much."""

_RESUME_SHARE = 0.7
"""Share of what was accepted to go on with where that has ended."""

_GROWTH, _MAX_GROWTH = 0.01, 0.5
"""Share a second by which the rate grows, and the same at the most, when nothing was refused for some time."""

_FAIR, _MAX_FAIR = 0.15, 0.04
"""Requests a second, times the root of the rate, by which it grows besides, and the share of the rate that this
never exceeds: over time, processes that share a store get the same, whatever they began with."""

_MAX_CUT = 0.5
_CLEAN_SHARE = 0.01
"""Share of refused requests up to which next to nothing was refused."""

_NEAR_CEILING = 1.1
"""Factor from the rate that was too much before within which the rate does not grow fast at once."""

_DOWN_SECONDS = 1.0
"""Seconds without a success, while requests fail, after which the server is taken for down."""

_PROBE_SHARE, _MIN_PROBE, _MAX_PROBE = 0.07, 0.2, 10.0
"""Seconds between two probes of a server that is down: this share of the time that it has been down, within these
bounds. So what is lost after its recovery is less than a tenth of the outage."""

_MIN_DELAY = 0.0005
"""Seconds that are not worth waiting."""

_LOG_SECONDS = 60.0
"""Seconds after which it is worth saying again that requests wait."""


class Ticket:
    """A place in the queue."""

    __slots__ = ("_number", "_queue_id")

    def __init__(self, number: int, queue: int) -> None:
        self._number = number
        self._queue_id = queue


class Limiter:
    """Holds back requests to a server that refuses too many of them, or is down.

    Free: requests go at once, and nothing is counted. Once more than a fifth of them are refused, they go at a
    rate, one after the other. It begins low and is doubled until something is refused. From then on it follows what
    was refused in the last second: it is cut by that share and grows by some hundredths, and
    so stays just above what the store takes. Where nothing is refused for some seconds, it grows faster; when
    nobody has to wait any more, requests go freely again.

    When nothing has succeeded for a second, the server is down: one request at a time goes to see whether
    it is back. All others wait for that, and then go at a rate that is doubled until something is refused.

    Times are monotonic seconds, handed in.

    Attributes:
        rate: requests a second now allowed; None: any number; 0.0: the server is down.
        is_watching: something has failed of late, so the client is to call `accepted` for each success.
        has_answered: the server has answered a request of this process.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self.rate: float | None = None
        self.is_watching = False
        self.has_answered = False
        self._jitter = jitter
        self._began = 0.0  # of the window being counted
        self._until = 0.0
        self._cut = 0.0  # when the rate was last cut: answers to what was sent before say nothing of it
        self._accepted = 0  # answers in it, while watching
        self._refused = 0
        self._failed = False  # whether anything did
        self._success = 0.0  # when the last one was, while watching
        self._failures = 0  # since then
        self._down_since = 0.0
        self._probe = 0.0  # when the next one may go
        self._starting = False  # after an outage: nothing was refused yet
        self._start_window = _SLOW_START
        self._ceiling = 0.0  # the rate that was too much when something was last refused
        self._base = 0.0  # the rate below which a few refusals do not bring it: they may come at any rate
        self._clean = 0  # windows in a row in which next to nothing was refused
        self._has_queue = False  # whether somebody had to wait in this window
        self._queue_id = 0  # grows when the places of a queue become void
        self._tickets = 0  # places in the queue
        self._served = 0.0  # how far it has come
        self._served_at = 0.0
        self._logged_at: float | None = None  # when it was last said that requests wait

    # ---- requests

    def enter(self, now: float) -> bool:
        """Whether a request has to wait for its turn: by `join` and `wait`."""
        if now >= self._until:
            self._end_window(now)
        return self.rate is not None

    def join(self, now: float) -> Ticket:
        """A place at the end of the queue."""
        self._advance(now)
        ticket = Ticket(self._tickets, self._queue_id)
        self._tickets += 1
        return ticket

    def wait(self, ticket: Ticket, now: float) -> float:
        """Seconds until the turn of `ticket`, as things are now; 0.0: it is. To be asked again after POLL_SECONDS."""
        if now >= self._until:
            self._end_window(now)
        rate = self.rate
        if not rate:
            return 0.0 if rate is None else self._wait_for_probe(now)
        if ticket._queue_id != self._queue_id:
            renewed = self.join(now)
            ticket._number, ticket._queue_id = renewed._number, renewed._queue_id
        self._advance(now)
        delay = (ticket._number - self._served) / rate
        if delay < _MIN_DELAY:
            return 0.0
        self._has_queue = True
        return delay

    def leave(self, ticket: Ticket) -> None:
        """Give up a place before its turn has come."""
        if ticket._queue_id == self._queue_id:
            self._served += 1.0

    def _advance(self, now: float) -> None:
        """Let the queue come as far as it may by now. What nobody has used is not saved up."""
        rate = self.rate  # once: other threads may change it meanwhile
        if rate:
            self._served = min(float(self._tickets), self._served + rate * max(0.0, now - self._served_at))
        self._served_at = now

    def _wait_for_probe(self, now: float) -> float:
        if now < self._probe:
            return self._probe - now
        pause = min(_MAX_PROBE, max(_MIN_PROBE, _PROBE_SHARE * (now - self._down_since)))
        self._probe = now + pause * (0.75 + 0.5 * self._jitter())
        return 0.0

    # ---- what came of them

    def accepted(self, sent: float, now: float) -> None:
        """The server did what was asked for at `sent`, or refused it for good. To be called while `is_watching`."""
        self._failures = 0
        self._success = now
        if self.rate == 0.0:
            self._begin_again(now, _FAST_START if now - self._down_since > _OUTAGE_SECONDS else _SLOW_START)
        elif sent >= self._cut:
            self._accepted += 1

    def refused(self, sent: float, now: float) -> None:
        """The server refused a request that was sent at `sent`, because there are too many."""
        self.failed(now)
        if sent < self._cut or self.rate == 0.0:
            return  # it says what is known already
        self._refused += 1
        # A fifth is exceeded by so much that it cannot be chance, with the answers coming as they may
        if self._refused > _MIN_FAILURES + _MAX_REFUSED_SHARE * (self._refused + self._accepted):
            if self.rate is None:
                self._begin_again(now, _SLOW_START)
            elif self._starting and self._accepted:
                self._end_window(now)

    def failed(self, now: float) -> None:
        """A request failed for a reason that may pass: no connection, a broken one, no answer, a server's error."""
        if not self.is_watching:
            self.is_watching = True
            self._success = now
            self._accepted = self._failures = 0
        self._failed = True
        self._failures += 1
        if self.rate != 0.0 and self._failures >= _MIN_FAILURES and now - self._success >= _DOWN_SECONDS:
            self._down_since, self._probe = self._success, now
            self.rate = 0.0
            self._queue_id += 1

    @property
    def is_down(self) -> bool:
        return self.rate == 0.0

    def down_for(self, now: float) -> float:
        """Seconds for which the server has been down, 0.0 where it is not."""
        return now - self._down_since if self.rate == 0.0 else 0.0

    def should_log(self, now: float) -> bool:
        """Whether it is to be told that requests wait: once, and once a minute while failures go on."""
        should_log = self._logged_at is None or now - self._logged_at >= _LOG_SECONDS
        if should_log:
            self._logged_at = now
        return should_log

    # ---- the rate

    def _begin_again(self, now: float, window: float) -> None:
        """Find out from below what the server takes; `window`: seconds after which the rate is doubled."""
        self._start_window = window
        self._starting = True
        self.rate = max(_MIN_RATE, min(_START_RATE, self._ceiling / 2.0)) if self._ceiling else _START_RATE
        self._cut = now
        self._clean = 0
        self._queue_id += 1
        self._tickets, self._served, self._served_at = 0, 0.0, now
        self._begin_window(now)
        self._has_queue = True

    def _end_window(self, now: float) -> None:
        rate = self.rate
        if rate is None:
            self.is_watching = self._failed
            self._logged_at = self._logged_at if self._failed else None
            if self._failed:  # what is counted goes on being so, and is forgotten bit by bit
                self._begin_window(now, self._accepted, self._refused)
                return
        elif rate and not self._change(rate, now):
            self._until = now + (self._start_window if self._starting else _WINDOW)
            return
        self._begin_window(now)

    def _begin_window(self, now: float, accepted: int = 0, refused: int = 0) -> None:
        self._began = now
        self._until = now + (self._start_window if self._starting else _WINDOW)
        halved = accepted + refused > _MAX_ANSWERS
        self._accepted, self._refused = accepted >> halved, refused >> halved
        self._failed = self._has_queue = False

    def _change(self, rate: float, now: float) -> bool:
        """Have the rate follow what came of the window's requests; False where they are too few yet."""
        seconds = min(_MAX_WINDOW, max(0.001, now - self._began))
        answers = self._accepted + self._refused
        if self._has_queue and answers < _MIN_ANSWERS and seconds < _MAX_WINDOW:
            return False
        share = self._refused / answers if answers else 0.0
        self._advance(now)
        if not self._has_queue and share <= _MAX_REFUSED_SHARE:
            self.rate = None
            self._starting = False
            self._ceiling = 0.0
        elif not self._starting:
            self.rate = self._corrected(rate, seconds, share)
        elif share <= (_MAX_REFUSED_SHARE if self._refused < _MIN_FAILURES // 2 else _MAX_REFUSED_SHARE / 2):
            self.rate = rate * 2.0
        else:
            self._starting = self._accepted == 0
            self.rate = max(_MIN_RATE, rate / 2.0 if self._starting else _RESUME_SHARE * self._accepted / seconds)
            if self._accepted or self._ceiling:
                self._ceiling = self.rate / _RESUME_SHARE
            self._base = self.rate / 2.0
            self._cut = now
        return True

    def _corrected(self, rate: float, seconds: float, share: float) -> float:
        """The rate after a window in which this share was refused."""
        corrected = max(_MIN_RATE, rate * self._growth(rate, seconds, share) * max(1.0 - share, _MAX_CUT))
        if share > _MAX_REFUSED_SHARE:
            self._base = corrected / 2.0
        return max(corrected, self._base)

    def _growth(self, rate: float, seconds: float, share: float) -> float:
        """The factor by which the rate grows: slowly where it was too much before, faster where it was not."""
        self._clean = min(self._clean + 1, 6) if share <= _CLEAN_SHARE else 0
        if not self._clean:
            self._ceiling = rate * max(1.0 - share, _MAX_CUT)
        if share > _MAX_REFUSED_SHARE:
            return 1.0
        fair = min(_FAIR / math.sqrt(rate), _MAX_FAIR)
        sure = self._clean if rate * _NEAR_CEILING < self._ceiling else self._clean - 2
        growth = _GROWTH if sure <= 0 else min(_MAX_GROWTH, (1.0 + 2 * _GROWTH) ** (3.0 ** sure) - 1.0)
        if rate < self._ceiling:  # not beyond it in one step
            growth = min(growth, max(_GROWTH, (self._ceiling / rate) ** (1 / seconds) - 1.0))
        return float((1.0 + growth + fair) ** seconds)
