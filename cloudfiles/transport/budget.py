"""Numbers of units that workers reserve before they use them, and return afterwards."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from cloudfiles.runtime.contract import Runtime, Signal

_CHECK_SECONDS = 5.0


class _Request:
    """A worker that waits for units.

    Attributes:
        is_granted: whether they are reserved by now.
    """

    __slots__ = ("count", "is_granted", "runtime", "signal")

    def __init__(self, count: int, runtime: Runtime, signal: Signal) -> None:
        self.count = count
        self.runtime = runtime
        self.signal = signal
        self.is_granted = False


class Reservation:
    """Units that a worker uses within a block, which begins when others have released enough.

    Attributes:
        count: how many are reserved.
    """

    __slots__ = ("_begin", "_budget", "_runtime", "count")

    def __init__(self, budget: Budget, count: int, runtime: Runtime) -> None:
        self._budget = budget
        self._begin = count
        self._runtime = runtime
        self.count = 0

    def __enter__(self) -> Reservation:
        if self._begin:
            self.extend(self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        if self.count:
            self._budget._release(self.count)

    def extend(self, count: int) -> None:
        """Reserve `count` units more.

        If they are not available, this waits; but of all workers that have reserved some, at least one does not wait.
        So the limit can be exceeded, by what one of them needs.
        """
        self._budget._reserve(count, self._runtime, has_some=self.count > 0)
        self.count += count


class Budget:
    """Units (bytes of memory, workers) of which no more than `limit` are in use.

    Whoever asks first is served first, but those that have reserved some already come before the others. A reservation
    that is larger than the limit is made when there is no other one.

    Attributes:
        waits: how often a reservation had to wait.
    """

    def __init__(self, limit: int) -> None:
        self.waits = 0
        self._limit = limit
        self._reserved = 0
        self._working = 0  # workers that have reserved some and do not wait for more
        self._waiting: deque[_Request] = deque()
        self._waiting_for_more: deque[_Request] = deque()
        self._lock = threading.Lock()  # never held while waiting

    @property
    def limit(self) -> int:
        return self._limit

    def reserved(self, count: int, runtime: Runtime) -> Reservation:
        """A block that may use `count` units.

        count: 0 for a reservation that is only made when it is extended.
        runtime: that of the worker which this is called by, and which may have to wait.
        """
        return Reservation(self, count, runtime)

    def _reserve(self, count: int, runtime: Runtime, has_some: bool) -> None:
        """has_some: whether this is in addition to units that the worker has reserved before."""
        with self._lock:
            if self._may_have_more(count) if has_some else self._may_begin(count):
                self._reserved += count
                self._working += not has_some
                return
            self.waits += 1
            request = _Request(count, runtime, runtime.signal())
            self._working -= has_some
            (self._waiting_for_more if has_some else self._waiting).append(request)
        try:
            while not request.is_granted:
                request.signal.wait(_CHECK_SECONDS)
        except BaseException:
            self._withdraw(request, has_some)
            raise

    def _may_have_more(self, count: int) -> bool:
        return self._working == 1 or (not self._waiting_for_more and self._has_room_for(count))

    def _may_begin(self, count: int) -> bool:
        return not self._waiting and not self._waiting_for_more and self._has_room_for(count)

    def _release(self, count: int) -> None:
        with self._lock:
            self._reserved -= count
            self._working -= 1
            self._grant()

    def _withdraw(self, request: _Request, has_some: bool) -> None:
        with self._lock:
            if request.is_granted:
                self._reserved -= request.count
                self._working -= not has_some
            else:
                (self._waiting_for_more if has_some else self._waiting).remove(request)
                self._working += has_some
            self._grant()

    def _grant(self) -> None:
        more = self._waiting_for_more
        while more and (not self._working or self._has_room_for(more[0].count)):
            self._grant_first(more)
        while not more and self._waiting and self._has_room_for(self._waiting[0].count):
            self._grant_first(self._waiting)

    def _grant_first(self, queue: deque[_Request]) -> None:
        request = queue.popleft()
        self._reserved += request.count
        self._working += 1
        request.is_granted = True
        request.runtime.post(request.signal.set)

    def _has_room_for(self, count: int) -> bool:
        return not self._reserved or self._reserved + count <= self._limit


def unlimited(count: int) -> Reservation:
    """A reservation that never waits."""
    return Reservation(Budget(sys.maxsize), count, cast("Runtime", None))
