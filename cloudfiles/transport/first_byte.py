"""How long a server takes to send the first byte of its responses: quantiles in fixed memory, from samples.

Pure: the caller passes the times. They are seconds of a monotonic clock.
"""

from __future__ import annotations

import math
from collections import deque

_LEAST = 1e-4
"""Seconds at the upper end of the first bucket: 0.1 ms."""

_PER_OCTAVE = 4
_OCTAVES = 21
"""Buckets grow by the fourth root of two (19%), up to 210 seconds."""

_MAX_COUNT = 1000
"""Samples after which older ones count less."""

_HALF_LIFE = 60.0
"""Seconds after which a sample counts half."""

_FADE_SECONDS = 1.0
"""Seconds after which the weights are adapted."""

_FIRST_SAMPLES = 200
"""Samples for which every request is taken. After them, one of several is, so that they are 1 to 5 ms apart."""

_MIN_GAP, _MAX_GAP = 0.001, 0.005
_MAX_STRIDE = 64

_RECENT = 256
"""Samples of each operation that are kept one by one, for those who ask for the most recent ones."""


class Histogram:
    """Durations in buckets that grow geometrically; old durations fade. Its quantiles are exact within 19%."""

    __slots__ = ("_counts", "_faded_at", "_total")

    def __init__(self) -> None:
        self._counts = [0.0] * (_PER_OCTAVE * _OCTAVES + 1)
        self._total = 0.0
        self._faded_at = -math.inf

    def add(self, seconds: float, now: float) -> None:
        if now - self._faded_at >= _FADE_SECONDS or self._total >= _MAX_COUNT:
            self._fade(now)
        place = math.ceil(_PER_OCTAVE * math.log2(seconds / _LEAST)) if seconds > _LEAST else 0
        self._counts[min(place, len(self._counts) - 1)] += 1.0
        self._total += 1.0

    def _fade(self, now: float) -> None:
        factor = self._remaining(now) * (0.5 if self._total >= _MAX_COUNT else 1.0)
        self._counts = [count * factor for count in self._counts]
        self._total *= factor
        self._faded_at = now

    def _remaining(self, now: float) -> float:
        """The share of the weights that is left since they last faded."""
        return float(0.5 ** (max(0.0, now - self._faded_at) / _HALF_LIFE))

    def count(self, now: float) -> float:
        """The number of samples, as far as they still count."""
        return self._total * self._remaining(now)

    def quantile(self, share: float) -> float | None:
        """The duration that `share` of the samples did not exceed; None without samples."""
        if not self._total:
            return None
        missing = share * self._total
        for place, count in enumerate(self._counts):
            missing -= count
            if missing <= 0.0 and count:
                return _LEAST * float(2.0 ** (place / _PER_OCTAVE))
        return _LEAST * 2.0 ** _OCTAVES


class FirstByteTimes:
    """The time to the first byte of one server's responses, by operation and by size of what is read.

    The time begins when the request has been sent. An operation is 'GET', 'HEAD', 'LIST', or another method; the size
    class is that of `Request.size_class`.

    Attributes:
        next_sample: the number of the request that is sampled next; `begin_sample` is to be called for it.
        last: the time of the last sample's first byte.
    """

    def __init__(self) -> None:
        self.next_sample = 0
        self.last = -math.inf
        self._stride = 1
        self._samples = 0
        self._sampled_at = -math.inf
        self._histograms: dict[tuple[str, int], Histogram] = {}
        self._recent: dict[str, deque[tuple[float, float, int]]] = {}

    def begin_sample(self, number: int, now: float) -> None:
        """The request of this number, counted over all requests to the server, is sampled, and sent now."""
        gap, self._sampled_at = now - self._sampled_at, now
        self._samples += 1
        if self._samples >= _FIRST_SAMPLES and gap < _MIN_GAP:
            self._stride = min(_MAX_STRIDE, 2 * self._stride)
        elif gap > _MAX_GAP:
            self._stride = max(1, self._stride // 2)
        self.next_sample = number + self._stride

    def add(self, operation: str, size_class: int, seconds: float, now: float, *, is_first: bool = False) -> None:
        """The first byte of a sampled request arrived `now`, this many seconds after the request was sent.

        is_first: it is the first request of its connection. Many servers take longer for it, which tells nothing about
            the others: it is not one of `recent`.
        """
        histogram = self._histograms.get((operation, size_class))
        if histogram is None:
            histogram = self._histograms.setdefault((operation, size_class), Histogram())
        histogram.add(seconds, now)
        self.last = now
        if is_first:
            return
        recent = self._recent.get(operation)
        if recent is None:
            recent = self._recent.setdefault(operation, deque(maxlen=_RECENT))
        recent.append((now, seconds, self._stride))

    def quantile(self, operation: str, size_class: int, share: float) -> float | None:
        """The seconds that `share` of the samples did not exceed (0.5: the median); None without samples."""
        histogram = self._histograms.get((operation, size_class))
        return None if histogram is None else histogram.quantile(share)

    def count(self, operation: str, size_class: int, now: float) -> float:
        """The number of samples, as far as they still count."""
        histogram = self._histograms.get((operation, size_class))
        return 0.0 if histogram is None else histogram.count(now)

    def recent(self, operation: str, since: float) -> list[float]:
        """The seconds of the last samples (at most 256) whose first byte arrived after `since`, the oldest first."""
        recent = self._recent.get(operation)
        return [] if recent is None else [seconds for at, seconds, _ in recent.copy() if at > since]

    def operations(self) -> list[str]:
        """The operations of which there are samples."""
        return list(self._recent)

    def answered_since(self, time: float) -> int:
        """About how many requests were answered after `time`, as far as recent samples tell."""
        return sum(count for recent in list(self._recent.values()) for at, _, count in recent.copy() if at > time)
