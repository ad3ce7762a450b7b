"""Calls from other threads to an event loop, with one wake-up for many of them."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_dispatchers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopDispatcher] = weakref.WeakKeyDictionary()


class LoopDispatcher:
    """Runs functions in the thread of one event loop.

    Waking up a loop costs a system call, and usually a thread switch: of several calls in quick succession, only the
    first wakes it up.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._calls: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._woken = False
        self._batches: dict[Callable[[list[Any]], Any], list[Any]] = {}

    def post(self, function: Callable[..., Any], *args: Any) -> None:
        """Call `function(*args)` in the loop; may be called from any thread. Does nothing if the loop is closed."""
        if self.add(function, *args):
            self.wake()

    def add(self, function: Callable[..., Any], *args: Any) -> bool:
        """As `post`, but the caller has to wake up the loop, if this returns True."""
        self._calls.append((function, args))
        if self._woken:
            return False
        self._woken = True
        return True

    def wake(self) -> None:
        """Wake up the loop for the calls that were added."""
        loop = self._loop()
        if loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._run_calls)

    def batch(self, function: Callable[[list[Any]], Any], item: Any) -> None:
        """In the loop: call `function(items)` in its next iteration, with the items of all calls until then."""
        items = self._batches.get(function)
        if items is not None:
            items.append(item)
        else:
            self._batches[function] = [item]
            asyncio.get_running_loop().call_soon(self._end_batch, function)

    def _end_batch(self, function: Callable[[list[Any]], Any]) -> None:
        function(self._batches.pop(function))

    def _run_calls(self) -> None:
        self._woken = False  # before the queue is read, so that later calls wake the loop again
        while self._calls:
            function, args = self._calls.popleft()
            function(*args)


def current_dispatcher() -> LoopDispatcher:
    """The dispatcher of the running event loop."""
    loop = asyncio.get_running_loop()
    dispatcher = _dispatchers.get(loop)
    if dispatcher is None:
        dispatcher = _dispatchers[loop] = LoopDispatcher(loop)
    return dispatcher
