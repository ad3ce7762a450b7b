"""Reading a file chunk by chunk, from wherever it is: the answers to ranged requests, and how they fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import urllib3

from cloudfiles import integrity
from cloudfiles.addresses import split_object
from cloudfiles.byteranges import parse_content_range
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import (
    ApiException,
    CloudFilesError,
    InvalidInputError,
    ObjectChangedError,
    ServerError,
    TransportError,
)
from cloudfiles.files.web import PASSING, Connection, Timeouts, is_redirect
from cloudfiles.interfaces import interface_class
from cloudfiles.interfaces.bounded_read import PiecewiseRead
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.interfaces.throughput_monitor import FAST_BYTES_PER_SECOND, MIN_REMAINING_BYTES
from cloudfiles.retry import parse_retry_after
from cloudfiles.runtime.engine import blocking_runtime
from cloudfiles.transport.request import BodyTooLargeError, Response
from cloudfiles.transport.wire import Head
from cloudfiles.types import StoredObject

if TYPE_CHECKING:
    from cloudfiles.interfaces.base import Interface

_CHANGES = 3
"""Times that a download begins anew because the object was replaced, or came damaged."""

_PIECE = 1 << 20
_IN_MEMORY = 64 << 20
_MOST_AT_ONCE = 8
"""Bytes, and chunks, that are read side by side at the most."""


class ExchangeError(TransportError, urllib3.exceptions.HTTPError):
    """The exchange with the server failed, and went on failing when it was tried again. Also a urllib3 HTTPError."""


class BrokenOffError(ExchangeError):
    """A body broke off that is handed on as it comes: a pool does not try it again."""


class Chunk(NamedTuple):
    """A part of an object, and what its answer says of the whole.

    Attributes:
        total: bytes of the whole.
        etag: as sent, '' where there is none.
        headers: lower-case names to values.
    """

    content: bytes
    total: int
    etag: str
    headers: Mapping[str, str]


class Source(Protocol):
    """Where chunks come from.

    Attributes:
        takes_several: chunks may be read side by side.
    """

    takes_several: bool

    def read(self, start: int, end: int, etag: str) -> Chunk:
        """The bytes `[start:end]`, fewer where the object ends.

        etag: that of the object they are to be of, '' for any.
        Of a server that answers with no range, see `not_a_range`.
        Raises ObjectChangedError where it is another object by now, ApiException, or a TransportError.
        """

    def read_whole(self, take: Callable[[bytes | memoryview], object]) -> Chunk:
        """Hand the whole object to `take` by one request, in order; gives a chunk without content that tells of it.

        Raises as `read`; what `take` was given is then of no use.
        """


# ---- by our own client


class ChunkRead(ObjectRead):
    """A GET of a byte range that wants 206 and nothing else; a body that breaks off is gone on with.

    The whole object in place of the range is left unread: `Client.send` raises BodyTooLargeError.
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
    """A GET of all of an object, handed on as it comes."""

    __slots__ = ()

    def accept(self, response: Response) -> Any:
        if response.status != 200:
            raise unexpected(self, response)
        return super().accept(response)


class WebSource:
    """A URL, read by our own client."""

    takes_several = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, start: int, end: int, etag: str) -> Chunk:
        to = self._connection
        headers = {**to.headers, **_condition(etag)}
        request = ChunkRead(to.origin, to.target, headers, to.protocol(), to.shown, start, end)
        request.single_connection = True  # what makes it faster is that others are read beside it
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


def unexpected(request: Any, response: Response) -> Exception:
    """What an answer that is no success means: the request corrected, tried again later, or an ApiException."""
    if is_redirect(response) or response.status == 401:
        corrected = request.to_error(response)
        if not isinstance(corrected, CloudFilesError):
            return corrected  # type: ignore[no-any-return]
    if response.status in PASSING:
        return ServerError(f"the server responded with {response.status}", status=response.status, path=request.path,
                           retry_after=parse_retry_after(response.headers.get("retry-after"),
                                                         response.headers.get("date")),
                           is_slow_down=response.status != 413, is_transient=True)
    return api_exception(response.status, response.headers, response.content, request.path)


def api_exception(status: int, headers: Mapping[str, str], body: bytes, path: str | None = None,
                  reason: str = "") -> ApiException:
    if not reason and status in {known.value for known in HTTPStatus}:
        reason = HTTPStatus(status).phrase
    return ApiException(f"the server responded with {status} {reason}".rstrip(), status=status, reason=reason,
                        headers=dict(headers), body=body, path=path)


def _condition(etag: str) -> dict[str, str]:
    """If-Match compares strongly: a weak ETag never matches (RFC 9110 13.1.1)."""
    return {"if-match": etag} if etag and not etag.startswith("W/") else {}


def not_a_range(headers: Mapping[str, str]) -> Chunk:
    """A chunk without content and ETag, by which a download goes over to one request for all: the server has answered
    200 to a Range. It may have ignored it (RFC 9110 14.2), or have sent the range under the wrong status."""
    length = headers.get("content-length", "")
    return Chunk(b"", max(1, int(length) if length.isascii() and length.isdigit() else 1), "", {})


def unsatisfied(headers: Mapping[str, str]) -> Chunk:
    """What a 416 to the first range says: the object is empty. Where its size is not told, all of it is asked for."""
    told = headers.get("content-range", "").replace(" ", "")
    return Chunk(b"", 0, headers.get("etag", ""), headers) if told.endswith("*/0") else not_a_range({})


def chunk_of(content: bytes, headers: Mapping[str, str]) -> Chunk:
    """An answer with 206 as a chunk. Raises ExchangeError where it does not tell the size of the whole."""
    total = parse_content_range(headers.get("content-range", "")).size
    if total is None:
        raise ExchangeError(f"the server does not report the size: Content-Range is {headers.get('content-range')!r}")
    return Chunk(content, total, headers.get("etag", ""), headers)


# ---- by a pool that the caller hands in


class PoolSource:
    """A URL, read over connections (and by the retry policy) of a urllib3 PoolManager."""

    takes_several = False

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
            return Chunk(b"", 0, headers.get("etag", ""), headers)  # as some say it in place of a 416
        covered = parse_content_range(headers.get("content-range", ""))
        if covered.start != start or covered.end != start + len(answer.data):
            raise ExchangeError(f"requested bytes from {start}; received {len(answer.data)} with Content-Range "
                                f"{headers.get('content-range')!r}")
        return chunk_of(answer.data, headers)

    def _ask(self, start: int, end: int, etag: str) -> Any:
        """The answer with its body, but for one that is the whole object to the first range."""
        options = {"headers": {"Range": f"bytes={start}-{end - 1}", **_condition(etag)}, "timeout": self._timeout,
                   "decode_content": False}
        if start == 0:
            answer = self._pool.request("GET", self._url, preload_content=False, **options)
            if answer.status == 200:
                answer.close()
                return answer
            with suppress(urllib3.exceptions.HTTPError):
                assert answer.data is not None  # reads it, and gives the connection back
                return answer
            answer.close()
        return self._pool.request("GET", self._url, **options)  # a body that breaks off is retried by the pool

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


def pool_error(answer: Any, headers: Mapping[str, str]) -> Exception:
    """What a status means that is no success, after the pool has tried again as often as it does."""
    if answer.status in PASSING:
        return ExchangeError(f"the server kept responding with {answer.status}")
    return api_exception(answer.status, headers, answer.data, reason=answer.reason or "")


# ---- from any other store


class StoreSource:
    """An object of any cloudpath, read as its protocol does. What is missing is an ApiException of status 404."""

    def __init__(self, cloudpath: str, timeouts: Timeouts) -> None:
        directory, self._key = split_object(cloudpath)
        self._files = CloudFiles(directory, connect_timeout=timeouts.connect, read_timeout=timeouts.read,
                                 encoding_suffixes=False)
        self.takes_several = not interface_class(self._files.protocol).is_local
        self._described: StoredObject | None = None

    def read(self, start: int, end: int, etag: str) -> Chunk:
        """As the protocol says; in place of an ETag counts what `StoredObject.validator` gives."""
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
            return Chunk(b"", total, here, {})  # nothing would tell that the next one is of the same object
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
        """For an object whose size nothing tells beforehand."""
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


# ---- together


class Download:
    """How far a download is: which range comes next, and whether what came belongs together.

    Attributes:
        done: bytes that have come.
        total: bytes of the object, None before the first chunk.
        etag: of the object, '' where there is none, or none yet.
        in_one: it has to be read by one request, as nothing proves that several would answer of the same content.
    """

    def __init__(self, chunk_size: int) -> None:
        self._chunk_size = chunk_size
        self._changes = 0
        self._is_slow = False
        self.in_one = False
        self._expected = 0
        self._forget()

    def _forget(self) -> None:
        self.done = 0
        self.total: int | None = None
        self.etag = ""
        self._digest: integrity.Digest | None = None
        self._hasher: integrity.Hasher | None = None

    @property
    def is_whole(self) -> bool:
        return self.total is not None and self.done >= self.total

    def spans(self, source: Source) -> list[tuple[int, int]]:
        """The ranges to ask for next, side by side; none when all is here.

        More than one where chunks came slowly, of an object that is large and pinned by a strong ETag.
        """
        if self.is_whole or self.in_one:
            return []
        left = 0 if self.total is None else self.total - self.done
        count = 1
        if self._is_slow and source.takes_several and left >= MIN_REMAINING_BYTES and _condition(self.etag):
            count = max(1, min(_MOST_AT_ONCE, _IN_MEMORY // self._chunk_size, -(-left // self._chunk_size)))
        starts = range(self.done, self.done + count * self._chunk_size, self._chunk_size)
        return [(start, start + self._chunk_size) for start in starts]

    def note_speed(self, chunks: Sequence[Chunk], seconds: float) -> None:
        """Take note of how long it took to read them. Where one connection was slow, it stays with several."""
        self._is_slow |= len(chunks[0].content) < seconds * FAST_BYTES_PER_SECOND

    def in_order(self, spans: Iterable[tuple[int, int]], chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Count the chunks of these ranges in, one by one. Ends where one is shorter than was asked for."""
        for (start, _), chunk in zip(spans, chunks, strict=True):
            if start != self.done:
                return
            if self.total is None and len(chunk.content) < chunk.total and not _condition(chunk.etag):
                self.in_one, self._expected = True, chunk.total
                return
            self.take(chunk)
            yield chunk

    def take(self, chunk: Chunk) -> None:
        """Count a chunk in.

        Raises ObjectChangedError where it is of another object than those before, and IntegrityError where it was
        the last and all of them together are not what the server's digest is of.
        """
        if self.total is None:
            self._begin(chunk)
        elif (chunk.total, chunk.etag) != (self.total, self.etag):
            raise ObjectChangedError(f"the object was replaced while it was being downloaded: it had {self.total} "
                                     f"bytes and the ETag {self.etag}, now {chunk.total} and {chunk.etag}")
        if not chunk.content and self.done < chunk.total:
            raise ExchangeError(f"the server sent no bytes although {chunk.total - self.done} are left")
        self.done += len(chunk.content)
        if self._hasher is not None:
            self._hasher.update(chunk.content)
        if self.is_whole and self._digest is not None and self._hasher is not None:
            integrity.verify_value(self._hasher.digest(), self._digest, self.done)

    def _begin(self, chunk: Chunk) -> None:
        self.total, self.etag = chunk.total, chunk.etag
        # A Content-MD5 is left out: of a part, servers do not agree whether it is that of the part.
        headers = {name: value for name, value in chunk.headers.items() if name != "content-md5"}
        digests = integrity.digests_from_headers(headers)
        if digests:
            self._digest = digests[0]
            self._hasher = integrity.hasher(self._digest.algorithm)

    def read_in_one(self, source: Source, write: Callable[[bytes | memoryview], object],
                    report: Callable[[int, int], object] | None) -> None:
        """Hand the whole object to `write`, telling `report` after each chunk's worth of bytes."""
        told = 0

        def take(piece: bytes | memoryview) -> None:
            nonlocal told
            write(piece)
            self.done += len(piece)
            if report is not None and self.done - told >= self._chunk_size:
                told = self.done
                report(self.done, max(self.done, self._expected))

        self.total = source.read_whole(take).total
        if report is not None and self.done != told:
            report(self.done, self.total)

    def begin_anew(self, cause: CloudFilesError) -> None:
        """Forget what has come. Raises the cause where that has happened too often."""
        self._changes += 1
        if self._changes >= _CHANGES:
            raise cause
        self._forget()
