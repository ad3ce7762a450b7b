"""Multipart uploads: content is cut into parts, several of which are sent at once, in order or by a part writer."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from time import monotonic
from typing import Any, BinaryIO, ClassVar, Generic, TypeVar

from cloudfiles.exceptions import CloudFilesError, FileSystemError, InvalidInputError
from cloudfiles.integrity import Buffer
from cloudfiles.interfaces.part_writer import PartLayout, PartWriter
from cloudfiles.runtime.contract import Runtime, WorkerGroup
from cloudfiles.runtime.pipe import Pipe
from cloudfiles.transport.budget import Budget
from cloudfiles.transport.concurrency.adaptive_width import WorkerShare, max_width, parts_at_once
from cloudfiles.transport.request import Body, FileBody, Origin, flat
from cloudfiles.types import Content

T = TypeVar("T")

READ_WHOLE = 1 << 20
"""Size up to which a file is read into memory first: a body in memory is sent with fewer calls."""

_ANY_NUMBER = 1 << 30
"""Parts that there are work for while their number is unknown."""

_TICK = 0.5
"""Seconds between two checks whether the batch was cancelled."""


def size_of_part(number: int, size: int | None, least: int, most: int, grows_every: int) -> int:
    """Size of part `number` (from 1) of content of `size` bytes; all are equal if the size is known.

    least: the smallest size of a part. most: the maximum number of parts. grows_every: number of parts after which the
    size doubles for content of unknown size.

    >>> size_of_part(1, 100, 8, 10, 5), size_of_part(1, None, 8, 10, 5), size_of_part(6, None, 8, 10, 5)
    (16, 8, 16)
    """
    if size is None:
        return least << ((number - 1) // grows_every)
    part = least
    while part * most < size:
        part *= 2
    return part


def send_parts(runtime: Runtime, parts: Iterable[T], send: Callable[[int, T], None], origin: Origin, *,
               part_size: int = 0, drain: bool = False, slots: Budget | None = None) -> int:
    """Call `send(number, part)` for all parts, numbered from 1, several at once; returns their number.

    The parts are read in this worker, no faster than they are sent. The first failure is raised after the other
    workers have ended.

    Args:
        origin: where they are sent to, or received from.
        part_size: bytes of memory for each part; 0: those of the part itself.
        drain: after a failure, parts in flight are waited for instead of being cancelled.
        slots: the workers of the store, see `Interface.part_slots`.
    """
    return _PartSender(runtime, send, origin, part_size, drain, slots).run(parts)


class _PartSender(Generic[T]):
    def __init__(self, runtime: Runtime, send: Callable[[int, T], None], origin: Origin, part_size: int,
                 drain: bool, slots: Budget | None) -> None:
        self._runtime = runtime
        self._slots = slots
        self._send = send
        self._share = WorkerShare(lambda: (origin,), runtime, max_width())
        self._part_size = part_size
        self._at_once = 1
        self._adapt_at = 0.0
        self._workers = 0
        self._drain = drain
        self._queue: deque[tuple[int, T]] = deque()
        self._in_flight: set[int] = set()  # numbers of the parts in memory
        self._closed = False
        self._error: Exception | None = None
        self._is_over = False  # stop sending

    def run(self, parts: Iterable[T]) -> int:
        worker_group = self._runtime.worker_group()
        try:
            count = self._enqueue(worker_group, parts)
            self._closed = True
            worker_group.wake_workers(self._workers)
            while not worker_group.finished and (self._error is None or self._drain):
                self._wait(worker_group)
                self._adapt(len(self._in_flight))
        finally:
            self._share.leave()
            if not worker_group.finished:
                self._is_over = True
                worker_group.cancel()
        if self._error is not None:
            raise self._error
        return count

    def _enqueue(self, worker_group: WorkerGroup, parts: Iterable[T]) -> int:
        number = 0
        self._adapt(_ANY_NUMBER)
        for number, part in enumerate(self._read(parts), 1):
            self._in_flight.add(number)
            self._queue.append((number, part))
            if self._workers < len(self._in_flight):
                self._workers += 1
                worker_group.start(lambda: self._work(worker_group), 1)
            worker_group.wake_workers(1)
            self._adapt(_ANY_NUMBER)
            most = parts_at_once(self._part_size or _bytes_of(part))
            if self._slots is not None:
                most = min(most, self._slots.limit)
            while len(self._in_flight) >= min(self._at_once, most) and self._error is None:
                self._wait(worker_group)
                self._adapt(_ANY_NUMBER)
            if self._error is not None:
                break
        return number

    def _read(self, parts: Iterable[T]) -> Iterator[T]:
        try:
            yield from parts
        except Exception as error:
            if not self._drain:
                raise
            self._error = self._error or error

    def _adapt(self, wanted: int) -> None:
        """Ask for the number of parts that may be in progress, from time to time."""
        now = monotonic()
        if now >= self._adapt_at:
            self._at_once = self._share.workers(now, wanted)
            self._adapt_at = now + self._share.interval

    def _wait(self, worker_group: WorkerGroup) -> None:
        worker_group.wait_caller(min(_TICK, max(0.0, self._adapt_at - monotonic())))
        self._runtime.sleep(0)  # notices if the batch of this worker is cancelled

    def _work(self, worker_group: WorkerGroup) -> None:
        while self._error is None and not self._is_over:
            try:
                number, part = self._queue.popleft()
            except IndexError:
                if self._closed:
                    return
                worker_group.wait_worker()
                continue
            try:
                with nullcontext() if self._slots is None else self._slots.reserved(1, self._runtime):
                    self._send(number, part)
            except Exception as error:
                self._error = self._error or error
            self._in_flight.discard(number)
            worker_group.wake_caller()


def _bytes_of(part: Any) -> int:
    return memoryview(part).nbytes if isinstance(part, (bytes, bytearray, memoryview)) else 0


# ---- uploads


class MultipartUpload(ABC):
    """One object that is uploaded in parts, numbered from 1. It appears, complete, when `complete` returns.

    Attributes:
        origin: where the parts are sent to.
        sent: the existing parts, by number.
    """

    origin: Origin
    max_parts: ClassVar[int | None] = None
    drain: ClassVar[bool] = False
    """After a failure, parts in flight have to be waited for before `abort`."""

    sent: Mapping[int, Any]

    @abstractmethod
    def send_part(self, number: int, content: Buffer) -> None:
        """Send a part, which the server checks. Called by many workers concurrently, and again after a failure."""

    @abstractmethod
    def complete(self) -> str | None:
        """Make the object of all parts; returns its ETag if the store reports it."""

    @abstractmethod
    def abort(self) -> None:
        """Remove the parts. Best effort; never raises a CloudFilesError."""

    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """What another process needs to resume the upload."""

    def add_in_order(self, runtime: Runtime, content: Buffer) -> None:  # noqa: B027 -- most digests can be combined
        """Called with each part before it is sent, if the parts come in order: for digests of the whole content."""


def put_in_order(runtime: Runtime, upload: MultipartUpload, key: str, parts: Iterable[Buffer], *,
                 present: int = 0, slots: Budget | None = None) -> str | None:
    """Store the concatenation of `parts`, which are read in this worker as they are sent. Returns the ETag.

    If the upload fails or the batch is cancelled, it is aborted, so that no parts are left behind.

    present: the number of parts that the upload has already, and that come first. slots: see `send_parts`.
    """
    def counted() -> Iterator[Buffer]:
        for number, content in enumerate(parts, present + 1):
            if upload.max_parts is not None and number > upload.max_parts:
                raise InvalidInputError(f"the content has more than {upload.max_parts} parts, the maximum for an "
                                        "upload", path=key)
            if not present:
                upload.add_in_order(runtime, content)
            yield content

    try:
        send_parts(runtime, counted(), lambda number, content: upload.send_part(present + number, content),
                   upload.origin, drain=upload.drain, slots=slots)
        return upload.complete()
    except BaseException:
        upload.abort()
        raise


class UploadWriter(PartWriter):
    """A multipart upload as a PartWriter: its parts come in any order, and another process can resume it."""

    def __init__(self, upload: MultipartUpload, layout: PartLayout) -> None:
        self.part_size = layout.part_size
        self._upload = upload
        self._layout = layout

    def write(self, start: int, content: bytes | memoryview) -> None:
        self._upload.send_part(self._layout.number_of(start, content), content)

    def finish(self) -> str | None:
        self._layout.check_complete(self._upload.sent)
        return self._upload.complete()

    def abort(self) -> None:
        self._upload.abort()

    def written(self) -> frozenset[int]:
        return frozenset(map(self._layout.start, list(self._upload.sent)))

    def state(self) -> Mapping[str, Any]:
        return {**self._upload.state(), "part_size": self.part_size}


# ---- content of any kind


def put_content(runtime: Runtime, key: str, content: Content, limit: int, size_of: Callable[[int, int | None], int],
                put_whole: Callable[[Body], str | None],
                put_in_parts: Callable[[Iterable[Buffer]], str | None]) -> str | None:
    """Store `content` in one piece, or in parts if it is larger than `limit` bytes or a file has an unknown size.

    size_of: the size of part `number` of content of `size` bytes. Returns the ETag.
    """
    if not isinstance(content, (bytes, bytearray, memoryview)):
        return put_file(runtime, content, bytes_left(content, key), limit, size_of, put_whole, put_in_parts)
    whole = flat(content) if isinstance(content, memoryview) else content
    if len(whole) > limit:
        return put_in_parts(parts_of_memory(whole, size_of(1, len(whole))))
    return put_whole(whole)


def put_file(runtime: Runtime, file: BinaryIO, size: int | None, limit: int,
             size_of: Callable[[int, int | None], int], put_whole: Callable[[Body], str | None],
             put_in_parts: Callable[[Iterable[Buffer]], str | None]) -> str | None:
    """Store the rest of a file in one piece, or in parts if it is larger than `limit` bytes.

    size: the result of `bytes_left`. size_of: the size of part `number` of content of `size` bytes. Returns the ETag.
    """
    if size is not None and READ_WHOLE < size <= limit:
        return put_whole(FileBody(file, size))
    parts = parts_of_file(runtime, file, lambda number: size_of(number, size))
    first = next(parts, b"")
    if len(first) < size_of(1, size) and len(first) <= limit:
        return put_whole(first)
    return put_in_parts(itertools.chain([first], parts))


def bytes_left(file: BinaryIO, path: str) -> int | None:
    """Number of bytes from the file's position to its end; None if unknown (a pipe, a socket, a decoder).

    Raises InvalidInputError if it is not a file; path: the key for the error.
    """
    if not hasattr(file, "read"):
        raise InvalidInputError(f"expected bytes or an open binary file as content, got {type(file).__name__}",
                                path=path)
    try:
        if not file.seekable():
            return None
        begin = file.tell()
        end = file.seek(0, 2)
        file.seek(begin)
    except (AttributeError, OSError):
        return None
    return max(0, end - begin)


def parts_of_memory(content: Buffer, size: int) -> Iterator[memoryview]:
    """Split `content` into pieces of `size` bytes; the last one may be shorter."""
    view = memoryview(content)
    return (view[at:at + size] for at in range(0, len(view), size))


def parts_of_file(runtime: Runtime, file: BinaryIO, size_of: Callable[[int], int]) -> Iterator[Buffer]:
    """The rest of a file in pieces; piece n (from 1) has `size_of(n)` bytes. The last may be shorter; none is empty."""
    for number in itertools.count(1):
        wanted = size_of(number)
        # A pipe waits in the way of the runtime; in a thread of the pool it would wait for itself.
        content = file.read(wanted) if isinstance(file, Pipe) else runtime.run_in_thread(_read_fully, file, wanted)
        if content:
            yield content
        if len(content) < wanted:
            return


def _read_fully(file: BinaryIO, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end; one read of a pipe or a socket may return less."""
    pieces: list[bytes] = []
    while size:
        try:
            piece = file.read(size)
        except CloudFilesError:
            raise
        except OSError as error:
            raise FileSystemError(f"cannot read the content: {error}", errno=error.errno) from error
        if not isinstance(piece, (bytes, bytearray)):
            raise InvalidInputError(
                f"expected a file open in binary mode as content; its read() returned {type(piece).__name__}")
        if not piece:
            break
        pieces.append(bytes(piece))
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
