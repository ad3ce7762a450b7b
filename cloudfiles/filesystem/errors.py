"""Errors as programs that use fsspec expect them: FileNotFoundError, PermissionError, FileExistsError and the like."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cloudfiles.exceptions import (
    AccessDeniedError,
    AuthorizationError,
    CloudFilesError,
    ExistingObjectError,
    MissingObjectError,
    PreconditionFailedError,
    UnsupportedOperationError,
)


def missing(name: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def exists_already(name: str) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)


def is_a_directory(name: str) -> IsADirectoryError:
    return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)


def not_a_directory(name: str) -> NotADirectoryError:
    return NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)


def not_empty(name: str) -> OSError:
    return OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), name)


def unsupported(protocol: str, operation: str, reason: str) -> UnsupportedOperationError:
    return UnsupportedOperationError(f"{operation} is not supported on {protocol}://: {reason}")


def as_os_error(error: Exception, name: str = "") -> Exception:
    """The error to raise, or to return, instead of `error`.

    Errors that have no counterpart among the classes of OSError stay what they are: a failure is never an error that
    means "missing".
    """
    if isinstance(error, MissingObjectError) and name:
        return missing(name)
    if isinstance(error, OSError) or not isinstance(error, CloudFilesError):
        return error
    better: type[CloudFilesError]
    if isinstance(error, AuthorizationError):
        better = AccessDeniedError
    elif isinstance(error, PreconditionFailedError):
        better = ExistingObjectError
    else:
        return error
    return better(str(error.args[0]) if error.args else "", path=error.path, store=error.store,
                  attempts=error.attempts, elapsed=error.elapsed)


@contextmanager
def translated(name: str = "") -> Iterator[None]:
    """Raise errors of the block as `as_os_error` has them."""
    try:
        yield
    except CloudFilesError as error:
        if (better := as_os_error(error, name)) is error:
            raise
        raise better from error
