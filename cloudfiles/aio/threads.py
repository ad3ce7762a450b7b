"""Work that waits for no network, awaited: on a few threads that stay."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from time import monotonic
from typing import Any

from cloudfiles.aio.lanes import GRACE, settled
from cloudfiles.runtime.cancellation import Cancellation, Cancelled

_WIDTH = 8
"""Threads: enough to keep a network file system busy, few enough not to be noticed."""

_PIECE = 100
_PATIENCE = 0.005
"""Items, and seconds, after which what an iterator has given so far is handed on."""

_pool: ThreadPoolExecutor | None = None


def pool() -> Executor:
    """The process's threads for this."""
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(_WIDTH, thread_name_prefix="cloudfiles-aio")
    return _pool


def _after_fork_in_child() -> None:
    global _pool
    _pool = None  # its threads stayed with the parent


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


@contextmanager
def thread_of_its_own() -> Iterator[Executor]:
    """For work that waits for the loop, and must not keep others from a thread of the pool meanwhile."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="cloudfiles-aio-fed")
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


async def in_thread(executor: Executor, function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` on a thread. When the awaiting task is cancelled, batches and sleeps in it are given up."""
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
            await _ended(future)
            await settled(cancellation)
        raise


async def _ended(future: Future[Any]) -> None:
    """Wait for the end of what was cancelled, a second at most."""
    with suppress(asyncio.TimeoutError, Cancelled, Exception):
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), GRACE)


async def over(executor: Executor, items: Iterable[Any]) -> AsyncGenerator[Any, None]:
    """The items of an iterable that may block, taken on a thread, some at a time."""
    iterator = iter(items)
    try:
        while taken := await in_thread(executor, _take, iterator):
            for item in taken:
                yield item
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            with suppress(ValueError):  # a thread is in it still, and was told to give up
                close()


def _take(iterator: Iterator[Any]) -> list[Any]:
    """The next items: one at least, then as many as come soon. None at the end."""
    taken = list(islice(iterator, 1))
    until = monotonic() + _PATIENCE
    while taken and len(taken) < _PIECE and monotonic() < until:
        more = list(islice(iterator, 1))
        if not more:
            break
        taken += more
    return taken
