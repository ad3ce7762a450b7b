"""An executor on the worker processes of this process, which all its batches and threads share."""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from cloudfiles.workers import messages
from cloudfiles.workers.worker_process import Task, WorkerProcess

_GRACE_SECONDS = 3.0
"""Seconds that cancelled tasks have to end before their processes are killed."""

_workers: list[WorkerProcess] = []
_numbers = itertools.count(1)
_lock = threading.Lock()


class WorkerExecutor(Executor):
    """Runs the tasks of one batch on some of the worker processes: those with the fewest tasks.

    overlapping: each process runs two of the tasks at the same time, so that it does not wait for the last items of one
        before it starts with the next.
    """

    def __init__(self, width: int, overlapping: bool = False) -> None:
        self._tasks: dict[Task, WorkerProcess] = {}
        self._batch = next(_numbers) if overlapping else 0
        with _lock:
            while len(_workers) < width:
                _workers.append(WorkerProcess())
            self._members = sorted(_workers, key=lambda worker: (worker.load, not worker.is_running))[:width]

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Have a worker call `function(*args)`, which must be importable there."""
        return self.submit_named(getattr(function, "__name__", repr(function)), function, *args, **options)

    def submit_named(self, what: str, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """As `submit`. what: describes the task in the error if the worker dies."""
        task = Task(messages.dumps((_call, (function, args, options)) if options else (function, args)), what,
                    self._batch)
        worker = min(self._members, key=lambda worker: worker.load)
        self._tasks[task] = worker
        task.future.add_done_callback(lambda _: self._tasks.pop(task, None))
        worker.submit(task)
        return task.future

    def cancel(self) -> None:
        """Cancel unfinished tasks, and wait until none of them runs any more."""
        left = dict(self._tasks)
        for worker in set(left.values()):
            worker.cancel({task for task, by in left.items() if by is worker})
        deadline = time.monotonic() + _GRACE_SECONDS
        for task, worker in left.items():
            if not _is_over(task.future, max(0.0, deadline - time.monotonic())):
                worker.kill_if_at(task)
                _is_over(task.future, _GRACE_SECONDS)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Does not stop the workers, which other batches share."""
        if cancel_futures:
            self.cancel()


def _call(function: Callable[..., Any], args: Any, options: dict[str, Any]) -> Any:
    return function(*args, **options)


def _is_over(future: Future[Any], timeout: float) -> bool:
    over = threading.Event()
    future.add_done_callback(lambda _: over.set())
    return over.wait(timeout)


def close_workers(only_idle: bool = False) -> None:
    """End the worker processes; the next batch starts new ones. Tasks in progress are aborted.

    only_idle: keep workers that are busy.
    """
    with _lock:
        closed = [worker for worker in _workers if not (only_idle and worker.load)]
    for worker in closed:
        worker.close()
    for worker in closed:
        worker.join()


def _at_exit() -> None:
    WorkerProcess.is_exiting = True
    close_workers()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()
    for worker in _workers:
        worker.forget()
    _workers.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
