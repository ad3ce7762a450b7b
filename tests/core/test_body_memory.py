"""The memory of bodies in progress is bounded: a body waits until there is room for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from random import Random

import pytest

from cloudfiles import CloudFiles
from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.exceptions import ConfigurationError
from cloudfiles.runtime.cancellation import Cancelled
from cloudfiles.runtime.contract import Signal
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.testing import Chunked, CloseDelimited, Fault, S3Server
from cloudfiles.transport.body_memory import BODY_MEMORY, body_memory_limit, process_body_memory
from cloudfiles.transport.budget import Budget
from tests.contents import numbered

RUNTIME = ThreadRuntime()


class Body(threading.Thread):
    """A body that is received until it is told to end.

    Attributes:
        received: it is being received.
        grown: there was room for it to grow.
    """

    def __init__(self, memory: Budget, size: int) -> None:
        super().__init__(daemon=True)
        self._memory = memory
        self._size = size
        self._more: SimpleQueue[int] = SimpleQueue()
        self.received = threading.Event()
        self.grown = threading.Event()
        before = memory.waits
        self.start()
        while not self.received.is_set() and memory.waits == before:
            time.sleep(0.001)

    def run(self) -> None:
        with self._memory.reserved(self._size, RUNTIME) as reservation:
            self.received.set()
            while more := self._more.get():
                reservation.extend(more)
                self.grown.set()

    def end(self) -> None:
        self._more.put(0)

    def grow(self, more: int) -> None:
        """It turns out to be larger."""
        self.grown.clear()
        before = self._memory.waits
        self._more.put(more)
        while not self.grown.is_set() and self._memory.waits == before:
            time.sleep(0.001)


@pytest.fixture
def bodies() -> Callable[..., list[Body]]:
    memory = Budget(100)
    return lambda *sizes: [Body(memory, size) for size in sizes]


def test_a_body_waits_for_room(bodies: Callable[..., list[Body]]) -> None:
    one, other, third = bodies(60, 30, 20)
    assert (one.received.is_set(), other.received.is_set(), third.received.is_set()) == (True, True, False)
    other.end()
    third.received.wait()
    one.end()
    third.end()


def test_small_ones_do_not_overtake_a_large_one(bodies: Callable[..., list[Body]]) -> None:
    first, large, small = bodies(50, 80, 1)
    assert not large.received.is_set()
    assert not small.received.is_set()
    first.end()
    large.received.wait()
    small.received.wait()
    large.end()
    small.end()


def test_one_that_is_larger_than_the_limit_passes_alone(bodies: Callable[..., list[Body]]) -> None:
    small, large = bodies(1, 1000)
    assert not large.received.is_set()
    small.end()
    large.received.wait()
    large.end()
    last, = bodies(5)
    last.received.wait()
    last.end()


def test_a_body_that_grows_waits_for_room(bodies: Callable[..., list[Body]]) -> None:
    one, growing = bodies(60, 20)
    growing.grow(20)
    assert growing.grown.is_set()
    growing.grow(20)
    assert not growing.grown.is_set()
    one.end()
    growing.grown.wait()
    growing.end()


def test_one_of_the_bodies_that_grow_never_waits(bodies: Callable[..., list[Body]]) -> None:
    first, second, third = bodies(40, 30, 30)
    first.grow(30)
    second.grow(20)
    assert not first.grown.is_set()
    assert not second.grown.is_set()
    third.grow(500)
    third.grow(500)
    assert third.grown.is_set()
    third.end()
    first.grown.wait()
    assert not second.grown.is_set()
    first.end()
    second.grown.wait()
    second.end()


def test_bodies_that_grow_come_before_others(bodies: Callable[..., list[Body]]) -> None:
    one, growing, new = bodies(40, 40, 30)
    growing.grow(40)
    one.end()
    growing.grown.wait()
    time.sleep(0.01)
    assert not new.received.is_set()
    growing.end()
    new.received.wait()
    new.end()


def test_bodies_that_grow_at_random_all_end() -> None:
    memory, random = Budget(100), Random(1)
    steps = [[random.randrange(1, 40) for _ in range(random.randrange(1, 6))] for _ in range(200)]

    def receive(sizes: list[int]) -> None:
        with memory.reserved(0, RUNTIME) as reservation:
            for size in sizes:
                reservation.extend(size)
            assert reservation.count == sum(sizes)

    collect(receive, steps, Plan(RUNTIME, 30))
    assert (memory._reserved, memory._working) == (0, 0)
    with memory.reserved(100, RUNTIME):
        pass


def test_an_error_releases_what_was_reserved() -> None:
    memory = Budget(100)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), memory.reserved(100, RUNTIME):
            raise ValueError("broken")
    assert memory.waits == 0


def test_a_body_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    class Cancelling(ThreadRuntime):
        def signal(self) -> Signal:
            return Interrupted()

    class Interrupted:
        def set(self) -> None: ...

        def wait(self, timeout: float) -> bool:
            raise Cancelled("stopped")

    memory = Budget(100)
    with memory.reserved(60, RUNTIME):
        with pytest.raises(Cancelled), memory.reserved(90, Cancelling()):
            raise AssertionError("unreachable")
        with pytest.raises(Cancelled), memory.reserved(30, Cancelling()) as growing:
            growing.extend(30)
        assert (memory._reserved, memory._working) == (60, 1)
        with memory.reserved(40, RUNTIME):
            pass
    with memory.reserved(100, RUNTIME):
        pass


def test_the_limit_is_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert body_memory_limit() == BODY_MEMORY
    monkeypatch.setenv("CLOUDFILES_BODY_MEMORY", "1000000")
    assert body_memory_limit() == 1_000_000
    monkeypatch.setenv("CLOUDFILES_BODY_MEMORY", "")
    assert body_memory_limit() == BODY_MEMORY


@pytest.mark.parametrize("variable", ["CLOUDFILES_BODY_MEMORY", "CLOUDFILES_MAX_CONCURRENCY"])
@pytest.mark.parametrize("value", ["much", "0", "-5", "2.5", "1e3"])
def test_invalid_limits_in_the_environment(variable: str, value: str, fault_server: S3Server,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudfiles.transport.body_memory._bodies", None)
    monkeypatch.setenv(variable, value)
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets, connect_timeout=7.25)
    with pytest.raises(ConfigurationError, match=variable):
        cf.get(["a", "b"])
    assert not fault_server.requests()


@pytest.mark.parametrize("framing", [None, Chunked(sizes=(50_000,)), CloseDelimited()],
                         ids=["Content-Length", "chunked", "until close"])
def test_a_batch_of_bodies_that_do_not_fit_together(fault_server: S3Server, green: bool, framing: Fault | None,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_body_memory(), "_limit", 8 << 20)
    before, contents = process_body_memory().waits, {f"large/{number}": numbered(6 << 20) for number in range(8)}
    for key, content in contents.items():
        fault_server.put(key, content)
    if framing is not None:
        fault_server.fail(framing, method="GET", times=None)
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets, green=green)
    assert {found["path"]: found["content"] for found in cf.get(list(contents))} == contents
    assert process_body_memory().waits > before
    assert process_body_memory()._reserved == 0
