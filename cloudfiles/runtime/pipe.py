"""A pipe between a program and one worker that it has started: bytes in order, in bounded memory."""

from __future__ import annotations

import sys
from collections import deque

from cloudfiles.runtime.contract import Cancelled, WorkerGroup

_TICK = 0.5
"""Seconds between two checks whether the worker has ended."""


class Pipe:
    """Bytes that the program writes and the worker reads, as a file that is read once.

    Both wait in the way of their runtime: the program as the caller of the worker group, the worker as its worker.

    Args:
        group: of the one worker.
        max_bytes: how much is kept for the worker; more if it asks for more at once.
    """

    def __init__(self, group: WorkerGroup, max_bytes: int) -> None:
        self._group = group
        self._max_bytes = max_bytes
        self._wanted = 0
        self._pieces: deque[bytes | memoryview] = deque()
        self._added = 0  # bytes; written by the program only
        self._taken = 0  # written by the worker only
        self._ended = False
        self._failed = False

    # ---- in the program

    def write(self, piece: bytes | memoryview) -> bool:
        """Pass on a piece, which must not change any more. False if the worker has ended, and will not read it."""
        while self._added - self._taken >= max(self._max_bytes, self._wanted) and not self._group.finished:
            self._group.wait_caller(_TICK)
        if self._group.finished:
            return False
        self._pieces.append(piece)
        self._added += memoryview(piece).nbytes
        if self._added - self._taken >= self._wanted:
            self._group.wake_workers(1)
        return True

    def end(self) -> None:
        """No more is written."""
        self._ended = True
        self._group.wake_workers(1)

    def fail(self) -> None:
        """What was written is not to be used: the worker finds out when it reads on."""
        self._failed = True
        self.end()

    def unread(self) -> list[bytes | memoryview] | None:
        """Everything that was written, if the worker has ended without reading any of it; otherwise None."""
        return None if self._taken else list(self._pieces)

    # ---- in the worker

    def read(self, size: int | None = -1) -> bytes | memoryview:
        """The next `size` bytes, fewer only at the end; everything if it is None or negative. Raises Cancelled after
        `fail`."""
        self._wanted = wanted = sys.maxsize if size is None or size < 0 else size
        while self._added - self._taken < wanted and not self._ended:
            self._group.wake_caller()  # the program may wait until less is kept than this needs
            self._group.wait_worker()
        self._wanted = 0
        if self._failed:
            raise Cancelled("the program has given up what it was writing")
        return self._take(min(wanted, self._added - self._taken))

    def _take(self, size: int) -> bytes | memoryview:
        parts: list[bytes | memoryview] = []
        left = size
        while left > 0:
            piece = self._pieces[0]
            if len(piece) <= left:
                self._pieces.popleft()
            else:
                self._pieces[0] = memoryview(piece)[left:]
                piece = memoryview(piece)[:left]
            parts.append(piece)
            left -= len(piece)
        content = parts[0] if len(parts) == 1 else b"".join(parts)
        self._taken += len(content)
        self._group.wake_caller()
        return content

    def seekable(self) -> bool:
        return False
