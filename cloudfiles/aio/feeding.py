"""Items that come from a coroutine's side, for a batch that iterates in blocking style elsewhere."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from cloudfiles.aio.lanes import hub_runtime
from cloudfiles.aio.mailbox import mailbox_here
from cloudfiles.runtime.engine import blocking_runtime
from cloudfiles.runtime.threads import TICK

_AHEAD = 100
"""Items taken before they are asked for."""


class Event(Protocol):
    """As threading's and gevent's."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def wait(self) -> Any: ...


class Feed(Iterator[Any]):
    """The items of an async iterable, one by one, for one consumer in another thread or hub.

    The two sides share a deque; a flag on each says that it waits, and whoever sees it wakes the other. Each looks
    at the deque again after raising its flag, so that no wake-up is lost.
    """

    def __init__(self, source: AsyncIterable[Any], event: Event, wake: Callable[[], Any]) -> None:
        """event: what the consumer waits for. wake: sets it, from the loop's thread."""
        self._source = source
        self._more = event
        self._wake = wake
        self._items: deque[Any] = deque()
        self._mailbox = mailbox_here()
        self._room = asyncio.Event()
        self._hungry = False  # the consumer waits
        self._full = False  # the loop waits
        self._ended = False
        self._error: Exception | None = None

    # ---- in the consumer

    def __next__(self) -> Any:
        while not self._items:
            if self._ended and not self._items:
                raise self._error or StopIteration
            self._hungry = True
            if not self._items and not self._ended:
                self._more.wait()
                self._more.clear()
            self._hungry = False
        item = self._items.popleft()
        if self._full and len(self._items) <= _AHEAD // 2:
            self._full = False
            self._mailbox.post(self._room.set)
        return item

    # ---- in the loop

    async def pump(self) -> None:
        """Take the source's items as fast as they are consumed. Its error is raised in the consumer."""
        try:
            async for item in self._source:
                self._items.append(item)
                self._tell()
                if len(self._items) >= _AHEAD:
                    await self._wait_for_room()
        except Exception as error:
            self._error = error
        finally:
            self._ended = True
            self._tell()
            close = getattr(self._source, "aclose", None)
            if close is not None:
                await close()

    def stop(self) -> None:
        """Nobody will pump: the consumer is not to wait for it."""
        self._error = self._error or CancelledFeedError()
        self._ended = True
        self._wake()

    def _tell(self) -> None:
        if self._hungry or self._ended:
            self._wake()

    async def _wait_for_room(self) -> None:
        self._room.clear()
        self._full = True
        if len(self._items) >= _AHEAD:
            await self._room.wait()


class CancelledFeedError(Exception):
    """The batch was given up, and its items with it. Nobody gets to see it: whoever awaited the batch was cancelled."""


@asynccontextmanager
async def fed_to_hub(source: AsyncIterable[Any]) -> AsyncIterator[Feed]:
    """`source`, to be iterated in the hub."""
    import gevent.event

    runtime = hub_runtime()
    event = gevent.event.Event()
    async with _pumping(Feed(source, event, lambda: runtime.post(event.set))) as feed:
        yield feed


@asynccontextmanager
async def fed_to_thread(source: AsyncIterable[Any]) -> AsyncIterator[Feed]:
    """`source`, to be iterated in a thread."""
    event = _ThreadEvent()
    async with _pumping(Feed(source, event, event.set)) as feed:
        yield feed


class _ThreadEvent(threading.Event):
    """One whose wait ends when the work that waits is given up."""

    def wait(self, timeout: float | None = None) -> bool:
        while not super().wait(TICK if timeout is None else timeout):
            blocking_runtime().sleep(0)  # where it was given up, it is told here
        return True


@asynccontextmanager
async def _pumping(feed: Feed) -> AsyncIterator[Feed]:
    pump = asyncio.ensure_future(feed.pump())
    try:
        yield feed
    finally:
        feed.stop()
        pump.cancel()
        await asyncio.wait([pump])
