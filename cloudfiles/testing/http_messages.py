"""HTTP requests and responses as the server sees them, and the record of a request."""

from __future__ import annotations

import email.utils
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

Headers = tuple[tuple[str, str], ...]
_REASONS = {int(status): status.phrase for status in HTTPStatus}


@lru_cache(maxsize=64)
def http_date(timestamp: float) -> str:
    """`timestamp` (seconds since the epoch) as an HTTP date (RFC 9110, 5.6.7)."""
    return email.utils.formatdate(timestamp, usegmt=True)


@dataclass(slots=True)
class ServerRequest:
    """One request as it arrived.

    Attributes:
        target: as in the request line.
        headers: in order of arrival, names in lower case.
        raw_path: the path with its percent-encoding, also of a target in absolute form.
        path: the path, percent-decoded once; bytes that are not UTF-8 become lone surrogates.
        raw_query: what follows the `?`.
    """

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    raw_path: str = field(init=False)
    path: str = field(init=False)
    raw_query: str = field(init=False)
    _first: dict[str, str] = field(init=False, repr=False, compare=False)
    _query: dict[str, str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        path, _, self.raw_query = self.target.partition("?")
        path = path.partition("#")[0]
        self.raw_path = path if path.startswith("/") else urlsplit(path).path or "/"
        self.path = (unquote_to_bytes(self.raw_path).decode("utf-8", "surrogateescape") if "%" in self.raw_path
                     else self.raw_path)
        self._first = dict(reversed(self.headers))

    def header(self, name: str, default: str | None = None) -> str | None:
        """The first value of a header, by its lower case name."""
        return self._first.get(name, default)

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; those without `=` have the value ''."""
        if self._query is None:
            self._query = (dict(parse_qsl(self.raw_query, keep_blank_values=True, errors="surrogateescape"))
                           if self.raw_query else {})
        return self._query


@dataclass(slots=True)
class ServerResponse:
    """The correct response to a request, before a fault changes it.

    Attributes:
        announced_length: the Content-Length of a response without a body (to HEAD, or 304).
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    announced_length: int | None = None

    @property
    def length(self) -> int:
        return len(self.body) if self.announced_length is None else self.announced_length

    def head(self, *, version: str = "HTTP/1.1", framing: Headers | None = None) -> bytes:
        """Status line and headers; `framing` replaces the Content-Length."""
        if framing is None:
            framing = () if self.status in (204, 304) or self.status < 200 else (("Content-Length", str(self.length)),)
        first = f"{version} {self.status} {_REASONS.get(self.status, 'Unknown')}"
        lines = [first, *[f"{name}: {value}" for name, value in (*self.headers, *framing)], "\r\n"]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that was answered, or met a fault.

    Attributes:
        n: 1 for the first request since the start or the last `reset` or `forget`.
        target: as in the request line.
        headers: in order of arrival, names in lower case.
        body_length: bytes.
        body_sha256: in hexadecimal digits.
        time: `time.monotonic()` when the headers had arrived; comparable with that of other processes of this machine.
        connection: the number of the connection, 1 for the server's first.
        bucket, key: '' and the path for a plain web page.
        fault: the class name of the fault that it met, '' for none.
        status: of the response; None if none was made.
    """

    n: int
    method: str
    target: str
    headers: Headers
    body_length: int
    body_sha256: str
    time: float
    connection: int
    bucket: str
    key: str
    fault: str
    status: int | None

    def header(self, name: str, default: str | None = None) -> str | None:
        """The first value of a header, by its lower case name."""
        return next((value for key, value in self.headers if key == name), default)
