"""A lock that its holder may keep while it waits, for threads and for greenlets of any hub."""

from __future__ import annotations

import threading

from cloudfiles.runtime.hub_engine import blocking_runtime

_POLL_SECONDS = 0.001


class Guard:
    """A lock for one holder at a time: `with guard.held():`.

    The block is that of the native lock itself. With methods in Python, a Ctrl-C right after the lock was taken, or
    right before it is released, would leave it taken forever.

    Attributes:
        lock: the lock itself, to be taken without waiting where that is enough.
    """

    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def held(self) -> threading.Lock:
        """The lock, for a `with` block directly.

        A native lock would block a hub forever if the holder is one of its greenlets: a greenlet therefore asks
        repeatedly. No other one of its hub takes the lock before it does.
        """
        if self.lock.locked():
            runtime = blocking_runtime()
            while runtime.name != "threads" and self.lock.locked():
                runtime.sleep(_POLL_SECONDS)
        return self.lock
