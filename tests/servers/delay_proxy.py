"""A TCP proxy on loopback that adds a round-trip time, without limiting the rate, in a process of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cloudfiles.testing.controlled_process import ControlledProcess

_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_READ = 1 << 16
_IN_FLIGHT = 1024  # reads held back at once in one direction; bounds memory when the receiver is slow


class DelayApp:
    """Half of `rtt` seconds each way, and a whole one for the handshake.

    Args:
        target: port on 127.0.0.1 to forward to.
        reset_after: bytes from the target after which a connection is reset; None never does.
    """

    def __init__(self, target: int, rtt: float, reset_after: int | None = None) -> None:
        self._target = target
        self._rtt = rtt
        self._reset_after = reset_after
        self._connections = 0

    async def start(self) -> dict[str, Any]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        return {"port": self._server.sockets[0].getsockname()[1]}

    def connections(self) -> int:
        return self._connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        await asyncio.sleep(self._rtt)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        for each in (writer, far_writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(self._pump(reader, far_writer, None), self._pump(far_reader, writer, self._reset_after))
        for each in (writer, far_writer):
            each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None) -> None:
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_IN_FLIGHT)
        feeding = asyncio.create_task(self._feed(reader, held))
        try:
            await self._release(held, writer, limit)
        except OSError:
            _reset(writer)
        finally:
            feeding.cancel()

    async def _feed(self, reader: asyncio.StreamReader, held: asyncio.Queue[tuple[float, bytes]]) -> None:
        """Read as fast as it comes and note when each piece is due; b'' stands for the end."""
        loop = asyncio.get_running_loop()
        data = b"start"
        while data:
            try:
                data = await reader.read(_READ)
            except OSError:
                data = b""
            await held.put((loop.time() + self._rtt / 2, data))

    @staticmethod
    async def _release(held: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter,
                       limit: int | None) -> None:
        loop, sent = asyncio.get_running_loop(), 0
        while True:
            due, data = await held.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                writer.write_eof()
                return
            writer.write(data if limit is None else data[:limit - sent])
            await writer.drain()
            sent += len(data)
            if limit is not None and sent >= limit:
                _reset(writer)
                return


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
    writer.transport.abort()


@contextmanager
def delay_proxy(target: int, rtt: float, reset_after: int | None = None) -> Iterator[int]:
    """The port of a proxy to `target` that adds `rtt` seconds."""
    process = ControlledProcess("tests.servers.delay_proxy:DelayApp", target=target, rtt=rtt, reset_after=reset_after)
    try:
        yield process.facts["port"]
    finally:
        process.stop()
