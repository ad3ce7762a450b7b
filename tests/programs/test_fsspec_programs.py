"""pandas, dask, zarr and xarray on S3 and in memory, by `storage_options` of the fsspec file system and natively."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fsspec")
pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

import fsspec
import numpy as np
import pandas as pd

from cloudfiles import CloudFiles
from cloudfiles.filesystem.protocols import FILE_SYSTEMS
from cloudfiles.testing import S3Server
from tests.conformance.stores import STORES, StoreUnderTest
from tests.patience import patient_dask
from tests.selection import some


@pytest.fixture(params=some(["mem", "scripted", "rclone", "moto"], ["scripted"]))
def place(request: pytest.FixtureRequest) -> StoreUnderTest:
    _register()
    return STORES[request.param](request)


def _register() -> None:
    """What the entry points do, where this project was installed before it had them."""
    for protocol, cls in FILE_SYSTEMS.items():
        fsspec.register_implementation(f"cf+{protocol}", cls, clobber=True)


def _url(place: StoreUnderTest, key: str) -> str:
    return f"cf+{place.cloudpath}{key}"


def _frame(rows: int = 500) -> pd.DataFrame:
    return pd.DataFrame({"number": np.arange(rows), "half": np.arange(rows) / 2,
                         "text": [f"row {number}" for number in range(rows)]})


# ---- pandas


def test_pandas_parquet(place: StoreUnderTest) -> None:
    _frame().to_parquet(_url(place, "dir/frame.parquet"), storage_options=place.options)
    found = pd.read_parquet(_url(place, "dir/frame.parquet"), storage_options=place.options)
    pd.testing.assert_frame_equal(found, _frame())
    found = pd.read_parquet(_url(place, "dir/"), storage_options=place.options, columns=["half"])
    pd.testing.assert_frame_equal(found, _frame()[["half"]])


def test_pandas_partitioned_parquet(place: StoreUnderTest) -> None:
    _frame().assign(part=lambda frame: frame.number % 3).to_parquet(
        _url(place, "parts"), storage_options=place.options, partition_cols=["part"])
    found = pd.read_parquet(_url(place, "parts"), storage_options=place.options, filters=[("part", "=", 1)])
    assert sorted(found.number) == list(range(1, 500, 3))


def test_pandas_gzipped_csv(place: StoreUnderTest) -> None:
    _frame().to_csv(_url(place, "frame.csv.gz"), storage_options=place.options, index=False)
    stored = place.keeps("frame.csv.gz")
    assert stored is not None
    assert stored[:2] == b"\x1f\x8b"
    pd.testing.assert_frame_equal(pd.read_csv(_url(place, "frame.csv.gz"), storage_options=place.options), _frame())
    pieces = pd.read_csv(_url(place, "frame.csv.gz"), storage_options=place.options, chunksize=100)
    assert sum(len(piece) for piece in pieces) == 500


def test_pandas_native_arrow_file_system(place: StoreUnderTest) -> None:
    from cloudfiles.arrow import arrow_file_system

    fs = arrow_file_system(place.cf())
    _frame().to_parquet("frame.parquet", filesystem=fs)
    pd.testing.assert_frame_equal(pd.read_parquet("frame.parquet", filesystem=fs), _frame())


# ---- zarr and xarray


def test_zarr_as_fsspec_store(place: StoreUnderTest) -> None:
    zarr = pytest.importorskip("zarr", minversion="3.1")
    from zarr.storage import FsspecStore

    store = FsspecStore.from_url(_url(place, "array.zarr"), storage_options=place.options)
    array = zarr.create_array(store, name="a", shape=(60, 60), chunks=(10, 10), shards=(20, 20), dtype="f8")
    array[:] = np.arange(3600).reshape(60, 60)
    opened = zarr.open_group(_url(place, "array.zarr"), storage_options=place.options, mode="r")
    assert [name for name, _ in opened.members()] == ["a"]
    assert opened["a"][33, 3:7].tolist() == [1983, 1984, 1985, 1986]


@pytest.mark.parametrize("native", [True, False], ids=["native", "fsspec"])
@pytest.mark.filterwarnings("ignore:Consolidated metadata", "ignore::zarr.errors.ZarrUserWarning")
def test_xarray(place: StoreUnderTest, native: bool) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr", minversion="3.1")
    from zarr.storage import FsspecStore

    from cloudfiles.zarr import CloudStore

    def there() -> Any:  # xarray takes 'cf+s3://...' for a local path
        if native:
            return CloudStore(f"{place.cloudpath}cube.zarr", **place.options)
        return FsspecStore.from_url(_url(place, "cube.zarr"), storage_options=place.options)

    cube = xarray.Dataset({"celsius": (("time", "place"), np.arange(40.0).reshape(10, 4))},
                          {"time": np.arange(10), "place": np.arange(4)})
    cube.chunk(time=5).to_zarr(there(), mode="w")
    cube.assign_coords(time=np.arange(10, 20)).chunk(time=5).to_zarr(there(), append_dim="time")
    cube.isel(time=slice(0, 5)).drop_vars("place").map(lambda values: values + 100).to_zarr(
        there(), region={"time": slice(5, 10)})
    opened = xarray.open_zarr(there())
    first = cube.celsius.values
    assert np.array_equal(opened.celsius.values, np.concatenate([first[:5], first[:5] + 100, first]))
    assert opened.sel(place=1, time=19).celsius.compute().item() == 37


# ---- dask


@pytest.fixture
def dask_place(place: StoreUnderTest) -> StoreUnderTest:
    pytest.importorskip("dask.dataframe")
    return place


def test_dask_in_threads(dask_place: StoreUnderTest) -> None:
    _check_dask(dask_place, dask_place.options, "threads")


def _check_dask(place: StoreUnderTest, options: dict[str, Any], scheduler: Any) -> None:
    import dask.bag
    import dask.dataframe as dd

    place.cf().puts([(f"text/{number}.txt", b"one\ntwo\n" * 50) for number in range(6)])
    for number in range(4):
        _frame().to_parquet(_url(place, f"frames/{number}.parquet"), storage_options=place.options)
    lines = dask.bag.read_text(_url(place, "text/*.txt"), storage_options=options, blocksize=100)
    assert lines.filter(lambda line: line == "two\n").count().compute(scheduler=scheduler) == 300
    frames = dd.read_parquet(_url(place, "frames/"), storage_options=options)
    assert frames.half.sum().compute(scheduler=scheduler) == 4 * _frame().half.sum()


@pytest.fixture
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with patient_dask(), distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, host="127.0.0.1", dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            yield client


@pytest.mark.full
@pytest.mark.filterwarnings("ignore")
def test_dask_on_two_processes(fault_server: S3Server, monkeypatch: pytest.MonkeyPatch, request: Any) -> None:
    """File systems and stores are pickled to the workers, which find the secrets in their environment."""
    pytest.importorskip("dask.dataframe")
    import dask.array

    _register()
    for name, value in fault_server.secrets.items():
        monkeypatch.setenv(name, value)
    place = StoreUnderTest("scripted", f"s3://{fault_server.bucket}/dask/", {"endpoint": fault_server.url})
    client = request.getfixturevalue("cluster")
    _check_dask(place, place.options, client)

    pytest.importorskip("zarr", minversion="3.1")
    from cloudfiles.zarr import CloudStore

    store = CloudStore(f"{place.cloudpath}array.zarr", endpoint=fault_server.url)
    values = dask.array.ones((400, 400), chunks=(100, 100)).cumsum(axis=0)
    values.to_zarr(store, component="ones")
    assert float(dask.array.from_zarr(store, component="ones")[-1].sum().compute()) == 400 * 400
    assert len(CloudFiles(place.cloudpath, endpoint=fault_server.url).get(
        sorted(CloudFiles(f"{place.cloudpath}", endpoint=fault_server.url).list("text/")))) == 6


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_after_fork(place: StoreUnderTest) -> None:
    """What this process has used, a forked one goes on using, on connections of its own."""
    import multiprocessing

    zarr = pytest.importorskip("zarr", minversion="3.1")
    from cloudfiles.arrow import arrow_file_system
    from cloudfiles.zarr import CloudStore

    store, fs = CloudStore(place.cf()), arrow_file_system(place.cf())
    array = zarr.create_array(store, shape=(100,), chunks=(10,), dtype="i8")
    array[:] = np.arange(100)
    _frame().to_parquet("frame.parquet", filesystem=fs)

    def read() -> None:
        assert np.array_equal(zarr.open_array(store, mode="r")[:], np.arange(100))
        pd.testing.assert_frame_equal(pd.read_parquet("frame.parquet", filesystem=fs), _frame())

    read()
    child = multiprocessing.get_context("fork").Process(target=read)
    child.start()
    child.join(60)
    assert child.exitcode == 0
