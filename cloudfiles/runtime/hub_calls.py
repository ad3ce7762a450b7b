"""Runs calls of other threads in a gevent hub."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

_Calls = deque[tuple[Callable[..., None], tuple[Any, ...]]]


class HubCalls:
    """A queue of calls, added by any thread and run by the hub in order.

    Used instead of gevent's `loop.run_callback_threadsafe`, which is not safe: it changes libev's count of active
    watchers from the calling thread, while the hub's thread, in C and without the interpreter's lock, changes it
    too. One lost update, and the hub ends with `LoopExit` while its greenlets wait (the same call corrupts libuv:
    https://github.com/gevent/gevent/issues/2212). Of a libev loop only `ev_async_send` may be called by another
    thread (http://pod.tst.eu/http://cvs.schmorp.de/libev/ev.pod, "ev_async"), so nothing else is.
    """

    def __init__(self, hub: Any) -> None:
        self._calls: _Calls = deque()
        # ref=False: a hub with nothing else to wait for may end.
        self._wakeup = hub.loop.async_(ref=False)
        # Not a method: a started watcher lives as long as the loop, and so would everything it refers to.
        self._wakeup.start(_run, self._calls)

    def add(self, function: Callable[..., None], *args: Any) -> None:
        """From any thread, until `close`."""
        self._calls.append((function, args))
        self._wakeup.send()

    def close(self) -> None:
        """In the hub's thread, when nothing will be added any more: run the calls that are left."""
        self._wakeup.stop()
        self._wakeup.close()
        _run(self._calls)


def _run(calls: _Calls) -> None:
    """In the hub."""
    for _ in range(len(calls)):  # calls added meanwhile have their own wake-up
        function, args = calls.popleft()
        try:
            function(*args)
        except BaseException:  # reported like errors of other callbacks; the next calls are run all the same
            gevent.get_hub().handle_error(function, *sys.exc_info())
