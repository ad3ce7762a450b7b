"""Unusual responses: valid HTTP that few servers send, and invalid HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from cloudfiles.testing.http_messages import Headers, ServerResponse
from cloudfiles.testing.server_faults import ConnectionEnd, Fault, WireResponse

# ---- valid: a client has to understand these


@dataclass(frozen=True)
class Chunked(Fault):
    """A chunked body: chunk sizes in turn (the last again and again), an extension, trailers (RFC 9112, 7.1)."""

    sizes: tuple[int, ...] = (1, 7, 1000)
    trailers: Headers = ()
    extension: str = ""

    def deliver(self, response: ServerResponse) -> WireResponse:
        framing: Headers = (("Transfer-Encoding", "chunked"),)
        if self.trailers:
            framing = (*framing, ("Trailer", ", ".join(name for name, _ in self.trailers)))
        head = response.head(framing=framing)
        if response.announced_length is not None or response.status in (204, 304):
            return WireResponse(head)
        return WireResponse(head + self._chunks(response.body))

    def _chunks(self, body: bytes) -> bytes:
        chunks, at, turn = [], 0, 0
        while at < len(body):
            piece = body[at:at + self.sizes[min(turn, len(self.sizes) - 1)]]
            chunks.append(f"{len(piece):X}{self.extension}\r\n".encode() + piece + b"\r\n")
            at, turn = at + len(piece), turn + 1
        trailers = "".join(f"{name}: {value}\r\n" for name, value in self.trailers)
        return b"".join(chunks) + f"0\r\n{trailers}\r\n".encode()


@dataclass(frozen=True)
class CutChunked(Chunked):
    """A chunked body without its last chunk, then an orderly close: a truncated body without a length."""

    def deliver(self, response: ServerResponse) -> WireResponse:
        wire = super().deliver(response).wire
        return WireResponse(wire[:wire.rindex(b"0\r\n")], ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class Interim(Fault):
    """Interim responses before the final one (RFC 9110, 15.2)."""

    statuses: tuple[int, ...] = (102, 103)

    def deliver(self, response: ServerResponse) -> WireResponse:
        interim = b"".join(ServerResponse(status, (("Link", "</style.css>"),)).head() for status in self.statuses)
        return WireResponse(interim + response.head() + response.body)


@dataclass(frozen=True)
class CloseDelimited(Fault):
    """A body that ends with the connection, as in HTTP/1.0; with `length` there is a Content-Length too."""

    version: str = "HTTP/1.0"
    length: bool = False

    def deliver(self, response: ServerResponse) -> WireResponse:
        head = response.head(version=self.version, framing=None if self.length else ())
        return WireResponse(head + response.body, ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class Pieces(Fault):
    """The correct response, `size` bytes at a time, with `pause` seconds between them."""

    size: int = 1
    pause: float = 0.0

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(response.head() + response.body, piece=self.size, pause=self.pause)


@dataclass(frozen=True)
class Delay(Fault):
    """The correct response after a number of seconds."""

    seconds: float

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(response.head() + response.body, delay=self.seconds)


# ---- invalid: a client has to reject these


@dataclass(frozen=True)
class Raw(Fault):
    """These bytes instead of a response."""

    wire: bytes = b"\x16\x03\x01 not HTTP at all\r\n\r\n"
    ending: ConnectionEnd = ConnectionEnd.CLOSE

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(self.wire, self.ending)


@dataclass(frozen=True)
class EndlessHeader(Fault):
    """Headers without an end, until the client closes: more and more lines, or a single one."""

    one_line: bool = False

    def deliver(self, response: ServerResponse) -> WireResponse:
        start = response.head()[:-2]
        if self.one_line:
            return WireResponse(start + b"X-Filler: ", endless=b"a" * 4096)
        return WireResponse(start, endless=b"X-Filler: " + b"a" * 100 + b"\r\n")


@dataclass(frozen=True)
class ObsFold(Fault):
    """A header folded over two lines, which RFC 9112 (5.2) deprecates."""

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(response.head()[:-2] + b"X-Folded: one\r\n two\r\n\r\n" + response.body)


@dataclass(frozen=True)
class LongBody(Fault):
    """More bytes than the Content-Length says, where the next response should begin."""

    extra: bytes = b"and more"

    def deliver(self, response: ServerResponse) -> WireResponse:
        return WireResponse(response.head() + response.body + self.extra)


@dataclass(frozen=True)
class BothLengths(Fault):
    """Content-Length and Transfer-Encoding in one response: a smuggling attempt (RFC 9112, 6.3)."""

    def deliver(self, response: ServerResponse) -> WireResponse:
        framing = (("Content-Length", str(response.length)), ("Transfer-Encoding", "chunked"))
        chunks = f"{len(response.body):x}\r\n".encode() + response.body + b"\r\n0\r\n\r\n"
        return WireResponse(response.head(framing=framing) + chunks, ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class TwoLengths(Fault):
    """Two Content-Lengths that differ."""

    def deliver(self, response: ServerResponse) -> WireResponse:
        framing = (("Content-Length", str(response.length)), ("Content-Length", str(response.length + 1)))
        return WireResponse(response.head(framing=framing) + response.body, ConnectionEnd.CLOSE)
