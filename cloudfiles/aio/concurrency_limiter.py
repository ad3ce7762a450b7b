"""Calls that run in the engine's gevent hub and are awaited by coroutines.

The whole call, with its fan-out, runs in a greenlet of the hub, where it is an ordinary caller
(`runtime.green.SameHubWorkerGroup`); only its outcome is sent to the event loop.

Waking up the other thread costs a system call and a switch of threads, which is as much as a small request itself. So
calls that are made in one iteration of the event loop are sent to the hub together, and so are the outcomes of one
iteration of the hub. A greenlet that has ended a call takes the next one that waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from cloudfiles.aio.loop_dispatcher import LoopDispatcher, current_dispatcher
from cloudfiles.runtime.cancellation import Cancellation, Cancelled
from cloudfiles.runtime.hub_engine import background_runtime, is_exiting

if TYPE_CHECKING:
    from cloudfiles.runtime.contract import Runtime
    from cloudfiles.runtime.green import GreenRuntime
    from cloudfiles.transport.concurrency.adaptive_width import WorkerShare

CANCEL_GRACE = 1.0
"""Seconds that a coroutine waits for cancelled work to clean up. Writes to local files are waited for longer."""

_POLL_INTERVAL = 0.02  # seconds

_KEEP_SECONDS = 0.05
"""Seconds for which a share in the workers of a server is kept although there are no calls."""


def hub_runtime() -> GreenRuntime:
    """The runtime of the engine's hub, which runs in a thread of its own beside the event loop."""
    return cast("GreenRuntime", background_runtime())


async def local_writes_finished(cancellation: Cancellation) -> None:
    """Wait until cancelled work has stopped writing to local files."""
    since = monotonic()
    while cancellation.has_file_operations(since):
        await asyncio.sleep(_POLL_INTERVAL)


class ConcurrencyLimiter:
    """Runs calls in the hub, a limited number at a time; further calls wait in order of arrival.

    Args:
        width: maximum number of concurrent calls; None for no limit.
        share_of: returns the share of these calls in the workers of their server, which sets the maximum instead.
    """

    def __init__(self, width: int | None = None, share_of: Callable[[Runtime], WorkerShare] | None = None) -> None:
        self._width = width
        self._share_of = share_of
        self._runtime: GreenRuntime | None = None
        # Used by the hub's thread only:
        self._running = 0
        self._waiting: deque[Job] = deque()
        self._share: WorkerShare | None = None
        self._adapt_at = 0.0
        self._wanted = 0  # calls that there were when the share was asked for
        self._timer: Any = None  # runs while the share is kept for further calls

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run `function(*args)`, which may block, in the hub and return its result.

        Cancelling the awaiting task cancels the call wherever it waits, and closes the connections that it uses.
        """
        return await self.submit(function, *args).outcome()

    def submit(self, function: Callable[..., Any], *args: Any) -> Job:
        """Start the same call and return a `Job`, whose `outcome()` can be awaited."""
        dispatcher = current_dispatcher()
        job = Job(self, dispatcher, function, args)
        dispatcher.batch(_send_to_hub, job)
        return job

    # ---- in the hub

    def enter(self, job: Job) -> None:
        if job.runtime is not self._runtime:  # the engine was closed since, which ended its calls
            self._leave_share()
            self._runtime, self._running, self._waiting, self._timer = job.runtime, 0, deque(), None
        self._waiting.append(job)
        self._start_waiting()

    def _start_waiting(self) -> None:
        import gevent

        self._adapt()
        while (job := self._next()) is not None:
            gevent.Greenlet.spawn(self._work, job)

    def _next(self) -> Job | None:
        """The next call that waits, if it may run now."""
        while self._waiting and (self._width is None or self._running < self._width):
            job = self._waiting.popleft()
            if not job.ended:
                self._running += 1
                return job
        return None

    def _work(self, job: Job) -> None:
        """Run this call, and others that wait, one after the other."""
        following: Job | None = job
        while following is not None:
            job = following
            job.run()
            if job.runtime is not self._runtime:
                return
            self._running -= 1
            if job.was_killed:  # another exception may be on its way to this greenlet
                self._start_waiting()
                break
            self._adapt()
            following = self._next()
            if self._waiting:
                self._start_waiting()  # the width may have grown
        if not self._running and self._share is not None:
            self._leave_soon(self._share)

    def _leave_soon(self, share: WorkerShare) -> None:
        """Leave the share if there are no further calls for a moment: to join it again costs as much as a request."""
        import gevent

        share.pause()
        if self._timer is None:
            self._timer = gevent.get_hub().loop.timer(_KEEP_SECONDS, ref=False)  # must not keep a hub from ending
            self._timer.start(self._leave_if_idle)

    def _leave_if_idle(self) -> None:
        self._timer.close()
        self._timer = None
        if not self._running:
            self._leave_share()

    def _adapt(self) -> None:
        """Ask how many calls may run: from time to time, and if there are more than when all of them could run."""
        if self._share_of is None or self._runtime is None:
            return
        now, wanted = monotonic(), self._running + len(self._waiting)
        all_could_run = self._width is not None and self._wanted <= self._width < wanted
        if now < self._adapt_at and not all_could_run:
            return
        self._share = self._share or self._share_of(self._runtime)
        self._width, self._wanted = self._share.workers(now, wanted), wanted
        self._adapt_at = now + self._share.interval

    def _leave_share(self) -> None:
        if self._share is not None:
            self._share.leave()
            self._share, self._adapt_at = None, 0.0


def _send_to_hub(jobs: list[Job]) -> None:
    """In the loop: have these jobs run."""
    jobs = [job for job in jobs if not job.ended]
    try:
        while True:
            runtime = hub_runtime()
            for job in jobs:
                job.runtime = runtime
            if runtime.post(_enter, jobs):
                return
    except BaseException as error:  # there can be no hub
        for job in jobs:
            job.settle(None, error)
        if not isinstance(error, Exception):
            raise


def _enter(jobs: list[Job]) -> None:
    """In the hub."""
    for job in jobs:
        if not job.ended:
            job.runtime.worker_groups.add(job)
            job.limiter.enter(job)


class Job:
    """One call in the hub.

    Attributes:
        limiter: decides when it runs.
        runtime: the runtime of that hub, once it was sent there.
        ended: whether the call has ended, or was cancelled before it started.
        was_killed: whether it was cancelled while it was running.
    """

    __slots__ = ("_args", "_cancellation", "_dispatcher", "_function", "_future", "_greenlet", "_is_given_up",
                 "ended", "limiter", "runtime", "was_killed")

    runtime: GreenRuntime

    def __init__(self, limiter: ConcurrencyLimiter, dispatcher: LoopDispatcher, function: Callable[..., Any],
                 args: tuple[Any, ...]) -> None:
        self.limiter = limiter
        self._dispatcher = dispatcher
        self._function = function
        self._args = args
        self._future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._greenlet: Any = None
        self._cancellation = Cancellation()
        self._is_given_up = False
        self.ended = False
        self.was_killed = False

    # ---- in the loop

    async def outcome(self) -> Any:
        """The function's result or exception. Cancelling the awaiting task cancels the job."""
        try:
            return await self._future
        except asyncio.CancelledError:
            if not self.ended:
                await self._stop()
            raise

    async def _stop(self) -> None:
        """Cancel the job and wait for its end: at most a second, or longer while it writes local files."""
        self._cancellation.cancel()
        self._is_given_up = True
        if not hasattr(self, "runtime"):  # not sent to the hub yet
            self.ended = True
            return
        self._future = asyncio.get_running_loop().create_future()
        self.runtime.post(self.kill)
        await asyncio.wait([self._future], timeout=CANCEL_GRACE)
        await local_writes_finished(self._cancellation)

    def settle(self, result: Any, error: BaseException | None) -> None:
        """The outcome is known."""
        if self._future.done():
            return  # cancelled meanwhile
        if error is None or self._is_given_up:  # asyncio would log an error that nobody awaits any more
            self._future.set_result(result)
        else:
            self._future.set_exception(error)

    # ---- in the hub

    def kill(self) -> None:
        """Raise Cancelled in the job wherever it waits; a job that has not started never will."""
        if self.ended:
            return
        if self._greenlet is None:
            self._end(None, Cancelled("cancelled before it started"))
        else:
            import gevent

            from cloudfiles.runtime.green import GreenCancelled

            self.was_killed = True
            gevent.killall([self._greenlet], GreenCancelled, block=False)

    def abandon(self) -> None:
        """The hub ends although the job has not."""
        self._end(None, Cancelled("stopped before it finished"))
        self._dispatcher.wake()

    def run(self) -> None:
        """In a greenlet: the call itself. Raises nothing."""
        if self.ended:
            return
        import gevent

        self._greenlet = gevent.getcurrent()
        result: Any = None
        error: BaseException | None = None
        try:
            with self._cancellation.current():
                result = self._function(*self._args)
        except Cancelled:
            error = Cancelled("stopped before it finished")
        except BaseException as failure:
            error = failure
        if not self.ended:
            self._end(result, error)

    def _end(self, result: Any, error: BaseException | None) -> None:
        self.ended = True
        self.runtime.worker_groups.discard(self)
        if is_exiting() and isinstance(error, Cancelled):
            return  # its loop is in a daemon thread
        if self._dispatcher.add(self.settle, result, error):
            _WakeUp(self._dispatcher, self.runtime)


class _WakeUp:
    """Wakes up an event loop at the end of this iteration of the hub, or when the hub is closed."""

    def __init__(self, dispatcher: LoopDispatcher, runtime: GreenRuntime) -> None:
        import gevent

        self._dispatcher = dispatcher
        self._runtime = runtime
        runtime.worker_groups.add(self)
        gevent.get_hub().loop.run_callback(self.kill)

    def kill(self) -> None:
        self._runtime.worker_groups.discard(self)
        self._dispatcher.wake()

    abandon = kill
