"""Calls that other threads hand to the hub of the engine, and a hub that ends although it is needed."""

from __future__ import annotations

import sys
import time

import gevent.hub
import pytest

from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.runtime.engine import current_runtime, engine
from cloudfiles.runtime.green import Cancelled, GreenRuntime


@pytest.fixture
def runtime() -> GreenRuntime:
    runtime = current_runtime(True)
    assert isinstance(runtime, GreenRuntime)
    return runtime


def test_calls_from_another_thread_leave_the_hub_running(runtime: GreenRuntime) -> None:
    """Timers end in C, without the interpreter's lock, while calls are added: their counting must not collide."""
    ran: list[int] = []
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        worker_group = runtime.worker_group()

        def sleep_often() -> None:
            while True:
                runtime.sleep(0.0002)
        worker_group.start(sleep_often, 20)
        for count in range(100_000):
            assert runtime.post(ran.append, count)
            if count % 50 == 0:
                time.sleep(0.0001)  # let the hub wait, in C
        worker_group.cancel()
    finally:
        sys.setswitchinterval(old)
    assert collect(lambda item: item, iter(range(10)), Plan(runtime, 2)) == list(range(10))
    assert ran == list(range(100_000))


def test_a_call_that_fails_is_reported_and_does_not_stop_the_next(
        runtime: GreenRuntime, capfd: pytest.CaptureFixture[str]) -> None:
    ran: list[int] = []

    def fail() -> None:
        raise ValueError("as planned")
    runtime.post(fail)
    runtime.post(ran.append, 1)
    assert collect(lambda item: item, [5], Plan(runtime, 1)) == [5]
    assert ran == [1]
    assert "as planned" in capfd.readouterr().err


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_hub_that_ends_by_itself_is_reported_and_replaced(runtime: GreenRuntime) -> None:
    hub = engine()._hub

    def wait(item: int) -> None:
        runtime.post(hub.parent.throw, gevent.hub.LoopExit("as planned"))
        runtime.sleep(30)
    with pytest.raises(Cancelled):
        collect(wait, [1], Plan(runtime, 1))
    engine()._thread.join(5)
    fresh = current_runtime(True)
    assert fresh is not runtime
    assert collect(lambda item: item, [5], Plan(fresh, 1)) == [5]
