"""Downloads of single files, chunk by chunk.

A `url` is http(s), or any cloudpath (`s3://bucket/key`, `file:///a/b`). From web servers, `chunk_size` bytes are
requested at a time, all of the same version of the object. Without a `pool`, our own client does it, with three retries
after up to 1, 2 and 4 seconds.
"""


from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO
from urllib.parse import unquote

import urllib3

from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.exceptions import (
    CloudFilesError,
    DeadlineError,
    IntegrityError,
    InvalidInputError,
    ObjectChangedError,
    TransportError,
    redact,
)
from cloudfiles.files.chunk_sources import Chunk, PoolSource, Source, StoreSource, WebSource
from cloudfiles.files.chunked_download import Download
from cloudfiles.files.exchange_errors import BrokenOffError, exchange_errors
from cloudfiles.files.web_endpoint import (
    CHUNK_BYTES,
    THREE_RETRIES,
    Callback,
    Timeouts,
    WebEndpoint,
    check_no_pool,
    is_web,
)
from cloudfiles.interfaces.file.os_errors import write_error
from cloudfiles.interfaces.file.permissions import keep_permissions, permissions_of
from cloudfiles.interfaces.file.temporaries import temporary_name
from cloudfiles.option_checks import checked_count
from cloudfiles.paths import absolute
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.descriptors import with_descriptor
from cloudfiles.runtime.hub_engine import current_runtime
from cloudfiles.transport.concurrency.adaptive_width import WorkerShare, max_width

DOWNLOAD_TIMEOUTS = Timeouts(5.0, 5.0)


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
    source = source_of(url, Timeouts.of(timeout, DOWNLOAD_TIMEOUTS), pool, timeout)
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


def _chunks(source: Source, download: Download, begin: Rewindable) -> Iterator[Chunk]:
    """The chunks in order, each as soon as it is verified to belong to the others."""
    while spans := download.spans(source):
        try:
            began = monotonic()
            chunks = read_chunks(source, spans, download.etag)
            download.note_speed(chunks, monotonic() - began)
            yield from download.in_order(spans, chunks)
        except (IntegrityError, ObjectChangedError) as error:
            begin.rewind(download, error)


def read_chunks(source: Source, spans: list[tuple[int, int]], etag: str) -> list[Chunk]:
    """The chunks of these ranges, read concurrently if there are several."""

    def read(span: tuple[int, int]) -> Chunk:
        return source.read(*span, etag)

    origin = source.origin
    if len(spans) == 1 or origin is None:
        return [read(span) for span in spans]
    runtime = current_runtime(green=True)
    return collect(read, spans, Plan(runtime, share=lambda: WorkerShare(lambda: (origin,), runtime, max_width())))


def source_of(url: str, timeouts: Timeouts, pool: urllib3.PoolManager | None = None, timeout: Any = None,
              policy: RetryPolicy = THREE_RETRIES) -> Source:
    """The source that reads `url`. Raises InvalidInputError for a pool that cannot be used."""
    url = absolute(url)
    if not is_web(url):
        check_no_pool(url, pool)
        return StoreSource(url, timeouts)
    if pool is not None:
        return PoolSource(url, pool, timeout)
    return WebSource(WebEndpoint(url, timeouts, policy))


def target_of(url: str, target: Path) -> Path:
    """The file to download to. Raises InvalidInputError if `target` is a directory and the URL has no file name."""
    target = Path(target)
    if not target.is_dir():
        return target
    url = absolute(url)
    path = url.partition("://")[2].partition("#")[0].partition("?")[0] if is_web(url) else url.partition("://")[2]
    name = path.rpartition("/")[2] if "/" in path else ""
    # A decoded name may lead out of the directory.
    name = (unquote(name) if is_web(url) else name).replace("\\", "/").rpartition("/")[2]
    if name in ("", ".", "..") or not name.isprintable() or os.path.splitdrive(name)[0]:
        raise InvalidInputError(f"{redact(url)!r} does not end in a file name; pass a file as target, not the "
                                f"directory {target}")
    return target / name


@contextmanager
def partial_file(target: Path) -> Iterator[BinaryIO]:
    """A temporary file next to `target` that replaces it if the block succeeds, and is removed otherwise."""
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
    """A block whose OSErrors are raised as errors about the file `target`."""
    try:
        yield
    except OSError as error:
        raise write_error(error, str(target)) from error


def write_to(file: BinaryIO, content: bytes | memoryview) -> None:
    """Write all of `content`. Raises FileSystemError, so that errors of the disk are not taken for network errors."""
    with _writing_errors(str(getattr(file, "name", ""))):
        file.write(content)


def read_in_one(source: Source, download: Download, begin: Rewindable, write: Callable[[Any], object],
                report: Callback | None) -> None:
    """Read an object by a single request, and again if that breaks off."""
    while True:
        try:
            download.read_in_one(source, write, report)
            return
        except DeadlineError:
            raise
        except (IntegrityError, ObjectChangedError, TransportError) as error:
            if not download.done and not isinstance(error, BrokenOffError):
                raise
            begin.rewind(download, error)


class Rewindable:
    """The position in an open file at which a download starts."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        try:
            self._start = file.tell() if file.seekable() else None
        except (AttributeError, OSError):
            self._start = None

    def rewind(self, download: Download, cause: CloudFilesError) -> None:
        """Start again. Raises the cause if the file cannot be rewound, or if that has happened too often."""
        if self._start is None and download.done:
            raise cause
        download.restart(cause)
        if self._start is not None:
            self._file.seek(self._start)
            self._file.truncate()
