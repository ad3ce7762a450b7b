"""What other threads have to say to an event loop, told it many at a time."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_mailboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Mailbox] = weakref.WeakKeyDictionary()


class Mailbox:
    """Calls to make in one loop's thread.

    Waking a loop costs a system call, and mostly a change of threads. Of many calls that come close together only
    the first wakes it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._calls: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._woken = False

    def post(self, function: Callable[..., Any], *args: Any) -> None:
        """From any thread: have `function` called in the loop. Of a loop that was closed nobody waits any more."""
        self._calls.append((function, args))
        if self._woken:
            return
        self._woken = True
        loop = self._loop()
        if loop is not None:
            with suppress(RuntimeError):  # it is closed
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False  # before the last look: what comes from here on wakes the loop again
        while self._calls:
            function, args = self._calls.popleft()
            function(*args)


def mailbox_here() -> Mailbox:
    """The running loop's."""
    loop = asyncio.get_running_loop()
    mailbox = _mailboxes.get(loop)
    if mailbox is None:
        mailbox = _mailboxes[loop] = Mailbox(loop)
    return mailbox
