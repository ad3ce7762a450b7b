"""One connection: sends a request and receives the response, without interpreting either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from cloudfiles.exceptions import (
    CloudFilesError,
    ConnectionFailedError,
    DeadlineError,
    ProtocolError,
    RequestTimeoutError,
    TooLargeError,
    TransportError,
    TruncatedBodyError,
)
from cloudfiles.runtime.contract import Stream
from cloudfiles.transport.body_buffers import BodyBuffer, BufferFullError, GrowingBuffer
from cloudfiles.transport.body_memory import SMALL_BODY
from cloudfiles.transport.deadline import DeadlineStream
from cloudfiles.transport.hedging import Hedger, Straggler
from cloudfiles.transport.request import (
    UNANNOUNCED_BYTES,
    Body,
    FileBody,
    Receiver,
    Request,
    Response,
    SlowBodyError,
)
from cloudfiles.transport.socket_errors import transport_error
from cloudfiles.transport.throughput import NO_MINIMUM, Throughput, TooSlowError, Watch
from cloudfiles.transport.traffic import Traffic
from cloudfiles.transport.wire import CHUNKED, MAX_HEAD, ChunkedBody, Head, body_length, head_end, parse_head

if TYPE_CHECKING:
    import ssl

_FIRST = 16 * 1024
"""Bytes of the first receive: the response for a small object arrives whole, and most of a larger one is received
directly into its own memory instead of being copied there."""

BUFFER = MAX_HEAD
"""Bytes of the receive buffer: large enough for any head."""

_JOIN = 16 * 1024
"""A body of up to this many bytes is sent together with its head, by one system call."""

_LARGE = 256 * 1024
"""Bytes of the buffer for large bodies that are passed to a receiver."""

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


class Connection:
    """A stream to one origin and its receive buffer.

    Attributes:
        reusable: whether another request may follow; False after any error.
        responses: complete responses so far. A request that fails on a connection that was used before was most
            likely lost because the server had closed it while it was idle.
        has_response_bytes: whether any byte of the current response has been received.
        received, sent: bytes over all exchanges; only bodies are counted in `sent`.
    """

    __slots__ = ("__weakref__", "_buffer", "_first", "_hedger", "_is_observed", "_memory", "_request", "_sent_at",
                 "_stall", "_straggler", "_stream", "_throughput", "_too_slow", "_traffic", "_view",
                 "has_response_bytes", "idle_since", "is_closed", "received", "responses", "reusable", "sent")

    def __init__(self, stream: Stream, throughput: Throughput = NO_MINIMUM, traffic: Traffic | None = None,
                 hedger: Hedger | None = None,
                 memory: Callable[[int], AbstractContextManager[Any]] = nullcontext) -> None:
        """memory: returns a block in which a body of so many bytes may be received."""
        self._memory = memory
        self._throughput = throughput
        self._traffic = Traffic() if traffic is None else traffic
        self._stream = stream
        self._hedger = hedger
        self._request: Request | None = None  # in progress
        self._straggler: Straggler | None = None  # the same, if it has waited for long
        self._sent_at: float | None = None  # if its time to the first byte is sampled
        self._is_observed = False  # one of the last two is set
        self._stall: tuple[Watch, float] | None = None  # a wait within a body, and its length so far
        self._too_slow: TooSlowError | None = None  # the reason for which the exchange was interrupted
        stream.on_wait = self._on_wait
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._first = self._view[:_FIRST]
        self.reusable = False
        self.responses = 0
        self.has_response_bytes = False
        self.idle_since = 0.0
        self.is_closed = False
        self.received = 0
        self.sent = 0

    @property
    def is_busy(self) -> bool:
        """Whether an exchange is under way."""
        return not self.reusable and not self.is_closed

    def close(self) -> None:
        self.reusable = False
        self.is_closed = True
        self._stall = None
        self._stream.on_wait = None
        self._stream.close()

    def interrupt(self) -> None:
        """From anywhere: end the exchange in progress, which then fails."""
        self._stream.interrupt()

    def forget(self) -> None:
        """After a fork, in the child: the connection is the parent's."""
        self._stream.on_wait = None
        self._stream.forget()

    def is_stale(self) -> bool:
        return self._stream.is_stale()

    @property
    def address(self) -> Any:
        """The socket address of the server; None if it is not known."""
        return self._stream.peer

    def tls_session(self) -> ssl.SSLSession | None:
        return self._stream.tls_session()

    def exchange(self, head: bytes, request: Request) -> Response:
        """Send `head` and the request's body, and read the whole response.

        Raises TransportError if the exchange fails before the response body, IncompleteBodyError within it, and
        HedgeWonError if the request was sent again on another connection, and is answered there.
        """
        stream = self._stream
        if request.deadline is not None:
            self._stream = DeadlineStream(stream, request.deadline, self._throughput.now)
        self.reusable = False
        self.has_response_bytes = False
        self._request = request
        try:
            try:
                self._send(head, request.body)
            except OSError as error:
                if isinstance(error, CloudFilesError):
                    raise  # an error of the file that is sent
                return self._early_response(request, error)
            traffic = self._traffic
            if traffic.begun >= traffic.first_byte.next_sample:
                self._sent_at = self._throughput.now()
                traffic.first_byte.begin_sample(traffic.begun, self._sent_at)
                self._is_observed = True
            response = self._receive(request)
            self.responses += 1
            return response
        except TransportError as error:
            self._await_second(error)
            if self._too_slow is not None:
                raise transport_error(self._too_slow, "while receiving the response headers") from error
            raise
        except IncompleteBodyError as broken:
            self._explain(broken)
            raise
        finally:
            self._stream = stream
            self._request = None
            if self._straggler is not None:
                self._end_straggler()

    def ask(self, head: bytes, request: Request) -> tuple[Head, bytes]:
        """Send a request that has no body, and receive the head of the response, which `receive_body` follows.

        Raises TransportError.
        """
        self.reusable = False
        self.has_response_bytes = False
        with self._deadline_of(request):
            try:
                self._stream.send(head)
            except OSError as error:
                raise transport_error(error, "while the request was being sent") from error
            found, rest = self._receive_head(0)
            if found.status < 200:
                found, rest = self._receive_final_head(found, rest)
            body_length(found, request.method)  # raises ProtocolError
            return found, rest

    def receive_body(self, head: Head, rest: bytes, request: Request) -> Response:
        """The response to `request` of which `ask` has received the head. Raises IncompleteBodyError."""
        self._request = request
        try:
            with self._deadline_of(request):
                response = self._receive(request, (head, rest))
        except IncompleteBodyError as broken:
            self._explain(broken)
            raise
        finally:
            self._request = None
        self.responses += 1
        return response

    def _explain(self, broken: IncompleteBodyError) -> None:
        """Name the reason if the exchange was interrupted because of a stall."""
        if self._too_slow is not None:
            broken.cause = transport_error(self._too_slow, "while receiving the body")

    @contextmanager
    def _deadline_of(self, request: Request) -> Iterator[None]:
        stream = self._stream
        if request.deadline is not None:
            self._stream = DeadlineStream(stream, request.deadline, self._throughput.now)
        try:
            yield
        finally:
            self._stream = stream

    # ---- stragglers

    def _on_wait(self, waited: float) -> None:
        """Called now and then by the stream while it waits for bytes, so far for some seconds."""
        if self._request is None:
            return
        if self.has_response_bytes:
            self._check_stall(self._request, waited)
        elif self._straggler is not None:
            self._straggler.hedge(waited, self._throughput.now())
        elif self._hedger is not None:
            self._straggler = self._hedger.look(self, self._request, waited)
            self._is_observed |= self._straggler is not None

    def _check_stall(self, request: Request, waited: float) -> None:
        """Interrupt the exchange if no more of the response arrives, while others do."""
        if waited < self._throughput.first_check:
            return
        watch, before = self._stall or (None, 0.0)
        if watch is None or waited < before:  # another wait
            watch = self._throughput.receiving(self, request.method, self._throughput.now() - waited)
        self._stall = watch, waited
        try:
            watch.check()
        except TooSlowError as error:
            self._too_slow = error
            self.interrupt()

    def _on_first_byte(self) -> None:
        """The response of a request that was sampled, or is a straggler, begins to arrive. Raises HedgeWonError."""
        request, self.has_response_bytes, self._is_observed = self._request, True, False
        if self._sent_at is not None and request is not None:
            now = self._throughput.now()
            self._traffic.first_byte.add(request.operation, request.size_class(), now - self._sent_at, now,
                                         is_first=not self.responses)
            self._sent_at = None
        if self._straggler is not None:
            self._straggler.first_byte()
            self._end_straggler()

    def _await_second(self, error: TransportError) -> None:
        """The exchange has failed: raise HedgeWonError if a second request is answered instead."""
        if self._straggler is not None and not self.has_response_bytes and not isinstance(error, DeadlineError):
            self._straggler.first_failed()

    def _end_straggler(self) -> None:
        assert self._straggler is not None
        self._straggler.end()
        self._straggler = None

    def _send(self, head: bytes, body: Body) -> None:
        size = len(body)
        if not size:
            self._stream.send(head)
        elif isinstance(body, FileBody):
            self._stream.send(head)
            self._send_pieces(body.pieces())
        elif size <= _JOIN:
            self._stream.send(b"".join((head, body)))
            self.sent += size
            self._traffic.bytes += size
        else:
            self._stream.send(head)
            self._send_pieces((body,))

    def _send_pieces(self, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        now, watch = self._throughput.now, self._throughput.sending(self)
        asked = now()
        for piece in pieces:
            watch.pause(now() - asked)  # reading from a slow disk does not count
            view = memoryview(piece).cast("B")
            while view:
                count = self._stream.send_some(view)
                self.sent += count
                self._traffic.bytes += count
                view = view[count:]
                if now() >= watch.due:
                    watch.check()
            asked = now()

    def _early_response(self, request: Request, error: OSError) -> Response:
        """The response of a server that refused the request before it had read all of it; else raises the error."""
        if isinstance(error, TimeoutError) and not self._stream.is_stale():  # nothing was received
            raise transport_error(error, "while the request was being sent") from error
        with suppress(ConnectionFailedError, RequestTimeoutError, ProtocolError, IncompleteBodyError):
            response = self._receive(request)
            self.reusable = False
            if response.status >= 300:
                return response
        raise transport_error(error, "while the request was being sent") from error

    # ---- receiving

    def _receive(self, request: Request, begin: tuple[Head, bytes] | None = None) -> Response:
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
            elif length == CHUNKED:
                content = self._chunked(head, rest, request)
            else:
                content = self._until_close(head, rest, request)
        except MemoryError as error:
            raise TooLargeError("the response does not fit into memory (Content-Length: "
                                f"{head.headers.get('content-length', 'not given')})", path=request.path) from error
        return Response(head.status, head.headers, content)

    def _receive_head(self, filled: int) -> tuple[Head, bytes]:
        """The next head, and the bytes after it that were received with it. filled: bytes already in the buffer."""
        searched = 0
        watch: Watch | None = None
        while True:
            if filled:
                end = head_end(self._buffer, filled, searched)
                if end >= 0:
                    return parse_head(self._view[:end]), bytes(self._view[end:filled])
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

    def _receive_final_head(self, head: Head, rest: bytes) -> tuple[Head, bytes]:
        """The head after interim responses (RFC 9110 15.2). No request here asks to switch protocols."""
        for _ in range(_MAX_INTERIM):
            if head.status == 101:
                raise ProtocolError("the server switched protocols, which was not requested")
            self._buffer[: len(rest)] = rest
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

    def _sized(self, head: Head, length: int, rest: bytes, request: Request) -> bytes:
        """A body of `length` bytes, received directly into the memory of the result."""
        missing = length - len(rest)
        if missing < 0:
            # More than announced: it is unknown what the rest belongs to, so the connection is not used again.
            return rest[:length]
        if missing == 0:
            self.reusable = head.keep_alive
            return rest
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
        self.reusable = keep_alive
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

    def _hand_on(self, head: Head, length: int, rest: bytes, request: Request) -> None:
        """Pass a body to the request's receiver, which itself keeps track of what it has received."""
        watch = self._throughput.receiving(self, request.method)
        assert request.receiver is not None
        receiver = _TimedReceiver(request.receiver, watch, self._throughput.now)
        try:
            if length >= 0:
                self._deliver_sized(length, rest, receiver, watch)
                self.reusable = head.keep_alive and len(rest) <= length
            else:
                self._deliver_unsized(head, length, rest, receiver, watch)
        except (OSError, TruncatedBodyError) as error:
            if isinstance(error, CloudFilesError) and not isinstance(error, TruncatedBodyError):
                raise  # an error of the receiver
            raise IncompleteBodyError(head, b"", transport_error(error, "while receiving the body")) from error

    def _deliver_sized(self, length: int, rest: bytes, receiver: _TimedReceiver, watch: Watch) -> None:
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

    def _deliver_unsized(self, head: Head, length: int, rest: bytes, receiver: _TimedReceiver, watch: Watch) -> None:
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

    def _chunked(self, head: Head, rest: bytes, request: Request) -> bytes:
        watch = self._throughput.receiving(self, request.method)
        body, memory = ChunkedBody(), GrowingBuffer(_body_limit(request, head))
        try:
            for piece in body.feed(rest):
                memory.add(piece)
            while not body.done:
                count = self._more(self._view, watch)
                if not count:
                    body.finish()
                for piece in body.feed(self._view[:count]):
                    memory.add(piece)
        except (OSError, TruncatedBodyError) as error:
            raise IncompleteBodyError(head, memory.content(), transport_error(error, "while receiving the "
                                                                                  "body")) from error
        except BufferFullError:
            return _cut_short(request, head, memory)
        self._end_chunks(head, body)
        return memory.content()

    def _end_chunks(self, head: Head, body: ChunkedBody) -> None:
        for name, value in body.trailers.items():
            if name.startswith("x-"):  # a digest; trailers must not change how the body is read (RFC 9110 6.5.1)
                head.headers.setdefault(name, value)
        self.reusable = head.keep_alive and not body.rest and "content-length" not in head.headers

    def _until_close(self, head: Head, rest: bytes, request: Request) -> bytes:
        """A body that ends with the connection (HTTP/1.0), so that its length cannot be checked here."""
        watch = self._throughput.receiving(self, request.method)
        memory = GrowingBuffer(_body_limit(request, head))
        try:
            memory.add(rest)
            while count := self._more(self._view, watch):
                memory.add(self._view[:count])
        except OSError as error:
            raise IncompleteBodyError(head, memory.content(), transport_error(error, "while receiving the "
                                                                                  "body")) from error
        except BufferFullError:
            return _cut_short(request, head, memory)
        return memory.content()


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
