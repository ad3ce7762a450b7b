"""Fan-out in every runtime: in order, lazily, boundedly, and over at the first error."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest

from cloudfiles.batch.fanout import Plan, collect, stream
from cloudfiles.runtime.contract import Runtime, WorkerGroup
from cloudfiles.runtime.hub_engine import close_engine, current_runtime
from cloudfiles.runtime.threads import ThreadRuntime
from tests.core.programs import run_program
from tests.internals import Replace


@pytest.fixture
def runtime(green: bool) -> Iterator[Runtime]:
    yield current_runtime(green)
    close_engine()


def streamed(work: Callable[[Any], Any], items: Any, plan: Plan, max_items: int = 100, max_bytes: int = 1 << 30,
             weigh: Callable[[Any], int] = lambda _: 1) -> Iterator[Any]:
    return stream(work, items, plan, max_items=max_items, max_bytes=max_bytes, weigh=weigh)


RUNS: dict[str, Callable[..., list[Any]]] = {
    "collect": collect, "stream": lambda work, items, plan: list(streamed(work, items, plan))}


class Own(Collection[int]):
    """A collection that iterates by a generator, which two threads may not be in at once."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __contains__(self, item: object) -> bool:
        return True

    def __iter__(self) -> Iterator[int]:
        for item in range(self._count):
            time.sleep(0)
            yield item


SOURCES = [list, tuple, dict.fromkeys, iter, lambda r: (i for i in r), lambda r: r, lambda r: Own(len(r)),
           lambda r: dict.fromkeys(r).keys()]


@pytest.mark.parametrize("width", [1, 3, 20])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 200, pytest.param(500, marks=pytest.mark.full)])
def test_results_are_in_order(runtime: Runtime, width: int, count: int) -> None:
    def work(item: int) -> int:
        runtime.sleep(random.choice((0, 0, 0.0005)))
        return item * 2
    for number, source in enumerate(SOURCES):
        wanted = [2 * i for i in range(count)]
        assert collect(work, source(range(count)), Plan(runtime, width)) == wanted, number
        assert sorted(streamed(work, source(range(count)), Plan(runtime, width))) == wanted, number


@pytest.mark.parametrize("source", SOURCES)
def test_in_the_callers_thread(source: Callable[[range], Any]) -> None:
    threads = set()

    def work(item: int) -> int:
        threads.add(threading.get_ident())
        return item
    assert collect(work, source(range(50)), Plan(None)) == list(range(50))
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("count", [0, 5, 16, 17, 100])
def test_probing(count: int, slow: bool, internals: Replace) -> None:
    """Quick local work stays in the caller's thread, slow work goes to workers; the results are the same."""
    threads = set()
    if not slow:  # on a busy machine it takes longer than what is slow on an idle one
        internals(fanout_slow=0.5)

    def work(item: int) -> int:
        threads.add(threading.get_ident())
        time.sleep(0.003 if slow else 0)
        return item
    for source in (list, iter):
        plan = Plan(current_runtime(False), 8, probe=True)
        assert collect(work, source(range(count)), plan) == list(range(count))
    if not slow or count <= 16:
        assert threads == {threading.get_ident()} or not count
    else:
        assert len(threads) > 1


def test_a_generator_is_read_in_the_callers_thread_as_fast_as_it_is_worked_off(runtime: Runtime) -> None:
    threads, taken, ahead = set(), 0, []
    done = [0]

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(500):
            threads.add(threading.get_ident())
            taken += 1
            ahead.append(taken - done[0])
            yield item

    def work(item: int) -> int:
        runtime.sleep(0.0002)
        done[0] += 1
        return item
    assert collect(work, items(), Plan(runtime, 5)) == list(range(500))
    assert threads == {threading.get_ident()}
    assert max(ahead) <= 5 + 5 + 2


def test_a_stream_is_bounded_by_items(runtime: Runtime) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(200):
            taken += 1
            yield item
    consumed = 0
    for _ in streamed(lambda item: item, items(), Plan(runtime, 4), max_items=10):
        consumed += 1
        assert taken - consumed <= 10
    assert consumed == 200


def test_a_stream_is_bounded_by_bytes(runtime: Runtime) -> None:
    begun, consumed = [0], 0

    def work(item: int) -> int:
        begun[0] += 1
        runtime.sleep(0.0001)
        return item
    for _ in streamed(work, range(300), Plan(runtime, 4), max_items=1000, max_bytes=50, weigh=lambda _: 10):
        time.sleep(0.0005)
        consumed += 1
        assert begun[0] - consumed <= 5 + 4  # what makes it full, and what was under way then
    assert consumed == 300


def test_results_in_progress_of_a_stream_are_bounded_by_bytes(runtime: Runtime) -> None:
    """A gzip body of a megabyte may have a gigabyte of content: what is in progress counts as much as usual."""
    lock, running, width = threading.Lock(), [0], 8
    together: list[tuple[int, int]] = []

    def work(item: int) -> int:
        with lock:
            running[0] += 1
            together.append((item, running[0]))
        runtime.sleep(0.001)
        with lock:
            running[0] -= 1
        return item
    for max_bytes, most in ((100, 2), (350, 7), (10_000, width)):
        together.clear()
        found = list(streamed(work, range(100), Plan(runtime, width), max_bytes=max_bytes, weigh=lambda _: 100))
        assert sorted(found) == list(range(100))
        assert max(count for item, count in together if item >= width) <= most


def test_a_slow_generator_does_not_hold_results_back(runtime: Runtime) -> None:
    """Each item is worked on, and its result handed on, before many further ones were waited for."""
    taken, lag = 0, []
    done: list[int] = []

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(30):
            time.sleep(0.005)
            while len(done) < taken:  # on a busy machine
                time.sleep(0.001)
            taken += 1
            yield item

    def work(item: int) -> int:
        done.append(item)
        return item
    for result in streamed(work, items(), Plan(runtime, 4)):
        lag.append(taken - result)
    assert sorted(lag)[len(lag) // 2] <= 4


@pytest.mark.parametrize("run", ["collect", "stream"])
@pytest.mark.parametrize("source", [list, iter])
def test_the_first_error_stops_new_work(runtime: Runtime, run: str, source: Callable[[range], Any]) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 0:
            raise ValueError("item 0")
        with suppress(BaseException):  # the end of the batch: a worker that does not mind begins nothing either
            runtime.sleep(30)
        return item
    with pytest.raises(ValueError, match="item 0"):
        RUNS[run](work, source(range(1000)), Plan(runtime, 5))
    count = len(begun)
    time.sleep(0.05)
    assert len(begun) == count <= 5


def test_an_error_that_comes_at_once_leaves_the_rest_unbegun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        raise ValueError(item)
    with pytest.raises(ValueError, match="0"):
        collect(work, range(100), Plan(current_runtime(True), 20))
    assert begun == [0]


@pytest.mark.parametrize("run", ["collect", "stream"])
def test_errors_kept(runtime: Runtime, run: str) -> None:
    def work(item: int) -> int:
        if item % 3 == 0:
            raise ValueError(item)
        return item
    plan = Plan(runtime, 5, on_error=lambda item, error: (item, type(error)))
    wanted = [(i, ValueError) if i % 3 == 0 else i for i in range(100)]
    got = RUNS[run](work, range(100), plan)
    assert sorted(got, key=str) == sorted(wanted, key=str)


class LateWorkers(WorkerGroup):
    """Workers that do all that they do while the caller asks whether they have ended."""

    is_cancelled = False

    def start(self, work: Callable[[], None], count: int) -> None:
        self._work: Callable[[], None] | None = work

    @property
    def finished(self) -> bool:
        work, self._work = self._work, None
        if work is not None:
            work()
        return True

    def wake_caller(self) -> None: ...
    def wait_caller(self, timeout: float | None = None) -> None: ...
    def wake_workers(self, count: int) -> None: ...
    def wait_worker(self) -> None: ...
    def cancel(self) -> None: ...
    def kill(self) -> None: ...


@pytest.mark.parametrize("run", ["collect", "stream"])
@pytest.mark.parametrize("source", [list, iter])
def test_an_error_of_the_last_worker_is_not_lost(run: str, source: Callable[[range], Any]) -> None:
    class Late(ThreadRuntime):
        def worker_group(self) -> WorkerGroup:
            return LateWorkers()

    def fail(item: int) -> None:
        raise ValueError(item)
    with pytest.raises(ValueError, match="0"):
        RUNS[run](fail, source(range(1)), Plan(Late(), 1))


class Odd(BaseException):
    pass


@pytest.mark.parametrize("kind", [Odd, SystemExit, GeneratorExit, gevent.Timeout, gevent.GreenletExit,
                                  KeyboardInterrupt])
@pytest.mark.parametrize("run", ["collect", "stream"])
def test_no_exception_of_any_kind_is_lost(runtime: Runtime, kind: type[BaseException], run: str) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise kind
        return item
    with pytest.raises(kind):
        RUNS[run](work, range(100), Plan(runtime, 5))


@pytest.mark.parametrize("run", ["collect", "stream"])
def test_a_generator_that_raises(runtime: Runtime, run: str) -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise LookupError("no more")
    with pytest.raises(LookupError, match="no more"):
        RUNS[run](lambda item: item, items(), Plan(runtime, 3))


def test_work_continues_while_the_generator_blocks(runtime: Runtime) -> None:
    done: list[int] = []

    def items() -> Iterator[int]:
        yield from range(5)
        deadline = time.monotonic() + 5
        while len(done) < 5 and time.monotonic() < deadline:
            time.sleep(0.001)
        yield 5
    assert collect(lambda item: done.append(item), items(), Plan(runtime, 2)) == [None] * 6
    assert len(done) == 6
    done.clear()
    assert len(list(streamed(lambda item: done.append(item), items(), Plan(runtime, 2)))) == 6


def test_closing_a_stream_ends_its_workers(runtime: Runtime, no_leaks: Callable[..., Any]) -> None:
    ended: list[int] = []

    def work(item: int) -> int:
        try:
            runtime.sleep(0.001 if item < 10 else 30)
            return item
        finally:
            ended.append(item)
    with no_leaks(allow=("cloudfiles-engine", "descriptor")):
        results = streamed(work, range(1000), Plan(runtime, 8))
        next(results)
        began = time.monotonic()
        results.close()  # type: ignore[attr-defined]
        assert time.monotonic() - began < 5
    assert len(ended) <= 20


def test_nested(runtime: Runtime, green: bool) -> None:
    def inner(item: int) -> int:
        own = current_runtime(green)
        return sum(collect(lambda x: x, range(item), Plan(own, 3))) + sum(
            streamed(lambda x: x, iter(range(item)), Plan(own, 3)))
    assert collect(inner, range(20), Plan(runtime, 4)) == [i * (i - 1) for i in range(20)]


def test_a_nested_batch_is_given_up_with_the_outer_one(runtime: Runtime, green: bool,
                                                       no_leaks: Callable[..., Any]) -> None:
    def outer(item: int) -> None:
        if item == 3:
            raise ValueError(item)
        own = current_runtime(green)
        collect(lambda _: own.sleep(30), range(3), Plan(own, 3))
    with no_leaks(allow=("cloudfiles-engine", "descriptor")):
        with pytest.raises(ValueError, match="3"):
            collect(outer, range(4), Plan(runtime, 4))


def test_many_callers_at_once(runtime: Runtime, green: bool) -> None:
    outcomes: list[bool] = []

    def caller(seed: int) -> None:
        own = current_runtime(green)
        for _ in range(10):
            items = range(seed, seed + 100)
            outcomes.append(collect(lambda i: i, iter(items), Plan(own, 5)) == list(items)
                            and sorted(streamed(lambda i: i, items, Plan(own, 5), 7)) == list(items))
    threads = [threading.Thread(target=caller, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes == [True] * 80


def test_no_wake_up_is_lost(runtime: Runtime, full: bool) -> None:
    """Many short batches whose sides run at uneven speed. One lost wake-up would hang it for good."""
    random.seed(1)
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for round_ in range(60 if full else 20):
            width, limit = random.randint(1, 8), random.randint(1, 30)
            lazy = [random.random() < 0.02 for _ in range(150)]

            def work(item: int, lazy: list[bool] = lazy) -> int:
                if lazy[item]:
                    runtime.sleep(0.0005)
                return item

            def items(lazy: list[bool] = lazy) -> Iterator[int]:
                for item in range(150):
                    if lazy[-item]:
                        time.sleep(0.0005)
                    yield item
            assert collect(work, items(), Plan(runtime, width)) == list(range(150)), round_
            got = []
            for result in streamed(work, items(), Plan(runtime, width), limit, max_bytes=random.choice((1, 3, 1000))):
                got.append(result)
                if lazy[result - 7]:
                    time.sleep(0.0005)
            assert sorted(got) == list(range(150)), round_
    finally:
        sys.setswitchinterval(old)


def test_progress_is_reported_whole_in_the_callers_thread(runtime: Runtime) -> None:
    threads, reported = set(), []

    def report(count: int) -> None:
        threads.add(threading.get_ident())
        reported.append(count)
    for items in (list(range(300)), iter(range(300))):
        reported.clear()
        collect(lambda i: runtime.sleep(0.001), items, Plan(runtime, 4, report=report))
        assert sum(reported) == 300
    reported.clear()
    assert len(list(streamed(lambda i: i, range(300), Plan(runtime, 4, report=report)))) == sum(reported) == 300
    assert threads == {threading.get_ident()}


def test_a_system_without_more_threads_works_with_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, []

    def limited(thread: threading.Thread) -> None:
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)
    monkeypatch.setattr(threading.Thread, "start", limited)
    assert collect(lambda i: i, range(100), Plan(current_runtime(False), 20)) == list(range(100))
    with pytest.raises(RuntimeError, match="new thread"):
        collect(lambda i: i, range(100), Plan(current_runtime(False), 20))


@pytest.mark.one_runtime
@pytest.mark.parametrize("green", [True, False])
def test_many_items_in_flat_memory(green: bool, full: bool) -> None:
    """Beyond what ten thousand take; a list of the results would be 13 MB, or with `--full` ten times as much."""
    count = 1_000_000 if full else 100_000
    out = run_program(f"""
        import resource
        from cloudfiles.batch.fanout import Plan, stream
        from cloudfiles.runtime.hub_engine import current_runtime
        plan = Plan(current_runtime({green}), 20)
        def run(count):
            results = stream(lambda i: bytes(100), (i for i in range(count)), plan, max_items=1000, max_bytes=1 << 28,
                             weigh=lambda r: 1)
            assert sum(map(len, results)) == 100 * count
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        few = run(10_000)
        print(run({count}) - few)
    """, timeout=300)
    assert int(out) < 8 * 1024
