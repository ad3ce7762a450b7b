"""Libraries that take file objects."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import numpy as np
import pytest

from cloudfiles import CloudFiles
from cloudfiles.testing import S3Server
from tests.contents import numbered


@pytest.fixture
def cf(fault_server: S3Server) -> CloudFiles:
    return CloudFiles(f"s3://{fault_server.bucket}/dir/", endpoint=fault_server.url, secrets=fault_server.secrets)


def test_numpy(cf: CloudFiles) -> None:
    array = np.arange(200_000).reshape(400, 500)
    with cf.open("a.npy", "wb") as file:
        np.save(file, array)
    with cf.open("a.npz", "wb") as file:
        np.savez_compressed(file, one=array, two=array[:3])
    with cf.open("a.npy") as file:
        assert np.array_equal(np.load(file), array)
    with cf.open("a.npz") as file, np.load(file) as found:
        assert np.array_equal(found["two"], array[:3])


def test_tar_with_random_access(cf: CloudFiles) -> None:
    with cf.open("a.tar", "wb") as file, tarfile.open(fileobj=file, mode="w|") as tar:
        for number in range(20):
            entry = tarfile.TarInfo(f"{number}")
            entry.size = 10_000
            tar.addfile(entry, io.BytesIO(numbered(10_000, number)))
    with cf.open("a.tar") as file, tarfile.open(fileobj=file) as tar:
        found = tar.extractfile("13")
        assert found is not None
        assert found.read() == numbered(10_000, 13)


def test_pandas(cf: CloudFiles) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"name": ["a", "b"], "value": [1, 2]})
    with cf.open("a.csv", "w") as text:
        frame.to_csv(text, index=False)
    assert cf.get("a.csv") == b"name,value\na,1\nb,2\n"
    with cf.open("a.csv") as file:
        assert pandas.read_csv(file).equals(frame)
    with cf.open("a.csv.gz", "wb") as file:
        frame.to_csv(file, index=False, compression="gzip")
    with cf.open("a.csv.gz") as file:
        assert pandas.read_csv(file, compression="gzip").equals(frame)


def test_parquet(cf: CloudFiles, fault_server: S3Server) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet

    table: Any = pyarrow.table({"number": list(range(300_000)), "half": [number / 2 for number in range(300_000)]})
    with cf.open("a.parquet", "wb") as file:
        pyarrow.parquet.write_table(table, file, compression="none", use_dictionary=False)
    with cf.open("a.parquet") as file:
        assert pyarrow.parquet.read_table(file).equals(table)
    fault_server.forget()
    with cf.open("a.parquet") as file:
        assert pyarrow.parquet.ParquetFile(file).metadata.num_rows == 300_000
    assert len(fault_server.requests()) == 2  # a HEAD, and the end of the file
