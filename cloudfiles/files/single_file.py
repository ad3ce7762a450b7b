"""Single files: download one from a URL, upload one to a URL.

A `url` is http(s), or any cloudpath (`s3://bucket/key`, `file:///a/b`). Web servers are asked by byte ranges,
`chunk_size` bytes a request, all of one and the same object; an upload is one request. Without a `pool` our own
client does it, with three retries after up to 1, 2 and 4 seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO
from urllib.parse import unquote

import urllib3

from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.batch.store import checked_count
from cloudfiles.exceptions import (
    ApiException,
    CloudFilesError,
    DeadlineError,
    IntegrityError,
    InvalidInputError,
    ObjectChangedError,
    TransportError,
    redact,
)
from cloudfiles.files.chunks import (
    BrokenOffError,
    Chunk,
    Download,
    ExchangeError,
    PoolSource,
    Source,
    StoreSource,
    WebSource,
)
from cloudfiles.files.uploads import (
    Callback,
    checked_md5,
    checked_size,
    headers_of,
    put_by_client,
    put_by_pool,
    put_to_store,
)
from cloudfiles.files.web import THREE_RETRIES, Connection, Timeouts, is_web
from cloudfiles.interfaces.file.names import temporary_name
from cloudfiles.interfaces.file.os_errors import write_error
from cloudfiles.interfaces.file.permissions import keep_permissions, permissions_of
from cloudfiles.paths import absolute
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.descriptors import with_descriptor
from cloudfiles.runtime.engine import current_runtime

CHUNK_BYTES = 16 * 1024 * 1024

FIVE_SECONDS = Timeouts(5.0, 5.0)
UPLOAD_TIMEOUTS = Timeouts(5.0, 600.0)
"""A server may think for long about what it was sent before it answers."""


def download_file(url: str, target: Path, chunk_size: int = CHUNK_BYTES,
                  timeout: float | urllib3.Timeout | None = 5.0, pool: urllib3.PoolManager | None = None,
                  callback_func: Callback | None = None) -> tuple[Path, int]:
    """Download a file. It appears at `target` when it is complete; after a failure, nothing of it is left.

    If the server returns no strong ETag, it cannot be proven that several requests read the same version of the
    object: a file larger than one chunk is then read by a single request. The same applies if the server responds to
    range requests with 200, as servers without range support do.

    Args:
        url: the URL of the file.
        target: a file, which is replaced if it exists; or a directory: the name is then the last segment of the URL
            path.
        chunk_size: bytes per request.
        timeout: seconds to wait for a connection, and for the next byte on it: as in urllib3, a number sets both, so
            that large files may take longer. A `urllib3.Timeout` sets each; its `total` is the time that one request (a
            chunk) may take in total, including its retries.
        pool: use the connections and the retry policy of this pool instead of our own; a `total` then limits what
            urllib3 applies it to, the connection and each wait. The latter is also the case for cloudpaths that are no
            http(s) URL.
        callback_func: called with (bytes downloaded, total bytes) after each chunk.

    Returns:
        The file, and its size in bytes.

    Raises:
        ApiException: the server responded with a status other than 200, 206, 413, 429 and 503.
        urllib3.exceptions.HTTPError: failures that persisted after retries: connections, timeouts, 413, 429, 503.
        ObjectChangedError: the object was replaced repeatedly while it was being downloaded.
        LocalFileError: (also an OSError, and of the matching builtin type) the file cannot be written.
    """
    target = target_of(url, target)
    with partial_file(target) as file:
        size = download_fileobj(url, file, chunk_size, timeout, pool, callback_func)
    return target, size


def download_fileobj(url: str, fileobj: BinaryIO, chunk_size: int = CHUNK_BYTES,
                     timeout: float | urllib3.Timeout | None = 5.0, pool: urllib3.PoolManager | None = None,
                     callback_func: Callback | None = None) -> int:
    """Like `download_file`, but into an open binary file, from its current position. Returns the size in bytes.

    After a failure, a part of the content may have been written. If the object is replaced in the meantime, an
    ObjectChangedError is raised if the file is not seekable.
    """
    source = source_of(url, Timeouts.of(timeout, FIVE_SECONDS), pool, timeout)
    download = Download(checked_count("chunk_size", chunk_size, 1))
    begin = Rewindable(fileobj)
    with exchange_errors():
        for chunk in _chunks(source, download, begin):
            write_to(fileobj, chunk.content)
            if callback_func is not None:
                callback_func(download.done, chunk.total)
        if download.in_one:
            read_in_one(source, download, begin, partial(write_to, fileobj), callback_func)
    return download.done


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


def _chunks(source: Source, download: Download, begin: Rewindable) -> Iterator[Chunk]:
    """The chunks in their order, each when it is counted in."""
    while spans := download.spans(source):
        try:
            began = monotonic()
            chunks = _read(source, spans, download.etag)
            download.note_speed(chunks, monotonic() - began)
            yield from download.in_order(spans, chunks)
        except (IntegrityError, ObjectChangedError) as error:
            begin.anew(download, error)


def _read(source: Source, spans: list[tuple[int, int]], etag: str) -> list[Chunk]:
    """The chunks of these ranges, side by side where there are several."""

    def read(span: tuple[int, int]) -> Chunk:
        return source.read(*span, etag)

    if len(spans) == 1:
        return [read(spans[0])]
    return collect(read, spans, Plan(current_runtime(green=True), len(spans)))


# ---- shared with the awaitable twins


def source_of(url: str, timeouts: Timeouts, pool: urllib3.PoolManager | None = None, timeout: Any = None,
              policy: RetryPolicy = THREE_RETRIES) -> Source:
    """What reads `url`. Raises InvalidInputError for a pool where it cannot be used."""
    url = absolute(url)
    if not is_web(url):
        _no_pool(url, pool)
        return StoreSource(url, timeouts)
    if pool is not None:
        return PoolSource(url, pool, timeout)
    return WebSource(Connection(url, timeouts, policy))


def send(url: str, file: BinaryIO, size: int, chunk_size: int, timeout: Any, pool: urllib3.PoolManager | None,
         md5: bytes | None, callback: Callback | None, headers: Mapping[str, str] | None,
         policy: RetryPolicy = THREE_RETRIES) -> None:
    """Send the file to `url` by what fits."""
    url = absolute(url)
    timeouts = Timeouts.of(timeout, UPLOAD_TIMEOUTS)
    if not is_web(url):
        _no_pool(url, pool)
        put_to_store(url, timeouts, file, size, chunk_size, md5, headers, callback)
    elif pool is None:
        put_by_client(Connection(url, timeouts, policy), file, size, chunk_size, headers_of(md5, headers), callback)
    else:
        timeout = urllib3.Timeout(connect=timeouts.connect, read=timeouts.read) if timeout is None else timeout
        put_by_pool(url, pool, timeout, file, size, chunk_size, headers_of(md5, headers), callback)


def _no_pool(url: str, pool: Any) -> None:
    if pool is not None:
        raise InvalidInputError(f"pool= is supported for http:// and https:// only, not for {redact(url)!r}")


def target_of(url: str, target: Path) -> Path:
    """The file that a download makes. Raises InvalidInputError where the URL names none for a directory."""
    target = Path(target)
    if not target.is_dir():
        return target
    url = absolute(url)
    path = url.partition("://")[2].partition("#")[0].partition("?")[0] if is_web(url) else url.partition("://")[2]
    name = path.rpartition("/")[2] if "/" in path else ""
    # Decoded, a name may hold what leads out of the directory.
    name = (unquote(name) if is_web(url) else name).replace("\\", "/").rpartition("/")[2]
    if name in ("", ".", "..") or not name.isprintable() or os.path.splitdrive(name)[0]:
        raise InvalidInputError(f"{redact(url)!r} does not end in a file name; pass a file as target, not the "
                                f"directory {target}")
    return target / name


@contextmanager
def partial_file(target: Path) -> Iterator[BinaryIO]:
    """A new file beside `target` that takes its place when the block ends well, and else is removed."""
    temporary = target.parent / temporary_name()
    try:
        with _writing_errors(target):
            file = with_descriptor(_create, temporary)
        try:
            keep_permissions(file.fileno(), permissions_of(target))
            yield file
        finally:
            with _writing_errors(target):
                file.close()
        with _writing_errors(target):
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _create(path: Path) -> BinaryIO:
    return open(path, "xb")


@contextmanager
def _writing_errors(target: Path | str) -> Iterator[None]:
    """A block whose errors of the operating system are about the file `target`."""
    try:
        yield
    except OSError as error:
        raise write_error(error, str(target)) from error


def write_to(file: BinaryIO, content: bytes | memoryview) -> None:
    """Write all of `content`. Raises FileSystemError: an error of the disk is none of the connection."""
    with _writing_errors(str(getattr(file, "name", ""))):
        file.write(content)


def read_in_one(source: Source, download: Download, begin: Rewindable, write: Callable[[Any], object],
                report: Callback | None) -> None:
    """Read an object by one request, and anew where that breaks off."""
    while True:
        try:
            download.read_in_one(source, write, report)
            return
        except DeadlineError:
            raise
        except (IntegrityError, ObjectChangedError, TransportError) as error:
            if not download.done and not isinstance(error, BrokenOffError):
                raise
            begin.anew(download, error)


class Rewindable:
    """Where a download begins in an open file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        try:
            self._start = file.tell() if file.seekable() else None
        except (AttributeError, OSError):
            self._start = None

    def anew(self, download: Download, cause: CloudFilesError) -> None:
        """Forget what was downloaded. Raises the cause where that cannot be, or has been too often."""
        if self._start is None and download.done:
            raise cause
        download.begin_anew(cause)
        if self._start is not None:
            self._file.seek(self._start)
            self._file.truncate()


@contextmanager
def exchange_errors() -> Iterator[None]:
    """A block whose failed exchanges become errors that are urllib3's as well."""
    try:
        yield
    except (ApiException, ExchangeError):
        raise
    except TransportError as error:
        raise exchange_error(error) from error


def exchange_error(error: CloudFilesError) -> ExchangeError:
    return ExchangeError(str(error.args[0]) if error.args else "", path=error.path, store=error.store,
                         attempts=error.attempts, elapsed=error.elapsed)


__all__ = ["ApiException", "ExchangeError", "download_file", "download_fileobj", "upload_file", "upload_fileobj"]
