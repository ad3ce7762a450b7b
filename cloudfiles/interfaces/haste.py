"""Whether a large body comes so slowly that more connections would bring it sooner."""

from __future__ import annotations

import threading
from time import monotonic

from cloudfiles.transport.request import SlowBodyError

FAST = 256 << 20
"""Bytes a second that one connection is left alone at: the core that receives them has little time left."""

_LOOK = 0.1
"""Seconds over which the rate is taken, again and again, from the body's first megabyte on."""

_BEGIN = 1 << 20
"""Bytes before the rate is looked at: the window of a new connection is still growing."""

LEAST = 32 << 20
"""Bytes that have to be left."""

_AT_ONCE = 2
"""Bodies of the process that are divided at a time: the next ones run beside others anyway."""

places = threading.BoundedSemaphore(_AT_ONCE)
"""Whoever gets a SlowBodyError has one, and gives it back."""


class Haste:
    """Ends an exchange whose body is large and comes slowly."""

    __slots__ = ("_count", "_length", "_since")

    def __init__(self, length: int) -> None:
        self._length = length
        self._since = 0.0
        self._count = 0

    def look(self, got: int) -> None:
        now = monotonic()
        if not self._since:
            if got >= _BEGIN:
                self._since, self._count = now, got
            return
        elapsed = now - self._since
        if elapsed < _LOOK:
            return
        if got - self._count < elapsed * FAST and self._length - got >= LEAST and places.acquire(blocking=False):
            raise SlowBodyError
        self._since, self._count = now, got
