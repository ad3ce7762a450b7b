"""Reads responses from a stream: heads, and bodies of any framing, into memory or to a receiver."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable

from cloudfiles.exceptions import (
    CloudFilesError,
    ConnectionFailedError,
    ProtocolError,
    TooLargeError,
    TruncatedBodyError,
)
from cloudfiles.runtime.contract import Stream
from cloudfiles.transport.body_buffers import BodyBuffer, BufferFullError, GrowingBuffer
from cloudfiles.transport.body_memory import SMALL_BODY
from cloudfiles.transport.budget import Reservation
from cloudfiles.transport.request import UNANNOUNCED_BYTES, Receiver, Request, Response, SlowBodyError
from cloudfiles.transport.socket_errors import transport_error
from cloudfiles.transport.throughput import Throughput, TooSlowError, Watch
from cloudfiles.transport.traffic import Traffic
from cloudfiles.transport.wire import CHUNKED, ChunkedBody, Head, body_length, head_end, parse_head

BUFFER = 80 * 1024
"""Bytes of the receive buffer: a response of up to 64 KiB arrives whole. Copying it out of memory that is in the caches
takes less time than a second system call, and clearing the memory into which it would be received directly."""

_WHOLE = 64 * 1024
"""Bytes of the largest body that is received whole into the buffer."""

_BEGIN = 16 * 1024
"""Bytes of the first receive if larger bodies are expected: most of one is received directly into its own memory."""

_LARGE = 256 * 1024
"""Bytes of the buffer for large bodies that are passed to a receiver."""

_USUAL = 8
"""The usual size of a body of unknown length is a mean of about so many."""

_MAX_INTERIM = 100
"""Maximum number of interim responses; servers that are still working send one every few seconds."""


class IncompleteBodyError(Exception):
    """A body broke off: the bytes that were received, and the error that ended it. Never leaves the transport."""

    def __init__(self, head: Head, received: bytes, cause: Exception) -> None:
        super().__init__(str(cause))
        self.head = head
        self.received = received
        self.cause = cause

    def take_cause(self) -> Exception:
        """The error that ended it, to be raised from this one, without references back: they would form a cycle."""
        cause = self.cause
        del self.cause, self.received
        if self.__cause__ is cause:
            self.__cause__ = None
        return cause


class ResponseReader:
    """The receiving side of a connection, and its buffer.

    Attributes:
        reusable: whether another response may follow; False after any error.
        has_response_bytes: whether any byte of the current response has been received.
        has_head: whether its head has been received completely.
        received, sent: bytes over all exchanges; only bodies are counted in `sent`.
    """

    __slots__ = ("_body", "_first", "_is_observed", "_memory", "_stream", "_throughput", "_too_slow", "_traffic",
                 "_view", "has_head", "has_response_bytes", "is_closed", "received", "reusable", "sent")

    def __init__(self, stream: Stream, throughput: Throughput, traffic: Traffic,
                 memory: Callable[[int], Reservation]) -> None:
        """memory: returns a block in which a body of so many bytes may be received, and more if it reserves more."""
        self._stream = stream
        self._throughput = throughput
        self._traffic = traffic
        self._memory = memory
        self._view = _untouched_memory(BUFFER)
        self._first = self._view  # for the first receive of a response
        self._is_observed = False  # `_on_first_byte` and `_on_head` are to be called
        self._body: tuple[Head, int | None] | None = None  # its head, and `received` when it began if it has a length
        self._too_slow: TooSlowError | None = None  # the reason for which the exchange was interrupted
        self.reusable = False
        self.is_closed = False
        self.has_response_bytes = False
        self.has_head = False
        self.received = 0
        self.sent = 0

    @property
    def is_busy(self) -> bool:
        """Whether an exchange is under way."""
        return not self.reusable and not self.is_closed

    def _on_first_byte(self) -> None:
        """A response that is observed begins to arrive."""

    def _on_head(self) -> None:
        """Its head has arrived."""

    def _receive(self, request: Request, begin: tuple[Head, memoryview] | None = None) -> Response:
        """The response; begin: its head, and the bytes after it, if they were received already."""
        head, rest = begin or self._receive_head(0)
        if head.status < 200:
            head, rest = self._receive_final_head(head, rest)
        length = body_length(head, request.method)
        if request.receiver is not None and request.receiver.accepts(head, length):
            self._hand_on(head, length, rest, request)
            return Response(head.status, head.headers, b"")
        try:
            if length > SMALL_BODY:
                with self._memory(length):
                    content = self._sized(head, length, rest, request)
            elif length >= 0:
                content = self._sized(head, length, rest, request)
            else:
                with self._memory(0) as room:
                    content = self._unsized(head, length, rest, request, room)
        except MemoryError as error:
            raise TooLargeError("the response does not fit into memory (Content-Length: "
                                f"{head.headers.get('content-length', 'not given')})", path=request.path) from error
        return Response(head.status, head.headers, content)

    def _receive_head(self, filled: int) -> tuple[Head, memoryview]:
        """The next head, and the bytes after it that were received with it, in the buffer.

        filled: bytes already in the buffer.
        """
        searched = 0
        watch: Watch | None = None
        while True:
            if filled:
                end = head_end(self._view, filled, searched)
                if end >= 0:
                    head = parse_head(self._view[:end])
                    if head.status >= 200:
                        self.has_head = True
                        if self._is_observed:
                            self._on_head()
                    return head, self._view[end:filled]
                watch = self._watch_head(watch)
            searched = filled
            count = self._receive_some(filled)
            filled += count
            self.received += count
            self._traffic.bytes += count
            if self._is_observed:
                self._on_first_byte()
            self.has_response_bytes = True

    def _watch_head(self, watch: Watch | None) -> Watch:
        """Before waiting for the rest of a head."""
        if watch is None:
            return self._throughput.receiving(self)
        if self._throughput.now() >= watch.due:
            try:
                watch.check()
            except TooSlowError as error:
                raise transport_error(error, "while receiving the response headers") from error
        return watch

    def _receive_final_head(self, head: Head, rest: memoryview) -> tuple[Head, memoryview]:
        """The head after interim responses (RFC 9110 15.2). No request here asks to switch protocols."""
        for _ in range(_MAX_INTERIM):
            if head.status == 101:
                raise ProtocolError("the server switched protocols, which was not requested")
            self._view[: len(rest)] = bytes(rest)
            head, rest = self._receive_head(len(rest))
            if head.status >= 200:
                return head, rest
        raise ProtocolError(f"the server sent {_MAX_INTERIM} interim responses and no final one")

    def _receive_some(self, filled: int) -> int:
        """Receive more of a head, after the `filled` bytes of the buffer; returns the number of bytes."""
        try:
            count = self._stream.receive_into(self._view[filled:] if filled else self._first)
        except OSError as error:
            raise transport_error(error, "while waiting for the response") from error
        if not count:
            where = f"after {filled} bytes of the response headers" if filled else "before it responded"
            raise ConnectionFailedError(f"the server closed the connection {where}")
        return count

    def _sized(self, head: Head, length: int, rest: memoryview, request: Request) -> bytes:
        """A body of `length` bytes, received directly into the memory of the result unless it has arrived already."""
        missing = length - len(rest)
        if missing < 0:
            # More than announced: it is unknown what the rest belongs to, so the connection is not used again.
            return bytes(rest[:length])
        if missing == 0:
            self.reusable = head.keep_alive
            return bytes(rest)
        self._first = self._view if length <= _WHOLE else self._view[:_BEGIN]  # the next body may be as long
        limit, keep_alive = request.max_body_size(head), head.keep_alive
        if limit is not None and length > limit:
            if head.status < 300:
                raise _too_large(request, limit, length)
            length, keep_alive = limit, False  # enough of an error response
        monitor = request.monitor(head, length)
        watch: Watch | None = None  # created only for a body that takes long
        now = self._throughput.now
        due = now() + self._throughput.first_check
        body, got = BodyBuffer(length, rest), len(rest)
        self._body = head, self.received - got
        try:
            while got < length:
                with body.view[got:] as free:  # released even if a traceback refers to it: `cut` resizes the memory
                    count = self._stream.receive_into(free)
                if not count:
                    raise TruncatedBodyError(f"the body ended after {got} of {length} bytes")
                got += count
                self.received += count
                self._traffic.bytes += count
                if now() >= due:
                    watch = watch or self._throughput.receiving(
                        self, request.method, due - self._throughput.first_check, got - len(rest))
                    watch.check()
                    due = watch.due
                if monitor is not None:
                    monitor.update(got)
        except (OSError, TruncatedBodyError, SlowBodyError) as error:
            raise IncompleteBodyError(head, body.cut(got),
                                      transport_error(error, "while receiving the body")) from error
        self._body = None
        self.reusable = keep_alive and self._too_slow is None  # else it was interrupted when the body had arrived
        return body.cut(length)

    def _more(self, view: memoryview, watch: Watch) -> int:
        """Receive more of a body into `view`; returns the number of bytes, 0 at the end of the stream."""
        count = self._stream.receive_into(view)
        if not count and self._too_slow is not None:
            raise self._too_slow  # it did not end, but was interrupted
        self.received += count
        self._traffic.bytes += count
        if self._throughput.now() >= watch.due:
            watch.check()
        return count

    def _hand_on(self, head: Head, length: int, rest: memoryview, request: Request) -> None:
        """Pass a body to the request's receiver, which itself keeps track of what it has received."""
        watch = self._throughput.receiving(self, request.method)
        assert request.receiver is not None
        receiver = _TimedReceiver(request.receiver, watch, self._throughput.now)
        try:
            if length >= 0:
                self._body = head, self.received - len(rest)
                self._deliver_sized(length, rest, receiver, watch)
                self._body = None
                self.reusable = head.keep_alive and len(rest) <= length and self._too_slow is None
            else:
                self._deliver_unsized(head, length, rest, receiver, watch)
        except (OSError, TruncatedBodyError) as error:
            if isinstance(error, CloudFilesError) and not isinstance(error, TruncatedBodyError):
                raise  # an error of the receiver
            raise IncompleteBodyError(head, b"", transport_error(error, "while receiving the body")) from error

    def _deliver_sized(self, length: int, rest: memoryview, receiver: _TimedReceiver, watch: Watch) -> None:
        left = length - len(rest)
        receiver.write(rest[:length])
        view = self._view
        if left > _LARGE:
            view = memoryview(bytearray(_LARGE))  # fewer and larger pieces: each is a call of the receiver
        while left > 0:
            count = self._more(view[:left], watch)
            if not count:
                raise TruncatedBodyError(f"the body ended after {length - left} of {length} bytes")
            receiver.write(view[:count])
            left -= count

    def _deliver_unsized(self, head: Head, length: int, rest: memoryview, receiver: _TimedReceiver, watch: Watch
                         ) -> None:
        """A chunked body, or one that ends with the connection, which is then not used again."""
        chunked = ChunkedBody() if length == CHUNKED else None
        data: bytes | memoryview = rest
        while True:
            for piece in [data] if chunked is None else chunked.feed(data):
                receiver.write(piece)
            if chunked is not None and chunked.done:
                self._end_chunks(head, chunked)
                return
            count = self._more(self._view, watch)
            if not count:
                if chunked is not None:
                    chunked.finish()
                return
            data = self._view[:count]

    def _unsized(self, head: Head, length: int, rest: memoryview, request: Request, room: Reservation) -> bytes:
        """A body of unknown length, which reserves memory as it grows."""
        watch = self._throughput.receiving(self, request.method)
        memory = GrowingBuffer(_body_limit(request, head))
        self._body = head, None
        try:
            if length == CHUNKED:
                self._chunked(head, rest, memory, watch, room)
            else:
                self._until_close(rest, memory, watch, room)
        except (OSError, TruncatedBodyError) as error:
            raise IncompleteBodyError(head, memory.content(), transport_error(error, "while receiving the "
                                                                              "body")) from error
        except BufferFullError:
            return _cut_short(request, head, memory)
        self._body = None
        if memory.size > SMALL_BODY:
            self._traffic.unsized_bytes += (memory.size - self._traffic.unsized_bytes) // _USUAL
        return memory.content()

    def _chunked(self, head: Head, data: memoryview, memory: GrowingBuffer, watch: Watch, room: Reservation) -> None:
        body = ChunkedBody()
        while True:
            self._extend(room, memory.size + len(data), watch)
            for piece in body.feed(data):
                memory.add(piece)
            if body.done:
                break
            count = self._more(self._view, watch)
            if not count:
                body.finish()
            data = self._view[:count]
        self._end_chunks(head, body)

    def _until_close(self, data: memoryview, memory: GrowingBuffer, watch: Watch, room: Reservation) -> None:
        """A body that ends with the connection (HTTP/1.0), so that its length cannot be checked here."""
        while True:
            self._extend(room, memory.size + len(data), watch)
            memory.add(data)
            count = self._more(self._view, watch)
            if not count:
                return
            data = self._view[:count]

    def _extend(self, room: Reservation, size: int, watch: Watch) -> None:
        """Before a body has `size` bytes: reserve them, and some more so that this is needed rarely."""
        if size <= SMALL_BODY or size <= room.count:
            return
        expected = room.count + room.count // 4 if room.count else self._traffic.unsized_bytes
        began = self._throughput.now()
        room.extend(max(size, expected) - room.count)
        watch.pause(self._throughput.now() - began)

    def _end_chunks(self, head: Head, body: ChunkedBody) -> None:
        for name, value in body.trailers.items():
            if name.startswith("x-"):  # a digest; trailers must not change how the body is read (RFC 9110 6.5.1)
                head.headers.setdefault(name, value)
        self.reusable = (head.keep_alive and not body.rest and "content-length" not in head.headers
                         and self._too_slow is None)


def _untouched_memory(size: int) -> memoryview:
    """Zeros. Where possible, the system provides each page when it is first used: clearing all of them would take a
    quarter of the CPU time of opening a connection, and most responses need few."""
    if sys.platform == "win32":
        return memoryview(bytearray(size))
    return memoryview(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def _body_limit(request: Request, head: Head) -> int:
    """Maximum number of bytes of a body of unknown length."""
    limit = request.max_body_size(head)
    return UNANNOUNCED_BYTES if limit is None else limit


def _cut_short(request: Request, head: Head, memory: GrowingBuffer) -> bytes:
    """The beginning of a body that is too large: enough if the status is an error."""
    if head.status < 300:
        raise _too_large(request, _body_limit(request, head))
    return memory.content()


def _too_large(request: Request, limit: int, length: int | None = None) -> TooLargeError:
    size = "does not end" if length is None else f"has {length} bytes"
    return TooLargeError(f"the response {size}; at most {limit} bytes are read into memory", path=request.path)


class _TimedReceiver:
    """A receiver whose own time is not counted as that of the server."""

    def __init__(self, receiver: Receiver, watch: Watch, now: Callable[[], float]) -> None:
        self._receiver = receiver
        self._watch = watch
        self._now = now

    def write(self, piece: memoryview | bytes) -> None:
        began = self._now()
        self._receiver.write(piece)
        self._watch.pause(self._now() - began)
