"""Helpers of the two stores without a server: byte ranges, content types, and content in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cloudfiles.exceptions import CloudFilesError, FileSystemError, InvalidInputError

CHUNK_BYTES = 1 << 20
"""How many bytes of an open file are read at a time."""


def slice_bounds(start: int | None, end: int | None, size: int) -> tuple[int, int]:
    """Offset and length of the byte range `[start:end]`, as a slice of `size` bytes."""
    first, last, _ = slice(start, end).indices(size)
    return first, max(0, last - first)


def guess_type(key: str) -> str | None:
    """The content type for a file name, or None."""
    import mimetypes

    content_type, encoding = mimetypes.guess_type(key)
    return "application/gzip" if encoding == "gzip" else None if encoding else content_type


def chunks(content: Any, read_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """The rest of an open binary file, in pieces. Raises InvalidInputError if it is not a binary file."""
    read: Callable[[int], Any] = content.read
    while True:
        try:
            chunk = read(read_bytes)
        except CloudFilesError:
            raise
        except OSError as error:
            raise FileSystemError(f"cannot read the content: {error}", errno=error.errno) from error
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise InvalidInputError(
                f"expected a file open in binary mode as content; its read() returned {type(chunk).__name__}")
        if not chunk:
            return
        yield bytes(chunk)
