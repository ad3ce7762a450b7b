"""How far the files of a bucket have come, as its users like to be told: `(read, total, filename)`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cloudfiles.batch.progress import bar_for
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.transfer.carrying.items import Item
from cloudfiles.transfer.carrying.result import Outcome

Told = Callable[[int, int, str], object]


@contextmanager
def progress_of(progress: Any, files: Mapping[str, tuple[str, int]]) -> Iterator[FileProgress]:
    """Something that follows a transfer of files, for the caller to see.

    files: name and size in bytes by key.
    progress: a callback `(read, total, filename)` of bytes of one file, or True for a bar over all of them. None or
        False: nothing is shown.
    """
    if not progress or callable(progress):
        yield FileProgress(progress or None, files)
    elif progress is True:
        with bar_for(True, sum(size for _, size in files.values()), "Transferring", "B") as bar:
            yield FileProgress(None, files, bar.update)
    else:
        raise InvalidInputError("progress: expected a function of (read, total, filename), True or None, got "
                                f"{progress!r}")


class FileProgress:
    """Counts the bytes of each file; called by any worker. It never goes backwards, nor beyond the total."""

    def __init__(self, tell: Told | None, files: Mapping[str, tuple[str, int]],
                 advance: Callable[[int], Any] | None = None) -> None:
        self._tell = tell
        self._files = files
        self._advance = advance
        self._read: dict[str, int] = {}
        self._lock = threading.RLock()  # the callback may look at the bucket again

    def watch(self, item: Item, size: int) -> None:
        """So many more bytes of this file have come."""
        if size:
            with self._lock:
                self._move(item.source, self._read.get(item.source, 0) + size)

    def settle(self, outcome: Outcome) -> None:
        """This file has come, or was there already."""
        with self._lock:
            self._move(outcome.item.source, self._files[outcome.item.source][1])

    def _move(self, key: str, read: int) -> None:
        name, total = self._files[key]
        before, now = self._read.get(key, -1), min(read, total)
        if now <= before:
            return
        self._read[key] = now
        if self._advance is not None:
            self._advance(now - max(0, before))
        if self._tell is not None:
            self._tell(now, total, name)
