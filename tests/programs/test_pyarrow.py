"""pyarrow on `cloudfiles.arrow`: its file system, Parquet files and datasets."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileType, PyFileSystem

from cloudfiles import CloudFiles
from cloudfiles.arrow import TAIL_BYTES, CloudFilesHandler, arrow_file_system
from cloudfiles.exceptions import AuthorizationError, InvalidInputError, ObjectChangedError
from cloudfiles.testing import FLAKY, S3Server, mix, s3_error
from tests.conformance.stores import StoreUnderTest


@pytest.fixture
def files(place: StoreUnderTest) -> CloudFiles:
    return place.cf()


@pytest.fixture
def fs(files: CloudFiles) -> PyFileSystem:
    return arrow_file_system(files)


def _kinds(infos: Any) -> dict[str, Any]:
    return {info.path: info.size if info.type == FileType.File else info.type for info in infos}


# ---- the file system


def test_information(fs: PyFileSystem, files: CloudFiles) -> None:
    files.puts([("a/b", b"12"), ("a/c/d", b""), ("e", b"123")])
    infos = fs.get_file_info(["e", "a/b", "a", "a/c", "missing", "a/missing", "e"])
    assert [info.path for info in infos] == ["e", "a/b", "a", "a/c", "missing", "a/missing", "e"]
    assert [info.type for info in infos] == [FileType.File, FileType.File, FileType.Directory, FileType.Directory,
                                             FileType.NotFound, FileType.NotFound, FileType.File]
    assert [info.size for info in infos] == [3, 2, None, None, None, None, 3]
    assert infos[0].mtime is not None
    assert infos[0].mtime.year > 2020
    assert fs.get_file_info("").type == FileType.Directory
    assert fs.get_file_info([]) == []


def test_selectors(fs: PyFileSystem, files: CloudFiles) -> None:
    files.puts([("a/b", b"12"), ("a/c/d/e", b""), ("ab/f", b""), ("g", b"123")])
    assert _kinds(fs.get_file_info(FileSelector(""))) == {"a": FileType.Directory, "ab": FileType.Directory, "g": 3}
    assert _kinds(fs.get_file_info(FileSelector("a"))) == {"a/b": 2, "a/c": FileType.Directory}
    assert _kinds(fs.get_file_info(FileSelector("a/", recursive=True))) == {
        "a/b": 2, "a/c": FileType.Directory, "a/c/d": FileType.Directory, "a/c/d/e": 0}
    assert fs.get_file_info(FileSelector("missing", allow_not_found=True)) == []
    with pytest.raises(FileNotFoundError):
        fs.get_file_info(FileSelector("missing"))
    with pytest.raises(NotADirectoryError):
        fs.get_file_info(FileSelector("g"))


def test_changes(fs: PyFileSystem, files: CloudFiles) -> None:
    files.puts([("a/b", b"12"), ("a/c/d", b"3"), ("ab", b"4")])
    fs.create_dir("new/dir", recursive=True)
    fs.copy_file("a/b", "copy")
    fs.move("a/c", "moved")
    fs.delete_file("a/b")
    assert sorted(files) == ["ab", "copy", "moved/d"]
    assert files["copy"] == b"12"
    fs.delete_dir_contents("moved")
    assert sorted(files) == ["ab", "copy"]
    fs.delete_dir_contents("missing", missing_dir_ok=True)
    for change in (fs.delete_file, fs.delete_dir, fs.delete_dir_contents):
        with pytest.raises(FileNotFoundError):
            change("missing")
    with pytest.raises(FileNotFoundError):
        fs.copy_file("missing", "copy")
    files["dir/x"] = b""
    with pytest.raises(IsADirectoryError):
        fs.delete_file("dir")
    fs.delete_dir("dir")
    assert sorted(files) == ["ab", "copy"]
    fs.delete_dir_contents("/", accept_root_dir=True)
    assert fs.get_file_info(FileSelector("", recursive=True)) == []


@pytest.mark.parametrize("size", [0, 10, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1, 300_000])
def test_input_files(fs: PyFileSystem, files: CloudFiles, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    files["file"] = content
    with fs.open_input_file("file") as file:
        assert file.size() == size
        for start in (0, size // 2, max(0, size - 70_000), max(0, size - 3), size):
            assert file.read_at(100, start) == content[start:start + 100]
        file.seek(0)
        assert file.read() == content
    with fs.open_input_stream("file") as stream:
        assert stream.read(7) == content[:7]
        assert stream.read() == content[7:]


def test_missing_input(fs: PyFileSystem, files: CloudFiles) -> None:
    files["dir/x"] = b""
    for opened in (fs.open_input_file, fs.open_input_stream):
        with pytest.raises(FileNotFoundError):
            opened("missing")
    with pytest.raises(IsADirectoryError):
        fs.open_input_file("dir")


def test_output(fs: PyFileSystem, files: CloudFiles) -> None:
    with fs.open_output_stream("dir/out.txt", metadata={"Content-Type": "text/x-test"}) as stream:
        stream.write(b"one ")
        assert not files.exists("dir/out.txt")
        stream.write(b"two")
    assert files["dir/out.txt"] == b"one two"
    if files.protocol != "file":
        head = files.head("dir/out.txt")
        assert head is not None
        assert head["Content-Type"] == "text/x-test"


def test_nothing_is_decoded_but_by_pyarrow(fs: PyFileSystem, files: CloudFiles) -> None:
    with fs.open_output_stream("text.gz") as stream:  # pyarrow compresses by the suffix
        stream.write(b"text" * 100)
    with fs.open_input_stream("text.gz", compression=None) as stream:
        assert stream.read(2) == b"\x1f\x8b"
    with fs.open_input_stream("text.gz") as stream:
        assert stream.read() == b"text" * 100


def test_equality_and_pickles(fs: PyFileSystem, files: CloudFiles) -> None:
    assert fs == arrow_file_system(files)
    assert pickle.loads(pickle.dumps(fs)) == fs
    assert fs != arrow_file_system("mem://another/")
    assert fs.type_name == f"py::cloudfiles+{files.protocol}"
    assert fs.handler == CloudFilesHandler(files)
    with pytest.raises(InvalidInputError, match="num_threads"):
        CloudFilesHandler(files, num_threads=1)


# ---- files and datasets


def _table(rows: int = 1000) -> pa.Table:
    numbers = list(range(rows))
    return pa.table({"number": numbers, "year": [2020 + number % 3 for number in numbers],
                     "text": [f"row {number}" for number in numbers]})


def test_parquet(fs: PyFileSystem) -> None:
    table = _table()
    pq.write_table(table, "dir/table.parquet", filesystem=fs, row_group_size=100)
    assert pq.read_table("dir/table.parquet", filesystem=fs) == table
    assert pq.read_table("dir/table.parquet", filesystem=fs, columns=["text"]) == table.select(["text"])
    assert pq.read_metadata("dir/table.parquet", filesystem=fs).num_row_groups == 10


def test_csv(fs: PyFileSystem) -> None:
    with fs.open_output_stream("table.csv.gz") as stream:
        pyarrow.csv.write_csv(_table(), stream)
    with fs.open_input_stream("table.csv.gz") as stream:
        assert pyarrow.csv.read_csv(stream) == _table()


@pytest.mark.parametrize("layout", ["parquet", "feather"])
def test_partitioned_datasets(fs: PyFileSystem, files: CloudFiles, layout: str) -> None:
    table = _table()

    def write(**options: Any) -> None:
        ds.write_dataset(table, "set", filesystem=fs, format=layout, partitioning=["year"],
                         partitioning_flavor="hive", **options)

    write()
    write(existing_data_behavior="delete_matching")
    assert sorted(path.split("/")[1] for path in files) == ["year=2020", "year=2021", "year=2022"]
    found = ds.dataset("set", filesystem=fs, format=layout, partitioning="hive")
    assert found.count_rows() == 1000
    assert found.to_table(filter=pc.field("year") == 2021, columns=["number"]).column(0).to_pylist() == [
        number for number in range(1000) if number % 3 == 1]
    assert found.to_table().sort_by("number").select(["number", "text"]) == table.select(["number", "text"])


# ---- requests


@pytest.fixture
def s3(fault_server: S3Server) -> PyFileSystem:
    return arrow_file_system(f"s3://{fault_server.bucket}/", endpoint=fault_server.url, secrets=fault_server.secrets)


def test_requests_of_a_footer_and_a_column(s3: PyFileSystem, fault_server: S3Server) -> None:
    pq.write_table(_table(100_000), "large.parquet", filesystem=s3, compression="none")
    fault_server.forget()
    assert pq.read_metadata("large.parquet", filesystem=s3).num_rows == 100_000
    assert len(fault_server.requests()) == 1
    fault_server.forget()
    pq.ParquetFile("large.parquet", filesystem=s3, pre_buffer=True).read(columns=["year"])
    assert len(fault_server.requests()) == 2


def test_requests_of_information(s3: PyFileSystem, fault_server: S3Server) -> None:
    fault_server.put_many({f"dir/{number:04d}": b"" for number in range(2500)})
    fault_server.forget()
    assert len(s3.get_file_info(FileSelector("dir"))) == 2500
    assert len(fault_server.requests("GET")) <= 6


def test_a_file_that_is_replaced_is_not_mixed(s3: PyFileSystem, fault_server: S3Server) -> None:
    fault_server.put("file", b"a" * 200_000)
    with s3.open_input_file("file") as file:
        assert file.read_at(10, 0) == b"a" * 10
        fault_server.put("file", b"b" * 200_000)
        with pytest.raises(ObjectChangedError):
            file.read_at(10, 50)


def test_a_flaky_network(s3: PyFileSystem, fault_server: S3Server) -> None:
    fault_server.script(mix(3, FLAKY))
    ds.write_dataset(_table(), "set", filesystem=s3, format="parquet", partitioning=["year"])
    assert ds.dataset("set", filesystem=s3).count_rows() == 1000


def test_errors_are_raised(s3: PyFileSystem, fault_server: S3Server) -> None:
    fault_server.put("file", b"content")
    fault_server.fail(s3_error(403, "AccessDenied"), times=None)
    for ask in (lambda: s3.get_file_info(["file"]), lambda: s3.open_input_file("file"),
                lambda: s3.get_file_info(FileSelector(""))):
        with pytest.raises(AuthorizationError):
            ask()
