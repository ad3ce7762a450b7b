"""Stalled transfers: a server that sends or accepts one byte per second never times out, and never finishes.

A transfer is aborted if it has moved fewer bytes per second than `min_throughput` for as long as the read timeout, and
if then, for a while, either all connections to its origin together have not moved that many, or each of the others has
moved several times as many on average. So a slow line that many connections share aborts hardly anything: none of them
does better for long, and together they move enough. A body that is received is aborted after ten seconds already if the
others move more than `min_throughput` each, or if none of them moves anything, but the server has begun to respond to
other requests after the last byte of this one. A transfer that goes well only costs comparisons of the clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Protocol

_FASTER = 4
"""Factor by which the other transfers have to be faster on average: shares of a line differ by chance."""

_SLOW_ANSWER_FACTOR = 10
"""Factor by which responses to requests other than GET may take longer: stores that work for minutes, such as S3 on a
completion or a copy, send a space now and then."""


CRAWL_SECONDS = 10.0
"""Seconds after which a body that is received too slowly is compared with other transfers."""

_LATER = 0.1
"""Seconds after the last byte of a body at which another response shows that the server did not pause as a whole."""


class ByteCounters(Protocol):
    """A connection's counters of bytes received and sent, and whether it is in use."""

    received: int
    sent: int

    @property
    def is_busy(self) -> bool: ...


class TooSlowError(TimeoutError):
    """A transfer was aborted because it was too slow."""


class Throughput:
    """What is asked of the transfers to one origin.

    Attributes:
        min_rate: bytes per second; 0 for no minimum.
        seconds: how long a transfer may stay below it, however fast the others are.
        first_check: seconds after which the first check of a body that is received is due.
        last_response: returns the time at which the last response from the origin began, as far as it is known.
    """

    def __init__(self, min_rate: float = 0.0, seconds: float = 60.0, peers: Callable[[], Iterable[ByteCounters]] = list,
                 now: Callable[[], float] = monotonic, last_response: Callable[[], float] = lambda: -math.inf) -> None:
        self.min_rate = min_rate
        self.seconds = seconds
        self.first_check = min(seconds, CRAWL_SECONDS)
        self.peers = peers
        self.now = now
        self.last_response = last_response

    def receiving(self, connection: ByteCounters, method: str = "GET", since: float | None = None,
                  received: int = 0) -> Watch:
        """A watch over a response that begins now, or of which `received` bytes have arrived since `since`."""
        since = self.now() if since is None else since
        if method == "GET":
            return Watch(self, connection, _received, self.seconds, since, received, self.first_check)
        return Watch(self, connection, _received, _SLOW_ANSWER_FACTOR * self.seconds, since, received)

    def sending(self, connection: ByteCounters) -> Watch:
        """A watch over a request body that is sent from now on."""
        return Watch(self, connection, _sent, self.seconds, self.now())


NO_MINIMUM = Throughput()


def _received(connection: ByteCounters) -> int:
    return connection.received


def _sent(connection: ByteCounters) -> int:
    return connection.sent


class Watch:
    """Measures one transfer on one connection.

    Attributes:
        due: the time at which `check` is to be called.
    """

    __slots__ = ("_before", "_connection", "_count", "_first_check", "_limits", "_moved", "_seconds", "_since",
                 "_slow_since", "due")

    def __init__(self, limits: Throughput, connection: ByteCounters, moved_by: Callable[[ByteCounters], int],
                 seconds: float, since: float, moved: int = 0, first_check: float | None = None) -> None:
        self._limits = limits
        self._connection = connection
        self._count = moved_by
        self._seconds = seconds
        self._first_check = seconds if first_check is None else first_check
        self._slow_since = since
        self._begin(since)
        self._moved -= moved

    def _begin(self, now: float) -> None:
        self._since = now
        self._moved = self._count(self._connection)
        self._before: dict[ByteCounters, int] | None = None  # what each had moved when this one was found to be slow
        self.due = now + self._first_check if self._limits.min_rate > 0 else math.inf

    def pause(self, seconds: float) -> None:
        """Do not count these seconds: the other side was not waited for."""
        self._since += seconds
        self._slow_since += seconds
        self.due += seconds

    def check(self) -> None:
        """Raises TooSlowError if the transfer is to be aborted. Does nothing before it is due."""
        now = self._limits.now()
        if now < self.due:
            return
        elapsed = now - self._since
        moved = self._count(self._connection) - self._moved
        if moved >= self._limits.min_rate * elapsed:
            self._slow_since = now
            self._begin(now)
        elif self._before is None:
            self._before = {peer: self._count(peer) for peer in self._peers()}
            self._since, self._moved = now, self._moved + moved
            self.due = now + self._first_check / 4
        elif self._is_to_blame(moved, elapsed, self._before):
            raise TooSlowError(f"throughput below {self._limits.min_rate:g} bytes per second for "
                               f"{now - self._slow_since:.0f} seconds ({moved} bytes in the last {elapsed:.1f})")
        else:
            self._begin(now)

    def _is_to_blame(self, moved: int, elapsed: float, before: dict[ByteCounters, int]) -> bool:
        """Whether this transfer is slow, and not the line that all transfers share."""
        others = [gain for peer in before.keys() | set(self._peers())
                  if (gain := self._count(peer) - before.get(peer, 0)) or peer.is_busy]
        enough, total = self._limits.min_rate * elapsed, sum(others)
        is_faster = total > _FASTER * moved * len(others)
        if self._limits.now() - self._slow_since < self._seconds:
            if not moved and not total:  # the batch waits for those that have stalled
                return self._limits.last_response() > self._slow_since + _LATER
            return is_faster and total >= enough * len(others)
        return is_faster or moved + total < enough

    def _peers(self) -> list[ByteCounters]:
        return [peer for peer in self._limits.peers() if peer is not self._connection]
