"""A batch over many processes: its chunks go to an executor, each run there by an ordinary batch.

The executor is one of our own (processes are spawned, never forked: a fork copies locks and
sockets in whatever state they are) or any `concurrent.futures.Executor`.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.store import accept_handed_in, checked_count, handed_in

Parallel = int | bool | Executor

_CHUNK = 1000
"""Items of a chunk of unknown many: a second or so of work, so that the hand-over is lost in it."""

_CHUNKS_EACH = 4
"""Chunks a process gets of a batch of known length: the last ones to finish wait less for each other."""


def processes(parallel: Parallel) -> int:
    """How many processes `parallel` stands for: a number, 0 or True for all cores; 1 is this process alone."""
    if parallel is True or parallel == 0:
        return os.cpu_count() or 1
    return checked_count("parallel", 1 if parallel is False else parallel)


def is_parallel(parallel: Parallel | None) -> bool:
    """Whether the work leaves this process."""
    return parallel is not None and (isinstance(parallel, Executor) or processes(parallel) > 1)


def run(cloudfiles: Any, verb: str, items: Iterable[Any], options: dict[str, Any], parallel: Parallel,
        report: Callable[[int], Any]) -> Iterator[Any]:
    """What `cloudfiles.verb(chunk, **options)` gives for each chunk of `items`, in order.

    report: called with the number of items of each chunk that is done.
    Raises the first error of a chunk; chunks not yet begun are then cancelled.
    """
    cloudfiles._store.sendable_options()  # makes its secrets known before the processes are told of all there are
    with _executor(parallel) as (executor, width):
        under_way: deque[tuple[Future[Any], int]] = deque()
        try:
            for chunk in _chunks(items, width):
                under_way.append((executor.submit(_work, cloudfiles, verb, chunk, options), len(chunk)))
                if len(under_way) > 2 * width:
                    yield _finish(under_way, report)
            while under_way:
                yield _finish(under_way, report)
        except BaseException:
            for future, _ in under_way:
                future.cancel()
            raise


def _finish(under_way: deque[tuple[Future[Any], int]], report: Callable[[int], Any]) -> Any:
    future, count = under_way.popleft()
    result = future.result()
    report(count)
    return result


def _work(cloudfiles: Any, verb: str, chunk: list[Any], options: dict[str, Any]) -> Any:
    with _interruption.of_work():
        return getattr(cloudfiles, verb)(chunk, parallel=1, progress=False, **options)


class _Interruption:
    """In a worker process: Ctrl-C ends the chunk at work, and those the process had been handed in advance.

    Between chunks it only leaves word: the executor's own loop would end with a traceback on the screen.
    """

    def __init__(self) -> None:
        self._has_come = False
        self._is_working = False

    def listen(self) -> None:
        signal.signal(signal.SIGINT, self._come)

    def _come(self, number: int, frame: Any) -> None:
        self._has_come = True
        if self._is_working:
            raise KeyboardInterrupt

    @contextmanager
    def of_work(self) -> Iterator[None]:
        self._is_working = True
        try:
            if self._has_come:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_working = False


_interruption = _Interruption()


def _chunks(items: Iterable[Any], width: int) -> Iterator[list[Any]]:
    size = _CHUNK
    if isinstance(items, Collection):
        size = max(1, min(_CHUNK, -(-len(items) // (width * _CHUNKS_EACH))))
    source = iter(items)
    while chunk := list(itertools.islice(source, size)):
        yield chunk


@contextmanager
def _executor(parallel: Parallel) -> Iterator[tuple[Executor, int]]:
    """The executor, and how many chunks it may work on at once."""
    if isinstance(parallel, Executor):
        yield parallel, os.cpu_count() or 1
        return
    width = processes(parallel)
    context = multiprocessing.get_context("spawn")
    pids: Any = context.SimpleQueue()
    pool = ProcessPoolExecutor(width, mp_context=context, initializer=_begin, initargs=(handed_in(), pids))
    try:
        yield pool, width
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        _interrupt(pids)
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        pids.close()


def _begin(secrets: dict[str, Any], pids: Any) -> None:
    """In a new worker process."""
    accept_handed_in(secrets)
    _interruption.listen()
    pids.put(os.getpid())


def _interrupt(pids: Any) -> None:
    """Let the workers give up what they are at, and clean up after themselves, as Ctrl-C would."""
    while not pids.empty():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pids.get(), signal.SIGINT)


def check_sendable(upload: Any) -> Any:
    """`upload`, if its content can be sent to another process. Raises InvalidInputError for an open file."""
    if callable(getattr(upload.content, "read", None)):
        raise InvalidInputError("an open file cannot be sent to another process; read it, or use parallel=1",
                                path=upload.path)
    return upload
