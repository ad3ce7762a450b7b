"""Cancellation of work, such that cancelled work leaves no temporary files and publishes nothing.

A wait can be ended by an exception, but a native thread in a system call cannot be stopped. So all operations on local
files are registered here. They are refused after their batch was cancelled, and a cancelled batch waits for those
that are in progress.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from time import monotonic

from cloudfiles import logger

GRACE_SECONDS = 1.0
"""Seconds that cancelled workers are waited for, unless they write local files."""

FILE_GRACE_SECONDS = 30.0
"""Seconds that a cancelled batch waits for writes to local files. They are abandoned if the file system does not
respond for that long (a hung mount): the files are removed when it responds, and never published."""

_POLL_SECONDS = 0.005


class Cancelled(BaseException):
    """Raised in the workers of a cancelled batch. A BaseException, so that no `except Exception` catches it."""


class Cancellation:
    """Whether some work was cancelled, and which of its operations on local files are in progress.

    Nested work is cancelled with the outer work, and its operations count for both. Thread-safe: an operation is
    registered before it checks whether it may begin, and `cancel` comes before the check for registered operations.

    Small and quickly made, as there is one for each call that a coroutine awaits.
    """

    __slots__ = ("_cancelled", "_parent", "_publishing", "_waits", "_writing")

    def __init__(self) -> None:
        self._parent = _current.get()
        self._cancelled = False
        self._waits: list[threading.Event] = []
        self._writing: list[None] = []
        self._publishing: list[None] = []

    def cancel(self) -> None:
        self._cancelled = True
        for event in self._waits.copy():
            event.set()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled or (self._parent is not None and self._parent.is_cancelled)

    def check(self) -> None:
        """Raises Cancelled."""
        if self._cancelled or (self._parent is not None and self._parent.is_cancelled):
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Wait for some seconds. Raises Cancelled as soon as the work is cancelled."""
        event = threading.Event()
        self._waits.append(event)
        try:
            if self._cancelled or event.wait(seconds):
                raise Cancelled
        finally:
            self._waits.remove(event)

    def current(self) -> CurrentWork:
        """A block that does this work in the current thread or greenlet."""
        return CurrentWork(self)

    # ---- operations on local files

    def writing(self) -> FileOperation:
        return FileOperation(tuple(each._writing for each in self._with_outer()), self)

    def publishing(self) -> FileOperation:
        return FileOperation(tuple(each._publishing for each in self._with_outer()), self)

    def _with_outer(self) -> Iterator[Cancellation]:
        work: Cancellation | None = self
        while work is not None:
            yield work
            work = work._parent

    def has_file_operations(self, since: float) -> bool:
        """Whether to wait longer for operations in progress, in a wait that began at `since`.

        Publishing is waited for however long it takes, as it cannot be undone.
        """
        if self._publishing:
            return True
        if not self._writing:
            return False
        if monotonic() - since < FILE_GRACE_SECONDS:
            return True
        logger.warning("a file system has not responded for %.0f s: its writes were abandoned; partial files are "
                       "removed when it responds, and are not published", FILE_GRACE_SECONDS)
        return False

    def wait_for_file_operations(self, pause: Callable[[float], object]) -> None:
        """After `cancel`: wait for the operations in progress."""
        since = monotonic()
        while self.has_file_operations(since):
            pause(_POLL_SECONDS)


class CurrentWork:
    """A `with` block in which the current thread or greenlet does some work."""

    __slots__ = ("_token", "_work")

    def __init__(self, work: Cancellation) -> None:
        self._work = work

    def __enter__(self) -> None:
        self._token = _current.set(self._work)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


class FileOperation:
    """An operation on local files: a `with` block, or from `begin` to `end`."""

    __slots__ = ("_cancellation", "_counts")

    def __init__(self, counts: tuple[list[None], ...], cancellation: Cancellation) -> None:
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
        """May be called several times."""
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
    """The cancellation of the work in this thread or greenlet; None outside of batches."""
    return _current.get()


def check_cancelled() -> None:
    """Raise Cancelled if the work of this thread or greenlet was cancelled."""
    cancellation = _current.get()
    if cancellation is not None:
        cancellation.check()


@contextmanager
def shielded() -> Iterator[None]:
    """A block that cleans up on a server: it may send requests although the work was cancelled."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def writing() -> AbstractContextManager[None]:
    """A block that writes a temporary file, and removes it on failure. Raises Cancelled instead if cancelled."""
    cancellation = _current.get()
    return _NOTHING if cancellation is None else cancellation.writing()


def publishing() -> AbstractContextManager[None]:
    """A block that changes files visible to others, by a few system calls. Raises Cancelled instead if cancelled."""
    cancellation = _current.get()
    return _NOTHING if cancellation is None else cancellation.publishing()
