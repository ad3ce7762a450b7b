"""Calls for single objects that are made at the same time, combined into batches."""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cloudfiles.aio.loop_dispatcher import current_dispatcher


class CombinedCalls:
    """Runs calls that are made in one iteration of an event loop as one batch.

    A batch takes a third of the CPU time of as many single calls, most of which is for passing each call to another
    thread and back. Calls made later do not wait for the batch.

    Args:
        run: runs a batch: the outcomes of some items in order, an exception for one that failed. If it raises an
            exception, the items are run again one by one, so that no call fails because of another.
        limit: returns the maximum number of items in progress; further calls wait in order of arrival.
    """

    def __init__(self, run: Callable[[list[Any]], Awaitable[Sequence[Any]]],
                 limit: Callable[[], int] = lambda: sys.maxsize) -> None:
        self._run = run
        self._limit = limit
        self._queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = weakref.WeakKeyDictionary()

    async def __call__(self, item: Any) -> Any:
        """The outcome of an item.

        Cancelling the awaiting task waits for the end of the batch, unless all its calls were cancelled, which cancels
        the batch: so nothing is changed afterwards.
        """
        call = _Call(item)
        queue = self._queues.setdefault(asyncio.get_running_loop(), _Queue())
        queue.waiting.append(call)
        current_dispatcher().batch(self._start, queue)
        try:
            return await call.future
        except asyncio.CancelledError:
            if call.batch is not None:
                if all(other.future.cancelled() for other in call.others):
                    call.batch.cancel()
                await asyncio.wait([call.batch])
            raise

    def _start(self, queues: list[_Queue]) -> None:
        """Start a batch of the calls that wait, as many as the limit allows."""
        queue = queues[0]  # there is one for each loop
        calls: list[_Call] = []
        room = self._limit() - queue.running
        while queue.waiting and len(calls) < room:
            call = queue.waiting.popleft()
            if not call.future.done():
                calls.append(call)
        if not calls:
            return
        queue.running += len(calls)
        batch = asyncio.ensure_future(self._run_batch(calls))
        for call in calls:
            call.batch, call.others = batch, calls

        def end(_: object) -> None:
            queue.running -= len(calls)
            self._start([queue])

        batch.add_done_callback(end)

    async def _run_batch(self, calls: list[_Call]) -> None:
        outcomes: Sequence[Any]
        try:
            outcomes = await self._run([call.item for call in calls])
        except Exception as error:
            if len(calls) > 1:
                await asyncio.gather(*(self._run_batch([call]) for call in calls if not call.future.done()))
                return
            outcomes = [error]
        for call, outcome in zip(calls, outcomes, strict=True):
            if call.future.done():
                continue  # cancelled
            if isinstance(outcome, Exception):
                call.future.set_exception(outcome)
            else:
                call.future.set_result(outcome)


class _Queue:
    """The calls of one event loop: those that wait, and the number of those in progress."""

    def __init__(self) -> None:
        self.waiting: deque[_Call] = deque()
        self.running = 0


class _Call:
    """One call.

    Attributes:
        batch, others: the batch that it became part of, and all calls in it.
    """

    __slots__ = ("batch", "future", "item", "others")

    def __init__(self, item: Any) -> None:
        self.item = item
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.batch: asyncio.Future[None] | None = None
        self.others: list[_Call] = []
