"""Whether a large body arrives so slowly that several connections would be faster, and how many bodies may use them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from cloudfiles.transport.request import SlowBodyError

FAST_BYTES_PER_SECOND = 256 << 20
"""Bytes per second from which one connection is sufficient: the receiving core has little time left."""

MIN_REMAINING_BYTES = 32 << 20
"""Number of remaining bytes from which a parallel read is worthwhile."""

_INTERVAL = 0.1
"""Seconds over which the throughput is measured, repeatedly."""

_WARM_UP_BYTES = 1 << 20
"""Bytes before the measurement starts, while the window of a new connection still grows."""


class Slots:
    """How many bodies this process reads in parallel at a time; further ones already run concurrently."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()

    @property
    def any_free(self) -> bool:
        return self._free > 0

    @contextmanager
    def try_acquire(self) -> Iterator[bool]:
        """Hold a slot for the duration of the block; False if none is free."""
        with self._lock:
            acquired = self._free > 0
            self._free -= acquired
        try:
            yield acquired
        finally:
            with self._lock:
                self._free += acquired


parallel_read_slots = Slots(2)


class ThroughputMonitor:
    """Raises SlowBodyError during an exchange whose body is large and slow, if a slot for a parallel read is free."""

    __slots__ = ("_length", "_measured_at", "_measured_bytes")

    def __init__(self, length: int) -> None:
        self._length = length
        self._measured_at = 0.0
        self._measured_bytes = 0

    def update(self, received: int) -> None:
        now = monotonic()
        if not self._measured_at:
            if received >= _WARM_UP_BYTES:
                self._measured_at, self._measured_bytes = now, received
            return
        elapsed = now - self._measured_at
        if elapsed < _INTERVAL:
            return
        is_slow = received - self._measured_bytes < elapsed * FAST_BYTES_PER_SECOND
        if is_slow and self._length - received >= MIN_REMAINING_BYTES and parallel_read_slots.any_free:
            raise SlowBodyError
        self._measured_at, self._measured_bytes = now, received
