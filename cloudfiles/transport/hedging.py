"""Hedged requests: a read that waits far longer for a response than others is sent again on another connection.

A batch ends with its slowest request, and some requests are slow for no reason of their own: a disk, a node or a path
through the network stalls. A second request usually does not meet that. The first response wins, and the other
connection is closed: see J. Dean and L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from cloudfiles import logger
from cloudfiles.exceptions import redact
from cloudfiles.retry import REFUSED_STATUS
from cloudfiles.transport.hedge_count import count_hedge
from cloudfiles.values import NamedTuple

if TYPE_CHECKING:
    from cloudfiles.runtime.contract import WorkerGroup
    from cloudfiles.transport.connection import Connection
    from cloudfiles.transport.connection_pool import Pool
    from cloudfiles.transport.request import Request
    from cloudfiles.transport.traffic import Traffic
    from cloudfiles.transport.wire import Head

MIN_DELAY = 0.5
"""Seconds without a byte of the response before a request can be a straggler."""

MIN_BODY_DELAY = 2.0
"""Seconds without a byte of the body, likewise. A packet that is lost three times in a row takes 1.4 seconds."""

LONE_DELAY = 5.0
"""The same if too few requests were sent to tell what is usual; and seconds between two requests of this kind."""

_QUANTILE = 0.95
_FACTOR = 4.0
"""A straggler has waited this many times as long as 95% of the requests do..."""

_USUAL_MAX_DELAY = 2.0
_MAX_FACTOR = 2.0
"""... but no longer than two seconds (AWS, "Performance design patterns for Amazon S3", advises to retry after two), or
twice the quantile if that is more."""

_AGAIN = 2.0
"""The second request may meet a stall too: after this many times the wait, a request is sent once more."""

_MIN_SAMPLES = 100
"""Samples of an operation and size before any of its requests is a straggler."""

_SHARE = 0.02
_MAX_TOKENS = 100.0
"""Hedged requests per request, and the maximum that is saved up for later."""

_FELLOWS = 0.2
_FEW = 2
"""Stragglers per request that was answered while they waited. If there are more than these, and more than a few, the
server or the network is slow as a whole."""

_PATIENCE = 0.5
"""Seconds for which the second response is waited for if the first request has failed."""

_DEFINITE = frozenset({200, 204, 206, 304, 404, 410, 412, 416})
"""Statuses of a second response that end the wait for the first one. Others, such as those of an overloaded server or
of rejected credentials, are ignored: the first request may still succeed."""


class HedgingPolicy:
    """Decides which of the requests to one server are sent again. Pure: times are passed in.

    Attributes:
        waiting: number of stragglers now.
        hedged: number of requests that were sent in addition.
    """

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._times = traffic.first_byte
        self.waiting = 0
        self.hedged = 0
        self._tokens = 0.0
        self._requests = 0
        self._free_at = -math.inf

    def delay(self, operation: str, size_class: int, now: float) -> float | None:
        """Seconds without any byte of the head of a response after which its request is a straggler; None if too few
        samples are known."""
        if self._times.count(operation, size_class, now) < _MIN_SAMPLES:
            return None
        usual = self._times.quantile(operation, size_class, _QUANTILE)
        assert usual is not None
        return max(MIN_DELAY, min(_FACTOR * usual, max(_USUAL_MAX_DELAY, _MAX_FACTOR * usual)))

    def take(self, waited: float, now: float) -> bool:
        """Whether to hedge a straggler that has waited for some seconds. True takes one from the budget."""
        requests = self._traffic.begun
        self._tokens = min(_MAX_TOKENS, self._tokens + _SHARE * (requests - self._requests))
        self._requests = requests
        if self._tokens < 1.0 or self._all_are_slow(now - waited):
            return False
        self._tokens -= 1.0
        self.hedged += 1
        return True

    def take_without_budget(self, now: float) -> bool:
        """Whether to hedge one of the bodies that have stalled, when few requests were sent: now and then."""
        if now < self._free_at:
            return False
        self._free_at = now + LONE_DELAY
        self.hedged += 1
        return True

    def body_delay(self, operation: str, size_class: int, now: float) -> float | None:
        """As `delay`, for a body of which no more arrives: its server has shown already that it is at work."""
        if self._times.count(operation, size_class, now) < _MIN_SAMPLES:
            return None
        usual = self._times.quantile(operation, size_class, _QUANTILE)
        assert usual is not None
        return max(MIN_BODY_DELAY, _FACTOR * usual)

    def _all_are_slow(self, since: float) -> bool:
        return self.waiting > _FEW and self.waiting > _FELLOWS * self._times.answered_since(since)

    def refused(self) -> None:
        """The server has refused a second request because there are too many: use up the budget."""
        self._tokens = 0.0


class Answer(NamedTuple):
    """A connection on which the head of a response was received, and the bytes after it."""

    connection: Connection
    head: Head
    rest: memoryview
    signed: object  # what the request was signed with
    begin: int = 0  # what the first connection had received when this was requested


class HedgeWonError(Exception):
    """A second request was answered before the first one. Never leaves the transport.

    Attributes:
        broken: the part of the body before the answer; None if the answer is the whole response.
    """

    def __init__(self, answer: Answer, broken: tuple[Head, bytes] | None = None) -> None:
        super().__init__()
        self.answer = answer
        self.broken = broken


class Straggler:
    """A request that has waited for long, and the second one for it, if there is one.

    The worker that waits for the first response stays where it is. The second request is sent by another greenlet or
    thread, which receives the head of its response, and then interrupts the wait.
    """

    _missing = "no response"

    def __init__(self, first: Connection, request: Request, pool: Pool, policy: HedgingPolicy,
                 wall: Callable[[], float]) -> None:
        self._first = first
        self._again = request, 0  # what is sent again, and what `first` had received then
        self._pool = pool
        self._policy = policy
        self._wall = wall
        self._lock = threading.Lock()  # never held while waiting
        self._is_over = False
        self._answer: Answer | None = None
        self._others: set[Connection] = set()  # on which it is in progress too
        self._sent_at = 0.0  # how long it had waited when it was last sent again
        self._times_sent = 0  # again
        self._group: WorkerGroup | None = None
        policy.waiting += 1

    # ---- in the hub, or in the thread that waits

    def hedge(self, waited: float, now: float) -> None:
        """Send the request again if the policy allows it. Called now and then while the request waits."""
        if waited < _AGAIN * self._sent_at or self._pool.limiter.rate is not None:
            return
        if not self._may_hedge(waited, now):
            return
        self._sent_at = waited
        logger.info("%s: %s for %.1f s; sending the request again on another connection",
                    redact(self._again[0].path or ""), self._missing, waited)
        group = self._group or self._pool.runtime.worker_group()
        with suppress(RuntimeError):  # the system has no more threads
            group.start(self._send_again, 1)
            self._group = group
            self._times_sent += 1

    def _may_hedge(self, waited: float, now: float) -> bool:
        return self._policy.take(waited, now)

    # ---- in the second greenlet or thread

    def _send_again(self) -> None:
        try:
            request, begin = self._again
            connection = self._pool.take_other(self._first, request.deadline)
        except Exception as error:
            logger.debug("no connection for a second request: %s", error)
            return
        answer: Answer | None = None
        try:
            answer = self._ask(connection, request, begin)
        except Exception as error:  # whatever it is, the first request may still succeed
            logger.debug("a second request failed: %s", error)
        finally:
            if not self._offer(answer, connection):
                connection.close()

    def _ask(self, connection: Connection, request: Request, begin: int) -> Answer | None:
        """The answer on `connection`; None if the first request should be waited for."""
        with self._lock:
            if self._is_over:
                return None
            self._others.add(connection)
        before = request.signed
        head = request.encode(self._pool.host, self._wall())
        signed, request.signed = request.signed, before
        found, rest = connection.ask(self._pool.forward(head) if self._pool.forwarded else head, request)
        if found.status in REFUSED_STATUS:
            self._policy.refused()
        return Answer(connection, found, rest, signed, begin) if self._is_answer(found, request) else None

    def _is_answer(self, head: Head, request: Request) -> bool:
        return head.status in _DEFINITE

    def _offer(self, answer: Answer | None, connection: Connection) -> bool:
        """End the wait for the first response if there is an answer, unless its head has arrived."""
        with self._lock:
            self._others.discard(connection)
            if answer is None or self._is_over or self._answer is not None or not self._is_needed(answer):
                return False
            self._answer = answer
            self._first.interrupt()
        return True

    def _is_needed(self, answer: Answer) -> bool:
        return True

    # ---- in the worker that waits

    def first_answered(self) -> None:
        """The head of the first response has arrived. Raises HedgeWonError if the second one came before."""
        with self._lock:
            self._is_over = True
            answer, self._answer = self._answer, None
        if answer is not None:
            raise HedgeWonError(answer)

    def first_failed(self) -> None:
        """The wait for the first response has failed, or was interrupted. Raises HedgeWonError if there is another."""
        group = self._group
        if group is not None and not group.finished and self._answer is None:
            group.wait_caller(_PATIENCE)
        self.first_answered()

    def end(self) -> None:
        """The exchange has ended: let go of other requests that are still in progress."""
        self._policy.waiting -= 1
        with self._lock:
            self._is_over = True
            answer, self._answer = self._answer, None
            for other in self._others:
                other.interrupt()
        if answer is not None:
            answer.connection.close()
        if self._group is None:
            return
        self._group.kill()
        for _ in range(self._times_sent):
            count_hedge()
