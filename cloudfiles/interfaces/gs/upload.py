"""Uploads of any size: with one request, as a parallel composite upload, or in a resumable session.

Source: Cloud Storage docs, "Resumable uploads" and "Perform resumable uploads"; the status check and the
Range of its response are from there.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, BinaryIO

from cloudfiles import integrity
from cloudfiles.exceptions import CloudFilesError, PreconditionFailedError, ProtocolError, ServerError
from cloudfiles.integrity import Buffer
from cloudfiles.interfaces.gs.composite import CompositeUpload, may_compose, part_size
from cloudfiles.interfaces.gs.objects import GsBucket, condition_of, find_own_write, put_whole, verify_assembled
from cloudfiles.interfaces.gs.protocol import parse_answer
from cloudfiles.interfaces.gs.resource import WRITTEN_FIELDS, etag_of, resource_of
from cloudfiles.interfaces.multipart import bytes_left, parts_of_file, parts_of_memory, put_file, put_in_order
from cloudfiles.runtime.cancellation import shielded
from cloudfiles.runtime.contract import Cancelled
from cloudfiles.transport.budget import Budget
from cloudfiles.transport.request import Request, Response, RetryRequest, flat
from cloudfiles.types import Content, WriteOptions

_SESSIONS = 3
"""Maximum number of sessions of an upload, in case the server loses one."""

_RANGE = re.compile(r"bytes=0-(\d+)$")


def put_content(bucket: GsBucket, key: str, content: Content, options: WriteOptions, threshold: int,
                slots: Budget | None) -> str | None:
    """Store `content`, in parts if it has more than `threshold` bytes or a file has an unknown size."""
    if not isinstance(content, (bytes, bytearray, memoryview)):
        return _put_file(bucket, key, content, options, threshold, slots)
    whole = flat(content) if isinstance(content, memoryview) else content
    if len(whole) <= threshold:
        return put_whole(bucket, key, whole, options)
    size = part_size(1, len(whole))
    return _put_large(bucket, key, lambda: parts_of_memory(whole, size), options, _SESSIONS, slots)


def _put_file(bucket: GsBucket, key: str, file: BinaryIO, options: WriteOptions, threshold: int,
              slots: Budget | None) -> str | None:
    size = bytes_left(file, key)
    if size is not None and size > threshold:
        begin = file.tell()

        def parts() -> Iterable[Buffer]:
            file.seek(begin)
            return parts_of_file(bucket.runtime, file, lambda number: part_size(number, size))

        return _put_large(bucket, key, parts, options, _SESSIONS, slots)
    # It is small, or can be read only once.
    return put_file(bucket.runtime, file, size, threshold, part_size,
                    lambda body: put_whole(bucket, key, body, options),
                    lambda pieces: _put_large(bucket, key, lambda: pieces, options, 1, slots))


def _put_large(bucket: GsBucket, key: str, parts: Callable[[], Iterable[Buffer]], options: WriteOptions,
               sessions: int, slots: Budget | None) -> str | None:
    """parts: returns all parts; called once per session."""
    resource = resource_of(options)
    condition = condition_of(bucket, key, options)
    if may_compose(bucket, options.storage_class):
        return put_in_order(bucket.runtime, CompositeUpload(bucket, key, resource, condition), key, parts(),
                            slots=slots)
    for left in reversed(range(sessions)):
        try:
            return put_session(bucket, key, parts(), resource, condition)
        except SessionLostError:
            if not left:
                raise
    raise AssertionError("unreachable: at least one session is begun")


# ---- resumable sessions


class SessionLostError(ServerError):
    """The server no longer knows the session: the upload has to start over."""


def put_session(bucket: GsBucket, key: str, parts: Iterable[integrity.Buffer], resource: dict[str, Any],
                condition: str | None) -> str | None:
    """Store the concatenation of `parts`; all but the last are multiples of 256 KiB. Returns the ETag.

    Raises SessionLostError if the server lost the session during the upload, as it does after a week.
    """
    session = _Session(bucket, key, resource, condition)
    try:
        written = session.send(parts)
    except BaseException:
        session.cancel()
        raise
    return etag_of(written)


class _Session:
    """One upload. The URI of the session is secret: it is sufficient for writing to it."""

    def __init__(self, bucket: GsBucket, key: str, resource: dict[str, Any], condition: str | None) -> None:
        self._bucket = bucket
        self._key = key
        self._target = self._begin(resource, condition)

    def _begin(self, resource: dict[str, Any], condition: str | None) -> str:
        bucket = self._bucket
        target = bucket.with_query(bucket.upload_target, uploadType="resumable",
                                   name=bucket.full_name(self._key), ifGenerationMatch=condition, fields=WRITTEN_FIELDS)
        headers = {"content-type": "application/json; charset=UTF-8",
                   "x-upload-content-type": resource.get("contentType", "application/octet-stream")}
        # Repeated if the outcome is unknown: a session without bytes costs nothing and is not visible.
        location: str = bucket.client.send(_StartSession(bucket.endpoint.origin, "POST", target, headers,
                                                         json.dumps(resource).encode(), protocol=bucket.protocol,
                                                         path=self._key))
        parts = urllib.parse.urlsplit(location)
        if not parts.query:
            raise ProtocolError("the server started a resumable upload without returning its URI", path=self._key)
        # The host is the one of the request, whatever the URI says: the token is not sent to another one.
        return f"{parts.path}?{parts.query}"

    def send(self, parts: Iterable[integrity.Buffer]) -> dict[str, Any]:
        """Send all parts; each is kept in memory until the server has it. Returns the WRITTEN_FIELDS."""
        crc = integrity.hasher("crc32c")
        begin = 0
        part: integrity.Buffer = b""
        for following in parts:
            crc.update(following)
            if len(part):
                self._send_piece(part, begin)
            begin, part = begin + len(part), following
        size = begin + len(part)
        request = self._piece(part, begin, size)
        try:
            written: dict[str, Any] | None = self._bucket.client.send(request)
        except PreconditionFailedError:
            written = find_own_write(self._bucket, self._key, crc.digest(), size) if request.retries > 1 else None
            if written is None:
                raise
        if written is None:
            raise ProtocolError("the server has all bytes of the upload but does not complete it", path=self._key)
        verify_assembled(self._bucket, self._key, written, crc.digest(), size)
        return written

    def _send_piece(self, part: integrity.Buffer, begin: int) -> None:
        if self._bucket.client.send(self._piece(part, begin, None)) is not None:
            raise ProtocolError("the server completed the upload before all of it was sent", path=self._key)

    def _piece(self, part: integrity.Buffer, begin: int, total: int | None) -> _SendChunk:
        return _SendChunk(self._bucket, self._target, self._key, part, begin, total)

    def cancel(self) -> None:
        """Cancel the session. Best effort, because the failure that led here is raised."""
        with shielded(), suppress(CloudFilesError, Cancelled):
            self._bucket.client.send(_CancelSession(self._bucket.endpoint.origin, "DELETE", self._target,
                                                    {"content-length": "0"}, protocol=self._bucket.protocol,
                                                    idempotent=False, path=self._key))


class _StartSession(Request):
    """Returns the URI of the session."""

    __slots__ = ()

    def accept(self, response: Response) -> str:
        if response.status not in (200, 201):
            raise self.to_error(response)
        return response.headers.get("location", "")


class _CancelSession(Request):
    """The server responds with 499, as defined for cancelled requests."""

    __slots__ = ()

    def accept(self, response: Response) -> None:
        return None


class _SendChunk(Request):
    """One piece of an upload. Returns the WRITTEN_FIELDS when the upload is complete, None before.

    After a failure, the server is first asked how much it has received, and only the rest is sent again.
    """

    __slots__ = ("_asking", "_at", "_begin", "_content", "_known", "_total")

    def __init__(self, bucket: GsBucket, target: str, path: str, content: integrity.Buffer, begin: int,
                 total: int | None) -> None:
        """begin: the offset of `content` in the object. total: the size of the object if this is the last piece."""
        Request.__init__(self, bucket.endpoint.origin, "PUT", target, {}, protocol=bucket.protocol, path=path)
        self._content = memoryview(content).cast("B")
        self._begin = self._at = begin
        self._total = total
        self._known = 0  # number of failures up to which the progress of the server is known
        self._asking = False

    @property
    def _end(self) -> int:
        return self._begin + len(self._content)

    def encode(self, host: str, now: float) -> bytes:
        self._asking = self.retries > self._known
        total = "*" if self._total is None else str(self._total)
        if self._asking or self._at == self._end:
            self.body, span = b"", "*"
        else:
            self.body, span = self._content[self._at - self._begin:], f"{self._at}-{self._end - 1}"
        self.headers["content-range"] = f"bytes {span}/{total}"
        return Request.encode(self, host, now)

    def accept(self, response: Response) -> dict[str, Any] | None:
        if response.status in (200, 201):
            return parse_answer(response, self.path)
        if response.status == 308:
            self._continue(response)
            return None
        if response.status in (404, 410):
            raise SessionLostError("the server no longer knows the upload, part of which was already sent",
                                   status=response.status, path=self.path)
        raise self.to_error(response)

    def _continue(self, response: Response) -> None:
        """Find out what is left to send; returns if nothing is left."""
        match = _RANGE.match(response.headers.get("range", ""))
        at = int(match[1]) + 1 if match else 0
        if not self._begin <= at <= self._end:
            raise SessionLostError(f"the server reports {at} bytes of the upload; it had {self._begin} and was sent "
                                   f"{self._end}", status=308, path=self.path)
        progress, self._at = at > self._at, at
        if at == self._end and self._total is None:
            return
        error = ServerError(f"the server has only {at} of the {self._end} bytes sent", status=308,
                            path=self.path, is_transient=True)
        if self._asking or progress:
            self._known = self.retries + 1  # this response counts as one more
            raise RetryRequest(error)
        raise error


