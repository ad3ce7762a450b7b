"""What can happen to a request or to its answer; `scripts` says when, `wire_faults` has the odder ones.

A fault is a value: it may change the request before the server acts on it (`prepare`), decides whether the
server acts at all (`acts`), and turns the right answer into what goes over the wire (`deliver`). Nothing here
touches a socket.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from cloudfiles.testing.http_messages import Headers, ServerRequest, ServerResponse, error_xml, http_date
from cloudfiles.testing.s3_objects import StoredObject


class ConnectionEnd(Enum):
    """What becomes of the connection after an answer's last byte."""

    KEEP = "keep"
    CLOSE = "close"  # orderly: FIN
    RESET = "reset"  # RST, by SO_LINGER 0
    STALL = "stall"  # nothing more, until the client closes


@dataclass(frozen=True)
class WireResponse:
    """Bytes as they go over the wire, and what follows them.

    Attributes:
        endless: sent over and over after `wire`, until the client closes.
        piece: bytes per write with a pause between them, of `pause` seconds; 0 sends all at once.
        delay: seconds before the first byte.
        linger: seconds between the last byte and the ending.
    """

    wire: bytes
    ending: ConnectionEnd = ConnectionEnd.KEEP
    endless: bytes = b""
    piece: int = 0
    pause: float = 0.0
    delay: float = 0.0
    linger: float = 0.0


@dataclass(frozen=True)
class Fault:
    """No fault at all: the right answer, as it should be sent. The others differ in one respect each."""

    @property
    def acts(self) -> bool:
        """Whether the server carries the request out."""
        return True

    @property
    def reads(self) -> int | None:
        """Bytes of the request's body after which the server answers without reading on; None reads it all."""
        return None

    @property
    def status(self) -> int | None:
        """The status this fault answers with in place of the right one."""
        return None

    def prepare(self, request: ServerRequest) -> ServerRequest:
        """The request as the server understands it."""
        return request

    def alter(self, answer: ServerResponse) -> ServerResponse:
        """The answer as a message, changed."""
        return answer

    def deliver(self, answer: ServerResponse) -> WireResponse:
        """The answer as bytes."""
        answer = self.alter(answer)
        return WireResponse(answer.head() + answer.body)

    def replacement(self) -> StoredObject | None:
        """What takes the object's place once the answer is made."""
        return None


# ---- an answer that is another one


@dataclass(frozen=True)
class Status(Fault):
    """This status, headers and body instead of the right answer.

    Attributes:
        acted: the server carries the request out and says this nevertheless.
        early: answers before reading the upload, and closes.
    """

    code: int
    headers: Headers = ()
    body: bytes = b""
    acted: bool = False
    early: bool = False

    @property
    def acts(self) -> bool:
        return self.acted

    @property
    def reads(self) -> int | None:
        return 0 if self.early else None

    @property
    def status(self) -> int | None:
        return self.code

    def deliver(self, answer: ServerResponse) -> WireResponse:
        headers = (*self.headers, *(h for h in answer.headers if h[0] == "Date" and not self._dated()))
        if self.early:
            headers = (*headers, ("Connection", "close"))
        # A HEAD's answer announces its body's length and does not send it.
        body = b"" if answer.announced_length is not None else self.body
        message = ServerResponse(self.code, headers, body, len(self.body))
        return WireResponse(message.head() + message.body, ConnectionEnd.CLOSE if self.early else ConnectionEnd.KEEP)

    def _dated(self) -> bool:
        return any(name.lower() == "date" for name, _ in self.headers)


def s3_error(code: int, name: str, message: str = "", *, headers: Headers = (), **more: Any) -> Status:
    """An S3 error document with this status."""
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{error_xml(name, message)}'
    return Status(code, (("Content-Type", "application/xml"), *headers), document.encode(), **more)


def slow_down(**more: Any) -> Status:
    return s3_error(503, "SlowDown", "Please reduce your request rate.", **more)


def internal_error(**more: Any) -> Status:
    return s3_error(500, "InternalError", "We encountered an internal error. Please try again.", **more)


def too_many_requests(retry_after: float | str = 1, *, until: float | None = None) -> Status:
    """429 with Retry-After in seconds, or as the HTTP date of `until` (seconds since the epoch)."""
    value = http_date(until) if until is not None else str(retry_after)
    return Status(429, (("Retry-After", value), ("Content-Type", "text/plain")), b"Too Many Requests\n")


def time_too_skewed(server_time: float) -> Status:
    """403 RequestTimeTooSkewed of a server whose clock shows `server_time` (seconds since the epoch)."""
    return s3_error(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is "
                    "too large.", headers=(("Date", http_date(server_time)),))


def expired_token() -> Status:
    return s3_error(400, "ExpiredToken", "The provided token has expired.")


def wrong_region(region: str, code: int = 301) -> Status:
    """301 PermanentRedirect (without a Location, as S3 sends it) or 400, naming the bucket's region."""
    name = "PermanentRedirect" if code == 301 else "AuthorizationHeaderMalformed"
    return s3_error(code, name, headers=(("x-amz-bucket-region", region),))


def redirect(location: str, code: int = 307) -> Status:
    return Status(code, (("Location", location),))


def precondition_failed() -> Status:
    return s3_error(412, "PreconditionFailed")


def error_in_200(name: str = "InternalError", *, acted: bool = False) -> Status:
    """Status 200 with an error document, as S3 may answer to a completion, a copy, or a bulk delete."""
    return s3_error(200, name, acted=acted)


# ---- an answer that breaks off


def _cut(answer: ServerResponse, after: int | None) -> bytes:
    """Head and the first `after` bytes of the body (half by default); half the head where there is no body."""
    head = answer.head()
    if not answer.body:
        return head[:len(head) // 2]
    return head + answer.body[:len(answer.body) // 2 if after is None else min(after, len(answer.body) - 1)]


@dataclass(frozen=True)
class ResetBefore(Fault):
    """A reset instead of an answer. With `acted` the server did what it was asked, and only the answer is lost."""

    acted: bool = False

    @property
    def acts(self) -> bool:
        return self.acted

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(b"", ConnectionEnd.RESET)


@dataclass(frozen=True)
class CloseBefore(ResetBefore):
    """An orderly close instead of an answer."""

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(b"", ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class ResetInHead(Fault):
    """A reset after this many bytes of the head."""

    after: int = 20

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(answer.head()[:self.after], ConnectionEnd.RESET)


@dataclass(frozen=True)
class ResetInBody(Fault):
    """A reset inside the body, after `after` bytes of it or half; inside the head where there is no body."""

    after: int | None = None

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(_cut(answer, self.after), ConnectionEnd.RESET)


@dataclass(frozen=True)
class ShortBody(Fault):
    """An orderly close inside the body, or inside the head where there is no body."""

    after: int | None = None

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(_cut(answer, self.after), ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class ResetInUpload(Fault):
    """A reset after this many bytes of the request's body; the server does nothing."""

    after: int = 0

    @property
    def acts(self) -> bool:
        return False

    @property
    def reads(self) -> int | None:
        return self.after

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(b"", ConnectionEnd.RESET)


@dataclass(frozen=True)
class Stall(Fault):
    """No answer until the client gives up; with `after`, none beyond this many bytes of the body."""

    after: int | None = None

    def deliver(self, answer: ServerResponse) -> WireResponse:
        wire = b"" if self.after is None else answer.head() + answer.body[:self.after]
        return WireResponse(wire, ConnectionEnd.STALL)


@dataclass(frozen=True)
class SilentClose(Fault):
    """The right answer, which promises to keep the connection, and then a close after `linger` seconds."""

    linger: float = 0.0

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(answer.head() + answer.body, ConnectionEnd.CLOSE, linger=self.linger)


# ---- content that is wrong


@dataclass(frozen=True)
class FlipBit(Fault):
    """One bit of the body flipped, of the upload's where there is one, else of the answer's."""

    bit: int = 0

    def prepare(self, request: ServerRequest) -> ServerRequest:
        return replace(request, body=self._flip(request.body))

    def alter(self, answer: ServerResponse) -> ServerResponse:
        if answer.status >= 300:
            return answer  # the server's word that the upload was damaged
        return replace(answer, body=self._flip(answer.body))

    def _flip(self, body: bytes) -> bytes:
        if not body:
            return body
        flipped = bytearray(body)
        flipped[self.bit // 8 % len(body)] ^= 1 << self.bit % 8
        return bytes(flipped)


@dataclass(frozen=True)
class IgnoreRange(Fault):
    """The whole object with 200, whatever range was asked for."""

    def prepare(self, request: ServerRequest) -> ServerRequest:
        return replace(request, headers=tuple(h for h in request.headers if h[0] != "range"))


@dataclass(frozen=True)
class RangeAs200(Fault):
    """The range's bytes with status 200 and no Content-Range."""

    def alter(self, answer: ServerResponse) -> ServerResponse:
        headers = tuple(h for h in answer.headers if h[0] != "Content-Range")
        return replace(answer, status=200 if answer.status == 206 else answer.status, headers=headers)


@dataclass(frozen=True)
class WrongContentRange(Fault):
    """Another Content-Range than that of the bytes that come."""

    value: str = "bytes 1-2/3"

    def alter(self, answer: ServerResponse) -> ServerResponse:
        return with_header(answer, "Content-Range", self.value)


@dataclass(frozen=True)
class SetHeader(Fault):
    """One header of the answer replaced, or left out with None."""

    name: str
    value: str | None

    def alter(self, answer: ServerResponse) -> ServerResponse:
        return with_header(answer, self.name, self.value)


@dataclass(frozen=True)
class Replaced(Fault):
    """The right answer; directly afterwards the object is replaced, as by another writer."""

    stored: StoredObject

    def replacement(self) -> StoredObject | None:
        return self.stored

    def __hash__(self) -> int:
        return hash((self.stored.content, self.stored.etag))


def with_header(answer: ServerResponse, name: str, value: str | None) -> ServerResponse:
    """`answer` with this header and no other of its name."""
    headers = tuple(h for h in answer.headers if h[0].lower() != name.lower())
    return replace(answer, headers=headers if value is None else (*headers, (name, value)))
