"""Memory for the results of a worker: read with one copy, and without a name that could outlive the processes."""

from __future__ import annotations

import mmap
import os
import pickle
from contextlib import suppress
from typing import Any

KEPT_BYTES = 16 << 20
"""Bytes that are kept between results: memory that was written before causes no page faults."""


class ResultMemory:
    """In the parent: an anonymous file in memory, open in both processes. It is freed when both have closed it.

    Unlike files in /dev/shm it is not limited by the size of that mount, which is 64 MB in many containers.

    Attributes:
        descriptor: inherited by the worker.
    """

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("cloudfiles-results")
        self._map: mmap.mmap | None = None

    def load(self, length: int) -> Any:
        """Unpickle the first `length` bytes."""
        if self._map is None or len(self._map) < length:
            self._unmap()
            self._map = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size, prot=mmap.PROT_READ)
        with memoryview(self._map) as view, view[:length] as pickled:
            value = pickle.loads(pickled)
        if length > KEPT_BYTES:
            self._unmap()
            os.ftruncate(self.descriptor, 0)
        return value

    def _unmap(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None

    def close(self) -> None:
        self._unmap()
        with suppress(OSError):
            os.close(self.descriptor)


def result_memory() -> ResultMemory | None:
    """New memory; None if the system does not support it: then results are sent through the pipe."""
    if not hasattr(os, "memfd_create"):
        return None
    try:
        return ResultMemory()
    except OSError:
        return None
