"""Memory by which a worker hands over results: one copy for the reader, and no name that could outlive a process."""

from __future__ import annotations

import mmap
import os
import pickle
from contextlib import suppress
from typing import Any

KEPT = 16 << 20
"""Bytes of it that are kept between results; what was written once costs no page faults again."""


class ResultMemory:
    """In the parent: an anonymous file in memory that both have open. It is gone with the last of the two.

    Unlike files in /dev/shm it is not bounded by the size of that mount, which is 64 MB in many containers.

    Attributes:
        descriptor: what the worker inherits.
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
        if length > KEPT:
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
    """New memory; None where the system has none of this kind: results then go through the pipe."""
    if not hasattr(os, "memfd_create"):
        return None
    try:
        return ResultMemory()
    except OSError:
        return None
