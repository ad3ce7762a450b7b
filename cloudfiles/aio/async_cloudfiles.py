"""`AsyncCloudFiles`: the methods of `CloudFiles`, awaited."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any

from cloudfiles.aio.async_read import AsyncReadVerbs
from cloudfiles.aio.async_runner import awaited, awaited_in_thread, iterated, twin_of
from cloudfiles.aio.async_write import AsyncWriteVerbs
from cloudfiles.cloudfiles import CloudFiles, CloudFilesOptions
from cloudfiles.lib import StrPath
from cloudfiles.results import SizeSummary

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cloudfiles.aio.async_datalake import AsyncDataLake


class AsyncCloudFiles(AsyncReadVerbs, AsyncWriteVerbs):
    """Async counterpart of `CloudFiles`: batch operations on the objects below one cloudpath, for asyncio.

    It has the methods of `CloudFiles`, with the same arguments, results and exceptions. They are awaited, but for those
    that return an iterator (`stream`, `list`, `ls`, `find`), which are iterated over with `async for`, and those that
    only join or split paths::

        cf = AsyncCloudFiles("s3://bucket/dir/")
        contents = await asyncio.gather(*(cf.get(path) for path in paths))
        async for result in cf.stream(paths):
            ...

    Requests run in the engine's gevent hub, so that thousands of concurrent requests need no threads. At most
    `num_threads` single-object calls run at once, and four batches, each with `num_threads` workers; if it is not
    given, the number is found for all of them together. `file://` and `mem://`, and batches in other processes
    (`parallel`), run on a few threads.

    Iterables of paths and files may be collections, async iterables, or iterators; iterators may block, and are
    consumed on a thread. Cancelling the awaiting task aborts the requests in progress and closes their connections;
    objects that were already stored remain.

    Instances may be used from several event loops and threads, and can be pickled.

    Args:
        cloudpath, options: as for `CloudFiles`.

    Attributes:
        sync: the `CloudFiles` of the same store, which also has its options (`num_threads`, `secrets`, ...).
    """

    def __init__(self, cloudpath: StrPath, **options: Unpack[CloudFilesOptions]) -> None:
        self._bind(CloudFiles(cloudpath, **options))

    @classmethod
    def of(cls, cloudfiles: CloudFiles) -> AsyncCloudFiles:
        """The async counterpart of a `CloudFiles`, for the same store."""
        twin = cls.__new__(cls)
        twin._bind(cloudfiles)
        return twin

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
        """As `CloudFiles.cloudpath`."""
        return self.sync.cloudpath

    @property
    def protocol(self) -> str:
        """As `CloudFiles.protocol`."""
        return self.sync.protocol

    # ---- listing and directories

    list = iterated(CloudFiles.list)
    ls = iterated(CloudFiles.ls)
    find = iterated(CloudFiles.find)
    isdir = awaited(CloudFiles.isdir)

    def __aiter__(self) -> AsyncIterator[str]:
        return self.list()

    @twin_of(CloudFiles.du)
    async def du(self, paths: StrPath | Iterable[StrPath] | AsyncIterable[StrPath] = "") -> SizeSummary:
        sizes: SizeSummary = await self._call(self.sync.du, paths)
        return sizes

    @twin_of(CloudFiles.subtree_size)
    async def subtree_size(self, prefix: StrPath | Iterable[StrPath] | AsyncIterable[StrPath] = "") -> SizeSummary:
        sizes: SizeSummary = await self._call(self.sync.subtree_size, prefix)
        return sizes

    mkdir = awaited(CloudFiles.mkdir)
    rmdir = awaited(CloudFiles.rmdir)
    rename = awaited_in_thread(CloudFiles.rename)

    # ---- transfers

    transfer_to = awaited_in_thread(CloudFiles.transfer_to)
    transfer_from = awaited_in_thread(CloudFiles.transfer_from)
    move = awaited_in_thread(CloudFiles.move)
    moves = awaited_in_thread(CloudFiles.moves)
    sync_to = awaited_in_thread(CloudFiles.sync_to)
    verify = awaited_in_thread(CloudFiles.verify)

    # ---- the store

    presign = awaited(CloudFiles.presign)
    discard_partial = awaited(CloudFiles.discard_partial)

    async def clear_locks(self) -> None:
        """Remove lock files that are not held by any process."""
        await self._call(lambda _: self.sync.clear_locks(), "")

    async def data_lake(self) -> AsyncDataLake:
        """As `CloudFiles.data_lake`; the methods of the result are awaited."""
        from cloudfiles.aio.async_datalake import AsyncDataLake

        return AsyncDataLake(await self._call(lambda _: self.sync.data_lake(), ""), self._call)

    # ---- paths; these are not awaited

    def join(self, *paths: StrPath) -> str:
        """As `CloudFiles.join`; not awaited."""
        return self.sync.join(*paths)

    def abspath(self, path: StrPath) -> str:
        """As `CloudFiles.abspath`; not awaited."""
        return self.sync.abspath(path)

    def dirname(self, path: StrPath) -> str:
        """As `CloudFiles.dirname`; not awaited."""
        return self.sync.dirname(path)

    def basename(self, path: StrPath) -> str:
        """As `CloudFiles.basename`; not awaited."""
        return self.sync.basename(path)
