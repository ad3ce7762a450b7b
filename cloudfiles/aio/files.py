"""Async counterparts of the functions in `cloudfiles.files`.

Requests run in the engine's hub, writes to disk in an executor, and callbacks in the event loop. Thousands of calls may
run concurrently; the number of requests that are in progress at a time is found for each server, and at most 64 for
uploads to cloudpaths. Their files take at most a quarter of the descriptors of the process: calls beyond that wait
before they open theirs. Cancelling the task closes its connection, and a cancelled download leaves no file behind.

aiohttp is not used, but its objects are accepted from existing programs: the `limit` of a `connector` bounds the
concurrent requests of all calls that use it, and the `total`, `sock_connect` and `sock_read` of a `ClientTimeout` are
respected.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

from cloudfiles.aio.concurrency_limiter import ConcurrencyLimiter
from cloudfiles.aio.executors import pool, run_cancellable
from cloudfiles.aio.loop_dispatcher import current_dispatcher
from cloudfiles.exceptions import CloudFilesError, IntegrityError, InvalidInputError, ObjectChangedError
from cloudfiles.files.chunk_sources import Chunk, Source
from cloudfiles.files.chunked_download import Download
from cloudfiles.files.exchange_errors import ExchangeError, exchange_errors
from cloudfiles.files.file_download import (
    DOWNLOAD_TIMEOUTS,
    Rewindable,
    partial_file,
    read_in_one,
    source_of,
    target_of,
    write_to,
)
from cloudfiles.files.file_upload import checked_md5, checked_size, send
from cloudfiles.files.web_endpoint import CHUNK_BYTES, Callback, Timeouts, is_web
from cloudfiles.interfaces import interface_class
from cloudfiles.interfaces.http.urls import WebAddress
from cloudfiles.option_checks import checked_count
from cloudfiles.paths import extract, normalize
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.descriptors import descriptor_limit
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.transport.concurrency.adaptive_width import WorkerShare, max_width
from cloudfiles.transport.request import Origin

__all__ = ["download_file", "download_fileobj", "upload_file", "upload_fileobj"]

AsyncCallback = Callable[[int, int], Awaitable[None]]
"""Awaited with (bytes done, total bytes)."""

_MAX_REQUESTS = 64
"""Maximum number of concurrent requests to servers that are not known in advance, as for uploads to cloudpaths."""

_file_rooms: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()
_has_room: ContextVar[bool] = ContextVar("_has_room", default=False)
_connector_limiters: weakref.WeakKeyDictionary[Any, ConcurrencyLimiter] = weakref.WeakKeyDictionary()


async def download_file(url: str, target: Path, chunk_size: int = CHUNK_BYTES, timeout: Any = None,
                        connector: Any = None, executor: Executor | None = None, retries: int = 3,
                        backoff_factor: float = 1.0, callback_func: AsyncCallback | None = None) -> tuple[Path, int]:
    """Async counterpart of `cloudfiles.download_file`, with the same results and exceptions.

    Args:
        url, target, chunk_size: as for `cloudfiles.download_file`.
        timeout: seconds that one chunk may take in total, including its retries (or an aiohttp `ClientTimeout`, or a
            `urllib3.Timeout`, with this as `total`); None: no limit except 5 seconds for a connection, and for the next
            byte on it.
        connector: its `limit` bounds the concurrent requests of all calls that use it.
        executor: runs the opening, writing and renaming of the file; None for the default executor of the loop.
        retries: retries of each request, in addition to the first attempt.
        backoff_factor: maximum seconds to wait before the first retry; this doubles for each further retry.
        callback_func: awaited with (bytes downloaded, total bytes) after each chunk.

    Raises:
        The exceptions of `cloudfiles.download_file`. If aiohttp is loaded, failures that persisted after retries are
        also an `aiohttp.ClientError`.
    """
    target = await _run(executor, target_of, url, target)
    async with _room_for_file(), _async_context(executor, partial_file(target)) as file:
        size = await download_fileobj(url, file, chunk_size, timeout, connector, executor, retries, backoff_factor,
                                      callback_func)
    return target, size


async def download_fileobj(url: str, fileobj: BinaryIO, chunk_size: int = CHUNK_BYTES, timeout: Any = None,
                           connector: Any = None, executor: Executor | None = None, retries: int = 3,
                           backoff_factor: float = 1.0, callback_func: AsyncCallback | None = None) -> int:
    """Async counterpart of `cloudfiles.download_fileobj`; the arguments are those of `download_file`."""
    timeouts = Timeouts.of(_wait_timeouts(timeout), DOWNLOAD_TIMEOUTS)
    source = source_of(url, timeouts, policy=_policy(retries, backoff_factor))
    download = Download(checked_count("chunk_size", chunk_size, 1))
    target_file = Rewindable(fileobj)
    with _aiohttp_errors():
        async with aclosing(_chunks(source, download, target_file, url, connector, timeout)) as chunks:
            async for chunk in chunks:
                await _run(executor, write_to, fileobj, chunk.content)
                if callback_func is not None:
                    await callback_func(download.done, chunk.total)
        if download.in_one:
            async with _callback_for_threads(callback_func) as report:
                await _exchange(url, source.origin, connector, timeout, partial(
                    read_in_one, source, download, target_file, partial(_write_in_thread, fileobj), report))
    return download.done


def _write_in_thread(file: BinaryIO, piece: bytes | memoryview) -> None:
    """Write in a native thread, so that the engine's hub is not blocked."""
    blocking_runtime().run_in_thread(write_to, file, bytes(piece))


async def _chunks(source: Source, download: Download, target_file: Rewindable, url: str, connector: Any, timeout: Any
                  ) -> AsyncGenerator[Chunk, None]:
    """The chunks of a download in order. If the object changed meanwhile, they start again from the beginning."""
    while spans := download.spans(source):
        try:
            began = monotonic()
            chunks = await _gather_or_cancel([
                _exchange(url, source.origin, connector, timeout, partial(source.read, *span, download.etag))
                for span in spans])
            download.note_speed(chunks, monotonic() - began)
            for chunk in download.in_order(spans, chunks):
                yield chunk
        except (IntegrityError, ObjectChangedError) as error:
            target_file.rewind(download, error)


async def upload_file(url: str, file_path: Path, chunk_size: int = CHUNK_BYTES, timeout: Any = None,
                      connector: Any = None, md5: bytes | None = None, executor: Executor | None = None,
                      retries: int = 3, backoff_factor: float = 1.0, callback_func: AsyncCallback | None = None,
                      headers: Mapping[str, str] | None = None) -> int:
    """Async counterpart of `cloudfiles.upload_file`, with the same results and exceptions.

    Args:
        url, file_path, chunk_size, md5, headers: as for `cloudfiles.upload_file`.
        timeout: seconds that the upload may take in total, including its retries (or an aiohttp `ClientTimeout`, or a
            `urllib3.Timeout`); None: no limit except 5 seconds for a connection, and 10 minutes for the next byte on
            it.
        executor: opens the file and determines its size; None for the default executor of the loop. While it is sent,
            the file is read by threads of the engine.
        connector, retries, backoff_factor: as for `download_file`.
        callback_func: awaited with (bytes uploaded, total bytes).
    """
    async with _room_for_file(), _async_context(executor, _opened(file_path)) as file:
        return await upload_fileobj(url, file, chunk_size, timeout, connector, md5, executor, retries, backoff_factor,
                                    callback_func, headers)


async def upload_fileobj(url: str, fileobj: BinaryIO, chunk_size: int = CHUNK_BYTES, timeout: Any = None,
                         connector: Any = None, md5: bytes | None = None, executor: Executor | None = None,
                         retries: int = 3, backoff_factor: float = 1.0, callback_func: AsyncCallback | None = None,
                         headers: Mapping[str, str] | None = None) -> int:
    """Async counterpart of `cloudfiles.upload_fileobj`; the arguments are those of `upload_file`."""
    chunk_size = checked_count("chunk_size", chunk_size, 1)
    policy = _policy(retries, backoff_factor)
    size: int = await _run(executor, checked_size, fileobj)
    with _aiohttp_errors():
        async with _callback_for_threads(callback_func) as report:
            origin = WebAddress(extract(normalize(url))).origin if is_web(url) else None
            await _exchange(url, origin, connector, timeout, partial(
                send, url, fileobj, size, chunk_size, _wait_timeouts(timeout), None, checked_md5(md5), report, headers,
                policy))
    return size


# ---- exchanges


def _policy(retries: int, backoff_factor: float) -> RetryPolicy:
    if not backoff_factor >= 0:
        raise InvalidInputError(f"backoff_factor: expected a number of seconds >= 0, got {backoff_factor!r}")
    return RetryPolicy(attempts=1 + checked_count("retries", retries), window=float(backoff_factor))


def _wait_timeouts(timeout: Any) -> Any:
    """The timeouts of single waits: a number limits the whole exchange instead."""
    return None if isinstance(timeout, int | float) else timeout


async def _exchange(url: str, origin: Origin | None, connector: Any, timeout: Any, work: Callable[[], Any]) -> Any:
    """Run `work()`, which makes requests to `url`, of which `origin` is the server if it is known. Raises
    ExchangeError if it exceeds the total timeout."""
    if interface_class(extract(normalize(url)).protocol).traits.is_local:
        doing: Coroutine[Any, Any, Any] = run_cancellable(pool(), work)
    else:
        doing = _limiter_of(connector, origin).run(work)
    total = timeout if isinstance(timeout, int | float) else getattr(timeout, "total", None)
    try:
        return await asyncio.wait_for(doing, total)
    except asyncio.TimeoutError as error:
        if isinstance(error, CloudFilesError):
            raise  # of a request
        raise ExchangeError(f"timed out: it took longer than {total} seconds") from error


async def _gather_or_cancel(works: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """The results in order. The first failure cancels the others, and so does being cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise


def _limiter_of(connector: Any, origin: Origin | None) -> ConcurrencyLimiter:
    """That of the connector; without one, that of the server."""
    if connector is None:
        return _limiter_of_server(origin)
    limiter = _connector_limiters.get(connector)
    if limiter is None:
        limit = getattr(connector, "limit", None) or None  # aiohttp: 0 is no limit
        limiter = _connector_limiters[connector] = ConcurrencyLimiter(limit)
    return limiter


@functools.cache
def _limiter_of_server(origin: Origin | None) -> ConcurrencyLimiter:
    """The limiter of all calls to a server, for which the number of requests is found; None for unknown servers."""
    if origin is None:
        return ConcurrencyLimiter(_MAX_REQUESTS)
    return ConcurrencyLimiter(share_of=lambda runtime: WorkerShare(lambda: (origin,), runtime, max_width()))


@contextmanager
def _aiohttp_errors() -> Iterator[None]:
    """Failed exchanges in this block raise an ExchangeError, which is also an aiohttp.ClientError if that is loaded."""
    try:
        with exchange_errors():
            yield
    except ExchangeError as error:
        if "aiohttp" not in sys.modules:
            raise
        both = _client_error_class()(str(error.args[0]), path=error.path, store=error.store, attempts=error.attempts,
                                     elapsed=error.elapsed)
        raise both from error


@functools.cache
def _client_error_class() -> type[ExchangeError]:
    aiohttp = sys.modules["aiohttp"]

    class ClientExchangeError(ExchangeError, aiohttp.ClientError):  # type: ignore[name-defined, misc]
        """An ExchangeError for programs that catch aiohttp.ClientError."""

        def __reduce__(self) -> tuple[Any, ...]:
            return _plain_error, (self.args, dict(self.__dict__))

    return ClientExchangeError


def _plain_error(args: tuple[Any, ...], state: dict[str, Any]) -> ExchangeError:
    """The unpickled error: aiohttp may not be loaded in that process."""
    error = ExchangeError(*args)
    error.__dict__.update(state)
    return error


# ---- files and callbacks


async def _run(executor: Executor | None, function: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(executor, function, *args)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with open(path, "rb") as file:
        yield file


@asynccontextmanager
async def _room_for_file() -> AsyncIterator[None]:
    """Wait while the files of other calls in this loop take a quarter of the descriptors that the process may have.

    A call that the callback of another one makes does not wait: that one would be waiting for it.
    """
    if _has_room.get():
        yield
        return
    loop = asyncio.get_running_loop()
    rooms = _file_rooms.get(loop)
    if rooms is None:
        rooms = _file_rooms[loop] = asyncio.Semaphore(max(1, descriptor_limit() // 4))
    async with rooms:
        token = _has_room.set(True)
        try:
            yield
        finally:
            _has_room.reset(token)


@asynccontextmanager
async def _async_context(executor: Executor | None, manager: AbstractContextManager[BinaryIO]
                         ) -> AsyncIterator[BinaryIO]:
    """An async context manager from one that may block on entering and leaving. Once entered, it is always left."""
    entering = asyncio.ensure_future(_run(executor, manager.__enter__))
    try:
        value = await _finish_if_cancelled(entering)
    except asyncio.CancelledError as error:
        if entering.exception() is None:
            await _leave(executor, manager, error)
        raise
    try:
        yield value
    except BaseException as error:
        await _leave(executor, manager, error)
        raise
    await _leave(executor, manager, None)


async def _leave(executor: Executor | None, manager: AbstractContextManager[Any], error: BaseException | None) -> None:
    how = (None, None, None) if error is None else (type(error), error, error.__traceback__)
    await _finish_if_cancelled(asyncio.ensure_future(_run(executor, manager.__exit__, *how)))


async def _finish_if_cancelled(work: asyncio.Future[Any]) -> Any:
    """Await `work`; if this task is cancelled, wait for the end of `work` first."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


@asynccontextmanager
async def _callback_for_threads(callback: AsyncCallback | None) -> AsyncIterator[Callback | None]:
    """A function for other threads, whose calls await `callback` in this loop, one after the other."""
    if callback is None:
        yield None
        return
    dispatcher = current_dispatcher()
    reports: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue()

    async def tell() -> None:
        while (report := await reports.get()) is not None:
            await callback(*report)

    telling = asyncio.ensure_future(tell())
    try:
        yield lambda done, total: dispatcher.post(reports.put_nowait, (done, total))
        dispatcher.post(reports.put_nowait, None)
        await telling
    finally:
        telling.cancel()
        await asyncio.wait([telling])
