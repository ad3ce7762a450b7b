"""The queue of requests that are sent one after the other at a limited rate. Pure: rates and times are passed in."""

from __future__ import annotations

_MIN_DELAY = 0.0005
"""Delays below this many seconds are not waited for."""


class Ticket:
    """A number in the queue: not a time, so that a new rate applies at once to all requests that wait."""

    __slots__ = ("_number", "_queue_id")

    def __init__(self, number: int, queue: int) -> None:
        self._number = number
        self._queue_id = queue


class TurnQueue:
    """Tickets, and how many of them have had their turn. Turns that no request has used are not saved up."""

    def __init__(self) -> None:
        self._queue_id = 0  # grows when the tickets become invalid
        self._issued = 0
        self._served = 0.0  # tickets whose turn has come
        self._served_at = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether a ticket waits for its turn, as of the last time that was passed in."""
        return self._served < self._issued

    def clear(self, now: float) -> None:
        """Begin a new queue. Tickets of the old one get new numbers when they are asked for."""
        self._queue_id += 1
        self._issued, self._served, self._served_at = 0, 0.0, now

    def join(self, rate: float, now: float) -> Ticket:
        """A ticket for the end of the queue."""
        self.advance(rate, now)
        ticket = Ticket(self._issued, self._queue_id)
        self._issued += 1
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Return a ticket before its turn has come."""
        if ticket._queue_id == self._queue_id:
            self._served += 1.0

    def delay(self, ticket: Ticket, rate: float, now: float) -> float:
        """Seconds until the turn of `ticket` at this rate; 0.0 when it has come."""
        if ticket._queue_id != self._queue_id:
            renewed = self.join(rate, now)
            ticket._number, ticket._queue_id = renewed._number, renewed._queue_id
        self.advance(rate, now)
        delay = (ticket._number - self._served) / rate
        return delay if delay >= _MIN_DELAY else 0.0

    def advance(self, rate: float, now: float) -> None:
        """Serve the tickets that are due by now, at the rate until now. 0.0: none."""
        if rate:
            self._served = min(float(self._issued), self._served + rate * max(0.0, now - self._served_at))
        self._served_at = now
