"""Transfers that crawl: a server that sends a byte a second, or takes one, is never silent, and never done.

One is given up when it has moved fewer bytes a second than `min_throughput` for as long as the read timeout, and then
in a quarter of that time either all connections to its origin together have not moved that many, or the others move
several times as much each as it does. So a thin line that many connections share trips nothing: there none does
better, and together they move enough. While a transfer goes well, all that is done for it is to compare the clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Protocol

_FASTER = 4
"""Times as much as a crawling transfer that the others move on average, to be said to do better: shares of a line
differ by chance."""

_SLOW_ANSWER_FACTOR = 10
"""Times longer that the answer to a request other than GET may take: stores that work for minutes, as S3 on a
completion or a copy, send a space now and then."""


class ByteCounters(Protocol):
    """A connection, as far as it is looked at here: the bytes that have come and gone, and whether it is in use."""

    received: int
    sent: int

    @property
    def is_busy(self) -> bool: ...


class TooSlowError(TimeoutError):
    """A transfer was given up because it crawled."""


class Throughput:
    """What is asked of the transfers to one origin.

    Attributes:
        least: bytes a second; 0 for anything.
        seconds: how long one may stay below that before it is looked at.
    """

    def __init__(self, min_rate: float = 0.0, seconds: float = 60.0, peers: Callable[[], Iterable[ByteCounters]] = list,
                 now: Callable[[], float] = monotonic) -> None:
        self.min_rate = min_rate
        self.seconds = seconds
        self.peers = peers
        self.now = now

    def receiving(self, connection: ByteCounters, method: str = "GET", since: float | None = None,
                  received: int = 0) -> Watch:
        """A watch over an answer that begins now, or of which `received` bytes have come since then."""
        seconds = self.seconds if method == "GET" else _SLOW_ANSWER_FACTOR * self.seconds
        return Watch(self, connection, _received, seconds, self.now() if since is None else since, received)

    def sending(self, connection: ByteCounters) -> Watch:
        """A watch over a request's body that begins now."""
        return Watch(self, connection, _sent, self.seconds, self.now())


NO_MINIMUM = Throughput()


def _received(connection: ByteCounters) -> int:
    return connection.received


def _sent(connection: ByteCounters) -> int:
    return connection.sent


class Watch:
    """Over one transfer on one connection.

    Attributes:
        due: the time at which `look` is to be called.
    """

    __slots__ = ("_before", "_connection", "_count", "_limits", "_moved", "_seconds", "_since", "due")

    def __init__(self, limits: Throughput, connection: ByteCounters, moved_by: Callable[[ByteCounters], int],
                 seconds: float, since: float, moved: int = 0) -> None:
        self._limits = limits
        self._connection = connection
        self._count = moved_by
        self._seconds = seconds
        self._begin(since)
        self._moved -= moved

    def _begin(self, now: float) -> None:
        self._since = now
        self._moved = self._count(self._connection)
        self._before: dict[ByteCounters, int] | None = None  # what all had moved when this one was found to crawl
        self.due = now + self._seconds if self._limits.min_rate > 0 else math.inf

    def pause(self, seconds: float) -> None:
        """So much of the time it was not the other side that was waited for."""
        self._since += seconds
        self.due += seconds

    def look(self) -> None:
        """Raises TooSlowError where the transfer is to be given up; before it is due, does nothing."""
        now = self._limits.now()
        if now < self.due:
            return
        elapsed = now - self._since
        moved = self._count(self._connection) - self._moved
        if moved >= self._limits.min_rate * elapsed:
            self._begin(now)
        elif self._before is None:
            self._before = {peer: self._count(peer) for peer in self._peers()}
            self._since, self._moved = now, self._moved + moved
            self.due = now + self._seconds / 4
        elif self._is_to_blame(moved, elapsed, self._before):
            raise TooSlowError(f"throughput below {self._limits.min_rate:g} bytes per second ({moved} bytes in "
                               f"the last {elapsed:.0f} seconds)")
        else:
            self._begin(now)

    def _is_to_blame(self, moved: int, elapsed: float, before: dict[ByteCounters, int]) -> bool:
        """Whether a line that all share is no excuse."""
        others = [gain for peer in before.keys() | set(self._peers())
                  if (gain := self._count(peer) - before.get(peer, 0)) or peer.is_busy]
        if moved + sum(others) < self._limits.min_rate * elapsed:
            return True
        return sum(others) > _FASTER * moved * len(others)

    def _peers(self) -> list[ByteCounters]:
        return [peer for peer in self._limits.peers() if peer is not self._connection]
