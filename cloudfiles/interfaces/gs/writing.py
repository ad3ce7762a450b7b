"""Storing content of any kind and size: by one request, in parallel parts, or in a session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO

from cloudfiles.integrity import Buffer
from cloudfiles.interfaces.gs.bucket import GsBucket
from cloudfiles.interfaces.gs.composite import may_compose, put_composite
from cloudfiles.interfaces.gs.resource import resource_of
from cloudfiles.interfaces.gs.session import SessionLostError, put_session
from cloudfiles.interfaces.gs.upload import condition_of, put_whole
from cloudfiles.interfaces.parts import bytes_left, parts_of_file, parts_of_memory, put_file, size_of_part
from cloudfiles.transport.request import flat
from cloudfiles.types import Content, WriteOptions

PART = 16 << 20
"""Bytes. Each part costs two operations; eight of them are in memory at once."""

_PLANNED = 8192
"""Parts that content of known size is cut into at most, and composed in up to three steps: of a terabyte they have
128 MiB, and a few of them fit in memory."""

_GROWS_EVERY = 1000
"""Parts after which those of content of unknown size double."""

_SESSIONS = 3
"""Sessions that an upload may begin, should the server lose one."""


def part_size(number: int, size: int | None) -> int:
    """Bytes of part `number` (from 1) of content of `size` bytes; all the same where the size is known.

    >>> part_size(1, 10 << 30) >> 20, part_size(1, 1 << 40) >> 20, part_size(2500, None) >> 20
    (16, 128, 64)
    """
    return size_of_part(number, size, PART, _PLANNED, _GROWS_EVERY)


def put_content(bucket: GsBucket, key: str, content: Content, options: WriteOptions, threshold: int) -> str | None:
    """Store `content`: in parts where it has more than `threshold` bytes, or where a file does not tell how many."""
    if not isinstance(content, (bytes, bytearray, memoryview)):
        return _put_file(bucket, key, content, options, threshold)
    whole = flat(content) if isinstance(content, memoryview) else content
    if len(whole) <= threshold:
        return put_whole(bucket, key, whole, options)
    size = part_size(1, len(whole))
    return _put_large(bucket, key, lambda: parts_of_memory(whole, size), options, _SESSIONS)


def _put_file(bucket: GsBucket, key: str, file: BinaryIO, options: WriteOptions, threshold: int) -> str | None:
    size = bytes_left(file, key)
    if size is not None and size > threshold:
        begin = file.tell()

        def parts() -> Iterable[Buffer]:
            file.seek(begin)
            return parts_of_file(bucket.runtime, file, lambda number: part_size(number, size))

        return _put_large(bucket, key, parts, options, _SESSIONS)
    # It is small, or can be read once only.
    return put_file(bucket.runtime, file, size, threshold, part_size,
                    lambda body: put_whole(bucket, key, body, options),
                    lambda pieces: _put_large(bucket, key, lambda: pieces, options, 1))


def _put_large(bucket: GsBucket, key: str, parts: Callable[[], Iterable[Buffer]], options: WriteOptions,
               sessions: int) -> str | None:
    """parts: gives all of them, as often as it is called, where more than one session may be begun."""
    resource = resource_of(options)
    condition = condition_of(bucket, key, options)
    if may_compose(bucket, options.storage_class):
        return put_composite(bucket, key, parts(), resource, condition)
    for left in reversed(range(sessions)):
        try:
            return put_session(bucket, key, parts(), resource, condition)
        except SessionLostError:
            if not left:
                raise
    raise AssertionError("unreachable: at least one session is begun")
