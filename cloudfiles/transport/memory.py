"""Memory for bodies: received into once, handed out as `bytes` without a copy."""

from __future__ import annotations

import ctypes
import functools
import io
import mmap
import sys
from collections.abc import Callable

_HUGE = 2 * 1024 * 1024
"""Bytes of a huge page, and of the smallest body worth asking for them."""


class BodyMemory:
    """Memory for a body of known length.

    BytesIO keeps its contents in a bytes object, works in place on one that nobody else holds,
    and hands it out again: a 256 MiB object costs 256 MiB and not twice that. Memory fresh from
    `bytes(length)` is not even touched before what is received is written to it.

    Attributes:
        view: the memory; to be filled from its beginning.
    """

    def __init__(self, length: int, begin: bytes = b"") -> None:
        self._file = io.BytesIO(bytes(length))
        self.view = self._file.getbuffer()
        if length >= 2 * _HUGE:
            _prefer_huge_pages(self.view)
        self.view[: len(begin)] = begin

    def cut(self, length: int) -> bytes:
        """The first `length` bytes; the view is gone afterwards."""
        self.view.release()
        self._file.truncate(length)
        return self._file.getvalue()


def _prefer_huge_pages(view: memoryview) -> None:
    """Tell the kernel that the memory will be filled from end to end (madvise(2), MADV_HUGEPAGE).

    By pages of 4 KiB, 256 MiB cost 65 536 page faults, which on a virtual machine takes longer than
    receiving them: 145-430 ms against 60 ms. It is a hint: where it is not taken, nothing changes.
    """
    advise = _madvise()
    if advise is None:
        return
    pointed = ctypes.c_char.from_buffer(view)
    address = ctypes.addressof(pointed)
    begin = -(-address // _HUGE) * _HUGE
    end = (address + len(view)) // _HUGE * _HUGE
    if end > begin:
        advise(begin, end - begin, mmap.MADV_HUGEPAGE)


@functools.cache
def _madvise() -> Callable[[int, int, int], int] | None:
    if sys.platform != "linux" or not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    try:
        function = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    function.restype = ctypes.c_int
    checked: Callable[[int, int, int], int] = function
    return checked
