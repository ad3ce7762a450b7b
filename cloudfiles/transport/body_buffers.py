"""Memory for bodies: received into once, handed out as `bytes` without a copy."""

from __future__ import annotations

import io


class BufferFullError(Exception):
    """A body is larger than allowed. Never leaves the protocol."""


class GrowingBuffer:
    """Memory for a body of unknown length, of at most `most` bytes: all in one, however small its pieces are."""

    def __init__(self, most: int) -> None:
        self._file = io.BytesIO()
        self._left = most

    def add(self, piece: bytes | memoryview) -> None:
        """Raises BufferFullError where there is more than that; what fits is kept."""
        self._file.write(piece[: self._left] if len(piece) > self._left else piece)
        self._left -= len(piece)
        if self._left < 0:
            raise BufferFullError

    def content(self) -> bytes:
        return self._file.getvalue()


class BodyBuffer:
    """Memory for a body of known length.

    BytesIO keeps its contents in a bytes object, works in place on one that nobody else holds,
    and hands it out again: a 256 MiB object costs 256 MiB and not twice that. Memory fresh from
    `bytes(length)` is not even touched before what is received is written to it. Asking
    for huge pages (madvise) was tried and left: later bodies came 1.5 times as fast, but the first one
    of a process at half the rate, where a virtual machine had not touched the memory before.

    Attributes:
        view: the memory; to be filled from its beginning.
    """

    def __init__(self, length: int, begin: bytes = b"") -> None:
        self._file = io.BytesIO(bytes(length))
        self.view = self._file.getbuffer()
        self.view[: len(begin)] = begin

    def cut(self, length: int) -> bytes:
        """The first `length` bytes; the view is gone afterwards."""
        self.view.release()
        self._file.truncate(length)
        return self._file.getvalue()
