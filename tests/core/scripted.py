"""Streams, clocks and runtimes that do what a test tells them, without sockets and without time."""

from __future__ import annotations

import itertools
import math
import ssl
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.contract import Runtime, Stream, WorkerGroup
from cloudfiles.runtime.descriptors import DescriptorBudget
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.transport.client import Client
from cloudfiles.transport.connection_pool import Pool
from cloudfiles.transport.request import Origin
from cloudfiles.types import Clock, Tls

ORIGIN = Origin("http", "server.test", 80)


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """`data` cut at these places; no piece is empty."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


class ScriptedStream:
    """Gives the pieces one by one, then the end of the stream, or an error that stands among them.

    Attributes:
        sent: what was written.
        send_error: raised by the next `send`.
        timeout: as `Stream`; nothing here waits.
    """

    def __init__(self, *pieces: bytes | OSError, send_error: OSError | None = None, stale: bool = False) -> None:
        self.timeout = 1.0
        self.peer: Any = None
        self._pieces: Iterator[bytes | OSError] = iter(pieces)
        self._rest = b""
        self.sent = b""
        self.send_error = send_error
        self.stale = stale
        self.closed = False

    def send(self, data: bytes | bytearray | memoryview) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent += data

    def send_some(self, data: memoryview) -> int:
        self.send(data)
        return len(data)

    def receive_into(self, buffer: memoryview) -> int:
        piece = self._rest or next(self._pieces, b"")
        if isinstance(piece, OSError):
            raise piece
        count = min(len(piece), len(buffer))
        buffer[:count] = piece[:count]
        self._rest = piece[count:]
        return count

    def tls_session(self) -> None:
        return None

    def is_stale(self) -> bool:
        return self.stale

    def close(self) -> None:
        self.closed = True

    def forget(self) -> None:
        self.closed = True


class FakeTime:
    """A clock that moves when somebody sleeps.

    Attributes:
        slept: every sleep, in seconds, in order.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.clock = Clock(wall=lambda: 1_700_000_000.0 + self.now, monotonic=lambda: self.now)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class FakeRuntime(ThreadRuntime):
    """Sleeps on a fake clock; every other thing it is asked for is a mistake of the test."""

    name = "fake"

    def __init__(self, time: FakeTime) -> None:
        super().__init__()
        self._time = time

    def sleep(self, seconds: float) -> None:
        self._time.sleep(seconds)

    def worker_group(self) -> WorkerGroup:
        raise AssertionError("no workers here")

    def resolve(self, host: str, port: int) -> Any:
        raise AssertionError("no sockets here")

    def connect(self, addresses: Any, timeout: float, failed: Any) -> Any:
        raise AssertionError("no sockets here")

    def ssl_context(self, ca_bundle: str | None) -> ssl.SSLContext:
        raise AssertionError("no sockets here")


class ScriptedDialer:
    """Hands out streams, or raises errors, in order.

    Attributes:
        dialed: how many were asked for.
    """

    connect_timeout = 1.0
    read_timeout = 1.0

    def __init__(self, *script: ScriptedStream | Exception) -> None:
        self._script = iter(script)
        self.dialed = 0

    def dial(self, origin: Origin, proxy: Any = None, most: float = math.inf, avoid: Any = None) -> Stream:
        self.dialed += 1
        step = next(self._script)
        if isinstance(step, Exception):
            raise step
        return step

    def has_others(self, origin: Origin, where: Any) -> bool:
        return True

    def keep_session(self, origin: Origin, session: Any) -> None:
        pass

    def address_failed(self, origin: Origin, where: Any) -> None:
        pass


def unwatched(budget: int = 100) -> DescriptorBudget:
    """Descriptors of which no thread closes any in time."""
    descriptors = DescriptorBudget(lambda: budget)
    descriptors.watched = True
    return descriptors


def scripted_client(*script: ScriptedStream | Exception, policy: RetryPolicy | None = None,
                    jitter: Callable[[], float] = lambda: 0.5, time: FakeTime | None = None,
                    descriptors: DescriptorBudget | None = None) -> tuple[Client, ScriptedDialer, FakeTime]:
    """A client whose connections are these, on a clock of its own."""
    time = time or FakeTime()
    client = Client(cast(Runtime, FakeRuntime(time)), Tls(), 1.0, 1.0, policy=policy, clock=time.clock, jitter=jitter,
                    descriptors=descriptors or unwatched())
    dialer = ScriptedDialer(*script)
    client._dialer = cast(Any, dialer)
    return client, dialer, time


def idle_pool(client: Client, origin: Origin = ORIGIN) -> Pool:
    """The client's pool of connections to `origin`."""
    return client._pools.get(origin) or client._open_pool(origin)


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An answer with a Content-Length; header names have `_` for `-`."""
    fields = {"content-length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}
    head = f"HTTP/1.1 {status} Words\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
    return head.encode() + b"\r\n" + body
