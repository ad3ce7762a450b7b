"""Uploads of single files, each by one request."""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import urllib3

from cloudfiles.addresses import split_object
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import (
    InvalidInputError,
    MD5IntegrityError,
    UnusableFileError,
)
from cloudfiles.files.exchange_errors import exchange_errors, pool_error, unexpected
from cloudfiles.files.web_endpoint import (
    CHUNK_BYTES,
    THREE_RETRIES,
    Callback,
    Timeouts,
    WebEndpoint,
    check_no_pool,
    is_web,
)
from cloudfiles.option_checks import checked_count
from cloudfiles.paths import absolute
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.transport.request import FileBody, Request, Response

_STORE_HEADERS = {"content-type": "content_type", "cache-control": "cache_control"}
"""Headers of an upload that are options of `put` if the store is not a web server."""

UPLOAD_TIMEOUTS = Timeouts(5.0, 600.0)
"""A server may take long to process an upload before it responds."""


def upload_file(url: str, file_path: Path, chunk_size: int = CHUNK_BYTES,
                timeout: float | urllib3.Timeout | None = None, pool: urllib3.PoolManager | None = None,
                md5: bytes | None = None, callback_func: Callback | None = None,
                headers: Mapping[str, str] | None = None) -> int:
    """Upload a file with a single PUT request.

    Args:
        url: the URL to upload to.
        file_path: the file, which must not be empty.
        chunk_size: bytes between two calls of the callback.
        timeout: as for `download_file`, where the whole upload is one request; None for 5 seconds and 10 minutes.
        pool: use the connections and the retry policy of this pool instead of our own.
        md5: the MD5 digest of the file (16 bytes), which is sent so that the server can verify the content.
        callback_func: called with (bytes uploaded, total bytes).
        headers: additional request headers.

    Returns:
        The size of the file in bytes.

    Raises:
        IOError: the file cannot be read, or is empty.
        ApiException: the server responded with a status that is neither a success nor 413, 429 or 503.
        urllib3.exceptions.HTTPError: as for `download_file`.
    """
    with open(file_path, "rb") as file:
        return upload_fileobj(url, file, chunk_size, timeout, pool, md5, callback_func, headers)


def upload_fileobj(url: str, fileobj: BinaryIO, chunk_size: int = CHUNK_BYTES,
                   timeout: float | urllib3.Timeout | None = None, pool: urllib3.PoolManager | None = None,
                   md5: bytes | None = None, callback_func: Callback | None = None,
                   headers: Mapping[str, str] | None = None) -> int:
    """Like `upload_file`, but for the whole content of an open binary file, which must be seekable."""
    chunk_size = checked_count("chunk_size", chunk_size, 1)
    size = checked_size(fileobj)
    with exchange_errors():
        send(url, fileobj, size, chunk_size, timeout, pool, checked_md5(md5), callback_func, headers)
    return size


def send(url: str, file: BinaryIO, size: int, chunk_size: int, timeout: Any, pool: urllib3.PoolManager | None,
         md5: bytes | None, callback: Callback | None, headers: Mapping[str, str] | None,
         policy: RetryPolicy = THREE_RETRIES) -> None:
    """Send the file to `url`, by the client for it."""
    url = absolute(url)
    timeouts = Timeouts.of(timeout, UPLOAD_TIMEOUTS)
    if not is_web(url):
        check_no_pool(url, pool)
        put_to_store(url, timeouts, file, size, chunk_size, md5, headers, callback)
    elif pool is None:
        put_by_client(WebEndpoint(url, timeouts, policy), file, size, chunk_size, headers_of(md5, headers), callback)
    else:
        timeout = urllib3.Timeout(connect=timeouts.connect, read=timeouts.read) if timeout is None else timeout
        put_by_pool(url, pool, timeout, file, size, chunk_size, headers_of(md5, headers), callback)


def checked_size(file: BinaryIO) -> int:
    """The size of an open file, which is rewound. Raises UnusableFileError (an IOError)."""
    if isinstance(file, io.TextIOBase) or not hasattr(file, "read"):
        raise UnusableFileError(f"expected a file opened in binary mode (mode='rb'), got {file!r}")
    if not (hasattr(file, "seekable") and file.seekable()):
        raise UnusableFileError(f"expected a seekable file, as retries need to rewind it, got {file!r}")
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if not size:
        raise UnusableFileError(f"{file!r} is empty")
    return size


def checked_md5(md5: bytes | None) -> bytes | None:
    if md5 is not None and (not isinstance(md5, bytes) or len(md5) != 16):
        raise InvalidInputError("md5: expected a digest of 16 bytes, such as hashlib.md5(content).digest()")
    return md5


def headers_of(md5: bytes | None, headers: Mapping[str, str] | None) -> dict[str, str]:
    """The headers of a PUT, with lower-case names. Raises InvalidInputError for values that no header can contain."""
    given = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
    for name, value in given.items():
        if not (name + value).isprintable():
            raise InvalidInputError(f"the header {name!r} contains a line break or another control character")
    return given if md5 is None else {**given, "content-md5": b64encode(md5).decode("ascii")}


class ProgressFile(io.RawIOBase):
    """An open file that reports its progress while it is read: every `chunk_size` bytes, and at its end."""

    def __init__(self, file: BinaryIO, size: int, chunk_size: int, callback: Callback | None) -> None:
        self._file = file
        self._size = size
        self._chunk_size = chunk_size
        self._callback = callback
        self._reported = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        at = self._file.seek(offset, whence)
        self._reported = min(self._reported, at)
        return at

    def read(self, size: int | None = -1) -> bytes:
        self.report(self._file.tell())  # everything read before has been sent by now
        return self._file.read(-1 if size is None else size)

    def report(self, done: int) -> None:
        """Call the callback after another chunk, and at the end."""
        if done - self._reported >= self._chunk_size or (done == self._size and self._reported < done):
            self._reported = done
            if self._callback is not None:
                self._callback(done, self._size)


class FilePut(Request):
    """A PUT of a file; every 2xx status is a success."""

    __slots__ = ()

    def accept(self, response: Response) -> None:
        if not 200 <= response.status < 300:
            raise unexpected(self, response)


def put_by_client(to: WebEndpoint, file: BinaryIO, size: int, chunk_size: int, headers: dict[str, str],
                  callback: Callback | None) -> None:
    """Send the file by our own client."""
    source = ProgressFile(file, size, chunk_size, callback)

    def read(length: int) -> bytes:
        return blocking_runtime().run_in_thread(source.read, length)  # which a green thread must not wait for

    body = FileBody(source, size, read, min(chunk_size, FileBody.PIECE))  # type: ignore[arg-type]  # a RawIOBase is as good as a BinaryIO
    to.send(FilePut(to.origin, "PUT", to.target, {**to.headers, **headers}, body, protocol=to.protocol(),
                    path=to.shown))
    source.report(size)


def put_by_pool(url: str, pool: urllib3.PoolManager, timeout: Any, file: BinaryIO, size: int, chunk_size: int,
                headers: dict[str, str], callback: Callback | None) -> None:
    """Send the file over connections (and by the retry policy) of a urllib3 PoolManager."""
    source = ProgressFile(file, size, chunk_size, callback)
    answer = pool.request("PUT", url, body=source, headers={**headers, "content-length": str(size)}, timeout=timeout)
    if not 200 <= answer.status < 300:
        raise pool_error(answer, {name.lower(): value for name, value in answer.headers.items()})
    source.report(size)


def put_to_store(cloudpath: str, timeouts: Timeouts, file: BinaryIO, size: int, chunk_size: int, md5: bytes | None,
                 headers: Mapping[str, str] | None, callback: Callback | None) -> None:
    """Store the file under any cloudpath. Raises MD5IntegrityError if the file does not match `md5`."""
    given = headers_of(None, headers)
    unknown = set(given) - set(_STORE_HEADERS)
    if unknown:
        raise InvalidInputError(f"the headers {sorted(unknown)} are supported for web servers only; supported here: "
                                f"{list(_STORE_HEADERS)}")
    if md5 is not None:
        _check_md5(file, md5)
    directory, key = split_object(cloudpath)
    store = CloudFiles(directory, connect_timeout=timeouts.connect, read_timeout=timeouts.read, encoding_suffixes=False)
    source = ProgressFile(file, size, chunk_size, callback)
    options: dict[str, Any] = {_STORE_HEADERS[name]: value for name, value in given.items()}
    store.put(key, source, **options)
    source.report(size)


def _check_md5(file: BinaryIO, md5: bytes) -> None:
    hasher = hashlib.md5(usedforsecurity=False)
    while piece := file.read(1 << 20):
        hasher.update(piece)
    file.seek(0)
    if hasher.digest() != md5:
        raise MD5IntegrityError(f"md5 mismatch: the file has {hasher.hexdigest()}, expected {md5.hex()}")
