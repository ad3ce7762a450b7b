"""Concatenates objects of S3 by a multipart upload whose parts are copied on the server.

Parts have to have at least 5 MiB, except the last one. Smaller objects are read, and sent together as one part.

Source: Amazon S3 API Reference, UploadPartCopy; S3 User Guide, "Amazon S3 multipart upload limits".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from cloudfiles.exceptions import AuthorizationError, ServerError, UnsupportedOperationError
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource
from cloudfiles.interfaces.multipart import parts_of_file, put_in_order, send_parts
from cloudfiles.interfaces.s3.copy import ServerSideCopy, is_unsupported
from cloudfiles.interfaces.s3.multipart import MAX_PARTS, S3Upload, part_size
from cloudfiles.interfaces.s3.objects import S3Bucket
from cloudfiles.interfaces.server_copy import CopyOptions
from cloudfiles.transport.budget import Budget
from cloudfiles.types import StoredObject, WriteOptions

MIN_PART = 5 << 20
"""Minimum size of a part except the last one, in bytes."""

_LARGEST_PART = 256 << 20
"""Maximum size of a copied part: the service copies the parts of one object at the same time."""


class Span(NamedTuple):
    """The bytes `[start:end]` of a source."""

    source: ConcatSource
    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


def plan_parts(sources: Sequence[ConcatSource]) -> list[list[Span]]:
    """The parts: one span each to be copied by the server, or several small ones to be sent together.

    All but the last one have at least 5 MiB, and those of several spans less than 15 MiB.
    """
    parts: list[list[Span]] = []
    small: list[Span] = []
    for source in sources:
        at = 0
        if small and source.size:
            lacking = MIN_PART - sum(span.length for span in small)
            at = lacking if source.size - lacking >= MIN_PART else source.size
            small.append(Span(source, 0, at))
            if at >= lacking:
                parts.append(small)
                small = []
        if source.size - at >= MIN_PART:
            parts += [[span] for span in _split(source, at)]
        elif source.size > at:
            small.append(Span(source, at, source.size))
    return [*parts, small] if small else parts


def _split(source: ConcatSource, start: int) -> list[Span]:
    """The rest of a source in equal spans."""
    count = -(-(source.size - start) // _LARGEST_PART)
    step = -(-(source.size - start) // count)
    return [Span(source, at, min(at + step, source.size)) for at in range(start, source.size, step)]


class S3Concatenation(Concatenation):
    """The objects of a bucket.

    get_part: as `Interface.get_part`. slots: see `send_parts`.
    """

    def __init__(self, bucket: S3Bucket, get_part: Callable[[str, int, int, StoredObject], bytes],
                 slots: Budget | None) -> None:
        self._bucket = bucket
        self._slots = slots
        self._get_part = get_part

    def concat(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions, *,
               delete_sources: bool = False) -> str | None:
        parts = plan_parts(sources)
        if not any(self._is_copied(part) for part in parts):
            raise UnsupportedOperationError("objects of less than 5 MiB are not copied as parts", path=key)
        if len(parts) > MAX_PARTS:
            raise UnsupportedOperationError(f"the object would have more than {MAX_PARTS} parts", path=key)
        upload = S3Upload(self._bucket, key, options)
        with self._copying(upload, key):
            self._send_all(upload, parts, key)
            return upload.complete()

    def extend(self, source: ConcatSource, key: str, content: BinaryIO, options: WriteOptions) -> str | None:
        parts = plan_parts([source])
        if not (parts and self._is_copied(parts[0])):
            raise UnsupportedOperationError("objects of less than 5 MiB are not copied as parts", path=key)
        runtime, present = self._bucket.runtime, len(parts)
        upload = S3Upload(self._bucket, key, options)
        with self._copying(upload, key):
            self._send_all(upload, parts, key)
        return put_in_order(runtime, upload, key, parts_of_file(
            runtime, content, lambda number: part_size(present + number, None)), present=present,
            slots=self._slots)

    def _send_all(self, upload: S3Upload, parts: Sequence[Sequence[Span]], key: str) -> None:
        send_parts(self._bucket.runtime, parts, lambda number, part: self._send(upload, number, part, key),
                   self._bucket.origin, part_size=MIN_PART, slots=self._slots)

    @staticmethod
    @contextmanager
    def _copying(upload: S3Upload, key: str) -> Iterator[None]:
        """A block that aborts the upload when it fails. UnsupportedOperationError: the server does not copy parts."""
        try:
            yield
        except (AuthorizationError, ServerError) as error:
            upload.abort()
            if not is_unsupported(error):
                raise
            raise UnsupportedOperationError(f"the server does not support copying parts: {error}", path=key) from error
        except BaseException:
            upload.abort()
            raise

    @staticmethod
    def _is_copied(part: Sequence[Span]) -> bool:
        return len(part) == 1 and part[0].length >= MIN_PART

    def _send(self, upload: S3Upload, number: int, part: Sequence[Span], key: str) -> None:
        if not self._is_copied(part):
            upload.send_part(number, b"".join([self._read(span) for span in part]))
            return
        source, start, end = part[0]
        bucket = self._bucket
        copy = ServerSideCopy(bucket, bucket, source.key, key, CopyOptions(), lambda: source.stored,
                              lambda _: WriteOptions(), 0)
        copy.copy_part(upload, number, source.stored.etag, start, end)

    def _read(self, span: Span) -> bytes:
        return self._get_part(span.source.key, span.start, span.end, span.source.stored)
