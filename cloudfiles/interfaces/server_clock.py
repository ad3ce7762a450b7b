"""The server's clock: how far it is ahead is learned from an answer that blames the time of a signature."""

from __future__ import annotations

import email.utils
from collections.abc import Callable

from cloudfiles.transport.request import Response

_SKEWED = 300.0
"""Seconds between two clocks from which on they are to blame for an error response; S3 and Azure allow 900."""


class ServerClock:
    """Tells the server's time by the local clock.

    Attributes:
        skew: seconds that the server's clock is ahead, as far as known.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.skew = 0.0

    def now(self) -> float:
        """Seconds since the epoch by the server's clock."""
        return self._wall() + self.skew

    def learn(self, response: Response, signed_at: float) -> bool:
        """Whether the answer's Date is so far from the time that was signed that the clocks are to blame: then it
        counts from now on."""
        date = email.utils.parsedate_tz(response.headers.get("date", ""))
        if date is None or abs(email.utils.mktime_tz(date) - signed_at) < _SKEWED:
            return False
        self.skew = email.utils.mktime_tz(date) - self._wall()
        return True
