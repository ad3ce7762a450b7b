"""When the requests of this process to one server are sent: at once, at a limited rate, or one at a time as probes.

This is the only place that reacts to a server that refuses requests or does not respond. A waiting request asks again
every POLL_SECONDS at the latest, so that all of them learn from each response.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from cloudfiles.transport.rate_limit.rate_control import FAST_SEARCH, SEARCH, RateControl
from cloudfiles.transport.rate_limit.refused_share import RefusedShare
from cloudfiles.transport.rate_limit.turn_queue import Ticket, TurnQueue

POLL_SECONDS = 0.25
"""Seconds after which a waiting request asks again, however far away its turn is."""

_WINDOW, _MAX_WINDOW = 1.0, 20.0
"""Seconds over which responses are counted. Some stores enforce limits per second: over less time they seem to refuse
nothing, and then everything. A window lasts longer, up to the second number, while there are too few responses."""

_SEARCH_WINDOW = 0.1
"""The same as long as nothing was refused yet: the rate may soon be more than is needed."""

_MIN_FAILURES = 8
"""Failures needed before requests are slowed down, or the server is considered down: fewer may be chance."""

_MAX_ANSWERS = 1000
"""Responses after which older ones count less."""

_START_RATE = 20.0
"""Requests per second at the start if it is not known what the server accepts."""

_HOLD, _MAX_HOLD = 1.25, 1.0
"""Multiple of the latency, and the maximum in seconds, for which no request is sent after the limit was exceeded, so
that the responses to earlier requests arrive: they tell what the server accepts."""

_MIN_EVIDENCE, _START_SHARE = 2, 0.8
"""Accepted requests that are needed for that, and the share of the accepted rate to start with."""

_PATIENCE, _TRIAL_SHARE = 2.0, 0.5
"""Seconds after which a smaller share of refused requests is no longer tolerated, and the share of the rate at which it
is then found out whether a lower one is refused less."""

_OUTAGE_SECONDS = 3.0
"""Seconds after which a server that did not respond was down, and not merely overloaded by these requests."""

_MAX_UNUSED = 2.0
"""Multiple of the requests per second that were sent, above which the rate is no limit."""

_DOWN_SECONDS = 1.0
"""Seconds without a success, while requests fail, after which the server is considered down."""

_PROBE_SHARE, _MIN_PROBE, _MAX_PROBE = 0.07, 0.2, 10.0
"""Seconds between two probes of a server that is down: this share of the outage so far, within these bounds. So the
time lost after its recovery is less than a tenth of the outage."""

_LATER = 0.1
"""Share of a Retry-After that is waited in addition at most, so that clients do not return at the same moment."""

_LOG_SECONDS = 60.0
"""Seconds after which it is logged again that requests are waiting."""


class Limiter:
    """Delays requests to a server that refuses too many of them, or is down.

    Unlimited: requests are sent at once, and nothing is counted. When more than a fifth of them are refused, none is
    sent for the time of a response, and then one after the other at a rate: somewhat less than what was accepted
    meanwhile. If a smaller share has been refused for a while, they are sent at half the rate. From then on each
    response corrects it (`rate_control.py`), such that a few percent are refused and the rate stays just above what the
    server accepts. When no request has to wait any more, or refusals turn out not to depend on the rate
    (`refused_share.py`), requests are unlimited again.

    When nothing has succeeded for a second, the server is down: single requests probe whether it is back, not before
    the time of a Retry-After. All others wait, and are then sent at a low rate that grows fast until something is
    refused.

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
        self._queue = TurnQueue()
        self._control = RateControl()
        self._share = RefusedShare()
        self._began = 0.0  # of the current window
        self._until = 0.0
        self._accepted = 0  # responses in the window, while watching
        self._refused = 0
        self._failed = False  # whether anything failed in the window
        self._has_queue = False  # whether a request had to wait in the window
        self._success = 0.0  # time of the last one, while watching
        self._failures = 0  # since then
        self._unlimited_since = 0.0  # while watching
        self._down_since = 0.0
        self._probe = 0.0  # time of the next one
        self._not_before = 0.0  # the server asked for no request before
        self._restart = _START_RATE  # the rate after an outage
        self._evidence = 0  # accepted since refusals became frequent
        self._evidence_since = 0.0
        self._evidence_until = 0.0
        self._held_until = 0.0  # no request is sent before
        self._cut = 0.0  # when the rate was limited: responses to earlier requests say nothing about it
        self._logged_at: float | None = None  # when it was last logged that requests wait

    # ---- requests

    def enter(self, now: float) -> bool:
        """Whether a request has to wait for its turn, with `join` and `wait`."""
        if now >= self._until:
            self._end_window(now)
        return self.rate is not None

    def join(self, now: float) -> Ticket:
        """A ticket for the end of the queue."""
        return self._queue.join(self.rate or 0.0, now)

    def wait(self, ticket: Ticket, now: float) -> float:
        """Seconds until the turn of `ticket`, as of now; 0.0 when it has come. To be asked again after POLL_SECONDS."""
        if now >= self._until:
            self._end_window(now)
        rate = self.rate
        if not rate:
            return 0.0 if rate is None else self._wait_for_probe(now)
        if now < self._held_until:
            return self._held_until - now
        delay = self._queue.delay(ticket, rate, now)
        if delay:
            self._has_queue = True
        return delay

    def leave(self, ticket: Ticket) -> None:
        """Return a ticket before its turn has come."""
        self._queue.leave(ticket)

    def _wait_for_probe(self, now: float) -> float:
        due = max(self._probe, self._not_before)
        if now < due:
            return due - now
        pause = min(_MAX_PROBE, max(_MIN_PROBE, _PROBE_SHARE * (now - self._down_since)))
        self._probe = now + pause * (0.75 + 0.5 * self._jitter())
        return 0.0

    # ---- outcomes

    def accepted(self, sent: float, now: float) -> None:
        """A request sent at `sent` succeeded, or failed permanently. To be called while `is_watching`."""
        self._failures = 0
        self._not_before = 0.0
        self._success = now
        self._control.observe(now - sent)
        rate = self.rate
        if rate == 0.0:
            is_outage = now - self._down_since > _OUTAGE_SECONDS
            self._limit(self._restart, now, search=FAST_SEARCH if is_outage else SEARCH)
        elif rate is None or self._held_until:
            self._accepted += 1
            self._evidence += 1
            self._evidence_until = now
        elif sent >= self._cut:
            self._accepted += 1
            self._queue.advance(rate, now)
            if self._queue.is_waiting:  # else it is not known whether the whole rate is accepted
                self._change(self._control.after_success(rate, now, self._share.usual), now)

    def refused(self, sent: float, now: float, retry_after: float = 0.0) -> None:
        """The server refused a request sent at `sent`, because there are too many.

        retry_after: seconds that it asked to wait. While others are accepted, this concerns that request only.
        """
        if retry_after:
            self._not_before = max(self._not_before, now + retry_after * (1.0 + _LATER * self._jitter()))
        self.failed(now)
        self._control.observe(now - sent)
        rate = self.rate
        if rate is None:
            self._refused_while_unlimited(now)
        elif self._held_until:
            self._evidence_until = now
        elif rate and sent >= self._cut:
            self._refused += 1
            was_search = self._control.is_search
            self._change(self._control.after_refusal(rate, now), now)
            if was_search:
                self._begin_window(now)

    def _refused_while_unlimited(self, now: float) -> None:
        if now - self._control.refusal > self._control.lag:
            self._evidence, self._evidence_since = 0, now
        self._control.refusal = now
        self._refused += 1
        answers = self._refused + self._accepted
        rate = answers / max(0.001, now - self._began)
        # So much more than is tolerated that it cannot be chance, in whatever order the responses arrive
        if self._refused > _MIN_FAILURES + self._share.tolerated * answers:
            self._share.begin(rate, self._refused / answers)
            self._limit(_START_RATE, now, search=SEARCH)
            if hold := min(_MAX_HOLD, _HOLD * self._control.latency):
                self._until = self._held_until = now + hold
        elif now - self._unlimited_since > _PATIENCE and (
                self._refused > _MIN_FAILURES + self._share.tolerated_for_long * answers):
            self._share.begin(rate, self._refused / answers)
            self._limit(max(_START_RATE, _TRIAL_SHARE * rate), now, search=0.0)

    def failed(self, now: float) -> None:
        """A request failed with a transient error: no connection, a lost one, no response, a server error."""
        if not self.is_watching:
            self.is_watching = True
            self._unlimited_since = self._began = now
            self._success = now
            self._accepted = self._failures = 0
        self._failed = True
        self._failures += 1
        if self.rate != 0.0 and self._failures >= _MIN_FAILURES and now - self._success >= _DOWN_SECONDS:
            self._down_since, self._probe = self._success, now
            self._restart = min(_START_RATE, self.rate or _START_RATE)
            self.rate = self._held_until = 0.0
            self._queue.clear(now)

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

    def _limit(self, rate: float, now: float, search: float) -> None:
        """Limit the rate. search: how fast it grows until something is refused."""
        self.rate = rate
        self._control.begin(now, search)
        self._cut = now
        self._queue.clear(now)
        self._begin_window(now)
        self._has_queue = True
        self._held_until = 0.0

    def _resume(self, now: float) -> None:
        """Send requests again, at a rate that the server accepts as far as its responses tell."""
        seconds = max(0.001, self._control.latency, self._evidence_until - self._evidence_since)
        self._held_until = 0.0
        self._control.refusal = now
        self._queue.advance(0.0, now)
        self.rate = max(_START_RATE, _START_SHARE * self._evidence / seconds)
        if self._evidence >= _MIN_EVIDENCE:
            self._control.begin(now)

    def _change(self, rate: float, now: float) -> None:
        current = self.rate  # other threads may have changed it meanwhile
        if current:
            self._queue.advance(current, now)
            self.rate = rate

    def _end_window(self, now: float) -> None:
        rate = self.rate
        if rate is None:
            self.is_watching = self._failed
            if self._failed:  # keep counting, and forget old responses gradually
                self._begin_window(now, self._accepted, self._refused, self._began)
                return
            self._logged_at = None
            self._share.usual = 0.0
        elif self._held_until:
            self._resume(now)
        elif rate and not self._review(rate, now):
            self._until = now + _WINDOW
            return
        self._begin_window(now)

    def _begin_window(self, now: float, accepted: int = 0, refused: int = 0, began: float | None = None) -> None:
        """accepted, refused, began: responses that still count, and since when they came."""
        halved = accepted + refused > _MAX_ANSWERS
        self._accepted, self._refused = accepted >> halved, refused >> halved
        self._began = now if began is None else began + (now - began) / 2.0 * halved
        self._until = now + (_SEARCH_WINDOW if self._control.is_search else _WINDOW)
        self._failed = self._has_queue = False

    def _review(self, rate: float, now: float) -> bool:
        """Hold the rate against the responses of the window. False if there are too few yet."""
        seconds, answers = max(0.001, now - self._began), self._accepted + self._refused
        if self._has_queue and answers < _MIN_FAILURES and seconds < _MAX_WINDOW:
            return False
        share = self._refused / answers if answers else 0.0
        sent = answers / seconds
        is_used = self._has_queue and rate < _MAX_UNUSED * sent
        if (not is_used and share <= self._share.tolerated) or self._share.is_usual(
                self._accepted, self._refused, seconds):
            self.rate, self._unlimited_since = None, now
        elif not self._control.is_search:
            accepted = self._accepted / seconds / (1.0 - self._share.usual)
            self._change(self._control.after_window(min(rate, _MAX_UNUSED * sent), accepted), now)
        return True
