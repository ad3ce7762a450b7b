"""Runs a batch in several processes: its chunks are submitted to an executor, and each is an ordinary batch there.

The executor is that of cloudfiles' own worker processes (`workers/`), or any `concurrent.futures.Executor`.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.option_checks import checked_count
from cloudfiles.runtime.memory import available_memory

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

Parallel: TypeAlias = "int | bool | Executor"

_CHUNK = 1000
"""Items of a chunk if their total is unknown: about a second of work, so that passing it on hardly matters."""

_CHUNKS_EACH = 4
"""Chunks per process of a batch of known length, so that processes finish at about the same time."""

_FIRST = 128
"""Items of the first chunks, before the size of their results is known."""

_CHUNK_BYTES = 8 << 20
"""Bytes of contents in a chunk of many items: few enough for the processor's caches."""

_MANY = 32
"""Minimum number of items of a chunk, so that a process has enough to do concurrently."""

_MOST_BYTES = 64 << 20
"""Maximum bytes of a chunk, even if it then has fewer items: it is in memory twice."""

_PROCESS_BYTES = 200 << 20
"""Memory of a process with its chunks."""

_MAX_PER_CORE = 32
_ALLOWED_ANYWHERE = 256
"""Maximum number of processes: so many per core, or so many if that is more. Each takes memory and descriptors."""


def is_executor(parallel: Any) -> bool:
    """Whether it is an executor and not a number. Imports nothing for numbers."""
    if isinstance(parallel, int):
        return False
    from concurrent.futures import Executor

    return isinstance(parallel, Executor)


def processes(parallel: Parallel) -> int:
    """The number of processes: `parallel` itself; for 0 or True one for each core that this process may use, as far as
    they fit into memory; 1 for this process only. Raises InvalidInputError if it is not a number, or too many."""
    if parallel is True or (parallel == 0 and parallel is not False):
        memory = available_memory()
        return _cores() if memory is None else max(1, min(_cores(), memory // _PROCESS_BYTES))
    count = checked_count("parallel", 1 if parallel is False else parallel)
    if count > 1 and count > (most := max(_ALLOWED_ANYWHERE, _MAX_PER_CORE * _cores())):
        raise InvalidInputError(f"parallel: expected at most {most} processes for {_cores()} cores, got {count}")
    return count


def checked_parallel(parallel: Any) -> Parallel:
    """An executor, or the number of processes as an int. Raises InvalidInputError for anything else."""
    if isinstance(parallel, bool) or is_executor(parallel):
        return cast("Parallel", parallel)
    processes(parallel)
    return int(parallel)


def _cores() -> int:
    """The cores that this process may use: batch systems assign some of the machine's cores to a job."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_parallel(parallel: Parallel | None) -> bool:
    """Whether the work is done in other processes."""
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
    if "cloudfiles.transport.client" in sys.modules:  # else there are no connections
        from cloudfiles.transport.client import close_clients

        close_clients()
    close_workers(only_idle=True)


def run(target: Any, verb: str, items: Iterable[Any], options: dict[str, Any], parallel: Parallel,
        report: Callable[[int], Any], *, overlapping: bool = False,
        pack: Callable[[list[Any]], list[Any]] | None = None, weigh: Callable[[Any], int] | None = None,
        weigh_result: Callable[[Any], int] | None = None) -> Iterator[tuple[list[Any], Any]]:
    """Yield each chunk of `items` and the result of `target.verb(chunk, **options)`, in order.

    report: called with the number of items of each finished chunk.
    overlapping: a worker process begins with a chunk before it has finished the one before.
    pack: reduces a chunk to what is sent; those that are yielded have the original items.
    weigh, weigh_result: bytes of an item, and of a chunk's result; they limit the size of chunks.

    Raises the first error of a chunk; chunks that were not started are cancelled.
    """
    width = _width(parallel, items)
    chunks = _Chunks(items, width, weigh)
    with _submitting(parallel, width, target, verb, options, overlapping) as submit:
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
                under_way.append((submit(chunk if pack is None else pack(chunk)), chunk))
                if len(under_way) > (3 if overlapping else 2) * width:
                    yield finished()
            while under_way:
                yield finished()
        except BaseException:
            for future, _ in under_way:
                future.cancel()
            raise


def _width(parallel: Parallel, items: Iterable[Any]) -> int:
    """Number of concurrent chunks."""
    width = _cores() if is_executor(parallel) else processes(parallel)
    return max(1, min(width, len(items))) if isinstance(items, Collection) else width


class _Chunks:
    """Splits items into lists, whose length is adapted to the number of items and the size of their results."""

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
        """Adapt the length of chunks: the results of `count` items had `size` bytes."""
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
def _submitting(parallel: Parallel, width: int, target: Any, verb: str, options: dict[str, Any], overlapping: bool
                ) -> Iterator[Callable[[list[Any]], Future[Any]]]:
    """A function that submits a chunk."""
    if not isinstance(parallel, int):
        yield lambda chunk: parallel.submit(_work, target, verb, chunk, options)
        return
    from cloudfiles.workers.executor import WorkerExecutor
    from cloudfiles.workers.messages import Prepared

    team, prepared = WorkerExecutor(width, overlapping), Prepared(target)
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
    """The task in words, for the error of a worker that dies."""
    names = [item if isinstance(item, str) else getattr(item, "path", getattr(item, "source", "?"))
             for item in (chunk[0], chunk[-1])]
    of = f"{names[0]!r}" if len(chunk) == 1 else f"{len(chunk)} items, {names[0]!r} to {names[1]!r},"
    return f"'{_USERS_NAMES.get(verb, verb)}' of {of} of {target!r}"


def check_sendable(upload: Any) -> Any:
    """The item with content that can be sent to another process. Raises InvalidInputError for an open file."""
    if callable(getattr(upload.content, "read", None)):
        raise InvalidInputError("an open file cannot be sent to another process; pass its content, or use parallel=1",
                                path=upload.path)
    if not isinstance(upload.content, bytes | bytearray):
        upload.content = bytes(upload.content)
    return upload
