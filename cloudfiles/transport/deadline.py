"""Total timeouts: how long a request may take, retries included."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudfiles.exceptions import DeadlineError
from cloudfiles.runtime.contract import Stream

if TYPE_CHECKING:
    import ssl


class PastDeadlineError(TimeoutError):
    """A wait ended because the total timeout of its request is over. Never leaves the transport."""


def past_deadline(when: str) -> DeadlineError:
    return DeadlineError(f"the request took longer than its total timeout allows {when}".rstrip())


class DeadlineStream:
    """A stream whose waits end at a deadline."""

    def __init__(self, stream: Stream, deadline: float, now: Callable[[], float]) -> None:
        self._stream = stream
        self._deadline = deadline
        self._now = now
        self.timeout = stream.timeout
        self.peer = stream.peer
        self.on_wait: Callable[[float], None] | None = None  # not called: the stream has its own

    def send(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        while view:
            view = view[self.send_some(view) :]

    def send_some(self, data: memoryview) -> int:
        return self._bounded(self._stream.send_some, data)

    def receive_into(self, buffer: memoryview) -> int:
        return self._bounded(self._stream.receive_into, buffer)

    def _bounded(self, operation: Callable[[memoryview], int], data: memoryview) -> int:
        left = self._deadline - self._now()
        if left <= 0:
            raise PastDeadlineError
        self._stream.timeout = min(self.timeout, left)
        try:
            return operation(data)
        except TimeoutError as error:
            if self._now() >= self._deadline:
                raise PastDeadlineError from error
            raise
        finally:
            self._stream.timeout = self.timeout

    def tls_session(self) -> ssl.SSLSession | None:
        return self._stream.tls_session()

    def is_stale(self) -> bool:
        return self._stream.is_stale()

    def interrupt(self) -> None:
        self._stream.interrupt()

    def close(self) -> None:
        self._stream.close()

    def forget(self) -> None:
        self._stream.forget()
