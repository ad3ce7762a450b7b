"""What the transport and the fan-out ask of a kind of concurrency.

Code above this file is written once, in blocking style; the runtime decides whether a
wait parks a greenlet or an OS thread.
"""

from __future__ import annotations

import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from cloudfiles.runtime.cancellation import Cancelled as Cancelled

T = TypeVar("T")

RUN_IN_THREAD_BYTES = 256 * 1024
"""Work on fewer bytes than this stays where it is: handing it over costs more (some 50 us) than it takes."""


class Stream(Protocol):
    """A connected byte stream. Errors are OSError; a wait over the read timeout is `TimeoutError`.

    Attributes:
        timeout: the read timeout in seconds. It may be changed between two waits.
    """

    timeout: float

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`."""

    def send_some(self, data: memoryview) -> int:
        """Send what goes at once of `data`, a part of a megabyte at the most; how many bytes that was."""

    def receive_into(self, buffer: memoryview) -> int:
        """Wait for bytes and put what has come into `buffer`; 0 at the end of the stream."""

    def is_stale(self) -> bool:
        """Whether an idle stream was closed, or spoken to, by the other side."""

    def close(self) -> None:
        """Close at once; never raises. A peer waiting in `receive_into` is woken."""

    def forget(self) -> None:
        """In the child after a fork: let go of the descriptor, without a word to the other side or the hub."""


class WorkerGroup(ABC):
    """The workers of one batch, and the doors between them and the caller.

    Wake-ups are remembered, and may be one too many: whoever wakes looks at the shared state
    again. The two sides share the interpreter, so deques and counters need no lock.
    """

    @abstractmethod
    def start(self, work: Callable[[], None], count: int) -> None:
        """Run `work` in `count` workers. `work` must not raise anything but Cancelled."""

    @abstractmethod
    def wake_caller(self) -> None: ...

    @abstractmethod
    def wait_caller(self, timeout: float | None = None) -> None:
        """In the caller: until woken, or until `timeout` seconds are over, or all workers have ended."""

    @abstractmethod
    def wake_workers(self, count: int) -> None:
        """In the caller: let `count` waiting workers, or the next ones to wait, go on."""

    @abstractmethod
    def wait_worker(self) -> None:
        """In a worker: until the caller lets it go on. Raises Cancelled when the batch is given up."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether every worker has ended."""

    @property
    @abstractmethod
    def is_cancelled(self) -> bool:
        """Whether workers were made to end before their work was done."""

    @abstractmethod
    def cancel(self) -> None:
        """Throw Cancelled into the workers wherever they wait, and wait for their end: a second at most for those that
        wait for a network, longer for those that write local files. What has not ended by then publishes nothing."""


class RuntimeResource(Protocol):
    """What a layer above keeps in `Runtime.resources`."""

    def close(self) -> None:
        """Let go of idle streams; it may go on being used."""


class Runtime(ABC):
    """One kind of concurrency.

    Attributes:
        kept: what the layers above keep for as long as the runtime lives, by keys of their own.
    """

    name: str

    def __init__(self) -> None:
        self.resources: dict[Any, RuntimeResource] = {}

    def close_resources(self) -> None:
        """Close all that is kept, in the thread that may touch the runtime's streams."""
        for each in list(self.resources.values()):
            each.close()

    def call(self, function: Callable[[], None]) -> None:
        """Run `function`, which does not wait, in the thread that may touch the runtime's streams."""
        function()

    def post(self, function: Callable[..., None], *args: Any) -> bool:
        """As `call`, without waiting for it. Gives whether it will be run."""
        function(*args)
        return True

    @abstractmethod
    def worker_group(self) -> WorkerGroup: ...

    @abstractmethod
    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connected TCP socket of this runtime's kind, with TCP_NODELAY. Raises OSError."""

    @abstractmethod
    def ssl_context(self, ca_bundle: str | None) -> ssl.SSLContext:
        """A verifying client context whose sockets wait this runtime's way."""

    @abstractmethod
    def stream(self, sock: socket.socket, timeout: float) -> Stream:
        """`sock` as a stream that gives up after `timeout` seconds without a byte."""

    @abstractmethod
    def sleep(self, seconds: float) -> None: ...

    @abstractmethod
    def run_in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)` on a native thread while this worker waits; where it is where that gains nothing.

        Where this worker is cancelled meanwhile, so is the function: see `cancellation`.
        """
