"""One object by one request: its metadata and bytes together, its digest, its condition, and what the answer proves.

Source: Cloud Storage docs, "Upload objects" (multipart/related) and "Request preconditions".
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from cloudfiles import integrity
from cloudfiles.exceptions import CloudFilesError, IntegrityError, PreconditionFailedError, ProtocolError
from cloudfiles.interfaces.gs.bucket import GsBucket
from cloudfiles.interfaces.gs.requests import BucketRequest
from cloudfiles.interfaces.gs.resource import (
    WRITTEN,
    check_written,
    crc_text,
    etag_of,
    generation_of,
    is_content,
    resource_of,
)
from cloudfiles.runtime.base import RUN_IN_THREAD_BYTES
from cloudfiles.transport.request import Body, FileBody
from cloudfiles.types import WriteOptions

_BOUNDARY = secrets.token_hex(16)
"""Drawn anew in every process, so that no content can be made to hold it."""

_JOIN = 256 * 1024
"""Bytes of content up to which the body is put together in memory."""


# ---- conditions


def condition_of(bucket: GsBucket, key: str, options: WriteOptions) -> str | None:
    """The generation that the write may replace, '0' for none, None for any.

    A write can depend on a generation only, so for an ETag the object is looked at first. Servers that are not
    Google's may ignore conditions without a word, so there it is looked at, too, before an object is created.
    Raises PreconditionFailedError where the object is another one already.
    """
    if options.if_match is None and (not options.if_absent or bucket.endpoint.is_google):
        return "0" if options.if_absent else None
    found = bucket.resource(bucket.full_name(key), "etag,generation", key)
    if options.if_absent and found is not None:
        raise PreconditionFailedError("the object already exists", path=key)
    if options.if_match is None:
        return "0"
    if found is None or found.get("etag") != options.if_match:
        state = "is missing" if found is None else f"has the ETag {found.get('etag')}"
        raise PreconditionFailedError(f"the object {state}; expected the ETag {options.if_match}", path=key)
    return generation_of(found, key)


def find_own_write(bucket: GsBucket, key: str, crc: bytes, size: int) -> dict[str, Any] | None:
    """The object, where it is the content that was sent: a condition that fails after an answer was lost may fail on
    our own object."""
    found = bucket.resource(bucket.full_name(key), WRITTEN, key)
    return found if found is not None and is_content(found, crc, size) else None


# ---- bodies


class RelatedBody(FileBody):
    """Metadata and content as one multipart/related body (RFC 2387), sent in pieces."""

    def __init__(self, head: bytes, content: Body, tail: bytes) -> None:
        self._head = head
        self._content = content
        self._tail = tail
        self.length = len(head) + len(content) + len(tail)

    def pieces(self) -> Iterator[bytes]:
        yield self._head
        yield from pieces_of(self._content)
        yield self._tail


def pieces_of(content: Body) -> Iterable[bytes]:
    """Content of any kind in pieces."""
    if isinstance(content, FileBody):
        return content.pieces()
    if isinstance(content, bytes):
        return (content,)
    view = memoryview(content)
    return (bytes(view[at:at + FileBody.PIECE]) for at in range(0, len(view), FileBody.PIECE))


def related_body(resource: dict[str, Any], content: Body) -> Body:
    """`resource` and `content` as the server wants them."""
    content_type = resource.get("contentType", "application/octet-stream")
    head = (f"--{_BOUNDARY}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{json.dumps(resource)}\r\n"
            f"--{_BOUNDARY}\r\ncontent-type: {content_type}\r\ncontent-transfer-encoding: binary\r\n\r\n").encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    if isinstance(content, FileBody) or len(content) > _JOIN:
        return RelatedBody(head, content, tail)
    return b"".join((head, content, tail))


# ---- writing


def crc_of(bucket: GsBucket, content: Body) -> bytes:
    """The crc32c of content, computed beside the workers where that takes long."""
    if len(content) > RUN_IN_THREAD_BYTES:
        return bucket.runtime.run_in_thread(_crc_of, content)
    return _crc_of(content)


def _crc_of(content: Body) -> bytes:
    hasher = integrity.hasher("crc32c")
    for piece in pieces_of(content):
        hasher.update(piece)
    return hasher.digest()


def put_whole(bucket: GsBucket, key: str, content: Body, options: WriteOptions) -> str | None:
    """Store `content` by one request. The server checks its crc32c before anything is stored. Gives the ETag."""
    resource = resource_of(options)
    condition = condition_of(bucket, key, options)
    crc = crc_of(bucket, content)
    return etag_of(put_resource(bucket, key, bucket.full_name(key), resource, content, crc, condition))


def put_resource(bucket: GsBucket, key: str, name: str, resource: dict[str, Any], content: Body, crc: bytes,
                 condition: str | None = None) -> dict[str, Any]:
    """Store `content` as the object of the full name `name`; gives its WRITTEN fields."""
    size = len(content)
    target = bucket.with_query(bucket.upload_target, uploadType="multipart", name=name, fields=WRITTEN,
                               ifGenerationMatch=condition)
    request = BucketRequest(
        bucket.endpoint.origin, "POST", target, {"content-type": f"multipart/related; boundary={_BOUNDARY}"},
        related_body({**resource, "crc32c": crc_text(crc)}, content), protocol=bucket.protocol, path=key)
    try:
        written: dict[str, Any] | None = bucket.client.send(request)
    except PreconditionFailedError:
        written = find_own_write(bucket, key, crc, size) if request.may_have_acted else None
        if written is None:
            raise
    if not written:
        raise ProtocolError("the server stored an object without returning its resource", path=key)
    check_written(written, crc, size, key)
    return written


def check_made(bucket: GsBucket, key: str, written: dict[str, Any], crc: bytes, size: int) -> None:
    """Check an object that was made of parts; one that is not the content sent is removed.

    Raises IntegrityError.
    """
    try:
        check_written(written, crc, size, key)
    except IntegrityError:
        with suppress(CloudFilesError):
            bucket.ask("DELETE", bucket.target(bucket.full_name(key), ifGenerationMatch=written.get("generation")),
                       path=key)
        raise
