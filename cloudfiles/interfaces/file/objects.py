"""Finds, reads, writes and removes one object of `file://`, given its local path without suffix."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, TypeVar

from cloudfiles.exceptions import (
    ObjectChangedError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudfiles.http_dates import http_date
from cloudfiles.interfaces.file.file_io import (
    READ_FLAGS,
    etag_of,
    existing_files,
    is_regular,
    length_of,
    link_new,
    read_span,
    sync_directory,
    write_new,
)
from cloudfiles.interfaces.file.names import Variants, suffix_of
from cloudfiles.interfaces.file.os_errors import MISSING_ERRNOS, special_file
from cloudfiles.interfaces.file.permissions import keep_permissions, permissions_of_first
from cloudfiles.interfaces.file.temporaries import temporary_name
from cloudfiles.runtime.cancellation import publishing, writing
from cloudfiles.runtime.descriptors import with_descriptor
from cloudfiles.types import StoredObject, WriteOptions

T = TypeVar("T")

_LOOKUPS = 5
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


def _first_object(path: str, variants: Variants, take: Callable[[str, str], T | None]) -> T | None:
    """`take(file, encoding)` for the first variant of `path` that is an object; None if there is none.

    A write under another encoding creates the new file before it removes the old one. Checking the new name before
    and the old one after that finds neither, so a miss is final only if no file exists afterwards.
    """
    for _ in range(_LOOKUPS):
        for suffix, encoding in variants:
            try:
                taken = take(path + suffix, encoding)
            except OSError as error:
                if error.errno not in MISSING_ERRNOS:
                    raise
            else:
                if taken is not None:
                    return taken
        if not files_of(path, variants):
            return None
    raise ObjectChangedError("the encoding of the object changed repeatedly while it was being looked up")


# ---- reading


def read_object(path: str, variants: Variants, start: int | None, end: int | None, max_size: int | None = None
                ) -> StoredObject | None:
    """The bytes `[start:end]`; None if there is no object. Raises OSError and ObjectChangedError.

    max_size: the result has headers, and of an object that is larger, it has the size instead of the content.
    """
    try:
        stored = _read(path, "", start, end, max_size)  # usually the file without suffix
        if stored is not None:
            return stored
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in MISSING_ERRNOS:
            raise
    return _first_object(path, variants, lambda file, encoding: _read(file, encoding, start, end, max_size))


def _read(file: str, encoding: str, start: int | None, end: int | None, max_size: int | None) -> StoredObject | None:
    try:
        return with_descriptor(_read_file, file, encoding, start, end, max_size)
    except PermissionError:
        if os.name == "nt" and os.path.isdir(file):  # raised for a directory on Windows
            return None
        raise


def _read_file(file: str, encoding: str, start: int | None, end: int | None, max_size: int | None
               ) -> StoredObject | None:
    for descriptor in map(os.open, (file,), (READ_FLAGS,)):  # as `open_into`, but faster: no call returns a descriptor
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                _check_directory(status)
                return None
            if max_size is not None and status.st_size > max_size:
                return describe_file(status, encoding)
            content, etag = read_span(descriptor, status, start, end)
        finally:
            os.close(descriptor)
    headers = None if max_size is None else {"content-length": str(len(content)), **_headers(status)}
    return StoredObject(content, encoding, "", etag, headers=headers)


def describe_file(status: os.stat_result, encoding: str) -> StoredObject:
    """The object in a file, without its content."""
    return StoredObject(None, encoding, "", etag_of(status), status.st_size, _headers(status))


def _headers(status: os.stat_result) -> dict[str, str]:
    return {"last-modified": http_date(int(status.st_mtime))}


def _check_directory(status: os.stat_result) -> None:
    """Raises UnsupportedOperationError unless it is a directory."""
    if not stat.S_ISDIR(status.st_mode):
        raise special_file(status.st_mode)


def find_object(path: str, variants: Variants) -> tuple[os.stat_result, str] | None:
    """The status of the object's file, and its encoding; None if there is no object."""
    return _first_object(path, variants, _find)


def _find(file: str, encoding: str) -> tuple[os.stat_result, str] | None:
    status = os.stat(file)
    if not stat.S_ISREG(status.st_mode):
        _check_directory(status)
        return None
    return status, encoding


# ---- writing

_SMALL = 64 << 10  # bytes that are written so fast that existing files are looked up only once


class _KeyLock:
    """A lock for the replacement of files of one key by threads of this process."""

    __slots__ = ("lock", "replacements")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.replacements = 0  # number of replacements under this lock


_key_locks = [_KeyLock() for _ in range(64)]  # several, by the hash of a path, as renames on network mounts are slow


def _renew_key_locks() -> None:
    """In a forked child: a thread of the parent may have held a lock, and does not exist here."""
    _key_locks[:] = [_KeyLock() for _ in _key_locks]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_key_locks)


def _key_lock(path: str) -> _KeyLock:
    return _key_locks[hash(path) % len(_key_locks)]


class _ExistingFiles:
    """The files that an object has before it is replaced."""

    __slots__ = ("_lock", "_path", "_replacements", "_variants", "files")

    def __init__(self, path: str, variants: Variants) -> None:
        self._path = path
        self._variants = variants
        self._lock = _key_lock(path)
        self._replacements = -1
        self.files: list[str] = []

    def prepare(self, descriptor: int) -> None:
        """Look them up, and give the new, still empty file the permissions of the one that it replaces."""
        self._replacements = self._lock.replacements
        self.files = files = existing_files(self._path, self._variants)
        if files:
            keep_permissions(descriptor, permissions_of_first(files))

    @property
    def is_current(self) -> bool:
        """Whether no thread of this process has replaced a file since the lookup."""
        return self._replacements == self._lock.replacements


def _needs_one_lookup(content: Any, options: WriteOptions, durable: bool) -> bool:
    """Whether one lookup before the write is enough. Files that other processes create between a lookup and the
    replacement are never seen, but that time has to be short, especially for conditional writes."""
    return (options.if_match is None and not options.if_absent and not durable
            and isinstance(content, (bytes, bytearray, memoryview)) and length_of(content) <= _SMALL)


def write_object(path: str, variants: Variants, content: Any, options: WriteOptions, durable: bool) -> str:
    """Replace the object by `content`; returns its ETag. Raises OSError and PreconditionFailedError."""
    suffix = suffix_of(options.encoding, variants)
    _check_conditions(path, variants, options)  # before anything is written; checked again under the lock
    temporary = path[:path.rindex(os.sep) + 1] + temporary_name()
    existing = None if options.if_absent else _ExistingFiles(path, variants)
    with writing():
        try:
            etag = write_new(temporary, content, durable, None if existing is None else existing.prepare)
            publish(temporary, path, variants, suffix, options, durable,
                    existing if _needs_one_lookup(content, options, durable) else None)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    return etag


def publish(temporary: str, path: str, variants: Variants, suffix: str, options: WriteOptions, durable: bool,
            existing: _ExistingFiles | None = None) -> None:
    """Rename a complete file to the object's name. Raises OSError and PreconditionFailedError.

    existing: the result of a recent lookup.
    """
    lock = _key_lock(path)
    with lock.lock, publishing():
        files = existing.files if existing is not None and existing.is_current else existing_files(path, variants)
        lock.replacements += 1
        _publish(temporary, path, variants, path + suffix, files, options)
    if durable:
        sync_directory(os.path.dirname(path))


def _publish(temporary: str, path: str, variants: Variants, target: str, files: list[str], options: WriteOptions
             ) -> None:
    """Rename the file, then remove the object's files with other encodings.

    The file that is read first is removed last, so that after an interruption the key has its old or its new content.
    """
    stale = [_status(file) for file in reversed(files) if file != target]
    _check_conditions(path, variants, options)
    if options.if_absent:
        _create(temporary, target)
    else:
        os.replace(temporary, target)
    for file, status in stale:
        if status is not None and _status(file)[1] == status:  # not if another process has replaced it
            _unlink(file)


def _check_conditions(path: str, variants: Variants, options: WriteOptions) -> None:
    if not options.if_absent and options.if_match is None:
        return
    found = find_object(path, variants)
    if options.if_absent and found is not None:
        raise PreconditionFailedError("the object already exists")
    etag = found and etag_of(found[0])
    if options.if_match is not None and etag != options.if_match:
        state = f"has the ETag {etag}" if etag else "is missing"
        raise PreconditionFailedError(f"the object {state}; expected the ETag {options.if_match}")


def _create(temporary: str, target: str) -> None:
    try:
        link_new(temporary, target)
    except FileExistsError as error:
        if os.path.isdir(target):
            raise
        raise PreconditionFailedError("the object already exists") from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise UnsupportedOperationError(
            "this file system does not support hard links, which if_absent= requires") from error


def _status(file: str) -> tuple[str, tuple[int, int] | None]:
    """The file and its identity; None if it is missing."""
    try:
        status = os.lstat(file)
    except FileNotFoundError:
        return file, None
    return file, (status.st_ino, status.st_mtime_ns)


def touch_object(path: str, variants: Variants, durable: bool) -> None:
    """Set the time of the object's file to now, or write an empty one. Raises OSError."""
    if _first_object(path, variants, _touch) is not None:
        return
    try:
        write_object(path, variants, b"", WriteOptions(if_absent=True), durable)
    except (PreconditionFailedError, UnsupportedOperationError):
        # It exists now; or it is a dangling symlink; or the file system has no hard links.
        if find_object(path, variants) is None:
            write_object(path, variants, b"", WriteOptions(), durable)


def _touch(file: str, encoding: str) -> object:
    found = _find(file, encoding)
    if found is not None:
        with publishing():
            os.utime(file)
    return found


def remove_object(path: str, variants: Variants) -> None:
    """Remove all files of the object. Raises OSError.

    The file that is read first is removed last, so that after an interruption the key has its old content or none.
    """
    with _key_lock(path).lock, publishing():
        for suffix, _ in reversed(variants[1:]):
            if os.access(path + suffix, os.F_OK):
                _unlink(path + suffix)
        _unlink(path)


def files_of(path: str, variants: Variants) -> list[str]:
    """The regular files of the object, in the order in which they are read."""
    return [path + suffix for suffix, _ in variants if is_regular(path + suffix)]


def remove_empty_directories(path: str, keep: Collection[str] = ()) -> None:
    """Remove the directory at `path` and those below it that contain nothing but symlinks.

    Symlinks are not followed, but removed, except for those in `keep`. Raises OSError.
    """
    if os.path.islink(path):
        _remove_symlink(path)
        return
    for directory, directories, files in os.walk(path, topdown=False):
        for name in itertools.chain(directories, files):
            if os.path.islink(file := os.path.join(directory, name)) and file not in keep:
                _remove_symlink(file)
        try:
            with publishing():
                os.rmdir(directory)
        except OSError as error:
            if error.errno not in MISSING_ERRNOS and error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


def _remove_symlink(file: str) -> None:
    with publishing():
        _unlink(file)


def _unlink(file: str) -> None:
    try:
        os.unlink(file)
    except OSError as error:
        if error.errno not in MISSING_ERRNOS and not os.path.isdir(file):  # a directory is not an object
            raise
