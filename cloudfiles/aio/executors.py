"""Blocking work that does not wait for a network (local files, memory), awaited: it runs on a few threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from time import monotonic
from typing import Any

from cloudfiles.aio.concurrency_limiter import CANCEL_GRACE, local_writes_finished
from cloudfiles.runtime.cancellation import Cancellation, Cancelled

_WIDTH = 8
"""Threads of the shared pool: enough to keep a network file system busy."""

_CHUNK_ITEMS = 100
_CHUNK_SECONDS = 0.005
"""Items of an iterator are passed on after this many items or seconds."""

_pool: ThreadPoolExecutor | None = None


def pool() -> Executor:
    """The shared thread pool of this process."""
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(_WIDTH, thread_name_prefix="cloudfiles-aio")
    return _pool


def _after_fork_in_child() -> None:
    global _pool
    _pool = None  # its threads do not exist in the child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


@contextmanager
def dedicated_thread() -> Iterator[Executor]:
    """An executor with one thread of its own, for work that may wait for the loop and would block the shared pool."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="cloudfiles-aio-fed")
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


async def run_cancellable(executor: Executor, function: Callable[..., Any], *args: Any) -> Any:
    """Run `function(*args)` in a thread. Cancelling the awaiting task cancels batches and sleeps in it."""
    cancellation = Cancellation()

    def work() -> Any:
        with cancellation.current():
            return function(*args)

    future: Future[Any] = executor.submit(work)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        cancellation.cancel()
        if not future.cancel():
            await _end_of(future)
            await local_writes_finished(cancellation)
        raise


async def _end_of(future: Future[Any]) -> None:
    """Wait at most a second for the end of cancelled work."""
    with suppress(asyncio.TimeoutError, Cancelled, Exception):
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), CANCEL_GRACE)


async def iterate_in_thread(executor: Executor, items: Iterable[Any]) -> AsyncGenerator[Any, None]:
    """The items of an iterable that may block: it is iterated over on a thread, several items at a time."""
    iterator = iter(items)
    try:
        while taken := await run_cancellable(executor, _take, iterator):
            for item in taken:
                yield item
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            with suppress(ValueError):  # it is still running in the thread, which was cancelled
                close()


def _take(iterator: Iterator[Any]) -> list[Any]:
    """The next items: at least one, and those that follow soon; empty at the end."""
    taken = list(islice(iterator, 1))
    until = monotonic() + _CHUNK_SECONDS
    while taken and len(taken) < _CHUNK_ITEMS and monotonic() < until:
        more = list(islice(iterator, 1))
        if not more:
            break
        taken += more
    return taken
