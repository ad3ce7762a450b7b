"""Single files, awaited: the twins of `cloudfiles.files`.

Requests run in the engine's hub, writing to disk in an executor, callbacks in the loop. Thousands at once are fine;
64 requests of them are under way at a time. Cancelling the task closes its connection, and of a download nothing
stays on disk.

The arguments that name aiohttp's classes are taken for the programs that have them, though aiohttp is not used:
of a `connector` the `limit` bounds how many requests of the calls that share it are under way, and of a
`ClientTimeout` the `total`, `sock_connect` and `sock_read` count.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

from cloudfiles.aio.concurrency_limiter import ConcurrencyLimiter
from cloudfiles.aio.executors import pool, run_cancellable
from cloudfiles.aio.loop_dispatcher import current_dispatcher
from cloudfiles.batch.store import checked_count
from cloudfiles.exceptions import IntegrityError, InvalidInputError, ObjectChangedError
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
from cloudfiles.files.web_endpoint import CHUNK_BYTES, Callback, Timeouts
from cloudfiles.interfaces import interface_class
from cloudfiles.paths import extract, normalize
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.hub_engine import blocking_runtime

__all__ = ["download_file", "download_fileobj", "upload_file", "upload_fileobj"]

AsyncCallback = Callable[[int, int], Awaitable[None]]
"""Awaited with the bytes done and the bytes in all."""

_AT_ONCE = 64
"""Requests under way at once, of all calls that name no connector."""

_limiter = ConcurrencyLimiter(_AT_ONCE)
_limiters: weakref.WeakKeyDictionary[Any, ConcurrencyLimiter] = weakref.WeakKeyDictionary()


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
    async with _entered(executor, partial_file(target)) as file:
        size = await download_fileobj(url, file, chunk_size, timeout, connector, executor, retries, backoff_factor,
                                      callback_func)
    return target, size


async def download_fileobj(url: str, fileobj: BinaryIO, chunk_size: int = CHUNK_BYTES, timeout: Any = None,
                           connector: Any = None, executor: Executor | None = None, retries: int = 3,
                           backoff_factor: float = 1.0, callback_func: AsyncCallback | None = None) -> int:
    """Async counterpart of `cloudfiles.download_fileobj`; the arguments are those of `download_file`."""
    source = source_of(url, Timeouts.of(_per_wait(timeout), DOWNLOAD_TIMEOUTS), policy=_policy(retries, backoff_factor))
    download = Download(checked_count("chunk_size", chunk_size, 1))
    begin = Rewindable(fileobj)
    with _client_errors():
        async with aclosing(_chunks(source, download, begin, url, connector, timeout)) as chunks:
            async for chunk in chunks:
                await _run(executor, write_to, fileobj, chunk.content)
                if callback_func is not None:
                    await callback_func(download.done, chunk.total)
        if download.in_one:
            async with _reporting(callback_func) as report:
                await _exchange(url, connector, timeout, partial(
                    read_in_one, source, download, begin, partial(_write_beside, fileobj), report))
    return download.done


def _write_beside(file: BinaryIO, piece: bytes | memoryview) -> None:
    """Write without keeping the engine's hub from its other work."""
    blocking_runtime().run_in_thread(write_to, file, bytes(piece))


async def _chunks(source: Source, download: Download, begin: Rewindable, url: str, connector: Any, timeout: Any
                  ) -> AsyncGenerator[Chunk, None]:
    """The chunks in their order, each when it is counted in."""
    while spans := download.spans(source):
        try:
            began = monotonic()
            chunks = await _together([
                _exchange(url, connector, timeout, partial(source.read, *span, download.etag)) for span in spans])
            download.note_speed(chunks, monotonic() - began)
            for chunk in download.in_order(spans, chunks):
                yield chunk
        except (IntegrityError, ObjectChangedError) as error:
            begin.rewind(download, error)


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
    async with _entered(executor, _opened(file_path)) as file:
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
    with _client_errors():
        async with _reporting(callback_func) as report:
            await _exchange(url, connector, timeout, partial(
                send, url, fileobj, size, chunk_size, _per_wait(timeout), None, checked_md5(md5), report, headers,
                policy))
    return size


# ---- exchanges


def _policy(retries: int, backoff_factor: float) -> RetryPolicy:
    if not backoff_factor >= 0:
        raise InvalidInputError(f"backoff_factor: expected a number of seconds >= 0, got {backoff_factor!r}")
    return RetryPolicy(attempts=1 + checked_count("retries", retries), window=float(backoff_factor))


def _per_wait(timeout: Any) -> Any:
    """A plain number limits the whole, and no single wait."""
    return None if isinstance(timeout, int | float) else timeout


async def _exchange(url: str, connector: Any, timeout: Any, work: Callable[[], Any]) -> Any:
    """`work()`, where requests to `url` are made. Raises ExchangeError when the total timeout is over."""
    if interface_class(extract(normalize(url)).protocol).is_local:
        doing: Coroutine[Any, Any, Any] = run_cancellable(pool(), work)
    else:
        doing = _limiter_of(connector).run(work)
    total = timeout if isinstance(timeout, int | float) else getattr(timeout, "total", None)
    try:
        return await asyncio.wait_for(doing, total)
    except asyncio.TimeoutError as error:
        raise ExchangeError(f"timed out: it took longer than {total} seconds") from error


async def _together(works: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """What they give, in their order. The first failure, and being cancelled, cancel the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise


def _limiter_of(connector: Any) -> ConcurrencyLimiter:
    if connector is None:
        return _limiter
    limiter = _limiters.get(connector)
    if limiter is None:
        limit = getattr(connector, "limit", None) or None  # aiohttp: 0 is no limit
        limiter = _limiters[connector] = ConcurrencyLimiter(limit)
    return limiter


@contextmanager
def _client_errors() -> Iterator[None]:
    """A block whose failed exchanges raise ExchangeErrors: where aiohttp is loaded, of a kind that it knows as well."""
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
        """An ExchangeError for programs that catch aiohttp's."""

        def __reduce__(self) -> tuple[Any, ...]:
            return _plain_error, (self.args, dict(self.__dict__))

    return ClientExchangeError


def _plain_error(args: tuple[Any, ...], state: dict[str, Any]) -> ExchangeError:
    """What is unpickled, perhaps if there is no aiohttp."""
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
async def _entered(executor: Executor | None, manager: AbstractContextManager[BinaryIO]) -> AsyncIterator[BinaryIO]:
    """`async with` of a context manager whose two ends may block. When entered, it is left, whatever is cancelled."""
    entering = asyncio.ensure_future(_run(executor, manager.__enter__))
    try:
        value = await _to_its_end(entering)
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
    await _to_its_end(asyncio.ensure_future(_run(executor, manager.__exit__, *how)))


async def _to_its_end(work: asyncio.Future[Any]) -> Any:
    """Wait for what is not to go on behind the back of a task that was cancelled."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


@asynccontextmanager
async def _reporting(callback: AsyncCallback | None) -> AsyncIterator[Callback | None]:
    """A function for other threads that has `callback` awaited here, one call after the other."""
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
