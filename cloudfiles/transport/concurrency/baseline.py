"""The least time to the first byte of a server's responses, with which later ones are compared. Pure."""

from __future__ import annotations

import math

from cloudfiles.transport.concurrency.interval import Interval, Window

_ALLOWANCE = 4.0
"""Multiple of the random variation that is allowed for: of many rounds, one seems fast by chance."""

_MIN_ROUND, _UNSAMPLED_ROUNDS = 20, 2
"""Requests in a round, at least, and rounds that make one if no time to the first byte was measured."""

_DRIFT, _MAX_DRIFT = 0.005, 4.0
"""Share by which the latency is raised per second while requests wait for each other: the reason may be the server or
other clients. It is raised to a multiple of the least ever, at most."""

_MOVED, _FORGET_SECONDS = 4.0, 10.0
"""A server has moved away if all responses begin later than this multiple of the earliest one for so many seconds."""

_NEAR = 0.002
"""The width is not raised if any response began within so many seconds: so near a server, a few requests in progress
keep the client busy. On a busy machine, its CPU time alone does not tell."""

OVERLOADED = 0.3
"""Seconds to the first byte from which on the width is not raised: most likely many clients already wait for the
server, and each of them would gain by asking for more, until all wait forever."""


class Baseline:
    """What is known about the time to the first byte of one operation on objects of one size class.

    Attributes:
        latency: the least seconds to the first byte, slowly raised while others load the server; infinite until the
            first round: until as many requests as are in progress have been completed.
        nearest: the least seconds to the first byte of a single response.
    """

    def __init__(self) -> None:
        self.latency = math.inf
        self.nearest = math.inf
        self._least = math.inf
        self._moved = 0.0
        self._round = Window()

    @property
    def may_widen(self) -> bool:
        """Whether more requests at a time can be worthwhile, as far as is known."""
        return self.nearest >= _NEAR and not OVERLOADED <= self.latency < math.inf

    def begin_round(self) -> None:
        """What has happened since the last round tells nothing."""
        self._round = Window()

    def learn(self, interval: Interval) -> None:
        """Update the latency after each round."""
        window = self._round
        window.add(interval)
        if interval.first_byte_min is not None:
            self.nearest = min(self.nearest, interval.first_byte_min)
        rounds = 1 if window.sampled else _UNSAMPLED_ROUNDS
        if window.completed < rounds * max(_MIN_ROUND, window.mean_in_progress):
            return
        self._round = Window()
        latency = window.latency * (1.0 + _ALLOWANCE * window.noise)
        self._least = min(self._least, latency)
        self.latency = min(self.latency, latency)

    def slowdown(self, window: Window) -> float:
        """How many times the latency its responses took."""
        return max(1e-6, window.latency / self.latency)

    def drift(self, seconds: float) -> None:
        """Requests have waited for each other for so many seconds."""
        self.latency = min(self.latency * (1.0 + _DRIFT * seconds), _MAX_DRIFT * self._least)

    def has_moved(self, interval: Interval) -> bool:
        """Whether the server has been several times as far away as it was, for several seconds."""
        nearest = min(self._least, self.nearest)
        if interval.first_byte_min is None or interval.limited or nearest == math.inf:
            return False
        self._moved = self._moved + interval.seconds if interval.first_byte_min > _MOVED * nearest else 0.0
        return self._moved >= _FORGET_SECONDS
