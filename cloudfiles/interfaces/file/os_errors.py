"""Translates errors of the operating system to errors of this package."""

from __future__ import annotations

import errno
import os
import stat

from cloudfiles.exceptions import (
    AmbiguousPathError,
    CloudFilesError,
    FileSystemError,
    LocalPathError,
    LocalPermissionError,
    MissingDirectoryError,
    UnsupportedOperationError,
)

MISSING_ERRNOS = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
"""Errors for paths without a file. A symlink to nothing or to itself counts as missing."""

_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_UNNAMEABLE = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})

_KINDS = {
    stat.S_IFDIR: "a directory", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device", stat.S_IFBLK: "a block device",
}


def special_file(mode: int) -> UnsupportedOperationError:
    """The error for something other than a regular file or a directory."""
    return UnsupportedOperationError("expected a regular file, found "
                                     f"{_KINDS.get(stat.S_IFMT(mode), 'a special file')}")


def ambiguous(key: str, store: str, *files: str) -> AmbiguousPathError:
    """The error for a key with two files."""
    return AmbiguousPathError(
        f"the files {' and '.join(map(repr, files))} map to the same key, because suffixes denote encodings; neither "
        "was read or changed. Use encoding_suffixes=False to access every file under its own name",
        path=key, store=store)


class ErrorTranslator:
    """A block in which OSErrors become CloudFilesErrors with the key and the store.

    Args:
        target: the local path that is written; None for reads.
    """

    __slots__ = ("_key", "_store", "_target")

    def __init__(self, store: str, key: str, target: str | None = None) -> None:
        self._store = store
        self._key = key
        self._target = target

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            return
        ours = self._translated(error)
        if ours is not None:
            ours.path, ours.store = self._key, self._store
            if ours is not error:
                raise ours from error

    def _translated(self, error: BaseException) -> CloudFilesError | None:
        if isinstance(error, CloudFilesError):
            return error
        if isinstance(error, OSError):
            return _read_error(error) if self._target is None else write_error(error, self._target)
        return None


def _text(error: OSError) -> str:
    return f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")


def _read_error(error: OSError) -> CloudFilesError:
    text = _text(error)
    if error.errno in _REFUSED:
        return LocalPermissionError(text, errno=error.errno)
    if error.errno == errno.ENXIO:  # from opening a socket
        return special_file(stat.S_IFSOCK)
    return FileSystemError(text, errno=error.errno)


def write_error(error: OSError, target: str) -> CloudFilesError:
    """The error for an OSError while writing the local path `target`."""
    if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
        return LocalPathError(_conflict(target), errno=error.errno)
    if error.errno == errno.ENOENT:
        return MissingDirectoryError(_text(error), errno=error.errno)
    if error.errno in _UNNAMEABLE:
        return LocalPathError(f"the file system does not support this name: {error.strerror}", errno=error.errno)
    return _read_error(error)


def _conflict(target: str) -> str:
    if os.path.isdir(target):
        return "a directory has this name; file:// cannot store an object of the same name"
    parent = os.path.dirname(target)
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    return f"{parent} is not a directory; file:// cannot store objects below it"
