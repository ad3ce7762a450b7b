"""A lock that its holder may keep while it waits, for threads and for greenlets of any hub."""

from __future__ import annotations

import threading

from cloudfiles.runtime.hub_engine import blocking_runtime

_POLL_SECONDS = 0.001


class Guard:
    """A lock for one holder at a time, as a `with` block.

    A native lock would block a hub forever if the holder is one of its greenlets: a greenlet therefore asks repeatedly.

    Attributes:
        lock: the lock itself, to be taken without waiting where that is enough.
    """

    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        if self.lock.acquire(blocking=False):
            return
        runtime = blocking_runtime()
        if runtime.name == "threads":
            self.lock.acquire()
            return
        while not self.lock.acquire(blocking=False):
            runtime.sleep(_POLL_SECONDS)

    def __exit__(self, *_: object) -> None:
        self.lock.release()
