"""What all readers have in common: a position in content that is available in blocks."""

from __future__ import annotations

import io
import os
import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from cloudfiles.integrity import Buffer
from cloudfiles.runtime.guard import Guard

_LINES_BYTES = 64 << 10
"""Bytes that are split into lines at once."""


class Block(NamedTuple):
    """Bytes of the content, from `start` on."""

    start: int
    content: Buffer

    @property
    def end(self) -> int:
        return self.start + len(self.content)


class PositionedReader(io.BufferedIOBase):
    """Reads blocks that a subclass provides. May be used by several threads: each call reads a range of its own.

    Attributes:
        name: the key.
        mode: 'rb'.
    """

    mode = "rb"

    def __init__(self, name: str) -> None:
        self.name = name
        self._position = 0
        self._guard = Guard()
        self._process = os.getpid()

    @abstractmethod
    def _block_at(self, position: int, wanted: int) -> Block | None:
        """A block that has at least the byte at `position`; None at the end of the content.

        wanted: the bytes that the call will read from there, at least 1.
        """

    @abstractmethod
    def _end(self) -> int:
        """The size of the content, in bytes."""

    def _after_fork(self) -> None:
        """In a child process: forget what the parent is doing."""
        self._guard = Guard()
        self._process = os.getpid()

    def _exclusively(self) -> threading.Lock:
        """A block that no other thread is in. Raises ValueError for a closed file."""
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if self._process != os.getpid():
            self._after_fork()
        return self._guard.held()

    # ---- position

    def readable(self) -> bool:
        with self._exclusively():
            return True

    def seekable(self) -> bool:
        with self._exclusively():
            return True

    def tell(self) -> int:
        with self._exclusively():
            return self._position

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Set the position, relative to the start (0), the position (1) or the end (2) of the content."""
        with self._exclusively():
            if whence not in (0, 1, 2):
                raise ValueError(f"whence: expected 0, 1 or 2, got {whence!r}")
            position = offset + (0 if whence == 0 else self._position if whence == 1 else self._end())
            if position < 0:
                raise ValueError(f"negative seek position {position}")
            self._position = position
            return position

    # ---- reading

    def read(self, size: int | None = -1, /) -> bytes:
        """The next `size` bytes, fewer only at the end; all that are left if it is negative or None."""
        with self._exclusively():
            return self._read(None if size is None or size < 0 else size)

    def _read(self, size: int | None) -> bytes:
        wanted = self._rest() if size is None else size
        parts: list[Buffer] = []
        while wanted > 0 and (block := self._block_at(self._position, wanted)) is not None:
            part = self._cut(block, wanted)
            parts.append(part)
            wanted -= len(part)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def _rest(self) -> int:
        """At least the number of bytes that are left."""
        return self._end() - self._position

    def _cut(self, block: Block, wanted: int) -> Buffer:
        """Up to `wanted` bytes of the block, from the position on, which moves behind them."""
        at = self._position - block.start
        content = block.content
        part = content if at == 0 and len(content) <= wanted else content[at:at + wanted]
        self._position += len(part)
        return part

    def read1(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes that are available without another request, or by one."""
        with self._exclusively():
            wanted = io.DEFAULT_BUFFER_SIZE if size is None or size < 0 else size
            block = self._block_at(self._position, wanted) if wanted else None
            return b"" if block is None else bytes(self._cut(block, wanted))

    def readinto(self, buffer: Any, /) -> int:
        with self._exclusively(), memoryview(buffer) as given, given.cast("B") as view:
            done = 0
            while done < len(view) and (block := self._block_at(self._position, len(view) - done)) is not None:
                part = self._cut(Block(block.start, memoryview(block.content)), len(view) - done)
                view[done:done + len(part)] = part
                done += len(part)
            return done

    def readinto1(self, buffer: Any, /) -> int:
        with memoryview(buffer) as given, given.cast("B") as view:
            part = self.read1(len(view))
            view[:len(part)] = part
            return len(part)

    def peek(self, size: int = 1, /) -> bytes:
        """Bytes from the position on, which does not move: at least one, except at the end."""
        with self._exclusively():
            block = self._block_at(self._position, max(1, size))
            if block is None:
                return b""
            at = self._position - block.start
            return bytes(block.content[at:at + max(size, io.DEFAULT_BUFFER_SIZE)])

    def readline(self, size: int | None = -1, /) -> bytes:
        """Up to the next line break, and at most `size` bytes."""
        with self._exclusively():
            left = -1 if size is None or size < 0 else size
            parts: list[bytes] = []
            while left and (block := self._block_at(self._position, 1)) is not None:
                at = self._position - block.start
                content = block.content if isinstance(block.content, bytes) else bytes(block.content)
                limit = len(content) if left < 0 else min(len(content), at + left)
                end = content.find(b"\n", at, limit) + 1
                part = content[at:end or limit]
                parts.append(part)
                self._position += len(part)
                if end:
                    break
                left -= len(part) if left > 0 else 0
            return parts[0] if len(parts) == 1 else b"".join(parts)

    def __iter__(self) -> Iterator[bytes]:
        """The lines from the position on. Lines of one block are split at once, which is much faster than `readline`.

        The position is behind each line that was returned; if it is changed meanwhile, iteration continues there.
        """
        while True:
            start, lines = self._whole_lines()
            if not lines:
                line = self.readline()
                if not line:
                    return
                yield line
            lock, is_held = self._guard.lock, False  # not in a `with` block, which takes longer
            try:
                for line in lines:
                    is_held = True
                    if not lock.acquire(False):
                        is_held = False
                        break  # another thread reads
                    is_here = self._position == start
                    if is_here:
                        self._position = start = start + len(line) + 1
                    lock.release()
                    is_held = False
                    if not is_here:
                        break
                    yield line + b"\n"
            except BaseException:
                if is_held:  # at a Ctrl-C
                    with suppress(RuntimeError):  # it was just released
                        lock.release()
                raise

    def _whole_lines(self) -> tuple[int, list[bytes]]:
        """The position, and the complete lines, without line breaks, that the next bytes of the block have."""
        with self._exclusively():
            block = self._block_at(self._position, 1)
            if block is None:
                return self._position, []
            at = self._position - block.start
            return self._position, bytes(block.content[at:at + _LINES_BYTES]).split(b"\n")[:-1]

    def close(self) -> None:
        self._position = -1  # ends iterators
        super().close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}{' closed' if self.closed else ''}>"
