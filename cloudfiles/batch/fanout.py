"""Calls a function for many items in a group of workers: lazily, with bounded memory, in order.

`collect` returns all results in the order of the items; `stream` yields each one when it is ready. The workers take
items of collections themselves. Other iterables are iterated in the thread of the caller, where a user's generator
expects to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from cloudfiles.batch.batch_workers import ItemCounter as ItemCounter
from cloudfiles.batch.batch_workers import OnError as OnError
from cloudfiles.batch.batch_workers import Plan as Plan
from cloudfiles.batch.batch_workers import Work
from cloudfiles.batch.collect_batch import CollectBatch
from cloudfiles.batch.stream_batch import StreamBatch
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.hub_engine import close_after_interrupt


def collect(work: Work, items: Iterable[Any], plan: Plan, counter: ItemCounter | None = None) -> list[Any]:
    """`[work(item) for item in items]`, many at a time.

    counter: what is reported as done, instead of the number of items.

    Raises the first error, of `work` or of the iterable, after work in progress was cancelled. Items are taken from the
    iterable only as fast as they are processed.
    """
    batch = CollectBatch(work, plan, items, counter)
    with closing_after_interrupt(plan.runtime):
        if plan.runtime is None or (plan.probe and batch.probe()):
            batch.run_in_caller()
        else:
            batch.run_with(plan.runtime.worker_group())
    return batch.results


def stream(work: Work, items: Iterable[Any], plan: Plan, *, max_items: int, max_bytes: int,
           weigh: Callable[[Any], int]) -> Iterator[Any]:
    """Yield `work(item)` for each item when it is ready, while the work continues in the background.

    No new item is started while `max_items` are in progress or waiting to be consumed, or while results of `max_bytes`
    (by `weigh`) are waiting. Closing the iterator cancels work in progress.
    """
    batch = StreamBatch(work, plan, items, max_items, max_bytes, weigh)
    assert plan.runtime is not None
    with closing_after_interrupt(plan.runtime):
        yield from batch.run_with(plan.runtime.worker_group())


@contextmanager
def closing_after_interrupt(runtime: Runtime | None) -> Iterator[None]:
    """Close sockets and the engine's thread after a KeyboardInterrupt."""
    try:
        yield
    except KeyboardInterrupt:
        close_after_interrupt(runtime)
        raise
