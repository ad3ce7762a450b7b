"""Green threads on gevent, without patching anything.

A `GreenRuntime` belongs to one hub and so to one thread. A caller in that thread is a
greenlet like the workers (`HereCrew`); any other caller waits with a native primitive
(`ElsewhereCrew`), while the workers run in the engine's hub (`engine.py`).
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
import weakref
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, cast

import gevent
import gevent.event
import gevent.lock
import gevent.socket
import gevent.ssl
import gevent.threadpool
from gevent._hub_local import get_hub_if_exists  # gevent has no public way to ask without making one

from cloudfiles.runtime import cancellation
from cloudfiles.runtime.base import Runtime, Stream, T, WorkerGroup
from cloudfiles.runtime.cancellation import Cancellation, Cancelled
from cloudfiles.runtime.hub_calls import HubCalls
from cloudfiles.runtime.threads import PIECE, cancellable_timeout, close_quietly, connect_first, is_readable

_NEVER = float("inf")
_CLOSE_TICKS = 50
"""Hundredths of a second that worker groups get to end before their hub does."""

_READ = 1


class GreenCancelled(Cancelled, gevent.GreenletExit):  # type: ignore[misc]  # gevent has no types
    """Cancelled, of a kind whose passing a greenlet's end does not report."""


class Watchdog:
    """The read timeouts of all streams of one hub, by one timer.

    A timer a request would cost as much as the rest of a small exchange. Here a request
    only notes its deadline; once in a while the watchdog shuts down the sockets whose
    deadline has passed, which wakes the greenlets that wait on them.
    """

    def __init__(self, hub: Any) -> None:
        self._hub = hub
        self._streams: set[GreenStream] = set()
        self._timer: Any = None
        self._period = _NEVER
        self._looked = 0.0

    def add(self, stream: GreenStream, timeout: float) -> None:
        self._streams.add(stream)
        period = min(1.0, timeout / 4)
        if self._timer is None or period < self._period:
            self._stop()
            self._period = period
            # ref=False: a pending look at idle streams must not keep a hub from ending.
            self._timer = self._hub.loop.timer(period, period, ref=False)
            # Weakly: a started timer lives as long as the loop, and so would all that is kept for a hub.
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
        """Expire the streams whose deadline has passed."""
        late = max(0.0, now - self._looked - self._period)  # the program kept the hub from running: nobody was silent
        self._looked = now
        for stream in self._streams:
            stream.deadline += late
            if stream.deadline < now:
                stream.expire()


def _look(reference: weakref.ref[Watchdog]) -> None:
    watchdog = reference()
    if watchdog is not None:
        watchdog.look(time.monotonic())


class GreenStream:
    """A gevent socket whose waits are bounded by the hub's watchdog."""

    def __init__(self, sock: Any, timeout: float, hub: Any, watchdog: Watchdog) -> None:
        self.deadline = _NEVER
        self._sock = sock
        self.timeout = timeout
        self._hub = hub
        self._watchdog = watchdog
        self._expired = False
        # Right after a request nothing can have come: waiting first saves a system call that
        # fails. A TLS socket may hold decrypted bytes that its descriptor knows nothing of.
        self._readable = None if isinstance(sock, gevent.ssl.SSLSocket) else hub.loop.io(sock.fileno(), _READ)
        self._just_sent = False
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
        return count

    def _reason(self, error: OSError) -> OSError:
        return TimeoutError("read timed out") if self._expired else error

    def expire(self) -> None:
        """End the waits on the socket, from the hub: it may not block, nor touch the TLS state in use."""
        self._expired = True
        try:
            twin = socket.socket(fileno=self._sock.fileno())  # a descriptor of its own there may be none
            try:
                twin.shutdown(socket.SHUT_RDWR)
            finally:
                twin.detach()
        except OSError:
            self.deadline = _NEVER  # gone already: whoever waits has been told

    def is_stale(self) -> bool:
        return is_readable(self._sock)

    def close(self) -> None:
        self._watchdog.discard(self)
        if self._readable is not None:
            self._readable.close()
            self._readable = None
        close_quietly(self._sock)

    def forget(self) -> None:
        os.close(self._sock._sock.detach())  # below gevent, which would tell the loop: that is the parent's too


class GreenWorkerGroup(WorkerGroup):
    """Greenlets of one hub. Subclasses know where the caller is."""

    def __init__(self, runtime: GreenRuntime) -> None:
        self._runtime = runtime
        self._greenlets: list[Any] = []
        self._running = 0
        self._cancellation = Cancellation()
        self._is_killed = False
        self._permits = gevent.lock.Semaphore(0)

    def start(self, work: Callable[[], None], count: int) -> None:
        self._running += count
        self._runtime.worker_groups.add(self)
        self._in_hub(self._spawn, work, count)

    def _in_hub(self, function: Callable[..., None], *args: Any) -> None:
        """Run `function` in the hub's thread; where that is this thread, at once."""
        function(*args)

    def _spawn(self, work: Callable[[], None], count: int) -> None:
        for _ in range(count):
            greenlet = gevent.Greenlet(self._run, work)
            greenlet.link(self._ended)
            self._greenlets.append(greenlet)
            greenlet.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            with self._cancellation.current():
                work()
        except Cancelled:
            return

    def _ended(self, greenlet: Any) -> None:
        self._running -= 1
        if self._running == 0:
            self._runtime.worker_groups.discard(self)
            self.wake_caller()

    def wake_workers(self, count: int) -> None:
        self._in_hub(self._release, count)

    def _release(self, count: int) -> None:
        for _ in range(count):
            self._permits.release()

    def wait_worker(self) -> None:
        self._permits.acquire()

    @property
    def finished(self) -> bool:
        return self._running == 0

    @property
    def is_cancelled(self) -> bool:
        return self._cancellation.is_cancelled

    def cancel(self) -> None:
        self._cancellation.cancel()
        self._in_hub(self.kill)
        since = time.monotonic()
        while not self.finished and self._may_end(time.monotonic() - since):
            self._pause(0.05)
        self._cancellation.wait_for_file_operations(self._pause)

    def _may_end(self, waited: float) -> bool:
        """Whether to wait on: those that were told need a moment, a hub that is blocked tells them later."""
        return waited < (cancellation.GRACE_SECONDS if self._is_killed else cancellation.FILE_GRACE_SECONDS)

    @abstractmethod
    def _pause(self, seconds: float | None) -> None:
        """In the caller: wait, for the workers' end or so long, whatever the caller itself works for."""

    def kill(self) -> None:
        """In the hub's thread: throw Cancelled into the workers, without waiting for their end."""
        self._cancellation.cancel()
        gevent.killall(self._greenlets, GreenCancelled, block=False)
        self._is_killed = True


class SameHubWorkerGroup(GreenWorkerGroup):
    """The caller is a greenlet of the same hub."""

    def __init__(self, runtime: GreenRuntime) -> None:
        super().__init__(runtime)
        self._caller = gevent.event.Event()

    def wake_caller(self) -> None:
        self._caller.set()

    def wait_caller(self, timeout: float | None = None) -> None:
        self._pause(timeout)

    def _pause(self, seconds: float | None) -> None:
        self._caller.wait(seconds)
        self._caller.clear()


class CrossThreadWorkerGroup(GreenWorkerGroup):
    """The caller is a native thread that has no hub, and gets none. It may itself be a worker."""

    def __init__(self, runtime: GreenRuntime) -> None:
        super().__init__(runtime)
        self._caller = threading.Event()

    def _in_hub(self, function: Callable[..., None], *args: Any) -> None:
        self._runtime.post(function, *args)

    def wake_caller(self) -> None:
        self._caller.set()

    def wait_caller(self, timeout: float | None = None) -> None:
        self._pause(cancellable_timeout(timeout))

    def _pause(self, seconds: float | None) -> None:
        self._caller.wait(seconds)
        self._caller.clear()


class Stoppable(Protocol):
    """What runs in a hub and can be stopped there: a worker group, or a call that a coroutine awaits."""

    def kill(self) -> None: ...


class GreenRuntime(Runtime):
    """Waits park the greenlet they are in.

    Made in its hub's thread; only `worker_group`, `call` and `post` may be called from another.

    Attributes:
        worker_groups: what is at work.
    """

    name = "green"

    def __init__(self, hub: Any) -> None:
        super().__init__()
        self.worker_groups: set[Stoppable] = set()
        self._hub = hub
        self._watchdog = Watchdog(hub)
        self._calls = HubCalls(hub)
        self._pool: gevent.threadpool.ThreadPool | None = None
        self._closed = False
        self._closing = threading.Lock()

    def _is_hub_thread(self) -> bool:
        return get_hub_if_exists() is self._hub  # a thread's number will not do: patched, each greenlet has its own

    def worker_group(self) -> WorkerGroup:
        return SameHubWorkerGroup(self) if self._is_hub_thread() else CrossThreadWorkerGroup(self)

    def post(self, function: Callable[..., None], *args: Any) -> bool:
        """From another thread: have `function` run in the hub. Gives whether it will: after `close` nothing does."""
        with self._closing:
            if not self._closed:
                self._calls.add(function, *args)
            return not self._closed

    def call(self, function: Callable[[], None]) -> None:
        if self._is_hub_thread():
            function()
            return
        done = threading.Event()

        def run() -> None:
            function()
            done.set()

        self.post(run)
        done.wait(0.0 if self._closed else 1.0)

    def close(self) -> None:
        """In the hub's thread, before the hub ends: stop the worker groups, close what is kept."""
        with self._closing:
            self._closed = True
        self._calls.close()
        worker_groups = list(self.worker_groups)
        for worker_group in worker_groups:
            worker_group.kill()
        for _ in range(_CLOSE_TICKS):
            if self.worker_groups:
                gevent.sleep(0.01)
        self.close_resources()
        if self._pool is not None:
            self._pool.kill()

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        addresses = gevent.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return connect_first(addresses, timeout, _connect)

    def ssl_context(self, ca_bundle: str | None) -> ssl.SSLContext:
        # Not create_default_context: unpatched, it makes a context whose sockets would block the hub.
        context: ssl.SSLContext = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if ca_bundle:
            context.load_verify_locations(ca_bundle)
        else:
            context.load_default_certs()
        return context

    def stream(self, sock: socket.socket, timeout: float) -> Stream:
        return GreenStream(sock, timeout, self._hub, self._watchdog)

    def sleep(self, seconds: float) -> None:
        gevent.sleep(seconds)

    def run_in_thread(self, function: Callable[..., T], *args: Any) -> T:
        if not self._is_hub_thread():  # but on such a thread already
            return function(*args)
        if self._pool is None:
            self._pool = gevent.threadpool.ThreadPool(os.cpu_count() or 2, hub=self._hub)
        call = Cancellation()
        outcome = self._pool.spawn(_call_in_pool, call, function, *args)
        try:
            result, error = outcome.get()
        except BaseException:
            call.cancel()
            call.wait_for_file_operations(gevent.sleep)
            raise
        if error is not None:
            raise error
        return cast(T, result)


def _call_in_pool(call: Cancellation, function: Callable[..., T], *args: Any) -> tuple[T | None, BaseException | None]:
    """An error is handed over as a value: raised on the pool's thread, gevent would print it as well."""
    try:
        call.check()
        with call.current():
            return function(*args), None
    except (Exception, Cancelled) as error:
        return None, error


def _connect(address: Any, timeout: float) -> Any:
    family, kind, protocol, _, where = address
    sock = gevent.socket.socket(family, kind, protocol)
    try:
        sock.settimeout(timeout)
        sock.connect(where)
    except BaseException:
        sock.close()
        raise
    return sock
