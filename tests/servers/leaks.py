"""What a piece of code leaves behind: threads, open files and sockets, files in a directory."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_GRACE = 15.0  # seconds that threads and sockets get to end, on a busy machine; a real leak does not end by itself


def _threads() -> set[str]:
    return {f"thread {thread.name}" for thread in threading.enumerate() if thread.is_alive()}


def _open_files() -> set[str]:
    """Descriptors by number and what they are; the number alone where the system does not say."""
    directory = next((name for name in ("/proc/self/fd", "/dev/fd") if os.path.isdir(name)), None)
    found = set()
    for number in os.listdir(directory) if directory else ():
        try:
            found.add(f"descriptor {number} {os.readlink(f'{directory}/{number}')}")
        except FileNotFoundError:
            continue  # the one that listed the directory
        except OSError:
            found.add(f"descriptor {number}")
    return found


def _files(directory: Path | None) -> set[str]:
    return {f"file {path}" for path in directory.rglob("*")} if directory else set()


def _state(directory: Path | None) -> set[str]:
    return _threads() | _open_files() | _files(directory)


@contextmanager
def no_leaks(directory: Path | None = None, *, allow: tuple[str, ...] = (),
             release: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Raise AssertionError if the block leaves a thread, a descriptor, or a file in `directory` that was not there.

    Args:
        allow: texts; what contains one of them may stay ("thread cloudfiles-engine", "socket:").
        release: called before each look, to let go of what is kept for later, such as `reset_connection_pools`: work
            that the block has abandoned may end after it, and keep its connection.
    """
    before = _state(directory)
    yield
    deadline = time.monotonic() + _GRACE
    release()
    while left := sorted(item for item in _state(directory) - before if not any(text in item for text in allow)):
        if time.monotonic() > deadline:
            break
        gc.collect()
        time.sleep(0.02)
        release()
    assert not left, f"left behind: {left}"
