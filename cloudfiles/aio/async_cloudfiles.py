"""`AsyncCloudFiles`: the verbs of `CloudFiles`, awaited."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from cloudfiles.aio.channels import channel_to_hub, channel_to_thread, iterate_in_hub
from cloudfiles.aio.concurrency_limiter import ConcurrencyLimiter
from cloudfiles.aio.executors import dedicated_thread, iterate_in_thread, pool, run_cancellable
from cloudfiles.batch.processes import is_parallel
from cloudfiles.batch.reader import weight
from cloudfiles.batch.writer import is_scalar
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.inputs import is_path
from cloudfiles.interfaces import interface_class

if TYPE_CHECKING:
    from cloudfiles.aio.async_datalake import AsyncDataLake

_BATCHES = 4
"""Concurrent batches of one store, each with its own workers; further batches wait."""

_STREAM_BYTES = 256 * 1024 * 1024


class AsyncCloudFiles:
    """Async counterpart of `CloudFiles`: batch operations on the objects below one cloudpath, for asyncio.

    Methods, arguments, results and exceptions are those of `CloudFiles`. Methods are awaited; `stream` and `list` are
    iterated with `async for`::

        cf = AsyncCloudFiles("s3://bucket/dir/")
        contents = await asyncio.gather(*(cf.get(path) for path in paths))
        async for result in cf.stream(paths):
            ...

    Requests run in the engine's gevent hub, so that thousands of concurrent requests need no threads. At most
    `num_threads` single-object calls run at once, and four batches, each with `num_threads` workers. `file://` and
    `mem://`, and batches in other processes (`parallel`), run on a few threads.

    Iterables of paths and files may be collections, async iterables, or iterators; iterators may block, and are
    consumed on a thread. Cancelling the awaiting task aborts the requests in progress and closes their connections;
    objects that were already stored remain.

    Instances may be used from several event loops and threads, and can be pickled.

    Args:
        As for `CloudFiles`.

    Attributes:
        sync: the `CloudFiles` of the same store.
    """

    def __init__(self, cloudpath: str, **options: Any) -> None:
        self._bind(CloudFiles(cloudpath, **options))

    @classmethod
    def of(cls, cloudfiles: CloudFiles) -> AsyncCloudFiles:
        """The async counterpart of a `CloudFiles`, for the same store."""
        twin = cls.__new__(cls)
        twin._bind(cloudfiles)
        return twin

    def _bind(self, cloudfiles: CloudFiles) -> None:
        self.sync = cloudfiles
        self._ones = ConcurrencyLimiter(max(1, cloudfiles.num_threads))
        self._batches = ConcurrencyLimiter(_BATCHES)
        self._unbound = ConcurrencyLimiter()
        self._is_local = interface_class(cloudfiles.protocol).is_local

    def __getstate__(self) -> dict[str, Any]:
        return {"sync": self.sync}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._bind(state["sync"])

    def __repr__(self) -> str:
        return f"Async{self.sync!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsyncCloudFiles) and self.sync == other.sync

    def __hash__(self) -> int:
        return hash(self.sync)

    @property
    def cloudpath(self) -> str:
        return self.sync.cloudpath

    @property
    def protocol(self) -> str:
        return self.sync.protocol

    # ---- reading

    async def get(self, paths: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.get`."""
        return await self._call(self.sync.get, paths, *args, **options)

    async def get_json(self, paths: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.get_json`."""
        return await self._call(self.sync.get_json, paths, *args, **options)

    async def head(self, paths: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.head`."""
        return await self._call(self.sync.head, paths, *args, **options)

    async def get_acl(self, paths: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.get_acl`."""
        return await self._call(self.sync.get_acl, paths, *args, **options)

    async def exists(self, paths: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.exists`."""
        return await self._call(self.sync.exists, paths, *args, **options)

    async def size(self, paths: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.size`."""
        return await self._call(self.sync.size, paths, *args, **options)

    def stream(self, paths: Any, *, max_bytes: int = _STREAM_BYTES, **options: Any) -> AsyncGenerator[Any, None]:
        """See `CloudFiles.stream`: yields the results of `get` as they arrive, while the download continues.

        Leaving the loop early aborts the requests in progress; `contextlib.aclosing` ensures that this happens at once.
        """
        half = max(1, max_bytes // 2)  # one for the batch, one for what waits here
        return self._iterate(self.sync.stream, paths, half, max_bytes=half, **options)

    # ---- writing

    async def put(self, path: str, content: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.put`."""
        return await self._call(self.sync.put, path, content, *args, **options)

    async def puts(self, files: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.puts`."""
        return await self._call(self.sync.puts, files, *args, **options)

    async def put_json(self, path: str, content: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.put_json`."""
        return await self._call(self.sync.put_json, path, content, *args, **options)

    async def put_jsons(self, files: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.put_jsons`."""
        return await self._call(self.sync.put_jsons, files, *args, **options)

    async def touch(self, paths: Any, *args: Any, **options: Any) -> None:
        """As `CloudFiles.touch`."""
        await self._call(self.sync.touch, paths, *args, **options)

    async def delete(self, paths: Any, *args: Any, **options: Any) -> int:
        """As `CloudFiles.delete`."""
        count: int = await self._call(self.sync.delete, paths, *args, **options)
        return count

    # ---- listing

    def list(self, prefix: str = "", **options: Any) -> AsyncGenerator[Any, None]:
        """As `CloudFiles.list`."""
        return self._iterate(self.sync.list, prefix, **options)

    def __aiter__(self) -> AsyncIterator[str]:
        return self.list()

    async def isdir(self, prefix: str = "") -> bool:
        """As `CloudFiles.isdir`."""
        found: bool = await self._call(self.sync.isdir, prefix)
        return found

    async def subtree_size(self, prefix: Any = "") -> dict[str, int]:
        """As `CloudFiles.subtree_size`."""
        sizes: dict[str, int] = await self._call(self.sync.subtree_size, prefix)
        return sizes

    # ---- directories

    def ls(self, path: str = "", **options: Any) -> AsyncGenerator[Any, None]:
        """As `CloudFiles.ls`."""
        return self._iterate(self.sync.ls, path, **options)

    def find(self, path: str = "", **options: Any) -> AsyncGenerator[Any, None]:
        """As `CloudFiles.find`."""
        return self._iterate(self.sync.find, path, **options)

    async def du(self, paths: Any = "") -> dict[str, int]:
        """As `CloudFiles.du`."""
        sizes: dict[str, int] = await self._call(self.sync.du, paths)
        return sizes

    async def rm(self, paths: Any, *args: Any, **options: Any) -> int:
        """As `CloudFiles.rm`."""
        count: int = await self._call(self.sync.rm, paths, *args, **options)
        return count

    async def presign(self, path: str, expires: float = 3600, method: str = "GET") -> str:
        """As `CloudFiles.presign`."""
        url: str = await self._call(self.sync.presign, path, expires, method)
        return url

    async def compose(self, paths: Any, dest: str, **options: Any) -> str | None:
        """As `CloudFiles.compose`."""
        return cast("str | None", await self._call(self.sync.compose, paths, dest, **options))

    async def data_lake(self) -> AsyncDataLake:
        """As `CloudFiles.data_lake`, with verbs to be awaited."""
        from cloudfiles.aio.async_datalake import AsyncDataLake

        return AsyncDataLake(await self._call(lambda _: self.sync.data_lake(), ""), self._call)

    # ---- moving

    async def transfer_to(self, cf_dest: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.transfer_to`; `cf_dest` may be an AsyncCloudFiles."""
        return await self._move(self.sync.transfer_to, cf_dest, *args, **options)

    async def transfer_from(self, cf_src: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.transfer_from`; `cf_src` may be an AsyncCloudFiles."""
        return await self._move(self.sync.transfer_from, cf_src, *args, **options)

    async def move(self, src: str, dest: str) -> None:
        """As `CloudFiles.move`."""
        await self._move(self.sync.move, src, dest)

    async def moves(self, cf_dest: Any, *args: Any, **options: Any) -> Any:
        """As `CloudFiles.moves`; `cf_dest` may be an AsyncCloudFiles."""
        return await self._move(self.sync.moves, cf_dest, *args, **options)

    # ---- where it runs

    async def _move(self, verb: Callable[..., Any], other: Any, *args: Any, **options: Any) -> Any:
        """A verb that may have a disk at either end: on a thread of its own, from where it uses the hub."""
        other = other.sync if isinstance(other, AsyncCloudFiles) else other
        with dedicated_thread() as executor:
            return await run_cancellable(executor, partial(verb, other, *args, **options))

    async def _call(self, verb: Callable[..., Any], what: Any, *args: Any, **options: Any) -> Any:
        """`verb(what, ...)`: in the hub where it waits for a network, else on a thread."""
        one = is_path(what) or isinstance(what, Mapping) or is_scalar(what)
        parallel = options.get("parallel")
        in_threads = self._is_local or (
            not one and is_parallel(self.sync.parallel if parallel is None else parallel))
        if one or isinstance(what, Collection) or not isinstance(what, Iterable | AsyncIterable):
            work = partial(verb, what, *args, **options)
            if in_threads:
                return await run_cancellable(pool(), work)
            return await (self._ones if one else self._batches).run(work)
        async with AsyncExitStack() as stack:
            # What feeds a batch may wait for others of this store: it must not stand in line with them.
            if in_threads:
                executor = stack.enter_context(dedicated_thread())
                items = await _feed_thread(what, stack)
                return await run_cancellable(executor, partial(verb, items, *args, **options))
            items = await _feed_hub(what, stack)
            return await self._unbound.run(partial(verb, items, *args, **options))

    async def _iterate(self, verb: Callable[..., Iterator[Any]], what: Any, most: int = 1, **options: Any
                       ) -> AsyncGenerator[Any, None]:
        """The items of `verb(what, ...)`: run in the hub where it waits for a network, else on a thread."""
        async with AsyncExitStack() as stack:
            if self._is_local:
                executor = stack.enter_context(dedicated_thread())
                items = await _feed_thread(what, stack)
                results = iterate_in_thread(executor, verb(items, **options))
            else:
                fed = isinstance(what, Iterable | AsyncIterable) and not isinstance(what, Collection)
                items = await _feed_hub(what, stack) if fed else what
                results = iterate_in_hub(partial(verb, items, **options), most, _weight)
            stack.push_async_callback(results.aclose)
            async for result in results:
                yield result


def _weight(item: Any) -> int:
    return weight(item) if isinstance(item, dict) else 0


async def _feed_thread(what: Any, stack: AsyncExitStack) -> Any:
    """`what` as a thread can iterate it."""
    return await stack.enter_async_context(channel_to_thread(what)) if isinstance(what, AsyncIterable) else what


async def _feed_hub(what: Any, stack: AsyncExitStack) -> Any:
    """An iterable that is no collection, as the hub can iterate it: what may block blocks a thread of its own."""
    if not isinstance(what, AsyncIterable):
        what = iterate_in_thread(stack.enter_context(dedicated_thread()), what)
    return await stack.enter_async_context(channel_to_hub(what))
