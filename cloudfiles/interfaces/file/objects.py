"""One object of `file://`, given by its local path without suffix: find, read, write, remove."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from cloudfiles.exceptions import (
    ObjectChangedError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.file.file_io import (
    etag_of,
    existing_files,
    is_regular,
    length_of,
    link_new,
    open_to_read,
    read_span,
    sync_directory,
    write_new,
)
from cloudfiles.interfaces.file.names import Variants, suffix_of, temporary_name
from cloudfiles.interfaces.file.os_errors import MISSING_ERRNOS, special_file
from cloudfiles.interfaces.file.permissions import keep_permissions, permissions_of_first
from cloudfiles.runtime.cancellation import publishing, writing
from cloudfiles.types import StoredObject, WriteOptions

T = TypeVar("T")

_LOOKUPS = 5
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


def _first_object(path: str, variants: Variants, take: Callable[[str, str], T | None]) -> T | None:
    """What `take(file, encoding)` gives for the first variant of `path` that is an object; None where none is.

    A write under another encoding puts the new file before it removes the old one. Looking at the new name
    before and at the old one after that finds neither, so a miss counts only when nothing is there then.
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


def read_object(path: str, variants: Variants, start: int | None, end: int | None) -> StoredObject | None:
    """The bytes `[start:end]`; None where there is no object. Raises OSError and ObjectChangedError."""
    try:
        stored = _read(path, "", start, end)  # most often the first look is the last
        if stored is not None:
            return stored
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in MISSING_ERRNOS:
            raise
    return _first_object(path, variants, lambda file, encoding: _read(file, encoding, start, end))


def _read(file: str, encoding: str, start: int | None, end: int | None) -> StoredObject | None:
    try:
        descriptor = open_to_read(file)
    except PermissionError:
        if os.name == "nt" and os.path.isdir(file):  # what opening a directory raises there
            return None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            _check_directory(status)
            return None
        content, etag = read_span(descriptor, status, start, end)
    finally:
        os.close(descriptor)
    return StoredObject(content, encoding, "", etag)


def _check_directory(status: os.stat_result) -> None:
    """Raises UnsupportedOperationError, naming what it is, unless it is a directory."""
    if not stat.S_ISDIR(status.st_mode):
        raise special_file(status.st_mode)


def find_object(path: str, variants: Variants) -> tuple[os.stat_result, str] | None:
    """The status of the file that holds the object, and its encoding; None where there is no object."""
    return _first_object(path, variants, _find)


def _find(file: str, encoding: str) -> tuple[os.stat_result, str] | None:
    status = os.stat(file)
    if not stat.S_ISREG(status.st_mode):
        _check_directory(status)
        return None
    return status, encoding


# ---- writing

_SMALL = 64 << 10  # bytes that are written so soon after a look that it is not repeated


class _KeyLock:
    """Replacements of one key by threads of this process take turns."""

    __slots__ = ("lock", "taken")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.taken = 0  # files that were put, under the lock


_key_locks = [_KeyLock() for _ in range(64)]  # by what a path hashes to, as a rename on a network mount is slow


def _renew_key_locks() -> None:
    """In a forked child: another thread of the parent may have had its turn, and is not here to end it."""
    _key_locks[:] = [_KeyLock() for _ in _key_locks]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_key_locks)


def _key_lock(path: str) -> _KeyLock:
    return _key_locks[hash(path) % len(_key_locks)]


class _ExistingFiles:
    """A look for the files that hold an object, before another one is written."""

    __slots__ = ("_key_locks", "_path", "_taken", "_variants", "files")

    def __init__(self, path: str, variants: Variants) -> None:
        self._path = path
        self._variants = variants
        self._key_locks = _key_lock(path)
        self._taken = -1
        self.files: list[str] = []

    def prepare(self, descriptor: int) -> None:
        """Look, and give an empty file the permissions of the object that it is to replace."""
        self._taken = self._key_locks.taken
        self.files = files = existing_files(self._path, self._variants)
        if files:
            keep_permissions(descriptor, permissions_of_first(files))

    @property
    def is_new(self) -> bool:
        """Whether no thread of this process has put anything since, so that another look would find the same."""
        return self._taken == self._key_locks.taken


def _is_quick(content: Any, options: WriteOptions, durable: bool) -> bool:
    """Whether a look before the write will do. What other processes put between a look and the replacement is not
    seen at any rate; but that time is to stay short, above all where conditions are to hold."""
    return (options.if_match is None and not options.if_absent and not durable
            and isinstance(content, (bytes, bytearray, memoryview)) and length_of(content) <= _SMALL)


def write_object(path: str, variants: Variants, content: Any, options: WriteOptions, durable: bool) -> str:
    """Replace the object by `content`, and give its ETag. Raises OSError and PreconditionFailedError."""
    suffix = suffix_of(options.encoding, variants)
    _check_conditions(path, variants, options)  # here to spare the bytes, below to be right
    temporary = path[:path.rindex(os.sep) + 1] + temporary_name()
    look = None if options.if_absent else _ExistingFiles(path, variants)
    with writing():
        try:
            etag = write_new(temporary, content, durable, None if look is None else look.prepare)
            publish(temporary, path, variants, suffix, options, durable,
                    look if _is_quick(content, options, durable) else None)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    return etag


def publish(temporary: str, path: str, variants: Variants, suffix: str, options: WriteOptions, durable: bool,
            look: _ExistingFiles | None = None) -> None:
    """Give a whole file of the same file system the object's name. Raises OSError and PreconditionFailedError.

    look: one that was taken a moment ago.
    """
    turns = _key_lock(path)
    with turns.lock, publishing():
        files = look.files if look is not None and look.is_new else existing_files(path, variants)
        turns.taken += 1
        _publish(temporary, path, variants, path + suffix, files, options)
    if durable:
        sync_directory(os.path.dirname(path))


def _publish(temporary: str, path: str, variants: Variants, target: str, files: list[str], options: WriteOptions
             ) -> None:
    """Move the file to its place, then remove what held the object under other encodings until now.

    What is read first is removed last: whenever this is interrupted, the key has its old content or the new one.
    """
    stale = [_status(file) for file in reversed(files) if file != target]
    _check_conditions(path, variants, options)
    if options.if_absent:
        _create(temporary, target)
    else:
        os.replace(temporary, target)
    for file, status in stale:
        if status is not None and _status(file)[1] == status:  # not what another process has put there since
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
    """The file, and what tells it from one that replaces it; None where it is missing."""
    try:
        status = os.lstat(file)
    except FileNotFoundError:
        return file, None
    return file, (status.st_ino, status.st_mtime_ns)


def touch_object(path: str, variants: Variants, durable: bool) -> None:
    """Set the time of the file that holds the object to now, or write an empty one. Raises OSError."""
    if _first_object(path, variants, _touch) is not None:
        return
    try:
        write_object(path, variants, b"", WriteOptions(if_absent=True), durable)
    except (PreconditionFailedError, UnsupportedOperationError):
        # Somebody else was faster; or a symlink that leads nowhere has the name, or the system makes no links.
        if find_object(path, variants) is None:
            write_object(path, variants, b"", WriteOptions(), durable)


def _touch(file: str, encoding: str) -> object:
    found = _find(file, encoding)
    if found is not None:
        with publishing():
            os.utime(file)
    return found


def remove_object(path: str, variants: Variants) -> None:
    """Remove every file that holds the object, the one that is read last. Raises OSError.

    Whenever this is interrupted, the key has the content that it had, or none.
    """
    with _key_lock(path).lock, publishing():
        for suffix, _ in reversed(variants[1:]):
            if os.access(path + suffix, os.F_OK):
                _unlink(path + suffix)
        _unlink(path)


def files_of(path: str, variants: Variants) -> list[str]:
    """The regular files that hold the object, that which is read first."""
    return [path + suffix for suffix, _ in variants if is_regular(path + suffix)]


def remove_empty_directories(path: str) -> None:
    """Remove the directory at `path`, and those below it, as far as they hold nothing but symlinks.

    Symlinks are removed, not followed. Raises OSError.
    """
    if os.path.islink(path):
        _remove_symlink(path)
        return
    for directory, directories, files in os.walk(path, topdown=False):
        for name in itertools.chain(directories, files):
            if os.path.islink(file := os.path.join(directory, name)):
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
        if error.errno not in MISSING_ERRNOS and not os.path.isdir(file):  # a directory is no object
            raise
