"""Bodies that stall: the rest is requested on another connection, and read there if it is there first.

The first connection is given up only when the other one has received the head of a response with exactly the rest of
the same version; or with the same page of a listing, from its start. So a body that goes on by itself loses nothing,
nor does one of a server that refuses, or is paused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudfiles.exceptions import CloudFilesError
from cloudfiles.transport import hedging
from cloudfiles.transport.hedging import Answer, HedgeWonError, HedgingPolicy, Straggler

if TYPE_CHECKING:
    from cloudfiles.transport.connection import Connection
    from cloudfiles.transport.connection_pool import Pool
    from cloudfiles.transport.request import Request
    from cloudfiles.transport.wire import Head

_MAX_TIMES = 2
"""How often the rest of a body is requested while its connection is kept."""

_QUIET_BYTES = 16 << 10
"""Nothing else is being transferred if all together have moved less for some seconds: then no slow line is shared."""

_SHARE = 1 << 20
"""Bytes that the others have moved, each on average, on a line that cannot be the reason for the stall."""


class StalledBody(Straggler):
    """A body of which nothing has arrived for some seconds."""

    _missing = "no more of the body"

    def __init__(self, first: Connection, request: Request, head: Head, begin: int | None, pool: Pool,
                 policy: HedgingPolicy, wall: Callable[[], float]) -> None:
        """begin: what `first` had received in total when the body after `head` began; None if it is chunked."""
        super().__init__(first, request, pool, policy, wall)
        self._read = request
        self._head = head
        self._body_begin = begin
        self._stalled_at = -1  # what had been received when it stalled
        self._bytes = 0  # what the others had moved then
        self._quiet_bytes = 0  # what they have moved, and when they were last seen to move something
        self._quiet_since = 0.0
        self._sent_time = 0.0

    # ---- in the hub, or in the thread that waits

    def hedge(self, waited: float, now: float) -> None:
        moved = self._pool.traffic.bytes
        if self._first.received != self._stalled_at:
            self._stalled_at, self._sent_at = self._first.received, 0.0
            self._bytes = self._quiet_bytes = moved
            self._quiet_since = now
        if moved - self._quiet_bytes >= _QUIET_BYTES:
            self._quiet_bytes, self._quiet_since = moved, now
        if self._times_sent < _MAX_TIMES:
            super().hedge(waited, now)

    def _may_hedge(self, waited: float, now: float) -> bool:
        rest = self._rest()
        if rest is None or not self._is_due(waited, now):
            return False
        self._again, self._sent_time = (rest, self._stalled_at), now
        return True

    def _rest(self) -> Request | None:
        count = None if self._body_begin is None else self._stalled_at - self._body_begin
        try:
            return self._read.rest_after(self._head, count)
        except CloudFilesError:  # the response is not one to this request, which its end will show
            return None

    def _is_due(self, waited: float, now: float) -> bool:
        read, policy = self._read, self._policy
        delay = policy.body_delay(read.operation, read.size_class(), now)
        if delay is not None and waited >= delay and policy.take(waited, now):
            return True
        return (waited >= max(hedging.LONE_DELAY, delay or 0.0) and self._line_is_free(now)
                and policy.take_without_budget(now))

    def _line_is_free(self, now: float) -> bool:
        """Whether the line to the server is not what this body waits for."""
        if now - self._quiet_since >= hedging.LONE_DELAY - hedging.MIN_BODY_DELAY:
            return True
        others = sum(connection.is_busy for connection in self._pool.connections()) - 1
        return self._pool.traffic.bytes - self._bytes >= _SHARE * max(1, others)

    # ---- in the second greenlet or thread

    def _is_answer(self, head: Head, request: Request) -> bool:
        if not request.is_rest(head):
            return False
        times = self._pool.traffic.first_byte
        times.last = max(times.last, self._sent_time)  # the server responds: see `Throughput`
        return True

    def _is_needed(self, answer: Answer) -> bool:
        return answer.begin == self._first.received

    # ---- in the worker that waits

    def first_broke(self, head: Head, received: bytes) -> None:
        """The body has broken off, or was interrupted. Raises HedgeWonError if the rest can be read elsewhere."""
        with self._lock:
            self._is_over = True
            answer = self._answer
            if answer is None or not self._is_needed(answer):
                return  # `end` closes it
            self._answer = None
        raise HedgeWonError(answer, (head, received))

    def end(self) -> None:
        with self._lock:
            self._is_over = True
            if self._answer is not None:  # the first connection was interrupted when its body had arrived
                self._first.reusable = False
        super().end()
