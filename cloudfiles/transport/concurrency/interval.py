"""What happened at one server in an interval of time: what the number of concurrent requests is based on."""

from __future__ import annotations

import math

from cloudfiles.values import Value

LEAST_SECONDS = 1e-6
"""Shorter times are not believed."""

MIN_GAIN = 0.4
"""Share of a proportional gain of the rate that makes a larger width worthwhile."""

_BUSY = 0.85
"""Share of a CPU that the client's own thread uses, above which more requests in progress cannot complete more."""


class Interval(Value):
    """What happened at one server, in this process, since the last call of `observe`.

    Attributes:
        seconds: wall clock.
        operation: 'GET', 'PUT', 'HEAD', 'LIST', 'DELETE', ...: that of most requests.
        size_class: 0 for small objects, of which the number of completed requests counts; larger for those of which
            the number of bytes counts.
        completed: requests that were completed.
        bytes: of their bodies, in both directions.
        in_progress: mean number of requests that were sent, or for which a connection was opened, and not completed.
            Those that wait for their turn, or before another attempt, do not count.
        first_byte: median number of seconds from the request to the first byte of the response, of some requests;
            None if none was measured.
        first_byte_min: the least of them.
        cpu_share: CPU time of the client's own thread per second of wall clock.
        refused: responses by which the server asked for fewer requests (429, 503).
        connects: connections opened.
        idle_workers: mean number of workers that waited for items, or for the consumer of the results.
        constrained: file descriptors or memory are short.
        limited: the limiter holds requests back.
        samples: number of requests of which `first_byte` is the median; 0: all that were completed.
        first_responses: when the first responses of connections were complete, in ascending order, and the seconds of a
            round trip that each tells.
    """

    seconds: float
    operation: str
    size_class: int
    completed: int
    bytes: int
    in_progress: float
    first_byte: float | None
    first_byte_min: float | None
    cpu_share: float
    refused: int
    connects: int
    idle_workers: float
    constrained: bool
    limited: bool = False
    samples: int = 0
    first_responses: tuple[tuple[float, float], ...] = ()

    @property
    def is_busy(self) -> bool:
        """Whether the client's own thread was the limit."""
        return self.cpu_share > _BUSY


class Window:
    """Sums over several intervals.

    Attributes:
        seconds, completed, bytes: as those of an interval.
        in_progress: requests, times seconds.
        cpu: seconds.
        first_byte: medians, times the number of samples.
        spread: the same for the differences between medians and minimums.
        sampled: number of samples.
    """

    def __init__(self) -> None:
        self.seconds = self.in_progress = self.cpu = self.first_byte = self.spread = 0.0
        self.completed = self.bytes = self.sampled = 0

    def add(self, interval: Interval) -> None:
        self.seconds += interval.seconds
        self.completed += interval.completed
        self.bytes += interval.bytes
        self.in_progress += interval.in_progress * interval.seconds
        self.cpu += interval.cpu_share * interval.seconds
        if interval.first_byte is not None:
            samples = interval.samples or interval.completed
            self.first_byte += interval.first_byte * samples
            self.spread += (interval.first_byte - (interval.first_byte_min or 0.0)) * samples
            self.sampled += samples

    def rate(self, size_class: int = 0) -> float:
        """Completed requests per second; bytes per second for larger objects."""
        return (self.bytes if size_class else self.completed) / self.seconds

    @property
    def mean_in_progress(self) -> float:
        return self.in_progress / self.seconds

    @property
    def is_busy(self) -> bool:
        """Whether the client's own thread was the limit."""
        return self.cpu / self.seconds > _BUSY

    @property
    def latency(self) -> float:
        """Mean of the median seconds to the first byte; without samples, the mean seconds of a request."""
        if self.sampled:
            return max(LEAST_SECONDS, self.first_byte / self.sampled)
        return max(LEAST_SECONDS, self.in_progress / max(1, self.completed))

    @property
    def noise(self) -> float:
        """By which share the latency may differ by chance."""
        if not self.sampled or self.first_byte <= 0:
            return 0.0
        return min(1.0, max(0.0, self.spread / self.first_byte)) / math.sqrt(self.sampled)
