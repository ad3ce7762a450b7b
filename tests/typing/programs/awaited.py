"""What a program learns from the types of AsyncCloudFiles. It is type-checked, and run on mem://."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any

from cloudfiles import AsyncCloudFiles, CloudFiles, GetResult, ObjectHead, SizeSummary, SyncResult, TransferResult
from cloudfiles.monitoring import TransmissionMonitor

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:
    def assert_type(value: Any, kind: Any) -> Any:
        return value


async def paths() -> AsyncIterator[str]:
    yield "a"


async def files() -> AsyncIterator[tuple[str, bytes]]:
    yield "b", b"2"


async def main() -> None:
    cf = AsyncCloudFiles("mem://bucket/awaited/", num_threads=4)
    assert_type(await cf.put("a", b"1"), int)
    assert_type(await cf.put("a", b"1", return_recording=True), tuple[int, TransmissionMonitor])
    assert_type(await cf.puts(files()), int)
    assert_type(await cf.puts([("c", "text")]), int)
    assert_type(await cf.put_json("json", [1]), int)
    assert_type(await cf.get("a"), bytes | None)
    assert_type(await cf.get(["a"]), list[GetResult])
    assert_type(await cf.get(paths()), list[GetResult])
    assert_type(await cf.get(paths(), return_dict=True), dict[str, bytes | None])
    assert_type(await cf.get(paths=["a"], return_recording=True), tuple[list[GetResult], TransmissionMonitor])
    assert_type(await cf.exists("a"), bool)
    assert_type(await cf.exists(paths()), dict[str, bool])
    assert_type(await cf.size(["a"], return_sum=True), int)
    assert_type(await cf.head("a"), ObjectHead | None)
    assert_type(await cf.isdir(prefix=""), bool)
    assert_type(await cf.isdir(), bool)
    assert_type(await cf.delete(["none"]), int)
    assert_type(await cf.du(), SizeSummary)
    assert_type(cf.list(size=True), AsyncGenerator[tuple[str, int | None], None])
    async for path in cf.list():
        assert_type(path, str)
    async for _, size in cf.find(size=True):
        assert_type(size, int | None)
    async for result in cf.stream(paths(), raw=True):
        assert_type(result["content"], bytes | None)
    other = AsyncCloudFiles("mem://bucket/other/")
    assert_type(await cf.transfer_to(other, paths=["a"]), TransferResult)
    assert_type(await cf.sync_to(cf_dest=other, dry_run=True), SyncResult)
    assert_type(CloudFiles("mem://bucket/third/").transfer_from(cf), TransferResult)
    one, many = await asyncio.gather(cf.get("a"), cf.get(["a"]))
    assert_type(one, bytes | None)
    assert_type(many, list[GetResult])
    assert_type(cf.join("a", "b"), str)


asyncio.run(main())
