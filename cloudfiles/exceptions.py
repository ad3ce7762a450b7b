"""The exceptions raised by cloudfiles, in one hierarchy.

`CloudFilesError` is the base class. Exceptions for invalid input are also `ValueError`.
All of them can be pickled (they cross process boundaries in parallel batches), and their
messages never contain a secret.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

from cloudfiles.values import NamedTuple

__all__ = [
    "AccessDeniedError", "AmbiguousPathError",
    "ApiException", "Attempt", "AuthorizationError", "CRC32CIntegrityError", "CertificateError", "CloudFilesError",
    "CompressionError", "ConfigurationError", "ConnectionFailedError", "DecompressionError", "DuplicatePathError",
    "FileSystemError", "IntegrityError", "InvalidInputError", "InvalidJSONError", "InvalidPathError", "JournalError",
    "LocalFileError", "LocalPathError", "LocalPermissionError", "LockingError", "MD5IntegrityError",
    "MissingCredentialsError", "MissingExtraError", "MissingObjectError", "ObjectChangedError",
    "PreconditionFailedError", "ProtocolError", "RequestTimeoutError", "ServerError", "TransferFailedError",
    "TransportError", "TruncatedBodyError", "UnsupportedCompressionType", "UnsupportedOperationError",
    "UnsupportedProtocolError", "UnusableFileError", "WorkerError", "redact",
]

# Patterns of secrets that may appear in messages: query parameters that sign a
# URL (SigV4, V4 of GCS, SAS), header values that authenticate, and passwords in a URL.
_SECRET = (
    r"(?i)((?:x-amz-signature|x-amz-security-token|x-amz-credential|x-goog-signature|x-goog-credential"
    r"|awsaccesskeyid|signature|sig|access_token|delegation|token|api[-_]?key|password|passwd|secret|(?<=[?&])(?:key|auth|pwd))=)"
    r"[^&\s'\"]+"
    r"|((?:authorization|x-amz-security-token|proxy-authorization|cookie)['\"]?\s*[:=]\s*['\"]?)[^'\"\r\n]+"
    r"|(://[^/\s:]*:)[^/\s]+(?=@)"
    r"|(https?://)[^/\s:@]+(?=@[^@/\s]*(?:[/\s]|\Z))"  # a token instead of a user
)


def redact(text: str) -> str:
    """Return `text` with the values of signatures, tokens and passwords replaced by `***`."""
    return re.sub(_SECRET, lambda m: next(g for g in m.groups() if g) + "***", text)


class Attempt(NamedTuple):
    """A failed attempt at a request: its cause, and how long the client waited after it."""

    cause: str
    elapsed: float  # seconds from the start of the first attempt to the failure of this one
    waited: float = 0.0  # seconds of backoff after it


class CloudFilesError(Exception):
    """Base class of all exceptions raised by this package.

    Attributes:
        path: the key or path concerned, or None.
        store: the cloudpath of the store concerned, or None.
        attempts: the failed attempts before this was raised, oldest first.
        elapsed: seconds from the first attempt to the error, 0.0 if nothing was attempted.
    """

    def __init__(self, message: str = "", *, path: str | None = None, store: str | None = None,
                 attempts: tuple[Attempt, ...] = (), elapsed: float = 0.0) -> None:
        self._init_builtin(redact(message))
        self.path = path
        self.store: str | None = store and redact(store)
        self.attempts = attempts
        self.elapsed = elapsed

    def _init_builtin(self, message: str) -> None:
        super().__init__(message)

    def __str__(self) -> str:
        text = str(self.args[0]) if self.args else ""
        where = "/".join(part.rstrip("/") for part in (self.store, self.path) if part)
        if where and not text.startswith(where):
            text = f"{where}: {text}"
        if len(self.attempts) > 1:
            text += f" ({len(self.attempts)} attempts in {self.elapsed:.1f} s)"
        return redact(text)

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take further keyword arguments, so an unpickled error is rebuilt
        # from its state and not by calling __init__ again.
        # `path` is named because OSError and ImportError keep attributes of their own outside of __dict__.
        state = {**self.__dict__, "path": self.path and redact(self.path), "store": self.store and redact(self.store)}
        if isinstance(self, OSError):
            state["errno"], state["strerror"] = self.errno, self.strerror
        return (_rebuild, (type(self), self.args, state))


def _rebuild(cls: type[CloudFilesError], args: tuple[Any, ...], state: dict[str, Any]) -> CloudFilesError:
    # An OSError has to be made by its own __new__, whatever other builtin comes first among the bases.
    error = OSError.__new__(cls, *args) if issubclass(cls, OSError) else cls.__new__(cls, *args)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return error


# ---- invalid input: raised before anything is sent or a file is touched


class InvalidInputError(CloudFilesError, ValueError):
    """An invalid argument; the message says what was expected and what was given."""


class InvalidPathError(InvalidInputError):
    """A malformed cloudpath, or a key that the protocol cannot store."""


class AmbiguousPathError(InvalidPathError):
    """Two local files map to the same key, as `a` and `a.gz` do while suffixes denote encodings.

    The message names both files.
    """


class DuplicatePathError(InvalidInputError):
    """The same path appears twice in one batch of writes."""


class UnsupportedProtocolError(InvalidInputError):
    """A protocol that cloudfiles does not support."""


class UnsupportedCompressionType(InvalidInputError):  # noqa: N818 -- the name existing programs catch
    """A compression method that cloudfiles does not support."""


class ConfigurationError(InvalidInputError):
    """Settings, secrets files or environment variables that are contradictory or cannot be read."""


class UnsupportedOperationError(CloudFilesError, NotImplementedError):
    """The protocol, or this server, does not support the operation."""


class MissingExtraError(CloudFilesError, ImportError):
    """An optional dependency is not installed; the message names the pip command."""


# ---- permissions


class AuthorizationError(CloudFilesError):
    """Access was denied: status 401 or 403, or local file permissions."""


class AccessDeniedError(AuthorizationError, PermissionError):
    """A remote store denied access to a file system of `cloudfiles.filesystem`: status 401 or 403."""


class MissingCredentialsError(AuthorizationError):
    """No credentials were found; the message lists the sources that were searched."""


# ---- data


class IntegrityError(CloudFilesError):
    """The data does not match the digest or the length reported by the store."""


class MD5IntegrityError(IntegrityError):
    """An MD5 digest does not match."""


class CRC32CIntegrityError(IntegrityError):
    """A CRC32C checksum does not match."""


class TooLargeError(CloudFilesError):
    """A response is larger than the limit for reading into memory, or than the memory. It is not retried."""


class CompressionError(CloudFilesError):
    """Content could not be compressed."""


class DecompressionError(CloudFilesError):
    """Stored content is corrupt, truncated, or larger than allowed when decoded.

    Attributes:
        is_too_large: whether it is larger than allowed.
    """

    is_too_large = False


class InvalidJSONError(CloudFilesError, json.JSONDecodeError):
    """The content is not valid JSON.

    Attributes:
        msg, pos, lineno, colno: the problem and its position, as in `json.JSONDecodeError`. `doc` is always empty.
    """

    def __init__(self, message: str = "", *, pos: int = 0, lineno: int = 1, colno: int = 1, **context: Any) -> None:
        super().__init__(message, **context)
        self.msg, self.doc, self.pos, self.lineno, self.colno = message, "", pos, lineno, colno

    def _init_builtin(self, message: str) -> None:
        ValueError.__init__(self, message)


class MissingObjectError(CloudFilesError, FileNotFoundError):
    """The object to open, move or copy does not exist. `get` does not raise this: it returns None."""


class ObjectChangedError(CloudFilesError):
    """The object was replaced while it was being read in multiple requests."""


class PreconditionFailedError(CloudFilesError):
    """The condition of a write was not met: the object already exists, or has a different ETag."""


class ExistingObjectError(PreconditionFailedError, FileExistsError):
    """The object to create, with mode 'x' of `open`, exists already."""


class DirectoryNotEmptyError(PreconditionFailedError):
    """A directory that would have been removed, or replaced, is not empty. Nothing was done."""


class JournalError(InvalidInputError):
    """The journal of a resumable transfer is missing, has another format, or belongs to another transfer."""


class TransferFailedError(CloudFilesError):
    """A transfer finished, but some objects could not be transferred; all others were.

    Attributes:
        report: the outcome, a `cloudfiles.transfer.journal.report.Report`, or None.
    """

    report: Any = None


class LockingError(CloudFilesError):
    """An advisory lock could not be acquired."""


class LocalFileError(CloudFilesError, OSError):
    """An operation on the local file system failed.

    Errors of local files are instances of `OSError`. So are timeouts and a missing source of a transfer, as in the
    standard library. Other errors of remote stores are not, so that they are not mistaken for those of the local disk.

    Attributes:
        errno: the system's error number (such as `errno.ENOSPC`), or None.
    """

    def __init__(self, message: str = "", *, errno: int | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.errno = errno
        self.strerror = None if errno is None else os.strerror(errno)


class FileSystemError(LocalFileError):
    """The local file system failed: disk full, quota exceeded, input/output error, too many open files."""


class LocalPermissionError(AuthorizationError, LocalFileError, PermissionError):
    """No permission to read or write a local file or directory."""


class MissingDirectoryError(LocalFileError, FileNotFoundError):
    """The local directory to write to does not exist."""


class LocalPathError(InvalidPathError, LocalFileError):
    """The local file system cannot store a file of this name, or something else already has it."""


class WorkerError(CloudFilesError):
    """A worker process of `parallel=` did not start, or ended before it finished its work."""


# ---- transport


class TransportError(CloudFilesError):
    """Communication with the server failed; the state of the object is unknown."""


class ConnectionFailedError(TransportError):
    """The connection could not be made, or broke: refused, reset, closed, DNS or TLS failure.

    Attributes:
        nothing_sent: no part of the request was sent, so that any request can be retried.
        is_permanent: retrying would not help: the server does not support TLS.
        is_local: this machine had no file descriptor, port or memory for a connection, which says nothing about the
            server.
        is_unreachable: the server may not exist: its name does not resolve, or its port refuses connections
            or does not respond.
    """

    nothing_sent = False
    is_local = False
    is_permanent = False
    is_unreachable = False


class CertificateError(TransportError):
    """The server's certificate could not be verified. This is not retried."""


class RequestTimeoutError(TransportError, TimeoutError):
    """The server did not respond in time."""


class DeadlineError(RequestTimeoutError):
    """A request, its retries included, took longer than the caller allowed for it in all."""


class ProtocolError(TransportError):
    """The response is not valid HTTP, or contradicts itself or the request."""


class TruncatedBodyError(TransportError):
    """A response body ended before its announced length."""


class ServerError(TransportError):
    """The server responded with an error status.

    Attributes:
        status: the HTTP status code, or None.
        code: the provider's error code (such as `SlowDown` or `NoSuchBucket`), or ''.
        retry_after: seconds the server asked the client to wait, or None.
        is_slow_down: the request was rejected because of too many requests.
        is_transient: the error is transient, although its status alone does not show it.
    """

    def __init__(self, message: str = "", *, status: int | None = None, code: str = "",
                 retry_after: float | None = None, is_slow_down: bool = False, is_transient: bool = False,
                 **context: Any) -> None:
        super().__init__(message, **context)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.is_slow_down = is_slow_down
        self.is_transient = is_transient


class ApiException(ServerError):  # noqa: N818 -- the name existing programs catch
    """A web server responded to the download or upload of a file with an unexpected status.

    Attributes:
        reason: the reason phrase of the status.
        headers: the response headers, a dict with lower-case names.
        body: the response body, as received.
    """

    def __init__(self, message: str = "", *, reason: str = "", headers: dict[str, str] | None = None,
                 body: bytes = b"", **context: Any) -> None:
        super().__init__(message, **context)
        self.reason = reason
        self.headers = headers or {}
        self.body = body


class UnusableFileError(LocalFileError):
    """The file to upload is empty, not open in binary mode, or not seekable."""
