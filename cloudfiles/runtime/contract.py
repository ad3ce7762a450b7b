"""The interface of a runtime: green threads or OS threads.

Code above this module is written once, in blocking style. The runtime decides whether a wait suspends a greenlet or
blocks an OS thread.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cloudfiles.exceptions import CloudFilesError
from cloudfiles.runtime.cancellation import Cancelled as Cancelled

if TYPE_CHECKING:
    import socket
    import ssl

    from cloudfiles.runtime.connect import AddressInfo

T = TypeVar("T")

RUN_IN_THREAD_BYTES = 256 * 1024
"""Work on fewer bytes than this is done in place: handing it to a thread takes longer (about 50 us)."""


class Stream(Protocol):
    """A connected byte stream. Its errors are OSError; a wait longer than the read timeout raises TimeoutError.

    Attributes:
        timeout: the read timeout in seconds. May be changed between two waits.
        peer: the socket address of the other side, set by who has connected it; None if it does not matter.
        on_wait: called now and then while `receive_into` waits for long, with the seconds waited so far; None for
            nothing. It must not wait.
    """

    timeout: float
    peer: Any
    on_wait: Callable[[float], None] | None

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`."""

    def send_some(self, data: memoryview) -> int:
        """Send as much of `data` as the system accepts at once, less than a megabyte; returns the number of bytes."""

    def receive_into(self, buffer: memoryview) -> int:
        """Wait for bytes and store them in `buffer`; returns their number, 0 at the end of the stream."""

    def tls_session(self) -> ssl.SSLSession | None:
        """The TLS session, to be resumed by other connections. To be called by the user of the stream, as it reads
        what `receive_into` changes."""

    def is_stale(self) -> bool:
        """Whether the other side has closed an idle stream, or sent something."""

    def interrupt(self) -> None:
        """From anywhere: shut the stream down, so that waits on it end at once, with an error. It still has to be
        closed. Never raises."""

    def close(self) -> None:
        """Close at once; never raises. A greenlet or thread waiting in `receive_into` is woken."""

    def forget(self) -> None:
        """In the child after a fork: close the descriptor without notifying the other side or the hub."""


class Signal(Protocol):
    """A wake-up for one worker of a runtime, from any other worker of it. It is remembered until it is waited for."""

    def set(self) -> None: ...

    def wait(self, timeout: float) -> bool:
        """Wait for a wake-up, and take it. False after `timeout` seconds without one. Raises Cancelled."""


class WorkerGroup(ABC):
    """The workers of one batch, and the signals between them and the caller.

    Wake-ups are remembered, and there may be one too many: after each one the shared state has to be checked again.
    Both sides share the interpreter, so deques and counters need no lock.
    """

    def __init__(self) -> None:
        self._process = os.getpid()

    @property
    def is_of_parent(self) -> bool:
        """Whether this process was forked after the group was created. The workers run in the parent only; here, the
        group is finished."""
        return self._process != os.getpid()

    def check_process(self) -> None:
        """Raises CloudFilesError in a child that was forked while the workers ran."""
        if self.is_of_parent:
            raise CloudFilesError("this process was forked while the batch was in progress: it goes on in the parent "
                                  "process only")

    @abstractmethod
    def start(self, work: Callable[[], None], count: int) -> None:
        """Run `work` in `count` workers. `work` must not raise anything but Cancelled."""

    @abstractmethod
    def wake_caller(self) -> None: ...

    @abstractmethod
    def wait_caller(self, timeout: float | None = None) -> None:
        """In the caller: wait until woken, for at most `timeout` seconds, or until all workers have ended."""

    @abstractmethod
    def wake_workers(self, count: int) -> None:
        """In the caller: wake `count` waiting workers, or the next ones to wait."""

    @abstractmethod
    def wait_worker(self) -> None:
        """In a worker: wait until woken by the caller. Raises Cancelled when the batch is cancelled."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether every worker has ended."""

    @property
    @abstractmethod
    def is_cancelled(self) -> bool:
        """Whether the workers were cancelled before their work was done."""

    @abstractmethod
    def cancel(self) -> None:
        """Raise Cancelled in the workers wherever they wait, and wait until they have ended: at most a second for those
        that wait for the network, longer for those that write local files. Any that are left do not publish files."""

    @abstractmethod
    def kill(self) -> None:
        """As `cancel`, without waiting. In the thread that started the workers."""


class RuntimeResource(Protocol):
    """A resource of a higher layer, in `Runtime.resources`."""

    def close(self) -> None:
        """Close idle streams. The resource may be used again."""


class Runtime(ABC):
    """One kind of concurrency.

    Attributes:
        resources: those of higher layers, for as long as the runtime lives, by keys of their own.
    """

    name: str

    def __init__(self) -> None:
        self.resources: dict[Any, RuntimeResource] = {}

    def close_resources(self) -> None:
        """Close all resources. To be called in the thread that may use the runtime's streams."""
        for each in list(self.resources.values()):
            each.close()

    def call(self, function: Callable[[], None]) -> None:
        """Run `function`, which must not wait, in the thread that may use the runtime's streams."""
        function()

    def post(self, function: Callable[..., None], *args: Any) -> bool:
        """As `call`, without waiting for it. Returns whether it will be run."""
        function(*args)
        return True

    @abstractmethod
    def worker_group(self) -> WorkerGroup: ...

    @abstractmethod
    def cpu_seconds(self) -> float:
        """CPU time used so far by the thread of the workers, or by the process if each has its own. From any thread."""

    @abstractmethod
    def signal(self) -> Signal: ...

    @abstractmethod
    def resolve(self, host: str, port: int) -> list[AddressInfo]:
        """The addresses of a host, preferred ones first. Raises socket.gaierror."""

    @abstractmethod
    def connect(self, addresses: Iterable[AddressInfo], timeout: float,
                failed: Callable[[AddressInfo], None]) -> tuple[socket.socket, AddressInfo]:
        """A TCP socket of this runtime's kind, connected to the first address that accepts; see `connect_first`."""

    @abstractmethod
    def ssl_context(self, ca_bundle: str | None) -> ssl.SSLContext:
        """A verifying client context whose sockets wait this runtime's way."""

    @abstractmethod
    def stream(self, sock: socket.socket, timeout: float) -> Stream:
        """`sock` as a stream with a read timeout in seconds."""

    @abstractmethod
    def sleep(self, seconds: float) -> None: ...

    @abstractmethod
    def run_in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)` in a native thread while this worker waits; in place if that gains nothing.

        If this worker is cancelled, so is the function: see `cancellation`.
        """
