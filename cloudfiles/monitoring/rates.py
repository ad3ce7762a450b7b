"""Bytes over time: totals and highest rates. Pure arithmetic, without a clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

Io = tuple[float, float, int]
"""One operation: its start and end, in seconds of one clock, and its bytes."""

_INSTANT = 1e-6
"""The shortest duration of an operation in seconds; clocks cannot measure shorter ones."""


class Flow:
    """The bytes of many operations; those of each are spread evenly over its duration.

    Attributes:
        begin, end: of all operations, in seconds; both 0.0 if there are none.
    """

    def __init__(self, ios: Iterable[Io]) -> None:
        changes: dict[float, float] = {}  # of the rate, in bytes per second
        self._total = 0
        for start, end, size in ios:
            end = max(end, start + _INSTANT)
            rate = size / (end - start)
            changes[start] = changes.get(start, 0.0) + rate
            changes[end] = changes.get(end, 0.0) - rate
            self._total += size
        self._times = sorted(changes)
        self._landed = self._accumulated(changes)
        self.begin = self._times[0] if self._times else 0.0
        self.end = self._times[-1] if self._times else 0.0

    def _accumulated(self, changes: dict[float, float]) -> list[float]:
        """The bytes transmitted by each of the given times."""
        landed = [0.0] if self._times else []
        rate = 0.0
        for before, now in pairwise(self._times):
            rate += changes[before]
            landed.append(landed[-1] + max(0.0, rate) * (now - before))
        if landed:
            landed[-1] = float(self._total)  # removes accumulated rounding errors
        return landed

    def by(self, time: float) -> float:
        """Bytes transmitted by `time`."""
        at = bisect_right(self._times, time)
        if at == 0:
            return 0.0
        if at == len(self._times):
            return float(self._total)
        share = (time - self._times[at - 1]) / (self._times[at] - self._times[at - 1])
        return self._landed[at - 1] + share * (self._landed[at] - self._landed[at - 1])

    def rate(self, begin: float, end: float) -> float:
        """Bytes per second between two times; 0.0 if they are equal."""
        return (self.by(end) - self.by(begin)) / (end - begin) if end > begin else 0.0

    def peak(self, window: float) -> float:
        """The highest rate over any `window` seconds, or over the whole duration if that is higher, or shorter.

        The number of bytes in a sliding window changes at a constant rate, except when one of its ends
        passes the start or end of an operation, so the maximum has one of its ends there.
        """
        whole = self.rate(self.begin, self.end)
        if window >= self.end - self.begin:
            return whole
        return max(whole, *(max(self.rate(time, time + window), self.rate(time - window, time))
                            for time in self._times))

    def histogram(self, resolution: float) -> list[int]:
        """Bytes per interval of `resolution` seconds, starting at the first operation; their sum is the total."""
        count = -int(-(self.end - self.begin) // resolution)
        edges = [round(self.by(self.begin + number * resolution)) for number in range(count)]
        return [after - before for before, after in pairwise([*edges, self._total])] if edges else []
