"""One connection: sends a request and receives the response, without interpreting either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from cloudfiles.exceptions import (
    CloudFilesError,
    ConnectionFailedError,
    DeadlineError,
    ProtocolError,
    RequestTimeoutError,
    TransportError,
)
from cloudfiles.runtime.contract import Stream
from cloudfiles.transport.budget import Reservation, unlimited
from cloudfiles.transport.deadline import DeadlineStream
from cloudfiles.transport.hedger import Hedger
from cloudfiles.transport.hedging import Straggler
from cloudfiles.transport.request import Body, FileBody, Request, Response
from cloudfiles.transport.response_reader import IncompleteBodyError, ResponseReader
from cloudfiles.transport.socket_errors import transport_error
from cloudfiles.transport.stalled_body import StalledBody
from cloudfiles.transport.throughput import NO_MINIMUM, Throughput, TooSlowError, Watch
from cloudfiles.transport.traffic import Traffic
from cloudfiles.transport.wire import Head, body_length

if TYPE_CHECKING:
    import ssl

_JOIN = 16 * 1024
"""A body of up to this many bytes is sent together with its head, by one system call."""


class Connection(ResponseReader):
    """A stream to one origin. Sends requests, and finds out when they wait for too long.

    Attributes:
        responses: complete responses so far. A request that fails on a connection that was used before was most
            likely lost because the server had closed it while it was idle.
        dialed, opened: when it began to be opened, and when it was open.
        idle_since: when it was given back to its pool.
    """

    __slots__ = ("__weakref__", "_hedger", "_request", "_sent_at", "_stall", "_straggler", "dialed", "idle_since",
                 "opened", "responses")

    def __init__(self, stream: Stream, throughput: Throughput = NO_MINIMUM, traffic: Traffic | None = None,
                 hedger: Hedger | None = None,
                 memory: Callable[[int], Reservation] = unlimited) -> None:
        """memory: see `ResponseReader`."""
        super().__init__(stream, throughput, Traffic() if traffic is None else traffic, memory)
        self._hedger = hedger
        self._request: Request | None = None  # in progress
        self._straggler: Straggler | None = None  # the same, if it has waited for long
        self._sent_at: float | None = None  # if its time to the first byte is sampled
        self._stall: tuple[Watch, float] | None = None  # a wait within a body, and its length so far
        self.responses = 0
        self.dialed = self.opened = self.idle_since = 0.0
        stream.on_wait = self._on_wait

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
        HedgeWonError if the request, or one for the rest of the body, is answered on another connection.
        """
        stream = self._stream
        if request.deadline is not None:
            self._stream = DeadlineStream(stream, request.deadline, self._throughput.now)
        self.reusable = False
        self.has_response_bytes = self.has_head = False
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
            self._body_broke(broken)
            raise
        finally:
            self._stream = stream
            self._request = None
            if self._straggler is not None:
                self._end_straggler()

    def ask(self, head: bytes, request: Request) -> tuple[Head, memoryview]:
        """Send a request that has no body, and receive the head of the response, which `receive_body` follows.

        Raises TransportError.
        """
        self.reusable = False
        self.has_response_bytes = self.has_head = False
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

    def receive_body(self, head: Head, rest: memoryview, request: Request) -> Response:
        """The response to `request` of which `ask` has received the head.

        Raises IncompleteBodyError, and HedgeWonError if the rest of the body is received on another connection.
        """
        self._request = request
        try:
            with self._deadline_of(request):
                response = self._receive(request, (head, rest))
        except IncompleteBodyError as broken:
            self._body_broke(broken)
            raise
        finally:
            self._request = None
            if self._straggler is not None:
                self._end_straggler()
        self.responses += 1
        return response

    def _body_broke(self, broken: IncompleteBodyError) -> None:
        """Raise HedgeWonError if the rest is received on another connection. Name the reason if the exchange was
        interrupted because of a stall."""
        if isinstance(self._straggler, StalledBody):
            self._straggler.first_broke(broken.head, broken.received)
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
        if self.has_head:
            if self._body is not None:
                self._hedge_body(self._request, *self._body, waited)
            return
        if self._straggler is not None:
            self._straggler.hedge(waited, self._throughput.now())
        elif self._hedger is not None:
            self._straggler = self._hedger.look(self, self._request, waited)
            self._is_observed |= self._straggler is not None

    def _hedge_body(self, request: Request, head: Head, begin: int | None, waited: float) -> None:
        if self._straggler is None and self._hedger is not None:
            self._straggler = self._hedger.look_at_body(self, request, head, begin, waited)
        if self._straggler is not None:
            self._straggler.hedge(waited, self._throughput.now())

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
        """The response of a request that was sampled, or is a straggler, begins to arrive."""
        request, self._is_observed = self._request, self._straggler is not None
        if self._sent_at is not None and request is not None:
            now = self._throughput.now()
            self._traffic.first_byte.add(request.operation, request.size_class(), now - self._sent_at, now,
                                         is_first=not self.responses)
            self._sent_at = None

    def _on_head(self) -> None:
        """The head of the response to a straggler has arrived. Raises HedgeWonError."""
        self._is_observed = False
        if self._straggler is not None:
            self._straggler.first_answered()
            self._end_straggler()

    def _await_second(self, error: TransportError) -> None:
        """The exchange has failed: raise HedgeWonError if a second request is answered instead."""
        if self._straggler is not None and not self.has_head and not isinstance(error, DeadlineError):
            self._straggler.first_failed()

    def _end_straggler(self) -> None:
        assert self._straggler is not None
        self._straggler.end()
        self._straggler = None

    # ---- sending

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
