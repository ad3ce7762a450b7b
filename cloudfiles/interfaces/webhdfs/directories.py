"""Directories of HDFS, and renames.

Source: Hadoop documentation, "WebHDFS REST API" (Make a Directory, Rename a File/Directory, Delete a File/Directory).
"""

from __future__ import annotations

from cloudfiles.exceptions import (
    DirectoryNotEmptyError,
    InvalidInputError,
    InvalidPathError,
    PreconditionFailedError,
    ServerError,
)
from cloudfiles.interfaces.capabilities import Directories
from cloudfiles.interfaces.webhdfs.listing import children
from cloudfiles.interfaces.webhdfs.objects import FileStatus, Namespace
from cloudfiles.interfaces.webhdfs.renaming import rename


class HdfsDirectories(Directories):
    """The directories below one cloudpath.

    Whether a target exists is checked by a request of its own, just before the change.
    """

    def __init__(self, files: Namespace) -> None:
        self._files = files

    def mkdir(self, path: str, *, exist_ok: bool = True) -> None:
        found = self._files.status(self._files.path(path), path)
        if found is not None:
            if not found.is_directory:
                raise PreconditionFailedError("a file has this name", path=path)
            if not exist_ok:
                raise PreconditionFailedError("the directory already exists", path=path)
            return
        try:
            self._files.make_directory(self._files.path(path), path)
        except InvalidPathError as error:
            raise _as_precondition(error, path) from error

    def rmdir(self, path: str, *, recursive: bool = False) -> None:
        if not self._files.required(path).is_directory:
            raise PreconditionFailedError("this is a file, not a directory", path=path)
        try:
            self._files.remove(self._files.path(path), path, recursive=recursive)
        except ServerError as error:
            if error.code != "PathIsNotEmptyDirectoryException":
                raise
            raise DirectoryNotEmptyError("the directory is not empty", path=path) from error

    def isdir(self, path: str) -> bool:
        found = self._files.status(self._files.path(path), path)
        return found is not None and found.is_directory

    def rename(self, source: str, target: str, *, overwrite: bool = True) -> None:
        moved = self._files.required(source)
        origin, goal = self._files.path(source), self._files.path(target)
        if f"{goal}/".startswith(f"{origin}/") and (goal != origin or moved.is_directory):
            raise InvalidInputError("a directory cannot be renamed into itself", path=source)
        present = self._files.status(goal, target)
        if present is not None:
            self._check_replaceable(present, moved, target, overwrite)
        try:
            self._files.make_directory(goal.rpartition("/")[0] or "/", target)
        except InvalidPathError as error:
            raise _as_precondition(error, target) from error
        if goal != origin:
            rename(self._files, origin, goal, target, moved, overwrite=overwrite)

    def _check_replaceable(self, present: FileStatus, moved: FileStatus, target: str, overwrite: bool) -> None:
        if present.is_directory is not moved.is_directory:
            raise PreconditionFailedError(f"a {'directory' if present.is_directory else 'file'} has this name",
                                          path=target)
        if not overwrite:
            raise PreconditionFailedError("the target already exists", path=target)
        if present.is_directory and children(self._files, self._files.path(target)):
            raise DirectoryNotEmptyError("the directory is not empty", path=target)


def _as_precondition(error: InvalidPathError, path: str) -> Exception:
    """A directory that cannot be created because a file has its name, or that of one above it."""
    return PreconditionFailedError(str(error), path=path) if "not a directory" in str(error) else error
