"""Concatenates objects of Cloud Storage by composing them.

Source: Cloud Storage docs, "Composite objects"; JSON API reference, "Objects: compose".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from cloudfiles.exceptions import ObjectChangedError, ServerError, UnsupportedOperationError
from cloudfiles.integrity import digests_from_headers
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource
from cloudfiles.interfaces.gs.composite import CompositeUpload, Part, may_compose, part_size
from cloudfiles.interfaces.gs.copy import MAX_COMPOSED
from cloudfiles.interfaces.gs.objects import GsBucket, condition_of
from cloudfiles.interfaces.gs.resource import resource_of
from cloudfiles.interfaces.multipart import parts_of_file, put_in_order
from cloudfiles.transport.budget import Budget
from cloudfiles.types import WriteOptions


class GsConcatenation(Concatenation):
    """The objects of a bucket: 32 by one request, more by way of intermediate objects, which are removed.

    slots: see `send_parts`.
    """

    def __init__(self, bucket: GsBucket, slots: Budget | None) -> None:
        self._bucket = bucket
        self._slots = slots

    def concat(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions, *,
               delete_sources: bool = False) -> str | None:
        if len(sources) > MAX_COMPOSED:
            self._check_parts_are_allowed(key, options)
        upload = self._upload(sources, key, options)
        with _composing(key):
            try:
                return upload.complete()
            except BaseException:
                upload.abort()
                raise

    def extend(self, source: ConcatSource, key: str, content: BinaryIO, options: WriteOptions) -> str | None:
        self._check_parts_are_allowed(key, options)
        upload, runtime = self._upload([source], key, options), self._bucket.runtime
        with _composing(key):
            return put_in_order(runtime, upload, key, parts_of_file(
                runtime, content, lambda number: part_size(number, None)), present=1, slots=self._slots)

    def _check_parts_are_allowed(self, key: str, options: WriteOptions) -> None:
        if not may_compose(self._bucket, options.storage_class):
            raise UnsupportedOperationError("the bucket does not allow intermediate objects", path=key)

    def _upload(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions) -> CompositeUpload:
        """An upload whose first parts are the sources."""
        bucket = self._bucket
        parts = {number: self._part(source) for number, source in enumerate(sources, 1)}
        upload = CompositeUpload(bucket, key, resource_of(options), condition_of(bucket, key, options))
        upload.sent = parts
        return upload

    def _part(self, source: ConcatSource) -> Part:
        digests = digests_from_headers(source.stored.headers or {})
        crc = next((digest.value for digest in digests if digest.algorithm == "crc32c"), None)
        if crc is None or source.stored.generation is None:
            raise UnsupportedOperationError("the service reports no CRC of the object", path=source.key)
        return Part((self._bucket.full_name(source.key), source.stored.generation), crc, source.size)


@contextmanager
def _composing(key: str) -> Iterator[None]:
    """A block in which a missing part is an object that was replaced."""
    try:
        yield
    except ServerError as error:
        if error.status != 404:
            raise
        raise ObjectChangedError("an object was replaced or removed before it was concatenated", path=key) from error
