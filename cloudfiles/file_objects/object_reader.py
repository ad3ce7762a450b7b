"""`ObjectReader`: an object open for reading."""

from __future__ import annotations

import io
from typing import Any

from cloudfiles.batch.store import Store
from cloudfiles.types import StoredObject

_BLOCK = 1 << 20


class ObjectReader(io.BufferedIOBase):
    """The stored bytes of one version of an object.

    Attributes:
        name: the key.
        mode: 'rb'.
        size: in bytes.
    """

    mode = "rb"

    def __init__(self, store: Store, key: str, version: StoredObject, blocksize: int | None = None) -> None:
        assert version.size is not None
        self.name = key
        self.size = version.size
        self._store = store
        self._version = version
        self._blocksize = blocksize or _BLOCK
        self._position = 0
        self._block = b""
        self._block_start = 0

    def readable(self) -> bool:
        self._check_open()
        return True

    def seekable(self) -> bool:
        self._check_open()
        return True

    def tell(self) -> int:
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._check_open()
        if whence not in (0, 1, 2):
            raise ValueError(f"whence: expected 0, 1 or 2, got {whence!r}")
        position = offset + (0, self._position, self.size)[whence]
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self._position = position
        return position

    def read(self, size: int | None = -1, /) -> bytes:
        self._check_open()
        left = max(0, self.size - self._position)
        wanted = left if size is None or size < 0 else min(size, left)
        parts = []
        while wanted:
            part = self._piece(wanted)
            parts.append(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read1(self, size: int = -1, /) -> bytes:
        self._check_open()
        left = max(0, self.size - self._position)
        wanted = min(left, self._blocksize) if size is None or size < 0 else min(size, left)
        return self._piece(wanted) if wanted else b""

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[:len(content)] = content
        return len(content)

    def readinto1(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        content = self.read1(len(view))
        view[:len(content)] = content
        return len(content)

    def readline(self, size: int | None = -1, /) -> bytes:
        self._check_open()
        limit = self.size if size is None or size < 0 else size
        parts: list[bytes] = []
        while limit and self._position < self.size:
            self._load(1)
            at = self._position - self._block_start
            end = self._block.find(b"\n", at, at + limit) + 1 or min(len(self._block), at + limit)
            part = self._block[at:end]
            parts.append(part)
            self._position += len(part)
            limit -= len(part)
            if part.endswith(b"\n"):
                break
        return b"".join(parts)

    def _piece(self, wanted: int) -> bytes:
        self._load(wanted)
        at = self._position - self._block_start
        part = self._block[at:at + wanted]
        self._position += len(part)
        return part

    def _load(self, wanted: int) -> None:
        if self._block_start <= self._position < self._block_start + len(self._block):
            return
        end = min(self.size, self._position + max(wanted, self._blocksize))
        self._block = self._store.here().get_part(self.name, self._position, end, self._version)
        self._block_start = self._position

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")
