"""Memory for tasks and results: pickled into it and out of it with one copy each, and without a name that could
outlive the processes."""

from __future__ import annotations

import mmap
import os
import pickle
from contextlib import suppress
from typing import Any

_KEPT_BYTES = 16 << 20
"""Bytes that are kept between values: memory that was written before causes no page faults."""

_STEP = 1 << 20
"""Memory grows by multiples of this."""


def new_memory() -> tuple[int, int] | None:
    """The descriptors of two anonymous files in memory, for tasks and for results; None if the system has none.

    The memory is freed when every process has closed it. Unlike files in /dev/shm it is not limited by the size of that
    mount, which is 64 MB in many containers.
    """
    if not hasattr(os, "memfd_create"):
        return None
    try:
        tasks = os.memfd_create("cloudfiles-tasks")
    except OSError:
        return None
    try:
        return tasks, os.memfd_create("cloudfiles-results")
    except OSError:
        os.close(tasks)
        return None


class _Memory:
    """One side of such a file. Writer and reader take turns: messages tell whose turn it is.

    Attributes:
        descriptor: inherited by the worker.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    def _size(self) -> int:
        return os.fstat(self.descriptor).st_size

    def _unmap(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None

    def close(self) -> None:
        self._unmap()
        with suppress(OSError):
            os.close(self.descriptor)


class MemoryReader(_Memory):
    """Reads values."""

    def load(self, length: int) -> Any:
        """Unpickle the first `length` bytes."""
        if self._map is None or len(self._map) < length:
            self._unmap()
            self._map = mmap.mmap(self.descriptor, self._size(), prot=mmap.PROT_READ)
        try:
            with memoryview(self._map) as view, view[:length] as pickled:
                return pickle.loads(pickled)
        finally:
            if length > _KEPT_BYTES:
                self._unmap()
                os.ftruncate(self.descriptor, 0)


class MemoryWriter(_Memory):
    """Writes values. It is a file for a pickler, which passes large bytes to it as they are."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._length = 0

    def start(self) -> None:
        """Start a new value. The other side has read the one before."""
        self._length = 0
        if self._map is not None and self._size() < len(self._map):  # freed by the reader
            self._unmap()

    def write(self, data: Any) -> int:
        """Raises OSError if there is no memory left."""
        size = len(data)
        end = self._length + size
        if self._map is None or end > len(self._map):
            self._grow(end)
        assert self._map is not None
        self._map[self._length:end] = data
        self._length = end
        return size

    def _grow(self, length: int) -> None:
        """Allocate all of it now: if memory were missing later, writing to it would kill the process."""
        self._unmap()
        size = self._size()
        if size < length:
            added = max(length - size, size // 4)
            added += -(size + added) % _STEP
            os.posix_fallocate(self.descriptor, size, added)
            size += added
        self._map = mmap.mmap(self.descriptor, size)

    @property
    def length(self) -> int:
        """Bytes written since the start."""
        return self._length
