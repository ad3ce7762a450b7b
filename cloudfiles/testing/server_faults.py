"""What can happen to a request or to its response; `rules` says when, `wire_faults` has the rarer ones.

A fault is a value: it may change the request before the server carries it out (`prepare`), says whether it does so at
all (`acts`), and turns the correct response into what is sent (`deliver`). Nothing here touches a socket.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from cloudfiles.testing.http_messages import Headers, ServerRequest, ServerResponse, http_date
from cloudfiles.testing.s3_documents import error_xml
from cloudfiles.testing.s3_objects import StoredObject


class ConnectionEnd(Enum):
    """What happens to the connection after the last byte of a response."""

    KEEP = "keep"
    CLOSE = "close"  # orderly: FIN
    RESET = "reset"  # RST, by SO_LINGER 0
    STALL = "stall"  # stays open, but nothing more is read or sent


@dataclass(slots=True)
class WireResponse:
    """The bytes of a response, and what follows them.

    Attributes:
        body: sent after `wire`.
        endless: sent over and over, until the client closes.
        piece: bytes per write, with `pause` seconds between writes; 0 sends everything at once.
        delay: seconds before the first byte.
        linger: seconds between the last byte and the end.
    """

    wire: bytes
    end: ConnectionEnd = ConnectionEnd.KEEP
    endless: bytes = b""
    piece: int = 0
    pause: float = 0.0
    delay: float = 0.0
    linger: float = 0.0
    body: bytes = b""


@dataclass(frozen=True)
class Fault:
    """Base class of faults: the correct response, unchanged. Subclasses are frozen dataclasses."""

    @property
    def acts(self) -> bool:
        """Whether the server carries the request out."""
        return True

    @property
    def reads(self) -> int | None:
        """Bytes of the request's body that are read before the response; None reads all of it."""
        return None

    @property
    def status(self) -> int | None:
        """The status that replaces that of the correct response, None where it stays."""
        return None

    def prepare(self, request: ServerRequest) -> ServerRequest:
        """The request as the server understands it."""
        return request

    def alter(self, response: ServerResponse) -> ServerResponse:
        """The response as a message, changed."""
        return response

    def deliver(self, response: ServerResponse) -> WireResponse:
        """The response as bytes."""
        response = self.alter(response)
        return WireResponse(response.head() + response.body)

    def replacement(self) -> StoredObject | None:
        """The object that replaces the requested one after the response is made."""
        return None


# ---- another response


@dataclass(frozen=True)
class Status(Fault):
    """This status, headers and body instead of the correct response.

    Attributes:
        acted: the server carries the request out all the same.
        early: the response is sent before the request's body is read, and the connection closes.
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

    def deliver(self, response: ServerResponse) -> WireResponse:
        headers = (*self.headers, *(h for h in response.headers if h[0] == "Date" and not self._dated()))
        if self.early:
            headers = (*headers, ("Connection", "close"))
        # A response to HEAD announces the length of the body without sending it.
        body = b"" if response.announced_length is not None else self.body
        message = ServerResponse(self.code, headers, body, len(self.body))
        return WireResponse(message.head() + message.body, ConnectionEnd.CLOSE if self.early else ConnectionEnd.KEEP)

    def _dated(self) -> bool:
        return any(name.lower() == "date" for name, _ in self.headers)


def s3_error(code: int, name: str, message: str = "", *, headers: Headers = (), **more: Any) -> Status:
    """A response with this status and an S3 error document.

    Args:
        name: the error code, such as 'SlowDown'.
        more: `acted` and `early` of `Status`.
    """
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{error_xml(name, message)}'
    return Status(code, (("Content-Type", "application/xml"), *headers), document.encode(), **more)


def slow_down(**more: Any) -> Status:
    """503 SlowDown; `more` as for `Status`."""
    return s3_error(503, "SlowDown", "Please reduce your request rate.", **more)


def internal_error(**more: Any) -> Status:
    """500 InternalError; `more` as for `Status`."""
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
    """400 ExpiredToken."""
    return s3_error(400, "ExpiredToken", "The provided token has expired.")


def wrong_region(region: str, code: int = 301) -> Status:
    """301 PermanentRedirect (without a Location, as S3 sends it) or 400, naming the bucket's region."""
    name = "PermanentRedirect" if code == 301 else "AuthorizationHeaderMalformed"
    return s3_error(code, name, headers=(("x-amz-bucket-region", region),))


def redirect(location: str, code: int = 307) -> Status:
    """A redirect to the URL `location`."""
    return Status(code, (("Location", location),))


def precondition_failed() -> Status:
    """412 PreconditionFailed."""
    return s3_error(412, "PreconditionFailed")


def error_in_200(name: str = "InternalError", *, acted: bool = False) -> Status:
    """200 with an error document, as S3 may respond to a completion, a copy, or a bulk delete."""
    return s3_error(200, name, acted=acted)


# ---- an incomplete response


def _cut(response: ServerResponse, after: int | None) -> bytes:
    """Head and the first `after` bytes of the body (half by default); half the head if there is no body."""
    head = response.head()
    if not response.body:
        return head[:len(head) // 2]
    return head + response.body[:len(response.body) // 2 if after is None else min(after, len(response.body) - 1)]


@dataclass(frozen=True)
class ResetBefore(Fault):
    """A reset instead of a response. With `acted` the server carries the request out: only the response is lost."""

    acted: bool = False

    @property
    def acts(self) -> bool:
        return self.acted

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(b"", ConnectionEnd.RESET)


@dataclass(frozen=True)
class CloseBefore(ResetBefore):
    """An orderly close instead of a response."""

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(b"", ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class ResetInHead(Fault):
    """A reset after this many bytes of the response's headers."""

    after: int = 20

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(response.head()[:self.after], ConnectionEnd.RESET)


@dataclass(frozen=True)
class ResetInBody(Fault):
    """A reset inside the body, after `after` bytes or half of it; inside the headers if there is no body."""

    after: int | None = None

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(_cut(response, self.after), ConnectionEnd.RESET)


@dataclass(frozen=True)
class ShortBody(Fault):
    """An orderly close inside the body, after `after` bytes or half of it; in the headers if there is no body."""

    after: int | None = None

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(_cut(response, self.after), ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class ResetInUpload(Fault):
    """A reset after this many bytes of the request's body, which is not carried out."""

    after: int = 0

    @property
    def acts(self) -> bool:
        return False

    @property
    def reads(self) -> int | None:
        return self.after

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(b"", ConnectionEnd.RESET)


@dataclass(frozen=True)
class Stall(Fault):
    """No response until the client gives up; with `after`, nothing beyond this many bytes of the body."""

    after: int | None = None

    def deliver(self, response: ServerResponse) -> WireResponse:
        wire = b"" if self.after is None else response.head() + response.body[:self.after]
        return WireResponse(wire, ConnectionEnd.STALL)


@dataclass(frozen=True)
class SilentClose(Fault):
    """The correct response, and then an unannounced close after `linger` seconds."""

    linger: float = 0.0

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(response.head() + response.body, ConnectionEnd.CLOSE, linger=self.linger)


# ---- wrong content


@dataclass(frozen=True)
class FlipBit(Fault):
    """One bit of the body flipped: of the request's if it has one, else of the response's."""

    bit: int = 0

    def prepare(self, request: ServerRequest) -> ServerRequest:
        return replace(request, body=self._flip(request.body))

    def alter(self, response: ServerResponse) -> ServerResponse:
        if response.status >= 300:
            return response  # the server reports that the upload was damaged
        return replace(response, body=self._flip(response.body))

    def _flip(self, body: bytes) -> bytes:
        if not body:
            return body
        flipped = bytearray(body)
        flipped[self.bit // 8 % len(body)] ^= 1 << self.bit % 8
        return bytes(flipped)


@dataclass(frozen=True)
class IgnoreRange(Fault):
    """The whole object with 200, whatever range was requested."""

    def prepare(self, request: ServerRequest) -> ServerRequest:
        return replace(request, headers=tuple(h for h in request.headers if h[0] != "range"))


@dataclass(frozen=True)
class RangeAs200(Fault):
    """The range's bytes with status 200 and no Content-Range."""

    def alter(self, response: ServerResponse) -> ServerResponse:
        headers = tuple(h for h in response.headers if h[0] != "Content-Range")
        return replace(response, status=200 if response.status == 206 else response.status, headers=headers)


@dataclass(frozen=True)
class WrongContentRange(Fault):
    """A Content-Range that is not that of the body."""

    value: str = "bytes 1-2/3"

    def alter(self, response: ServerResponse) -> ServerResponse:
        return with_header(response, "Content-Range", self.value)


@dataclass(frozen=True)
class SetHeader(Fault):
    """One header of the response replaced, or removed with None."""

    name: str
    value: str | None

    def alter(self, response: ServerResponse) -> ServerResponse:
        return with_header(response, self.name, self.value)


@dataclass(frozen=True)
class Replaced(Fault):
    """The correct response; then the object is replaced, as by another writer."""

    stored: StoredObject

    def replacement(self) -> StoredObject | None:
        return self.stored

    def __hash__(self) -> int:
        return hash((self.stored.content, self.stored.etag))


def with_header(response: ServerResponse, name: str, value: str | None) -> ServerResponse:
    """`response` with this header and no other of its name."""
    headers = tuple(h for h in response.headers if h[0].lower() != name.lower())
    return replace(response, headers=headers if value is None else (*headers, (name, value)))
