"""Appending to objects of `mem://`, and concatenating them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudfiles.exceptions import MissingObjectError, ObjectChangedError, UnsupportedOperationError
from cloudfiles.interfaces.capabilities import (
    Appending,
    Concatenation,
    ConcatSource,
    check_length,
    check_truncation,
    not_at_end,
)
from cloudfiles.types import WriteOptions

if TYPE_CHECKING:
    from cloudfiles.interfaces.mem import MemInterface


class MemAppending(Appending):
    """Objects that grow; each call copies the object."""

    def __init__(self, memory: MemInterface) -> None:
        self._memory = memory

    def create(self, path: str, *, if_absent: bool = False) -> None:
        self._memory.put(path, b"", WriteOptions(if_absent=if_absent))

    def append(self, path: str, position: int, content: bytes) -> None:
        def appended(present: bytes) -> bytes:
            if len(present) != position:
                raise not_at_end(path, len(present), position)
            return present + content

        self._memory.change(path, appended)

    def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        described = self._memory.describe(path)
        if described is None:
            raise MissingObjectError("there is no such object", path=path)
        check_length(path, described.size, length)
        return described.etag

    def truncate(self, path: str, size: int) -> None:
        def truncated(present: bytes) -> bytes:
            check_truncation(path, len(present), size)
            return present[:size]

        self._memory.change(path, truncated)


class MemConcatenation(Concatenation):
    """Objects made of others."""

    def __init__(self, memory: MemInterface) -> None:
        self._memory = memory

    def concat(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions, *,
               delete_sources: bool = False) -> str | None:
        contents = []
        for source in sources:
            stored = self._memory.get(source.key)
            if stored is None or stored.etag != source.stored.etag:
                raise ObjectChangedError("the object was replaced before it was concatenated", path=source.key)
            if not isinstance(stored.content, bytes):
                raise UnsupportedOperationError(f"the object is a {type(stored.content).__name__}, not bytes",
                                                path=source.key)
            contents.append(stored.content)
        return self._memory.put(key, b"".join(contents), options)
