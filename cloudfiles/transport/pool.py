"""The idle connections to one origin."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from cloudfiles.transport.connection import Connection
from cloudfiles.transport.dial import Dialer, Proxy
from cloudfiles.transport.limiter import Limiter
from cloudfiles.transport.request import Origin

_MAX_IDLE = 256
"""Connections kept; more than a batch has workers, fewer than a process has descriptors."""

_TRUSTED_IDLE = 1.0
"""Seconds of idleness after which a connection is looked at before use. Servers close idle ones
after five seconds at the earliest; within a batch the look would be a system call for nothing."""


class Pool:
    """Last in, first out: the connection used last is the one most surely alive.

    Taking and giving are one deque operation each, atomic under the interpreter's lock;
    some 0.1 us, which is why workers need not keep a connection of their own.
    """

    def __init__(self, origin: Origin, dialer: Dialer, proxy: Proxy | None, limiter: Limiter) -> None:
        self.origin = origin
        self.host = origin.authority
        self.limiter = limiter
        self._dialer = dialer
        self._proxy = proxy
        self._idle: deque[Connection] = deque()
        # A plain request through a proxy names its origin in the request line (RFC 9112 3.2.2).
        self.forwarded = proxy is not None and origin.scheme == "http"

    def take(self, now: float, trusting: bool = True) -> Connection:
        """An idle connection, or a new one. Raises what `Dialer.dial` raises.

        trusting: one that was idle for a moment only is not looked at before use.
        """
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if (trusting and now - connection.idle_since < _TRUSTED_IDLE) or not connection.is_stale():
                return connection
            connection.close()
        return self.fresh()

    def fresh(self) -> Connection:
        """A new connection, whatever is idle: after one was found closed, its siblings likely are too."""
        return Connection(self._dialer.dial(self.origin, self._proxy))

    def give(self, connection: Connection, now: float) -> None:
        """Take back a connection whose answer was read whole."""
        if connection.reusable and len(self._idle) < _MAX_IDLE:
            connection.idle_since = now
            self._idle.append(connection)
        else:
            connection.close()

    def forward(self, head: bytes) -> bytes:
        """The request head in the form that a forward proxy takes."""
        assert self._proxy is not None
        method, _, rest = head.partition(b" ")
        line, _, fields = rest.partition(b"\r\n")
        if self._proxy.authorization:
            fields = b"proxy-authorization: " + self._proxy.authorization.encode("latin-1") + b"\r\n" + fields
        return method + b" " + str(self.origin).encode("ascii") + line + b"\r\n" + fields

    def close(self) -> None:
        """Close what is idle."""
        with suppress(IndexError):  # another thread may take the last one
            while True:
                self._idle.pop().close()

    def forget(self) -> None:
        """Let go of what is idle without a word on the wire: after a fork it is the parent's."""
        while self._idle:
            self._idle.pop().forget()
