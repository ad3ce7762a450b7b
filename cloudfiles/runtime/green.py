"""Green threads with gevent, without monkey-patching.

A `GreenRuntime` belongs to one hub and thus to one thread. A caller in that thread is a greenlet like the workers
(`SameHubWorkerGroup`). Any other caller waits with a native primitive (`CrossThreadWorkerGroup`), while the workers run
in the hub of the engine (`hub_engine.py`).
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol, cast

import gevent
import gevent.event
import gevent.lock
import gevent.select
import gevent.socket
from gevent._hub_local import get_hub_if_exists  # gevent has no public function that does not create one

from cloudfiles.late_imports import importing
from cloudfiles.runtime import cancellation
from cloudfiles.runtime.cancellation import Cancellation, Cancelled
from cloudfiles.runtime.connect import AddressInfo, connect_first, poll_writable
from cloudfiles.runtime.contract import Runtime, Signal, Stream, T, WorkerGroup
from cloudfiles.runtime.descriptors import with_opened
from cloudfiles.runtime.forked_hub import TlsContext, cut_off_copies, is_copy, new_socket
from cloudfiles.runtime.green_stream import GreenStream, Watchdog
from cloudfiles.runtime.hub_calls import HubCalls
from cloudfiles.runtime.threads import WakeUp, cancellable_timeout

_CLOSE_TICKS = 50
"""Hundredths of a second that worker groups are given to end before their hub ends."""


class GreenCancelled(Cancelled, gevent.GreenletExit):  # type: ignore[misc]  # gevent has no types
    """Cancelled, as a GreenletExit, so that gevent does not print it."""


def _check_copy() -> None:
    """End the copy of a greenlet of the parent: raises Cancelled."""
    if is_copy():
        raise GreenCancelled


class GreenWorkerGroup(WorkerGroup):
    """Greenlets of one hub. Subclasses implement the signals to the caller."""

    def __init__(self, runtime: GreenRuntime) -> None:
        super().__init__()
        self._runtime = runtime
        self._greenlets: list[Any] = []
        self._running = 0
        self._counting = threading.Lock()  # of _running: the caller adds workers while others end in the hub
        self._cancellation = Cancellation()
        self._is_killed = False
        self._permits = gevent.lock.Semaphore(0)

    def start(self, work: Callable[[], None], count: int) -> None:
        _check_copy()
        with self._counting:
            self._running += count
            self._runtime.worker_groups.add(self)
        self._in_hub(self._spawn, work, count)

    def _in_hub(self, function: Callable[..., None], *args: Any) -> None:
        """Run `function` in the hub's thread; at once if that is this thread."""
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
        with self._counting:
            self._running -= 1
            have_all_ended = self._running == 0
            if have_all_ended:
                self._runtime.worker_groups.discard(self)
        if have_all_ended:
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
        return self._running == 0 or self.is_of_parent

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
        """Whether to keep waiting: greenlets that were killed end soon, but a blocked hub kills them later."""
        return waited < (cancellation.GRACE_SECONDS if self._is_killed else cancellation.FILE_GRACE_SECONDS)

    @abstractmethod
    def _pause(self, seconds: float | None) -> None:
        """In the caller: wait for the end of the workers, for at most this long, cancelled or not."""

    def kill(self) -> None:
        """In the hub's thread: raise Cancelled in the workers."""
        self._cancellation.cancel()
        gevent.killall(self._greenlets, GreenCancelled, block=False)
        self._is_killed = True

    def abandon(self) -> None:
        """The hub has ended: its workers will never run again."""
        self._cancellation.cancel()
        self._running = 0
        self._runtime.worker_groups.discard(self)
        self.wake_caller()


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
    """The caller is a native thread without a hub. It may itself be a worker of another group."""

    def __init__(self, runtime: GreenRuntime) -> None:
        super().__init__(runtime)
        self._caller = WakeUp()

    def _in_hub(self, function: Callable[..., None], *args: Any) -> None:
        if not self._runtime.post(function, *args):  # the hub has ended, perhaps just before this group started
            self.abandon()

    def wake_caller(self) -> None:
        self._caller.set()

    def wait_caller(self, timeout: float | None = None) -> None:
        self._pause(cancellable_timeout(timeout))

    def _pause(self, seconds: float | None) -> None:
        self._caller.wait(seconds)


class _GreenSignal:
    def __init__(self) -> None:
        self._event = gevent.event.Event()

    def set(self) -> None:
        self._event.set()

    def wait(self, timeout: float) -> bool:
        is_set: bool = self._event.wait(timeout)
        self._event.clear()
        return is_set


class Stoppable(Protocol):
    """Runs in a hub and can be stopped there: a worker group, or a call that a coroutine awaits."""

    def kill(self) -> None: ...

    def abandon(self) -> None:
        """The hub ends before this has: wake the waiting caller."""


class GreenRuntime(Runtime):
    """Waits suspend the current greenlet.

    Created in the thread of its hub. Only `worker_group`, `call` and `post` may be called from other threads.

    Attributes:
        worker_groups: the running ones.
    """

    name = "green"

    def __init__(self, hub: Any) -> None:
        super().__init__()
        self.worker_groups: set[Stoppable] = set()
        self._hub = hub
        self._watchdog = Watchdog(hub)
        self._calls = HubCalls(hub)
        self._thread = threading.get_native_id()
        # Not on macOS, nor on Windows. The thread's own id: if patched, each greenlet has another.
        clock_of = getattr(time, "pthread_getcpuclockid", None)
        self._cpu_clock: int | None = None if clock_of is None else clock_of(hub.thread_ident)
        self._pool: Any = None  # of native threads, created when needed
        self._closed = False
        self._closing = threading.Lock()

    def _is_hub_thread(self) -> bool:
        return get_hub_if_exists() is self._hub  # not by thread id: if patched, each greenlet has its own

    def worker_group(self) -> WorkerGroup:
        return SameHubWorkerGroup(self) if self._is_hub_thread() else CrossThreadWorkerGroup(self)

    def cpu_seconds(self) -> float:
        """See the contract. On Linux, with the time in which the thread was ready to run and waited for a core: on a
        busy machine the thread is the limit even if it does not get all of a core."""
        with suppress(OSError, ValueError):
            path = f"/proc/self/task/{self._thread}/schedstat"
            used, waited, _ = with_opened(path, 1, lambda opened: os.read(opened[0], 256)).split()
            return (int(used) + int(waited)) / 1e9
        if self._cpu_clock is not None:
            with suppress(OSError):  # the thread has ended
                return time.clock_gettime(self._cpu_clock)
        return time.process_time()

    def post(self, function: Callable[..., None], *args: Any) -> bool:
        """From another thread: run `function` in the hub. Returns whether it will be run: not after `close`."""
        with self._closing:
            if not self._closed:
                try:
                    self._calls.add(function, *args)
                except ValueError:  # the program has destroyed this hub
                    self._closed = True
            return not self._closed

    def call(self, function: Callable[[], None]) -> None:
        if self._is_hub_thread():
            function()
            return
        done = WakeUp()

        def run() -> None:
            function()
            done.set()

        self.post(run)
        done.wait(0.0 if self._closed else 1.0)

    def close(self) -> None:
        """In the hub's thread, before the hub ends: stop the worker groups, close the resources."""
        with self._closing:
            self._closed = True
        self._calls.close()
        worker_groups = list(self.worker_groups)
        for worker_group in worker_groups:
            worker_group.kill()
        for _ in range(_CLOSE_TICKS):
            if self.worker_groups:
                gevent.sleep(0.01)
        for worker_group in list(self.worker_groups):
            worker_group.abandon()
        self.close_resources()
        if self._pool is not None:
            self._pool.kill()

    def stop_after_fork(self) -> None:
        """In the child after a fork in the thread of this hub: the copies of the parent's greenlets end, without what
        they would do to clean up."""
        cut_off_copies()
        for worker_group in list(self.worker_groups):
            worker_group.kill()

    def signal(self) -> Signal:
        return _GreenSignal()

    def resolve(self, host: str, port: int) -> list[AddressInfo]:
        try:  # in place for an IP address
            answer: Any = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            answer = gevent.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return cast(list[AddressInfo], answer)

    def connect(self, addresses: Iterable[AddressInfo], timeout: float,
                failed: Callable[[AddressInfo], None]) -> tuple[socket.socket, AddressInfo]:
        _check_copy()
        sock, address = connect_first(addresses, timeout, failed, new_socket, _await_writable)
        sock.settimeout(timeout)
        return sock, address

    def ssl_context(self, ca_bundle: str | None) -> ssl.SSLContext:
        context: ssl.SSLContext = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
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
        if not self._is_hub_thread():  # already in such a thread
            return function(*args)
        _check_copy()
        if self._pool is None:
            self._pool = _thread_pool(self._hub)
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


@importing
def _thread_pool(hub: Any) -> Any:
    import gevent.threadpool  # imports dataclasses and inspect

    return gevent.threadpool.ThreadPool(os.cpu_count() or 2, hub=hub)


def _call_in_pool(call: Cancellation, function: Callable[..., T], *args: Any) -> tuple[T | None, BaseException | None]:
    """Errors are returned: gevent would print those that are raised in a thread of its pool."""
    try:
        call.check()
        with call.current():
            return function(*args), None
    except (Exception, Cancelled) as error:
        return None, error


def _await_writable(sockets: list[Any], seconds: float) -> list[Any]:
    if len(sockets) == 1:  # as always, unless an address does not answer: half of the CPU time of a poll
        with suppress(TimeoutError):
            gevent.socket.wait_write(sockets[0].fileno(), seconds)
            return sockets
        return []
    return poll_writable(gevent.select, sockets, seconds)
