"""Reading one object over HTTP: ranges, resuming interrupted bodies, and the headers that describe the object.

Shared by every protocol that speaks HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from typing import Any

from cloudfiles.byteranges import ContentRange, parse_content_range, range_header
from cloudfiles.exceptions import CloudFilesError, ObjectChangedError, ProtocolError, TruncatedBodyError
from cloudfiles.interfaces.documents import count
from cloudfiles.interfaces.throughput_monitor import ThroughputMonitor
from cloudfiles.transport.request import (
    ANSWER_BYTES,
    BodyMonitor,
    Origin,
    ProviderProtocol,
    Request,
    Response,
    RetryRequest,
)
from cloudfiles.transport.wire import Head, is_framed
from cloudfiles.types import StoredObject, head_of

_NOTHING = re.compile(r"bytes (\d+)-(-?\d+)/(\d+)$", re.ASCII)

_WHAT = "the response about the object"

PARALLEL_READ_BYTES = 64 << 20
"""Bytes from which a body may be read over several connections."""


class ObjectRead(Request):
    """A GET of an object or a byte range of it, which resumes an interrupted body.

    What was received before an interruption is kept only if the object can be identified by a strong ETag (RFC
    9110 8.8.1) or its equivalent in the protocol. The rest is then requested with If-Match, and an object that was
    replaced in the meantime is read again from its start.
    """

    __slots__ = ("_condition", "_first_headers", "_pieces", "_resume_at", "end", "single_connection", "start")

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], protocol: ProviderProtocol, path: str,
                 start: int | None = None, end: int | None = None) -> None:
        """`start` and `end` are as for `Interface.get`, but not empty. `end` is not negative, nor combined with a
        negative `start`.

        headers: owned by the request from now on. An If-Match in them applies to the whole read.
        """
        Request.__init__(self, origin, "GET", target, headers, protocol=protocol, path=path)
        self.start = 0 if start is None and end is not None else start
        self.end = end
        self.single_connection = False  # continues even if the body arrives slowly
        self._condition = headers.get("if-match")
        self._pieces: list[bytes] = []  # received before an interruption, in order
        self._first_headers: dict[str, str] | None = None  # the headers of the first of them
        self._resume_at: int | None = None  # the offset of their end in the object
        if self.start is not None:
            self._set_range_header()

    # ---- what the client calls

    def accept(self, response: Response) -> StoredObject | None:
        status = response.status
        if status in (200, 206) and "etag" not in response.headers:
            self.protocol.check_object(response, self.path)
        if status == 200 and self._first_headers is None and "range" not in self.headers:
            return self._whole(response.content, response.headers) if self.start is None else self._cut(response)
        if status in (200, 206):
            if self._is_empty_range(response):
                return StoredObject(b"", response.headers.get("content-encoding", ""), "", response.headers.get("etag"))
            return self._part(response)
        if status == 416 and "range" in self.headers:
            return self._range_not_satisfiable(response)
        if status == 412 and self._first_headers is not None and self._condition is None:
            self.restart()
            raise RetryRequest(self._error(response))
        if self.protocol.is_missing(response):
            return None
        raise self.to_error(response)

    def max_body_size(self, head: Head) -> int | None:
        if head.status == 206 and self.end is not None:
            return max(ANSWER_BYTES, self.end - (self.start or 0))
        return None if head.status in (200, 206) else super().max_body_size(head)

    def monitor(self, head: Head, length: int) -> BodyMonitor | None:
        if length < PARALLEL_READ_BYTES or self.single_connection or self._validator(head.headers) is None:
            return None
        if "bytes" not in (head.headers.get("accept-ranges"), head.headers.get("content-range", "")[:5]):
            return None
        return ThroughputMonitor(length)

    def on_incomplete_body(self, head: Head, received: bytes) -> None:
        if self._resume_after(head, len(received)):
            self._pieces.append(received)

    def _resume_after(self, head: Head, count: int) -> bool:
        """Request only what follows the first `count` bytes of the body after `head`; False if that is impossible."""
        validator = self._validator(head.headers)
        if not count or head.status not in (200, 206) or validator is None:
            return False
        begins = self._body_start(head.status, head.headers)
        if begins is None or begins != self._expected_start(head.headers) or not self._is_same_version(head.headers):
            return False
        following, last = begins + count, self._range_end(head.headers)
        if last is not None and following >= last:
            return False  # more was received than announced
        self._first_headers = self._first_headers or head.headers
        self._resume_at = following
        self.headers["range"] = f"bytes={following}-" if last is None else f"bytes={following}-{last - 1}"
        self._pin(validator)
        return True

    def rest_after(self, head: Head, count: int | None) -> ObjectRead | None:
        if count is None:
            return None
        rest = copy(self)
        rest.headers = self.headers.copy()
        return rest if not count or rest._resume_after(head, count) else None

    def is_rest(self, head: Head) -> bool:
        headers = head.headers
        if head.status == 206:
            return self._body_start(206, headers) == self._expected_start(headers) and self._is_same_version(headers)
        return head.status == 200 and "range" not in self.headers

    def _validator(self, headers: dict[str, str]) -> str | None:
        """The validator that distinguishes the object of a response from any replacement; None if there is none."""
        etag = headers.get("etag")
        return etag if etag and not etag.startswith("W/") else None

    def _pin(self, validator: str) -> None:
        """Request only the object with this validator."""
        self.headers["if-match"] = validator

    def require(self, version: StoredObject) -> None:
        """Read only this version of the object, as far as its validator tells it from others."""
        if version.validator is not None:
            self._condition = version.validator
            self._pin(version.validator)

    def size_class(self) -> int:
        """0 for a whole object, or a range of up to a megabyte; 1 up to 16 megabytes; 2 beyond."""
        size = 0 if self.end is None else self.end - (self.start or 0)
        return (size > 1 << 20) + (size > 16 << 20)

    def resumable_bytes(self) -> int:
        return sum(map(len, self._pieces))

    # ---- continuing with other requests

    def received(self) -> list[bytes]:
        """The pieces received before an interruption, in order; empty if the read cannot be resumed from them."""
        return self._pieces

    def remaining(self) -> tuple[int, int]:
        """The range of the object that is still to be read after an interruption."""
        assert self._first_headers is not None
        assert self._resume_at is not None
        end = self._range_end(self._first_headers)
        return self._resume_at, int(self._first_headers["content-length"]) if end is None else end

    def part(self, start: int, end: int) -> ObjectRead:
        """A read of a part of that range, of the same version of the object."""
        return ObjectRead(self.origin, self.target, self.headers.copy(), self.protocol, self.path or "", start, end)

    def matches(self, part: StoredObject) -> bool:
        """Whether a response to `part` has the same version: not all servers support If-Match."""
        assert self._first_headers is not None
        return part.validator is not None and part.validator == self._validator(self._first_headers)

    def complete(self, content: bytes) -> StoredObject:
        """The object, composed of the bytes received and those that were missing. Raises IntegrityError."""
        assert self._first_headers is not None
        return self._assemble(content, self._first_headers)

    def restart(self) -> None:
        """Discard what was received."""
        self._pieces.clear()
        self._first_headers = self._resume_at = None
        self.headers.pop("if-match", None)
        if self._condition is not None:
            self.headers["if-match"] = self._condition
        self.headers.pop("range", None)
        self._set_range_header()

    def _set_range_header(self) -> None:
        wanted = range_header(self.start, self.end)
        if wanted is not None:
            self.headers["range"] = wanted

    # ---- responses

    def _error(self, response: Response) -> CloudFilesError:
        """The error response as the cause of another attempt."""
        error = self.protocol.to_error(self, response)
        assert isinstance(error, CloudFilesError)
        return error

    def _whole(self, content: bytes, headers: dict[str, str]) -> StoredObject:
        verified = self.protocol.verify(content, headers, self.path)
        return StoredObject(content, headers.get("content-encoding", ""), verified, headers.get("etag"))

    def _part(self, response: Response) -> StoredObject:
        begins = self._body_start(response.status, response.headers)
        if begins is None:
            # 200 without Content-Range: the whole object, whatever was requested (RFC 9110 14.2).
            return self._cut(response)
        expected = self._expected_start(response.headers)
        if begins != expected:
            raise ProtocolError(f"requested bytes from {expected}, but the response has Content-Range "
                                f"{response.headers.get('content-range')!r}", path=self.path)
        if not self._is_same_version(response.headers):
            raise self._changed()
        first = self._first_headers or response.headers
        self._check_length(response)
        return self._assemble(b"".join((*self._pieces, response.content)) if self._pieces else response.content, first)

    def _assemble(self, content: bytes, first: dict[str, str]) -> StoredObject:
        # If the digest does not match, all bytes are in doubt, and the next attempt starts over.
        self.restart()
        if self.start is None:
            self._check_whole_length(content, first)
            return self._whole(content, first)
        stored = StoredObject(content, first.get("content-encoding", ""), "", first.get("etag"))
        if self.start < 0:
            stored.content = content[self.start :]
            content_range = _content_range(first)
            stored.size = None if content_range is None else content_range.size
        return stored

    def _is_empty_range(self, response: Response) -> bool:
        """Whether a range whose last byte is before its first is used instead of 416, for a range without any bytes.

        Go's net/http sends this for a suffix of an empty object, azurite and gcp-storage-emulator for a range past
        the end.
        """
        if response.content or self._first_headers is not None or self.start is None:
            return False
        match = _NOTHING.match(response.headers.get("content-range", ""))
        return match is not None and int(match[1]) > int(match[2]) and int(match[3]) <= max(0, self.start)

    def _cut(self, response: Response) -> StoredObject:
        self.restart()
        stored = self._whole(response.content, response.headers)
        if self.start is not None or self.end is not None:
            stored.content = stored.content[self.start : self.end]
            if not stored.verified and not is_framed(response.headers):
                self._check_unframed(stored.content, len(response.content))
        return stored

    def _check_unframed(self, content: bytes, whole: int) -> None:
        """Cut a range out of a whole body that ended with its connection. If it is shorter than requested, the object
        may end there, or the body may be truncated."""
        is_all = self.end is not None and (self.start or 0) >= 0 and len(content) == self.end - (self.start or 0)
        if not is_all:
            raise ProtocolError(f"the server responded to a range request with a whole body of {whole} bytes and no "
                                "Content-Length: it may be truncated", path=self.path)

    def _range_not_satisfiable(self, response: Response) -> StoredObject:
        """416: the object exists but has no bytes in the range, unless a smaller one replaced it during the read."""
        if self._first_headers is not None:
            self.restart()
            raise RetryRequest(self._error(response))
        content_range = _content_range(response.headers)
        size = None if content_range is None else content_range.size
        if (self.start or 0) < 0 and size is None:
            # Empty, or shorter than the suffix, which then means all of it (RFC 9110 14.1.2); rclone rejects it.
            del self.headers["range"]
            raise RetryRequest(self._error(response))
        if (size or 0) > max(0, self.start or 0):
            raise ProtocolError(f"the server rejects the range from byte {self.start}, but reports that the object has "
                                f"{size} bytes",
                                path=self.path)
        return StoredObject(b"", etag=response.headers.get("etag"))

    def _check_length(self, response: Response) -> None:
        """A part may be shorter than requested only at the end of the object."""
        content_range = _content_range(response.headers)
        assert content_range is not None
        assert content_range.start is not None
        assert content_range.end is not None
        announced = content_range.end - content_range.start
        if len(response.content) != announced:
            raise TruncatedBodyError(f"the Content-Range announces {announced} bytes, but {len(response.content)} were "
                                     "received", path=self.path)
        last = self._range_end(response.headers)
        if last is not None and content_range.end < last:
            raise TruncatedBodyError(f"requested bytes up to {last}, but the response ends at {content_range.end}",
                                     path=self.path)
        if last is not None and content_range.end > last:
            raise ProtocolError(f"requested bytes up to {last}, but the response continues to {content_range.end}",
                                path=self.path)

    def _check_whole_length(self, content: bytes, first: dict[str, str]) -> None:
        """The last part may not have stated the size of the object; the interrupted response did."""
        announced = first.get("content-length", "")
        if announced.isdigit() and int(announced) != len(content):
            raise TruncatedBodyError(f"{announced} bytes were announced, but {len(content)} were "
                                     "received", path=self.path)

    def _range_end(self, headers: dict[str, str]) -> int | None:
        """The (exclusive) end of the requested range, limited by the size of the object if it is known."""
        content_range = _content_range(headers)
        size = None if content_range is None else content_range.size
        if self.end is None:
            return size
        return self.end if size is None else min(self.end, size)

    def _body_start(self, status: int, headers: dict[str, str]) -> int | None:
        """The offset of a response body in the object; None for a whole object that was not requested."""
        value = headers.get("content-range")
        if value is None or "range" not in self.headers:
            if status == 206:
                raise ProtocolError("a partial response (206) without a Content-Range, or to a request without a Range",
                                    path=self.path)
            return 0 if "range" not in self.headers else None
        start = parse_content_range(value).start
        if start is None:
            raise ProtocolError(f"unexpected Content-Range: {value!r}", path=self.path)
        return start

    def _expected_start(self, headers: dict[str, str]) -> int:
        """The offset in the object at which the response with these headers has to start."""
        if self._resume_at is not None:
            return self._resume_at
        if self.start is None or self.start >= 0:
            return self.start or 0
        content_range = _content_range(headers)
        if content_range is None or content_range.end is None:
            return 0
        # A suffix ends at the end of the object.
        size = content_range.end if content_range.size is None else content_range.size
        return max(0, size + self.start)

    def _is_same_version(self, headers: dict[str, str]) -> bool:
        """Whether a response with these headers can follow what was received: not all servers support If-Match."""
        return self._first_headers is None or headers.get("etag") == self._first_headers.get("etag")

    def _changed(self) -> Exception:
        """The object was replaced during the read, and the server did not report it."""
        error = ObjectChangedError("the object was replaced while it was being read", path=self.path)
        if self._condition is not None:
            return error
        self.restart()
        return RetryRequest(error)


def size_of(headers: Mapping[str, str], path: str | None) -> int:
    """The size of the object, from its Content-Length. Raises ProtocolError if it is missing or invalid."""
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise ProtocolError(f"the server does not report the size: its Content-Length is {length!r}", path=path)
    return int(length)


class ObjectHead(Request):
    """A HEAD; returns the response headers, or None if the object is missing."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str] | None:
        if response.status == 200 or (response.status == 206 and "content-range" in response.headers):
            if "etag" not in response.headers:
                self.protocol.check_object(response, self.path)
            return response.headers
        if self.protocol.is_missing(response):
            return None
        raise self.to_error(response)


def _content_range(headers: dict[str, str]) -> ContentRange | None:
    """The parsed Content-Range; None if it is missing or invalid."""
    value = headers.get("content-range")
    try:
        return None if value is None else parse_content_range(value)
    except ProtocolError:
        return None


def head_from_headers(headers: dict[str, str]) -> dict[str, Any]:
    """The response headers as the fields of `types.HEAD_FIELDS`."""
    length = headers.get("content-length")
    parts = headers.get("x-amz-mp-parts-count")
    return head_of(
        Cache_Control=headers.get("cache-control"),
        Content_Length=None if length is None else count(length, "content-length", _WHAT),
        Content_Type=headers.get("content-type"),
        ETag=headers.get("etag"),
        Last_Modified=headers.get("last-modified"),
        Content_md5=headers.get("content-md5"),
        Content_Encoding=headers.get("content-encoding"),
        Content_Disposition=headers.get("content-disposition"),
        Content_Language=headers.get("content-language"),
        Storage_Class=headers.get("x-amz-storage-class"),
        Request_Charged=headers.get("x-amz-request-charged"),
        Parts_Count=None if parts is None else count(parts, "x-amz-mp-parts-count", _WHAT),
    )
