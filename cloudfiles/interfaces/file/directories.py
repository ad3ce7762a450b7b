"""Directories of `file://`, and renames in one step."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from cloudfiles.exceptions import (
    AmbiguousPathError,
    DirectoryNotEmptyError,
    InvalidInputError,
    MissingObjectError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.capabilities import Directories
from cloudfiles.interfaces.file.copy import rename_object
from cloudfiles.interfaces.file.os_errors import MISSING_ERRNOS, ErrorTranslator
from cloudfiles.runtime.cancellation import check_cancelled, publishing

if TYPE_CHECKING:
    from cloudfiles.interfaces.file.interface import FileInterface

_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


class FileDirectories(Directories):
    """The directories below the root of an interface. Symlinks are never followed to remove or rename something."""

    def __init__(self, files: FileInterface) -> None:
        self._files = files

    def mkdir(self, path: str, *, exist_ok: bool = True) -> None:
        directory = self._path(path)
        self._files.check_target(f"{path}/x" if path else "x")
        with ErrorTranslator(self._files.url, path, directory):
            if path and self._files.exists(path):
                raise PreconditionFailedError("a file has this name")
            try:
                with publishing():
                    os.makedirs(directory)
            except FileExistsError as error:
                if not os.path.isdir(directory):
                    raise PreconditionFailedError("a file has this name") from error
                if not exist_ok:
                    raise PreconditionFailedError("the directory already exists") from error

    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        directory = self._path(path)
        with ErrorTranslator(self._files.url, path, directory):
            status = _lstat(directory)
            if status is None:
                raise MissingObjectError("the directory does not exist")
            if not stat.S_ISDIR(status.st_mode):
                raise PreconditionFailedError("this is a symlink, not a directory" if stat.S_ISLNK(status.st_mode)
                                              else "this is a file, not a directory")
            if recursive:
                _remove_contents(directory)
            try:
                with publishing():
                    os.rmdir(directory)
            except OSError as error:
                if error.errno not in _NOT_EMPTY:
                    raise
                raise DirectoryNotEmptyError("the directory is not empty") from error

    def isdir(self, path: str) -> bool:
        return self._files.isdir(path)

    def rename(self, source: str, target: str, *, overwrite: bool = True) -> None:
        origin, goal = self._path(source), self._path(target)
        self._files.check_target(target)
        status = _lstat(origin)
        is_directory = status is not None and stat.S_ISDIR(status.st_mode)
        if is_directory and self._files.exists(source):
            raise AmbiguousPathError("a directory and a file with a suffix have this name; nothing was renamed",
                                     path=source, store=self._files.url)
        self._files.check_unambiguous(source)
        with ErrorTranslator(self._files.url, target, goal):
            if is_directory:
                self._rename_directory(source, origin, target, goal, overwrite)
            else:
                self._rename_file(source, origin, target, goal, overwrite)

    def _rename_directory(self, source: str, origin: str, target: str, goal: str, overwrite: bool) -> None:
        if self._files.exists(target) or os.path.islink(goal):
            raise PreconditionFailedError("a file has this name")
        if not overwrite and os.path.lexists(goal):
            raise PreconditionFailedError("the directory already exists")
        os.makedirs(os.path.dirname(goal), exist_ok=True)
        if os.name == "nt":
            with suppress(FileNotFoundError):
                os.rmdir(goal)
        try:
            with publishing():
                os.rename(origin, goal)
        except OSError as error:
            raise _rename_error(error, source, origin) from error

    def _rename_file(self, source: str, origin: str, target: str, goal: str, overwrite: bool) -> None:
        if os.path.isdir(goal):
            raise PreconditionFailedError("a directory has this name")
        here, there = self._files.object_path(source), self._files.object_path(target)
        renamed = False
        try:
            with self._files.locked(goal, exclusive=True):
                renamed = rename_object(here, there, self._files.durable, if_absent=not overwrite)
                if not renamed and os.path.islink(origin):
                    _rename_symlink(origin, goal, overwrite)
                    renamed = True
        except OSError as error:
            raise _rename_error(error, source, origin) from error
        if not renamed:
            raise _other_file_system(source) if self._files.exists(source) else _missing(source)

    def _path(self, path: str) -> str:
        return self._files.object_path(path).path if path else self._files.root.rstrip(os.sep) or os.sep


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError as error:
        if error.errno in MISSING_ERRNOS:
            return None
        raise


def _missing(path: str) -> MissingObjectError:
    return MissingObjectError(f"there is no file or directory {path!r}")


def _other_file_system(path: str) -> UnsupportedOperationError:
    return UnsupportedOperationError(f"{path!r} is on another file system, where it cannot be renamed to; use moves()")


def _rename_error(error: OSError, source: str, origin: str) -> Exception:
    if error.errno in _NOT_EMPTY:
        return DirectoryNotEmptyError("the directory is not empty")
    if error.errno == errno.EXDEV:
        return _other_file_system(source)
    if error.errno == errno.EINVAL:
        return InvalidInputError(f"{source!r} cannot be renamed into itself")
    return error if os.path.lexists(origin) else _missing(source)


def _rename_symlink(origin: str, goal: str, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(goal):
        raise PreconditionFailedError("the object already exists")
    with publishing():
        os.replace(origin, goal)


def _remove_contents(directory: str) -> None:
    """Remove everything in a directory; symlinks themselves, not what they lead to."""
    for parent, directories, files in os.walk(directory, topdown=False, onerror=_raise):
        check_cancelled()
        for name in directories:
            path = os.path.join(parent, name)
            with publishing():
                os.unlink(path) if os.path.islink(path) else os.rmdir(path)
        for name in files:
            with publishing(), suppress(FileNotFoundError):
                os.unlink(os.path.join(parent, name))


def _raise(error: OSError) -> None:
    raise error
