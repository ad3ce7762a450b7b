"""A TCP proxy on 127.0.0.1 that adds latency without limiting throughput.

`python delay_proxy.py LISTEN_PORT TARGET_PORT MILLISECONDS`: half of the round trip is added in each
direction, and a whole one to connecting. All data in flight is delayed at the same time, as by a
longer distance, not by a lower bandwidth.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque


class Pipe(asyncio.Protocol):
    """One direction: received data is written to `other` after the delay."""

    transport: asyncio.Transport

    def __init__(self, delay: float, other: Pipe | None = None) -> None:
        self.delay = delay
        self.other = other
        self.early: list[bytes] = []  # received before the other side was connected
        self.late: deque[bytes] = deque()
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.early.append(data)
            return
        self.late.append(data)
        self.loop.call_later(self.delay, self._forward)

    def _forward(self) -> None:
        data = self.late.popleft()
        if self.other is not None and not self.other.transport.is_closing():
            self.other.transport.write(data)

    def join(self, other: Pipe) -> None:
        self.other = other
        early, self.early = self.early, []
        for data in early:
            self.data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None:
            self.loop.call_later(self.delay, self.other.transport.close)


class Door(Pipe):
    """The client's side: connects to the target once a round trip has passed."""

    def __init__(self, delay: float, port: int) -> None:
        super().__init__(delay)
        self.port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.connecting = self.loop.create_task(self._connect())

    async def _connect(self) -> None:
        await asyncio.sleep(2 * self.delay)
        _, far = await self.loop.create_connection(lambda: Pipe(self.delay, self), "127.0.0.1", self.port)
        self.join(far)


async def serve(listen: int, target: int, milliseconds: float) -> None:
    delay = milliseconds / 2000
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Door(delay, target), "127.0.0.1", listen, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
