"""Content that can only be read from its start: decoded objects, and objects that have to be read in one request."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from cloudfiles import encoding_streams
from cloudfiles.batch.reader import decoding
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import CloudFilesError, MissingObjectError, ObjectChangedError
from cloudfiles.file_objects.positioned_reader import Block, PositionedReader
from cloudfiles.file_objects.worker_runtime import worker_runtime
from cloudfiles.integrity import Buffer
from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.contract import Runtime
from cloudfiles.types import StoredObject

_PIECE = 256 << 10
"""Bytes that are passed to the decoder at once."""

_RECEIVED = 8 << 20
"""Bytes that are received in advance."""


class ForwardReader(PositionedReader):
    """Reads from the start. To go back, it starts again; to seek relative to an unknown end, it reads everything once.

    Attributes:
        etag: of the object, if the store reports it.
    """

    def __init__(self, name: str, etag: str | None, position: int = 0) -> None:
        super().__init__(name)
        self.etag = etag
        self._position = position
        self._pieces: Iterator[Buffer] | None = None
        self._block = Block(0, b"")
        self._known_size: int | None = None

    @abstractmethod
    def _content(self) -> Iterator[Buffer]:
        """The whole content, from the start. The iterator ends only if the content is complete and verified."""

    @property
    def size(self) -> int | None:
        """The size of the content in bytes, if it is known: None until the end was read."""
        return self._known_size

    def _block_at(self, position: int, wanted: int) -> Block | None:
        if self._known_size is not None and position >= self._known_size:
            return None
        if self._pieces is None or position < self._block.start:
            self._stop()
            self._pieces, self._block = _last_when_complete(self._content()), Block(0, b"")
        while self._block.end <= position:
            piece = self._next_piece()
            if piece is None:
                self._known_size = self._block.end
                return None
            self._block = Block(self._block.end, piece)
        return self._block

    def _next_piece(self) -> Buffer | None:
        assert self._pieces is not None
        try:
            return next(self._pieces, None)
        except BaseException:
            self._pieces, self._block = None, Block(0, b"")  # the next call starts again
            raise

    def _end(self) -> int:
        if self._known_size is None:
            position = max(self._position, self._block.end)
            while (block := self._block_at(position, 1)) is not None:
                position = block.end
        assert self._known_size is not None
        return self._known_size

    def _rest(self) -> int:
        return 1 << 62 if self._known_size is None else self._known_size - self._position

    def _stop(self) -> None:
        """End the iterator, if there is one."""
        pieces, self._pieces = self._pieces, None
        if pieces is not None:
            pieces.close()  # type: ignore[attr-defined]  # a generator

    def _after_fork(self) -> None:
        super()._after_fork()
        self._pieces, self._block = None, Block(0, b"")

    def close(self) -> None:
        if not self.closed:
            self._stop()
            super().close()


def _last_when_complete(content: Iterator[Buffer]) -> Iterator[Buffer]:
    """The same pieces, but the last one only when the content is known to be complete and correct."""
    with closing(content):  # type: ignore[type-var]  # a generator
        held: Buffer | None = None
        for piece in content:
            if held is not None:
                yield held
            held = piece
        if held is not None:
            yield held


class DecodedReader(ForwardReader):
    """The content of an encoded object, which is decoded while it is read.

    Raises DecompressionError if it cannot be decoded, or is cut off.
    """

    def __init__(self, stored: PositionedReader, store: Store, encoding: str, position: int = 0) -> None:
        super().__init__(stored.name, getattr(stored, "etag", None), position)
        self._stored = stored
        self._store = store
        self._encoding = encoding

    def _content(self) -> Iterator[Buffer]:
        self._stored.seek(0)
        decoder = encoding_streams.decoder(self._encoding, self.name)
        with decoding(self._store.here(), self.name, self._encoding):
            while piece := self._stored.read1(_PIECE):
                yield from decoder.pieces(piece)
            decoder.finish()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._stored.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._stored, self._store, self._encoding, self._position)


class SingleRequestReader(ForwardReader):
    """An object that has no validator, no size, or no ranges: it is received in one request, in order.

    Raises ObjectChangedError if a second request, to go back, finds another object.
    """

    def __init__(self, store: Store, key: str, version: StoredObject, position: int = 0) -> None:
        super().__init__(key, version.etag, position)
        self._store = store
        self._version = version
        self._known_size = version.size

    def _content(self) -> Iterator[Buffer]:
        runtime = worker_runtime(self._store)
        receiver = _Receiver(runtime, self._store.interface(runtime), self.name)
        try:
            yield from receiver
        finally:
            receiver.close()
        found = receiver.found
        if found is None:
            raise MissingObjectError("the object was removed", path=self.name, store=self._store.cloudpath)
        if not _may_be_same(found, self._version):
            raise ObjectChangedError("the object was replaced while it was being read", path=self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._store, self.name, self._version, self._position)


class _Receiver:
    """Receives an object in a worker, a limited number of bytes in advance.

    Attributes:
        found: the description of the object, at the end; None if it is missing.
    """

    def __init__(self, runtime: Runtime, interface: Interface, key: str) -> None:
        self.found: StoredObject | None = None
        self._runtime = runtime
        self._group = group = runtime.worker_group()
        self._pieces: deque[bytes] = deque()
        self._received = 0  # bytes; written by the worker only
        self._taken = 0  # written by the program only
        self._error: Exception | None = None
        self._is_complete = False

        def take(piece: bytes | memoryview) -> None:
            self._pieces.append(bytes(piece))
            self._received += len(piece)
            group.wake_caller()
            while self._received - self._taken > _RECEIVED:
                group.wait_worker()

        def receive() -> None:
            try:
                self.found = interface.stream_in_one_request(key, take)
                self._is_complete = True
            except Exception as error:
                self._error = error

        group.start(receive, 1)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._taken += len(piece)
                self._group.wake_workers(1)
                yield piece
            if self._group.finished and not self._pieces:
                break
            self._group.wait_caller()
        if not self._is_complete:
            raise self._error or CloudFilesError("the read was cancelled")

    def close(self) -> None:
        if not self._group.finished:
            self._runtime.post(self._group.kill)


def _may_be_same(found: StoredObject, version: StoredObject) -> bool:
    """Whether both descriptions agree in what both have: some servers name an ETag only in the response to a GET."""
    known = version.etag is not None and found.etag is not None
    sizes = {found.size, version.size} - {None}
    return len(sizes) < 2 and (found.may_be_same_content(version) if known else found.encoding == version.encoding)
