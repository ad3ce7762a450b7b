"""Requests, answers and the record of them, as the scripted server knows them."""

from __future__ import annotations

import email.utils
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit
from xml.sax.saxutils import escape

Headers = tuple[tuple[str, str], ...]
_REASONS = {int(status): status.phrase for status in HTTPStatus}


@lru_cache(maxsize=64)
def http_date(timestamp: float) -> str:
    """`timestamp` (seconds since the epoch) as RFC 9110 section 5.6.7 writes dates."""
    return email.utils.formatdate(timestamp, usegmt=True)


def _text(encoded: bytes) -> str:
    return encoded.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class ServerRequest:
    """One request as it arrived; header names are lower case, `target` is untouched."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""

    def header(self, name: str, default: str | None = None) -> str | None:
        """The first value of a header, by its lower case name."""
        return next((value for key, value in self.headers if key == name), default)

    @cached_property
    def raw_path(self) -> str:
        """The path with its percent-encoding, also of a target in absolute form."""
        target = self.target.split("?", 1)[0].split("#", 1)[0]
        return target if target.startswith("/") else urlsplit(target).path or "/"

    @cached_property
    def path(self) -> str:
        """The path, percent-decoded exactly once and otherwise as it came."""
        return _text(unquote_to_bytes(self.raw_path))

    @cached_property
    def raw_query(self) -> str:
        return self.target.partition("?")[2]

    @cached_property
    def query(self) -> dict[str, str]:
        """Query parameters; those without `=` have the value ''."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True, errors="surrogateescape"))


@dataclass(frozen=True)
class ServerResponse:
    """The right answer to a request, before anything happens to it on its way."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    # A HEAD's and a 304's answer announce a length without sending a body.
    announced_length: int | None = None

    @property
    def length(self) -> int:
        return len(self.body) if self.announced_length is None else self.announced_length

    def head(self, *, version: str = "HTTP/1.1", framing: Headers | None = None) -> bytes:
        """Status line and header section; `framing` takes the place of the Content-Length."""
        if framing is None:
            framing = () if self.status in (204, 304) or self.status < 200 else (("Content-Length", str(self.length)),)
        first = f"{version} {self.status} {_REASONS.get(self.status, 'Unknown')}"
        lines = [first, *(f"{name}: {value}" for name, value in (*self.headers, *framing))]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"


@dataclass(frozen=True)
class RecordedRequest:
    """What one request was and what became of it."""

    n: int  # 1 for the first request since the last reset
    method: str
    target: str
    headers: Headers
    body_length: int
    body_sha256: str
    time: float  # time.monotonic() at its head's arrival; comparable between processes of one machine
    connection: int
    bucket: str
    key: str
    fault: str  # the fault's class name, '' for none
    status: int | None  # of the right answer or of the fault's; None where none was made

    def header(self, name: str, default: str | None = None) -> str | None:
        """The first value of a header, by its lower case name."""
        return next((value for key, value in self.headers if key == name), default)


@dataclass(frozen=True)
class S3Settings:
    """How the scripted server behaves when nothing is scripted.

    Attributes:
        secret_key: with it every request must be signed by SigV4 (header or presigned); None checks nothing.
        session_token: what x-amz-security-token must be, None for no matter.
        clock_offset: seconds that the server's clock is ahead of the real one.
        bucket_regions: buckets that live elsewhere than `region`: signed requests for them get 400 or 301.
        default_checksum: algorithm the server computes by itself for objects put without one ('crc64nvme' on AWS).
        min_part_size: bytes a part must have unless it is the last (5 MiB on AWS).
        page_size: the most keys a list page holds.
        delete_errors: key -> error code that a bulk delete reports for it.
        read_only: web paths take no PUT and no DELETE (405); buckets always do.
    """

    access_key: str = "AKIAEXAMPLE0000"
    secret_key: str | None = None
    session_token: str | None = None
    region: str = "us-east-1"
    clock_offset: float = 0.0
    bucket_regions: dict[str, str] = field(default_factory=dict)
    default_checksum: str | None = None
    min_part_size: int = 0
    page_size: int = 1000
    delete_errors: dict[str, str] = field(default_factory=dict)
    read_only: bool = True


class S3Error(Exception):
    """A request that S3 refuses: status, code, and headers of the answer."""

    def __init__(self, status: int, code: str, message: str = "", headers: Headers = ()) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message or code
        self.headers = headers

    def answer(self) -> ServerResponse:
        return xml_answer(error_xml(self.code, self.message), self.status, self.headers)


def error_xml(code: str, message: str = "", **more: str) -> str:
    """An S3 error document."""
    extra = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in more.items())
    return f"<Error><Code>{escape(code)}</Code><Message>{escape(message or code)}</Message>{extra}</Error>"


def xml_answer(document: str, status: int = 200, headers: Headers = ()) -> ServerResponse:
    """An answer with an XML document."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'.encode("utf-8", "surrogateescape")
    return ServerResponse(status, (("Content-Type", "application/xml"), *headers), body)
