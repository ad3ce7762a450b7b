"""What a program learns from the types of CloudFiles and CloudFile. It is type-checked, and run on mem://."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from cloudfiles import (
    Bucket,
    CloudFile,
    CloudFiles,
    Downloader,
    GetResult,
    ObjectHead,
    ResumableTransfer,
    SizeSummary,
    SyncResult,
    TransferResult,
    Uploader,
    VerifyResult,
    dl,
    sync,
    verify,
)
from cloudfiles.bucket import BucketFile
from cloudfiles.monitoring import TransmissionMonitor

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:
    def assert_type(value: Any, kind: Any) -> Any:
        return value

cf = CloudFiles("mem://bucket/typed/", num_threads=4, progress=False)
live = CloudFiles("mem://bucket/live/")


def write() -> None:
    assert_type(cf.put("a", b"content"), int)
    assert_type(cf.put(Path("b"), "text", compress="gzip"), int)
    assert_type(cf.put(np.str_("c"), np.zeros(3)), int)
    assert_type(cf.put("d", io.BytesIO(b"1234"), metadata={"k": "v"}), int)
    assert_type(cf.put("e", bytearray(b"12"), if_absent=True), int)
    assert_type(live.put("a", {1, 2}, raw=True), int)
    assert_type(cf.put("f", b"1", return_recording=True), tuple[int, TransmissionMonitor])
    with open(__file__, "rb") as file:
        assert_type(cf.put("g", file), int)
    contents = {"h": b"1", "i": b"2"}
    assert_type(cf.puts(contents.items()), int)
    assert_type(cf.puts((f"many/{number}", b"x") for number in range(3)), int)
    assert_type(cf.puts([{"path": "j", "content": b"1", "compress": "br"}, ("k", "text")], parallel=1), int)
    assert_type(cf.puts([("l", b"")], return_recording=True), tuple[int, TransmissionMonitor])
    assert_type(cf.put_json("json", {"a": [1]}), int)
    assert_type(cf.put_jsons([("json1", 1), ("json2", None)], compress="gzip"), int)
    assert_type(cf.put_jsons({"json3": 1}.items(), return_recording=True), tuple[int, TransmissionMonitor])
    cf["m"] = b"1"
    live["b"] = {"any": "object"}


def read(flag: bool) -> None:
    assert_type(cf.get("a"), bytes | None)
    assert_type(cf.get(Path("a")), bytes | None)
    assert_type(cf.get(np.str_("a"), raw=True), bytes | None)
    assert_type(cf.get({"path": "a", "start": 0, "end": 3}), bytes | None)
    assert_type(cf.get(["a", "b"]), list[GetResult])
    assert_type(cf.get(np.array(["a", "b"])), list[GetResult])
    assert_type(cf.get(path for path in ("a", "b")), list[GetResult])
    assert_type(cf.get([{"path": "a", "start": -3}, "b", Path("c")], raise_errors=False), list[GetResult])
    assert_type(cf.get(["a"], return_dict=True), dict[str, bytes | None])
    assert_type(cf.get("a", return_dict=True), dict[str, bytes | None])
    assert_type(cf.get("a", return_recording=True), tuple[bytes | None, TransmissionMonitor])
    assert_type(cf.get(["a"], return_recording=True), tuple[list[GetResult], TransmissionMonitor])
    assert_type(cf.get(["a"], return_dict=True, return_recording=True),
                tuple[dict[str, bytes | None], TransmissionMonitor])
    _: list[GetResult] | dict[str, bytes | None] = cf.get(["a"], return_dict=flag)
    for result in cf.get(["a", "missing"], progress=tqdm(disable=True)):
        assert_type(result["path"], str)
        assert_type(result["content"], bytes | None)
        assert_type(result["error"], Exception | None)
        assert_type(result["raw"], bool)
        assert_type(result["byte_range"].start, int | None)
        assert_type(result.verified, str)
        plain: dict[str, Any] = result
        assert plain == result
    assert_type(cf.stream(["a"], max_bytes=1 << 20), Iterator[GetResult])
    values: list[int] = cf.get_json(["json1"])
    settings: dict[str, list[int]] = cf.get_json("json")
    assert (values, settings) == ([1], {"a": [1]})
    assert_type(cf["a"], bytes | None)
    assert_type(cf["a", 2:4], bytes | None)
    assert_type(cf[["a", "b"]], list[GetResult])
    assert_type(cf[:2], list[GetResult])


def ask() -> None:
    assert_type(cf.exists("a"), bool)
    assert_type(cf.exists(["a", "b"]), dict[str, bool])
    assert_type("a" in cf, bool)
    assert_type(cf.size("a"), int | None)
    assert_type(cf.size(["a"]), dict[str, int | None])
    assert_type(cf.size(["a"], return_sum=True), int)
    assert_type(cf.head("a"), ObjectHead | None)
    assert_type(cf.head(["a"]), dict[str, ObjectHead | None])
    head = cf.head("a")
    assert head is not None
    assert_type(head["Content-Length"], int | None)
    assert_type(head["ETag"], str | None)
    assert_type(cf.list(), Iterator[str])
    assert_type(cf.list("many", flat=True), Iterator[str])
    assert_type(cf.list(size=True), Iterator[tuple[str, int | None]])
    assert_type(cf.list(return_resume_token=True), Iterator[tuple[str, str | None]])
    assert_type(cf.list(size=True, return_resume_token=True), Iterator[tuple[str, int | None, str | None]])
    assert_type(cf.ls("many"), Iterator[str])
    assert_type(cf.find(size=True), Iterator[tuple[str, int | None]])
    assert_type(cf.du("many"), SizeSummary)
    assert_type(cf.subtree_size(["many"])["num_bytes"], int)
    assert_type(cf.isdir("many"), bool)
    assert_type(list(cf), list[str])


def move() -> None:
    other = CloudFiles("mem://bucket/other/")
    assert_type(cf.transfer_to(other, ["a", ("b", "b2"), {"path": "c", "dest_path": "c2"}]), TransferResult)
    assert_type(cf.transfer_from("mem://bucket/other/", "a", reencode="gzip"), TransferResult)
    assert_type(cf.transfer_to(other, reencode=False).errors, dict[str, Exception])
    assert_type(cf.sync_to(other, delete=True, include="*.x", exclude=[lambda key: key == "y"]), SyncResult)
    assert_type(sync("mem://bucket/typed/", other, dry_run=True).actions, list[tuple[str, str, str]])
    assert_type(cf.verify(other, ["a"]), VerifyResult)
    assert_type(verify(cf, other, read=True), VerifyResult)
    assert_type(cf.moves(other, ["h"]), TransferResult)
    assert_type(cf.delete(["j", "k"]), int)
    assert_type(cf.rm("many", recursive=True), int)


def single() -> None:
    file = CloudFile("mem://bucket/typed/a", cache_meta=True, num_threads=1)
    assert_type(file.get(), bytes | None)
    assert_type(file.get(slice(0, 3)), bytes | None)
    assert_type(file.get((1, None)), bytes | None)
    assert_type(file.get([(0, 1), slice(2, 3)]), list[GetResult])
    assert_type(file[0:3], bytes | None)
    assert_type(file.put(b"content", compress="gzip"), int)
    assert_type(file.put("text", return_recording=True), tuple[int, TransmissionMonitor])
    assert_type(file.put_json([1]), int)
    assert_type(file.head(), ObjectHead | None)
    assert_type(file.size(), int | None)
    assert_type(file.exists(), bool)
    file.transfer_to(CloudFile("mem://bucket/typed/copy"))
    assert_type(dl("mem://bucket/typed/a"), GetResult)
    assert_type(dl(["mem://bucket/typed/a"], raw=True, num_threads=2)[0]["fullpath"], str)


def files_by_name(directory: Path) -> None:
    bucket = Bucket("mem://bucket/typed/", num_threads=2)
    assert_type(bucket.list_files(), list[BucketFile])
    assert_type(bucket.list_files()[0].size, int | None)
    assert_type(bucket.get_all_files(directory, progress=lambda read, total, name: None), TransferResult)
    assert_type(bucket.get_file("a", directory / "a", progress=False), str)
    assert_type(bucket.sync_directory(directory), SyncResult)
    assert_type(bucket.add_directory(directory, "copy"), TransferResult)
    with (directory / "a").open("rb") as file:
        bucket.add_file(file, "b")
    up = Uploader("mem://bucket/up/", "dir", directory, num_threads=2)
    assert_type(up.successful(), bool)
    assert_type(Downloader(cf, "a", directory / "down", overwrite=True).lpath, str)
    journal = ResumableTransfer(directory / "journal")
    journal.init("mem://bucket/typed/", cf)
    assert_type(journal.db_path, str)


def in_processes(paths: list[str]) -> list[GetResult]:
    with ProcessPoolExecutor(2) as executor:
        return cf.get(paths, parallel=executor)


if __name__ == "__main__":
    write()
    read(False)
    ask()
    move()
    single()
    with TemporaryDirectory() as directory:
        files_by_name(Path(directory))
