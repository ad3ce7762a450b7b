"""File descriptors of the process: how many connections are kept, and what happens when descriptors run out.

An idle connection holds a descriptor for a request that may never be sent. So all connections of the process, of any
runtime, origin and timeouts, share one budget. They are closed after a minute of idleness, those beyond the 20 that a
pool used last after 15 seconds, and those beyond the budget at the end of a batch. If the system has no
descriptor left, the oldest idle ones are closed and the operation is repeated at once.
"""

from __future__ import annotations

import errno
import heapq
import os
import sys
import threading
import weakref
from collections.abc import Callable, Hashable
from contextlib import suppress
from itertools import repeat
from typing import Any, Protocol

from cloudfiles.late_imports import call_again_by
from cloudfiles.runtime.contract import Runtime, T
from cloudfiles.runtime.tls_errors import is_tls_error

IDLE_SECONDS = 60.0
"""Seconds of idleness after which a connection is closed."""

SPARE_CONNECTIONS = 20
"""Idle connections of a pool that are kept for IDLE_SECONDS: enough for the beginning of the next batch."""

SPARE_IDLE_SECONDS = 15.0
"""Seconds of idleness after which connections beyond SPARE_CONNECTIONS are closed: those that a wide batch has left."""

_CHECK_SECONDS = 15.0
"""Seconds between two checks for idle connections."""

_MAX_CONNECTIONS = 1024
"""Maximum number of connections, however many descriptors are allowed."""

_DEFAULT_LIMIT = 512
"""Descriptors if the system has no such limit: that of the C library of Windows."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})


def descriptor_limit() -> int:
    """The current limit on open descriptors of this process."""
    try:
        import resource
    except ImportError:
        return _DEFAULT_LIMIT
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def connection_budget() -> int:
    """Maximum number of open connections: half of the descriptors, at most 1024."""
    return max(1, min(_MAX_CONNECTIONS, descriptor_limit() // 2))


class Closable(Protocol):
    def close(self) -> None: ...


class IdlePool(Protocol):
    """Idle connections of one runtime.

    Attributes:
        runtime: they are closed in its thread.
    """

    runtime: Runtime

    def oldest(self) -> float | None:
        """Seconds for which the oldest connection has been idle; None if there is none."""

    def idle_count(self) -> int: ...

    def take_oldest(self) -> Closable | None:
        """Remove the oldest idle connection and return it; None if there is none."""


class DescriptorBudget:
    """The open connections of all pools of a process.

    Attributes:
        watched: whether a thread closes connections that were idle for long. Checked by pools when a connection
            becomes idle.
        shortages: how often the system had no descriptor left.
    """

    def __init__(self, budget: Callable[[], int] = connection_budget) -> None:
        self.watched = False
        self.shortages = 0
        self._budget = budget
        self._lock = threading.RLock()  # never held while waiting; finalizers may call methods again
        self._pools: weakref.WeakSet[Any] = weakref.WeakSet()
        self._connections: weakref.WeakKeyDictionary[Any, Hashable] = weakref.WeakKeyDictionary()  # to their origins
        self._waker: Any = None

    def add_pool(self, pool: IdlePool) -> None:
        with self._lock:
            self._pools.add(pool)

    def add(self, connection: Any, origin: Hashable) -> None:
        """Count a connection for as long as the object exists."""
        with self._lock:
            self._connections[connection] = origin

    def connections(self, origin: Hashable) -> list[Any]:
        """The connections to `origin`, idle or not."""
        with self._lock:
            return [connection for connection, to in self._connections.items() if to == origin]

    # ---- within the budget

    def make_room(self) -> None:
        """Before a connection is opened: close the oldest idle ones if the budget is used up."""
        if not self.watched:
            self.close_expired()
        budget = self._budget()
        over = len(self._connections) + 1 - budget
        if over > 0:
            _close(self._take(max(over, budget // 8)), wait=False)

    def close_excess(self) -> None:
        """After a batch, whose workers may have used more connections: close the oldest idle ones beyond the budget."""
        excess = len(self._connections) - self._budget() if self._connections else 0
        if excess > 0:
            _close(self._take(excess), wait=True)

    def close_expired(self) -> None:
        """Close connections idle for more than IDLE_SECONDS; in pools that have many, for SPARE_IDLE_SECONDS."""
        expired = self._take(len(self._connections), IDLE_SECONDS)
        for pool in self._idle_pools():
            while pool.idle_count() > SPARE_CONNECTIONS and (pool.oldest() or 0.0) >= SPARE_IDLE_SECONDS:
                connection = pool.take_oldest()
                if connection is not None:
                    expired.append((pool.runtime, connection))
        _close(expired, wait=False)

    def free(self) -> int:
        """Close the oldest idle connections, an eighth of all connections; returns how many."""
        idle = self._take(max(1, len(self._connections) // 8))
        _close(idle, wait=True)
        return len(idle)

    def has_freed_for(self, error: Exception) -> bool:
        """Whether an operation that has failed by `error` may succeed now: it lacked a descriptor, and connections were
        idle, of which the oldest were closed."""
        if not is_descriptor_shortage(error):
            return False
        self.shortages += 1
        return self.free() > 0

    def _take(self, limit: int, min_age: float = 0.0) -> list[tuple[Runtime, Closable]]:
        """Remove up to `limit` idle connections from their pools, the oldest first."""
        taken: list[tuple[Runtime, Closable]] = []
        ages = [(-age, number, pool) for number, pool in enumerate(self._idle_pools())
                if (age := pool.oldest()) is not None]
        heapq.heapify(ages)
        while ages and len(taken) < limit and -ages[0][0] >= min_age:
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
        """A connection of `runtime` has become idle: make sure that a thread closes it later.

        No thread is started in a single-threaded program, so that it can be forked without a warning. Its idle
        connections are checked when it opens the next one.
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
            except RuntimeError:  # no more threads, or the interpreter is exiting
                return
            self.watched, self._waker = True, waker

    def _watch(self, waker: Any) -> None:
        while True:
            waker.acquire(timeout=_CHECK_SECONDS)
            self.close_expired()
            with self._lock:
                self.watched = False  # first, so that connections that become idle from now on start a new thread
                if all(pool.oldest() is None for pool in list(self._pools)):
                    self._waker = None
                    return
                self.watched = True

    def wake_watcher(self) -> None:
        """Let the thread, if there is one, check now: it ends if no connection is idle."""
        waker = self._waker
        if waker is not None:
            with suppress(RuntimeError):  # already awake
                waker.release()

    def forget(self) -> None:
        """In the child after a fork: all connections belong to the parent."""
        self._lock = threading.RLock()
        self._connections = weakref.WeakKeyDictionary()
        self._pools = weakref.WeakSet()
        self._waker = None
        self.watched = False


def _close(taken: list[tuple[Runtime, Closable]], wait: bool) -> None:
    """Close connections in the threads of their runtimes. wait: until they are closed."""
    by_runtime: dict[Runtime, list[Closable]] = {}
    for runtime, connection in taken:
        by_runtime.setdefault(runtime, []).append(connection)
    for runtime, connections in by_runtime.items():

        def close_all(connections: list[Closable] = connections) -> None:
            for connection in connections:
                connection.close()

        with suppress(ValueError):  # the hub of the runtime has ended, and its streams with it
            if wait:
                runtime.call(close_all)
            else:
                runtime.post(close_all)


process_descriptors = DescriptorBudget()
"""The budget of this process."""


# ---- when descriptors run out


def is_descriptor_shortage(error: BaseException | None) -> bool:
    """Whether `error` was caused by a lack of descriptors.

    Name resolution, loading of certificates and imports raise other errors if they cannot open their files: for those
    it is checked whether a descriptor is available now.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _EXHAUSTED:
            return True
        if (isinstance(error, ImportError) or _is_resolver_error(error)
                or is_tls_error(error, "SSLCertVerificationError")) and is_exhausted():
            return True
        error = error.__cause__
    return False


def _is_resolver_error(error: BaseException) -> bool:
    socket = sys.modules.get("socket")  # not imported here: that would take descriptors
    return socket is not None and isinstance(error, socket.gaierror)


def is_exhausted() -> bool:
    """Whether no descriptor is available now."""
    try:
        require_descriptors(1)
    except OSError as error:
        return error.errno in _EXHAUSTED
    return False


def require_descriptors(count: int) -> None:
    """Raise OSError unless the process can open `count` more descriptors."""
    with_opened(os.devnull, count, lambda _: None)


def with_opened(path: str, count: int, function: Callable[[list[int]], T]) -> T:
    """`function(descriptors)`, with a file opened for reading `count` times, and closed afterwards.

    One call opens the files and keeps their descriptors, see `open_into`, and one call closes them.
    """
    opened: list[int] = []
    closing = map(os.close, opened)
    try:
        opened.extend(map(os.open, repeat(path, count), repeat(os.O_RDONLY)))
        return function(opened)
    finally:
        list(closing)


def with_descriptor(function: Callable[..., T], *args: Any, descriptors: DescriptorBudget = process_descriptors) -> T:
    """`function(*args)`, repeated after closing idle connections while it fails for lack of a descriptor."""
    while True:
        try:
            return function(*args)
        except Exception as error:
            if not descriptors.has_freed_for(error):
                raise


def open_into(opened: list[int], path: str, flags: int, mode: int = 0o777) -> int:
    """`os.open`, repeated after closing idle connections while it fails for lack of a descriptor.

    The descriptor is appended to `opened`, besides being returned. The caller closes those in the list in a `finally`,
    whose `try` begins before this is called. A Ctrl-C is raised when a call returns: after that of `os.open`, nothing
    would know the descriptor. So one call opens the file and keeps it. File objects would warn.
    """
    while True:
        try:
            opened.extend(map(os.open, (path,), (flags,), (mode,)))
            return opened[-1]
        except OSError as error:
            if not process_descriptors.has_freed_for(error):
                raise


call_again_by(with_descriptor)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=process_descriptors.forget)
