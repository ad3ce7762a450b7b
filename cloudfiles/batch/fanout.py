"""Calls a function for many items in a group of workers: lazily, with bounded memory, in order.

`collect` returns all results in the order of the items; `stream` yields each one when it is ready. The workers take
items of collections themselves. Other iterables are iterated in the thread of the caller, where a user's generator
expects to run.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cloudfiles.runtime.cancellation import Cancelled
from cloudfiles.runtime.contract import Runtime, WorkerGroup
from cloudfiles.runtime.hub_engine import block_if_exiting, close_after_interrupt
from cloudfiles.transport.adaptive_width import WorkerShare

Work = Callable[[Any], Any]
OnError = Callable[[Any, Exception], Any]

_TICK = 0.1
"""Seconds between two reports of progress."""

_GATHER_SECONDS = 0.001
"""Seconds for which a waiting consumer of a stream is not woken, so that several results gather."""

_SLOW = 0.002
"""Average seconds of a local operation above which a batch uses threads: network mounts respond in milliseconds, local
disks in tens of microseconds."""

_BUILT_IN: tuple[type, ...] = (list, tuple, set, frozenset, dict, range,
                               type({}.keys()), type({}.values()), type({}.items()))
"""Collections whose iterators can be shared by threads. Those of other classes may be generators, which cannot."""

_ANY_NUMBER = 1 << 30
"""Workers that an iterable of unknown length has work for."""

_PROBE = 16
"""Local operations in the thread of the caller before their average time is checked."""


class Plan(NamedTuple):
    """How a batch is run.

    Attributes:
        runtime: that of the workers; None for no workers: all items in the thread of the caller (`collect` only).
        width: maximum number of workers, 1 or more. With `share`, the number to plan with before it is known.
        on_error: returns the result for an item that failed; None: the first error ends the batch.
        report: called from time to time in the thread of the caller with the number of items done since the last call.
        share: returns the batch's share in the workers of a server: their number changes while it runs. None: `width`
            is their number.
        probe: start in the thread of the caller, and use workers only if that is slow.
    """

    runtime: Runtime | None
    width: int = 1
    on_error: OnError | None = None
    report: Callable[[int], Any] | None = None
    probe: bool = False
    share: Callable[[], WorkerShare] | None = None


class ItemCounter:
    """Counts what is done, if that is not one per item. Any worker may add to it."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def add(self, count: int = 1) -> None:
        with self._lock:
            self.count += count


def collect(work: Work, items: Iterable[Any], plan: Plan, counter: ItemCounter | None = None) -> list[Any]:
    """`[work(item) for item in items]`, many at a time.

    counter: what is reported as done, instead of the number of items.

    Raises the first error, of `work` or of the iterable, after work in progress was cancelled. Items are taken from the
    iterable only as fast as they are processed.
    """
    batch = _CollectBatch(work, plan, items, counter)
    with closing_after_interrupt(plan.runtime):
        if plan.runtime is None or (plan.probe and batch.probe()):
            batch.run_in_caller()
        else:
            batch.run_with(plan.runtime.worker_group())
    return batch.results


def stream(work: Work, items: Iterable[Any], plan: Plan, *, max_items: int, max_bytes: int,
           weigh: Callable[[Any], int]) -> Iterator[Any]:
    """Yield `work(item)` for each item when it is ready, while the work continues in the background.

    No new item is started while `max_items` are in progress or waiting to be consumed, or while results of `max_bytes`
    (by `weigh`) are waiting. Closing the iterator cancels work in progress.
    """
    batch = _StreamBatch(work, plan, items, max_items, max_bytes, weigh)
    assert plan.runtime is not None
    with closing_after_interrupt(plan.runtime):
        yield from batch.run_with(plan.runtime.worker_group())


@contextmanager
def closing_after_interrupt(runtime: Runtime | None) -> Iterator[None]:
    """Close sockets and the engine's thread after a KeyboardInterrupt."""
    try:
        yield
    except KeyboardInterrupt:
        close_after_interrupt(runtime)
        raise


class _Batch(ABC):
    """State shared by the workers and the caller. Deques and flags need no lock of their own in CPython."""

    worker_group: WorkerGroup

    def __init__(self, work: Work, plan: Plan) -> None:
        self._work = work
        self._plan = plan
        self._error: BaseException | None = None
        self._inbox: deque[Any] = deque()  # items taken from the iterable, not started yet
        self._closed = False  # no more items will come
        self._waiting: deque[None] = deque()  # one for each worker that waits for items, or for space
        self._caller_waits = False
        self._workers = plan.width  # that there are, without those that are about to leave
        self._leaving: deque[None] = deque()  # one for each worker that is to end after its item
        self._share = None if plan.share is None else plan.share()
        self._adapt_at = 0.0

    # ---- the number of workers, in the caller

    def _start(self, wanted: int) -> None:
        """wanted: the number of workers that have anything to do."""
        if self._share is not None:
            self._workers = self._share.workers(time.monotonic(), wanted)
            self._adapt_at = time.monotonic() + self._share.interval
        self._workers = max(1, min(self._workers, wanted))
        self.worker_group.start(self._worker, self._workers)

    def _adapt(self) -> None:
        """Start more workers, or let some of them end, if the share of this batch has changed. Called often."""
        share = self._share
        if share is None:
            return
        now = time.monotonic()
        if now < self._adapt_at:
            return
        wanted = self._wanted()
        workers = share.workers(now, wanted, len(self._waiting))
        self._adapt_at = now + share.interval
        more = min(workers, wanted) - self._workers
        if more > 0:
            self._start_more(more)
        elif workers < self._workers:
            self._leaving.extend([None] * (self._workers - workers))
            self._workers = workers

    def _start_more(self, count: int) -> None:
        self._workers += count
        while count and self._takes_leave():  # those that have not left yet stay
            count -= 1
        if count:
            self.worker_group.start(self._worker, count)

    def _takes_leave(self) -> bool:
        """In a worker after its item: whether it is to end."""
        try:
            self._leaving.pop()
        except IndexError:
            return False
        return True

    def _pause(self, longest: float | None) -> float | None:
        """Seconds for which the caller may wait until it calls `_adapt`."""
        if self._share is None:
            return longest
        left = max(0.0, self._adapt_at - time.monotonic())
        return left if longest is None else min(left, longest)

    def _end(self) -> None:
        """The batch has ended, in whatever way."""
        if self._share is not None:
            self._share.leave()

    @abstractmethod
    def _wanted(self) -> int:
        """The number of workers that have something to do."""

    @abstractmethod
    def _worker(self) -> None: ...

    # ---- in workers

    def run_item(self, item: Any) -> Any:
        try:
            return self._work(item)
        except Exception as error:
            if self._plan.on_error is None:
                raise
            return self._plan.on_error(item, error)

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self.worker_group.wake_caller()

    def _give_up(self, cause: BaseException) -> None:
        """In the caller: start nothing new, and cancel work in progress."""
        self._error = self._error or cause
        self.worker_group.cancel()

    def _run_worker(self, work: Callable[[], None]) -> None:
        """In a worker: call `work`. Any exception fails the batch, even one that would end a thread silently."""
        try:
            work()
        except Cancelled:
            raise
        except BaseException as error:
            self._fail(error)

    def _inbox_items(self) -> Iterator[Any]:
        """In a worker: the items that the caller adds to the inbox, until the batch has failed."""
        while self._error is None:
            try:
                item = self._inbox.popleft()
            except IndexError:
                if self._closed:
                    return
                self._waiting.append(None)
                if not self._inbox and not self._closed:  # else an item has been added meanwhile
                    self.worker_group.wait_worker()
                continue
            if self._caller_waits and len(self._inbox) <= self._low:
                self.worker_group.wake_caller()
            yield item

    @property
    def _low(self) -> int:
        return self._workers // 2

    def _wake(self, count: int) -> None:
        """In the caller: wake up to `count` of the waiting workers."""
        awake = 0
        while awake < count and self._waiting:
            self._waiting.popleft()
            awake += 1
        if awake:
            self.worker_group.wake_workers(awake)

    def _close(self) -> None:
        self._closed = True
        self._wake(len(self._waiting))

    def _wait(self, timeout: float | None, unless: Callable[[], bool]) -> None:
        """In the caller: wait until woken, unless `unless` is true meanwhile."""
        self._caller_waits = True
        if not unless():
            self.worker_group.wait_caller(self._pause(timeout))
        self._caller_waits = False
        self._adapt()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
        if self.worker_group.is_cancelled:  # not by this batch: the engine was closed
            block_if_exiting()
            raise Cancelled("the workers were stopped before they finished")


class _CollectBatch(_Batch):
    """A batch that returns all results in the order of their items."""

    def __init__(self, work: Work, plan: Plan, items: Iterable[Any], counter: ItemCounter | None) -> None:
        super().__init__(work, plan)
        self._shared = isinstance(items, _BUILT_IN)  # the workers take items from it themselves
        self._count = len(items) if isinstance(items, Collection) else None
        self._source = enumerate(items)
        self.results: list[Any] = [None] * (self._count or 0 if self._shared else 0)
        self._done = 0
        self._counter = counter
        self._reported = 0 if counter is None else counter.count

    # ---- in the thread of the caller

    def probe(self) -> bool:
        """Start in this thread; returns whether to continue in it."""
        began = time.monotonic()
        for count, (index, item) in enumerate(self._source, 1):
            self._put(index, self.run_item(item))
            if count == _PROBE:
                return time.monotonic() - began < _PROBE * _SLOW
        return True

    def run_in_caller(self) -> None:
        reported = time.monotonic()
        for index, item in self._source:
            self._put(index, self.run_item(item))
            if time.monotonic() - reported >= _TICK:
                self._report()
                reported = time.monotonic()
                if self._plan.runtime is not None:
                    self._plan.runtime.sleep(0)  # raises Cancelled if the caller was cancelled itself
        self._report()

    def _put(self, index: int, result: Any) -> None:
        if index < len(self.results):
            self.results[index] = result
        else:
            self.results.append(result)
        self._done += 1

    # ---- in workers

    def run_with(self, worker_group: WorkerGroup) -> None:
        self.worker_group = worker_group
        try:
            self._start(self._wanted())
            if not self._shared:
                self._feed()
            while not worker_group.finished and self._error is None:
                worker_group.wait_caller(self._pause(None if self._plan.report is None else _TICK))
                self._adapt()
                self._report()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            self._end()
        if self._error is not None:
            worker_group.cancel()
        self._raise_error()
        self._done = len(self.results)  # counted by many threads without a lock, it may be too low
        self._report()

    def _wanted(self) -> int:
        if self._count is None:
            return _ANY_NUMBER
        return max(1, self._count - self._done)

    def _worker(self) -> None:
        self._run_worker(self._work_all)

    def _work_all(self) -> None:
        results, run_item, leaving = self.results, self.run_item, self._leaving
        for index, item in self._source if self._shared else self._inbox_items():
            if self._error is not None:
                return
            results[index] = run_item(item)
            self._done += 1
            if leaving and self._takes_leave():
                return

    def _feed(self) -> None:
        """In the caller: take items of the iterable as fast as the workers process them."""
        for numbered in self._source:
            self.results.append(None)
            self._inbox.append(numbered)
            self._wake(1)
            while len(self._inbox) >= self._workers and self._goes_on():
                self._wait(_TICK, lambda: len(self._inbox) <= self._low)
                self._report()
            if not self._goes_on():
                return
        self._close()

    def _goes_on(self) -> bool:
        """In the caller, while there are items: workers that have ended were stopped by others."""
        return self._error is None and not self.worker_group.finished

    def _report(self) -> None:
        if self._plan.report is not None:
            done = self._done if self._counter is None else self._counter.count
            self._plan.report(done - self._reported)
            self._reported = done


class _StreamBatch(_Batch):
    """A batch that yields results when they are ready."""

    def __init__(self, work: Work, plan: Plan, items: Iterable[Any], max_items: int, max_bytes: int,
                 weigh: Callable[[Any], int]) -> None:
        super().__init__(work, plan)
        self._items = iter(items)
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._weigh = weigh
        self._outbox: deque[tuple[Any, int]] = deque()
        self._is_slow = False  # whether the last item of the iterable took long
        self._taken = 0  # items taken from the iterable and not yet consumed as results
        self._bytes = 0  # of results in the outbox
        self._lock = threading.Lock()  # for _bytes, which both sides change; never held while waiting

    def run_with(self, worker_group: WorkerGroup) -> Iterator[Any]:
        self.worker_group = worker_group
        try:
            self._start(self._max_items)
            while self._await_results():
                for _ in range(len(self._outbox)):
                    yield self._take()
        finally:
            self._end()
            if not worker_group.finished:
                self._give_up(Cancelled("the caller stopped reading the results"))

    def _await_results(self) -> bool:
        """Wait for the next results; False if there are none left. Raises the error of the batch."""
        while True:
            self._raise_error()
            self._feed()
            if self._outbox:
                return True
            if self._closed and self.worker_group.finished:
                self._raise_error()  # the last worker may have failed since
                return bool(self._outbox)
            self._wait(None, lambda: bool(self._outbox) or self._error is not None or self.worker_group.finished)
            if self._taken > self._workers:
                # A consumer that is faster than the server would be woken for each result, which costs more than the
                # result itself: wait for some more.
                self.worker_group.wait_caller(_GATHER_SECONDS)

    def _feed(self) -> None:
        """In the caller: take items while there is space for their results."""
        fed = 0
        while not self._closed and self._taken < self._max_items:
            if self._outbox and (self._is_slow or fed >= self._workers):
                return  # results are waiting: the consumer comes first
            asked = time.monotonic()
            try:
                self._inbox.append(next(self._items))
            except StopIteration:
                self._close()
                return
            self._is_slow = time.monotonic() - asked > _SLOW
            self._taken += 1
            fed += 1
            if self._waiting:
                self._wake(1)

    def _take(self) -> Any:
        """The next result. Also takes new items for the workers, which run while the consumer processes the result."""
        result, weight = self._outbox.popleft()
        self._taken -= 1
        if len(self._inbox) <= self._workers:
            self._feed()
        self._adapt()
        with self._lock:
            was_full = self._bytes >= self._max_bytes
            self._bytes -= weight
            has_room = self._bytes < self._max_bytes
        if was_full and has_room:
            self._wake(len(self._waiting))
        if self._plan.report is not None:
            self._plan.report(1)
        return result

    def _wanted(self) -> int:
        return self._max_items

    def _worker(self) -> None:
        self._run_worker(self._work_all)

    def _work_all(self) -> None:
        for item in self._inbox_items():
            self._wait_for_room()
            if self._error is not None:
                return
            self._emit(self.run_item(item))
            if self._leaving and self._takes_leave():
                return

    def _emit(self, result: Any) -> None:
        weight = self._weigh(result)
        with self._lock:
            self._bytes += weight
        self._outbox.append((result, weight))
        if self._caller_waits:
            self.worker_group.wake_caller()

    def _wait_for_room(self) -> None:
        while self._bytes >= self._max_bytes:
            self._waiting.append(None)
            if self._bytes >= self._max_bytes:
                self.worker_group.wait_worker()
