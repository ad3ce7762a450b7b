"""Calls methods of a local store where they do not block other green threads: in place while they are fast, otherwise
in native threads."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime

T = TypeVar("T")

_SLOW = 0.002
"""Seconds that an operation may take on average before it leaves the hub's thread: a network mount answers in
milliseconds, a local disk in tens of microseconds."""

_LONGEST = 4 * _SLOW
"""Seconds that one operation counts for at most: a single pause of the process does not make the average slow."""

_WEIGHT = 1 / 16
"""Weight of the latest operation in the average."""

_FIRST_CALLS_IN_THREADS = 256
_MOST_CALLS_IN_THREADS = 1 << 16


class AdaptiveCaller:
    """Calls methods of a local store in place while they are fast, otherwise in threads, so that they do not block
    other green threads.

    A call in a thread takes several times as long as a fast operation, and how long it took cannot be told there from
    waiting for the GIL. So after some hundred calls in threads, a few are made in place again; after twice as many the
    next time, if the store is still slow.
    """

    def __init__(self, interface: Interface, runtime: Runtime | None, clock: Callable[[], float] = monotonic) -> None:
        has_hub = runtime is not None and runtime.name == "green"
        self._runtime = runtime if interface.traits.is_local and has_hub else None
        self._clock = clock
        self._mean = 0.0
        self._calls_in_threads = 0  # left
        self._next_calls_in_threads = _FIRST_CALLS_IN_THREADS

    def call(self, size: int, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)`, which moves about `size` bytes."""
        if self._runtime is None:
            return function(*args)
        if size >= RUN_IN_THREAD_BYTES:
            return self._runtime.run_in_thread(function, *args)
        if self._calls_in_threads:
            self._calls_in_threads -= 1
            return self._runtime.run_in_thread(function, *args)
        began = self._clock()
        result = function(*args)
        self._mean += (min(self._clock() - began, _LONGEST) - self._mean) * _WEIGHT
        if self._mean > _SLOW:
            self._use_threads()
        return result

    def _use_threads(self) -> None:
        self._mean = 0.0
        self._calls_in_threads = self._next_calls_in_threads
        self._next_calls_in_threads = min(2 * self._calls_in_threads, _MOST_CALLS_IN_THREADS)
