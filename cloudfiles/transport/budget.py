"""Numbers of units that workers reserve before they use them, and return afterwards."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudfiles.runtime.contract import Runtime, Signal

_CHECK_SECONDS = 5.0


class _Reservation:
    """One that waits.

    Attributes:
        is_granted: whether its units are reserved by now.
    """

    __slots__ = ("count", "is_granted", "runtime", "signal")

    def __init__(self, count: int, runtime: Runtime, signal: Signal) -> None:
        self.count = count
        self.runtime = runtime
        self.signal = signal
        self.is_granted = False


class Budget:
    """Units (bytes of memory, workers) of which no more than `limit` are in use.

    Whoever asks first is served first. A reservation that is larger than the limit is made when there is no other one.

    Attributes:
        waits: how often a reservation had to wait.
    """

    def __init__(self, limit: int) -> None:
        self.waits = 0
        self._limit = limit
        self._reserved = 0
        self._waiting: deque[_Reservation] = deque()
        self._lock = threading.Lock()  # never held while waiting

    @property
    def limit(self) -> int:
        return self._limit

    @contextmanager
    def reserved(self, count: int, runtime: Runtime) -> Iterator[None]:
        """A block that may use `count` units. It begins when others have released enough.

        runtime: that of the worker which this is called by, and which may have to wait.
        """
        self._reserve(count, runtime)
        try:
            yield
        finally:
            self._release(count)

    def _reserve(self, count: int, runtime: Runtime) -> None:
        with self._lock:
            if not self._waiting and self._has_room_for(count):
                self._reserved += count
                return
            self.waits += 1
            reservation = _Reservation(count, runtime, runtime.signal())
            self._waiting.append(reservation)
        try:
            while not reservation.is_granted:
                reservation.signal.wait(_CHECK_SECONDS)
        except BaseException:
            self._withdraw(reservation)
            raise

    def _release(self, count: int) -> None:
        with self._lock:
            self._reserved -= count
            self._grant()

    def _withdraw(self, reservation: _Reservation) -> None:
        with self._lock:
            if reservation.is_granted:
                self._reserved -= reservation.count
            else:
                self._waiting.remove(reservation)
            self._grant()

    def _grant(self) -> None:
        while self._waiting and self._has_room_for(self._waiting[0].count):
            reservation = self._waiting.popleft()
            self._reserved += reservation.count
            reservation.is_granted = True
            reservation.runtime.post(reservation.signal.set)

    def _has_room_for(self, count: int) -> bool:
        return not self._reserved or self._reserved + count <= self._limit
