"""Results of an iterator that runs in the hub, handed to a coroutine as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

from cloudfiles.aio.lanes import Lane
from cloudfiles.aio.mailbox import mailbox_here

_AHEAD = 200
"""Results that wait for the consumer, at the most."""

_UNBOUND = Lane()


def _weightless(_: Any) -> int:
    return 0


async def from_hub(iterate: Callable[[], Iterator[Any]], max_bytes: int = 1,
                   weigh: Callable[[Any], int] = _weightless) -> AsyncGenerator[Any, None]:
    """The items of an iterator that is made and run in the hub.

    It runs ahead of the consumer by so many items and `max_bytes` of them, by `weigh`. When the consumer leaves, it is
    closed wherever it waits.
    """
    flow = _Flow(iterate, max_bytes, weigh)
    job = _UNBOUND.submit(flow.run)
    done = asyncio.ensure_future(job.outcome())
    done.add_done_callback(lambda _: flow.tell())
    flow.resume = lambda: job.runtime.post(flow.go_on)
    try:
        while await flow.has_more(done):
            yield flow.take()
    finally:
        done.cancel()
        await asyncio.wait([done])
    done.result()


class _Flow:
    """The deque between hub and loop. Of each counter only one side writes, so that no lock is needed."""

    resume: Callable[[], Any]

    def __init__(self, iterate: Callable[[], Iterator[Any]], max_bytes: int, weigh: Callable[[Any], int]) -> None:
        import gevent.event

        self._iterate = iterate
        self._max_bytes = max_bytes
        self._weigh = weigh
        self._mailbox = mailbox_here()
        self._items: deque[tuple[Any, int]] = deque()
        self._put = 0  # bytes handed over
        self._taken = 0  # bytes consumed
        self._room = gevent.event.Event()
        self._full = False  # the hub waits
        self._waiter: asyncio.Future[None] | None = None  # the loop waits

    # ---- in the hub

    def run(self) -> None:
        iterator = self._iterate()
        try:
            for item in iterator:
                self._hand_over(item)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def _hand_over(self, item: Any) -> None:
        weight = self._weigh(item)
        self._put += weight
        self._items.append((item, weight))
        if self._waiter is not None:
            self._mailbox.post(self.tell)
        while self._is_full():
            self._room.clear()
            self._full = True
            if self._is_full():
                self._room.wait()
            self._full = False

    def _is_full(self) -> bool:
        return len(self._items) >= _AHEAD or self._put - self._taken > self._max_bytes

    def go_on(self) -> None:
        self._room.set()

    # ---- in the loop

    async def has_more(self, done: asyncio.Future[Any]) -> bool:
        """Wait for an item; False when there will be none."""
        while not self._items:
            if done.done():
                return bool(self._items)
            self._waiter = asyncio.get_running_loop().create_future()
            if not self._items and not done.done():
                await self._waiter
            self._waiter = None
        return True

    def take(self) -> Any:
        item, weight = self._items.popleft()
        self._taken += weight
        if self._full and len(self._items) <= _AHEAD // 2 and self._put - self._taken <= self._max_bytes:
            self._full = False
            self.resume()
        return item

    def tell(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
