"""A batch that yields results when they are ready."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cloudfiles.batch.batch_workers import Batch, Plan, Work
from cloudfiles.runtime.cancellation import Cancelled
from cloudfiles.runtime.contract import WorkerGroup

_GATHER_SECONDS = 0.001
"""Seconds for which a waiting consumer of a stream is not woken, so that several results gather."""

_SLOW = 0.002
"""Seconds that the next item of the iterable may take before waiting results come first."""

_USUAL = 8
"""The usual size of a result is a mean of about so many."""

_IN_PROGRESS = 2
"""Factor by which results in progress may exceed `max_bytes`. Responses may take as much (`transport/body_memory.py`),
but gzip may be decoded to a thousand times its size."""


class StreamBatch(Batch):
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
        self._usual = 0.0  # bytes of a result
        self._max_in_progress = _IN_PROGRESS * max_bytes
        self._running: deque[None] = deque()  # one for each worker that processes an item
        self._held = 0  # workers that wait for room
        self._lock = threading.Lock()  # for _bytes and _held, which several threads change; never held while waiting

    def run_with(self, worker_group: WorkerGroup) -> Iterator[Any]:
        self.worker_group = worker_group
        try:
            self._start(self._max_items)
            while self._await_results():
                for _ in range(len(self._outbox)):
                    yield self._take()
        finally:
            try:
                if not worker_group.finished:
                    self._give_up(Cancelled("the caller stopped reading the results"))
            finally:
                self._end()

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
            self._bytes -= weight
        if self._held and self._has_room(len(self._running) + 1):
            self._wake(len(self._waiting))
        if self._plan.report is not None:
            self._plan.report(1)
        return result

    def _wanted(self) -> int:
        return self._max_items

    def _worker(self) -> None:
        self._run_worker(self._work_all)

    def _work_all(self) -> None:
        running = self._running
        for item in self._inbox_items():
            running.append(None)
            while not self._has_room(len(running)):
                running.pop()
                self._wait_for_room()
                running.append(None)
            if self._error is not None:
                return
            self._emit(self.run_item(item))
            if self._leaving and self._takes_leave():
                return

    def _emit(self, result: Any) -> None:
        weight = self._weigh(result)
        with self._lock:
            self._bytes += weight
            self._usual += (weight - self._usual) / _USUAL if self._usual else weight
        self._running.pop()
        self._outbox.append((result, weight))
        if self._caller_waits:
            self.worker_group.wake_caller()

    # ---- room for results

    def _has_room(self, running: int) -> bool:
        """Whether there is room for the results of so many items in progress, if they are as large as usual."""
        return self._bytes < self._max_bytes and (running <= 1 or running * self._usual <= self._max_in_progress)

    def _wait_for_room(self) -> None:
        with self._lock:
            self._held += 1
        self._waiting.append(None)
        if not self._has_room(len(self._running) + 1):  # else there has been room since
            self.worker_group.wait_worker()
        with self._lock:
            self._held -= 1
