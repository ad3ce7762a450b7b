"""How many calls are in progress at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_LONGEST = 10.0


class ConcurrentCalls:
    """Counts the blocks that are executed at the same time.

    sleep: that of the runtime whose workers execute them.

    Attributes:
        most: the maximum so far.
    """

    def __init__(self, sleep: Callable[[float], Any]) -> None:
        self._sleep = sleep
        self._lock = threading.Lock()
        self._running = self.most = 0

    @contextmanager
    def call(self, until: int = 0) -> Iterator[None]:
        """A block that begins once `until` of them have been in progress at the same time, or after ten seconds."""
        with self._lock:
            self._running += 1
            self.most = max(self.most, self._running)
        try:
            deadline = time.monotonic() + _LONGEST
            while self.most < until and time.monotonic() < deadline:
                self._sleep(0.0005)
            yield
        finally:
            with self._lock:
                self._running -= 1
