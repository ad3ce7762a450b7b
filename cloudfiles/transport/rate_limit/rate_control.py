"""How each response changes the rate at which requests are sent to a server that refuses some of them. Pure.

A success raises the rate by a small part, and a refusal lowers it by a larger one, so that it settles where a certain
share of the requests is refused. If refusals fail to come, because others have ended for example, it grows faster.
"""

from __future__ import annotations

SEARCH, FAST_SEARCH = 1.0, 3.0
"""Growth rates of a rate that was not refused yet, and the same after an outage. Like all growth rates, multiples of
that at which the rate falls when everything is refused."""

_MIN_RATE = 0.05
"""Requests per second that are always allowed. It is this low as thousands of processes may share a store's limit."""

_LAG, _MIN_LAG, _MIN_ANSWERS = 3.0, 0.2, 20
"""When everything is refused, the rate falls by a factor of e in this multiple of the latency, in so many seconds at
least, or with so many responses if they take longer: faster, it would fall for what has already been corrected."""

_TARGET, _TARGET_RATE, _TARGET_EXPONENT = 0.013, 250.0, 0.7
"""Share of refused requests at which the rate neither grows nor falls: 1.3% at 250 requests per second, and more the
lower the rate is, so that processes that share a store converge to equal rates."""

_QUIET, _QUIET_EXPONENT, _MAX_QUIET, _MAX_GROWTH = 2.0, 5.0, 1.0, 0.3
"""The rate grows faster when no request has been refused for this multiple of the usual time; with this power of the
time, up to the last number. More than the third number of seconds is not usual, as some stores enforce limits per
second."""

_FLOOR = 0.9
"""Share of the rate that was accepted over a second, below which the rate does not fall in the next one."""


def target_share(rate: float) -> float:
    """The share of refused requests at which this rate neither grows nor falls."""
    return float(_TARGET * (_TARGET_RATE / rate) ** _TARGET_EXPONENT)


class RateControl:
    """What the responses to a limited rate say about it.

    Attributes:
        latency: mean seconds of a response, while responses are counted.
        refusal: time of the last one.
        is_search: nothing has been refused yet at a rate that was chosen without knowing what the server accepts.
    """

    def __init__(self) -> None:
        self.latency = 0.0
        self._search = 0.0  # growth of a rate at which nothing has been refused yet; 0.0: something has
        self.refusal = 0.0
        self._quiet = 0.0  # usual number of seconds between two of them
        self._floor = 0.0  # the rate does not fall below this

    @property
    def is_search(self) -> bool:
        return self._search > 0.0

    @property
    def lag(self) -> float:
        """Seconds after which responses show what a change of the rate has led to."""
        return max(_MIN_LAG, _LAG * self.latency)

    def observe(self, latency: float) -> None:
        """A response came after so many seconds."""
        self.latency += (latency - self.latency) * (0.1 if self.latency else 1.0)

    def begin(self, now: float, search: float = 0.0) -> None:
        """The rate is a new one. search: how fast it grows until something is refused; 0.0: it is known to be right."""
        self._search = search
        self.refusal = now
        self._quiet = 0.0 if search else self.lag / _LAG
        self._floor = 0.0

    def after_success(self, rate: float, now: float, usual: float) -> float:
        """The new rate. usual: share of the requests that is refused at any rate."""
        growth = self._search
        if not growth:
            silence = (now - self.refusal) / (_QUIET * self._quiet) if self._quiet else 1.0
            growth = min(_MAX_GROWTH, target_share(rate) * float(max(1.0, silence) ** _QUIET_EXPONENT))
            growth += usual / (1.0 - usual)
        return max(_MIN_RATE, rate * (1.0 + growth / self._answers(rate)))

    def after_refusal(self, rate: float, now: float) -> float:
        """The new rate."""
        answers, quiet = self._answers(rate), now - self.refusal
        self.refusal = now
        if self._search or quiet * rate > answers:  # else it is one of several at a time
            quiet = min(quiet, max(_MAX_QUIET, answers / rate))
            self._quiet = max(quiet, (quiet + self._quiet) / 2.0)
            self._search = 0.0
        return max(_MIN_RATE, self._floor, rate * (1.0 - 1.0 / answers))

    def after_window(self, rate: float, accepted: float) -> float:
        """The new rate, after a window in which this many requests per second were accepted."""
        self._floor = _FLOOR * accepted
        return max(_MIN_RATE, self._floor, rate)

    def _answers(self, rate: float) -> float:
        """The number of refusals that reduce the rate by a factor of e."""
        return max(_MIN_ANSWERS, rate * self.lag)
