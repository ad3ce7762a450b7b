"""Every error that cloudfiles raises, in one hierarchy.

`CloudFilesError` is the root. Errors of bad input are also `ValueError`, so that they
read naturally to a program that checks its arguments. All of them pickle (they cross
process boundaries in parallel batches) and none of them shows a secret.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any

__all__ = [
    "AmbiguousPathError",
    "ApiException", "Attempt", "AuthorizationError", "CRC32CIntegrityError", "CertificateError", "CloudFilesError",
    "CompressionError", "ConfigurationError", "ConnectionFailedError", "DecompressionError", "DuplicatePathError",
    "FileSystemError", "IntegrityError", "InvalidInputError", "InvalidJSONError", "InvalidPathError", "JournalError",
    "LocalFileError", "LocalPathError", "LocalPermissionError", "LockingError", "MD5IntegrityError",
    "MissingCredentialsError", "MissingExtraError", "MissingObjectError", "ObjectChangedError",
    "PreconditionFailedError", "ProtocolError", "RequestTimeoutError", "ServerError", "TransferFailedError",
    "TransportError", "TruncatedBodyError", "UnsupportedCompressionType", "UnsupportedOperationError",
    "UnsupportedProtocolError", "UnusableFileError", "WorkerError", "redact",
]

# What a secret looks like where it may turn up in a message: query parameters that sign a
# URL (SigV4, V4 of GCS, SAS), header values that authenticate, and passwords in a URL.
_SECRET = re.compile(
    r"(?i)((?:x-amz-signature|x-amz-security-token|x-amz-credential|x-goog-signature|x-goog-credential"
    r"|awsaccesskeyid|signature|sig|access_token|token|api[-_]?key|password|passwd|secret|(?<=[?&])(?:key|auth|pwd))=)"
    r"[^&\s'\"]+"
    r"|((?:authorization|x-amz-security-token|proxy-authorization|cookie)['\"]?\s*[:=]\s*['\"]?)[^'\"\r\n]+"
    r"|(://[^/\s:]*:)[^/\s]+(?=@)"
    r"|(https?://)[^/\s:@]+(?=@[^@/\s]*(?:[/\s]|\Z))"  # a token in the place of a user
)


def redact(text: str) -> str:
    """`text` with the values of signatures, tokens and passwords replaced by `***`."""
    return _SECRET.sub(lambda m: next(g for g in m.groups() if g) + "***", text)


@dataclass(frozen=True)
class Attempt:
    """One try of a request that failed: its cause in words, and how long it then waited."""

    cause: str
    elapsed: float  # seconds since the first attempt began, when this one failed
    waited: float = 0.0  # seconds of backoff after it


class CloudFilesError(Exception):
    """Root of all errors of this package.

    Attributes:
        path: the key or path concerned, or None.
        store: the cloudpath of the store concerned, or None.
        attempts: the tries that failed before this was raised, oldest first.
        elapsed: seconds from the first try to the error, 0.0 where nothing was tried.
    """

    def __init__(self, message: str = "", *, path: str | None = None, store: str | None = None,
                 attempts: tuple[Attempt, ...] = (), elapsed: float = 0.0) -> None:
        self._init_builtin(redact(message))
        self.path = path
        self.store = store and redact(store)
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


# ---- bad input: raised before a byte is sent or a file is touched


class InvalidInputError(CloudFilesError, ValueError):
    """An argument that cannot work; the message names what was given and what would do."""


class InvalidPathError(InvalidInputError):
    """A malformed cloudpath, or a key that the protocol cannot hold."""


class AmbiguousPathError(InvalidPathError):
    """Two local files are one key, as `a` and `a.gz` are where suffixes show encodings; the message names both."""


class DuplicatePathError(InvalidInputError):
    """The same path twice in one batch of writes."""


class UnsupportedProtocolError(InvalidInputError):
    """A protocol that cloudfiles does not speak."""


class UnsupportedCompressionType(InvalidInputError):  # noqa: N818 -- the name existing programs catch
    """A compression that cloudfiles does not know."""


class ConfigurationError(InvalidInputError):
    """Settings, secrets files or environment variables that contradict each other or cannot be read."""


class UnsupportedOperationError(CloudFilesError, NotImplementedError):
    """The protocol, or this server, cannot do what was asked."""


class MissingExtraError(CloudFilesError, ImportError):
    """An optional dependency is not installed; the message names the pip command."""


# ---- rights


class AuthorizationError(CloudFilesError):
    """The store refused the request: 401, 403, or a local permission."""


class MissingCredentialsError(AuthorizationError):
    """No credentials were found; the message says where they were looked for."""


# ---- data


class IntegrityError(CloudFilesError):
    """Bytes do not match the digest or the length that the store gave for them."""


class MD5IntegrityError(IntegrityError):
    """An md5 does not match."""


class CRC32CIntegrityError(IntegrityError):
    """A crc32c does not match."""


class TooLargeError(CloudFilesError):
    """What a server sends is larger than is read into memory, or than memory is. It is not asked for again."""


class CompressionError(CloudFilesError):
    """Content could not be compressed."""


class DecompressionError(CloudFilesError):
    """A stored stream is corrupt, truncated, or larger than allowed once decoded.

    Attributes:
        is_too_large: it is that it is larger.
    """

    is_too_large = False


class InvalidJSONError(CloudFilesError, json.JSONDecodeError):
    """Content that was to be JSON is none.

    Attributes:
        msg, pos, lineno, colno: what is wrong, and where, as in `json.JSONDecodeError`. `doc`, the text, is not kept.
    """

    def __init__(self, message: str = "", *, pos: int = 0, lineno: int = 1, colno: int = 1, **context: Any) -> None:
        super().__init__(message, **context)
        self.msg, self.doc, self.pos, self.lineno, self.colno = message, "", pos, lineno, colno

    def _init_builtin(self, message: str) -> None:
        ValueError.__init__(self, message)


class MissingObjectError(CloudFilesError, FileNotFoundError):
    """There is no object to move or copy. Reads do not raise it: to them a missing object is None."""


class ObjectChangedError(CloudFilesError):
    """The object was replaced while it was being read in pieces."""


class PreconditionFailedError(CloudFilesError):
    """A conditional write was refused: the object exists, or its ETag is another one."""


class JournalError(InvalidInputError):
    """The journal of a resumable transfer is missing, of another format, or of another transfer."""


class TransferFailedError(CloudFilesError):
    """A transfer ended, and some objects could not be carried; the others were.

    Attributes:
        report: what came of each, a `cloudfiles.transfer.report.Report`, or None.
    """

    report: Any = None


class LockingError(CloudFilesError):
    """An advisory lock could not be taken."""


class LocalFileError(CloudFilesError, OSError):
    """The local file system refused, or failed.

    Only errors of local files are OSErrors, besides those of which the standard library says the same (a timeout, a
    missing source of a transfer). An error of a store in the network is none: it would be taken for one of the
    connection or the disk.

    Attributes:
        errno: the system's number for it (`errno.ENOSPC`), or None.
    """

    def __init__(self, message: str = "", *, errno: int | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.errno = errno
        self.strerror = None if errno is None else os.strerror(errno)


class FileSystemError(LocalFileError):
    """The local file system failed: disk full, quota, input/output error, too many open files."""


class LocalPermissionError(AuthorizationError, LocalFileError, PermissionError):
    """A local file or directory may not be read, or not be written."""


class MissingDirectoryError(LocalFileError, FileNotFoundError):
    """There is no such local directory to write to."""


class LocalPathError(InvalidPathError, LocalFileError):
    """The local file system cannot hold such a name, or something else is in its way."""


class WorkerError(CloudFilesError):
    """A worker process of `parallel=` did not start, or ended in the middle of its work."""


# ---- transport


class TransportError(CloudFilesError):
    """The exchange with the server failed; the object's state is unknown to the client."""


class ConnectionFailedError(TransportError):
    """No connection, or one that broke: refused, reset, closed, DNS, TLS.

    Attributes:
        nothing_sent: the request surely never left: it may be repeated, whatever it is.
        is_lasting: trying again would not help: the other side speaks no TLS.
        is_unreachable: there may be no such server: its name does not resolve, or its port refuses or says nothing.
    """

    nothing_sent = False
    is_lasting = False
    is_unreachable = False


class CertificateError(TransportError):
    """The server's certificate could not be verified. Trying again would not help."""


class RequestTimeoutError(TransportError, TimeoutError):
    """The server did not answer in time."""


class ProtocolError(TransportError):
    """The server's answer is not valid HTTP, or contradicts itself or the request."""


class TruncatedBodyError(TransportError):
    """A body ended before the length that was announced."""


class ServerError(TransportError):
    """The server answered with a status that is an error.

    Attributes:
        status: the HTTP status, or None.
        code: the provider's own error code (`SlowDown`, `NoSuchBucket`), or ''.
        retry_after: seconds that the server asked to wait, or None.
        is_slow_down: it was refused because there are too many requests.
        is_passing: the same request may succeed later, although its status alone does not say so.
    """

    def __init__(self, message: str = "", *, status: int | None = None, code: str = "",
                 retry_after: float | None = None, is_slow_down: bool = False, is_passing: bool = False,
                 **context: Any) -> None:
        super().__init__(message, **context)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.is_slow_down = is_slow_down
        self.is_passing = is_passing


class ApiException(ServerError):  # noqa: N818 -- the name existing programs catch
    """A web server answered the download or the upload of a file with a status that was not expected.

    Attributes:
        reason: the status in words.
        headers: of the answer, lower-case names to values.
        body: of the answer, as it came.
    """

    def __init__(self, message: str = "", *, reason: str = "", headers: dict[str, str] | None = None,
                 body: bytes = b"", **context: Any) -> None:
        super().__init__(message, **context)
        self.reason = reason
        self.headers = headers or {}
        self.body = body


class UnusableFileError(LocalFileError):
    """A file to upload that is empty, or not open in binary mode, or cannot be gone back in."""
