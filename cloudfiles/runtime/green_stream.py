"""Streams of green threads: their waits suspend a greenlet, with one timer for all read timeouts of a hub."""

from __future__ import annotations

import os
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from typing import Any

import gevent.ssl

from cloudfiles.runtime.threads import PIECE, close_quietly, idle_check

_NEVER = float("inf")
_READ = 1

_PERIOD = 0.1
"""Seconds between two looks of a watchdog."""

_LONG = 0.5
"""Seconds from which a wait is reported."""


class Watchdog:
    """Enforces the read timeouts of all streams of one hub with one timer, and reports waits that take long.

    A timer per request would cost as much as the rest of a small exchange. Here a request only sets its deadline. From
    time to time the watchdog shuts down the sockets whose deadline has passed, which wakes the greenlets that wait.
    """

    def __init__(self, hub: Any) -> None:
        self._hub = hub
        self._streams: set[GreenStream] = set()
        self._timer: Any = None
        self._period = _NEVER
        self._looked = 0.0

    def add(self, stream: GreenStream, timeout: float) -> None:
        self._streams.add(stream)
        period = min(_PERIOD, timeout / 4)
        if self._timer is None or period < self._period:
            self._stop()
            self._period = period
            # ref=False: the timer must not keep a hub from ending.
            self._timer = self._hub.loop.timer(period, period, ref=False)
            # A weak reference: a started timer lives as long as the loop, and so would everything it refers to.
            self._timer.start(_look, weakref.ref(self))
            self._looked = time.monotonic()

    def discard(self, stream: GreenStream) -> None:
        self._streams.discard(stream)
        if not self._streams:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None
            self._period = _NEVER

    def look(self, now: float) -> None:
        """Expire the streams whose deadline has passed; call `on_wait` of those that have waited for long."""
        late = max(0.0, now - self._looked - self._period)  # the program has blocked the hub: that time does not count
        self._looked = now
        waiting = []
        for stream in self._streams:
            stream.deadline += late
            if stream.deadline < now:
                stream.expire()
            elif stream.on_wait is not None and now - stream.deadline + stream.timeout >= _LONG:
                waiting.append(stream)
        for stream in waiting:
            if stream.on_wait is not None:  # it may have been closed by the call for another one
                stream.on_wait(now - stream.deadline + stream.timeout)


def _look(reference: weakref.ref[Watchdog]) -> None:
    watchdog = reference()
    if watchdog is not None:
        watchdog.look(time.monotonic())


class GreenStream:
    """A gevent socket whose waits are limited by the watchdog of the hub."""

    def __init__(self, sock: Any, timeout: float, hub: Any, watchdog: Watchdog) -> None:
        self.deadline = _NEVER
        self.on_wait: Callable[[float], None] | None = None
        self._sock = sock
        self.timeout = timeout
        self.peer: Any = None
        self._hub = hub
        self._watchdog = watchdog
        self._expired = False
        self._is_interrupted = False
        # Right after a request nothing can have been received: waiting first saves a system call that would fail. A TLS
        # socket may hold decrypted bytes, for which its descriptor is not readable.
        self._readable = None if isinstance(sock, gevent.ssl.SSLSocket) else hub.loop.io(sock.fileno(), _READ)
        self._just_sent = False
        self.is_stale = idle_check(sock)
        sock.settimeout(None)
        watchdog.add(self, timeout)

    def send(self, data: bytes | bytearray | memoryview) -> None:
        self._just_sent = True
        self.deadline = time.monotonic() + self.timeout
        try:
            sent: int = self._sock.send(data)
        except OSError as error:
            raise self._reason(error) from error
        finally:
            self.deadline = _NEVER
        if sent < len(data):
            view = memoryview(data).cast("B")[sent:]
            while view:
                view = view[self.send_some(view) :]

    def send_some(self, data: memoryview) -> int:
        self._just_sent = True
        self.deadline = time.monotonic() + self.timeout
        try:
            sent: int = self._sock.send(data[:PIECE])
        except OSError as error:
            raise self._reason(error) from error
        finally:
            self.deadline = _NEVER
        return sent

    def receive_into(self, buffer: memoryview) -> int:
        self.deadline = time.monotonic() + self.timeout
        try:
            if self._just_sent and self._readable is not None:
                self._just_sent = False
                self._hub.wait(self._readable)
            count: int = self._sock.recv_into(buffer)
        except OSError as error:
            raise self._reason(error) from error
        finally:
            self.deadline = _NEVER
        if self._expired:
            raise self._reason(TimeoutError())
        if not count and self._is_interrupted:
            raise ConnectionAbortedError("interrupted")  # not the end of the stream
        return count

    def _reason(self, error: OSError) -> OSError:
        return TimeoutError("read timed out") if self._expired else error

    def expire(self) -> None:
        """End the waits on the socket with a TimeoutError."""
        self._expired = True
        self.interrupt()

    def interrupt(self) -> None:
        """Called in the hub, too: must not block, nor use the TLS state."""
        self._is_interrupted = True
        try:
            twin = socket.socket(fileno=self._sock.fileno())  # the same descriptor: there may be no other left
            try:
                twin.shutdown(socket.SHUT_RDWR)
            finally:
                twin.detach()
        except OSError:
            self.deadline = _NEVER  # closed already

    def tls_session(self) -> ssl.SSLSession | None:
        return self._sock.session if isinstance(self._sock, gevent.ssl.SSLSocket) else None

    def close(self) -> None:
        self._watchdog.discard(self)
        if self._readable is not None:
            self._readable.close()
            self._readable = None
        close_quietly(self._sock)

    def forget(self) -> None:
        os.close(self._sock._sock.detach())  # not through gevent, which would notify the loop of the parent
