"""The idle connections to one origin."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from cloudfiles.exceptions import RequestTimeoutError
from cloudfiles.runtime.contract import Runtime, Signal, Stream
from cloudfiles.runtime.descriptors import DescriptorBudget, with_descriptor
from cloudfiles.transport.body_memory import process_body_memory
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.deadline import past_deadline
from cloudfiles.transport.dial import Dialer
from cloudfiles.transport.hedger import Hedger
from cloudfiles.transport.proxy import Proxy
from cloudfiles.transport.rate_limit.limiter import Limiter
from cloudfiles.transport.request import Origin
from cloudfiles.transport.throughput import Throughput
from cloudfiles.transport.traffic import Traffic

MAX_HANDSHAKES = 64
"""Connections that are being opened at the same time. Handshakes in TLS take 1-2 ms of CPU time on either side, so more
of them at once only make each other late."""

_CHECK_SECONDS = 0.5
"""Seconds between two checks of a worker that waits for its turn to open a connection."""


class _Waiter:
    """A worker that waits until it may open a connection, or is given one that another worker has given back.

    Attributes:
        given: the connection, if any. A deque, so that of two threads only one can take it out.
        has_left: it does not wait any more.
    """

    __slots__ = ("given", "has_left", "signal")

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self.given: deque[Connection] = deque()
        self.has_left = False


class _Handshake:
    """A connection that is being opened. Counted for as long as the object exists."""


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
        self._memory = partial(process_body_memory().reserved, runtime=runtime)
        self._dialer = dialer
        self._proxy = proxy
        self._idle: deque[Connection] = deque()
        self._handshakes: weakref.WeakSet[_Handshake] = weakref.WeakSet()
        self._waiting: deque[_Waiter] = deque()
        self._last_opened = -math.inf
        self._descriptors = descriptors
        self._monotonic = monotonic
        # A plain request through a proxy names its origin in the request line (RFC 9112 3.2.2).
        self.forwarded = proxy is not None and origin.scheme == "http"
        descriptors.add_pool(self)
        self._throughput = Throughput(min_throughput, dialer.read_timeout, self.connections, monotonic,
                                      lambda: self.traffic.first_byte.last)
        self.hedger: Hedger | None = None

    def take(self, deadline: float | None = None) -> Connection:
        """An idle connection, or a new one. Raises what `Dialer.dial` raises.

        If many are being opened, it waits for its turn, and for one that another worker gives back.

        An idle one that has received something is closed: bytes that were not requested would be taken for the
        response to the next request (RFC 9112 9.2).

        deadline: when opening a new one is given up.
        """
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread has taken it
                break
            try:
                if not connection.is_stale():
                    return connection
            except BaseException:  # Ctrl-C
                connection.close()
                raise
            connection.close()
        if len(self._handshakes) >= MAX_HANDSHAKES or self._waiting:
            given = self._wait_turn(deadline)
            if given is not None:
                return given
        return self.fresh(deadline)

    # ---- opening connections

    def fresh(self, deadline: float | None = None, avoid: Connection | None = None) -> Connection:
        """A new connection, even if others are idle or being opened.

        avoid: one whose address is not used for it, if the host has others.
        """
        handshake, began = _Handshake(), self._monotonic()
        self._handshakes.add(handshake)
        try:
            self._wake_next()
            self._descriptors.make_room()
            address = None if avoid is None else avoid.address
            stream = self._dial(address) if deadline is None else self._dial_until(deadline, address)
            self.traffic.connects += 1
            connection = Connection(stream, self._throughput, self.traffic, self.hedger, self._memory)
            self._descriptors.add(connection, self.origin)
            self._last_opened = connection.opened = self._monotonic()
            connection.dialed = began
            return connection
        finally:
            self._handshakes.discard(handshake)
            self._wake_next()

    def take_other(self, connection: Connection, deadline: float | None = None) -> Connection:
        """A connection beside `connection`, to another address if the host has one. It waits for no turn."""
        address = connection.address
        for other in [*self._idle][::-1]:
            if other.address != address or not self._dialer.has_others(self.origin, address):
                with suppress(ValueError):  # another thread has taken it
                    self._idle.remove(other)
                    if not other.is_stale():
                        return other
                    other.close()
        return self.fresh(deadline, avoid=connection)

    def _dial(self, avoid: Any, max_seconds: float = math.inf) -> Stream:
        return with_descriptor(self._dialer.dial, self.origin, self._proxy, max_seconds, avoid,
                               descriptors=self._descriptors)

    def _dial_until(self, deadline: float, avoid: Any) -> Stream:
        left = deadline - self._monotonic()
        if left <= 0:
            raise past_deadline("before there was a connection")
        try:
            return self._dial(avoid, left)
        except RequestTimeoutError as error:
            if self._monotonic() >= deadline:
                raise past_deadline("before there was a connection") from error
            raise

    def _wait_turn(self, deadline: float | None) -> Connection | None:
        """Wait, first come, first served, for a connection that is given back; None when a new one may be opened."""
        waiter, since = _Waiter(self.runtime.signal()), self._monotonic()
        try:
            self._waiting.append(waiter)
            self._wake_next()  # what happened before this worker could be seen
            while not waiter.given:
                waiter.signal.wait(_CHECK_SECONDS)
                if waiter.given:
                    break
                if self._is_next(waiter):
                    return None
                self._check_wait(since, deadline)
            return waiter.given.pop()
        finally:
            waiter.has_left = True
            with suppress(ValueError):
                self._waiting.remove(waiter)
            self._take_back(waiter)

    def _take_back(self, waiter: _Waiter) -> None:
        """What was given to a waiter that has left."""
        with suppress(IndexError):
            self.give(waiter.given.pop(), self._monotonic())

    def _is_next(self, waiter: _Waiter) -> bool:
        """Whether this waiter may open a connection now."""
        try:
            return len(self._handshakes) < MAX_HANDSHAKES and self._waiting[0] is waiter
        except IndexError:
            return False

    def _check_wait(self, since: float, deadline: float | None) -> None:
        """Raise an error if the deadline has passed, or no connection could be opened for the connect timeout."""
        now = self._monotonic()
        if deadline is not None and now >= deadline:
            raise past_deadline("before there was a connection")
        if now - max(since, self._last_opened) >= self._dialer.connect_timeout:
            raise RequestTimeoutError(f"{self.origin}: connecting timed out, as did {MAX_HANDSHAKES} other connections")

    def _wake_next(self) -> None:
        """Let the first waiter go on, if there is a connection for it, or it may open one."""
        if not self._waiting:
            return
        if self._idle:
            self._hand_over()
        elif len(self._handshakes) < MAX_HANDSHAKES:
            with suppress(IndexError):  # another thread has taken the last one
                self._waiting[0].signal.set()

    def _hand_over(self) -> None:
        """Pass an idle connection to the first waiter."""
        try:
            waiter = self._waiting.popleft()
        except IndexError:  # it has got another one
            return
        try:
            waiter.given.append(self._idle.pop())
        except IndexError:
            self._waiting.appendleft(waiter)
            return
        waiter.signal.set()
        if waiter.has_left:
            self._take_back(waiter)

    def failed(self, connection: Connection) -> None:
        """A request got no response on `connection`: other addresses are preferred for a while, if there are any."""
        if not connection.has_response_bytes and not self._proxy:
            self._dialer.address_failed(self.origin, connection.address)

    def connections(self) -> list[Connection]:
        """All connections to this origin, of any timeouts and runtime."""
        return self._descriptors.connections(self.origin)

    def give(self, connection: Connection, now: float) -> None:
        """Take back a connection whose response was read completely."""
        if connection.reusable:
            if connection.responses == 1:
                self._note_first(connection, self._monotonic())
                self._dialer.keep_session(self.origin, connection.tls_session())
            connection.idle_since = now
            self._idle.append(connection)
            if self._waiting:
                self._hand_over()
            if not self._descriptors.watched:
                self._descriptors.watch(self.runtime)
        else:
            connection.close()

    def _note_first(self, connection: Connection, now: float) -> None:
        """Its first response is complete. Opening a connection and a request take two round trips or more, whenever the
        server does what it does for a new connection; a request alone takes one or more."""
        round_trip = min(now - connection.opened, (now - connection.dialed) / 2)
        self.traffic.first_responses.append((now, round_trip))

    def oldest(self) -> float | None:
        try:
            return self._monotonic() - self._idle[0].idle_since
        except IndexError:
            return None

    def idle_count(self) -> int:
        return len(self._idle)

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
