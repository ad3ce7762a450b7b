"""Storing content of any kind and size: by one PUT, or in parts."""

from __future__ import annotations

from typing import BinaryIO

from cloudfiles.interfaces.parts import bytes_left, parts_of_memory, put_file
from cloudfiles.interfaces.s3.bucket import Bucket
from cloudfiles.interfaces.s3.multipart import digest_headers, part_size, put_in_parts
from cloudfiles.interfaces.s3.upload import put_whole
from cloudfiles.transport.request import Body, FileBody
from cloudfiles.types import Content, WriteOptions

MAX_PUT = 5 << 30
"""Bytes that S3 takes by one PUT."""


def put_content(bucket: Bucket, key: str, content: Content, options: WriteOptions, threshold: int) -> str | None:
    """Store `content`: in parts where it has more than `threshold` bytes, or where a file does not tell how many."""
    limit = min(threshold, MAX_PUT)
    if not isinstance(content, (bytes, bytearray, memoryview)):
        return _put_file(bucket, key, content, options, limit)
    if isinstance(content, memoryview):
        content = content.cast("B") if content.c_contiguous else content.tobytes()
    if len(content) > limit:
        return put_in_parts(bucket, key, parts_of_memory(content, part_size(1, len(content))), options)
    return put_whole(bucket, key, content, digest_headers(bucket, bucket.checks, content), options)


def _put_file(bucket: Bucket, key: str, file: BinaryIO, options: WriteOptions, limit: int) -> str | None:
    return put_file(bucket.runtime, file, bytes_left(file, key), limit, part_size,
                    lambda body: put_whole(bucket, key, body, _digests(bucket, body), options),
                    lambda parts: put_in_parts(bucket, key, parts, options))


def _digests(bucket: Bucket, body: Body) -> dict[str, str]:
    """The headers by which the server checks what was read from a file, or is yet to be."""
    if isinstance(body, FileBody):
        return bucket.runtime.offload(bucket.checks.headers_of_pieces, body.pieces())
    return digest_headers(bucket, bucket.checks, body)
