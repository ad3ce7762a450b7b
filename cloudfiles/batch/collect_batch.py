"""A batch that returns all results in the order of their items."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

from cloudfiles.batch.batch_workers import TICK, Batch, ItemCounter, Plan, Work
from cloudfiles.runtime.contract import WorkerGroup

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


class CollectBatch(Batch):
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
            if time.monotonic() - reported >= TICK:
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
                worker_group.wait_caller(self._pause(None if self._plan.report is None else TICK))
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
                self._wait(TICK, lambda: len(self._inbox) <= self._low)
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
