"""Writes a local file in parts, in any order. It appears complete or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cloudfiles.interfaces.file.file_io import create_new, etag_of
from cloudfiles.interfaces.file.names import ObjectPath, suffix_of
from cloudfiles.interfaces.file.objects import publish
from cloudfiles.interfaces.file.os_errors import ErrorTranslator
from cloudfiles.interfaces.file.permissions import keep_permissions, permissions_of_object
from cloudfiles.interfaces.file.temporaries import is_temporary, temporary_name
from cloudfiles.interfaces.part_writer import PART_BYTES, PartWriter
from cloudfiles.runtime.cancellation import check_cancelled, current_cancellation, writing
from cloudfiles.runtime.descriptors import open_into
from cloudfiles.types import WriteOptions


class FilePartWriter(PartWriter):
    """A temporary file in the directory of the target, which is filled in any order.

    Raises OSError if there is not enough space for `size` bytes, before anything is written.
    """

    is_checked = False
    takes_pieces = True

    def __init__(self, target: ObjectPath, size: int, options: WriteOptions, state: Mapping[str, Any] | None,
                 durable: bool, errors: ErrorTranslator) -> None:
        self.part_size = PART_BYTES
        self._object_path = target
        self._size = size
        self._options = options
        self._suffix = suffix_of(options.encoding, target.variants)
        self._durable = durable
        self._errors = errors
        self._written: set[int] = set()
        self._descriptor = -1
        self._opened: list[int] = []  # the same, until it is closed
        cancellation = current_cancellation()
        self._writing = None if cancellation is None else cancellation.writing()
        if self._writing is not None:
            self._writing.begin()
        try:
            self._open(state)
        except BaseException:
            self._end_writing()
            raise

    def _open(self, state: Mapping[str, Any] | None) -> None:
        name = str(state.get("temporary", "")) if state and state.get("part_size") == self.part_size else ""
        if not is_temporary(name) or not self._reopen(name, state or {}):
            self._create(temporary_name())

    def _reopen(self, name: str, state: Mapping[str, Any]) -> bool:
        self._temporary = os.path.join(os.path.dirname(self._object_path.path), name)
        try:
            self._descriptor = open_into(self._opened, self._temporary, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except OSError:
            return False
        if os.fstat(self._descriptor).st_size != self._size:
            self._remove()
            return False
        self._written.update(int(start) for start in state.get("written", ()))
        return True

    def _create(self, name: str) -> None:
        directory = os.path.dirname(self._object_path.path)
        self._temporary = os.path.join(directory, name)
        try:
            self._descriptor = create_new(self._temporary, self._opened)
            # Another process may have to open it again to resume.
            keep_permissions(self._descriptor, permissions_of_object(*self._object_path),
                             also=stat.S_IRUSR | stat.S_IWUSR)
            _check_free_space(directory, self._size)
            os.ftruncate(self._descriptor, self._size)
        except BaseException:
            self._remove()
            raise

    def write(self, start: int, content: bytes | memoryview) -> None:
        self.write_piece(start, content)
        self.end_part(start)

    def write_piece(self, at: int, piece: bytes | memoryview) -> None:
        with self._errors, writing():
            view = memoryview(piece).cast("B")
            while view:
                check_cancelled()
                count = _pwrite(self._descriptor, view, at)
                at += count
                view = view[count:]

    def end_part(self, start: int) -> None:
        self._written.add(start)

    def finish(self) -> str | None:
        with self._errors:
            if self._durable:
                os.fsync(self._descriptor)
            keep_permissions(self._descriptor, permissions_of_object(*self._object_path))
            etag = etag_of(os.fstat(self._descriptor))
            publish(self._temporary, *self._object_path, self._suffix, self._options, self._durable)
        self.suspend()
        return etag

    def abort(self) -> None:
        self._remove()
        self._end_writing()

    def _remove(self) -> None:
        self._close()
        with suppress(OSError):
            os.unlink(self._temporary)

    def suspend(self) -> None:
        self._close()
        self._end_writing()

    def _end_writing(self) -> None:
        if self._writing is not None:
            self._writing.end()

    def read_back(self, start: int, length: int) -> bytes | None:
        with self._errors:
            return _pread(self._descriptor, length, start)

    def _close(self) -> None:
        opened, self._opened, self._descriptor = self._opened, [], -1
        for descriptor in opened:
            os.close(descriptor)

    def written(self) -> frozenset[int]:
        return frozenset(self._written)

    def state(self) -> Mapping[str, Any]:
        return {"temporary": os.path.basename(self._temporary), "part_size": self.part_size,
                "written": sorted(self._written)}


def _check_free_space(directory: str, size: int) -> None:
    if hasattr(os, "statvfs"):
        status = os.statvfs(directory)
        if status.f_blocks and status.f_bavail * status.f_frsize < size:
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {size} bytes are required, "
                                        f"{status.f_bavail * status.f_frsize} are available")


if sys.platform == "win32":
    def _pwrite(descriptor: int, content: memoryview, start: int) -> int:
        os.lseek(descriptor, start, os.SEEK_SET)
        return os.write(descriptor, content)

    def _pread(descriptor: int, length: int, start: int) -> bytes:
        os.lseek(descriptor, start, os.SEEK_SET)
        return os.read(descriptor, length)
else:
    _pwrite = os.pwrite
    _pread = os.pread
