"""A batch: its plan, its workers, whose number may change while it runs, and what they share with the caller."""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from cloudfiles.runtime.cancellation import Cancelled
from cloudfiles.runtime.contract import Runtime, WorkerGroup
from cloudfiles.runtime.descriptors import process_descriptors
from cloudfiles.runtime.hub_engine import block_if_exiting
from cloudfiles.transport.concurrency.adaptive_width import WorkerShare
from cloudfiles.values import NamedTuple

Work = Callable[[Any], Any]
OnError = Callable[[Any, Exception], Any]

TICK = 0.1
"""Seconds between two reports of progress."""


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


def check_workers(worker_group: WorkerGroup) -> None:
    """In the caller, if it has not cancelled the workers itself: raise an error if others have stopped them."""
    worker_group.check_process()
    if worker_group.is_cancelled:  # the engine was closed
        block_if_exiting()
        raise Cancelled("the workers were stopped before they finished")


class Batch(ABC):
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
        if self.worker_group.is_of_parent or sys.is_finalizing():  # then daemon threads hold their locks forever
            return
        if self._share is not None:
            self._share.leave()
        process_descriptors.close_excess()

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
        check_workers(self.worker_group)
