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

_BETTER = 4
"""Times as much as a crawling transfer that the others move on average, to be said to do better: shares of a line
differ by chance."""

_PATIENCE = 10
"""Times longer that the answer to a request other than GET may take: stores that work for minutes, as S3 on a
completion or a copy, send a space now and then."""


class Counted(Protocol):
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

    def __init__(self, least: float = 0.0, seconds: float = 60.0, peers: Callable[[], Iterable[Counted]] = list,
                 now: Callable[[], float] = monotonic) -> None:
        self.least = least
        self.seconds = seconds
        self.peers = peers
        self.now = now

    def receiving(self, connection: Counted, method: str = "GET", since: float | None = None,
                  received: int = 0) -> Watch:
        """A watch over an answer that begins now, or of which `received` bytes have come since then."""
        seconds = self.seconds if method == "GET" else _PATIENCE * self.seconds
        return Watch(self, connection, _received, seconds, self.now() if since is None else since, received)

    def sending(self, connection: Counted) -> Watch:
        """A watch over a request's body that begins now."""
        return Watch(self, connection, _sent, self.seconds, self.now())


ANY = Throughput()


def _received(connection: Counted) -> int:
    return connection.received


def _sent(connection: Counted) -> int:
    return connection.sent


class Watch:
    """Over one transfer on one connection.

    Attributes:
        due: the time at which `look` is to be called.
    """

    __slots__ = ("_before", "_connection", "_limits", "_moved", "_moved_by", "_seconds", "_since", "due")

    def __init__(self, limits: Throughput, connection: Counted, moved_by: Callable[[Counted], int],
                 seconds: float, since: float, moved: int = 0) -> None:
        self._limits = limits
        self._connection = connection
        self._moved_by = moved_by
        self._seconds = seconds
        self._begin(since)
        self._moved -= moved

    def _begin(self, now: float) -> None:
        self._since = now
        self._moved = self._moved_by(self._connection)
        self._before: dict[Counted, int] | None = None  # what all had moved when this one was found to crawl
        self.due = now + self._seconds if self._limits.least > 0 else math.inf

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
        moved = self._moved_by(self._connection) - self._moved
        if moved >= self._limits.least * elapsed:
            self._begin(now)
        elif self._before is None:
            self._before = {peer: self._moved_by(peer) for peer in self._peers()}
            self._since, self._moved = now, self._moved + moved
            self.due = now + self._seconds / 4
        elif self._is_to_blame(moved, elapsed, self._before):
            raise TooSlowError(f"throughput below {self._limits.least:g} bytes per second ({moved} bytes in the last "
                               f"{elapsed:.0f} seconds)")
        else:
            self._begin(now)

    def _is_to_blame(self, moved: int, elapsed: float, before: dict[Counted, int]) -> bool:
        """Whether a line that all share is no excuse."""
        others = [gain for peer in before.keys() | set(self._peers())
                  if (gain := self._moved_by(peer) - before.get(peer, 0)) or peer.is_busy]
        if moved + sum(others) < self._limits.least * elapsed:
            return True
        return sum(others) > _BETTER * moved * len(others)

    def _peers(self) -> list[Counted]:
        return [peer for peer in self._limits.peers() if peer is not self._connection]
