"""A worker process, as seen by its parent: its tasks, and the process that runs them."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from cloudfiles.exceptions import WorkerError
from cloudfiles.workers import messages
from cloudfiles.workers.launch import start
from cloudfiles.workers.main import MAX_RUNNING, TaskCancelled, WorkerTraceback
from cloudfiles.workers.messages import Message, Pieces
from cloudfiles.workers.process_state import ProcessState, current_state
from cloudfiles.workers.shared_memory import MemoryReader, MemoryWriter, new_memory

_MAX_SENT = MAX_RUNNING + 1
"""Tasks that are sent to a process: those that run and the next, so that it never waits for this process."""

_GRACE_SECONDS = 3.0
"""Seconds that a process has to end, or to cancel a task."""

_LARGE_TASK = 64 * 1024
"""Bytes from which a task is sent in shared memory: a pipe copies twice, and needs a system call for each content."""

IDLE_SECONDS = 60.0
"""Seconds after its last task at which a process is ended, to free its memory."""


@dataclass(eq=False)
class Task:
    """A function call.

    Attributes:
        pickled: function and arguments.
        what: describes the task in the error if the process dies.
        batch: two tasks of one batch may run at the same time; 0: it runs alone.
        number: identifies it in messages; 0 before it is sent.
    """

    pickled: Pieces
    what: str
    batch: int = 0
    future: Future[Any] = field(default_factory=Future)
    number: int = 0


class _Child:
    """A running process and the pipes to it."""

    def __init__(self, state: ProcessState) -> None:
        memory = new_memory()
        self._memory = None if memory is None else (MemoryWriter(memory[0]), MemoryReader(memory[1]))
        try:
            self.child = start(state, memory)
        except BaseException:
            self.close_memory()
            raise
        self.state_sent: ProcessState | None = None
        self.is_ready = False
        self.writing = threading.Lock()
        self._has_read_task = True

    def send(self, kind: int, number: int = 0, payload: Pieces | None = None, length: int = 0, batch: int = 0) -> None:
        """Raises no error: the thread that reads the replies notices when the process has ended."""
        assert self.child.stdin is not None
        with suppress(OSError, ValueError), self.killing_on_interrupt(), self.writing:
            messages.send(self.child.stdin, kind, number, payload, length, batch)

    @contextmanager
    def killing_on_interrupt(self) -> Iterator[None]:
        """A block that sends something: a Ctrl-C in it kills the process, which may have received a part of a message,
        or nothing of a task that it is expected to reply to."""
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self.child.kill()
            raise

    def can_send(self, task: Task) -> bool:
        """Whether the task can be sent now: a large one only after the process has read the one before."""
        return self._has_read_task or not self._uses_memory(task)

    def send_task(self, task: Task) -> None:
        if self._memory is None or not self._uses_memory(task):
            self.send(messages.TASK, task.number, task.pickled, batch=task.batch)
            return
        memory = self._memory[0]
        try:
            memory.start()
            for piece in task.pickled:
                memory.write(piece)
        except OSError:  # there is no memory left
            self.send(messages.TASK, task.number, task.pickled, batch=task.batch)
            return
        self._has_read_task = False
        self.send(messages.TASK_IN_MEMORY, task.number, length=memory.length, batch=task.batch)

    def _uses_memory(self, task: Task) -> bool:
        return self._memory is not None and sum(map(len, task.pickled)) >= _LARGE_TASK

    def on_task_read(self) -> None:
        """The process has read the task in memory."""
        self._has_read_task = True

    def load_result(self, length: int) -> Any:
        """Read a result in memory."""
        assert self._memory is not None
        try:
            return self._memory[1].load(length)
        finally:
            self.send(messages.MEMORY_READ)

    def is_silent(self, seconds: float) -> bool:
        """Wait for this long for a message; returns whether there was none. Pipes cannot be waited for on Windows."""
        if not hasattr(select, "poll"):
            return False
        poll = select.poll()
        poll.register(self.child.stdout.fileno(), select.POLLIN)  # type: ignore[union-attr]
        return not poll.poll(seconds * 1000)

    def receive(self) -> Message | None:
        return messages.receive(self.child.stdout)

    def close_input(self) -> None:
        assert self.child.stdin is not None
        with suppress(OSError):
            self.child.stdin.close()

    def wait(self) -> int:
        """Wait for its end; returns the exit status. It is killed if it does not end."""
        try:
            return self.child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()

    def close(self) -> None:
        """After its end."""
        self.close_input()
        assert self.child.stdout is not None
        self.child.stdout.close()
        self.close_memory()

    def close_memory(self) -> None:
        for memory in self._memory or ():
            memory.close()

    def forget(self) -> None:
        """In the child after a fork: close the pipes, so that the process ends with the parent, to which it belongs."""
        for stream in (self.child.stdin, self.child.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        for memory in self._memory or ():
            with suppress(OSError):
                os.close(memory.descriptor)
        self.child.returncode = 0


class WorkerProcess:
    """Runs tasks in a process, which is started when it is needed, and restarted if it has died.

    Attributes:
        is_exiting: this process exits. Tasks then neither start nor fail, as daemon threads that wait for them would
            print a traceback.
    """

    is_exiting = False

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._process: _Child | None = None
        self._reader: threading.Thread | None = None
        self._waiting: deque[Task] = deque()
        self._sent: dict[int, Task] = {}  # by number, in order
        self._numbers = 0

    @property
    def load(self) -> int:
        """Number of unfinished tasks."""
        return len(self._waiting) + len(self._sent)

    @property
    def is_running(self) -> bool:
        """Whether there is a process, which need not be ready."""
        return self._process is not None

    def start(self) -> None:
        """Start the process if there is none. Does not wait until it is ready."""
        with self._lock:
            if self._process is None:
                self._process = _Child(current_state())
                self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True,
                                                name="cloudfiles-replies")
                self._reader.start()

    def submit(self, task: Task) -> None:
        with self._lock:
            if self.is_exiting:
                return
            self.start()
            self._waiting.append(task)
            self._send_more()

    def _send_more(self) -> None:
        process = self._process
        while (process is not None and self._waiting and len(self._sent) < _MAX_SENT
               and process.can_send(self._waiting[0])):
            task = self._waiting.popleft()
            if not task.number and not task.future.set_running_or_notify_cancel():
                continue
            with process.killing_on_interrupt():
                self._send(process, task)

    def _send(self, process: _Child, task: Task) -> None:
        self._numbers += 1
        task.number = self._numbers
        self._sent[task.number] = task
        now = current_state()
        if now != process.state_sent:
            process.send(messages.PROCESS_STATE, 0, messages.dumps(now))
            process.state_sent = now
        process.send_task(task)

    def cancel(self, tasks: set[Task]) -> None:
        """Cancel these tasks. Those that have not started never will; the current one ends soon."""
        with self._lock:
            for task in tasks:
                if task.future.cancel():
                    continue
                if task.number in self._sent and self._process is not None:
                    self._process.send(messages.CANCEL, task.number)
                if task not in self._running():
                    _fail(task, CancelledError())

    def _running(self) -> list[Task]:
        """The tasks that the process may have begun."""
        tasks = list(islice(self._sent.values(), MAX_RUNNING))
        return [task for task in tasks if task is tasks[0] or task.batch == tasks[0].batch != 0]

    def kill_if_at(self, task: Task) -> None:
        """Kill the process if it may be running this task."""
        with self._lock:
            if self._process is not None and task in self._running():
                self._process.child.kill()

    # ---- the thread that reads the replies

    def _read(self, process: _Child) -> None:
        while (message := self._next(process)) is not None:
            if message.kind == messages.READY:
                process.is_ready = True
                continue
            with self._lock:
                if self._process is not process:
                    continue  # it was closed, and nothing waits for this reply
                if message.kind == messages.MEMORY_READ:
                    process.on_task_read()
                    self._send_more()
                    continue
                task = self._sent.pop(message.number)
                self._send_more()
            self._resolve(process, task, message)
        self._ended(process)

    def _next(self, process: _Child) -> Message | None:
        """The next message. A process that has nothing to do for long is ended."""
        while process.is_silent(IDLE_SECONDS):
            with self._lock:
                if self._process is process and not self._sent and not self._waiting:
                    self._process = None
                    process.close_input()
                    break
        return process.receive()

    def _resolve(self, process: _Child, task: Task, message: Message) -> None:
        try:
            if message.kind == messages.ERROR:
                raise _error_of(message)
            if message.kind == messages.RESULT_IN_MEMORY:
                value = process.load_result(message.length)
            else:
                value = pickle.loads(message.payload)
        except BaseException as error:
            _fail(task, error)
        else:
            with suppress(InvalidStateError):  # it was cancelled
                task.future.set_result(value)

    def _ended(self, process: _Child) -> None:
        status = process.wait()
        process.close()
        with self._lock:
            if self._process is not process:
                return
            self._process = None
            sent, running = list(self._sent.values()), self._running()
            self._sent.clear()
            failed = running if process.is_ready else [*sent, *self._waiting]
            self._waiting = deque(task for task in (*sent, *self._waiting) if task not in failed)
            for task in failed:
                _fail(task, _death(process, status, task))
            if self._waiting:
                self._restart()

    def _restart(self) -> None:
        try:
            self.start()
            self._send_more()
        except WorkerError as error:
            while self._waiting:
                _fail(self._waiting.popleft(), error)

    # ---- the end

    def close(self) -> None:
        """End the process; its unfinished tasks fail."""
        with self._lock:
            process, self._process = self._process, None
            tasks = [*self._sent.values(), *self._waiting]
            self._sent.clear()
            self._waiting.clear()
        for task in tasks:
            if not self.is_exiting:
                _fail(task, WorkerError(f"the worker processes were closed during {task.what}"))
        if process is not None:
            process.close_input()

    def join(self) -> None:
        """Wait until the closed process has ended."""
        reader = self._reader
        if reader is not None and reader is not threading.current_thread():
            reader.join(2 * _GRACE_SECONDS)

    def forget(self) -> None:
        """In the child after a fork."""
        if self._process is not None:
            self._process.forget()


def _fail(task: Task, error: BaseException) -> None:
    with suppress(InvalidStateError):  # it was cancelled
        task.future.set_exception(error)


def _error_of(message: Message) -> BaseException:
    error: BaseException
    error, trace = pickle.loads(message.payload)
    if isinstance(error, TaskCancelled):
        return CancelledError()
    if trace is not None:
        error.__cause__ = WorkerTraceback(f"\n{trace}")
    return error


def _death(process: _Child, status: int, task: Task) -> WorkerError:
    if not process.is_ready:
        return WorkerError(f"a worker process for parallel= did not start (exit status {status}); see its output on "
                           "standard error")
    how = f"ended with exit status {status}"
    if status < 0:
        how = f"was killed by {_signal_name(-status)}"
        if -status == signal.SIGKILL:
            how += ", which usually means that the system ran out of memory"
    return WorkerError(f"a worker process (pid {process.child.pid}) {how}, during {task.what}; the next batch starts a "
                       "new one")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
