"""When the requests of this process to one server are sent: at once, at a limited rate, or one at a time as probes.

This is the only place that reacts to a server that refuses requests or does not respond. A waiting request asks again
every POLL_SECONDS at the latest, so that all of them learn from each response.
"""

from __future__ import annotations

import random
from collections.abc import Callable

POLL_SECONDS = 0.25
"""Seconds after which a waiting request asks again, however far away its turn is."""

_WINDOW, _MAX_WINDOW = 1.0, 20.0
"""Seconds over which responses are counted. Some stores enforce limits per second: over less time they seem to refuse
nothing, and then everything. A window lasts longer, up to the second number, while there are too few responses."""

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
"""Requests per second at the start if it is not known what the server accepts."""

_HOLD, _MAX_HOLD = 1.25, 1.0
"""Multiple of the latency, and the maximum in seconds, for which no request is sent after the limit was exceeded, so
that the responses to earlier requests arrive: they tell what the server accepts."""

_MIN_EVIDENCE, _START_SHARE = 2, 0.8
"""Accepted requests that are needed for that, and the share of the accepted rate to start with."""

_LAG, _MIN_LAG, _MIN_ANSWERS = 3.0, 0.2, 20
"""When everything is refused, the rate falls by a factor of e in this multiple of the latency, in so many seconds at
least, or with so many responses if they take longer: faster, it would fall for what has already been corrected."""

_TOLERANCE, _TOLERANCE_RATE, _TOLERANCE_EXPONENT = 0.013, 250.0, 0.7
"""Share of refused requests at which the rate neither grows nor falls: 1.3% at 250 requests per second, and more the
lower the rate is, so that processes that share a store converge to equal rates."""

_QUIET, _QUIET_EXPONENT, _MAX_QUIET = 2.0, 5.0, 1.0
"""The rate grows faster when no request has been refused for this multiple of the usual time; with this power of the
time. More than the last number of seconds is not usual, as some stores enforce limits per second."""

_MAX_GROWTH, _SEARCH, _FAST_SEARCH = 0.3, 1.0, 3.0
"""Growth rates as multiples of the rate at which the rate falls when everything is refused: the maximum; that of a rate
that was not refused yet; and the same after an outage."""

_SEARCH_WINDOW = 0.1
"""A window as long as nothing was refused yet: the rate may soon be more than is needed."""

_OUTAGE_SECONDS = 3.0
"""Seconds after which a server that did not respond was down, and not merely overloaded by these requests."""

_FLOOR = 0.9
"""Share of the rate that was accepted in the last window, below which the rate does not fall."""

_MAX_UNUSED = 2.0
"""Multiple of the requests per second that were sent, above which the rate is not kept."""

_REDUCED, _SAME, _MORE = 0.6, 0.6, 1.3
"""Refusals happen at any rate, and limiting it only costs time, if a rate of this share of what was sent before has
changed the share that is refused by less than the second factor, and has not raised the share that is accepted to the
third multiple."""

_MIN_SAMPLE, _MIN_OF_EACH = 30, 10
"""Responses that are needed to tell that, and how many of them were accepted, and refused."""

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

    Unlimited: requests are sent at once, and nothing is counted. When more than a fifth of them are refused, none is
    sent for the time of a response, and then one after the other at a rate: somewhat less than what was accepted
    meanwhile. Each refusal reduces the rate, each success raises it, such that a few percent are refused and the rate
    stays just above what the server accepts. If refusals fail to come, it grows faster. When no request has to wait any
    more, requests are unlimited again.

    When nothing has succeeded for a second, the server is down: single requests probe whether it is back. All others
    wait, and are then sent at a low rate that grows fast until something is refused.

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
        self._accepted = 0  # responses in the window, while watching
        self._refused = 0
        self._failed = False  # whether anything failed in the window
        self._has_queue = False  # whether a request had to wait in the window
        self._latency = 0.0  # mean seconds of a response, while watching
        self._success = 0.0  # time of the last one, while watching
        self._failures = 0  # since then
        self._down_since = 0.0
        self._probe = 0.0  # time of the next one
        self._restart = _START_RATE  # the rate after an outage
        self._evidence = 0  # accepted since refusals became frequent
        self._evidence_since = 0.0
        self._evidence_until = 0.0
        self._held_until = 0.0  # no request is sent before
        self._cut = 0.0  # when the rate was limited: responses to earlier requests say nothing about it
        self._search = 0.0  # growth of a rate at which nothing has been refused yet; 0.0: something has
        self._refusal = 0.0  # time of the last one
        self._quiet = 0.0  # usual number of seconds between two of them
        self._floor = 0.0  # the rate does not fall below this
        self._usual = 0.0  # share of the requests that is refused at any rate
        self._excess = (0.0, 0.0)  # requests per second when many were refused, and the share of these
        self._sample = (0, 0, 0.0)  # requests accepted and refused since then, in so many seconds
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
        if now < self._held_until:
            return self._held_until - now
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
        self._observe(now - sent)
        rate = self.rate
        if rate == 0.0:
            is_outage = now - self._down_since > _OUTAGE_SECONDS
            self._limit(self._restart, now, search=_FAST_SEARCH if is_outage else _SEARCH)
        elif rate is None or self._held_until:
            self._accepted += 1
            self._evidence += 1
            self._evidence_until = now
        elif sent >= self._cut:
            self._accepted += 1
            self._advance(now)
            if self._served < self._tickets:  # else it is not known whether the whole rate is accepted
                self._change(rate * (1.0 + self._growth(rate, now) / self._lag(rate)), now)

    def refused(self, sent: float, now: float) -> None:
        """The server refused a request sent at `sent`, because there are too many."""
        self.failed(now)
        self._observe(now - sent)
        rate, quiet = self.rate, now - self._refusal
        if rate is None:
            self._refusal = now
            self._refused += 1
            if quiet > self._lag_seconds():
                self._evidence, self._evidence_since = 0, now
            # So much more than a fifth that it cannot be chance, in whatever order the responses arrive
            answers = self._refused + self._accepted
            if self._refused > _MIN_FAILURES + self._tolerated * answers:
                self._excess = (answers / max(0.001, now - self._began), self._refused / answers)
                self._sample = (0, 0, 0.0)
                self._limit(_START_RATE, now, hold=min(_MAX_HOLD, _HOLD * self._latency))
        elif self._held_until:
            self._evidence_until = now
        elif rate and sent >= self._cut:
            self._refusal = now
            self._refused += 1
            lag = self._lag(rate)
            self._change(max(self._floor, rate * (1.0 - 1.0 / lag)), now)
            if self._search or quiet * rate > lag:  # else it is one of several at a time
                quiet = min(quiet, max(_MAX_QUIET, lag / rate))
                self._quiet = max(quiet, (quiet + self._quiet) / 2.0)
                if self._search:
                    self._search = 0.0
                    self._begin_window(now)

    def _observe(self, latency: float) -> None:
        self._latency += (latency - self._latency) * (0.1 if self._latency else 1.0)

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
            self._restart = min(_START_RATE, self.rate or _START_RATE)
            self.rate = self._held_until = 0.0
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

    def _limit(self, rate: float, now: float, hold: float = 0.0, search: float = _SEARCH) -> None:
        """Limit the rate. hold: seconds for which nothing is sent, as responses will tell what the server accepts."""
        self.rate = rate
        self._search = search
        self._cut = self._refusal = now
        self._floor = self._quiet = 0.0
        self._queue_id += 1
        self._tickets, self._served, self._served_at = 0, 0.0, now
        self._begin_window(now)
        self._has_queue = True
        self._held_until = 0.0
        if hold:
            self._until = self._held_until = now + hold

    def _resume(self, now: float) -> None:
        """Send requests again, at a rate that the server accepts as far as its responses tell."""
        known = self._evidence / max(0.001, self._latency, self._evidence_until - self._evidence_since)
        self._held_until = 0.0
        self._refusal = self._served_at = now
        self.rate = max(_START_RATE, _START_SHARE * known)
        if self._evidence >= _MIN_EVIDENCE:
            self._search = 0.0
            self._quiet = self._lag_seconds() / _LAG

    def _lag_seconds(self) -> float:
        return max(_MIN_LAG, _LAG * self._latency)

    def _lag(self, rate: float) -> float:
        """The number of refusals that reduce the rate by a factor of e."""
        return max(_MIN_ANSWERS, rate * self._lag_seconds())

    def _growth(self, rate: float, now: float) -> float:
        """How much a success raises the rate, as a share of how much a refusal reduces it."""
        if self._search:
            return self._search
        tolerance = self._tolerance(rate)
        silence = (now - self._refusal) / (_QUIET * self._quiet) if self._quiet else 1.0
        growth = min(_MAX_GROWTH, tolerance * float(max(1.0, silence) ** _QUIET_EXPONENT))
        return growth + self._usual / (1.0 - self._usual)

    def _tolerance(self, rate: float) -> float:
        """The share of refused requests at which the rate neither grows nor falls."""
        return float(_TOLERANCE * (_TOLERANCE_RATE / rate) ** _TOLERANCE_EXPONENT)

    def _change(self, rate: float, now: float) -> None:
        self._advance(now)
        if self.rate:  # other threads may have changed it meanwhile
            self.rate = max(_MIN_RATE, rate)

    def _end_window(self, now: float) -> None:
        rate = self.rate
        if rate is None:
            self.is_watching = self._failed
            self._logged_at = self._logged_at if self._failed else None
            self._usual = self._usual if self._failed else 0.0
            if self._failed:  # keep counting, and forget old responses gradually
                self._begin_window(now, self._accepted, self._refused)
                return
        elif self._held_until:
            self._resume(now)
        elif rate and not self._review(rate, now):
            self._until = now + _WINDOW
            return
        self._begin_window(now)

    def _begin_window(self, now: float, accepted: int = 0, refused: int = 0) -> None:
        self._began = now
        self._until = now + (_SEARCH_WINDOW if self._search else _WINDOW)
        halved = accepted + refused > _MAX_ANSWERS
        self._accepted, self._refused = accepted >> halved, refused >> halved
        self._failed = self._has_queue = False

    def _review(self, rate: float, now: float) -> bool:
        """Hold the rate against the responses of the window. False if there are too few yet."""
        seconds, answers = max(0.001, now - self._began), self._accepted + self._refused
        if self._has_queue and answers < _MIN_FAILURES and seconds < _MAX_WINDOW:
            return False
        share = self._refused / answers if answers else 0.0
        is_used = self._has_queue and rate < _MAX_UNUSED * answers / seconds
        if not is_used and share <= _MAX_REFUSED_SHARE:
            self.rate = None
            return True
        if self._is_refused_at_any_rate(seconds):
            self.rate = None
            return True
        if self._search:
            return True
        self._floor = _FLOOR * self._accepted / seconds / (1.0 - self._usual)
        self._change(max(self._floor, min(rate, _MAX_UNUSED * answers / seconds)), now)
        return True

    @property
    def _tolerated(self) -> float:
        """The share of refused requests above which the rate is limited."""
        return self._usual + _MAX_REFUSED_SHARE * (1.0 - self._usual)

    def _is_refused_at_any_rate(self, seconds: float) -> bool:
        """Whether a lower rate has not changed the share of requests that is refused. seconds: of the window."""
        accepted, refused, sampled = self._sample
        accepted, refused, sampled = accepted + self._accepted, refused + self._refused, sampled + seconds
        is_enough = accepted + refused >= _MIN_SAMPLE and min(accepted, refused) >= _MIN_OF_EACH
        self._sample = (0, 0, 0.0) if is_enough or sampled > _MAX_WINDOW else (accepted, refused, sampled)
        if not is_enough:
            return False
        rate, share = (accepted + refused) / sampled, refused / (accepted + refused)
        before, refused_before = self._excess
        least = min(share, self._refused / max(1, self._accepted + self._refused))
        if least < (_SAME * refused_before or 2.0 * self._tolerance(rate)):
            self._excess = 0.0, 0.0  # few are refused: the rate is limited to what the store allows
        elif rate > before or share > refused_before / _SAME:
            self._excess = rate, share
        elif rate < _REDUCED * before:
            self._excess = rate, share
            self._usual = share if 1.0 - share < _MORE * (1.0 - refused_before) else 0.0
            return self._usual > 0.0
        return False
