"""Appending, truncating and times, by `CloudFiles.data_lake()`, on the stores that can do it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import (
    CloudFilesError,
    InvalidInputError,
    MissingObjectError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from tests.facade.capability_stores import open_store


@pytest.fixture(params=["file", "mem", "abfs", "webhdfs", "adl", pytest.param("hadoop", marks=pytest.mark.full)])
def cf(request: pytest.FixtureRequest, tmp_path: Path) -> CloudFiles:
    return open_store(request.param, request, tmp_path)


def test_append(cf: CloudFiles) -> None:
    lake = cf.data_lake()
    lake.create("dir/log")
    assert cf.get("dir/log") == b""
    lake.append("dir/log", 0, b"first ")
    lake.append("dir/log", 6, b"second")
    etag = lake.flush("dir/log", 12)
    assert cf.get("dir/log") == b"first second"
    assert cf.head("dir/log")["ETag"] == etag
    lake.append("dir/log", 12, b".")
    lake.flush("dir/log", 13, close=True)
    assert cf.get("dir/log") == b"first second."


def test_create(cf: CloudFiles) -> None:
    lake = cf.data_lake()
    cf.put("log", b"old")
    with pytest.raises(PreconditionFailedError):
        lake.create("log", if_absent=True)
    assert cf.get("log") == b"old"
    lake.create("log")
    assert cf.get("log") == b""


def test_nothing_is_appended_twice_or_with_a_gap(cf: CloudFiles) -> None:
    lake = cf.data_lake()
    lake.create("log")
    lake.append("log", 0, b"line\n")
    lake.flush("log", 5)
    for position, length in ((0, 5), (4, 9), (6, 11)):
        with pytest.raises(CloudFilesError):
            lake.append("log", position, b"line\n")
            lake.flush("log", length + 1)
    assert cf.get("log") == b"line\n"


def test_append_to_nothing(cf: CloudFiles) -> None:
    with pytest.raises(MissingObjectError):
        cf.data_lake().append("log", 0, b"line\n")
    assert not cf.exists("log")


def test_truncate(cf: CloudFiles) -> None:
    cf.put("a", b"12345")
    lake = cf.data_lake()
    if cf.protocol in ("abfs", "adl"):
        with pytest.raises(UnsupportedOperationError):
            lake.truncate("a", 2)
        return
    lake.truncate("a", 2)
    assert cf.get("a") == b"12"
    for size in (3, -1):
        with pytest.raises(InvalidInputError):
            lake.truncate("a", size)
    lake.truncate("a", 0)
    assert cf.get("a") == b""
    with pytest.raises(MissingObjectError):
        lake.truncate("missing", 0)


def test_set_times(tmp_path: Path) -> None:
    cf = CloudFiles(f"file://{tmp_path}")
    cf.put("dir/a", b"1", compress="gzip")
    cf.data_lake().set_times("dir/a", modified=1_000_000_000.5)
    cf.data_lake().set_times("dir", accessed=5)
    assert os.stat(tmp_path / "dir" / "a.gz").st_mtime == 1_000_000_000.5
    assert os.stat(tmp_path / "dir").st_atime == 5
    with pytest.raises(MissingObjectError):
        cf.data_lake().set_times("missing", 1)


def test_a_failed_append_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cf = CloudFiles(f"file://{tmp_path}")
    cf.put("a", b"12")
    write = os.write
    calls = []

    def fails(descriptor: int, content: bytes) -> int:
        calls.append(content)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(descriptor, content[:1])

    lake = cf.data_lake()
    monkeypatch.setattr(os, "write", fails)
    with pytest.raises(CloudFilesError, match="No space left"):
        lake.append("a", 2, b"345")
    monkeypatch.undo()
    assert cf.get("a") == b"12"


def test_only_below_the_cloudpath(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").write_bytes(b"kept")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    lake = CloudFiles(f"file://{tmp_path}/root").data_lake()
    for path in ("link", "../outside", ""):
        with pytest.raises(CloudFilesError):
            lake.append(path, 4, b"more")
        with pytest.raises(CloudFilesError):
            lake.truncate(path, 0)
    assert (tmp_path / "outside").read_bytes() == b"kept"


@pytest.mark.parametrize("kind", ["s3", "gs", "az"])
def test_elsewhere(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperationError, match=f"{kind}://"):
        open_store(kind, request, tmp_path).data_lake()
