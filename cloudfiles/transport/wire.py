"""HTTP/1.1 responses (RFC 9112), without sockets: bytes in, values out.

`parse_head` parses a response head, `body_length` determines how the body is framed, and `ChunkedBody` decodes a
chunked one, however the bytes are split. Each returns a value, or that it needs more bytes, or raises ProtocolError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloudfiles.exceptions import ProtocolError, TruncatedBodyError
from cloudfiles.values import NamedTuple

MAX_HEAD = 64 * 1024
"""Maximum bytes of a head. No store sends half as much."""

CHUNKED = -1
UNTIL_CLOSE = -2

_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?$")
_FIELD_NAME = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?$")
_LENGTH = re.compile(r"[0-9]{1,18}$")


class Head(NamedTuple):
    """Status and header fields of a response; names in lower case, repeated fields joined by ', '."""

    status: int
    headers: dict[str, str]
    keep_alive: bool


class Response:
    """A complete response.

    Attributes:
        content: the whole body; chunks are joined, but its content encoding is not decoded.
    """

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content


def head_end(buffer: bytes | bytearray | memoryview, filled: int, searched: int = 0) -> int:
    """The index after the empty line that ends the head; -1 if more bytes are needed.

    A bare LF is accepted as a line end, as RFC 9112 2.2 allows. filled: received bytes in the buffer. searched: how
    many of them are known not to contain the end.
    """
    empty_line = _EMPTY_LINE.search(buffer, max(0, searched - 2), filled if filled < MAX_HEAD else MAX_HEAD)
    if empty_line is not None:
        return empty_line.end()
    if filled >= MAX_HEAD:
        raise ProtocolError(f"the response headers do not end within {filled} bytes (limit {MAX_HEAD})")
    return -1


def parse_head(data: bytes | bytearray | memoryview) -> Head:
    """The head in `data`, which ends with its empty line; Latin-1 (RFC 9110 5.5).

    Raises ProtocolError for anything that is not an HTTP/1.x head.
    """
    lines = str(data, "latin-1").split("\n")
    match = _STATUS_LINE.match(lines[0].rstrip("\r"))
    if match is None:
        raise ProtocolError(f"the response does not start with an HTTP/1.x status line: {lines[0][:60]!r}")
    del lines[0], lines[-2:]
    try:
        headers = dict(map(_fields.__getitem__, lines))
    except _FoldedError:
        headers = {}
    if len(headers) != len(lines):
        headers = _joined(lines)
    return Head(int(match[2]), headers, _keeps_alive(match[1] == "1", headers.get("connection")))


def _keeps_alive(is_default: bool, connection: str | None) -> bool:
    """Whether the connection stays open (RFC 9112 9.3). is_default: without a Connection header, it does."""
    if connection is None:
        return is_default
    tokens = connection.lower()
    return "close" not in tokens and (is_default or "keep-alive" in tokens)


class _FoldedError(Exception):
    """A line continues the field of the line before (obs-fold, RFC 9112 5.2)."""


class _Fields(dict[str, tuple[str, str]]):
    """Maps header lines to lower-case name and value.

    Most lines of a server's responses are identical, so parsed lines are cached: a head of ten lines takes 2 us
    instead of 10.
    """

    _LIMIT = 1024  # lines: ETags and dates keep changing
    _LINE = 256  # characters: longer lines are rare, and not worth the memory

    def __missing__(self, line: str) -> tuple[str, str]:
        if line[:1] in (" ", "\t"):
            raise _FoldedError
        match = _FIELD_NAME.match(line)
        if match is None:
            raise ProtocolError(f"invalid header line in the response: {line[:60]!r}")
        field = match[1].lower(), line[match.end():].strip(" \t\r")
        if len(line) <= self._LINE:
            if len(self) >= self._LIMIT:
                self.clear()
            self[line] = field
        return field


_fields = _Fields()


def _joined(lines: list[str]) -> dict[str, str]:
    """The fields of lines of which some repeat a name, or continue the line before."""
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        try:
            name, value = _fields[line]
        except _FoldedError:
            if not name:
                raise ProtocolError("the response headers start with a continuation line") from None
            headers[name] = f"{headers[name]} {line.strip()}"
            continue
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def body_length(head: Head, method: str) -> int:
    """The body's bytes after `head`, or CHUNKED, or UNTIL_CLOSE (RFC 9112 6.3).

    Raises ProtocolError if Content-Length is not a number, or is repeated with different values, and for any
    transfer coding other than chunked: no request asks for one, and it could not be decoded.
    """
    status, headers, _ = head
    if method == "HEAD" or status in (204, 304) or status < 200:
        if "content-length" in headers:  # no body follows, but the length may be what was asked for
            _announced(headers)
        return 0
    coding = headers.get("transfer-encoding")
    if coding is not None and coding.lower() != "identity":
        # Transfer-Encoding takes precedence over Content-Length.
        if coding.lower() != "chunked":
            raise ProtocolError(f"unexpected Transfer-Encoding in the response: {coding[:60]!r}")
        return CHUNKED
    return _announced(headers) if "content-length" in headers else UNTIL_CLOSE


def _announced(headers: dict[str, str]) -> int:
    """Content-Length, which is replaced by a single number in `headers`. Raises ProtocolError."""
    length = headers["content-length"]
    if _LENGTH.match(length) is None:
        values = {part.strip() for part in length.split(",")}
        length = values.pop()
        if values or _LENGTH.match(length) is None:
            raise ProtocolError(f"invalid Content-Length in the response: {headers['content-length'][:60]!r}")
        headers["content-length"] = length
    return int(length)


def is_framed(headers: Mapping[str, str]) -> bool:
    """Whether the length of a body with these headers was announced, so that truncation is detected."""
    return body_length(Head(200, dict(headers), keep_alive=False), "GET") != UNTIL_CLOSE


class ChunkedBody:
    """Decodes a chunked body (RFC 9112 7.1) that is fed in pieces of any size.

    After the last chunk `done` is True, `trailers` has the fields after it, and `rest` the bytes that do not belong to
    the message any more.
    """

    def __init__(self) -> None:
        self.done = False
        self.trailers: dict[str, str] = {}
        self.rest = b""
        self._buffer = bytearray()
        self._received = 0
        self._left = 0  # bytes of the current chunk still to come
        self._trailing = 0  # bytes of trailers so far
        self._state = self._size

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """The body bytes in `data`. Raises ProtocolError if it is not a chunked body."""
        self._buffer += data
        self._received += len(data)
        pieces: list[bytes] = []
        while not self.done and self._state(pieces):
            pass
        return pieces

    def finish(self) -> None:
        """To be called at the end of the stream. Raises TruncatedBodyError unless the body is complete."""
        if not self.done:
            raise TruncatedBodyError(f"the connection was closed in the middle of a chunked body, after "
                                     f"{self._received} bytes of it")

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise ProtocolError(f"a line of a chunked body does not end within {len(self._buffer)} bytes")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line[:-1] if line.endswith(b"\r") else line

    def _size(self, pieces: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        match = _CHUNK_SIZE.match(line)
        if match is None:
            raise ProtocolError(f"invalid chunk size: {line[:60]!r}")
        self._left = int(match[1], 16)
        self._state = self._data if self._left else self._trailer
        return True

    def _data(self, pieces: list[bytes]) -> bool:
        piece = bytes(self._buffer[: self._left])
        if not piece:
            return False
        pieces.append(piece)
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        if self._left:
            return False
        self._state = self._data_end
        return True

    def _data_end(self, pieces: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        if line:
            raise ProtocolError(f"a chunk is longer than its size: {line[:60]!r} follows it")
        self._state = self._size
        return True

    def _trailer(self, pieces: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self.done = True
            self.rest = bytes(self._buffer)
            return False
        self._trailing += len(line)
        if self._trailing > MAX_HEAD:
            raise ProtocolError(f"the trailers of a chunked body do not end within {self._trailing} bytes")
        try:
            name, value = _fields[line.decode("latin-1")]
        except _FoldedError as error:
            raise ProtocolError("a trailer of a chunked body is a continuation line") from error
        self.trailers[name] = value
        return True
