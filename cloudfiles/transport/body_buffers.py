"""Memory for bodies, which are received into it and returned as `bytes` without a copy."""

from __future__ import annotations

import io


class BufferFullError(Exception):
    """A body is larger than allowed. Never leaves the protocol's implementation."""


class GrowingBuffer:
    """Memory for a body of unknown length, of at most `max_size` bytes.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, max_size: int) -> None:
        self._file = io.BytesIO()
        self._max_size = max_size
        self.size = 0

    def add(self, piece: bytes | memoryview) -> None:
        """Raises BufferFullError if it does not fit; what fits is kept."""
        left = self._max_size - self.size
        self.size += self._file.write(piece[:left] if len(piece) > left else piece)
        if len(piece) > left:
            raise BufferFullError

    def content(self) -> bytes:
        return self._file.getvalue()


class BodyBuffer:
    """Memory for a body of known length.

    BytesIO keeps its contents in a bytes object, modifies it in place if it has the only reference, and returns it:
    a 256 MiB object takes 256 MiB and not twice that. Memory of a new `bytes(length)` is not touched before the
    received bytes are written to it. Huge pages (madvise) were tried and dropped: later bodies were 1.5 times as
    fast, but the first one of a process had half the throughput on virtual machines.

    Attributes:
        view: the memory, to be filled from its beginning.
    """

    def __init__(self, length: int, begin: bytes | memoryview = b"") -> None:
        self._file = io.BytesIO(bytes(length))
        self.view = self._file.getbuffer()
        self.view[: len(begin)] = begin

    def cut(self, length: int) -> bytes:
        """The first `length` bytes. The view is released."""
        self.view.release()
        self._file.truncate(length)
        return self._file.getvalue()
