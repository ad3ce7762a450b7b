"""Copies of files into and out of a bucket, and their progress as `(read, total, filename)`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cloudfiles.batch.store import Store
from cloudfiles.bucket.storage import FileProgress
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.progress import bar_for
from cloudfiles.transfer.copier import Copier, TransferOptions
from cloudfiles.transfer.engine import copy_objects, plan_between
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.result import ObjectOutcome, TransferResult


def copy_files(source: Store, target: Store, items: list[Item], options: TransferOptions | None = None,
               shown: ProgressCounter | None = None, skip: Callable[[Item], bool] | None = None) -> TransferResult:
    """Copy objects from one store to the other, except those to `skip`, reporting to `shown`."""
    plan, here, there = plan_between(source, target)
    copier = Copier(here, there, plan, options, skip=skip, progress=None if shown is None else shown.watch)
    return copy_objects(copier, items, plan, on_outcome=None if shown is None else shown.settle)


@contextmanager
def counted_progress(progress: FileProgress, files: Mapping[str, tuple[str, int]]) -> Iterator[ProgressCounter]:
    """Shows the progress of a transfer of files.

    Args:
        progress: a callback `(read, total, filename)`, in bytes of one file, or True for a progress bar over all files.
            None or False: nothing is shown.
        files: names and sizes in bytes by key.
    """
    if not progress or callable(progress):
        yield ProgressCounter(progress if callable(progress) else None, files)
    elif progress is True:
        with bar_for(True, sum(size for _, size in files.values()), "Transferring", "B") as bar:
            yield ProgressCounter(None, files, bar.update)
    else:
        raise InvalidInputError("progress: expected a function of (read, total, filename), True or None, got "
                                f"{progress!r}")


class ProgressCounter:
    """Counts the bytes of each file, and is called by all workers. Counts never decrease or exceed the total."""

    def __init__(self, tell: Callable[[int, int, str], object] | None, files: Mapping[str, tuple[str, int]],
                 advance: Callable[[int], Any] | None = None) -> None:
        self._tell = tell
        self._files = files
        self._advance = advance
        self._read: dict[str, int] = {}
        self._lock = threading.RLock()  # the callback may use the bucket

    def watch(self, item: Item, size: int) -> None:
        """`size` more bytes of this file were copied."""
        if size:
            with self._lock:
                self._move(item.source, self._read.get(item.source, 0) + size)

    def settle(self, outcome: ObjectOutcome) -> None:
        """The copy of this file is complete, or was not needed."""
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
