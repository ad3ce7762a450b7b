"""A batch over many processes: its chunks go to an executor, each run there by an ordinary batch.

The executor is the pool of worker processes of our own (`workers/`), or any `concurrent.futures.Executor`.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from cloudfiles.batch.store import checked_count
from cloudfiles.exceptions import InvalidInputError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

Parallel: TypeAlias = "int | bool | Executor"

_CHUNK = 1000
"""Items of a chunk of unknown many: a second or so of work, so that the hand-over is lost in it."""

_CHUNKS_EACH = 4
"""Chunks a process gets of a batch of known length: the last ones to finish wait less for each other."""

_FIRST = 128
"""Items of the chunks that are handed out before it is known how much an item brings."""

_CHUNK_BYTES = 8 << 20
"""Contents of a chunk that has many: they are handed over while they are still in the processor's caches."""

_MANY = 32
"""Items that a chunk has all the same, so that a process has enough to do at once, while they are ..."""

_MOST_BYTES = 64 << 20
"""... not more than this: a chunk is in memory twice."""


def is_executor(parallel: Any) -> bool:
    """Whether it is an executor, and no number. Nothing is loaded to tell a number."""
    if isinstance(parallel, int):
        return False
    from concurrent.futures import Executor

    return isinstance(parallel, Executor)


def processes(parallel: Parallel) -> int:
    """How many processes `parallel` stands for: a number, 0 or True for all cores that this process may use; 1 is this
    process alone."""
    if parallel is True or (parallel == 0 and parallel is not False):
        return _cores()
    return checked_count("parallel", 1 if parallel is False else parallel)


def _cores() -> int:
    """Those of the machine may be more: batch systems give a job a few of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_parallel(parallel: Parallel | None) -> bool:
    """Whether the work leaves this process."""
    return parallel is not None and (is_executor(parallel) or processes(parallel) > 1)


def close_workers(only_idle: bool = False) -> None:
    """End the worker processes that `parallel=` has started. The next batch that needs workers starts new ones.

    Tasks in progress are aborted. only_idle: keep workers that are busy.
    """
    if "cloudfiles.workers.executor" in sys.modules:
        from cloudfiles.workers import executor

        executor.close_workers(only_idle)


def reset_connection_pools() -> None:
    """Close all idle connections and idle worker processes of the process. New ones are created when needed."""
    if "cloudfiles.transport.client" in sys.modules:  # else there are none
        from cloudfiles.transport.client import close_clients

        close_clients()
    close_workers(only_idle=True)


def run(target: Any, verb: str, items: Iterable[Any], options: dict[str, Any], parallel: Parallel,
        report: Callable[[int], Any], *, strip: Callable[[Any], Any] | None = None,
        weigh: Callable[[Any], int] | None = None, weigh_result: Callable[[Any], int] | None = None
        ) -> Iterator[tuple[list[Any], Any]]:
    """Each chunk of `items`, and what `target.verb(chunk, **options)` gave for it, in order.

    report: called with the number of items of each chunk that is done.
    strip: what of an item is handed over; the chunks that are given have the items themselves.
    weigh, weigh_result: bytes of an item, and of what came of a chunk, by which chunks are made smaller.
    Raises the first error of a chunk; chunks not yet begun are then cancelled.
    """
    width = _width(parallel, items)
    chunks = _Chunks(items, width, weigh)
    with _submitting(parallel, width, target, verb, options) as submit:
        under_way: deque[tuple[Future[Any], list[Any]]] = deque()

        def finished() -> tuple[list[Any], Any]:
            future, chunk = under_way.popleft()
            result = future.result()
            report(len(chunk))
            if weigh_result is not None:
                chunks.learn(len(chunk), weigh_result(result))
            return chunk, result

        try:
            for chunk in chunks:
                under_way.append((submit(chunk if strip is None else [strip(item) for item in chunk]), chunk))
                if len(under_way) > 2 * width:
                    yield finished()
            while under_way:
                yield finished()
        except BaseException:
            for future, _ in under_way:
                future.cancel()
            raise


def _width(parallel: Parallel, items: Iterable[Any]) -> int:
    """Chunks that may be worked on at once."""
    width = _cores() if is_executor(parallel) else processes(parallel)
    return max(1, min(width, len(items))) if isinstance(items, Collection) else width


class _Chunks:
    """Items in lists of a size that suits their number, and what is learnt of the bytes that they bring."""

    def __init__(self, items: Iterable[Any], width: int, weigh: Callable[[Any], int] | None) -> None:
        self._source = iter(items)
        self._weigh = weigh
        self._most = _CHUNK
        if isinstance(items, Collection):
            self._most = max(1, min(_CHUNK, -(-len(items) // (width * _CHUNKS_EACH))))
        self._size = min(self._most, _FIRST)
        self._items = 0
        self._bytes = 0

    def learn(self, count: int, size: int) -> None:
        """So many items have brought so many bytes."""
        self._items += count
        self._bytes += size
        mean = max(1, self._bytes // self._items)
        self._size = max(1, min(self._most, max(_CHUNK_BYTES // mean, min(_MANY, _MOST_BYTES // mean))))

    def __iter__(self) -> Iterator[list[Any]]:
        while chunk := self._next():
            yield chunk

    def _next(self) -> list[Any]:
        chunk: list[Any] = []
        size = 0
        for item in self._source:
            chunk.append(item)
            size += 0 if self._weigh is None else self._weigh(item)
            if len(chunk) >= (self._size if self._weigh is None else self._most) or size >= _CHUNK_BYTES:
                break
        return chunk


@contextmanager
def _submitting(parallel: Parallel, width: int, target: Any, verb: str, options: dict[str, Any]
                ) -> Iterator[Callable[[list[Any]], Future[Any]]]:
    """What hands a chunk over."""
    if not isinstance(parallel, int):
        yield lambda chunk: parallel.submit(_work, target, verb, chunk, options)
        return
    from cloudfiles.workers.executor import WorkerExecutor
    from cloudfiles.workers.messages import Prepared

    team, prepared = WorkerExecutor(width), Prepared(target)
    try:
        yield lambda chunk: team.submit_named(_described(target, verb, chunk), _work, prepared, verb, chunk, options)
    except BaseException:
        team.cancel()
        raise


def _work(target: Any, verb: str, chunk: list[Any], options: dict[str, Any]) -> Any:
    """In another process, or thread."""
    return getattr(target, verb)(chunk, parallel=1, progress=False, **options)


_USERS_NAMES = {"_get_columns": "get", "_puts": "puts", "copy_objects": "transfer"}


def _described(target: Any, verb: str, chunk: list[Any]) -> str:
    """What is done, for whoever asks what a worker was at when it died."""
    names = [item if isinstance(item, str) else getattr(item, "path", getattr(item, "source", "?"))
             for item in (chunk[0], chunk[-1])]
    of = f"{names[0]!r}" if len(chunk) == 1 else f"{len(chunk)} items, {names[0]!r} to {names[1]!r},"
    return f"'{_USERS_NAMES.get(verb, verb)}' of {of} of {target!r}"


def check_sendable(upload: Any) -> Any:
    """`upload`, with its content as it can be sent to another process. Raises InvalidInputError for an open file."""
    if callable(getattr(upload.content, "read", None)):
        raise InvalidInputError("an open file cannot be sent to another process; pass its content, or use parallel=1",
                                path=upload.path)
    if not isinstance(upload.content, bytes | bytearray):
        upload.content = bytes(upload.content)
    return upload
