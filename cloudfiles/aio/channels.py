"""Channels between an event loop and the thread or hub where a batch runs.

`InputChannel` brings the items of an async iterable to a batch that iterates over them in blocking style;
`OutputChannel` brings results from the hub to a coroutine.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from cloudfiles.aio.concurrency_limiter import ConcurrencyLimiter, hub_runtime
from cloudfiles.aio.loop_dispatcher import current_dispatcher
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.runtime.threads import TICK

_ITEMS_AHEAD = 100
"""Items read from an async iterable before the batch asks for them."""


class Event(Protocol):
    """The common part of `threading.Event` and `gevent.event.Event`."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def wait(self) -> Any: ...


class InputChannel(Iterator[Any]):
    """The items of an async iterable, for one consumer in another thread or hub.

    Both sides share a deque. Each has a flag that says that it is waiting; the other side then wakes it up. After
    setting its flag, a side checks the deque again before it waits, so that no wake-up is lost.

    Args:
        event: what the consumer waits for.
        wake: sets the event; called in the loop's thread.
    """

    def __init__(self, source: AsyncIterable[Any], event: Event, wake: Callable[[], Any]) -> None:
        self._source = source
        self._more = event
        self._wake = wake
        self._items: deque[Any] = deque()
        self._dispatcher = current_dispatcher()
        self._room = asyncio.Event()
        self._consumer_waits = False
        self._full = False  # the loop waits for room
        self._ended = False
        self._error: Exception | None = None

    # ---- in the consumer

    def __next__(self) -> Any:
        while not self._items:
            if self._ended and not self._items:
                raise self._error or StopIteration
            self._consumer_waits = True
            if not self._items and not self._ended:
                self._more.wait()
                self._more.clear()
            self._consumer_waits = False
        item = self._items.popleft()
        if self._full and len(self._items) <= _ITEMS_AHEAD // 2:
            self._full = False
            self._dispatcher.post(self._room.set)
        return item

    # ---- in the loop

    async def pump(self) -> None:
        """Read the source as fast as its items are consumed. An exception of the source is raised in the consumer."""
        try:
            async for item in self._source:
                self._items.append(item)
                self._tell()
                if len(self._items) >= _ITEMS_AHEAD:
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
        """End the channel: the consumer does not wait for further items."""
        self._error = self._error or ChannelClosedError()
        self._ended = True
        self._wake()

    def _tell(self) -> None:
        if self._consumer_waits or self._ended:
            self._wake()

    async def _wait_for_room(self) -> None:
        self._room.clear()
        self._full = True
        if len(self._items) >= _ITEMS_AHEAD:
            await self._room.wait()


class ChannelClosedError(Exception):
    """The batch was cancelled while it waited for items. Users do not see it: the awaiting task was cancelled."""


@asynccontextmanager
async def channel_to_hub(source: AsyncIterable[Any]) -> AsyncIterator[InputChannel]:
    """A channel from `source` to a consumer in the hub."""
    import gevent.event

    runtime = hub_runtime()
    event = gevent.event.Event()
    async with _pump(InputChannel(source, event, lambda: runtime.post(event.set))) as channel:
        yield channel


@asynccontextmanager
async def channel_to_thread(source: AsyncIterable[Any]) -> AsyncIterator[InputChannel]:
    """A channel from `source` to a consumer in a thread."""
    event = _ThreadEvent()
    async with _pump(InputChannel(source, event, event.set)) as channel:
        yield channel


class _ThreadEvent(threading.Event):
    """An event whose `wait` raises when the waiting work is cancelled."""

    def wait(self, timeout: float | None = None) -> bool:
        while not super().wait(TICK if timeout is None else timeout):
            blocking_runtime().sleep(0)  # raises if this work was cancelled
        return True


@asynccontextmanager
async def _pump(channel: InputChannel) -> AsyncIterator[InputChannel]:
    pump = asyncio.ensure_future(channel.pump())
    try:
        yield channel
    finally:
        channel.stop()
        pump.cancel()
        await asyncio.wait([pump])


# ---- results

_RESULTS_AHEAD = 200
"""Maximum number of results that wait for the consumer."""

_UNBOUND = ConcurrencyLimiter()


def _weightless(_: Any) -> int:
    return 0


async def iterate_in_hub(iterate: Callable[[], Iterator[Any]], max_bytes: int = 1,
                         weigh: Callable[[Any], int] = _weightless) -> AsyncGenerator[Any, None]:
    """The items of an iterator that is created and run in the hub.

    The iterator runs ahead of the consumer by at most 200 items, which have at most `max_bytes` together according to
    `weigh`. It is closed, wherever it waits, when the consumer stops iterating.
    """
    channel = OutputChannel(iterate, max_bytes, weigh)
    job = _UNBOUND.submit(channel.run)
    done = asyncio.ensure_future(job.outcome())
    done.add_done_callback(lambda _: channel.wake_consumer())
    channel.resume = lambda: job.runtime.post(channel.wake_producer)
    try:
        while await channel.has_more(done):
            yield channel.take()
    finally:
        done.cancel()
        await asyncio.wait([done])
    done.result()


class OutputChannel:
    """The items of an iterator that runs in the hub, for a coroutine. No lock is needed, as each counter is written
    by one side only."""

    resume: Callable[[], Any]

    def __init__(self, iterate: Callable[[], Iterator[Any]], max_bytes: int, weigh: Callable[[Any], int]) -> None:
        import gevent.event

        self._iterate = iterate
        self._max_bytes = max_bytes
        self._weigh = weigh
        self._dispatcher = current_dispatcher()
        self._items: deque[tuple[Any, int]] = deque()
        self._sent = 0  # bytes sent
        self._taken = 0  # bytes consumed
        self._room = gevent.event.Event()
        self._full = False  # the hub waits for room
        self._waiter: asyncio.Future[None] | None = None  # set while the loop waits

    # ---- in the hub

    def run(self) -> None:
        iterator = self._iterate()
        try:
            for item in iterator:
                self._send(item)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def _send(self, item: Any) -> None:
        weight = self._weigh(item)
        self._sent += weight
        self._items.append((item, weight))
        if self._waiter is not None:
            self._dispatcher.post(self.wake_consumer)
        while self._is_full():
            self._room.clear()
            self._full = True
            if self._is_full():
                self._room.wait()
            self._full = False

    def _is_full(self) -> bool:
        return len(self._items) >= _RESULTS_AHEAD or self._sent - self._taken > self._max_bytes

    def wake_producer(self) -> None:
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
        if self._full and len(self._items) <= _RESULTS_AHEAD // 2 and self._sent - self._taken <= self._max_bytes:
            self._full = False
            self.resume()
        return item

    def wake_consumer(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
