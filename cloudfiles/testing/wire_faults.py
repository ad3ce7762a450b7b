"""Answers whose bytes are odd: right HTTP that few servers send, and HTTP that is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from cloudfiles.testing.http_messages import Headers, ServerResponse
from cloudfiles.testing.server_faults import ConnectionEnd, Fault, WireResponse

# ---- right, and to be understood


@dataclass(frozen=True)
class Chunked(Fault):
    """A chunked body: chunk sizes in turn (the last again and again), an extension, trailers (RFC 9112, 7.1)."""

    sizes: tuple[int, ...] = (1, 7, 1000)
    trailers: Headers = ()
    extension: str = ""

    def deliver(self, answer: ServerResponse) -> WireResponse:
        framing: Headers = (("Transfer-Encoding", "chunked"),)
        if self.trailers:
            framing = (*framing, ("Trailer", ", ".join(name for name, _ in self.trailers)))
        head = answer.head(framing=framing)
        if answer.announced_length is not None or answer.status in (204, 304):
            return WireResponse(head)
        return WireResponse(head + self._chunks(answer.body))

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
    """A chunked body without its last chunk, then an orderly close: truncated, though no length says so."""

    def deliver(self, answer: ServerResponse) -> WireResponse:
        wire = super().deliver(answer).wire
        return WireResponse(wire[:wire.rindex(b"0\r\n")], ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class Interim(Fault):
    """Interim answers before the right one (RFC 9110, 15.2)."""

    statuses: tuple[int, ...] = (102, 103)

    def deliver(self, answer: ServerResponse) -> WireResponse:
        interim = b"".join(ServerResponse(status, (("Link", "</style.css>"),)).head() for status in self.statuses)
        return WireResponse(interim + answer.head() + answer.body)


@dataclass(frozen=True)
class CloseDelimited(Fault):
    """A body that ends with the connection, as HTTP/1.0 has it. With `length` the Content-Length is there too."""

    version: str = "HTTP/1.0"
    length: bool = False

    def deliver(self, answer: ServerResponse) -> WireResponse:
        head = answer.head(version=self.version, framing=None if self.length else ())
        return WireResponse(head + answer.body, ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class Pieces(Fault):
    """The right answer, `size` bytes at a time, with `pause` seconds between them."""

    size: int = 1
    pause: float = 0.0

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(answer.head() + answer.body, piece=self.size, pause=self.pause)


@dataclass(frozen=True)
class Delay(Fault):
    """The right answer after some seconds."""

    seconds: float

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(answer.head() + answer.body, delay=self.seconds)


# ---- wrong, and to be refused


@dataclass(frozen=True)
class Raw(Fault):
    """These bytes for an answer."""

    wire: bytes = b"\x16\x03\x01 not HTTP at all\r\n\r\n"
    ending: ConnectionEnd = ConnectionEnd.CLOSE

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(self.wire, self.ending)


@dataclass(frozen=True)
class EndlessHeader(Fault):
    """A header section that goes on until the client closes: in ever more lines, or in one."""

    one_line: bool = False

    def deliver(self, answer: ServerResponse) -> WireResponse:
        start = answer.head()[:-2]
        if self.one_line:
            return WireResponse(start + b"X-Filler: ", endless=b"a" * 4096)
        return WireResponse(start, endless=b"X-Filler: " + b"a" * 100 + b"\r\n")


@dataclass(frozen=True)
class ObsFold(Fault):
    """A header folded over two lines, which RFC 9112 (5.2) does away with."""

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(answer.head()[:-2] + b"X-Folded: one\r\n two\r\n\r\n" + answer.body)


@dataclass(frozen=True)
class LongBody(Fault):
    """More bytes than the Content-Length says; they stand where the next answer should begin."""

    extra: bytes = b"and more"

    def deliver(self, answer: ServerResponse) -> WireResponse:
        return WireResponse(answer.head() + answer.body + self.extra)


@dataclass(frozen=True)
class BothLengths(Fault):
    """Content-Length and Transfer-Encoding in one answer: a smuggling attempt (RFC 9112, 6.3)."""

    def deliver(self, answer: ServerResponse) -> WireResponse:
        framing = (("Content-Length", str(answer.length)), ("Transfer-Encoding", "chunked"))
        chunks = f"{len(answer.body):x}\r\n".encode() + answer.body + b"\r\n0\r\n\r\n"
        return WireResponse(answer.head(framing=framing) + chunks, ConnectionEnd.CLOSE)


@dataclass(frozen=True)
class TwoLengths(Fault):
    """Two Content-Lengths that differ."""

    def deliver(self, answer: ServerResponse) -> WireResponse:
        framing = (("Content-Length", str(answer.length)), ("Content-Length", str(answer.length + 1)))
        return WireResponse(answer.head(framing=framing) + answer.body, ConnectionEnd.CLOSE)
