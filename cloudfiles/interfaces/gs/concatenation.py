"""Concatenates objects of Cloud Storage by composing them.

Source: Cloud Storage docs, "Composite objects"; JSON API reference, "Objects: compose".
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudfiles.exceptions import ObjectChangedError, ServerError, UnsupportedOperationError
from cloudfiles.integrity import digests_from_headers
from cloudfiles.interfaces.capabilities import Concatenation, ConcatSource
from cloudfiles.interfaces.gs.composite import CompositeUpload, Part, may_compose
from cloudfiles.interfaces.gs.copy import MAX_COMPOSED
from cloudfiles.interfaces.gs.objects import GsBucket, condition_of
from cloudfiles.interfaces.gs.resource import resource_of
from cloudfiles.types import WriteOptions


class GsConcatenation(Concatenation):
    """The objects of a bucket: 32 by one request, more by way of intermediate objects, which are removed."""

    def __init__(self, bucket: GsBucket) -> None:
        self._bucket = bucket

    def concat(self, sources: Sequence[ConcatSource], key: str, options: WriteOptions, *,
               delete_sources: bool = False) -> str | None:
        bucket = self._bucket
        if len(sources) > MAX_COMPOSED and not may_compose(bucket, options.storage_class):
            raise UnsupportedOperationError("the bucket does not allow intermediate objects", path=key)
        parts = {number: self._part(source) for number, source in enumerate(sources, 1)}
        upload = CompositeUpload(bucket, key, resource_of(options), condition_of(bucket, key, options))
        upload.sent = parts
        try:
            return upload.complete()
        except ServerError as error:
            upload.abort()
            if error.status != 404:
                raise
            raise ObjectChangedError("an object was replaced or removed before it was concatenated",
                                     path=key) from error
        except BaseException:
            upload.abort()
            raise

    def _part(self, source: ConcatSource) -> Part:
        digests = digests_from_headers(source.stored.headers or {})
        crc = next((digest.value for digest in digests if digest.algorithm == "crc32c"), None)
        if crc is None or source.stored.generation is None:
            raise UnsupportedOperationError("the service reports no CRC of the object", path=source.key)
        return Part((self._bucket.full_name(source.key), source.stored.generation), crc, source.size)
