"""An object that is uploaded while the program writes it. It appears, complete, with `commit`."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable
from time import monotonic
from typing import BinaryIO, cast

from cloudfiles.batch.store import Store
from cloudfiles.file_objects.worker_runtime import worker_runtime
from cloudfiles.runtime.contract import Cancelled, Runtime
from cloudfiles.runtime.pipe import Pipe
from cloudfiles.types import WriteOptions

PIPE_BYTES = 16 << 20
"""Bytes that wait to be made into parts. Parts that are being sent are held to a limit of their own."""

_ABORT_SECONDS = 10.0
"""How long the removal of what was sent is waited for. It continues afterwards, unless the program ends."""


class Upload:
    """A `put` that runs beside the program, which pushes the content; by one request if it is never pushed.

    Not to be used by several threads at once.

    Attributes:
        continues: whether there is an object already, which keeps its content.
        appends_in_place: what was pushed is part of that object after `flush`.
    """

    continues = False
    appends_in_place = False

    def __init__(self, store: Store, key: str, options: WriteOptions) -> None:
        self._store = store
        self._key = key
        self._options = options
        self._running: Running | None = None

    def push(self, piece: bytes | memoryview) -> None:
        """Send the next piece, which must not change any more. Raises the errors of the upload so far."""
        if self._running is None:
            self._running = self._started()
        self._running.push(piece)

    def _started(self) -> Running:
        runtime = worker_runtime(self._store)
        interface, key, options = self._store.interface(runtime), self._key, self._options
        return Running(runtime, lambda pipe: interface.put(key, pipe, options))

    def flush(self) -> None:
        """Make what was pushed visible, if the upload appends in place."""

    def commit(self, rest: bytes) -> str | None:
        """Publish the object, which ends with `rest`. Returns its ETag if the store reports it."""
        if self._running is None:
            return self._store.here().put(self._key, rest, self._options)
        if rest:
            self._running.push(rest)
        return self._running.finish()

    def abort(self) -> None:
        """Remove what was sent. Best effort; never raises a CloudFilesError."""
        if self._running is not None:
            self._running.abort()


_running: weakref.WeakSet[Running] = weakref.WeakSet()


@atexit.register
def _abort_all() -> None:
    """When the program ends: workers are daemon threads, which do not run any more when objects are finalized."""
    for upload in list(_running):
        upload.abort()


class Running:
    """A put in a worker. The worker does not refer to the file object, so that one that is dropped is noticed.

    Args:
        store: stores the content of a file, and returns its ETag.
    """

    def __init__(self, runtime: Runtime, store: Callable[[BinaryIO], str | None]) -> None:
        self._group = runtime.worker_group()
        self._pipe = pipe = Pipe(self._group, PIPE_BYTES)
        self._outcome = outcome = _Outcome()

        def put() -> None:
            try:
                outcome.etag = store(cast("BinaryIO", pipe))  # what it needs of a file
                outcome.is_done = True
            except (Exception, Cancelled) as error:
                outcome.error = error

        self._group.start(put, 1)
        _running.add(self)

    def push(self, piece: bytes | memoryview) -> None:
        if not self._pipe.write(piece):
            self._raise()

    def finish(self) -> str | None:
        self._pipe.end()
        while not self._group.finished:
            self._group.wait_caller()
        if not self._outcome.is_done:
            self._raise()
        return self._outcome.etag

    def unread(self) -> list[bytes | memoryview] | None:
        """Everything that was pushed, if the put has failed without reading any of it; otherwise None."""
        return self._pipe.unread()

    def _raise(self) -> None:
        raise self._outcome.error or RuntimeError("the upload was ended before the object was complete")

    def abort(self) -> None:
        """Let the worker remove what it has sent. One that is cancelled in the middle of a request could not tell
        whether the server has begun an upload."""
        self._pipe.fail()
        self._wait()
        if not self._group.finished:
            self._group.cancel()
            self._wait()

    def _wait(self) -> None:
        deadline = monotonic() + _ABORT_SECONDS
        while not self._group.finished and monotonic() < deadline:
            self._group.wait_caller(0.1)


class _Outcome:
    """What has become of a put."""

    def __init__(self) -> None:
        self.is_done = False
        self.etag: str | None = None
        self.error: BaseException | None = None
