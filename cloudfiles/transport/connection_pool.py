"""The idle connections to one origin."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from cloudfiles.exceptions import RequestTimeoutError
from cloudfiles.runtime.contract import Runtime, Stream
from cloudfiles.runtime.descriptors import DescriptorBudget, with_descriptor
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.deadline import past_deadline
from cloudfiles.transport.dial import Dialer, Proxy
from cloudfiles.transport.limiter import Limiter
from cloudfiles.transport.request import Origin
from cloudfiles.transport.throughput import Throughput
from cloudfiles.transport.traffic import Traffic

_TRUSTED_IDLE = 1.0
"""Seconds of idleness after which a connection is checked before use. Servers close idle ones after five seconds at
the earliest; within a batch the check would be a system call for nothing."""


class Pool:
    """Last in, first out: the connection used last is the one most likely to be alive.

    `take` and `give` are one deque operation each, atomic under the interpreter's lock and about 0.1 us, so workers
    need no connections of their own. `runtime.descriptors` decides how many are kept, and for how long.
    """

    def __init__(self, origin: Origin, dialer: Dialer, proxy: Proxy | None, limiter: Limiter, runtime: Runtime,
                 descriptors: DescriptorBudget, monotonic: Callable[[], float], min_throughput: float = 0.0,
                 traffic: Traffic | None = None) -> None:
        self.origin = origin
        self.runtime = runtime
        self.host = origin.authority
        self.limiter = limiter
        self.traffic = Traffic() if traffic is None else traffic
        self._dialer = dialer
        self._proxy = proxy
        self._idle: deque[Connection] = deque()
        self._descriptors = descriptors
        self._monotonic = monotonic
        # A plain request through a proxy names its origin in the request line (RFC 9112 3.2.2).
        self.forwarded = proxy is not None and origin.scheme == "http"
        descriptors.add_pool(self)
        self._throughput = Throughput(min_throughput, dialer.read_timeout, self._connections, monotonic)

    def take(self, now: float, trusting: bool = True, deadline: float | None = None) -> Connection:
        """An idle connection, or a new one. Raises what `Dialer.dial` raises.

        trusting: do not check one that was idle only for a moment.
        deadline: when opening a new one is given up.
        """
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread has taken it
                break
            if (trusting and now - connection.idle_since < _TRUSTED_IDLE) or not connection.is_stale():
                return connection
            connection.close()
        return self.fresh(deadline)

    def fresh(self, deadline: float | None = None) -> Connection:
        """A new connection, even if others are idle."""
        self._descriptors.make_room()
        if deadline is None:
            stream = with_descriptor(self._dialer.dial, self.origin, self._proxy, descriptors=self._descriptors)
        else:
            stream = self._dial_until(deadline)
        self.traffic.connects += 1
        connection = Connection(stream, self._throughput, self.traffic)
        self._descriptors.add(connection, self.origin)
        return connection

    def _dial_until(self, deadline: float) -> Stream:
        left = deadline - self._monotonic()
        if left <= 0:
            raise past_deadline("before there was a connection")
        try:
            return with_descriptor(self._dialer.dial, self.origin, self._proxy, left, descriptors=self._descriptors)
        except RequestTimeoutError as error:
            if self._monotonic() >= deadline:
                raise past_deadline("before there was a connection") from error
            raise

    def _connections(self) -> list[Connection]:
        """All connections to this origin, of any timeouts and runtime."""
        return self._descriptors.connections(self.origin)

    def give(self, connection: Connection, now: float) -> None:
        """Take back a connection whose response was read completely."""
        if connection.reusable:
            connection.idle_since = now
            self._idle.append(connection)
            if not self._descriptors.watched:
                self._descriptors.watch(self.runtime)
        else:
            connection.close()

    def oldest(self) -> float | None:
        try:
            return self._monotonic() - self._idle[0].idle_since
        except IndexError:
            return None

    def take_oldest(self) -> Connection | None:
        try:
            return self._idle.popleft()
        except IndexError:
            return None

    def forward(self, head: bytes) -> bytes:
        """The request head in the form for a forward proxy."""
        assert self._proxy is not None
        method, _, rest = head.partition(b" ")
        line, _, fields = rest.partition(b"\r\n")
        if self._proxy.authorization:
            fields = b"proxy-authorization: " + self._proxy.authorization.encode("latin-1") + b"\r\n" + fields
        return method + b" " + str(self.origin).encode("ascii") + line + b"\r\n" + fields

    def close(self) -> None:
        """Close the idle connections."""
        with suppress(IndexError):  # another thread may take the last one
            while True:
                self._idle.pop().close()
        self._descriptors.wake_watcher()

    def forget(self) -> None:
        """In the child after a fork: drop the idle connections without sending anything. They belong to the parent."""
        while self._idle:
            self._idle.pop().forget()
