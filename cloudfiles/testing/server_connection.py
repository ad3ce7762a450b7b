"""One connection of the server: HTTP/1.1 read from an asyncio transport, responses written to it as faults demand."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cloudfiles.testing.http_messages import ServerRequest
from cloudfiles.testing.rules import IncomingRequest
from cloudfiles.testing.server_faults import ConnectionEnd, Fault, WireResponse

if TYPE_CHECKING:
    from cloudfiles.testing.server_app import ServerApp

_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LINGER = 2.0  # seconds for which unread input is drained, so that a reset does not overtake an early response


@dataclass(slots=True)
class Pending:
    """A request whose headers have arrived; `length` is that of its body, None if it is chunked."""

    incoming: IncomingRequest
    fault: Fault | None
    length: int | None
    time: float = field(default_factory=time.monotonic)

    @property
    def reads(self) -> int | None:
        return self.fault.reads if self.fault else None


def parse_head(head: bytes | bytearray) -> ServerRequest:
    """A request without its body. Raises ValueError if it is not HTTP/1."""
    first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not HTTP/1: {version}")
    return ServerRequest(method, target, tuple([(name.lower(), value.strip())
                                                for name, value in [line.split(":", 1) for line in lines]]))


def take_chunks(buffer: bytearray) -> bytes | None:
    """The decoded body if all of it is in `buffer`, from which it is then removed."""
    at = 0
    chunks: list[bytes] = []
    while (line_end := buffer.find(b"\r\n", at)) >= 0:
        size = int(bytes(buffer[at:line_end]).split(b";")[0], 16)
        at = line_end + 2
        if size == 0:
            end = line_end if buffer[at:at + 2] == b"\r\n" else buffer.find(b"\r\n\r\n", at)
            if end < 0 or len(buffer) < end + 4:
                return None
            del buffer[:end + 4]
            return b"".join(chunks)
        if len(buffer) < at + size + 2:
            return None
        chunks.append(bytes(buffer[at:at + size]))
        at += size + 2
    return None


class ServerConnection(asyncio.Protocol):
    """Answers requests one after the other, each as the application says."""

    transport: asyncio.Transport

    def __init__(self, app: ServerApp) -> None:
        self.app = app
        self.number = 0
        self.buffer = bytearray()
        self.pending: Pending | None = None
        self.missing = 0  # bytes known to be missing from the pending request's body
        self.closing = False  # input is ignored
        self.task: asyncio.Task[None] | None = None
        self.drained = asyncio.Event()
        self.drained.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=0)
        self.number = self.app.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self.app.disconnected(self)
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.drained.clear()

    def resume_writing(self) -> None:
        self.drained.set()

    def close(self) -> None:
        """Close, whatever is under way."""
        self.closing = True
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        self.buffer += data
        self.missing -= len(data)
        if self.task is None and self.missing <= 0:
            self.advance()

    # ---- reading

    def advance(self) -> None:
        """Answer every request that is complete, until a response takes its time or ends the connection."""
        try:
            while self.buffer and not self.closing and self.task is None and self._answer_one():
                pass
        except ValueError:
            self.closing = True
            self.transport.write(_BAD_REQUEST)
            self.transport.close()

    def _answer_one(self) -> bool:
        """Answer one request; False where more of it has to arrive."""
        if self.pending is None and not self._take_head():
            return False
        assert self.pending is not None
        pending = self.pending
        body = self._take_body(pending)
        if body is None:
            return False
        self.pending = None
        response = self.app.respond(pending, body, self.number)
        if response.end is ConnectionEnd.KEEP and pending.incoming.request.header("connection") == "close":
            response = replace(response, end=ConnectionEnd.CLOSE)
        self.send(response, drain=pending.reads is not None)
        return True

    def _take_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        request = parse_head(self.buffer[:end])
        del self.buffer[:end + 4]
        chunked = (request.header("transfer-encoding") or "").lower() == "chunked"
        incoming, fault = self.app.receive(request)
        self.pending = Pending(incoming, fault, None if chunked else int(request.header("content-length") or 0))
        if (request.header("expect") or "").lower() == "100-continue" and self.pending.reads != 0:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _take_body(self, pending: Pending) -> bytes | None:
        """The body, or as much of it as the fault reads; None while more has to arrive."""
        if pending.reads is not None and len(self.buffer) >= pending.reads:
            return bytes(self.buffer[:pending.reads])
        if pending.length is None:
            return take_chunks(self.buffer)
        if len(self.buffer) < pending.length:
            self.missing = (pending.length if pending.reads is None else pending.reads) - len(self.buffer)
            return None
        if pending.length == 0:
            return b""
        body = bytes(memoryview(self.buffer)[:pending.length])
        del self.buffer[:pending.length]
        return body

    # ---- writing

    def send(self, response: WireResponse, *, drain: bool) -> None:
        self.closing = response.end is not ConnectionEnd.KEEP
        if response.delay or response.piece or response.endless or response.linger:
            self.task = asyncio.get_running_loop().create_task(self._send_slowly(response))
            return
        self.transport.write(response.wire)
        if response.body:
            self.transport.write(response.body)
        if response.end is ConnectionEnd.RESET and self._unsent():
            self.task = asyncio.get_running_loop().create_task(self._reset_when_sent())
        elif self.closing:
            self._end(response.end, drain=drain)

    def _end(self, end: ConnectionEnd, *, drain: bool = False) -> None:
        if end is ConnectionEnd.RESET:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
            self.transport.abort()
        elif end is ConnectionEnd.CLOSE and drain and self.transport.can_write_eof():
            self.transport.write_eof()
            asyncio.get_running_loop().call_later(_LINGER, self.transport.close)
        elif end is ConnectionEnd.CLOSE:
            self.transport.close()

    def _unsent(self) -> int:
        """Bytes that a reset would discard: not passed to the system yet, or not acknowledged by the peer."""
        if sys.platform == "win32":
            return self.transport.get_write_buffer_size()
        import fcntl
        import termios

        sock = self.transport.get_extra_info("socket")
        queued = int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return self.transport.get_write_buffer_size() + queued

    async def _reset_when_sent(self) -> None:
        await self._wait_until_sent()
        self._end(ConnectionEnd.RESET)

    async def _wait_until_sent(self) -> None:
        while self._unsent():
            await asyncio.sleep(0.001)

    async def _send_slowly(self, response: WireResponse) -> None:
        await asyncio.sleep(response.delay)
        step = response.piece or len(response.wire) or 1
        for at in range(0, len(response.wire), step):
            await self._write(response.wire[at:at + step], response.pause)
        while response.endless:
            await self._write(response.endless * 16)
        if response.linger:
            await asyncio.sleep(response.linger)
        if response.end is ConnectionEnd.RESET:
            await self._wait_until_sent()
        self.task = None
        self._end(response.end)
        self.advance()

    async def _write(self, data: bytes, pause: float = 0.0) -> None:
        self.transport.write(data)
        # A pause, however short, so that the pieces leave in separate writes.
        await asyncio.sleep(pause)
        await self.drained.wait()
