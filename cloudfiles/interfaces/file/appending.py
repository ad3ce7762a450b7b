"""Appending to local files, in place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloudfiles.exceptions import PreconditionFailedError, UnsupportedOperationError
from cloudfiles.interfaces.capabilities import Appending, check_length, check_truncation, not_at_end
from cloudfiles.interfaces.file.file_io import etag_of
from cloudfiles.runtime.cancellation import publishing
from cloudfiles.runtime.descriptors import open_into
from cloudfiles.types import WriteOptions

if TYPE_CHECKING:
    from cloudfiles.interfaces.file.interface import FileInterface

_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)


class FileAppending(Appending):
    """The files below the root of an interface. What is appended is visible at once. A failure leaves the file
    as it was; a process that is killed meanwhile may leave a part."""

    def __init__(self, files: FileInterface) -> None:
        self._files = files

    def create(self, path: str, *, if_absent: bool = False) -> None:
        self._files.put(path, b"", WriteOptions(if_absent=if_absent))

    def append(self, path: str, position: int, content: bytes) -> None:
        with self._opened(path) as descriptor, publishing():
            size = os.fstat(descriptor).st_size
            if size != position:
                raise not_at_end(path, size, position)
            try:
                left = memoryview(content)
                while left:
                    left = left[os.write(descriptor, left):]
            except BaseException:
                os.ftruncate(descriptor, size)
                raise

    def flush(self, path: str, length: int, *, close: bool = False) -> str | None:
        with self._opened(path) as descriptor:
            if self._files.durable:
                os.fsync(descriptor)
            status = os.fstat(descriptor)
        check_length(path, status.st_size, length)
        return etag_of(status)

    def truncate(self, path: str, size: int) -> None:
        with self._opened(path) as descriptor, publishing():
            check_truncation(path, os.fstat(descriptor).st_size, size)
            os.ftruncate(descriptor, size)

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        if not path or self._files.isdir(path):
            raise PreconditionFailedError("this is a directory", path=path, store=self._files.url)
        self._files.check_target(path)
        with self._files.existing(path) as file, self._files.locked(self._files.object_path(path).path, exclusive=True):
            if os.path.islink(file):
                raise UnsupportedOperationError("this is a symlink; append to the file that it leads to")
            opened: list[int] = []
            try:
                yield open_into(opened, file, _FLAGS)
            finally:
                for descriptor in opened:
                    os.close(descriptor)
