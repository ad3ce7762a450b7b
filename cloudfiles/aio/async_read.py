"""The methods of `AsyncCloudFiles` that read: get, stream, get_json, head, get_acl, exists, size."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any, Literal, overload

from cloudfiles.aio.async_runner import AsyncRunner, twin_of
from cloudfiles.batch.processes import Parallel
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.inputs import ReadRequest
from cloudfiles.lib import StrPath
from cloudfiles.progress import Progress
from cloudfiles.results import GetResult, ObjectHead
from cloudfiles.verbs.read import STREAM_BYTES, STREAM_ITEMS

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor


class AsyncReadVerbs(AsyncRunner):
    """`ReadVerbs`, awaited; paths may also come from an async iterable."""

    @overload
    async def get(  # type: ignore[overload-overlap]
            self, paths: ReadRequest, total: int | None = None, raw: bool = False, progress: Progress = None,
            parallel: Parallel | None = None, return_dict: Literal[False] = False, raise_errors: bool = True,
            part_size: int | None = None, return_recording: Literal[False] = False, *,
            max_decoded_size: int | None = None) -> bytes | None: ...
    @overload
    async def get(self, paths: Iterable[ReadRequest] | AsyncIterable[ReadRequest], total: int | None = None,
                  raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
                  return_dict: Literal[False] = False, raise_errors: bool = True, part_size: int | None = None,
                  return_recording: Literal[False] = False, *, max_decoded_size: int | None = None
                  ) -> list[GetResult]: ...
    @overload
    async def get(self, paths: ReadRequest | Iterable[ReadRequest] | AsyncIterable[ReadRequest],
                  total: int | None = None, raw: bool = False, progress: Progress = None,
                  parallel: Parallel | None = None, *, return_dict: Literal[True], raise_errors: bool = True,
                  part_size: int | None = None, return_recording: Literal[False] = False,
                  max_decoded_size: int | None = None) -> dict[str, bytes | None]: ...
    @overload
    async def get(  # type: ignore[overload-overlap]
            self, paths: ReadRequest, total: int | None = None, raw: bool = False, progress: Progress = None,
            parallel: Parallel | None = None, return_dict: Literal[False] = False, raise_errors: bool = True,
            part_size: int | None = None, *, return_recording: Literal[True],
            max_decoded_size: int | None = None) -> tuple[bytes | None, TransmissionMonitor]: ...
    @overload
    async def get(self, paths: Iterable[ReadRequest] | AsyncIterable[ReadRequest], total: int | None = None,
                  raw: bool = False, progress: Progress = None, parallel: Parallel | None = None,
                  return_dict: Literal[False] = False, raise_errors: bool = True, part_size: int | None = None, *,
                  return_recording: Literal[True], max_decoded_size: int | None = None
                  ) -> tuple[list[GetResult], TransmissionMonitor]: ...
    @overload
    async def get(self, paths: ReadRequest | Iterable[ReadRequest] | AsyncIterable[ReadRequest],
                  total: int | None = None, raw: bool = False, progress: Progress = None,
                  parallel: Parallel | None = None, *, return_dict: Literal[True], raise_errors: bool = True,
                  part_size: int | None = None, return_recording: Literal[True], max_decoded_size: int | None = None
                  ) -> tuple[dict[str, bytes | None], TransmissionMonitor]: ...
    @overload
    async def get(self, paths: ReadRequest | Iterable[ReadRequest] | AsyncIterable[ReadRequest],
                  total: int | None = None, raw: bool = False, progress: Progress = None,
                  parallel: Parallel | None = None, *, return_dict: bool, raise_errors: bool = True,
                  part_size: int | None = None, return_recording: bool = False, max_decoded_size: int | None = None
                  ) -> Any: ...
    @overload
    async def get(self, paths: ReadRequest | Iterable[ReadRequest] | AsyncIterable[ReadRequest],
                  total: int | None = None, raw: bool = False, progress: Progress = None,
                  parallel: Parallel | None = None, return_dict: Literal[False] = False, raise_errors: bool = True,
                  part_size: int | None = None, *, return_recording: bool,
                  max_decoded_size: int | None = None) -> Any: ...

    @twin_of(CloudFiles.get)
    async def get(self, paths: Any, *args: Any, **options: Any) -> Any:
        return await self._call(self.sync.get, paths, *args, **options)

    @twin_of(CloudFiles.stream)
    def stream(self, paths: StrPath | Iterable[ReadRequest] | AsyncIterable[ReadRequest], *,
               total: int | None = None, raw: bool = False, progress: Progress = None, raise_errors: bool = True,
               max_items: int = STREAM_ITEMS, max_bytes: int = STREAM_BYTES, max_decoded_size: int | None = None
               ) -> AsyncGenerator[GetResult, None]:
        half = max(1, max_bytes // 2)  # one half for the batch, the other for the results that wait here
        return self._iterate(lambda items: self.sync.stream(
            items, total=total, raw=raw, progress=progress, raise_errors=raise_errors, max_items=max_items,
            max_bytes=half, max_decoded_size=max_decoded_size), paths, half)

    @overload
    async def get_json(self, paths: ReadRequest, total: int | None = None, *, progress: Progress = None,
                       raise_errors: bool = True) -> Any: ...
    @overload
    async def get_json(self, paths: Iterable[ReadRequest] | AsyncIterable[ReadRequest], total: int | None = None, *,
                       progress: Progress = None, raise_errors: bool = True) -> list[Any]: ...

    @twin_of(CloudFiles.get_json)
    async def get_json(self, paths: Any, *args: Any, **options: Any) -> Any:
        return await self._call(self.sync.get_json, paths, *args, **options)

    @overload
    async def head(  # type: ignore[overload-overlap]
            self, paths: StrPath, total: int | None = None, progress: Progress = None,
            parallel: Parallel | None = None) -> ObjectHead | None: ...
    @overload
    async def head(self, paths: Iterable[StrPath] | AsyncIterable[StrPath], total: int | None = None,
                   progress: Progress = None, parallel: Parallel | None = None) -> dict[str, ObjectHead | None]: ...

    @twin_of(CloudFiles.head)
    async def head(self, paths: Any, *args: Any, **options: Any) -> Any:
        return await self._call(self.sync.head, paths, *args, **options)

    @twin_of(CloudFiles.get_acl)
    async def get_acl(self, paths: StrPath | Iterable[StrPath] | AsyncIterable[StrPath], total: int | None = None,
                      progress: Progress = None) -> dict[str, Any]:
        access: dict[str, Any] = await self._call(self.sync.get_acl, paths, total, progress)
        return access

    @overload
    async def exists(  # type: ignore[overload-overlap]
            self, paths: StrPath, total: int | None = None, progress: Progress = None,
            parallel: Parallel | None = None) -> bool: ...
    @overload
    async def exists(self, paths: Iterable[StrPath] | AsyncIterable[StrPath], total: int | None = None,
                     progress: Progress = None, parallel: Parallel | None = None) -> dict[str, bool]: ...

    @twin_of(CloudFiles.exists)
    async def exists(self, paths: Any, *args: Any, **options: Any) -> Any:
        return await self._call(self.sync.exists, paths, *args, **options)

    @overload
    async def size(  # type: ignore[overload-overlap]
            self, paths: StrPath, total: int | None = None, progress: Progress = None,
            return_sum: Literal[False] = False, parallel: Parallel | None = None) -> int | None: ...
    @overload
    async def size(self, paths: Iterable[StrPath] | AsyncIterable[StrPath], total: int | None = None,
                   progress: Progress = None, return_sum: Literal[False] = False, parallel: Parallel | None = None
                   ) -> dict[str, int | None]: ...
    @overload
    async def size(self, paths: StrPath | Iterable[StrPath] | AsyncIterable[StrPath], total: int | None = None,
                   progress: Progress = None, *, return_sum: Literal[True], parallel: Parallel | None = None
                   ) -> int: ...
    @overload
    async def size(self, paths: StrPath | Iterable[StrPath] | AsyncIterable[StrPath], total: int | None = None,
                   progress: Progress = None, *, return_sum: bool, parallel: Parallel | None = None
                   ) -> Any: ...

    @twin_of(CloudFiles.size)
    async def size(self, paths: Any, *args: Any, **options: Any) -> Any:
        return await self._call(self.sync.size, paths, *args, **options)
