"""Requests, and the hooks by which a protocol interprets the responses.

A verb subclasses `Request`, a provider subclasses `ProviderProtocol`. The client's retry loop calls `encode`
before each attempt, `accept` on each complete response, and `on_incomplete_body` when a body broke off. So every
attempt has a fresh signature, an error in a response with status 200 is detected, and a read is resumed where it
ended.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol, TypeAlias

from cloudfiles import integrity
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    FileSystemError,
    InvalidPathError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    UnusableFileError,
)
from cloudfiles.retry import parse_retry_after
from cloudfiles.transport.web_page import is_web_page, summary
from cloudfiles.transport.wire import Head
from cloudfiles.transport.wire import Response as Response
from cloudfiles.values import NamedTuple

SLOW_DOWN_CODES = frozenset({"SlowDown", "SlowDownRead", "SlowDownWrite", "TooManyRequests", "RequestLimitExceeded",
                             "Throttling", "ThrottlingException", "ServerBusy", "rateLimitExceeded"})
"""Provider error codes for too many requests, with any status."""

ANSWER_BYTES = 64 << 20
"""Maximum bytes of a response that is not an object: a page of a listing, a token, the result of a write."""

ERROR_BYTES = 1 << 20
"""Maximum bytes that are read of a response with an error status."""

UNANNOUNCED_BYTES = 1 << 30
"""Maximum bytes of an object of unannounced length that is read into memory: it might never end."""

Body: TypeAlias = "bytes | bytearray | memoryview | FileBody"


class Origin(NamedTuple):
    """Scheme, host and port: what a connection belongs to (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an http(s) URL. Raises InvalidPathError for any other."""
        parts = urllib.parse.urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise InvalidPathError(f"{url!r} does not have a valid port: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidPathError(f"expected an http:// or https:// URL with a host, got {url!r}")
        return cls(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))

    @property
    def authority(self) -> str:
        """The value of a Host header: without the scheme's own port, IPv6 in brackets (RFC 9110 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class RetryRequest(Exception):  # noqa: N818 -- not an error: a signal to the retry loop
    """Raised by `accept`: the request was corrected (another origin, fresh credentials); send it again now.

    `cause` is the error to raise if that fails as well.
    """

    def __init__(self, cause: CloudFilesError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class FileBody:
    """A part of an open file as a request body, sent in pieces and rewound for a retry.

    Args:
        length: its size in bytes; it begins at the file's current position.
        read: returns up to so many of the next bytes; `file.read` unless given.
        piece: maximum bytes read and sent at once.
    """

    PIECE = 1 << 20

    def __init__(self, file: BinaryIO, length: int, read: Callable[[int], bytes] | None = None,
                 piece: int = PIECE) -> None:
        self.file = file
        self.length = length
        self.start = file.tell()
        self._read = read or file.read
        self._piece = piece

    def __len__(self) -> int:
        return self.length

    def pieces(self) -> Iterator[bytes]:
        """The body from its beginning, in pieces. Raises UnusableFileError if the file became shorter."""
        self.file.seek(self.start)
        left = self.length
        while left:
            try:
                piece = self._read(min(left, self._piece))
            except CloudFilesError:
                raise
            except OSError as error:  # any other OSError here is one of the connection
                raise FileSystemError(f"cannot read the file to upload: {error}", errno=error.errno) from error
            if not piece:
                raise UnusableFileError(f"the file to upload ended {left} bytes early: it was truncated while it was "
                                        "being read")
            left -= len(piece)
            yield piece


class ProviderProtocol:
    """How a provider's requests are signed and its responses interpreted. This one is plain HTTP."""

    def encode(self, request: Request, host: str, now: float) -> bytes:
        """The request's head as it is sent.

        host: the Host header's value. now: seconds since the epoch.
        """
        return format_head(request.method, request.target, host, request.headers, request.body)

    def to_error(self, request: Request, response: Response) -> Exception:
        """The exception that an error response means. It changes nothing: see `correct`."""
        return status_error(response, path=request.path)

    def correct(self, request: Request, response: Response) -> bool:
        """Learn what an error response says about the request (another origin, a new token, the clock) and correct it.

        True: send it again now.
        """
        return False

    def is_missing(self, response: Response) -> bool:
        """Whether the response means that there is no such object (rather than no such bucket, or no permission)."""
        return response.status in (404, 410)

    def check_object(self, response: Response, path: str | None) -> None:
        """Raise ProtocolError for a success without an ETag that cannot be the response for an object."""

    def verify(self, content: bytes, headers: dict[str, str], path: str | None) -> str:
        """Check the stored bytes of a whole object; returns the digest's name, '' if the response has none.

        Raises IntegrityError.
        """
        return integrity.check(content, headers, path) or ""


PLAIN = ProviderProtocol()


class Receiver(Protocol):
    """Takes bodies piece by piece, so that they are never in memory as a whole."""

    def accepts(self, head: Head, length: int) -> bool:
        """Whether to receive the body after `head`; `length` is that of `wire.body_length`.

        An exception ends the exchange with the body unread.
        """

    def write(self, piece: memoryview | bytes) -> None:
        """The next bytes; their memory is reused afterwards."""


class BodyMonitor(Protocol):
    """Watches the throughput of a large body."""

    def update(self, received: int) -> None:
        """Called now and then with the bytes received so far. Raises SlowBodyError to end the exchange."""


class SlowBodyError(Exception):
    """A body arrives more slowly than several connections would deliver it; `on_incomplete_body` was given what was
    received. Never leaves the protocol."""


class BodyTooLargeError(Exception):
    """A receiver declines a body because of its size. Has the head. Never leaves the protocol's implementation."""

    def __init__(self, head: Head) -> None:
        super().__init__(head.headers.get("content-length"))
        self.head = head


class Request:
    """One request to one origin. Subclasses implement a verb, `protocol` a provider.

    Attributes:
        origin: its destination; the protocol may change it (a redirect) and have it sent again.
        method: the HTTP method.
        target: path and query, percent-encoded, beginning with '/'.
        headers: lower-case names to values, besides Host, Content-Length and what the protocol adds.
        body: bytes-like or FileBody; b'' for none.
        idempotent: sending it twice does no harm: it may be repeated even if it is unknown whether it was executed.
        path: the key, for error messages.
        retries: failed attempts so far; once `send` has raised, including the last one.
        deadline: time of the client's monotonic clock at which the request and its retries end with a DeadlineError;
            None for never.
        signed: what the protocol has signed the current attempt with, for its own use in `to_error`.
    """

    __slots__ = ("body", "deadline", "headers", "idempotent", "method", "origin", "path",
                 "protocol", "retries", "signed", "target")

    receiver: Receiver | None = None
    """Receives the body in place of `Response.content`. A subclass that uses one defines a slot for it."""

    @property
    def operation(self) -> str:
        """What the request does, for statistics: 'LIST' for a page of a listing; otherwise the method."""
        return self.method

    def size_class(self) -> int:
        """Requests of one class should take about as long to their first byte; 0 unless much is read."""
        return 0

    def __init__(self, origin: Origin, method: str, target: str, headers: dict[str, str] | None = None,
                 body: Body = b"", *, protocol: ProviderProtocol = PLAIN, idempotent: bool = True,
                 path: str | None = None) -> None:
        self.origin = origin
        self.method = method
        self.target = target
        self.headers = headers if headers is not None else {}
        self.body = body if type(body) is not memoryview else flat(body)
        self.protocol = protocol
        self.idempotent = idempotent
        self.path = path
        self.retries = 0
        self.signed: Any = None
        self.deadline: float | None = None

    def encode(self, host: str, now: float) -> bytes:
        """The head to send; called before each attempt, so that every attempt has a fresh signature."""
        return self.protocol.encode(self, host, now)

    def accept(self, response: Response) -> Any:
        """The result of `Client.send`; here the response itself.

        The request is repeated after a backoff for IntegrityError, TransportError and ServerErrors with a transient
        status, and at once for RetryRequest. Any other error ends it.
        """
        if response.status < 300:
            return response
        raise self.to_error(response)

    def to_error(self, response: Response) -> Exception:
        """The exception to raise for an error response; RetryRequest if the protocol has corrected the request."""
        error = self.protocol.to_error(self, response)
        if self.protocol.correct(self, response) and isinstance(error, CloudFilesError):
            return RetryRequest(error)
        return error

    def max_body_size(self, head: Head) -> int | None:
        """Maximum bytes of the body after `head`. None: as many as announced, or UNANNOUNCED_BYTES."""
        return ANSWER_BYTES if head.status < 300 else ERROR_BYTES

    def monitor(self, head: Head, length: int) -> BodyMonitor | None:
        """What monitors a body of `length` bytes that did not arrive together with its head; None for nothing."""
        return None

    def on_incomplete_body(self, head: Head, received: bytes) -> None:
        """The body after `head` broke off after `received`: keep these bytes to resume from there."""

    def resumable_bytes(self) -> int:
        """Bytes that `on_incomplete_body` has kept: an attempt that adds to them has made progress."""
        return 0

    def rest_after(self, head: Head, count: int | None) -> Request | None:
        """What would be requested if the body after `head` broke off after `count` bytes (None: unknown, as it is
        chunked): only what follows, of the same version, or a page of a listing again. None for anything else."""
        return self if self.operation == "LIST" else None

    def is_rest(self, head: Head) -> bool:
        """Of a request that `rest_after` has returned: whether its response is what was requested."""
        return head.status == 200


def flat(view: memoryview) -> memoryview:
    """`view` as bytes, so that its length is its size."""
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def format_head(method: str, target: str, host: str, headers: dict[str, str], body: Body) -> bytes:
    """An HTTP/1.1 request head. Content-Length is sent if there is a body, or if the method implies one."""
    lines = [f"{method} {target} HTTP/1.1\r\nhost: {host}\r\n"]
    lines.extend(f"{name}: {value}\r\n" for name, value in headers.items())
    size = len(body)
    if size or method in ("PUT", "POST"):
        lines.append(f"content-length: {size}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1")


def _redirect_text(response: Response) -> str:
    """Where a redirect leads that is not followed; without the query, which may contain a token."""
    location = response.headers.get("location", "").partition("?")[0][:200]
    return f"a redirect to {location}, which is not followed (is there a login page in between?)" if location else ""


def status_error(response: Response, *, path: str | None = None, code: str = "", message: str = "") -> CloudFilesError:
    """The error for an error status, with the provider's own code and message if it sent them."""
    status = response.status
    retry_after = parse_retry_after(response.headers.get("retry-after"), response.headers.get("date"))
    text = message or code
    if not text and is_web_page(response):
        text = summary(response.content)
    text = text or response.content[:200].decode("utf-8", "replace").strip()
    if code and code != text:
        text = f"{code}: {text}"
    if 300 <= status < 400 and not text:
        text = _redirect_text(response)
    text = f"the server responded with {status}" + (f": {text}" if text else "")
    if status < 300 and not code:
        return ProtocolError(f"{text or status} (which is not a response to this request)", path=path)
    if status in (401, 403, 407):
        return AuthorizationError(text, path=path)
    if status == 412:
        return PreconditionFailedError(text, path=path)
    return ServerError(text, status=status, code=code, path=path, retry_after=retry_after,
                       is_slow_down=status in (429, 503) or code in SLOW_DOWN_CODES)
