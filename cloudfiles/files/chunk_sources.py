"""Where a file is downloaded from, chunk by chunk: our own HTTP client, a urllib3 pool, or any other store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import urllib3

from cloudfiles.addresses import split_object
from cloudfiles.byteranges import parse_content_range
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import (
    ApiException,
    InvalidInputError,
    ObjectChangedError,
)
from cloudfiles.files.exchange_errors import BrokenOffError, ExchangeError, pool_error, unexpected
from cloudfiles.files.web_endpoint import Timeouts, WebEndpoint
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.bounded_read import PiecewiseRead
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.transport.request import BodyTooLargeError, Origin, Response
from cloudfiles.transport.wire import Head
from cloudfiles.types import StoredObject

_PIECE = 1 << 20


class Chunk(NamedTuple):
    """A part of an object, and what its response says about the whole.

    Attributes:
        total: the size of the whole in bytes.
        etag: as sent, or ''.
        headers: lower-case names to values.
    """

    content: bytes
    total: int
    etag: str
    headers: Mapping[str, str]


class Source(Protocol):
    """What chunks are read from.

    Attributes:
        origin: where several chunks may be requested at once; None: only one at a time, or it is not known yet.
    """

    @property
    def origin(self) -> Origin | None: ...

    def read(self, start: int, end: int, etag: str) -> Chunk:
        """The bytes `[start:end]`, fewer at the end of the object.

        etag: the required ETag of the object, '' for any. If the server ignores the range, see `not_a_range`.
        Raises ObjectChangedError if the object was replaced, ApiException, or a TransportError.
        """

    def read_whole(self, take: Callable[[bytes | memoryview], object]) -> Chunk:
        """Pass the whole object to `take`, in order, by one request; returns a chunk without content that describes it.

        Raises as `read`; what `take` has received is then invalid.
        """


class ChunkRead(ObjectRead):
    """A GET of a byte range that accepts only 206; a body that breaks off is resumed.

    If the server sends the whole object instead, it is not read: `Client.send` raises BodyTooLargeError.
    """

    __slots__ = ("receiver",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.receiver = self

    def accepts(self, head: Head, length: int) -> bool:
        if head.status == 200:
            raise BodyTooLargeError(head)
        return False

    def write(self, piece: memoryview | bytes) -> None:
        raise AssertionError("unreachable: no body is handed on")

    def accept(self, response: Response) -> Any:
        if response.status == 206 and self._is_empty_range(response):
            return Chunk(b"", 0, response.headers.get("etag", ""), response.headers)
        if response.status == 416 and not self.start:
            return unsatisfied(response.headers)
        if response.status == 206:
            stored = super().accept(response)
            assert stored is not None
            return chunk_of(stored.content, {**response.headers, "etag": stored.etag or ""})
        if response.status == 412 and self._first_headers is not None and self._condition is None:
            return super().accept(response)
        if response.status == 412 and self._condition is not None:
            raise ObjectChangedError("the object was replaced while it was being downloaded", path=self.path)
        raise unexpected(self, response)


class WholeRead(PiecewiseRead):
    """A streaming GET of a whole object."""

    __slots__ = ()

    def accept(self, response: Response) -> Any:
        if response.status != 200:
            raise unexpected(self, response)
        return super().accept(response)


class WebSource:
    """A URL, read by our own client."""

    def __init__(self, connection: WebEndpoint) -> None:
        self._connection = connection
        self.origin = connection.origin

    def read(self, start: int, end: int, etag: str) -> Chunk:
        to = self._connection
        headers = {**to.headers, **match_condition(etag)}
        request = ChunkRead(to.origin, to.target, headers, to.protocol(), to.shown, start, end)
        request.single_connection = True  # it is sped up by reading other chunks concurrently
        try:
            chunk: Chunk = to.send(request)
        except BodyTooLargeError as whole:
            return not_a_range(whole.head.headers)
        return chunk

    def read_whole(self, take: Callable[[bytes | memoryview], object]) -> Chunk:
        to = self._connection
        request = WholeRead(to.origin, to.target, to.headers.copy(), to.protocol(), to.shown, take)
        return _chunk_about(to.send(request))


def _chunk_about(stored: StoredObject) -> Chunk:
    return Chunk(b"", stored.size or 0, stored.validator or "", stored.headers or {})


def match_condition(etag: str) -> dict[str, str]:
    """If-Match compares strongly: a weak ETag never matches (RFC 9110 13.1.1)."""
    return {"if-match": etag} if etag and not etag.startswith("W/") else {}


def not_a_range(headers: Mapping[str, str]) -> Chunk:
    """A chunk without content and ETag, which makes a download switch to a single request: the server responded with
    200 to a Range. It may have ignored it (RFC 9110 14.2), or have sent the range with the wrong status."""
    length = headers.get("content-length", "")
    return Chunk(b"", max(1, int(length) if length.isascii() and length.isdigit() else 1), "", {})


def unsatisfied(headers: Mapping[str, str]) -> Chunk:
    """The meaning of a 416 to the first range: the object is empty. If its size is unknown, all of it is requested."""
    told = headers.get("content-range", "").replace(" ", "")
    return Chunk(b"", 0, headers.get("etag", ""), headers) if told.endswith("*/0") else not_a_range({})


def chunk_of(content: bytes, headers: Mapping[str, str]) -> Chunk:
    """A 206 response as a chunk. Raises ExchangeError if it does not contain the size of the whole."""
    total = parse_content_range(headers.get("content-range", "")).size
    if total is None:
        raise ExchangeError(f"the server does not report the size: Content-Range is {headers.get('content-range')!r}")
    return Chunk(content, total, headers.get("etag", ""), headers)


class PoolSource:
    """A URL, read over connections (and by the retry policy) of a urllib3 PoolManager."""

    origin = None

    def __init__(self, url: str, pool: urllib3.PoolManager, timeout: Any) -> None:
        self._url = url
        self._pool = pool
        self._timeout = timeout

    def read(self, start: int, end: int, etag: str) -> Chunk:
        answer = self._ask(start, end, etag)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if answer.status == 200:
            return not_a_range(headers)
        if answer.status == 416 and not start:
            return unsatisfied(headers)
        if answer.status == 412 and etag:
            raise ObjectChangedError("the object was replaced while it was being downloaded")
        if answer.status != 206:
            raise pool_error(answer, headers)
        if not answer.data and not start and headers.get("content-range", "").endswith("/0"):
            return Chunk(b"", 0, headers.get("etag", ""), headers)  # some servers send this instead of a 416
        covered = parse_content_range(headers.get("content-range", ""))
        if covered.start != start or covered.end != start + len(answer.data):
            raise ExchangeError(f"requested bytes from {start}; received {len(answer.data)} with Content-Range "
                                f"{headers.get('content-range')!r}")
        return chunk_of(answer.data, headers)

    def _ask(self, start: int, end: int, etag: str) -> Any:
        """The response with its body, unless it is the whole object in response to the first range."""
        options = {"headers": {"Range": f"bytes={start}-{end - 1}", **match_condition(etag)}, "timeout": self._timeout,
                   "decode_content": False}
        if start == 0:
            answer = self._pool.request("GET", self._url, preload_content=False, **options)
            if answer.status == 200:
                answer.close()
                return answer
            with suppress(urllib3.exceptions.HTTPError):
                assert answer.data is not None  # reads it, and returns the connection to the pool
                return answer
            answer.close()
        return self._pool.request("GET", self._url, **options)  # the pool retries a body that breaks off

    def read_whole(self, take: Callable[[bytes | memoryview], object]) -> Chunk:
        answer = self._pool.request("GET", self._url, timeout=self._timeout, decode_content=False,
                                    preload_content=False)
        try:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            if answer.status != 200:
                answer.read(decode_content=False, cache_content=True)
                raise pool_error(answer, headers)
            size = 0
            for piece in _pieces(answer):
                take(piece)
                size += len(piece)
        finally:
            answer.release_conn()
        return Chunk(b"", size, headers.get("etag", ""), headers)


def _pieces(answer: Any) -> Iterator[bytes]:
    """The body. Raises BrokenOffError."""
    try:
        yield from answer.stream(_PIECE, decode_content=False)
    except urllib3.exceptions.HTTPError as error:
        raise BrokenOffError(f"the body ended early: {error}") from error


class StoreSource:
    """An object of any cloudpath. If it is missing, an ApiException with status 404 is raised."""

    def __init__(self, cloudpath: str, timeouts: Timeouts) -> None:
        directory, self._key = split_object(cloudpath)
        self._files = CloudFiles(directory, connect_timeout=timeouts.connect, read_timeout=timeouts.read,
                                 encoding_suffixes=False)
        self._described: StoredObject | None = None

    @property
    def origin(self) -> Origin | None:
        return self._files._store.interface(blocking_runtime()).origin

    def read(self, start: int, end: int, etag: str) -> Chunk:
        """As `Source.read`; `StoredObject.validator` takes the place of the ETag."""
        interface: Interface = self._files._store.interface(blocking_runtime())
        if start == 0 or self._described is None:
            self._described = interface.describe(self._key)
        described = self._described
        if described is None:
            raise self._missing()
        here, total = described.validator or described.etag or "", described.size
        if etag and here != etag:
            raise ObjectChangedError("the object was replaced while it was being downloaded", path=self._key)
        if described.validator is None and total is not None and total > end:
            return Chunk(b"", total, here, {})  # nothing proves that the next chunk is of the same version
        if total is None or described.validator is None:
            return self._whole(interface, here)
        content = interface.get_part(self._key, start, min(end, total), described) if total else b""
        return Chunk(content, total, here, {})

    def read_whole(self, take: Callable[[bytes | memoryview], object]) -> Chunk:
        interface: Interface = self._files._store.interface(blocking_runtime())
        stored = interface.stream_to(self._key, take)
        if stored is None:
            raise self._missing()
        return _chunk_about(stored)

    def _whole(self, interface: Interface, here: str) -> Chunk:
        """For an object whose size is not known in advance."""
        stored = interface.get(self._key)
        if stored is None:
            raise self._missing()
        if not isinstance(stored.content, bytes):
            raise InvalidInputError(f"expected an object that contains bytes, found {type(stored.content).__name__}",
                                    path=self._key)
        return Chunk(stored.content, len(stored.content), here, {})

    def _missing(self) -> ApiException:
        return ApiException("the object does not exist", status=404, reason="Not Found", path=self._key,
                            store=self._files.cloudpath)
