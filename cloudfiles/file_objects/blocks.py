"""Blocks of a file that begin and end at a delimiter."""

from __future__ import annotations

from typing import IO

from cloudfiles.exceptions import InvalidInputError

_SEARCHED = 64 << 10
"""Bytes that are read at a time to find a delimiter."""


def read_block(file: IO[bytes], offset: int, length: int | None, delimiter: bytes | None = None) -> bytes:
    """The bytes `[offset:offset + length]` of a file; with a delimiter, whole records instead.

    A record includes the delimiter at its end. The block then begins after the first delimiter that is at `offset` or
    later (or at the start of the file, if `offset` is 0), and ends with the first one at `offset + length` or later.
    If a file is cut into blocks without gaps, each record is in exactly one of them.

    Args:
        length: in bytes; None: to the end of the file.
        delimiter: such as `b'\\n'`; None: exactly these bytes.

    Raises InvalidInputError for a negative offset or length, or an empty delimiter.
    """
    if offset < 0 or (length is not None and length < 0):
        raise InvalidInputError(f"expected an offset and a length >= 0, got {offset} and {length}")
    if delimiter is not None and not delimiter:
        raise InvalidInputError("delimiter: expected at least one byte, got b''")
    if delimiter is None:
        file.seek(offset)
        return file.read(-1 if length is None else length)
    start = _next_record(file, offset, delimiter)
    if length is None:
        file.seek(start)
        return file.read()
    end = max(start, _next_record(file, offset + length, delimiter))
    file.seek(start)
    return file.read(end - start)


def _next_record(file: IO[bytes], offset: int, delimiter: bytes) -> int:
    """The end of the first delimiter at `offset` or later; the end of the file if there is none, 0 for 0."""
    if offset == 0:
        return 0
    start = file.seek(offset)
    searched = b""  # from `start`
    while piece := file.read(_SEARCHED):
        searched += piece
        found = searched.find(delimiter)
        if found >= 0:
            return start + found + len(delimiter)
        kept = min(len(searched), len(delimiter) - 1)  # which may be the beginning of a delimiter
        start += len(searched) - kept
        searched = searched[len(searched) - kept:]
    return start + len(searched)
