"""Whether the share of requests that a server refuses depends on their rate. Pure.

Busy stores refuse some requests at any rate: slowing down the others would only cost time.
"""

from __future__ import annotations

import math

from cloudfiles.transport.rate_limit.rate_control import target_share

_TOLERATED, _TOLERATED_FOR_LONG = 0.2, 0.05
"""Share of refused requests above which the rate is limited, at once and after a while. Busy stores refuse a few
percent at any rate: for those the backoff of each request is enough, and slowing down the others would only cost
time."""

_REDUCED, _SAME, _MORE = 0.6, 0.6, 1.3
"""Refusals happen at any rate, and limiting it only costs time, if a rate of this share of what was sent before has
changed the share that is refused by less than the second factor, and has not raised the share that is accepted to the
third multiple."""

_MIN_SAMPLE, _MIN_OF_EACH = 30, 10
"""Responses that are needed to tell that, and how many of them were accepted, and refused."""

_MAX_SECONDS = 20.0
"""Seconds after which responses are too old for that."""


class RefusedShare:
    """The share that is refused, at the rate before it was limited and at lower ones.

    Attributes:
        usual: share of the requests that is refused at any rate.
    """

    def __init__(self) -> None:
        self.usual = 0.0
        self._before = (0.0, 0.0)  # requests per second when many were refused, and the share of these
        self._sample = (0, 0, 0.0)  # requests accepted and refused since then, in so many seconds

    @property
    def tolerated(self) -> float:
        """The share of refused requests above which the rate is limited."""
        return self.usual + _TOLERATED * (1.0 - self.usual)

    @property
    def tolerated_for_long(self) -> float:
        """The share of refused requests above which the rate is limited if it does not fall."""
        return self.usual + _TOLERATED_FOR_LONG * (1.0 - self.usual)

    def begin(self, rate: float, share: float) -> None:
        """The rate is limited, as this share of so many requests per second was refused."""
        self._before = (rate, share)
        self._sample = (0, 0, 0.0)

    def is_usual(self, accepted: int, refused: int, seconds: float) -> bool:
        """Whether a lower rate has not changed the share that is refused, by the responses of this last window."""
        before = self._sample
        sample = (before[0] + accepted, before[1] + refused, before[2] + seconds)
        is_enough = sample[0] + sample[1] >= _MIN_SAMPLE and min(sample[:2]) >= _MIN_OF_EACH
        self._sample = (0, 0, 0.0) if is_enough or sample[2] > _MAX_SECONDS else sample
        if not is_enough:
            return False
        rate, share = (sample[0] + sample[1]) / sample[2], sample[1] / (sample[0] + sample[1])
        rate_before, share_before = self._before
        least = min(_at_most(*sample[:2]), _at_most(accepted, refused))
        if least < (_SAME * share_before or 2.0 * target_share(rate)):
            self._before = 0.0, 0.0  # few are refused: the rate is limited to what the store allows
        elif rate > rate_before or share > share_before / _SAME:
            self._before = rate, share
        elif rate < _REDUCED * rate_before:
            self._before = rate, share
            self.usual = share if 1.0 - share < _MORE * (1.0 - share_before) else 0.0
            return self.usual > 0.0
        return False


def _at_most(accepted: int, refused: int) -> float:
    """The share that is refused, as far as so many responses tell: it may be lower in these by chance.

    >>> round(_at_most(90, 10), 3), round(_at_most(9, 1), 3)
    (0.13, 0.195)
    """
    answers = accepted + refused
    if not answers:
        return 1.0
    share = refused / answers
    return share + math.sqrt(share * (1.0 - share) / answers)
