"""`cloudfiles.zarr.CloudStore` passes zarr's own tests of stores, and what they do not ask."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("zarr", minversion="3.1")

import numpy as np
import zarr
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import cpu, default_buffer_prototype
from zarr.testing.store import StoreTests

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, InvalidInputError
from cloudfiles.testing import FLAKY, S3Server, mix, s3_error
from cloudfiles.zarr import CloudStore
from tests.conformance.stores import StoreUnderTest

PROTOTYPE = default_buffer_prototype()


class TestCloudStore(StoreTests[CloudStore, cpu.Buffer]):
    """zarr's tests."""

    store_cls = CloudStore
    buffer_cls = cpu.Buffer

    @pytest.fixture
    def store_kwargs(self, place: StoreUnderTest) -> dict[str, Any]:
        return {"cloudpath": place.cloudpath, **place.options}

    @pytest.fixture
    def store(self, store_kwargs: dict[str, Any]) -> CloudStore:
        return asyncio.run(CloudStore.open(**store_kwargs))

    @pytest.fixture
    def store_not_open(self, store_kwargs: dict[str, Any]) -> CloudStore:
        return CloudStore(**store_kwargs)

    async def set(self, store: CloudStore, key: str, value: cpu.Buffer) -> None:
        _files(store).put(key, value.to_bytes())

    async def get(self, store: CloudStore, key: str) -> cpu.Buffer:
        content = _files(store).get(key, raw=True)
        assert content is not None
        return self.buffer_cls.from_bytes(content)

    def test_store_repr(self, store: CloudStore) -> None:
        assert repr(store) == f"CloudStore('{store}')"
        assert str(store).startswith(store.cloudfiles.protocol + "://")

    def test_store_supports_writes(self, store: CloudStore) -> None:
        assert store.supports_writes

    def test_store_supports_listing(self, store: CloudStore) -> None:
        assert store.supports_listing

    # For stores in local memory, which zarr may call in the calling thread.
    test_get_sync = test_get_sync_missing = test_set_sync = test_delete_sync = test_delete_sync_missing = None


def _files(store: CloudStore) -> CloudFiles:
    """The same place, as if the store were not there."""
    return store.cloudfiles


@pytest.fixture
def store(place: StoreUnderTest) -> CloudStore:
    return CloudStore(place.cloudpath, **place.options)


def _get(store: CloudStore, key: str, byte_range: Any = None) -> bytes | None:
    found = asyncio.run(store.get(key, PROTOTYPE, byte_range))
    return None if found is None else found.to_bytes()


def _all(store: CloudStore, listing: Any) -> list[str]:
    async def collect() -> list[str]:
        return [name async for name in listing]

    return asyncio.run(collect())


# ---- values are stored bytes


def test_nothing_is_decoded(store: CloudStore) -> None:
    """Neither by the Content-Encoding that another program gave an object, nor by a suffix."""
    content = b"a chunk" * 100
    if store.cloudfiles.protocol == "file":
        pytest.skip("files have no Content-Encoding")
    store.cloudfiles.put("c/0", content, compress="gzip")
    stored = store.cloudfiles.get("c/0", raw=True)
    assert stored is not None
    assert stored != content
    assert _get(store, "c/0") == stored
    assert _get(store, "c/0", SuffixByteRequest(4)) == stored[-4:]
    assert asyncio.run(store.getsize("c/0")) == len(stored)


def test_keys_are_exact_names(store: CloudStore) -> None:
    async def put() -> None:
        for key in ("c", "c.gz", "c.br"):
            await store.set(key, cpu.Buffer.from_bytes(key.encode()))

    asyncio.run(put())
    assert [_get(store, key) for key in ("c", "c.gz", "c.br", "c.zstd")] == [b"c", b"c.gz", b"c.br", None]
    assert sorted(_all(store, store.list())) == ["c", "c.br", "c.gz"]


def test_encoding_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="exact names"):
        CloudStore(f"file://{tmp_path}", encoding_suffixes=True)


def test_options_beside_a_cloudfiles_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="num_threads"):
        CloudStore(CloudFiles("mem://bucket/"), num_threads=3)


def test_what_is_stored_does_not_change_with_the_array(store: CloudStore) -> None:
    """The buffer of a chunk may be a view of an array that the program goes on to change."""
    array = np.arange(10, dtype="u1")
    asyncio.run(store.set("c/0", cpu.Buffer.from_array_like(array)))
    array[:] = 0
    assert _get(store, "c/0") == bytes(range(10))


@pytest.mark.parametrize(("byte_range", "expected"), [
    (RangeByteRequest(2, 4), b"23"), (RangeByteRequest(8, 99), b"89"), (RangeByteRequest(3, 3), b""),
    (OffsetByteRequest(7), b"789"), (OffsetByteRequest(0), b"0123456789"), (OffsetByteRequest(10), b""),
    (SuffixByteRequest(3), b"789"), (SuffixByteRequest(99), b"0123456789"), (SuffixByteRequest(0), b""),
])
def test_byte_ranges(store: CloudStore, byte_range: Any, expected: bytes) -> None:
    store.cloudfiles.put("key", b"0123456789")
    assert _get(store, "key", byte_range) == expected
    assert _get(store, "missing", byte_range) is None


def test_partial_values_of_missing_keys(store: CloudStore) -> None:
    store.cloudfiles.put("there", b"0123456789")
    wanted = [("there", RangeByteRequest(0, 2)), ("missing", None), ("there", SuffixByteRequest(2)), ("there", None)]
    found = asyncio.run(store.get_partial_values(PROTOTYPE, wanted))
    assert [value and value.to_bytes() for value in found] == [b"01", None, b"89", b"0123456789"]


def test_directories_are_no_keys(store: CloudStore) -> None:
    store.cloudfiles.put("group/zarr.json", b"{}")
    assert _get(store, "group") is None
    assert not asyncio.run(store.exists("group"))
    with pytest.raises(FileNotFoundError):
        asyncio.run(store.getsize("group"))


def test_of_many_writers_one_creates(store: CloudStore) -> None:
    async def race() -> None:
        await asyncio.gather(*(store.set_if_not_exists("key", cpu.Buffer.from_bytes(b"%d" % number))
                               for number in range(20)))

    asyncio.run(race())
    first = _get(store, "key")
    asyncio.run(race())
    assert _get(store, "key") == first


def test_deleting_a_directory_leaves_its_neighbors(store: CloudStore) -> None:
    store.cloudfiles.puts([(key, b"") for key in ("a/1", "a/b/2", "a.txt", "ab/3", "z")])
    asyncio.run(store.delete_dir("a"))
    assert sorted(_all(store, store.list())) == ["a.txt", "ab/3", "z"]
    assert sorted(_all(store, store.list_dir(""))) == ["a.txt", "ab", "z"]
    asyncio.run(store.clear())
    assert _all(store, store.list_dir("")) == []


def test_pickled_store_is_equal(store: CloudStore) -> None:
    for read_only in (False, True):
        one = store.with_read_only(read_only)
        other = pickle.loads(pickle.dumps(one))
        assert other == one
        assert other.read_only == read_only
        assert hash(other) == hash(one)
    assert store != store.with_read_only(True)


# ---- arrays


@pytest.mark.parametrize("shards", [None, (20, 20)], ids=["chunks", "shards"])
def test_arrays(store: CloudStore, shards: tuple[int, int] | None) -> None:
    values = np.arange(3600).reshape(60, 60)
    array = zarr.create_array(store, name="a", shape=(60, 60), chunks=(10, 10), shards=shards, dtype="i4")
    array[:] = values
    array[5:25, 5:25] = -1
    values[5:25, 5:25] = -1
    again = zarr.open_group(CloudStore(store.cloudfiles, read_only=True), mode="r")["a"]
    assert np.array_equal(again[:], values)
    assert np.array_equal(again[7:33, 50:], values[7:33, 50:])
    assert len(_all(store, store.list_prefix("a/c/"))) == (9 if shards else 36)


def test_default_concurrency_is_raised_once() -> None:
    with zarr.config.set({"async.concurrency": 10}):
        CloudStore("mem://bucket/")
        assert zarr.config.get("async.concurrency") == 128
    with zarr.config.set({"async.concurrency": 3}):
        CloudStore("mem://bucket/")
        assert zarr.config.get("async.concurrency") == 3


# ---- a store that fails


@pytest.fixture
def s3(fault_server: S3Server) -> CloudStore:
    return CloudStore(f"s3://{fault_server.bucket}/array/", endpoint=fault_server.url, secrets=fault_server.secrets)


def test_errors_are_no_missing_chunks(s3: CloudStore, fault_server: S3Server) -> None:
    """A chunk that cannot be read must not become the fill value."""
    array = zarr.create_array(s3, shape=(40,), chunks=(10,), dtype="i4", fill_value=7)
    array[:] = np.arange(40)
    fault_server.fail(s3_error(403, "AccessDenied"), method="GET", key="array/c/2", times=None)
    with pytest.raises(Exception, match="403"):
        array[:]


def test_failed_write_is_raised(s3: CloudStore, fault_server: S3Server) -> None:
    array = zarr.create_array(s3, shape=(40,), chunks=(10,), dtype="i4")
    fault_server.fail(s3_error(403, "AccessDenied"), method="PUT", key="array/c/2", times=None)
    with pytest.raises(Exception, match="403"):
        array[:] = 1


def test_arrays_survive_a_flaky_network(s3: CloudStore, fault_server: S3Server) -> None:
    array = zarr.create_array(s3, shape=(400,), chunks=(10,), dtype="i4")
    fault_server.script(mix(7, FLAKY))
    array[:] = np.arange(400)
    assert np.array_equal(array[:], np.arange(400))


def test_concurrent_writes_are_independent(s3: CloudStore, fault_server: S3Server) -> None:
    """Those of one key, and those beside one that fails, although they are one batch."""
    fault_server.fail(s3_error(403, "AccessDenied"), method="PUT", key="array/refused", times=None)

    async def write() -> list[Any]:
        keys = ["a", "b", "refused", "a", "c"]
        return await asyncio.gather(*(s3.set(key, cpu.Buffer.from_bytes(b"%d" % number))
                                      for number, key in enumerate(keys)), return_exceptions=True)

    outcomes = asyncio.run(write())
    assert [outcome is None for outcome in outcomes] == [True, True, False, True, True]
    assert [_get(s3, key) for key in ("b", "c", "refused")] == [b"1", b"4", None]
    assert _get(s3, "a") in (b"0", b"3")


def test_large_values_are_read_few_at_a_time(s3: CloudStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A selection that crosses many large chunks must not have all of them in memory."""
    monkeypatch.setattr("cloudfiles.zarr._READ_BYTES", 40_000)
    keys = [f"c/{number}" for number in range(300)]
    s3.cloudfiles.puts([(key, bytes(4000)) for key in keys])
    sizes: list[int] = []
    get = s3._objects.get

    async def counted(items: Any, **options: Any) -> Any:
        sizes.append(len(items))
        return await get(items, **options)

    monkeypatch.setattr(s3._objects, "get", counted)

    async def read() -> list[Any]:
        return await asyncio.gather(*(s3.get(key, PROTOTYPE) for key in keys))

    assert [len(found) for found in asyncio.run(read())] == [4000] * 300
    assert sizes == [16, *[10] * 28, 4]
    s3.cloudfiles.puts([(key, bytes(4)) for key in keys])
    sizes.clear()
    asyncio.run(read())
    assert sizes[:4] == [10, 40, 160, 90]


def test_concurrent_reads_are_one_batch(s3: CloudStore, fault_server: S3Server) -> None:
    fault_server.put("array/shard", bytes(range(100)))
    fault_server.fail(s3_error(403, "AccessDenied"), method="GET", key="array/refused", times=None)

    async def read() -> list[Any]:
        ranges = [s3.get("shard", PROTOTYPE, RangeByteRequest(number, number + 10)) for number in range(0, 100, 10)]
        return await asyncio.gather(*ranges, s3.get("refused", PROTOTYPE), s3.get("missing", PROTOTYPE),
                                    return_exceptions=True)

    *ranges, refused, missing = asyncio.run(read())
    assert b"".join(found.to_bytes() for found in ranges) == bytes(range(100))
    assert isinstance(refused, AuthorizationError)
    assert missing is None
    assert len(fault_server.requests("GET", "array/shard")) == 1
