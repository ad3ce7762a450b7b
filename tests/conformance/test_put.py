"""`put` and `puts`: kinds of content, options, conditions."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import DuplicatePathError, PreconditionFailedError
from cloudfiles.testing import S3Server
from tests.conformance.stores import StoreUnderTest

pytestmark = pytest.mark.writes

BYTES = bytes(range(256)) * 40


def _file_at(position: int) -> Callable[[Path], Any]:
    def opened(directory: Path) -> Any:
        path = directory / "content"
        path.write_bytes(bytes(position) + BYTES)
        file = path.open("rb")
        file.seek(position)
        return file

    return opened


def _unbuffered(directory: Path) -> Any:
    (directory / "content").write_bytes(BYTES)
    return (directory / "content").open("rb", buffering=0)


def _pipe(directory: Path) -> Any:
    reading, writing = os.pipe()
    os.write(writing, BYTES)  # less than a pipe holds
    os.close(writing)
    return os.fdopen(reading, "rb")


def _bytes_io_at(position: int) -> Any:
    file = io.BytesIO(bytes(position) + BYTES)
    file.seek(position)
    return file


KINDS: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda _: BYTES,
    "bytearray": lambda _: bytearray(BYTES),
    "memoryview": lambda _: memoryview(BYTES),
    "memoryview of integers": lambda _: memoryview(BYTES).cast("I"),
    "every other byte": lambda _: memoryview(b"".join(b"%c-" % byte for byte in BYTES))[::2],
    "file": _file_at(0),
    "file at an offset": _file_at(1000),
    "unbuffered file": _unbuffered,
    "pipe": _pipe,
    "BytesIO": lambda _: _bytes_io_at(0),
    "BytesIO at an offset": lambda _: _bytes_io_at(77),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compress", [None, "gzip"], ids=["plain", "gzip"])
def test_every_kind_of_content(store: StoreUnderTest, kind: str, compress: str | None, tmp_path: Path) -> None:
    cf = store.cf()
    with ExitStack() as later:
        assert cf.put("one", _closing(KINDS[kind](tmp_path), later), compress=compress) == 1
        assert cf.puts([("many", _closing(KINDS[kind](tmp_path), later)), ("other", b"other")], compress=compress) == 2
    assert cf.get("one") == BYTES
    assert cf.get("many") == BYTES


def _closing(content: Any, later: ExitStack) -> Any:
    if hasattr(content, "close"):
        later.callback(content.close)
    return content


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.stores("scripted", "moto")
def test_large_contents_go_up_in_parts(store: StoreUnderTest, runtime: dict[str, Any], kind: str, tmp_path: Path,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    cf = store.cf(**runtime, composite_upload_threshold=1000)
    with ExitStack() as later:
        cf.put("large", _closing(KINDS[kind](tmp_path), later))
    assert cf.get("large") == BYTES
    assert cf.size("large") == len(BYTES)


@pytest.mark.stores("scripted")
def test_a_multipart_upload_keeps_its_options(store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server) -> None:
    cf = store.cf(composite_upload_threshold=1000)
    cf.put("large", BYTES * 3, content_type="text/x-special", compress="gzip", cache_control="no-cache",
           storage_class="STANDARD_IA", metadata={"owner": "me"}, compression_level=0)
    assert any("uploadId" in request.target for request in fault_server.requests("POST"))
    head = cf.head("large")
    assert (head["Content-Type"], head["Content-Encoding"], head["Cache-Control"]) == (
        "text/x-special", "gzip", "no-cache")
    assert cf.get("large") == BYTES * 3
    assert fault_server.uploads() == []


def test_nothing_and_one_byte(cf: CloudFiles) -> None:
    cf.puts([("empty", b""), ("one", b"1"), ("no file", io.BytesIO())])
    assert [found["content"] for found in cf.get(["empty", "one", "no file"])] == [b"", b"1", b""]
    assert cf.size(["empty", "one"]) == {"empty": 0, "one": 1}


def test_a_put_replaces(cf: CloudFiles) -> None:
    cf.put("key", b"long ago")
    cf.put("key", b"now")
    assert cf.get("key") == b"now"


def test_what_puts_takes(cf: CloudFiles) -> None:
    assert cf.puts(("tuple", b"1")) == 1
    assert cf.puts({"path": "dict", "content": b"2"}) == 1
    assert cf.puts([("list", b"3"), {"path": "in list", "content": b"4"}, ["pair", b"5"]]) == 3
    assert cf.puts((f"g{i}", b"6") for i in range(3)) == 3
    assert cf.puts({"v1": b"7", "v2": b"8"}.items()) == 2
    assert cf.puts([]) == 0
    assert cf.puts(iter([])) == 0
    keys = ["tuple", "dict", "list", "in list", "pair", "g0", "g1", "g2", "v1", "v2"]
    assert b"".join(found["content"] for found in cf.get(keys)) == b"1234566678"


def test_a_generators_items_are_taken_as_fast_as_they_are_sent(store: StoreUnderTest, runtime: dict[str, Any]) -> None:
    cf = store.cf(**{"num_threads": 3, **runtime})
    interface = type(cf._store.here())
    taken, sent, ahead = [0], [0], [0]

    def files() -> Iterator[tuple[str, bytes]]:
        for i in range(100):
            taken[0] += 1
            ahead[0] = max(ahead[0], taken[0] - sent[0])
            yield f"k{i}", b"x"

    original = interface.put

    def counted(self: Any, *args: Any) -> Any:
        try:
            return original(self, *args)
        finally:
            sent[0] += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interface, "put", counted)
        assert cf.puts(files()) == 100
    assert ahead[0] <= 3 * 2 + 2  # as many wait as there are workers


def test_options_of_a_file_win_over_those_of_the_call(store: StoreUnderTest, cf: CloudFiles) -> None:
    cf.puts([("plain", BYTES), {"path": "own", "content": BYTES, "compress": "zstd"},
             {"path": "none", "content": BYTES, "compress": None},
             {"path": "raw", "content": b"no encoding at all", "compress": "", "raw": True}], compress="gzip")
    found = cf.get(["plain", "own", "none", "raw"])
    assert [one["content"] for one in found] == [BYTES, BYTES, BYTES, b"no encoding at all"]
    assert [one["compress"] or None for one in found] == ["gzip", "zstd", None, None]


@pytest.mark.stores("mem", "scripted", "rclone", "moto", "web")
def test_content_types(store: StoreUnderTest, cf: CloudFiles) -> None:
    cf.puts([("a.json", b"{}"), ("a.png", b""), ("dir.txt/noname", b""), ("bare", b""),
             {"path": "own.json", "content": b"", "content_type": "text/x-own"}])
    types = {path: head["Content-Type"] for path, head in cf.head(
        ["a.json", "a.png", "dir.txt/noname", "bare", "own.json"]).items()}
    assert types == {"a.json": "application/json", "a.png": "image/png", "dir.txt/noname": "application/octet-stream",
                     "bare": "application/octet-stream", "own.json": "text/x-own"}
    cf.put("given.json", b"", content_type="text/x-given")
    assert cf.head("given.json")["Content-Type"] == "text/x-given"


@pytest.mark.stores("mem", "scripted", "rclone", "moto", "web")
def test_cache_control(cf: CloudFiles) -> None:
    cf.puts([("a", b""), {"path": "b", "content": b"", "cache_control": "no-store"}], cache_control="max-age=60")
    assert [cf.head(key)["Cache-Control"] for key in "ab"] == ["max-age=60", "no-store"]


@pytest.mark.stores("mem", "scripted", "moto")
def test_storage_class(cf: CloudFiles) -> None:
    cf.put("a", b"", storage_class="STANDARD_IA")
    cf.put_json("b", {}, storage_class="STANDARD_IA")
    assert [cf.head(key)["Storage-Class"] for key in "ab"] == ["STANDARD_IA"] * 2


@pytest.mark.stores("scripted")
def test_metadata(store: StoreUnderTest, cf: CloudFiles, fault_server: S3Server) -> None:
    cf.put("a", b"", metadata={"owner": "me", "Mixed-Case": "x y"})
    key = next(iter(fault_server.contents()))
    stored = fault_server.get(key)
    assert stored is not None
    assert {name: value for name, value in stored.headers.items() if name.startswith("x-amz-meta")} == {
        "x-amz-meta-owner": "me", "x-amz-meta-mixed-case": "x y"}


# ---- conditions


def test_create_only_if_absent(cf: CloudFiles) -> None:
    cf.put("key", b"first", if_absent=True)
    with pytest.raises(PreconditionFailedError, match="key"):
        cf.put("key", b"second", if_absent=True)
    assert cf.get("key") == b"first"
    with pytest.raises(PreconditionFailedError):
        cf.puts([("new", b"n"), ("key", b"second")], if_absent=True)
    assert cf.get("key") == b"first"


def test_replace_only_if_the_etag_matches(cf: CloudFiles) -> None:
    cf.put("key", b"first")
    etag = cf.head("key")["ETag"]
    cf.put("key", b"second", if_match=etag)
    assert cf.get("key") == b"second"
    with pytest.raises(PreconditionFailedError, match="key"):
        cf.put("key", b"third", if_match=etag)
    assert cf.get("key") == b"second"
    with pytest.raises(PreconditionFailedError):
        cf.put("missing", b"x", if_match=etag)
    assert cf.get("missing") is None


def test_the_same_path_twice(cf: CloudFiles) -> None:
    with pytest.raises(DuplicatePathError, match="key"):
        cf.puts([("other", b""), ("key", b"1"), ("key", b"2")])
    assert cf.exists(["other", "key"]) == {"other": False, "key": False}


# ---- touch


def test_touch(cf: CloudFiles) -> None:
    cf.put("full", b"content")
    cf.touch("full")
    cf.touch(["new", "full", "dir/deep"])
    cf.touch(f"n{i}" for i in range(3))
    assert [found["content"] for found in cf.get(["full", "new", "dir/deep", "n0", "n2"])] == [b"content", b"", b"",
                                                                                               b"", b""]
