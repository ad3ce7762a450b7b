"""Storing content of any kind and size: by one PUT, or in parts."""

from __future__ import annotations

from cloudfiles.interfaces import parts
from cloudfiles.interfaces.s3.bucket import S3Bucket
from cloudfiles.interfaces.s3.multipart import digest_headers, part_size, put_in_parts
from cloudfiles.interfaces.s3.upload import put_whole
from cloudfiles.transport.request import Body, FileBody
from cloudfiles.types import Content, WriteOptions

MAX_PUT = 5 << 30
"""Bytes that S3 takes by one PUT."""


def put_content(bucket: S3Bucket, key: str, content: Content, options: WriteOptions, threshold: int) -> str | None:
    """Store `content`: in parts where it has more than `threshold` bytes, or where a file does not tell how many."""
    return parts.put_content(bucket.runtime, key, content, min(threshold, MAX_PUT), part_size,
                             lambda body: put_whole(bucket, key, body, _digests(bucket, body), options),
                             lambda pieces: put_in_parts(bucket, key, pieces, options))


def _digests(bucket: S3Bucket, body: Body) -> dict[str, str]:
    """The headers by which the server checks content, also of a file that is yet to be read."""
    if isinstance(body, FileBody):
        return bucket.runtime.run_in_thread(bucket.checks.headers_of_pieces, body.pieces())
    return digest_headers(bucket, bucket.checks, body)
