"""Blocks of one version of an object, which are requested ahead of a program that reads in order.

- A position that does not follow what was read before is a jump: only what the call wants is requested, but at least
  64 KiB, because a request takes longer than reading these.
- From the second block on, twice as much is requested in advance as was read since the jump. So a program that reads
  in order has several large requests in progress after a few round trips, and one that does not wastes little.
- If the program has to wait although as much was requested as the limit allows, the limit is doubled.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from time import monotonic

from cloudfiles.batch.store import Store
from cloudfiles.exceptions import CloudFilesError
from cloudfiles.file_objects.positioned_reader import Block
from cloudfiles.file_objects.worker_runtime import worker_runtime
from cloudfiles.interfaces.part_writer import PART_BYTES
from cloudfiles.runtime.contract import Runtime
from cloudfiles.types import StoredObject

LEAST_BYTES = 64 << 10
"""Of a request, unless the object is smaller."""

_FIRST_LIMIT = 4 * PART_BYTES
_LAST_LIMIT = 8 * PART_BYTES
"""Bytes that are requested in advance, at first and at most."""

_ALL_READERS = 32 * PART_BYTES
"""Bytes that all readers of the process together request in advance. Each may have one more block."""

_LONG_WAIT = 0.001
"""Seconds from which a program waits for a block."""

_LOCAL_BYTES = 1 << 20
"""Of a block of a local file that is read in order."""


class _Budget:
    """The bytes that readers have requested in advance, of a maximum."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._used = 0
        self._lock = threading.Lock()

    def take(self, size: int, *, force: bool) -> bool:
        with self._lock:
            if not force and self._used + size > self._maximum:
                return False
            self._used += size
            return True

    def release(self, size: int) -> None:
        with self._lock:
            self._used -= size


_budget = _Budget(_ALL_READERS)


def _renew_budget() -> None:
    """In a forked child: another thread of the parent may have held the lock."""
    global _budget
    _budget = _Budget(_ALL_READERS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_budget)


class _Request:
    """A block that is being requested by a worker. Its bytes were taken from the budget."""

    def __init__(self, runtime: Runtime, store: Store, key: str, version: StoredObject, start: int, end: int) -> None:
        self._budget = _budget
        self.runtime = runtime
        self.start = start
        self.end = end
        self.content: bytes | None = None
        self.is_ahead = False
        self._error: Exception | None = None
        self._group = runtime.worker_group()
        interface = store.interface(runtime)

        def fetch() -> None:
            try:
                self.content = interface.get_part(key, start, end, version)
            except Exception as error:
                self._error = error

        self._group.start(fetch, 1)

    @property
    def is_done(self) -> bool:
        return self._group.finished

    def wait(self) -> bytes:
        while not self._group.finished:
            self._group.wait_caller()
        if self.content is None:
            raise self._error or CloudFilesError("the read was cancelled")
        return self.content

    def cancel(self) -> None:
        """End the request, without waiting for its end."""
        if not self._group.finished:
            self.runtime.post(self._group.kill)

    def __del__(self) -> None:
        self._budget.release(self.end - self.start)


class ReadAhead:
    """The blocks of an object, for one reader.

    Args:
        least: bytes of the smallest request.
    """

    def __init__(self, store: Store, key: str, version: StoredObject, least: int) -> None:
        assert version.size is not None
        self._store = store
        self._key = key
        self._version = version
        self._size = version.size
        self._least = least
        self._block: Block | None = None  # the current one
        self._requests: deque[_Request] = deque()  # what follows, in order and without gaps
        self._jumped_to = 0  # where reading in order began
        self._limit = _FIRST_LIMIT

    def block_at(self, position: int, wanted: int) -> Block | None:
        """A block with the byte at `position`, of which a call reads `wanted` from there; None at the end."""
        block = self._block
        if block is None or not block.start <= position < block.end:
            if position >= self._size:
                return None
            block = self._block = self._next(position, wanted)
        return block

    def _next(self, position: int, wanted: int) -> Block:
        """The block at `position`, which is not in the current one."""
        requests = self._requests
        # Workers of one hub cannot be waited for in another.
        if requests and requests[0].start <= position < requests[-1].end and (
                requests[0].runtime is worker_runtime(self._store)):
            while requests[0].end <= position:  # a short jump forwards
                requests.popleft().cancel()
            self._request_ahead(position, wanted)
            return self._received(requests.popleft())
        self.cancel()
        if position != (0 if self._block is None else self._block.end):
            self._jumped_to = position
        return self._requested(position, wanted)

    def _requested(self, position: int, wanted: int) -> Block:
        """The block at `position`, of which nothing was requested yet."""
        run = position - self._jumped_to
        if self._store.is_local:
            end = min(self._size, position + max(self._least, min(wanted, PART_BYTES), min(run, _LOCAL_BYTES)))
        elif run or wanted > PART_BYTES:
            self._request_ahead(position, wanted)
            return self._received(self._requests.popleft())
        else:
            end = min(self._size, position + max(self._least, wanted))
        # In this thread, which is faster than in a worker.
        return Block(position, self._store.here().get_part(self._key, position, end, self._version))

    def _received(self, request: _Request) -> Block:
        since = None if request.is_done else monotonic()
        content = request.wait()
        if since is not None and request.is_ahead and monotonic() - since > _LONG_WAIT:
            self._limit = min(_LAST_LIMIT, 2 * self._limit)
        return Block(request.start, content)

    def _request_ahead(self, position: int, wanted: int) -> None:
        """Request what follows, as far as is likely to be read."""
        run = position - self._jumped_to
        ahead = min(self._limit, max(2 * run, wanted if wanted > PART_BYTES or run else 0))
        end = min(self._size, position + ahead)
        at = self._requests[-1].end if self._requests else position
        size = max(self._least, min(PART_BYTES, ahead // 2))
        while at < end and (at + size <= end or end == self._size or not self._requests):
            following = min(self._size, at + size)
            if not _budget.take(following - at, force=not self._requests):
                return
            request = _Request(worker_runtime(self._store), self._store, self._key, self._version, at, following)
            request.is_ahead = at > position
            self._requests.append(request)
            at = following

    def cancel(self) -> None:
        """End the requests in advance."""
        while self._requests:
            self._requests.popleft().cancel()

    def close(self) -> None:
        self.cancel()
        self._block = None
