"""Local files copied in the kernel, renamed, and written in parts. Each appears at its name whole, or not at all."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from cloudfiles.exceptions import ObjectChangedError
from cloudfiles.interfaces.file.file_io import create_new, etag_of, open_to_read
from cloudfiles.interfaces.file.names import (
    BY_SUFFIX,
    EXACT,
    Variants,
    is_temporary,
    mark_of,
    suffix_of,
    temporary_name,
)
from cloudfiles.interfaces.file.objects import find_object, publish
from cloudfiles.interfaces.file.os_errors import MISSING_ERRNOS, ErrorTranslator
from cloudfiles.interfaces.file.permissions import Permissions, keep_permissions, permissions_of_object
from cloudfiles.interfaces.part_writer import PART_BYTES, PartWriter
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.runtime.cancellation import check_cancelled, current_cancellation, publishing, writing
from cloudfiles.runtime.descriptors import with_descriptor
from cloudfiles.types import WriteOptions

_SMALL = 64 << 10  # bytes up to which one read and one write are faster than asking for anything better
_PIECE = 1 << 20
_MOST_AT_ONCE = 1 << 30
_TRIES = 5
_FICLONE = 0x40049409  # ioctl_ficlone(2): share the blocks of another file, where the file system can
_CANNOT = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM,
                     errno.ENOTTY, errno.EBADF, errno.ETXTBSY})
"""By these the kernel says that one way of copying does not go with these two files."""


# ---- copying


class ObjectPath(NamedTuple):
    """Where an object lies: its local path without suffix, and the suffixes that it may have."""

    path: str
    variants: Variants


def copy_object(source: ObjectPath, target: ObjectPath, options: CopyOptions, durable: bool) -> CopyResult | None:
    """Copy an object; None where it is missing.

    Raises OSError, UnsupportedOperationError where the target cannot keep its encoding, and ObjectChangedError where
    the source is being written in place.
    """
    for _ in range(_TRIES):
        found = find_object(*source)
        if found is None:
            return None
        _, encoding = found
        suffix = suffix_of(encoding, target.variants)
        try:
            return _copy(source.path + suffix, target, suffix, options, durable)
        except FileNotFoundError as error:
            if error.filename != source.path + suffix:  # else it was renamed since, perhaps to another encoding
                raise
    raise ObjectChangedError("the file was replaced or written to repeatedly while it was being copied")


def _copy(file: str, target: ObjectPath, suffix: str, options: CopyOptions, durable: bool) -> CopyResult:
    temporary = os.path.join(os.path.dirname(target.path), temporary_name())
    with writing():
        descriptor = open_to_read(file)
        try:
            status = os.fstat(descriptor)
            if options.etag not in (None, etag_of(status)):
                raise ObjectChangedError("the source was replaced before it was copied")
            etag = _copy_to_new(descriptor, status, temporary, permissions_of_object(*target), durable)
            publish(temporary, *target, suffix, WriteOptions(), durable)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        finally:
            os.close(descriptor)
    return CopyResult(status.st_size, etag)


def _copy_to_new(source: int, status: os.stat_result, temporary: str, kept: Permissions | None, durable: bool) -> str:
    target = create_new(temporary)
    try:
        keep_permissions(target, kept)
        copied = copy_content(source, target, status.st_size)
        after = os.fstat(source)
        if copied != status.st_size or (after.st_mtime_ns, after.st_size) != (status.st_mtime_ns, status.st_size):
            raise ObjectChangedError("the file was written to while it was being copied")
        if durable:
            os.fsync(target)
        return etag_of(os.fstat(target))
    finally:
        os.close(target)


def copy_content(source: int, target: int, size: int) -> int:
    """Copy `size` bytes from the beginning of one file to that of another; gives how many there were."""
    if size > _SMALL:
        for way in _WAYS:
            with suppress(OSError if way is _clone else _CannotError):
                return way(source, target, size)
    return _read_and_write(source, target, size)


class _CannotError(Exception):
    """The kernel does not copy these two files in this way."""


def _clone(source: int, target: int, size: int) -> int:
    import fcntl

    fcntl.ioctl(target, _FICLONE, source)
    return size


def _in_kernel(copy: Callable[[int, int], int], size: int) -> int:
    """`copy(offset, count)` until all is copied; _CannotError where the first call is refused."""
    done = 0
    while done < size:
        check_cancelled()
        try:
            count = copy(done, min(size - done, _MOST_AT_ONCE))
        except OSError as error:
            if done or error.errno not in _CANNOT:
                raise
            raise _CannotError from error
        if not count:
            if not done:
                raise _CannotError  # some kernels say so of file systems they cannot copy from
            break
        done += count
    return done


def _copy_file_range(source: int, target: int, size: int) -> int:
    return _in_kernel(lambda at, count: os.copy_file_range(source, target, count, at, at), size)


def _sendfile(source: int, target: int, size: int) -> int:
    os.lseek(target, 0, os.SEEK_SET)
    return _in_kernel(lambda at, count: os.sendfile(target, source, at, count), size)


_WAYS: tuple[Callable[[int, int, int], int], ...] = (
    (_clone, _copy_file_range, _sendfile) if sys.platform == "linux" else ())


def _read_and_write(source: int, target: int, size: int) -> int:
    os.lseek(source, 0, os.SEEK_SET)
    os.lseek(target, 0, os.SEEK_SET)
    done = 0
    while piece := os.read(source, min(size + 1 - done, _PIECE)):  # one byte more shows whether it has grown
        check_cancelled()
        view = memoryview(piece)
        while view:
            view = view[os.write(target, view):]
        done += len(piece)
    return done


# ---- renaming


def rename_object(source: ObjectPath, target: ObjectPath, durable: bool) -> bool:
    """Move an object to another name of the same file system; False where that cannot be done, or nothing is there.

    A file that is replaced leaves its permissions to the one that takes its place.
    """
    found = find_object(*source)
    if found is None:
        return False
    suffix = suffix_of(found[1], BY_SUFFIX)
    if os.path.islink(source.path + suffix) or (suffix and target.variants is EXACT):
        return False  # the object is what the link leads to, or is to be decoded
    os.makedirs(os.path.dirname(target.path), exist_ok=True)
    kept = permissions_of_object(*target)
    try:
        descriptor = -1 if kept is None else open_to_read(source.path + suffix)
        try:
            publish(source.path + suffix, *target, suffix, WriteOptions(), durable)
            _remove_other_name(source.path + suffix, target.path + suffix)
            keep_permissions(descriptor, kept)
        finally:
            if descriptor >= 0:
                os.close(descriptor)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _remove_other_name(old: str, new: str) -> None:
    """Renaming a file to another hard link of itself does nothing at all: then the old name is to be removed."""
    try:
        is_same = os.path.samestat(os.lstat(old), os.lstat(new))
    except OSError:
        return
    # In a file system that ignores case both may be one name; the directory knows.
    if is_same and os.path.basename(old) in os.listdir(os.path.dirname(old)):
        with publishing():
            os.unlink(old)


# ---- writing in parts


class FilePartWriter(PartWriter):
    """A temporary file beside the target that is filled in any order.

    Raises OSError where there is not enough room for `size` bytes, before the first is written.
    """

    is_checked = False

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
        cancellation = current_cancellation()
        self._effect = None if cancellation is None else cancellation.writing()
        if self._effect is not None:
            self._effect.begin()
        try:
            self._open(state)
        except BaseException:
            self._end_effect()
            raise

    def _open(self, state: Mapping[str, Any] | None) -> None:
        name = str(state.get("temporary", "")) if state and state.get("part_size") == self.part_size else ""
        if not is_temporary(name) or not self._reopen(name, state or {}):
            self._create(temporary_name())

    def _reopen(self, name: str, state: Mapping[str, Any]) -> bool:
        self._temporary = os.path.join(os.path.dirname(self._object_path.path), name)
        try:
            self._descriptor = with_descriptor(os.open, self._temporary, os.O_RDWR | getattr(os, "O_BINARY", 0))
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
        self._descriptor = create_new(self._temporary)
        try:
            # It may have to be opened again, by another process that goes on with it.
            keep_permissions(self._descriptor, permissions_of_object(*self._object_path),
                             also=stat.S_IRUSR | stat.S_IWUSR)
            _check_room(directory, self._size)
            os.ftruncate(self._descriptor, self._size)
        except BaseException:
            self._remove()
            raise

    def write(self, start: int, content: bytes | memoryview) -> None:
        with self._errors, writing():
            view = memoryview(content).cast("B")
            while view:
                check_cancelled()
                count = _pwrite(self._descriptor, view, start + len(content) - len(view))
                view = view[count:]
        self._written.add(start)

    def finish(self) -> str | None:
        with self._errors:
            if self._durable:
                os.fsync(self._descriptor)
            keep_permissions(self._descriptor, permissions_of_object(*self._object_path))
            etag = etag_of(os.fstat(self._descriptor))
            publish(self._temporary, *self._object_path, self._suffix, self._options, self._durable)
        self.leave()
        return etag

    def abort(self) -> None:
        self._remove()
        self._end_effect()

    def _remove(self) -> None:
        self._close()
        with suppress(OSError):
            os.unlink(self._temporary)

    def leave(self) -> None:
        self._close()
        self._end_effect()

    def _end_effect(self) -> None:
        if self._effect is not None:
            self._effect.end()

    def read_back(self, start: int, length: int) -> bytes | None:
        with self._errors:
            return _pread(self._descriptor, length, start)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def written(self) -> frozenset[int]:
        return frozenset(self._written)

    def state(self) -> Mapping[str, Any]:
        return {"temporary": os.path.basename(self._temporary), "part_size": self.part_size,
                "written": sorted(self._written)}


def _check_room(directory: str, size: int) -> None:
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


# ---- clearing up


def discard_temporaries(directory: str, before: float) -> int:
    """Remove temporary files below `directory` that were last written before this time; gives how many."""
    removed = 0
    for parent, _, names in os.walk(directory):
        for name in filter(is_temporary, names):
            try:
                status = os.lstat(os.path.join(parent, name))
                if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                    os.unlink(os.path.join(parent, name))
                    removed += 1
            except OSError as error:
                if error.errno not in MISSING_ERRNOS:
                    raise
    return removed


def discard_temporaries_of(processes: Collection[str], directories: Collection[str], kept: Collection[str]) -> int:
    """Remove the temporary files of these processes from the directories, but for those named in `kept`."""
    removed = 0
    for directory in directories:
        try:
            names = [name for name in os.listdir(directory) if mark_of(name) in processes and name not in kept]
            for name in names:
                os.unlink(os.path.join(directory, name))
                removed += 1
        except OSError as error:
            if error.errno not in MISSING_ERRNOS:
                raise
    return removed
