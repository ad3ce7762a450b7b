"""Reads directories, and the status of files, ahead of time on threads where the file system is slow.

A network file system answers after milliseconds, a local disk after microseconds, for which a thread would only be in
the way. So the first answers are awaited in the calling thread, and threads are used from then on if most of them were
slow. What was read ahead is bounded: some directories, none of which is large, and some hundred files.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from cloudfiles.key_order import order_of
from cloudfiles.runtime.cancellation import check_cancelled
from cloudfiles.runtime.descriptors import with_descriptor
from cloudfiles.values import NamedTuple

MAX_THREADS = 16
"""Maximum number of threads of a process that read ahead."""

MAX_DIRECTORIES = 32
"""Maximum number of directories that a walk has read ahead."""

MAX_ENTRIES = 4096
"""Directories with more entries are read when they are entered."""

MAX_FILES = 64
"""Maximum number of files whose status is read ahead, of the directory that is listed, and of each next one."""

_SLOW = 0.002
"""Seconds above which an answer is slow."""

_ANSWERS = 5
"""Number of the last answers, most of which have to be slow."""

_TICK = 0.5
"""Seconds between two checks for cancellation."""


class Contents(NamedTuple):
    """A directory that was read ahead.

    Attributes:
        status: before it was read.
        files: the status of its files, by name, if that is slow, too.
        seconds: until the first entries were known.
    """

    status: os.stat_result
    entries: list[os.DirEntry[str]]
    files: dict[str, os.stat_result]
    seconds: float


class Answers:
    """Whether most of the last answers of a file system were slow."""

    def __init__(self) -> None:
        self._slow: deque[bool] = deque(maxlen=_ANSWERS)
        self.are_slow = False

    def add(self, seconds: float) -> None:
        self._slow.append(seconds > _SLOW)
        self.are_slow = sum(self._slow) > _ANSWERS // 2


class Task:
    """A call that a thread makes, or the one who needs the result if no thread has begun."""

    __slots__ = ("_claim", "_error", "_finished", "_function", "_pid", "_value", "is_done")

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._claim, self._finished = threading.Lock(), threading.Lock()
        self._finished.acquire()
        self._pid = os.getpid()
        self._value: Any = None
        self._error: Exception | None = None
        self.is_done = False

    def run(self) -> None:
        if not self._claim.acquire(blocking=False):
            return
        try:
            self._value = self._function()
        except Exception as error:
            self._error = error
        self.is_done = True
        self._finished.release()

    def result(self) -> Any:
        """The result, or the error of the call."""
        self.run()
        while not self.is_done:
            if self._pid != os.getpid():  # the thread is that of the parent process
                return self._function()
            self._finished.acquire(timeout=_TICK)
            check_cancelled()
        if self._error is not None:
            raise self._error
        return self._value


class _Threads:
    """Daemon threads, which end when there is nothing to do: a file system that hangs keeps no program from exiting."""

    def __init__(self) -> None:
        self._tasks: deque[Task] = deque()
        self._count = 0
        self._lock = threading.Lock()  # never held while waiting

    def submit(self, function: Callable[[], Any]) -> Task:
        task = Task(function)
        self._tasks.append(task)
        with self._lock:
            if self._count >= MAX_THREADS:
                return task
            self._count += 1
        try:
            threading.Thread(target=self._run, name="cloudfiles-read-ahead", daemon=True).start()
        except RuntimeError:  # the system has no more threads
            with self._lock:
                self._count -= 1
        return task

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._tasks:
                    self._count -= 1
                    return
                task = self._tasks.popleft()
            task.run()


_threads = _Threads()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.__init__)  # type: ignore[misc]


class DirectoriesAhead:
    """Directories of a walk that are read before they are entered."""

    def __init__(self) -> None:
        self.answers = Answers()
        self._tasks: dict[str, Task] = {}

    def take(self, directory: str) -> Contents | None:
        """What was read ahead; None if nothing was, or with an error."""
        task = self._tasks.pop(directory, None)
        try:
            contents: Contents | None = None if task is None else task.result()
        except OSError:
            return None
        if contents is not None:
            self.answers.add(contents.seconds)
        return contents

    def request(self, directories: Iterable[str], with_files: bool) -> None:
        """Read these and their subdirectories ahead, as far as there is space."""
        for directory in directories:
            if len(self._tasks) >= MAX_DIRECTORIES:
                return
            if directory not in self._tasks:
                self._tasks[directory] = _threads.submit(partial(_read, directory, with_files))
            elif self._tasks[directory].is_done:
                self.request(self._subdirectories(directory), with_files)

    def _subdirectories(self, directory: str) -> list[str]:
        try:
            contents = self._tasks[directory].result()
            found = [] if contents is None else [each.name for each in contents.entries
                                                 if each.is_dir(follow_symlinks=False)]
        except OSError:
            return []
        return [directory + name + os.sep for name in sorted(found, key=lambda name: order_of(name + "/"))]


def _read(directory: str, with_files: bool) -> Contents | None:
    """The directory; None if it is large."""
    began = time.monotonic()
    status = os.stat(directory)
    with with_descriptor(os.scandir, directory) as found:
        seconds = time.monotonic() - began
        entries = list(islice(found, MAX_ENTRIES + 1))
    if len(entries) > MAX_ENTRIES:
        return None
    files: dict[str, os.stat_result] = {}
    if with_files and len(entries) <= MAX_FILES:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    files[entry.name] = os.stat(entry.path)
    return Contents(status, entries, files, seconds)


class FilesAhead:
    """The status of the files of a directory.

    known: those that are known. names: of the files that are read ahead, in this order.
    """

    def __init__(self, directory: str, known: dict[str, os.stat_result], names: Iterable[str]) -> None:
        self._directory = directory
        self._known = known
        self._names = iter(names)
        self._tasks: deque[tuple[str, Task]] = deque()

    def take(self, name: str) -> os.stat_result | None:
        """The status of a file that comes after those before; None if it was not read, or with an error."""
        known = self._known.pop(name, None)
        if known is not None:
            return known
        while True:
            for each in islice(self._names, MAX_FILES - len(self._tasks)):
                if each not in self._known:
                    self._tasks.append((each, _threads.submit(partial(os.stat, self._directory + each))))
            if not self._tasks:
                return None
            found, task = self._tasks.popleft()
            if found == name:
                try:
                    status: os.stat_result = task.result()
                except OSError:
                    return None
                return status
