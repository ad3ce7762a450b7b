"""Reading objects over HTTP that may be too large for memory: rejected by their headers, or passed on in pieces.

Shared by every protocol that speaks HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cloudfiles import integrity
from cloudfiles.exceptions import CloudFilesError
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.transport.body_buffers import BufferFullError, GrowingBuffer
from cloudfiles.transport.request import BodyTooLargeError, Origin, ProviderProtocol, Request, Response
from cloudfiles.transport.wire import Head
from cloudfiles.types import StoredObject


def object_from_headers(headers: Mapping[str, str]) -> StoredObject:
    """The object that a response describes, without its content."""
    length = headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() else None
    return StoredObject(None, headers.get("content-encoding", ""), "", headers.get("etag"), size, headers)


class SizeLimit:
    """Rejects the body of a whole object that has more than `max_size` bytes, by its headers if they state the length.

    Attributes:
        memory: the received part of a body of unknown length; None if the connection receives the body.
    """

    __slots__ = ("_head", "_max_size", "memory")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self.memory: GrowingBuffer | None = None

    def accepts(self, head: Head, length: int) -> bool:
        self.memory = None
        if head.status != 200:
            return False
        if length > self._max_size:
            raise BodyTooLargeError(head)
        if length >= 0:
            return False
        self._head, self.memory = head, GrowingBuffer(self._max_size)
        return True

    def write(self, piece: memoryview | bytes) -> None:
        assert self.memory is not None
        try:
            self.memory.add(piece)
        except BufferFullError:
            raise BodyTooLargeError(self._head) from None


class ObjectReadWithHeaders(ObjectRead):
    """A read whose result includes the response headers."""

    __slots__ = ()

    def _whole(self, content: bytes, headers: dict[str, str]) -> StoredObject:
        stored = super()._whole(content, headers)
        stored.headers = headers
        return stored


class BoundedRead(ObjectReadWithHeaders):
    """A GET of a whole object of at most `max_size` bytes, with its headers. `Client.send` raises BodyTooLargeError.

    A body of unknown length is read up to that size, and from its start again if it is interrupted.
    """

    __slots__ = ("limit", "receiver")

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], protocol: ProviderProtocol, path: str,
                 max_size: int) -> None:
        ObjectRead.__init__(self, origin, target, headers, protocol, path)
        self.receiver = self.limit = SizeLimit(max_size)

    def accept(self, response: Response) -> StoredObject | None:
        if self.limit.memory is not None:
            response.content = self.limit.memory.content()
        return super().accept(response)


def read_bounded(send: Callable[[Request], Any], request: Request) -> StoredObject | None:
    """The result of `send(request)`; for an object that was rejected, its description from the headers."""
    try:
        stored: StoredObject | None = send(request)
    except BodyTooLargeError as declined:
        return object_from_headers(declined.head.headers)
    return stored


class PiecewiseRead(Request):
    """A GET of a whole object that is passed on in order as it arrives; for servers without range support.

    It is not retried once pieces have been passed on: the receiver has to start over.
    """

    __slots__ = ("_hasher", "_take", "_taken", "receiver")

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], protocol: ProviderProtocol, path: str,
                 take: Callable[[bytes | memoryview], object]) -> None:
        Request.__init__(self, origin, "GET", target, headers, protocol=protocol, path=path)
        self._take = take
        self._taken = 0
        self._hasher: tuple[integrity.Digest, integrity.Hasher] | None = None
        self.receiver = self

    def accepts(self, head: Head, length: int) -> bool:
        if head.status != 200:
            return False
        if "etag" not in head.headers:
            self.protocol.check_object(Response(head.status, head.headers, b""), self.path)
        digests = integrity.digests_from_headers(head.headers)
        self._hasher = (digests[0], integrity.hasher(digests[0].algorithm)) if digests else None
        return True

    def write(self, piece: memoryview | bytes) -> None:
        if not piece:
            return
        self._taken += len(piece)
        self.idempotent = False
        if self._hasher is not None:
            self._hasher[1].update(piece)
        try:
            self._take(piece)
        except CloudFilesError:
            raise
        except OSError as error:  # of the local file, not of the connection
            raise CloudFilesError(f"the content could not be written: {error}", path=self.path) from error

    def accept(self, response: Response) -> StoredObject | None:
        if response.status == 200:
            if self._hasher is not None:
                digest, hasher = self._hasher
                integrity.verify_value(hasher.digest(), digest, self._taken, self.path)
            stored = object_from_headers(response.headers)
            stored.size = self._taken
            return stored
        if self.protocol.is_missing(response):
            return None
        raise self.to_error(response)
