"""Work done in the engine's hub and awaited by coroutines: the third kind of caller.

A coroutine cannot wait as a thread or a greenlet does. So the whole call, with its fan-out, runs in a greenlet
of the hub, and there it is an ordinary caller (`runtime.green.HereCrew`); only its outcome travels to the loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from cloudfiles.aio.mailbox import mailbox_here
from cloudfiles.runtime.cancellation import Cancellation, Cancelled
from cloudfiles.runtime.engine import background_runtime, is_exiting

if TYPE_CHECKING:
    from cloudfiles.runtime.green import GreenRuntime

GRACE = 1.0
"""Seconds that work which was cancelled may take to clean up, before its coroutine goes on without it; what it writes
to local files is waited for longer."""

_LOOK = 0.02


def hub_runtime() -> GreenRuntime:
    """The runtime of the hub that runs beside this thread's event loop."""
    return cast("GreenRuntime", background_runtime())


async def settled(cancellation: Cancellation) -> None:
    """Wait for the end of what cancelled work is writing to local files."""
    since = monotonic()
    while cancellation.has_effects(since):
        await asyncio.sleep(_LOOK)


class Lane:
    """A way into the hub for so many at a time; the others wait in line.

    Args:
        width: calls at work at once, None for any number.
    """

    def __init__(self, width: int | None = None) -> None:
        self._width = width
        self._runtime: GreenRuntime | None = None
        # Known to the hub's thread alone:
        self._running = 0
        self._waiting: deque[Job] = deque()

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """`function(*args)`, run in the hub in blocking style.

        When the awaiting task is cancelled, so is the call, wherever it waits: connections in use are closed.
        """
        return await self.submit(function, *args).outcome()

    def submit(self, function: Callable[..., Any], *args: Any) -> Job:
        """The same, begun; its `outcome` is to be awaited."""
        job = Job(self, function, args)
        while True:
            runtime = job.runtime = hub_runtime()
            if runtime.post(self.enter, job):
                return job

    # ---- in the hub

    def enter(self, job: Job) -> None:
        if job.runtime is not self._runtime:  # the engine was closed meanwhile, and with it what was at work
            self._runtime, self._running, self._waiting = job.runtime, 0, deque()
        job.runtime.worker_groups.add(job)
        if self._width is None or self._running < self._width:
            self._running += 1
            job.start()
        else:
            self._waiting.append(job)

    def leave(self, job: Job) -> None:
        """Of a job that has ended: its place is the next one's."""
        if job.runtime is not self._runtime:
            return
        while self._waiting:
            following = self._waiting.popleft()
            if not following.ended:
                following.start()
                return
        self._running -= 1


class Job:
    """One call in the hub.

    Attributes:
        runtime: whose hub it is.
        ended: nothing of it runs any more.
    """

    runtime: GreenRuntime

    def __init__(self, lane: Lane, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._lane = lane
        self._function = function
        self._args = args
        self._mailbox = mailbox_here()
        self._future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._greenlet: Any = None
        self._begun = False
        self._cancellation = Cancellation()
        self.ended = False

    # ---- in the loop

    async def outcome(self) -> Any:
        """What the function gives or raises. When the awaiting task is cancelled, so is the job."""
        try:
            return await self._future
        except asyncio.CancelledError:
            if not self.ended:
                await self._stop()
            raise

    async def _stop(self) -> None:
        """Wait for its end: a second at most, longer while it writes local files."""
        self._future = asyncio.get_running_loop().create_future()
        self._cancellation.cancel()
        self.runtime.post(self.kill)
        await asyncio.wait([self._future], timeout=GRACE)
        await settled(self._cancellation)
        if self._future.done():
            self._future.exception()  # looked at, so that nobody is told that it was not

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self._future.done():
            return  # cancelled, just now: whoever waited has gone
        if error is None:
            self._future.set_result(result)
        else:
            self._future.set_exception(error)

    # ---- in the hub

    def start(self) -> None:
        import gevent

        self._greenlet = gevent.Greenlet(self._run)
        self._greenlet.start()

    def kill(self) -> None:
        """Throw Cancelled into it wherever it waits; when it has not begun it never will."""
        if self.ended:
            return
        if self._begun:
            import gevent

            from cloudfiles.runtime.green import GreenCancelled

            gevent.killall([self._greenlet], GreenCancelled, block=False)
        else:
            self._end(None, Cancelled("cancelled before it started"), was_running=self._greenlet is not None)

    def _run(self) -> None:
        if self.ended:
            return
        self._begun = True
        result: Any = None
        error: BaseException | None = None
        try:
            with self._cancellation.current():
                result = self._function(*self._args)
        except Cancelled:
            error = Cancelled("stopped before it finished")
        except BaseException as failure:
            error = failure
        self._end(result, error, was_running=True)

    def _end(self, result: Any, error: BaseException | None, was_running: bool) -> None:
        self.ended = True
        self.runtime.worker_groups.discard(self)
        if was_running:
            self._lane.leave(self)
        if not (is_exiting() and isinstance(error, Cancelled)):  # else nobody waits: its loop is in a daemon thread
            self._mailbox.post(self._settle, result, error)
