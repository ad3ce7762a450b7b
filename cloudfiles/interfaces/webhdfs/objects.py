"""The namespace below one cloudpath, and requests for one file or directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from cloudfiles import logger
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    InvalidPathError,
    MissingObjectError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    TruncatedBodyError,
    UnsupportedOperationError,
)
from cloudfiles.http_dates import http_date
from cloudfiles.interfaces.documents import count
from cloudfiles.interfaces.file.temporaries import temporary_name
from cloudfiles.interfaces.webhdfs.checksum import FileChecksum, checksum_of
from cloudfiles.interfaces.webhdfs.endpoint import Dialect
from cloudfiles.interfaces.webhdfs.names import check_key
from cloudfiles.interfaces.webhdfs.protocol import WebHdfsProtocol
from cloudfiles.interfaces.webhdfs.renaming import rename
from cloudfiles.interfaces.webhdfs.requests import DocumentOperation, Operation
from cloudfiles.runtime.cancellation import shielded
from cloudfiles.runtime.contract import Runtime
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Body, FileBody, Response
from cloudfiles.transport.web_page import is_html_type, unreadable
from cloudfiles.transport.wire import Head
from cloudfiles.types import WriteOptions

_WHAT = "the status of a file"

_CHECKED_BYTES = 1 << 20
"""Bytes of a put from which its checksum is compared: that takes two more requests."""


_DISCARD = 10.0
"""Seconds for which the removal of a temporary file is tried."""

_TWICE = ": DataNodes of Hadoop 2 decode a '%' in a name as an escape"


class FileStatus(NamedTuple):
    """A file or directory.

    Attributes:
        name: the name of a child in a listing; '' for the path itself.
        size: bytes; 0 for a directory.
        modified: milliseconds since the epoch.
        file_id: the number of the inode; None if the server does not report it (HttpFS).
        block_size: bytes.
        document: all that the server reports.
    """

    name: str
    is_directory: bool
    size: int
    modified: int
    file_id: int | None
    block_size: int
    document: Mapping[str, Any]

    @classmethod
    def of(cls, document: Any) -> FileStatus:
        """The status in a JSON document. Raises ProtocolError."""
        if not isinstance(document, dict):
            raise ProtocolError(f"{_WHAT} is a JSON {type(document).__name__}, not an object")
        kind, name = document.get("type"), document.get("pathSuffix", "")
        if kind not in ("FILE", "DIRECTORY", "SYMLINK") or not isinstance(name, str):
            raise ProtocolError(f"{_WHAT} has the type {str(kind)[:100]!r} and the name {str(name)[:100]!r}")
        file_id = document.get("fileId")
        return cls(name, kind == "DIRECTORY", count(document.get("length"), "length", _WHAT),
                   count(document.get("modificationTime"), "modificationTime", _WHAT),
                   file_id if type(file_id) is int else None, count(document.get("blockSize", 0), "blockSize", _WHAT),
                   document)

    @property
    def etag(self) -> str:
        """An ETag of inode, modification time and size, which a replaced or extended file does not share.

        Weak without the number of the inode. A file that is written in place keeps it if its size stays the same and
        it is written twice within a millisecond.
        """
        if self.file_id is None:
            return f'W/"{self.modified:x}-{self.size:x}"'
        return f'"{self.modified:x}-{self.size:x}-{self.file_id:x}"'

    @property
    def last_modified(self) -> str:
        return http_date(self.modified // 1000)


class Namespace:
    """The files below one cloudpath.

    Attributes:
        name: the protocol, for error messages.
        root: the absolute path of the cloudpath, with a slash at its end.
    """

    def __init__(self, client: Client, runtime: Runtime, protocol: WebHdfsProtocol, dialect: Dialect, name: str,
                 root: str) -> None:
        self.client = client
        self.runtime = runtime
        self.protocol = protocol
        self.dialect = dialect
        self.name = name
        self.root = root

    def path(self, key: str) -> str:
        """The absolute path of a key; of '', that of the cloudpath. Raises InvalidPathError."""
        if not key:
            return self.root.rstrip("/") or "/"
        check_key(key, self.name)
        return self.root + key

    # ---- sending

    def run(self, method: str, op: str, path: str, key: str | None, parameters: Mapping[str, str] | None = None, *,
            idempotent: bool = True) -> Response:
        """Execute an operation without content."""
        response: Response = self.client.send(Operation(
            self.protocol, self.dialect, method, op, path, key, parameters, idempotent=idempotent))
        return response

    def ask(self, op: str, field: str, path: str, key: str | None,
            parameters: Mapping[str, str] | None = None, *, method: str = "GET", redirected: bool = False) -> Any:
        """A field of the document with which the server answers; None if the path is missing."""
        request = DocumentOperation(self.protocol, self.dialect, method, op, path, key, parameters,
                                    exchanges_content=redirected)
        request.field = field
        return self.client.send(request)

    # ---- one file or directory

    def status(self, path: str, key: str | None) -> FileStatus | None:
        """The file or directory; None if it is missing."""
        document = self.ask("GETFILESTATUS", "FileStatus", path, key)
        return None if document is None else FileStatus.of(document)

    def file_status(self, key: str) -> FileStatus | None:
        """The status of an object; None if it is missing, or a directory."""
        found = self.status(self.path(key), key)
        return None if found is None or found.is_directory else found

    def required(self, key: str) -> FileStatus:
        """The file or directory. Raises MissingObjectError."""
        found = self.status(self.path(key), key or None)
        if found is None:
            raise MissingObjectError("there is no such file or directory", path=key or None)
        return found

    def make_directory(self, path: str, key: str | None) -> None:
        """Create a directory and its parents."""
        if self.ask("MKDIRS", "boolean", path, key, method="PUT") is not True:
            raise ServerError(f"the server has not created the directory {path}", path=key)

    def remove(self, path: str, key: str | None, *, recursive: bool = False) -> bool:
        """Remove a file or directory; False if it is missing.

        Raises ServerError for a directory that is not empty, unless `recursive`.
        """
        return self.ask("DELETE", "boolean", path, key, {"recursive": str(recursive).lower()}, method="DELETE") is True

    def checksum(self, path: str, key: str | None) -> FileChecksum | None:
        """The checksum that the DataNodes compute; None if the server has none, or one of another kind."""
        document = self.ask("GETFILECHECKSUM", "FileChecksum", path, key, redirected=self.dialect.two_steps)
        return FileChecksum.of(document)


# ---- reading


class OpenRequest(Operation):
    """Reads the bytes `[start:end]` of a file, which must exist. An interrupted body is continued.

    Attributes:
        was_interrupted: the result consists of two bodies: the caller has to check that both are of the same file.
        is_strict: a body that is shorter than expected is an error; otherwise, it is returned.
    """

    __slots__ = ("_end", "_pieces", "_start", "is_strict", "was_interrupted")

    def __init__(self, namespace: Namespace, path: str, key: str, start: int, end: int) -> None:
        self._start, self._end = start, end
        self._pieces: list[bytes] = []
        self.was_interrupted = False
        self.is_strict = False
        super().__init__(namespace.protocol, namespace.dialect, "GET", "OPEN", path, key, exchanges_content=True)

    def parameters(self) -> Mapping[str, str]:
        offset = self._start + self.resumable_bytes()
        return {"offset": str(offset), "length": str(self._end - offset), **self._parameters}

    def size_class(self) -> int:
        size = self._end - self._start
        return (size > 1 << 20) + (size > 16 << 20)

    def max_body_size(self, head: Head) -> int | None:
        return self._end - self._start if head.status == 200 else super().max_body_size(head)

    def on_incomplete_body(self, head: Head, received: bytes) -> None:
        if head.status == 200 and received and not is_html_type(head.headers):
            self._pieces.append(received)
            self.was_interrupted = True

    def resumable_bytes(self) -> int:
        return sum(map(len, self._pieces))

    def accept(self, response: Response) -> bytes | None:
        if self.protocol.is_missing(response):
            return None
        if response.status != 200:
            raise self.to_error(response)
        if is_html_type(response.headers):  # WebHDFS reports no other type than application/octet-stream
            raise unreadable("the response to OPEN", response, "is a web page", self.path)
        content = b"".join((*self._pieces, response.content)) if self._pieces else response.content
        if len(content) > self._end - self._start:
            self._pieces.clear()
            raise ProtocolError(f"requested {self._end - self._start} bytes, but received {len(content)}",
                                path=self.path)
        if self.is_strict and len(content) < self._end - self._start:
            self._pieces.clear()
            raise TruncatedBodyError(f"requested {self._end - self._start} bytes, which exist, but received "
                                     f"{len(content)}", path=self.path)
        return content


def read(namespace: Namespace, key: str, start: int, end: int, etag: str, *, pin: bool) -> bytes | None:
    """The bytes `[start:end]` of a file; None if it has been replaced or removed since it had this `etag`.

    pin: the content is certainly that of this version. Otherwise, of it or of a later one, but never of both.
    """
    path = namespace.path(key)
    if "%" in path:
        _check_percent(namespace, path, key)
    request = OpenRequest(namespace, path, key, start, end)
    try:
        content: bytes | None = namespace.client.send(request)
    except ServerError:
        if _is_version(namespace, key, etag):
            raise
        return None  # a file that has become shorter: the range is not in it
    is_whole = content is not None and len(content) == end - start
    if is_whole and not pin and not request.was_interrupted:
        return content
    if not _is_version(namespace, key, etag):
        return None
    if is_whole:
        return content
    request = OpenRequest(namespace, path, key, start, end)
    request.is_strict = True
    content = namespace.client.send(request)
    if not _is_version(namespace, key, etag):
        return None
    if content is None:
        raise ServerError(f"the NameNode has the file, but the DataNode does not find it{_TWICE * ('%' in path)}",
                          path=key)
    return content


def _check_percent(namespace: Namespace, path: str, key: str) -> None:
    """Raise InvalidPathError if a DataNode that decodes the path twice would read another file."""
    other = unquote(path)
    if other != path and namespace.status(other, key) is not None:
        raise InvalidPathError(f"there is also {other!r}, which would be read instead{_TWICE}", path=key)


def _is_version(namespace: Namespace, key: str, etag: str) -> bool:
    status = namespace.file_status(key)
    return status is not None and status.etag == etag


# ---- writing


class TemporaryFile:
    """A file that is written under another name in the directory of its key, and then renamed to it."""

    def __init__(self, namespace: Namespace, key: str) -> None:
        self._namespace = namespace
        self.key = key
        self.target = namespace.path(key)
        self.path = f"{self.target.rpartition('/')[0]}/{temporary_name()}"
        self._may_exist = False

    def write(self, content: Body, parameters: Mapping[str, str] | None = None) -> FileStatus:
        """Write the content, and compare what was stored: its checksum if it is large, else its size."""
        namespace = self._namespace
        request = Operation(namespace.protocol, namespace.dialect, "PUT", "CREATE", self.path, self.key,
                            {"overwrite": "true", **(parameters or {})}, content, exchanges_content=True)
        try:
            namespace.client.send(request)
        except (AuthorizationError, InvalidPathError):
            raise  # it cannot have been created
        except BaseException:
            self._may_exist = request.has_sent_content
            raise
        self._may_exist = True
        status = namespace.status(self.path, self.key)
        if status is None and "%" in self.path:
            namespace.remove(unquote(self.path), self.key)
            raise InvalidPathError(f"the server has stored the content in another directory{_TWICE}", path=self.key)
        if status is None or status.size != len(content):
            raise TruncatedBodyError(f"the server has stored {status and status.size} of {len(content)} bytes",
                                     path=self.key)
        if len(content) >= _CHECKED_BYTES and namespace.dialect.checksums:
            self._check(content, status)
        return status

    def _check(self, content: Body, status: FileStatus) -> None:
        """Raises IntegrityError if the server has stored other bytes."""
        try:
            stored = self._namespace.checksum(self.path, self.key)
        except UnsupportedOperationError:
            return
        if stored is not None:
            pieces = content.pieces() if isinstance(content, FileBody) else (content,)
            computed = self._namespace.runtime.run_in_thread(checksum_of, pieces, stored, status.block_size)
            stored.verify(computed, self.key)

    def publish(self, status: FileStatus, options: WriteOptions) -> None:
        """Rename it to its key. Raises PreconditionFailedError."""
        if options.if_match is not None:
            present = self._namespace.file_status(self.key)
            if present is None or present.etag != options.if_match:
                raise PreconditionFailedError("the object is missing or has another ETag", path=self.key)
        rename(self._namespace, self.path, self.target, self.key, status, overwrite=not options.if_absent)

    def discard(self) -> None:
        """Remove it, if it may exist. Best effort, for some seconds; never raises a CloudFilesError."""
        if not self._may_exist:
            return
        namespace = self._namespace
        request = Operation(namespace.protocol, namespace.dialect, "DELETE", "DELETE", self.path, self.key,
                            {"recursive": "false"})
        request.deadline = namespace.client.clock.monotonic() + _DISCARD
        try:
            with shielded():
                namespace.client.send(request)
        except CloudFilesError as error:
            logger.warning("%s: a temporary file remains: %s", self.path, error)
