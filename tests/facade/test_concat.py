"""`CloudFiles.concat` on every kind of store, and against servers that cannot do it themselves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import AsyncCloudFiles, CloudFiles
from cloudfiles.exceptions import (
    CloudFilesError,
    InvalidInputError,
    MissingObjectError,
    ObjectChangedError,
    PreconditionFailedError,
)
from cloudfiles.interfaces.capabilities import ConcatSource
from cloudfiles.interfaces.s3.concatenation import MIN_PART, plan_parts
from cloudfiles.testing import Rule, S3Server, Status
from cloudfiles.types import StoredObject
from tests.facade.capability_stores import open_store
from tests.internals import Replace
from tests.servers.azure_server import AzureServer
from tests.servers.gcs_server import GcsServer

MIB = 1 << 20
SIZE = 64 << 10


def test_concat(cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("dir/b", b""), ("c", b"23"), ("kept", b"beside")])
    cf.concat(["a", "dir/b", "c", "a"], "all.txt", cache_control="no-store")
    assert cf.get("all.txt") == b"1231"
    assert sorted(cf.list()) == ["a", "all.txt", "c", "dir/b", "kept"]
    if cf.protocol not in ("file", "webhdfs", "adl"):
        head = cf.head("all.txt")
        assert (head["Content-Type"], head["Cache-Control"]) == ("text/plain", "no-store")


def test_the_etag_is_that_of_the_object(cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("b", b"2")])
    etag = cf.concat(["a", "b"], "all")
    assert cf.head("all")["ETag"] == etag
    cf.concat(["all", "b"], "all", if_match=etag)
    assert cf.get("all") == b"122"


def test_sources_are_deleted_after_success(cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("b", b"2"), ("all", b"0")])
    cf.concat(["all", "a", "b", "a"], "all", delete_source=True)
    assert list(cf.list()) == ["all"]
    assert cf.get("all") == b"0121"


def test_nothing_is_done_if_one_is_missing(cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("all", b"0")])
    with pytest.raises(MissingObjectError, match="missing"):
        cf.concat(["a", "missing"], "all", delete_source=True)
    assert (cf.get("a"), cf.get("all")) == (b"1", b"0")


def test_conditions(cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("all", b"0")])
    with pytest.raises(PreconditionFailedError):
        cf.concat(["a"], "all", if_absent=True, delete_source=True)
    with pytest.raises(PreconditionFailedError):
        cf.concat(["a"], "all", if_match='"another"', delete_source=True)
    assert (cf.get("a"), cf.get("all")) == (b"1", b"0")
    cf.concat(["a"], "new", if_absent=True)
    assert cf.get("new") == b"1"


def test_encoded_objects(cf: CloudFiles) -> None:
    if cf.protocol in ("webhdfs", "adl"):
        return  # files in HDFS have no encoding
    cf.puts([("a", b"1" * 1000), ("b", b"2" * 1000)], compress="gzip")
    cf.concat(["a", "b"], "all")
    assert cf.get("all") == b"1" * 1000 + b"2" * 1000
    assert cf.head("all")["Content-Encoding"] == "gzip"
    cf.put("plain", b"3")
    with pytest.raises(InvalidInputError, match="different encodings"):
        cf.concat(["a", "plain"], "other")
    cf.put("brotli", b"4", compress="br")
    with pytest.raises(InvalidInputError, match="cannot be concatenated"):
        cf.concat(["brotli", "brotli"], "other")
    assert not cf.exists("other")


@pytest.mark.parametrize(("paths", "dest"), [
    ([], "all"), ("a", "all"), (["a", ""], "all"), (["a"], ""), (["a/"], "all"), (["a"], "all/"), ({"a"}, "all"),
    (None, "all")])
def test_what_is_refused(cf: CloudFiles, paths: Any, dest: str) -> None:
    cf.put("a", b"1")
    with pytest.raises(InvalidInputError):
        cf.concat(paths, dest)
    assert list(cf.list()) == ["a"]


def test_many_objects(cf: CloudFiles) -> None:
    names = [f"part/{number:04}" for number in range(70)]
    cf.puts((name, name.encode()) for name in names)
    cf.concat(names, "all", delete_source=True)
    assert cf.get("all") == "".join(names).encode()
    assert list(cf.list()) == ["all"]


def test_objects_of_many_sizes(cf: CloudFiles, request: pytest.FixtureRequest, internals: Replace) -> None:
    chooser = random.Random(7)
    if cf.protocol == "s3":
        internals(s3_concat_part=50_000)
        request.getfixturevalue("fault_server").configure(min_part_size=50_000)
    sizes = [30_000, 1, 60_000, 40_000, 0, 50_000, 100]
    contents = [chooser.randbytes(size) for size in sizes]
    cf.puts((str(number), content) for number, content in enumerate(contents))
    cf.concat([str(number) for number in range(len(sizes))], "all")
    assert cf.get("all") == b"".join(contents)


def replaced_once(store: CloudFiles, monkeypatch: pytest.MonkeyPatch, key: str, content: bytes) -> None:
    """Have `key` replaced after it was looked up for the first time."""
    interface = type(store._store.here())
    describe: Callable[[Any, str], Any] = interface.describe
    done = []

    def described(self: Any, name: str) -> Any:
        found = describe(self, name)
        if name == key and not done:
            done.append(name)
            store.put(key, content)
        return found

    monkeypatch.setattr(interface, "describe", described)


def test_a_source_that_is_replaced_meanwhile(cf: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    cf.puts([("a", b"1"), ("b", b"2")])
    replaced_once(cf, monkeypatch, "b", b"3")
    with pytest.raises(ObjectChangedError):
        cf.concat(["a", "b"], "all", delete_source=True)
    assert (cf.get("a"), cf.get("b"), cf.exists("all")) == (b"1", b"3", False)


def test_a_target_that_is_replaced_meanwhile(cf: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    cf.puts([("a", b"1"), ("all", b"0")])
    replaced_once(cf, monkeypatch, "all", b"new")
    with pytest.raises((ObjectChangedError, PreconditionFailedError)):
        cf.concat(["all", "a"], "all", delete_source=True)
    assert (cf.get("a"), cf.get("all")) == (b"1", b"new")


def test_async(cf: CloudFiles) -> None:
    async def use() -> None:
        store = AsyncCloudFiles.of(cf)
        await store.puts([("a", b"1"), ("b", b"2")])
        await store.concat(["a", "b"], "all")
        assert await store.get("all") == b"12"

    asyncio.run(use())


def test_in_the_thread_of_the_caller_and_on_threads(cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("b", b"2")])
    for options in ({"num_threads": 0}, {"green": False}, {"num_threads": 1}):
        other = CloudFiles(cf.cloudpath, secrets=cf.secrets, endpoint=cf._store.options.endpoint,
                           **options)  # type: ignore[arg-type]
        other.concat(["a", "b"], "all", delete_source=False)
        assert other.get("all") == b"12"


# ---- what the servers see


def s3_requests(server: S3Server, method: str) -> list[str]:
    return [request.target for request in server.requests(method)]


@pytest.fixture
def s3(fault_server: S3Server) -> CloudFiles:
    return CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets)


@pytest.fixture
def small_parts(fault_server: S3Server, internals: Replace) -> None:
    """Parts as large as SIZE can be copied."""
    fault_server.configure(min_part_size=SIZE)
    internals(s3_concat_part=SIZE)


@pytest.mark.usefixtures("small_parts")
def test_s3_copies_large_objects_as_parts(fault_server: S3Server, s3: CloudFiles) -> None:
    large = b"x" * SIZE
    s3.puts([("a", large), ("b", large), ("c", b"1")])
    before = sum(request.body_length for request in fault_server.requests())
    s3.concat(["a", "b", "c"], "all")
    assert s3.get("all") == large + large + b"1"
    assert sum(request.body_length for request in fault_server.requests()) - before < 10_000


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("status", [501, 403])
def test_s3_without_copies_of_parts(fault_server: S3Server, s3: CloudFiles, status: int) -> None:
    large = b"x" * SIZE
    s3.puts([("a", large), ("b", large)])
    fault_server.script(Rule(Status(status), method="PUT", query="partNumber", times=1))
    s3.concat(["a", "b"], "all", delete_source=True)
    assert s3.get("all") == large + large
    assert list(s3.list()) == ["all"]
    assert fault_server.uploads() == []


@pytest.mark.usefixtures("small_parts")
def test_s3_leaves_nothing_behind_after_a_failure(fault_server: S3Server, s3: CloudFiles) -> None:
    large = b"x" * SIZE
    s3.puts([("a", large), ("b", large)])
    fault_server.script(Rule(Status(400), method="POST", query="uploadId", times=None))
    with pytest.raises(CloudFilesError):
        s3.concat(["a", "b"], "all", delete_source=True)
    assert sorted(s3.list()) == ["a", "b"]
    assert fault_server.uploads() == []


@pytest.mark.parametrize("seed", range(20))
def test_the_parts_of_s3(seed: int) -> None:
    chooser = random.Random(seed)
    sizes = [chooser.choice([0, 1, MIB, 4 * MIB, MIN_PART - 1, MIN_PART, MIN_PART + 1, 12 * MIB, 600 * MIB])
             for _ in range(chooser.randrange(1, 30))]
    sources = [ConcatSource(str(number), StoredObject(None, size=size)) for number, size in enumerate(sizes)]
    parts = plan_parts(sources)
    assert all(sum(span.length for span in part) >= MIN_PART for part in parts[:-1])
    assert all(sum(span.length for span in part) < 3 * MIN_PART for part in parts if len(part) > 1)
    assert all(span.length <= 256 * MIB for part in parts for span in part)
    expected = [(source.key, at) for source in sources for at in (0, source.size) if source.size]
    spans = [span for part in parts for span in part]
    merged: list[tuple[str, int]] = []
    for span in spans:
        if merged and merged[-1] == (span.source.key, span.start):
            merged[-1] = span.source.key, span.end
        else:
            merged += [(span.source.key, span.start), (span.source.key, span.end)]
    assert merged == expected


def test_azure_without_blocks_from_url(azure_server: AzureServer, tmp_path: Path,
                                       request: pytest.FixtureRequest) -> None:
    az = open_store("az", request, tmp_path)
    azure_server.configure(blocks_from_url=False)
    az.puts([("a", b"1"), ("b", b"2")])
    az.concat(["a", "b"], "all", delete_source=True)
    assert (az.get("all"), list(az.list())) == (b"12", ["all"])


def test_gs_composes_and_removes_what_it_composed_of(gcs_server: GcsServer) -> None:
    gs = CloudFiles(f"gs://{gcs_server.url}/bucket/dir/")
    names = [f"{number:04}" for number in range(100)]
    gs.puts((name, name.encode()) for name in names)
    before = len(gcs_server.requests())
    gs.concat(names, "all")
    reads = [each for each in gcs_server.requests()[before:] if "alt=media" in each.target]
    assert reads == []
    assert gs.get("all") == "".join(names).encode()
    assert len(list(CloudFiles(f"gs://{gcs_server.url}/bucket/").list())) == 101
