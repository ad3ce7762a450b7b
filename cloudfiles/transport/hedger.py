"""Finds the requests of one pool that wait far longer than others: for a response, or for more of its body."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudfiles.transport import hedging
from cloudfiles.transport.hedging import HedgingPolicy, Straggler
from cloudfiles.transport.stalled_body import StalledBody

if TYPE_CHECKING:
    from cloudfiles.transport.connection import Connection
    from cloudfiles.transport.connection_pool import Pool
    from cloudfiles.transport.request import Request
    from cloudfiles.transport.wire import Head

_READS = frozenset({"GET", "HEAD"})


class Hedger:
    """Finds the stragglers among the requests of one pool."""

    def __init__(self, pool: Pool, policy: HedgingPolicy, wall: Callable[[], float],
                 monotonic: Callable[[], float]) -> None:
        self._pool = pool
        self._policy = policy
        self._wall = wall
        self._monotonic = monotonic

    def look(self, connection: Connection, request: Request, waited: float) -> Straggler | None:
        """`request`, which has waited on `connection` for some seconds, as a straggler; None if it is none."""
        if request.method not in _READS or not request.idempotent or len(request.body):
            return None
        delay = self._policy.delay(request.operation, request.size_class(), self._monotonic())
        if delay is None or waited < delay:
            return None
        return Straggler(connection, request, self._pool, self._policy, self._wall)

    def look_at_body(self, connection: Connection, request: Request, head: Head, begin: int | None, waited: float
                     ) -> StalledBody | None:
        """The same for a body of which nothing has arrived for some seconds; head, begin: see `StalledBody`."""
        if waited < hedging.MIN_BODY_DELAY or request.method != "GET" or not request.idempotent:
            return None
        return StalledBody(connection, request, head, begin, self._pool, self._policy, self._wall)
