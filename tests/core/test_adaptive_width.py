"""Batches without a given number of workers: it follows a controller, whose intervals are measured by a given clock."""

from __future__ import annotations

import errno
import gc
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from cloudfiles import CloudFiles
from cloudfiles.batch.fanout import Plan, collect, stream
from cloudfiles.interfaces.multipart import send_parts
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.descriptors import process_descriptors
from cloudfiles.runtime.hub_engine import close_engine, current_runtime
from cloudfiles.transport.budget import Budget
from cloudfiles.transport.concurrency import adaptive_width
from cloudfiles.transport.concurrency.adaptive_width import (
    FIRST_WIDTH,
    AdaptiveWidth,
    WorkerShare,
    fair_share,
    max_width,
)
from cloudfiles.transport.concurrency.interval import Interval
from cloudfiles.transport.request import Origin
from cloudfiles.transport.traffic import Traffic
from tests.concurrent_calls import ConcurrentCalls
from tests.internals import Replace

ORIGIN = Origin("http", "adaptive.example", 80)


class Controller:
    """Keeps the intervals that it was given."""

    def __init__(self, width: int = 20) -> None:
        self.width = width
        self.maximum = 1024
        self.interval = 0.1
        self.intervals: list[Interval] = []

    def observe(self, interval: Interval, now: float) -> None:
        self.intervals.append(interval)


class Worker:
    """A runtime whose CPU time is set by the test."""

    def __init__(self, name: str = "green") -> None:
        self.name = name
        self.used = 5.0

    def cpu_seconds(self) -> float:
        return self.used


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def controller() -> Controller:
    return Controller()


@pytest.fixture
def joined(traffic: Traffic, controller: Controller, monkeypatch: pytest.MonkeyPatch
           ) -> Callable[..., WorkerShare]:
    """Makes the share of a new batch, at a server whose traffic and controller are those of the test."""
    width = AdaptiveWidth([traffic], cast(Any, controller))
    monkeypatch.setitem(adaptive_width._widths, (ORIGIN,), width)
    return lambda runtime=None, maximum=1024: WorkerShare(lambda: (ORIGIN,), runtime or Worker(), maximum)


def test_a_batch_that_an_interrupt_kept_from_leaving(joined: Callable[..., WorkerShare]) -> None:
    lost, other = joined(), joined()
    assert lost.workers(0.0, 100) == 20
    assert [share.workers(0.0, 100) for share in (lost, other)] == [20, 10]
    del lost
    gc.collect()
    assert other.workers(0.0, 100) == 20


def test_what_an_interval_is_made_of(joined: Callable[..., WorkerShare], traffic: Traffic,
                                     controller: Controller) -> None:
    runtime = Worker()
    share = joined(runtime)
    traffic.begun = traffic.ended = 7  # before the batch: does not count
    assert share.workers(100.0, 1000) == 20
    traffic.begun, traffic.failed, traffic.ended, traffic.bytes = 77, 1, 57, 50 << 12
    traffic.connects, traffic.refused = 20, 1
    traffic.first_byte.add("GET", 0, 0.02, 100.15)
    traffic.first_responses.extend([(99.9, 0.04), (100.1, 0.04), (100.11, 0.05)])
    runtime.used += 0.05
    assert share.workers(100.05, 1000) == 20
    assert not controller.intervals  # asked too early
    share.workers(100.2, 1000, waiting=3)
    one, = controller.intervals
    assert (one.completed, one.bytes, one.in_progress, one.connects, one.refused) == (49, 50 << 12, 10.0, 20, 1)
    assert (one.seconds, one.cpu_share, one.idle_workers) == pytest.approx((0.2, 0.25, 3.0))
    assert (one.size_class, one.constrained) == (0, False)
    assert (one.first_byte, one.samples, one.first_responses) == (0.02, 1, ((100.1, 0.04), (100.11, 0.05)))


def test_uploads_that_have_only_been_sent_are_not_taken_for_larger_ones(joined: Callable[..., WorkerShare],
                                                                        traffic: Traffic,
                                                                        controller: Controller) -> None:
    share = joined()
    share.workers(100.0, 1000)
    traffic.begun, traffic.ended, traffic.bytes = 100, 1, 100 << 12
    share.workers(100.2, 1000)
    traffic.begun, traffic.ended, traffic.bytes = 150, 101, 150 << 12
    share.workers(100.4, 1000)
    traffic.begun, traffic.ended, traffic.bytes = 250, 201, (150 << 12) + (100 << 20)
    share.workers(100.6, 1000)
    assert [(one.completed, one.size_class) for one in controller.intervals] == [(1, 0), (100, 0), (100, 1)]


def test_an_interval_in_which_all_requests_failed(joined: Callable[..., WorkerShare], traffic: Traffic,
                                                  controller: Controller) -> None:
    share = joined()
    traffic.begun = 20
    share.workers(100.0, 1000)
    traffic.ended = traffic.failed = 5
    share.workers(100.2, 1000)
    assert [(one.completed, one.size_class) for one in controller.intervals] == [(0, 0)]


def test_the_time_between_two_batches_does_not_count(joined: Callable[..., WorkerShare],
                                                     controller: Controller) -> None:
    share = joined()
    share.workers(100.0, 50)
    share.leave()
    share = joined()
    share.workers(900.0, 50)
    share.workers(900.1, 50)
    assert [one.seconds for one in controller.intervals] == [pytest.approx(0.1)]


def test_the_time_in_which_no_batch_needs_workers_does_not_count(joined: Callable[..., WorkerShare],
                                                                 controller: Controller) -> None:
    paused, share = joined(), joined()
    paused.workers(100.0, 50)
    paused.pause()
    assert share.workers(900.0, 50) == 20  # all of them
    share.workers(900.1, 50)
    assert [one.seconds for one in controller.intervals] == [pytest.approx(0.1)]
    assert paused.workers(900.1, 50) == 10
    assert share.workers(900.1, 50) == 10


def test_intervals_get_longer_while_the_width_stays(joined: Callable[..., WorkerShare], controller: Controller) -> None:
    controller.interval = 0.01
    share, now, asked = joined(), 0.0, []
    for _ in range(40):
        share.workers(now, 50)
        asked.append(share.interval)
        now += share.interval
    assert sorted(asked) == asked
    assert (asked[0], asked[-1]) == (0.01, 0.08)
    controller.observe = lambda interval, now: setattr(controller, "width", 30)  # type: ignore[method-assign]
    share.workers(now, 50)
    assert share.interval == 0.01


def test_batches_to_one_server_share_its_width(joined: Callable[..., WorkerShare], controller: Controller) -> None:
    controller.width = 30
    one, other = joined(), joined()
    assert one.workers(0.0, 1000) == 30
    assert other.workers(0.0, 1000) == 15
    assert one.workers(0.01, 1000) == 15
    assert other.workers(0.02, 4) == 4
    assert one.workers(0.02, 1000) == 26
    other.leave()
    assert one.workers(0.03, 1000) == 30


def test_workers_whose_requests_were_refused_are_replaced_while_they_wait(
        joined: Callable[..., WorkerShare], controller: Controller, traffic: Traffic) -> None:
    """A Retry-After of ten seconds would otherwise keep each of them from its work for as long."""
    share = joined()
    traffic.backing_off.update(range(10))
    assert share.workers(0.0, 1000) == 30
    traffic.backing_off.update(range(5000))
    assert share.workers(0.01, 10_000) == controller.maximum
    traffic.backing_off.clear()
    assert share.workers(0.02, 1000) == 20


def test_threads_are_fewer_than_green_threads(joined: Callable[..., WorkerShare], controller: Controller) -> None:
    controller.width = 500
    shares = [joined(Worker("threads")), joined(Worker()), joined(Worker(), 100)]
    assert [share.workers(0.0, 1000) for share in shares] == [64, 436, 100]


def test_batches_on_threads_share_their_maximum(joined: Callable[..., WorkerShare], controller: Controller) -> None:
    controller.width = 500
    threads, green = [joined(Worker("threads")) for _ in range(4)], joined(Worker())
    for share in (*threads, green):
        share.workers(0.0, 1000)
    assert [share.workers(0.01, 1000) for share in threads] == [16, 16, 16, 16]
    assert green.workers(0.01, 1000) == 436
    threads[0].workers(0.02, 4)
    assert [share.workers(0.02, 1000) for share in threads[1:]] == [20, 20, 20]
    assert [threads[0].workers(0.02, wanted) for wanted in (1, 1000)] == [1, 16]


def test_a_shortage_of_descriptors(joined: Callable[..., WorkerShare], controller: Controller,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    share = joined()
    share.workers(0.0, 10)
    monkeypatch.setattr(process_descriptors, "shortages", process_descriptors.shortages + 1)
    share.workers(1.0, 10)
    share.workers(2.0, 10)
    assert [one.constrained for one in controller.intervals] == [True, False]


def test_the_maximum(monkeypatch: pytest.MonkeyPatch, internals: Replace) -> None:
    internals(descriptor_limit=lambda: 100_000)
    assert max_width() == 1024
    assert max_width(5000) == 5000
    monkeypatch.setenv("CLOUDFILES_MAX_CONCURRENCY", "300")
    assert (max_width(), max_width(10)) == (300, 10)
    internals(descriptor_limit=lambda: 256)
    assert max_width() == 64


def test_fair_shares() -> None:
    for width in range(1, 60, 7):
        wanted = [1, 50, 7, 9, 1000]
        shares = [fair_share(width, wanted, index) for index in range(5)]
        assert all(1 <= share <= most for share, most in zip(shares, wanted, strict=True))
        assert sum(shares) <= max(width, 5)


# ---- fan-out


class Share:
    """Gives a batch the numbers of workers of a script, one after the other; the last one forever."""

    interval = 0.001

    def __init__(self, *script: int) -> None:
        self._script = list(script)
        self.asked = 0
        self.ended = False

    def workers(self, now: float, wanted: int, waiting: int = 0) -> int:
        self.asked += 1
        return min(wanted, self._script.pop(0) if len(self._script) > 1 else self._script[0])

    def leave(self) -> None:
        self.ended = True


class Work:
    """Counts how many of its calls are in progress.

    Attributes:
        until: a call ends when this is true.
        seen: the number at the end of each call.
    """

    def __init__(self, runtime: Runtime, until: Callable[[Work], bool]) -> None:
        self._runtime = runtime
        self._until = until
        self.running = 0
        self.seen: list[int] = []

    def __call__(self, item: int) -> int:
        self.running += 1
        while not self._until(self):
            self._runtime.sleep(0.0005)
        self.seen.append(self.running)
        self.running -= 1
        return item


@pytest.fixture
def runtime(green: bool) -> Iterator[Runtime]:
    yield current_runtime(green)
    close_engine()


def run_all(run: str, work: Callable[[int], int], items: Any, plan: Plan) -> list[int]:
    if run == "collect":
        return collect(work, items, plan)
    return sorted(stream(work, items, plan, max_items=100, max_bytes=1 << 20, weigh=lambda _: 1))


RUNS = pytest.mark.parametrize("run", ["collect", "stream"])
SOURCES = pytest.mark.parametrize("source", [list, iter])


@RUNS
@SOURCES
def test_workers_are_added(runtime: Runtime, run: str, source: Callable[[Any], Any]) -> None:
    share = Share(2, 2, 6)
    most = 0

    def six(work: Work) -> bool:
        nonlocal most
        most = max(most, work.running)
        return most == 6

    work = Work(runtime, six)
    assert run_all(run, work, source(range(50)), Plan(runtime, share=lambda: cast(Any, share))) == list(range(50))
    assert most == 6
    assert share.ended


@RUNS
@SOURCES
def test_surplus_workers_end(runtime: Runtime, run: str, source: Callable[[Any], Any]) -> None:
    share = Share(6, 6, 1)
    work = Work(runtime, lambda work: share.asked > 3)  # once the caller has done what the third answer says
    assert run_all(run, work, source(range(50)), Plan(runtime, share=lambda: cast(Any, share))) == list(range(50))
    assert work.seen[-30:] == [1] * 30
    assert share.ended


@RUNS
@SOURCES
def test_a_width_that_keeps_changing_loses_no_item(runtime: Runtime, run: str, source: Callable[[Any], Any]) -> None:
    share = Share(*[5, 1, 9, 2, 30, 1, 3] * 20)
    items, plan = list(range(2000)), Plan(runtime, share=lambda: cast(Any, share))
    assert run_all(run, Work(runtime, lambda _: True), source(items), plan) == items


def test_no_more_workers_than_items(runtime: Runtime) -> None:
    share = Share(500)
    work = Work(runtime, lambda work: True)
    collect(work, [1, 2, 3], Plan(runtime, share=lambda: cast(Any, share)))
    assert share.asked >= 1
    assert max(work.seen) <= 3


def test_the_share_is_given_back_after_an_error(runtime: Runtime) -> None:
    share = Share(3)

    def fail(item: int) -> None:
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        collect(fail, range(1), Plan(runtime, share=lambda: cast(Any, share)))
    assert share.ended


# ---- parts of one object


def test_parts_in_progress_follow_the_width(runtime: Runtime, traffic: Traffic,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    controller = Controller(3)
    controller.interval = 0.001
    monkeypatch.setitem(adaptive_width._widths, (ORIGIN,), AdaptiveWidth([traffic], cast(Any, controller)))
    sending = ConcurrentCalls(runtime.sleep)
    first: list[int] = []

    def send(number: int, part: bytes) -> None:
        if number == 3:
            while len(first) < 2:  # parts are numbered from 1
                runtime.sleep(0.0005)
            controller.width = 12
        with sending.call(until=12 if number > 3 else 0):
            assert sending.most <= (3 if number < 3 else 12)
        if number < 3:
            first.append(number)

    assert send_parts(runtime, (b"x" for _ in range(60)), send, ORIGIN) == 60
    assert sending.most == 12


def test_parts_of_several_calls_share_a_given_number_of_workers(runtime: Runtime) -> None:
    slots, sending = Budget(3), ConcurrentCalls(runtime.sleep)

    def send(number: int, part: bytes) -> None:
        with sending.call(until=3):
            pass

    def call(_: int) -> int:
        return send_parts(runtime, (b"x" for _ in range(20)), send, ORIGIN, slots=slots)

    assert collect(call, range(4), Plan(runtime, 4)) == [20] * 4
    assert sending.most == 3


def test_large_parts_are_few(runtime: Runtime, traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(adaptive_width._widths, (ORIGIN,), AdaptiveWidth([traffic], cast(Any, Controller(50))))
    sending = ConcurrentCalls(runtime.sleep)

    def send(number: int, part: int) -> None:
        with sending.call():
            runtime.sleep(0.001)

    send_parts(runtime, range(40), send, ORIGIN, part_size=64 << 20)
    assert sending.most <= 4


def test_without_a_descriptor_for_its_modules_a_batch_goes_on_as_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(origins: Any) -> AdaptiveWidth:
        raise OSError(errno.EMFILE, "controller.py")

    share = WorkerShare(lambda: (ORIGIN,), cast(Any, Worker()), 100)
    with monkeypatch.context() as shortage:
        shortage.setattr(adaptive_width, "adaptive_width_of", unreadable)
        assert share.workers(0.0, 50) == FIRST_WIDTH
    monkeypatch.setitem(adaptive_width._widths, (ORIGIN,), AdaptiveWidth([], cast(Any, Controller(50))))
    assert share.workers(0.1, 50) == 50


# ---- options


def test_max_concurrency_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr("cloudfiles.batch.store.WorkerShare", lambda origins, runtime, most: seen.append(most))
    for options in ({"max_concurrency": 7}, {}, {"max_concurrency": 2000}):
        plan, _ = CloudFiles("http://127.0.0.1:9/", **options)._store.plan()  # type: ignore[arg-type]
        assert plan.share is not None
        plan.share()
    assert seen == [7, max_width(), max_width(2000)]
    plan, _ = CloudFiles("http://127.0.0.1:9/", num_threads=20)._store.plan()
    assert (plan.share, plan.width) == (None, 20)
    plan, _ = CloudFiles("mem://bucket/")._store.plan()
    assert (plan.share, plan.width) == (None, 20)
    with pytest.raises(ValueError, match="max_concurrency"):
        CloudFiles("http://127.0.0.1:9/", max_concurrency=0)
