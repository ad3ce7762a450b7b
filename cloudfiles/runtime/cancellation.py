"""Work that was cancelled is told so, leaves no temporary file, and publishes nothing any more.

A wait ends by an exception, but a native thread inside a system call cannot be stopped. So whatever changes local
files says here what it is doing: it is refused once its batch was cancelled, and a batch that ends waits for what is
under way.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from time import monotonic

GRACE_SECONDS = 1.0
"""Seconds in which workers that were cancelled end, where they do not write to local files."""

FILE_GRACE_SECONDS = 30.0
"""Seconds that a cancelled batch waits for the end of writes to local files. A file system that does not answer for so
long (a hung mount) is left alone: what is written there is then removed when it answers, and never published."""

_POLL_SECONDS = 0.005

_log = logging.getLogger("cloudfiles")


class Cancelled(BaseException):
    """Thrown into a worker whose batch was given up. A BaseException, so that no `except Exception` keeps it."""


class Cancellation:
    """Whether some work was cancelled, and which of its effects on local files are under way.

    Work inside other work is cancelled with it, and its effects count for both. Safe to use from any thread: an effect
    is announced before it asks whether it may begin, and cancelling comes before looking at what is announced.
    """

    def __init__(self) -> None:
        parent = self._parent = _current.get()
        self._cancelled = False
        self._event = threading.Event()
        self._writing: deque[None] = deque()
        self._publishing: deque[None] = deque()
        self._all_writing: tuple[deque[None], ...] = (self._writing, *(parent._all_writing if parent else ()))
        self._all_publishing: tuple[deque[None], ...] = (self._publishing, *(parent._all_publishing if parent else ()))

    def cancel(self) -> None:
        self._cancelled = True
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled or (self._parent is not None and self._parent.is_cancelled)

    def check(self) -> None:
        """Raises Cancelled."""
        if self._cancelled or (self._parent is not None and self._parent.is_cancelled):
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Wait so long. Raises Cancelled as soon as it is."""
        if self._event.wait(seconds):
            raise Cancelled

    @contextmanager
    def current(self) -> Iterator[None]:
        """A block that does this work, in this thread or greenlet."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    # ---- effects

    def writing(self) -> FileOperation:
        return FileOperation(self._all_writing, self)

    def publishing(self) -> FileOperation:
        return FileOperation(self._all_publishing, self)

    def has_file_operations(self, since: float) -> bool:
        """Whether effects are under way that are to be waited for, in a wait that began at `since`.

        A publication that the system has begun is waited for however long it takes: nothing can take it back.
        """
        if self._publishing:
            return True
        if not self._writing:
            return False
        if monotonic() - since < FILE_GRACE_SECONDS:
            return True
        _log.warning("a file system has not responded for %.0f s: its writes were abandoned; partial files are removed "
                     "when it responds, and are not published", FILE_GRACE_SECONDS)
        return False

    def wait_for_file_operations(self, pause: Callable[[float], object]) -> None:
        """After `cancel`: wait for the effects that are under way."""
        since = monotonic()
        while self.has_file_operations(since):
            pause(_POLL_SECONDS)


class FileOperation:
    """Something done to local files; a block, or from `begin` to `end`."""

    __slots__ = ("_cancellation", "_counts")

    def __init__(self, counts: tuple[deque[None], ...], cancellation: Cancellation) -> None:
        self._counts = counts
        self._cancellation = cancellation

    def begin(self) -> None:
        """Raises Cancelled."""
        for count in self._counts:
            count.append(None)
        work = self._cancellation
        if work._cancelled or (work._parent is not None and work._parent.is_cancelled):
            self.end()
            raise Cancelled

    def end(self) -> None:
        """Once, or as often as one likes."""
        counts, self._counts = self._counts, ()
        for count in counts:
            count.pop()

    __enter__ = begin

    def __exit__(self, *_: object) -> None:
        for count in self._counts:
            count.pop()


_current: ContextVar[Cancellation | None] = ContextVar("cloudfiles_cancellation", default=None)
_NOTHING: AbstractContextManager[None] = nullcontext()


def current_cancellation() -> Cancellation | None:
    """That of the work which this thread or greenlet does; None outside of a batch."""
    return _current.get()


def check_cancelled() -> None:
    """Raise Cancelled where the work of this thread or greenlet was cancelled."""
    cancellation = _current.get()
    if cancellation is not None:
        cancellation.check()


@contextmanager
def shielded() -> Iterator[None]:
    """A block that cleans up on a server: it may send requests although its work was cancelled."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def writing() -> AbstractContextManager[None]:
    """A block in which a temporary file exists; it removes it on failure. Raises Cancelled instead of beginning."""
    cancellation = _current.get()
    return _NOTHING if cancellation is None else cancellation.writing()


def publishing() -> AbstractContextManager[None]:
    """A block that changes what others see, and takes one or a few system calls. Raises Cancelled instead of
    beginning."""
    cancellation = _current.get()
    return _NOTHING if cancellation is None else cancellation.publishing()
