"""One connection of the scripted server: HTTP/1.1 read off an asyncio transport, deliveries written to it."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cloudfiles.testing.http_messages import ServerRequest
from cloudfiles.testing.rules import IncomingRequest
from cloudfiles.testing.server_faults import ConnectionEnd, Fault, WireResponse

if TYPE_CHECKING:
    from cloudfiles.testing.server_app import ServerApp

_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LINGER = 2.0  # seconds that unread input is drained, so that an early answer is not lost to a reset


@dataclass
class Pending:
    """A request whose head is here."""

    sighting: IncomingRequest
    fault: Fault | None
    length: int | None  # None: chunked

    @property
    def reads(self) -> int | None:
        return self.fault.reads if self.fault else None


def parse_head(head: bytes) -> ServerRequest:
    """Raises ValueError where it is not HTTP."""
    first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not HTTP/1: {version}")
    pairs = [line.split(":", 1) for line in lines]
    return ServerRequest(method, target, tuple((name.lower(), value.strip()) for name, value in pairs))


def take_chunks(buffer: bytearray) -> bytes | None:
    """The decoded body if the whole of it is in `buffer`, from which it is then removed."""
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


class Connection(asyncio.Protocol):
    """Requests one after the other, each answered as the application says."""

    transport: asyncio.Transport

    def __init__(self, app: ServerApp) -> None:
        self.app = app
        self.number = 0
        self.buffer = bytearray()
        self.pending: Pending | None = None
        self.deaf = False  # input is no longer looked at
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
        self.deaf = True
        self.app.disconnected(self)
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self.drained.clear()

    def resume_writing(self) -> None:
        self.drained.set()

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        self.buffer += data
        if self.task is None:
            self.advance()

    # ---- reading

    def advance(self) -> None:
        """Answer every request that is whole, until a delivery takes its time or ends the connection."""
        try:
            while not self.deaf and self.task is None and self._one():
                pass
        except ValueError:
            self.deaf = True
            self.transport.write(_BAD_REQUEST)
            self.transport.close()

    def _one(self) -> bool:
        """Answer one request; False where more of it has to come."""
        if self.pending is None and not self._take_head():
            return False
        assert self.pending is not None
        pending = self.pending
        body = self._take_body(pending)
        if body is None:
            return False
        self.pending = None
        delivery = self.app.answer(pending, body, self.number)
        if delivery.ending is ConnectionEnd.KEEP and pending.sighting.request.header("connection") == "close":
            delivery = replace(delivery, ending=ConnectionEnd.CLOSE)
        self.deliver(delivery, drain=pending.reads is not None)
        return True

    def _take_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        request = parse_head(bytes(self.buffer[:end]))
        del self.buffer[:end + 4]
        chunked = (request.header("transfer-encoding") or "").lower() == "chunked"
        sighting, fault = self.app.sight(request)
        self.pending = Pending(sighting, fault, None if chunked else int(request.header("content-length") or 0))
        if (request.header("expect") or "").lower() == "100-continue" and self.pending.reads != 0:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _take_body(self, pending: Pending) -> bytes | None:
        """The body, or what a fault wants to have read of it; None while more has to come."""
        if pending.reads is not None and len(self.buffer) >= pending.reads:
            return bytes(self.buffer[:pending.reads])
        if pending.length is None:
            return take_chunks(self.buffer)
        if len(self.buffer) < pending.length:
            return None
        body = bytes(self.buffer[:pending.length])
        del self.buffer[:pending.length]
        return body

    # ---- writing

    def deliver(self, delivery: WireResponse, *, drain: bool) -> None:
        self.deaf = delivery.ending is not ConnectionEnd.KEEP
        if delivery.delay or delivery.piece or delivery.endless or delivery.linger:
            self.task = asyncio.get_running_loop().create_task(self._deliver_slowly(delivery))
            return
        self.transport.write(delivery.wire)
        if delivery.ending is ConnectionEnd.RESET and self._unsent():
            self.task = asyncio.get_running_loop().create_task(self._reset_when_sent())
        else:
            self._end(delivery.ending, drain=drain)

    def _end(self, ending: ConnectionEnd, *, drain: bool = False) -> None:
        if ending is ConnectionEnd.RESET:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
            self.transport.abort()
        elif ending is ConnectionEnd.CLOSE and drain and self.transport.can_write_eof():
            self.transport.write_eof()
            asyncio.get_running_loop().call_later(_LINGER, self.transport.close)
        elif ending is ConnectionEnd.CLOSE:
            self.transport.close()

    def _unsent(self) -> int:
        """Bytes that a reset would take back: not handed to the system yet, or not acknowledged by the peer."""
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

    async def _deliver_slowly(self, delivery: WireResponse) -> None:
        await asyncio.sleep(delivery.delay)
        step = delivery.piece or len(delivery.wire) or 1
        for at in range(0, len(delivery.wire), step):
            await self._write(delivery.wire[at:at + step], delivery.pause)
        while delivery.endless:
            await self._write(delivery.endless * 16)
        if delivery.linger:
            await asyncio.sleep(delivery.linger)
        if delivery.ending is ConnectionEnd.RESET:
            await self._wait_until_sent()
        self.task = None
        self._end(delivery.ending)
        self.advance()

    async def _write(self, data: bytes, pause: float = 0.0) -> None:
        self.transport.write(data)
        # A pause, however short, so that the pieces leave in writes of their own.
        await asyncio.sleep(pause)
        await self.drained.wait()
