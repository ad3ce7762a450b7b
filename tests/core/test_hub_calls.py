"""Calls that other threads hand to the hub of the engine, and a hub that ends although it is needed."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import gevent.hub
import pytest

from cloudfiles.batch.fanout import Plan, collect, stream
from cloudfiles.runtime.green import Cancelled, GreenRuntime
from cloudfiles.runtime.hub_engine import close_engine, current_runtime, engine


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


# ---- an engine that is closed by another thread


def _batch(way: str, work: Any, runtime: GreenRuntime) -> Any:
    plan = Plan(runtime, 4)
    if way == "collection":
        return collect(work, list(range(1000)), plan)
    if way == "iterator":
        return collect(work, iter(range(1000)), plan)
    return list(stream(work, iter(range(1000)), plan, max_items=10, max_bytes=1000, weigh=lambda _: 1))


def _close_engine_after(event: threading.Event) -> None:
    """From another thread, once `event` is set."""
    threading.Thread(target=lambda: (event.wait(), close_engine())).start()


WAYS = ["collection", "iterator", "stream"]


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_ends_when_the_engine_is_closed(runtime: GreenRuntime, way: str) -> None:
    started = threading.Event()

    def work(item: int) -> None:
        started.set()
        runtime.sleep(3600)

    _close_engine_after(started)
    with pytest.raises(Cancelled):
        _batch(way, work, runtime)
    assert _batch(way, lambda item: item, current_runtime(True)) == list(range(1000))  # type: ignore[arg-type]


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_does_not_begin_in_an_engine_that_was_closed(runtime: GreenRuntime, way: str) -> None:
    """As where another thread was interrupted in between."""
    close_engine()
    with pytest.raises(Cancelled):
        _batch(way, lambda item: item, runtime)


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_that_does_not_end_with_the_engine_is_not_waited_for(runtime: GreenRuntime, way: str) -> None:
    started = threading.Event()

    def work(item: int) -> None:
        started.set()
        while True:
            with suppress(BaseException):
                runtime.sleep(3600)

    _close_engine_after(started)
    with pytest.raises(Cancelled):
        _batch(way, work, runtime)


def test_a_coroutine_ends_when_a_job_does_not_end_with_the_engine() -> None:
    started = threading.Event()

    def work() -> None:
        started.set()
        while True:
            with suppress(BaseException):
                gevent.sleep(3600)

    async def main() -> None:
        from cloudfiles.aio.concurrency_limiter import ConcurrencyLimiter

        job = ConcurrencyLimiter().submit(work)
        await asyncio.to_thread(started.wait)
        await asyncio.to_thread(close_engine)
        with pytest.raises(Cancelled):
            await asyncio.wait_for(job.outcome(), 10)
    asyncio.run(main())


def test_a_hub_that_its_program_has_destroyed() -> None:
    """It is not asked to close what it has: that was closed with it."""
    kept: list[Any] = []

    def work() -> None:
        own = current_runtime(True)
        kept.append(own)
        assert collect(lambda item: item, [5], Plan(own, 1)) == [5]
        gevent.get_hub().destroy(destroy_loop=True)
    thread = threading.Thread(target=lambda: (gevent.get_hub(), work()))
    thread.start()
    thread.join()
    assert not kept[0].post(print)
    kept[0].call(print)
