"""Storing content of any kind and size: by one PUT, or in parts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import BinaryIO

from cloudfiles.exceptions import FileSystemError, InvalidInputError
from cloudfiles.interfaces.s3.bucket import Bucket
from cloudfiles.interfaces.s3.multipart import digest_headers, part_size, put_in_parts
from cloudfiles.interfaces.s3.upload import put_whole
from cloudfiles.transport.request import FileBody
from cloudfiles.types import Content, WriteOptions

MAX_PUT = 5 << 30
"""Bytes that S3 takes by one PUT."""

_READ_WHOLE = 1 << 20
"""Bytes up to which a file is read at once: a body in memory is sent with fewer calls."""


def put_content(bucket: Bucket, key: str, content: Content, options: WriteOptions, threshold: int) -> str | None:
    """Store `content`: in parts where it has more than `threshold` bytes, or where a file does not tell how many."""
    limit = min(threshold, MAX_PUT)
    if not isinstance(content, (bytes, bytearray, memoryview)):
        return _put_file(bucket, key, content, options, limit)
    if isinstance(content, memoryview):
        content = content.cast("B") if content.c_contiguous else content.tobytes()
    if len(content) > limit:
        return put_in_parts(bucket, key, _parts_of_memory(memoryview(content)), options)
    return put_whole(bucket, key, content, digest_headers(bucket, bucket.checks, content), options)


def _parts_of_memory(view: memoryview) -> Iterator[memoryview]:
    step = part_size(1, len(view))
    return (view[at:at + step] for at in range(0, len(view), step))


# ---- files


def _put_file(bucket: Bucket, key: str, file: BinaryIO, options: WriteOptions, limit: int) -> str | None:
    if not hasattr(file, "read"):
        raise InvalidInputError(f"content must be bytes or an open binary file, not a {type(file).__name__}", path=key)
    size = _bytes_left(file)
    if size is not None and _READ_WHOLE < size <= limit:
        body = FileBody(file, size)
        digests = bucket.runtime.offload(bucket.checks.headers_of_pieces, body.pieces())
        return put_whole(bucket, key, body, digests, options)
    parts = _parts_of_file(bucket, file, size)
    first = next(parts, b"")
    if len(first) < part_size(1, size) and len(first) <= limit:
        return put_whole(bucket, key, first, digest_headers(bucket, bucket.checks, first), options)
    return put_in_parts(bucket, key, itertools.chain([first], parts), options)


def _bytes_left(file: BinaryIO) -> int | None:
    """Bytes from the file's position to its end; None where it cannot tell: a pipe, a socket, a decoder."""
    try:
        if not file.seekable():
            return None
        begin = file.tell()
        end = file.seek(0, 2)
        file.seek(begin)
    except (AttributeError, OSError):
        return None
    return max(0, end - begin)


def _parts_of_file(bucket: Bucket, file: BinaryIO, size: int | None) -> Iterator[bytes]:
    """The rest of the file in pieces of the size that its parts need; only the last is shorter, none is empty."""
    for number in itertools.count(1):
        wanted = part_size(number, size)
        content = bucket.runtime.offload(_read_fully, file, wanted)
        if content:
            yield content
        if len(content) < wanted:
            return


def _read_fully(file: BinaryIO, size: int) -> bytes:
    """`size` bytes, fewer only at the end: one read of a pipe or a socket may bring less than there is to come."""
    pieces: list[bytes] = []
    while size:
        try:
            piece = file.read(size)
        except OSError as error:
            raise FileSystemError(f"the content could not be read: {error}", errno=error.errno) from error
        if not isinstance(piece, (bytes, bytearray)):
            raise InvalidInputError(
                f"content must be a file open in binary mode; its read() gave a {type(piece).__name__}")
        if not piece:
            break
        pieces.append(bytes(piece))
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
