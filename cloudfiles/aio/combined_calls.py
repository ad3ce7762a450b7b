"""Calls for single objects that are made at the same time, combined into batches."""

from __future__ import annotations

import asyncio
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
    """

    def __init__(self, run: Callable[[list[Any]], Awaitable[Sequence[Any]]]) -> None:
        self._run = run

    async def __call__(self, item: Any) -> Any:
        """The outcome of an item.

        Cancelling the awaiting task waits for the end of the batch, unless all its calls were cancelled, which cancels
        the batch: so nothing is changed afterwards.
        """
        call = _Call(item)
        current_dispatcher().batch(self._start, call)
        try:
            return await call.future
        except asyncio.CancelledError:
            if call.batch is not None:
                if all(other.future.cancelled() for other in call.others):
                    call.batch.cancel()
                await asyncio.wait([call.batch])
            raise

    def _start(self, calls: list[_Call]) -> None:
        calls = [call for call in calls if not call.future.done()]
        if calls:
            batch = asyncio.ensure_future(self._run_batch(calls))
            for call in calls:
                call.batch, call.others = batch, calls

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
