"""When the requests of this process to one server are sent: at once, at a limited rate, or one at a time as probes.

This is the only place that reacts to a server that refuses requests or does not respond. A waiting request asks again
every POLL_SECONDS at the latest, so that all of them learn from each response.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

POLL_SECONDS = 0.25
"""Seconds after which a waiting request asks again, however far away its turn is."""

_WINDOW = 1.0
"""Seconds over which responses are counted between two changes of the rate. Some stores enforce limits per second:
over less time they seem to refuse nothing, and then everything."""

_MIN_ANSWERS = 5
_MAX_WINDOW = 20.0
"""Responses that are too few to tell anything: a window lasts until there are more, up to _MAX_WINDOW seconds."""

_MAX_REFUSED_SHARE = 0.2
"""Share of refused requests above which the rate is limited. Busy stores refuse a few percent at any rate: for those
the backoff of each request is enough, and slowing down the others would only cost time."""

_MIN_FAILURES = 8
"""Failures needed before requests are slowed down, or the server is considered down: fewer may be chance."""

_MAX_ANSWERS = 1000
"""Responses after which older ones count less."""

_MIN_RATE = 0.05
"""Requests per second that are always allowed. It is this low as thousands of processes may share a store's limit."""

_START_RATE = 20.0
_FAST_START, _SLOW_START = 0.1, 0.25
"""Requests per second at the start, and the seconds after which they are doubled: the first for a server that recovers
from an outage, the second for one that has started to refuse requests."""

_OUTAGE_SECONDS = 3.0
"""Seconds after which a server that did not respond was down, and not merely overloaded by these requests."""

_RESUME_SHARE = 0.7
"""Share of the accepted rate to continue with when doubling has ended."""

_GROWTH, _MAX_GROWTH = 0.01, 0.5
"""Share by which the rate grows per second, and the maximum when nothing has been refused for some time."""

_FAIR, _MAX_FAIR = 0.15, 0.04
"""Additional growth in requests per second, times the square root of the rate, and the maximum share of the rate. It
makes processes that share a store converge to equal rates, whatever they started with."""

_MAX_CUT = 0.5
_CLEAN_SHARE = 0.01
"""Share of refused requests up to which a window counts as one without refusals."""

_NEAR_CEILING = 1.1
"""Within this factor of the rate that was too high before, the rate does not grow fast immediately."""

_DOWN_SECONDS = 1.0
"""Seconds without a success, while requests fail, after which the server is considered down."""

_PROBE_SHARE, _MIN_PROBE, _MAX_PROBE = 0.07, 0.2, 10.0
"""Seconds between two probes of a server that is down: this share of the outage so far, within these bounds. So the
time lost after its recovery is less than a tenth of the outage."""

_MIN_DELAY = 0.0005
"""Delays below this many seconds are not waited for."""

_LOG_SECONDS = 60.0
"""Seconds after which it is logged again that requests are waiting."""


class Ticket:
    """A number in the queue."""

    __slots__ = ("_number", "_queue_id")

    def __init__(self, number: int, queue: int) -> None:
        self._number = number
        self._queue_id = queue


class Limiter:
    """Delays requests to a server that refuses too many of them, or is down.

    Unlimited: requests are sent at once, and nothing is counted. When more than a fifth of them are refused, they are
    sent one after the other at a rate. It starts low and is doubled until something is refused. From then on it is
    reduced by the share that was refused in the last second and grows by a few percent, so that it stays just above
    what the store accepts. If nothing is refused for some seconds, it grows faster. When no request has to wait any
    more, requests are unlimited again.

    When nothing has succeeded for a second, the server is down: single requests probe whether it is back. All others
    wait, and are then sent at a rate that is doubled until something is refused.

    All times are seconds of a monotonic clock, passed in by the caller.

    Attributes:
        rate: requests per second that are allowed; None: unlimited; 0.0: the server is down.
        is_watching: something has failed recently, so that the client has to report each success with `accepted`.
        has_answered: the server has responded to a request of this process.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self.rate: float | None = None
        self.is_watching = False
        self.has_answered = False
        self._jitter = jitter
        self._began = 0.0  # of the current window
        self._until = 0.0
        self._cut = 0.0  # when the rate was last reduced: responses to earlier requests say nothing about it
        self._accepted = 0  # responses in the window, while watching
        self._refused = 0
        self._failed = False  # whether anything failed in the window
        self._success = 0.0  # time of the last one, while watching
        self._failures = 0  # since then
        self._down_since = 0.0
        self._probe = 0.0  # time of the next one
        self._starting = False  # the rate is being doubled: nothing has been refused yet
        self._start_window = _SLOW_START
        self._ceiling = 0.0  # the rate at which something was last refused
        self._base = 0.0  # a few refusals do not reduce the rate below this: they may happen at any rate
        self._clean = 0  # consecutive windows without refusals
        self._has_queue = False  # whether a request had to wait in this window
        self._queue_id = 0  # grows when the tickets of a queue become invalid
        self._tickets = 0  # issued in this queue
        self._served = 0.0  # tickets whose turn has come
        self._served_at = 0.0
        self._logged_at: float | None = None  # when it was last logged that requests wait

    # ---- requests

    def enter(self, now: float) -> bool:
        """Whether a request has to wait for its turn, with `join` and `wait`."""
        if now >= self._until:
            self._end_window(now)
        return self.rate is not None

    def join(self, now: float) -> Ticket:
        """A ticket for the end of the queue."""
        self._advance(now)
        ticket = Ticket(self._tickets, self._queue_id)
        self._tickets += 1
        return ticket

    def wait(self, ticket: Ticket, now: float) -> float:
        """Seconds until the turn of `ticket`, as of now; 0.0 when it has come. To be asked again after POLL_SECONDS."""
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
        """Return a ticket before its turn has come."""
        if ticket._queue_id == self._queue_id:
            self._served += 1.0

    def _advance(self, now: float) -> None:
        """Serve the tickets that are due by now. Turns that no request has used are not saved up."""
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

    # ---- outcomes

    def accepted(self, sent: float, now: float) -> None:
        """A request sent at `sent` succeeded, or failed permanently. To be called while `is_watching`."""
        self._failures = 0
        self._success = now
        if self.rate == 0.0:
            self._begin_again(now, _FAST_START if now - self._down_since > _OUTAGE_SECONDS else _SLOW_START)
        elif sent >= self._cut:
            self._accepted += 1

    def refused(self, sent: float, now: float) -> None:
        """The server refused a request sent at `sent`, because there are too many."""
        self.failed(now)
        if sent < self._cut or self.rate == 0.0:
            return  # nothing new
        self._refused += 1
        # So much more than a fifth that it cannot be chance, in whatever order the responses arrive
        if self._refused > _MIN_FAILURES + _MAX_REFUSED_SHARE * (self._refused + self._accepted):
            if self.rate is None:
                self._begin_again(now, _SLOW_START)
            elif self._starting and self._accepted:
                self._end_window(now)

    def failed(self, now: float) -> None:
        """A request failed with a transient error: no connection, a lost one, no response, a server error."""
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
        """Seconds for which the server has been down; 0.0 if it is not."""
        return now - self._down_since if self.rate == 0.0 else 0.0

    def should_log(self, now: float) -> bool:
        """Whether to log that requests wait: once, then once a minute while failures continue."""
        is_due = self._logged_at is None or now - self._logged_at >= _LOG_SECONDS
        if is_due:
            self._logged_at = now
        return is_due

    # ---- the rate

    def _begin_again(self, now: float, window: float) -> None:
        """Start at a low rate, to find out what the server accepts. window: seconds after which the rate is doubled."""
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
            if self._failed:  # keep counting, and forget old responses gradually
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
        """Adapt the rate to the responses of this window. False if there are too few yet."""
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
        """The rate after a window in which `share` was refused."""
        corrected = max(_MIN_RATE, rate * self._growth(rate, seconds, share) * max(1.0 - share, _MAX_CUT))
        if share > _MAX_REFUSED_SHARE:
            self._base = corrected / 2.0
        return max(corrected, self._base)

    def _growth(self, rate: float, seconds: float, share: float) -> float:
        """The factor by which the rate grows: slowly near the rate that was too high before, faster elsewhere."""
        self._clean = min(self._clean + 1, 6) if share <= _CLEAN_SHARE else 0
        if not self._clean:
            self._ceiling = rate * max(1.0 - share, _MAX_CUT)
        if share > _MAX_REFUSED_SHARE:
            return 1.0
        fair = min(_FAIR / math.sqrt(rate), _MAX_FAIR)
        sure = self._clean if rate * _NEAR_CEILING < self._ceiling else self._clean - 2
        growth = _GROWTH if sure <= 0 else min(_MAX_GROWTH, (1.0 + 2 * _GROWTH) ** (3.0 ** sure) - 1.0)
        if rate < self._ceiling:  # at most up to it in one step
            growth = min(growth, max(_GROWTH, (self._ceiling / rate) ** (1 / seconds) - 1.0))
        return float((1.0 + growth + fair) ** seconds)
