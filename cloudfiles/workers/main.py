"""A worker process: runs tasks until its parent closes the pipe or ends."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from cloudfiles.exceptions import CloudFilesError, WorkerError
from cloudfiles.runtime.cancellation import Cancellation, Cancelled
from cloudfiles.workers import messages
from cloudfiles.workers.messages import Message
from cloudfiles.workers.process_state import apply_state
from cloudfiles.workers.shared_memory import MemoryReader, MemoryWriter

_LAST_SECONDS = 2.0
"""Seconds for tasks to clean up after the parent has ended."""

MAX_RUNNING = 2
"""Tasks of one batch that run at the same time."""


class WorkerTraceback(Exception):  # noqa: N818 -- displayed as the cause of an error
    """The traceback of an error in a worker process, as text."""


class TaskCancelled(Exception):  # noqa: N818
    """The task was cancelled."""


class Service:
    """Runs each task in a thread, two tasks of a batch at a time: the second one begins while the first one ends.

    The main thread starts them; another one reads requests, so that tasks are cancelled immediately.
    """

    def __init__(self, requests: BinaryIO, replies: BinaryIO, memory: tuple[MemoryReader, MemoryWriter] | None
                 ) -> None:
        self._requests = requests
        self._replies = replies
        self._replying = threading.Lock()
        self._task_memory = None if memory is None else memory[0]
        self._result_memory = None if memory is None else memory[1]
        self._results_read = threading.Semaphore(1)
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._changed = threading.Condition()  # guards the three below
        self._running: dict[int, Cancellation] = {}
        self._batch = 0  # of the running tasks
        self._cancelled: set[int] = set()
        self._is_over = False

    def run(self) -> None:
        """Run tasks until the pipe is closed."""
        signal.signal(signal.SIGINT, _ignore)  # Ctrl-C is for the parent
        threading.Thread(target=self._read, name="cloudfiles-requests", daemon=True).start()
        self._reply(messages.READY)
        while (message := self._queue.get()) is not None and not self._is_over:
            if message.kind == messages.PROCESS_STATE:
                self._wait_until(lambda: not self._running)
                apply_state(pickle.loads(message.payload))
            else:
                self._start(message)
        self._wait_until(lambda: not self._running)

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(condition)

    def _reply(self, kind: int, number: int = 0, payload: messages.Pieces | None = None, length: int = 0) -> None:
        with suppress(OSError), self._replying:  # the parent has ended
            messages.send(self._replies, kind, number, payload, length)

    # ---- the reading thread

    def _read(self) -> None:
        while (message := messages.receive(self._requests)) is not None:
            if message.kind == messages.MEMORY_READ:
                self._results_read.release()
            elif message.kind == messages.CANCEL:
                self._cancel(message.number)
            else:
                self._queue.put(message)
        self._is_over = True
        for number in list(self._running):
            self._cancel(number)
        self._queue.put(None)
        threading.Event().wait(_LAST_SECONDS)
        os._exit(1)

    def _cancel(self, number: int) -> None:
        with self._changed:
            self._cancelled.add(number)
            cancellation = self._running.get(number)
        if cancellation is not None:
            cancellation.cancel()

    # ---- the main thread

    def _start(self, message: Message) -> None:
        """Start the task as soon as those that are running allow it."""
        batch = message.batch
        self._wait_until(lambda: not self._running or (0 < batch == self._batch and len(self._running) < MAX_RUNNING))
        cancellation = Cancellation()
        with self._changed:
            self._batch = batch
            self._running[message.number] = cancellation
            if message.number in self._cancelled or self._is_over:
                cancellation.cancel()
        try:
            function, args = self._unpickled(message)
        except BaseException as error:
            self._finish(message.number, messages.ERROR, error)
            return
        threading.Thread(target=self._do, args=(message.number, cancellation, function, args), daemon=True,
                         name="cloudfiles-task").start()

    def _unpickled(self, task: Message) -> Any:
        if task.kind == messages.TASK:
            return pickle.loads(task.payload)
        assert self._task_memory is not None
        try:
            return self._task_memory.load(task.length)
        finally:
            self._reply(messages.MEMORY_READ)

    # ---- the thread of a task

    def _do(self, number: int, cancellation: Cancellation, function: Callable[..., Any], args: Any) -> None:
        value: Any
        try:
            cancellation.check()
            with cancellation.current():
                kind, value = messages.RESULT, function(*args)
        except Cancelled:
            kind, value = messages.ERROR, TaskCancelled()
        except BaseException as error:
            kind, value = messages.ERROR, error
        self._finish(number, kind, value)

    def _finish(self, number: int, kind: int, value: Any) -> None:
        """Send the outcome. Then another task may begin: the parent relies on it that the others have not."""
        if kind == messages.ERROR:
            self._reply(kind, number, [pickled_error(value)])
        elif self._result_memory is None:
            self._send_through_pipe(number, value)
        else:
            self._send_in_memory(number, value, self._result_memory)
        with self._changed:
            del self._running[number]
            self._cancelled.discard(number)
            self._changed.notify_all()

    def _send_through_pipe(self, number: int, value: Any) -> None:
        try:
            kind, payload = messages.RESULT, pickle.dumps(value, 5)
        except Exception as error:
            kind, payload = messages.ERROR, pickled_error(error)
        self._reply(kind, number, [payload])

    def _send_in_memory(self, number: int, value: Any, memory: MemoryWriter) -> None:
        self._results_read.acquire()
        try:
            memory.start()
            pickle.Pickler(memory, 5).dump(value)
        except Exception as error:
            self._results_read.release()
            self._reply(messages.ERROR, number, [pickled_error(error)])
            return
        self._reply(messages.RESULT_IN_MEMORY, number, length=memory.length)


def _ignore(number: int, frame: Any) -> None:
    pass


def pickled_error(error: BaseException) -> bytes:
    """`error`, or a WorkerError if it cannot be pickled; with its traceback, unless it is a CloudFilesError."""
    trace = None
    if not isinstance(error, CloudFilesError | TaskCancelled):
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        pickled = pickle.dumps((error, trace), 5)
        pickle.loads(pickled)
    except Exception:
        pickled = pickle.dumps((WorkerError(f"{type(error).__name__} in a worker process: {error}"), trace), 5)
    return pickled


def main(memory: tuple[int, int] | None) -> None:
    """Run a worker process. memory: the descriptors of the memory for tasks and for results."""
    requests = open(os.dup(0), "rb", buffering=0)  # noqa: SIM115 -- they live as long as the process
    replies = open(os.dup(1), "wb", buffering=0)  # noqa: SIM115
    shared = None if memory is None else (MemoryReader(memory[0]), MemoryWriter(memory[1]))
    _detach_standard_streams()
    Service(requests, replies, shared).run()
    os._exit(0)


def _detach_standard_streams() -> None:
    """Redirect standard output to standard error, as the pipes carry messages only."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # there is no standard error
        os.dup2(nothing, 1)
    os.close(nothing)
