"""HTTP/1.1 as a server needs it for one well-behaved client: requests with Content-Length in, answers out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple, cast

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_MAX_HEAD = 64 * 1024  # bytes


class Received(NamedTuple):
    """A request: method, target as sent, headers by their names in lower case, and the body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What to send back. A HEAD's body is measured, and not sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | memoryview = b""


class Connection(asyncio.Protocol):
    """One client's connection: answers its requests one after the other."""

    def __init__(self, answer: Callable[[Received], Answer]) -> None:
        self._answer = answer
        self._buffer = bytearray()
        self._missing = 0  # bytes that the request in the buffer is known to lack

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._missing -= len(data)
        while self._missing <= 0 and (received := self._next()):
            self._send(received, self._answer(received))

    def _next(self) -> Received | None:
        """The first request in the buffer, None while it is not whole."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                self._transport.abort()
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        begin = end + 4
        length = int(headers.get("content-length", 0))
        self._missing = begin + length - len(self._buffer)
        if self._missing > 0:
            return None
        body = bytes(memoryview(self._buffer)[begin:begin + length])
        del self._buffer[:begin + length]
        method, target, _ = first.split(" ", 2)
        return Received(method, target, headers, body)

    def _send(self, received: Received, answer: Answer) -> None:
        lines = [_STATUS_LINES[answer.status], f"Date: {formatdate(usegmt=True)}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
        if answer.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(answer.body)}\r\n")
        lines.append("\r\n")
        self._transport.write("".join(lines).encode("latin-1"))
        if answer.body and received.method != "HEAD":
            self._transport.write(answer.body)
