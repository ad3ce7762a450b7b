"""A worker process: runs one task after the other, until its parent closes the pipe or ends."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import traceback
from contextlib import suppress
from typing import Any, BinaryIO

from cloudfiles.exceptions import CloudFilesError, WorkerError
from cloudfiles.workers import messages
from cloudfiles.workers.messages import Message
from cloudfiles.workers.process_state import apply_state
from cloudfiles.workers.shared_memory import MemoryReader, MemoryWriter

_LAST_SECONDS = 2.0
"""Seconds for the current task to clean up after the parent has ended."""


class WorkerTraceback(Exception):  # noqa: N818 -- displayed as the cause of an error
    """The traceback of an error in a worker process, as text."""


class TaskCancelled(Exception):  # noqa: N818
    """The task was cancelled."""


class Service:
    """The main thread runs tasks; another one reads requests, so that tasks are cancelled immediately."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO, memory: tuple[MemoryReader, MemoryWriter] | None
                 ) -> None:
        self._requests = requests
        self._replies = replies
        self._task_memory = None if memory is None else memory[0]
        self._result_memory = None if memory is None else memory[1]
        self._results_read = threading.Semaphore(1)
        self._tasks: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._current: int | None = None
        self._is_over = False
        self._main = threading.get_ident()

    def run(self) -> None:
        """Run tasks until the pipe is closed."""
        signal.signal(signal.SIGINT, self._interrupted)
        threading.Thread(target=self._read, name="cloudfiles-requests", daemon=True).start()
        with suppress(OSError):
            messages.send(self._replies, messages.READY)
            while (message := self._tasks.get()) is not None and not self._is_over:
                if message.kind == messages.PROCESS_STATE:
                    apply_state(pickle.loads(message.payload))
                else:
                    self._do(message)

    # ---- the reading thread

    def _read(self) -> None:
        while (message := messages.receive(self._requests)) is not None:
            if message.kind == messages.MEMORY_READ:
                self._results_read.release()
            elif message.kind == messages.CANCEL:
                self._give_up(message.number)
            else:
                self._tasks.put(message)
        self._is_over = True
        self._tasks.put(None)
        at_work = self._current
        if at_work is not None:
            self._give_up(at_work)
        threading.Event().wait(_LAST_SECONDS)
        os._exit(1)

    def _give_up(self, number: int) -> None:
        self._cancelled.add(number)
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(self._main, signal.SIGINT)  # interrupts its waits
        else:
            signal.raise_signal(signal.SIGINT)

    # ---- the main thread

    def _interrupted(self, number: int, frame: Any) -> None:
        """End the current task if it was cancelled. Any other SIGINT is ignored, such as that of Ctrl-C."""
        if self._current in self._cancelled:
            self._current = None
            raise KeyboardInterrupt

    def _do(self, task: Message) -> None:
        kind, value = self._outcome(task)
        self._cancelled.discard(task.number)
        if kind == messages.ERROR:
            messages.send(self._replies, kind, task.number, [pickled_error(value)])
        elif self._result_memory is None:
            self._send_through_pipe(task.number, value)
        else:
            self._send_in_memory(task.number, value, self._result_memory)

    def _outcome(self, task: Message) -> tuple[int, Any]:
        try:
            function, args = self._unpickled(task)
            try:
                self._current = task.number
                if task.number in self._cancelled:
                    raise KeyboardInterrupt
                return messages.RESULT, function(*args)
            finally:
                self._current = None
        except KeyboardInterrupt:
            return messages.ERROR, TaskCancelled()
        except BaseException as error:
            return messages.ERROR, error

    def _unpickled(self, task: Message) -> Any:
        if task.kind == messages.TASK:
            return pickle.loads(task.payload)
        assert self._task_memory is not None
        try:
            return self._task_memory.load(task.length)
        finally:
            messages.send(self._replies, messages.MEMORY_READ)

    def _send_through_pipe(self, number: int, value: Any) -> None:
        try:
            kind, payload = messages.RESULT, pickle.dumps(value, 5)
        except Exception as error:
            kind, payload = messages.ERROR, pickled_error(error)
        messages.send(self._replies, kind, number, [payload])

    def _send_in_memory(self, number: int, value: Any, memory: MemoryWriter) -> None:
        self._results_read.acquire()
        try:
            memory.start()
            pickle.Pickler(memory, 5).dump(value)
        except Exception as error:
            self._results_read.release()
            messages.send(self._replies, messages.ERROR, number, [pickled_error(error)])
            return
        messages.send(self._replies, messages.RESULT_IN_MEMORY, number, length=memory.length)


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
