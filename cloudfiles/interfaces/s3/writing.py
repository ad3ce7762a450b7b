"""Storing content of any kind and size: by one PUT, or in parts."""

from __future__ import annotations

from cloudfiles import integrity
from cloudfiles.interfaces.s3.bucket import Bucket
from cloudfiles.interfaces.s3.upload import put_whole
from cloudfiles.runtime.base import OFFLOAD_BYTES
from cloudfiles.types import Content, WriteOptions


def put_content(bucket: Bucket, key: str, content: Content, options: WriteOptions, threshold: int) -> str | None:
    digests = digest_headers(bucket, content)
    return put_whole(bucket, key, content, digests, options)


def digest_headers(bucket: Bucket, content: integrity.Buffer) -> dict[str, str]:
    """The headers by which the server checks `content`."""
    if len(content) > OFFLOAD_BYTES:
        return bucket.runtime.offload(bucket.checks.headers, content)
    return bucket.checks.headers(content)
