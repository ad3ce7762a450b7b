"""Bytes over time: how many came by when, and how fast at best. Arithmetic alone, no clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

Io = tuple[float, float, int]
"""One operation: when it began and ended, in seconds of one clock, and the bytes it moved."""

_INSTANT = 1e-6
"""Seconds that an operation takes at the least: below, clocks do not tell its two ends apart."""


class Flow:
    """The bytes of many operations, those of each spread evenly over its time.

    Attributes:
        begin, end: of all of them together, in seconds; both 0.0 where there are none.
    """

    def __init__(self, ios: Iterable[Io]) -> None:
        changes: dict[float, float] = {}  # of the rate, in bytes a second
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
        """The bytes that had come at each of the times, by one sweep over them."""
        landed = [0.0] if self._times else []
        rate = 0.0
        for before, now in pairwise(self._times):
            rate += changes[before]
            landed.append(landed[-1] + max(0.0, rate) * (now - before))
        if landed:
            landed[-1] = float(self._total)  # what rounding has gathered on the way ends here
        return landed

    def by(self, time: float) -> float:
        """Bytes that had come by `time`."""
        at = bisect_right(self._times, time)
        if at == 0:
            return 0.0
        if at == len(self._times):
            return float(self._total)
        share = (time - self._times[at - 1]) / (self._times[at] - self._times[at - 1])
        return self._landed[at - 1] + share * (self._landed[at] - self._landed[at - 1])

    def rate(self, begin: float, end: float) -> float:
        """Bytes a second between two times; 0.0 where there is nothing between them."""
        return (self.by(end) - self.by(begin)) / (end - begin) if end > begin else 0.0

    def peak(self, window: float) -> float:
        """The highest rate over any `window` seconds, or over all of the time where that is higher, or shorter.

        Bytes within a window that slides grow and shrink at steady rates except where one of its ends
        passes the begin or end of an operation: so the most are found with an end at one of these.
        """
        whole = self.rate(self.begin, self.end)
        if window >= self.end - self.begin:
            return whole
        return max(whole, *(max(self.rate(time, time + window), self.rate(time - window, time))
                            for time in self._times))

    def histogram(self, resolution: float) -> list[int]:
        """Bytes in each `resolution` seconds from the first begin on. They sum up to all."""
        count = -int(-(self.end - self.begin) // resolution)
        edges = [round(self.by(self.begin + number * resolution)) for number in range(count)]
        return [after - before for before, after in pairwise([*edges, self._total])] if edges else []
