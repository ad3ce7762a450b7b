"""OS threads: plain sockets, plain waits.

A waiting worker checks every half second whether its batch was cancelled, so that a cancelled batch ends within a
second, however long the server takes to respond.
"""

from __future__ import annotations

import math
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, cast

from cloudfiles.runtime import cancellation
from cloudfiles.runtime.cancellation import Cancellation, Cancelled, check_cancelled, current_cancellation
from cloudfiles.runtime.connect import AddressInfo, connect_first, poll_writable
from cloudfiles.runtime.contract import Runtime, Signal, Stream, T, WorkerGroup

if TYPE_CHECKING:
    import ssl

TICK = 0.5
"""Seconds between two checks for cancellation."""

PIECE = 256 * 1024
"""Bytes passed to a socket at once. TLS sends all or none of them, and the timeout applies to each piece."""

_TRUSTED = 0.001
"""Seconds after a receive for which the stream of a worker is not looked at. Most of them send the next request sooner,
and each look would hand the interpreter lock to another one, which costs a fourth of the rate."""


def cancellable_timeout(timeout: float | None) -> float | None:
    """`timeout`, or less if the caller is itself a worker and has to check for its own cancellation."""
    work = current_cancellation()
    if work is None:
        return timeout
    work.check()
    return TICK if timeout is None else min(TICK, timeout)


_TICK_ERRORS = (TimeoutError, BlockingIOError)
"""Raised at the end of a tick; BlockingIOError if the kernel measures it."""


class ThreadStream:
    """A blocking socket. Its own timeout is one tick; the read timeout is several of them."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self.timeout = timeout
        self.peer: Any = None
        self.on_wait: Callable[[float], None] | None = None
        self._is_interrupted = False
        self._recv_into = sock.recv_into
        self._received_at = -math.inf
        self._is_stale = idle_check(sock)
        _set_tick(sock, min(TICK, timeout))

    def send(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        while view:
            view = view[self.send_some(view) :]

    def send_some(self, data: memoryview) -> int:
        check_cancelled()  # a cancelled worker that was blocked, such as in the resolver, sends no more requests
        view = data[:PIECE]
        try:
            return self._sock.send(view)
        except _TICK_ERRORS:
            return self._retry_ticks(self._sock.send, view, self.timeout - TICK)

    def receive_into(self, buffer: memoryview) -> int:
        try:
            count = self._recv_into(buffer)
        except _TICK_ERRORS:
            count = self._retry_ticks(self._recv_into, buffer, self.timeout - TICK, self.on_wait)
        self._received_at = time.monotonic()
        return count or self._end()

    def _end(self) -> int:
        """0 for the end of the stream. Raises ConnectionAbortedError if it was interrupted, and may not be complete."""
        if self._is_interrupted:
            raise ConnectionAbortedError("interrupted")
        return 0

    def _retry_ticks(self, operation: Callable[[memoryview], int], data: memoryview, timeout: float,
                     on_wait: Callable[[float], None] | None = None) -> int:
        now = time.monotonic()
        began, deadline = now - TICK, now + timeout
        while True:
            check_cancelled()
            if now >= deadline:
                raise TimeoutError("read timed out")
            if on_wait is not None:
                on_wait(now - began)
            try:
                return operation(data)
            except _TICK_ERRORS:
                now = time.monotonic()

    def tls_session(self) -> ssl.SSLSession | None:
        return getattr(self._sock, "session", None)

    def is_stale(self) -> bool:
        is_trusted = current_cancellation() is not None and time.monotonic() - self._received_at < _TRUSTED
        return not is_trusted and self._is_stale()

    def interrupt(self) -> None:
        self._is_interrupted = True
        shut_down(self._sock)

    def close(self) -> None:
        close_quietly(self._sock)

    def forget(self) -> None:
        close_quietly(self._sock)


def idle_check(sock: socket.socket) -> Callable[[], bool]:
    """A function that tells whether an idle socket was closed by the other side, or has received something.

    It is called before each request, and takes half as long if what it needs is kept.
    """
    pending: Callable[[], int] = getattr(sock, "pending", int)  # bytes that TLS has decrypted already
    if not hasattr(select, "poll"):
        return lambda: bool(pending() or select.select([sock], [], [], 0)[0])
    poller = select.poll()
    poller.register(sock.fileno(), select.POLLIN)
    poll = poller.poll
    if pending is int:
        return lambda: bool(poll(0))
    return lambda: bool(pending() or poll(0))


def shut_down(sock: socket.socket) -> None:
    """Shut the connection down for whoever waits on the socket, without a TLS message."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not the method of a TLS socket, which drops the state in use


def close_quietly(sock: socket.socket) -> None:
    """Close the socket, ignoring errors."""
    with suppress(OSError):
        sock.close()


def _set_tick(sock: socket.socket, seconds: float) -> None:
    """Limit each wait on the socket to some seconds.

    Python's own timeouts cost a poll before every receive. Those of the kernel cost nothing, but TLS sockets ignore
    them and keep waiting.
    """
    if type(sock) is not socket.socket or os.name == "nt":
        sock.settimeout(seconds)
        return
    sock.settimeout(None)
    timeval = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)


class WakeUp:
    """A wake-up from any thread to one that waits: remembered until it waits, once however often it is given.

    `threading.Event` and `threading.Semaphore` are written in Python: an interrupt of the main thread in the middle of
    them leaves their inner lock taken forever, and whoever uses them next hangs. Here each step is one call in C.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        with suppress(RuntimeError):  # is set already
            self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a wake-up, and take it. False after `timeout` seconds without one."""
        return self._lock.acquire(timeout=-1 if timeout is None else timeout)


class _ThreadSignal(WakeUp):
    """A wake-up for a worker, which checks for cancellation while it waits."""

    __slots__ = ()

    def wait(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if super().wait(cancellable_timeout(left)):
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False


class ThreadWorkerGroup(WorkerGroup):
    """Daemon threads, so that a worker blocked in the resolver cannot keep the interpreter from exiting."""

    def __init__(self) -> None:
        super().__init__()
        self._cancellation = Cancellation()
        self._caller = WakeUp()
        self._permits: SimpleQueue[None] = SimpleQueue()  # written in C, as is a `WakeUp`
        self._threads: list[threading.Thread] = []
        self._running = 0
        self._lock = threading.Lock()

    def start(self, work: Callable[[], None], count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=self._run, args=(work,), name="cloudfiles-worker", daemon=True)
            with self._lock:
                self._running += 1
            self._threads.append(thread)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads: use those that were started
                self._threads.pop()
                with self._lock:
                    self._running -= 1
                if not self._threads:
                    raise
                return

    def _run(self, work: Callable[[], None]) -> None:
        try:
            with self._cancellation.current():
                work()
        except Cancelled:
            pass
        finally:
            with self._lock:
                self._running -= 1
            self._caller.set()

    def wake_caller(self) -> None:
        self._caller.set()

    def wait_caller(self, timeout: float | None = None) -> None:
        self._caller.wait(cancellable_timeout(timeout))

    def wake_workers(self, count: int) -> None:
        for _ in range(count):
            self._permits.put(None)

    def wait_worker(self) -> None:
        while True:
            try:
                self._permits.get(timeout=TICK)
            except Empty:
                check_cancelled()
            else:
                check_cancelled()
                return

    @property
    def finished(self) -> bool:
        return self._running == 0 or self.is_of_parent

    @property
    def is_cancelled(self) -> bool:
        return self._cancellation.is_cancelled

    def kill(self) -> None:
        self._cancellation.cancel()
        self.wake_workers(max(1, len(self._threads)))

    def cancel(self) -> None:
        self.kill()
        deadline = time.monotonic() + cancellation.GRACE_SECONDS
        for thread in self._threads:
            with suppress(RuntimeError):  # a Ctrl-C has kept it from starting
                thread.join(max(0.0, deadline - time.monotonic()))
        self._cancellation.wait_for_file_operations(time.sleep)


class ThreadRuntime(Runtime):
    """Waits block the current thread."""

    name = "threads"

    def worker_group(self) -> WorkerGroup:
        return ThreadWorkerGroup()

    def cpu_seconds(self) -> float:
        return time.process_time()

    def signal(self) -> Signal:
        return _ThreadSignal()

    def resolve(self, host: str, port: int) -> list[AddressInfo]:
        # As bytes: `socket` imports the IDNA codec for a str, even an ASCII one.
        name = host.encode("ascii") if host.isascii() else host
        return cast(list[AddressInfo], socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))

    def connect(self, addresses: Iterable[AddressInfo], timeout: float,
                failed: Callable[[AddressInfo], None]) -> tuple[socket.socket, AddressInfo]:
        sock, address = connect_first(addresses, timeout, failed, socket.socket, _await_writable)
        sock.settimeout(timeout)
        return sock, address

    def ssl_context(self, ca_bundle: str | None) -> ssl.SSLContext:
        import ssl  # takes long, and plain HTTP does not need it

        return ssl.create_default_context(cafile=ca_bundle)

    def stream(self, sock: socket.socket, timeout: float) -> Stream:
        return ThreadStream(sock, timeout)

    def sleep(self, seconds: float) -> None:
        work = current_cancellation()
        if work is None:
            time.sleep(seconds)
        else:
            work.wait(seconds)

    def run_in_thread(self, function: Callable[..., T], *args: Any) -> T:
        return function(*args)  # this is a native thread already


def _await_writable(sockets: list[Any], seconds: float) -> list[Any]:
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        ready = poll_writable(select, sockets, max(0.0, min(TICK, left)))
        if ready or left <= TICK:
            return ready
        check_cancelled()
