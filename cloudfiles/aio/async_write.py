"""The methods of `AsyncCloudFiles` that write: put, puts, put_json, put_jsons, compose, touch, delete, rm."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from cloudfiles.aio.async_runner import AsyncRunner, awaited, twin_of
from cloudfiles.batch.processes import Parallel
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.inputs import PutRequest, RawPutRequest
from cloudfiles.lib import StrPath
from cloudfiles.progress import Progress

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor


class AsyncWriteVerbs(AsyncRunner):
    """`WriteVerbs`, awaited; paths and files may also come from an async iterable."""

    put = awaited(CloudFiles.put)
    put_json = awaited(CloudFiles.put_json)
    concat = awaited(CloudFiles.concat)
    compose = awaited(CloudFiles.compose)

    @overload
    async def puts(self, files: PutRequest | Iterable[PutRequest] | AsyncIterable[PutRequest],
                   content_type: str | None = None, compress: str | bool | None = None,
                   compression_level: int | None = None, cache_control: str | None = None, total: int | None = None,
                   raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
                   storage_class: str | None = None, return_recording: Literal[False] = False, *,
                   metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None
                   ) -> int: ...
    @overload
    async def puts(self, files: RawPutRequest | Iterable[RawPutRequest] | AsyncIterable[RawPutRequest],
                   content_type: str | None = None, compress: str | bool | None = None,
                   compression_level: int | None = None, cache_control: str | None = None, total: int | None = None, *,
                   raw: Literal[True], progress: Progress = None, parallel: Parallel | None = None,
                   storage_class: str | None = None, return_recording: Literal[False] = False,
                   metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None
                   ) -> int: ...
    @overload
    async def puts(self, files: RawPutRequest | Iterable[RawPutRequest] | AsyncIterable[RawPutRequest],
                   content_type: str | None = None, compress: str | bool | None = None,
                   compression_level: int | None = None, cache_control: str | None = None, total: int | None = None,
                   raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
                   storage_class: str | None = None, *, return_recording: Literal[True],
                   metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None
                   ) -> tuple[int, TransmissionMonitor]: ...
    @overload
    async def puts(self, files: RawPutRequest | Iterable[RawPutRequest] | AsyncIterable[RawPutRequest],
                   content_type: str | None = None, compress: str | bool | None = None,
                   compression_level: int | None = None, cache_control: str | None = None, total: int | None = None,
                   raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
                   storage_class: str | None = None, *, return_recording: bool,
                   metadata: Mapping[str, str] | None = None, if_absent: bool = False, if_match: str | None = None
                   ) -> Any: ...

    @twin_of(CloudFiles.puts)
    async def puts(self, files: Any, *args: Any, **options: Any) -> Any:
        return await self._call(self.sync.puts, files, *args, **options)

    @overload
    async def put_jsons(self, files: RawPutRequest | Iterable[RawPutRequest] | AsyncIterable[RawPutRequest],
                        compress: str | bool | None = None, compression_level: int | None = None,
                        cache_control: str | None = None, total: int | None = None, raw: bool = False,
                        progress: Progress = None, parallel: Parallel | None = None, storage_class: str | None = None,
                        *, content_type: str | None = "application/json", metadata: Mapping[str, str] | None = None,
                        if_absent: bool = False, if_match: str | None = None, return_recording: Literal[False] = False
                        ) -> int: ...
    @overload
    async def put_jsons(self, files: RawPutRequest | Iterable[RawPutRequest] | AsyncIterable[RawPutRequest],
                        compress: str | bool | None = None, compression_level: int | None = None,
                        cache_control: str | None = None, total: int | None = None, raw: bool = False,
                        progress: Progress = None, parallel: Parallel | None = None, storage_class: str | None = None,
                        *, content_type: str | None = "application/json", metadata: Mapping[str, str] | None = None,
                        if_absent: bool = False, if_match: str | None = None, return_recording: Literal[True]
                        ) -> tuple[int, TransmissionMonitor]: ...
    @overload
    async def put_jsons(self, files: RawPutRequest | Iterable[RawPutRequest] | AsyncIterable[RawPutRequest],
                        compress: str | bool | None = None, compression_level: int | None = None,
                        cache_control: str | None = None, total: int | None = None, raw: bool = False,
                        progress: Progress = None, parallel: Parallel | None = None, storage_class: str | None = None,
                        *, content_type: str | None = "application/json", metadata: Mapping[str, str] | None = None,
                        if_absent: bool = False, if_match: str | None = None, return_recording: bool) -> Any: ...

    @twin_of(CloudFiles.put_jsons)
    async def put_jsons(self, files: Any, *args: Any, **options: Any) -> Any:
        return await self._call(self.sync.put_jsons, files, *args, **options)

    @twin_of(CloudFiles.touch)
    async def touch(self, paths: StrPath | Iterable[StrPath] | AsyncIterable[StrPath], progress: Progress = None,
                    total: int | None = None, nocopy: bool = False, parallel: Parallel | None = None) -> None:
        await self._call(self.sync.touch, paths, progress, total, nocopy, parallel=parallel)

    @twin_of(CloudFiles.delete)
    async def delete(self, paths: StrPath | Iterable[StrPath] | AsyncIterable[StrPath], total: int | None = None,
                     progress: Progress = None, parallel: Parallel | None = None) -> int:
        count: int = await self._call(self.sync.delete, paths, total, progress, parallel=parallel)
        return count

    @twin_of(CloudFiles.rm)
    async def rm(self, paths: StrPath | Iterable[StrPath] | AsyncIterable[StrPath], recursive: bool = False, *,
                 progress: Progress = None, parallel: Parallel | None = None) -> int:
        count: int = await self._call(self.sync.rm, paths, recursive, progress=progress, parallel=parallel)
        return count
