"""A limit for the bytes per second that pass through this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimit:
    """Spreads transfers over time, so that they take at least their size divided by the rate, with any
    number of workers.

    Args:
        rate: bytes per second.
        sleep: waits in the way of the workers' runtime.
    """

    def __init__(self, rate: float, sleep: Callable[[float], object],
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._sleep = sleep
        self._monotonic = monotonic
        self._free_at = 0.0
        self._lock = threading.Lock()  # never held while waiting

    def take(self, size: int) -> None:
        """Wait until the bytes of all earlier calls have had their time."""
        with self._lock:
            now = self._monotonic()
            start = max(now, self._free_at)
            self._free_at = start + size / self._rate
        if start > now:
            self._sleep(start - now)
