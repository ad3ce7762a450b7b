"""How much memory the response bodies that are being received may take."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloudfiles.inputs import environment_count

if TYPE_CHECKING:
    from cloudfiles.runtime.contract import Runtime, Signal

BODY_MEMORY = 512 << 20
"""Bytes for all bodies of the process, unless CLOUDFILES_BODY_MEMORY says otherwise."""

COPY_MEMORY = 256 << 20
"""Bytes for all objects that are read as a whole and written elsewhere by this process."""

SMALL_BODY = 64 << 10
"""Bodies up to this size are not counted: 1024 of them take 64 MiB."""

_CHECK_SECONDS = 5.0


def body_memory_limit() -> int:
    """Bytes for all bodies of the process. Raises ConfigurationError if the environment variable is invalid."""
    return environment_count("CLOUDFILES_BODY_MEMORY", BODY_MEMORY)


class _Reservation:
    """One that waits.

    Attributes:
        is_granted: whether its bytes are reserved by now.
    """

    __slots__ = ("count", "is_granted", "runtime", "signal")

    def __init__(self, count: int, runtime: Runtime, signal: Signal) -> None:
        self.count = count
        self.runtime = runtime
        self.signal = signal
        self.is_granted = False


class BodyMemory:
    """Bytes reserved for bodies by their Content-Length, before they are read.

    Whoever asks first is served first. A body that is larger than the limit is received when there is no other one.

    Attributes:
        waits: how often a reservation had to wait.
    """

    def __init__(self, limit: int) -> None:
        self.waits = 0
        self._limit = limit
        self._reserved = 0
        self._waiting: deque[_Reservation] = deque()
        self._lock = threading.Lock()  # never held while waiting

    @contextmanager
    def reserved(self, count: int, runtime: Runtime) -> Iterator[None]:
        """A block that may use `count` bytes. It begins when others have released enough.

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


_bodies: BodyMemory | None = None
_creating = threading.Lock()


def process_body_memory() -> BodyMemory:
    """That of this process. Raises ConfigurationError if the environment variable is invalid, when it is needed first:
    before anything is sent."""
    global _bodies
    if _bodies is None:
        with _creating:
            _bodies = _bodies or BodyMemory(body_memory_limit())
    return _bodies


process_copy_memory = BodyMemory(COPY_MEMORY)
"""For objects that are copied, from the start of reading to the end of writing: their bodies count in both."""


def _after_fork_in_child() -> None:
    global _bodies, _creating
    _bodies, _creating = None, threading.Lock()  # the bodies are the parent's
    process_copy_memory.__init__(COPY_MEMORY)  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
