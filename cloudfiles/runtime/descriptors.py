"""The descriptors of the process: how many connections it keeps, and what happens when there are no more.

An idle connection holds a descriptor for a request that may never come. So those of the whole process, whatever their
runtime, origin and timeouts, share one budget; they are closed after a minute; and where the system refuses a
descriptor to anything here, the oldest idle ones are closed and it is tried again at once.
"""

from __future__ import annotations

import errno
import heapq
import os
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, Protocol

from cloudfiles.runtime.base import Runtime, T

IDLE_SECONDS = 60.0
"""Seconds of idleness after which a connection is closed."""

_LOOK = 15.0
"""Seconds between two looks for such connections."""

_MOST = 1024
"""Connections that are kept at the most, however many descriptors there are."""

_NO_LIMIT = 512
"""Descriptors where the system tells no limit: what the C library of Windows has."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})


def descriptor_limit() -> int:
    """Descriptors that this process may have open, as it stands now."""
    try:
        import resource
    except ImportError:
        return _NO_LIMIT
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def connection_budget() -> int:
    """Connections that the process keeps open: half of its descriptors, 1024 at the most."""
    return max(1, min(_MOST, descriptor_limit() // 2))


class Closable(Protocol):
    def close(self) -> None: ...


class IdlePool(Protocol):
    """Idle connections of one runtime.

    Attributes:
        runtime: in whose thread they are closed.
    """

    runtime: Runtime

    def oldest(self) -> float | None:
        """Seconds that the one idle for longest has been idle; None where none is."""

    def take_oldest(self) -> Closable | None:
        """That one, from now on the caller's; None where none is."""


class DescriptorBudget:
    """What the pools of a process have open.

    Attributes:
        watched: whether a thread closes what was idle for long. Pools look at it when a connection becomes idle.
    """

    def __init__(self, budget: Callable[[], int] = connection_budget) -> None:
        self.watched = False
        self._budget = budget
        self._lock = threading.RLock()  # never held over a wait; what the collector ends may come here again
        self._pools: weakref.WeakSet[Any] = weakref.WeakSet()
        self._connections: weakref.WeakKeyDictionary[Any, Hashable] = weakref.WeakKeyDictionary()  # to their origins
        self._waker: Any = None

    def add_pool(self, pool: IdlePool) -> None:
        with self._lock:
            self._pools.add(pool)

    def add(self, connection: Any, origin: Hashable) -> None:
        """Count a connection, for as long as the object lives."""
        with self._lock:
            self._connections[connection] = origin

    def connections(self, origin: Hashable) -> list[Any]:
        """Those to `origin`, idle or not."""
        with self._lock:
            return [connection for connection, to in self._connections.items() if to == origin]

    # ---- within the budget

    def make_room(self) -> None:
        """Before a connection is opened: close the oldest idle ones where the budget is used up."""
        if not self.watched:
            self.close_expired()
        budget = self._budget()
        over = len(self._connections) + 1 - budget
        if over > 0:
            _close(self._take(max(over, budget // 8)), wait=False)

    def close_expired(self) -> None:
        """Close what has been idle for longer than IDLE_SECONDS."""
        _close(self._take(len(self._connections), IDLE_SECONDS), wait=False)

    def free(self) -> int:
        """Close the oldest idle connections, a good part of them at once; how many."""
        idle = self._take(max(1, len(self._connections) // 8))
        _close(idle, wait=True)
        return len(idle)

    def _take(self, most: int, least_age: float = 0.0) -> list[tuple[Runtime, Closable]]:
        """Up to `most` of the idle connections, those idle for longest first."""
        taken: list[tuple[Runtime, Closable]] = []
        ages = [(-age, number, pool) for number, pool in enumerate(self._idle_pools())
                if (age := pool.oldest()) is not None]
        heapq.heapify(ages)
        while ages and len(taken) < most and -ages[0][0] >= least_age:
            _, number, pool = ages[0]
            connection = pool.take_oldest()
            if connection is not None:
                taken.append((pool.runtime, connection))
            age = pool.oldest()
            if age is None:
                heapq.heappop(ages)
            else:
                heapq.heapreplace(ages, (-age, number, pool))
        return taken

    def _idle_pools(self) -> list[IdlePool]:
        with self._lock:
            return list(self._pools)

    # ---- by time

    def watch(self, runtime: Runtime) -> None:
        """A connection of `runtime` has become idle: have a thread close it in time.

        A program of one thread stays one: it can then be forked without a warning. What it has idle is looked at when
        it opens its next connection.
        """
        if runtime.name != "green" and threading.active_count() == 1:
            return
        with self._lock:
            if self.watched:
                return
            waker = threading.Lock()
            waker.acquire()
            thread = threading.Thread(target=self._watch, args=(waker,), name="cloudfiles-idle", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is ending
                return
            self.watched, self._waker = True, waker

    def _watch(self, waker: Any) -> None:
        while True:
            waker.acquire(timeout=_LOOK)
            self.close_expired()
            with self._lock:
                self.watched = False  # first: what becomes idle from now on asks for a thread
                if all(pool.oldest() is None for pool in list(self._pools)):
                    self._waker = None
                    return
                self.watched = True

    def look(self) -> None:
        """Have the thread, if there is one, look now: where nothing is idle any more, it ends."""
        waker = self._waker
        if waker is not None:
            with suppress(RuntimeError):  # woken already
                waker.release()

    def forget(self) -> None:
        """After a fork, in the child: all of that is the parent's."""
        self._lock = threading.RLock()
        self._connections = weakref.WeakKeyDictionary()
        self._pools = weakref.WeakSet()
        self._waker = None
        self.watched = False


def _close(taken: list[tuple[Runtime, Closable]], wait: bool) -> None:
    """Close each in the thread of its runtime. wait: until they are closed."""
    by_runtime: dict[Runtime, list[Closable]] = {}
    for runtime, connection in taken:
        by_runtime.setdefault(runtime, []).append(connection)
    for runtime, connections in by_runtime.items():

        def close_all(connections: list[Closable] = connections) -> None:
            for connection in connections:
                connection.close()

        with suppress(ValueError):  # the runtime's hub has ended, and its streams with it
            if wait:
                runtime.call(close_all)
            else:
                runtime.post(close_all)


process_descriptors = DescriptorBudget()
"""What this process has open."""


# ---- where they run out


def is_descriptor_shortage(error: BaseException | None) -> bool:
    """Whether `error` came about because the system had no descriptor to give.

    Resolving names and loading certificates fail in words of their own where they cannot open their files: then it is
    asked whether there is a descriptor now.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _EXHAUSTED:
            return True
        if isinstance(error, socket.gaierror | ssl.SSLCertVerificationError) and is_exhausted():
            return True
        error = error.__cause__
    return False


def is_exhausted() -> bool:
    """Whether the system has no descriptor to give now."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in _EXHAUSTED
    return False


def require(count: int) -> None:
    """Raise OSError unless the process can open `count` descriptors more."""
    opened: list[int] = []
    try:
        while len(opened) < count:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def with_descriptor(function: Callable[..., T], *args: Any, descriptors: DescriptorBudget = process_descriptors) -> T:
    """`function(*args)`; as often as it fails for want of a descriptor while there are idle connections to close."""
    while True:
        try:
            return function(*args)
        except Exception as error:
            if not is_descriptor_shortage(error) or not descriptors.free():
                raise


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=process_descriptors.forget)
