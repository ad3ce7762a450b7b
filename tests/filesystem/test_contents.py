"""Reading and writing files of a file system."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from cloudfiles.exceptions import InvalidInputError, UnsupportedOperationError
from cloudfiles.testing import S3Server, s3_error

TEXT = bytes(range(100))


RANGES = [
    (None, None), (0, 10), (10, 20), (90, 200), (200, 300), (None, 5), (5, None), (-5, None), (-20, -10), (None, -90),
    (50, -10), (-200, 10), (20, 10), (0, 0)]


def test_ranges_are_those_of_slices(fs: Any) -> None:
    fs.pipe("x", TEXT)
    starts, ends = [list(edges) for edges in zip(*RANGES, strict=True)]
    expected = [TEXT[start:end] for start, end in RANGES]
    assert [fs.cat_file("x", start, end) for start, end in RANGES] == expected
    assert fs.cat_ranges(["x"] * len(RANGES), starts, ends) == expected


def test_errors_of_many(fs: Any) -> None:
    fs.pipe({"a": b"1", "d/b": b"2"})
    with pytest.raises(FileNotFoundError):
        fs.cat(["a", "no"])
    assert fs.cat(["a", "no"], on_error="omit") == {"a": b"1"}
    found = fs.cat(["a", "no"], on_error="return")
    assert found["a"] == b"1"
    assert isinstance(found["no"], FileNotFoundError)
    assert fs.cat("*") == {"a": b"1"}
    one, other = fs.cat_ranges(["a", "no"], 0, 1)
    assert (one, type(other)) == (b"1", FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(["no"], 0, 1, on_error="raise")
    with pytest.raises(ValueError, match="on_error"):
        fs.cat("a", on_error="ignore")
    with pytest.raises(ValueError, match="1 starts"):
        fs.cat_ranges(["a", "a"], [0], [1])


def test_a_denied_read_is_an_error_of_its_own(s3: Any, fault_server: S3Server) -> None:
    s3.pipe({"a": b"1", "b": b"2"})
    fault_server.fail(s3_error(403, "AccessDenied"), key="b", times=None)
    found = s3.cat(["a", "b"], on_error="return")
    assert found["a"] == b"1"
    assert isinstance(found["b"], PermissionError)


def test_a_directory_is_no_file(fs: Any, tmp_path: Path) -> None:
    fs.pipe("d/a", b"1")
    with pytest.raises(IsADirectoryError):
        fs.open("d")
    with pytest.raises((FileNotFoundError, IsADirectoryError)):
        fs.cat("d")
    for write in (fs.pipe, lambda path, content: fs.open(path, "wb")):
        with pytest.raises(IsADirectoryError):
            write("", b"")
    with pytest.raises(IsADirectoryError):
        fs.rm("d")
    assert fs.find("") == ["d/a"]


def test_another_version_is_never_returned(s3: Any) -> None:
    s3.pipe("a", b"1")
    for ask in (s3.cat_file, s3.cat, s3.info, s3.exists, s3.open):
        with pytest.raises(UnsupportedOperationError, match="version_id= is not supported on s3://"):
            ask("a", version_id="v1")


def test_writing(fs: Any) -> None:
    fs.pipe_file("a", b"1", mode="create")
    with pytest.raises(FileExistsError):
        fs.pipe_file("a", b"2", mode="create")
    assert fs.cat("a") == b"1"
    fs.touch("a", truncate=True)
    assert fs.cat("a") == b""
    fs.touch("new", truncate=False)
    assert fs.size("new") == 0
    fs.pipe_file("a", b"3", chunksize=5 << 20, max_concurrency=4)  # options of s3fs and adlfs that change nothing
    with pytest.raises(InvalidInputError, match="unknown option acl"):
        fs.pipe_file("a", b"", acl="public-read")
    with pytest.raises(ValueError, match="mode"):
        fs.pipe_file("a", b"", mode="append")
    with pytest.raises(ValueError, match="expected a path or a dict"):
        fs.pipe(["a"], b"")


def test_touching_an_existing_file(fs: Any) -> None:
    fs.pipe("a", b"1")
    if fs.protocol[1] == "file":
        fs.touch("a", truncate=False)
    else:
        with pytest.raises(NotImplementedError, match="time of modification"):
            fs.touch("a", truncate=False)
    assert fs.cat("a") == b"1"


def test_contents_are_the_stored_bytes(s3: Any, tmp_path: Path) -> None:
    small, large = gzip.compress(b"text"), gzip.compress(os.urandom((8 << 20) + 1))
    s3.pipe_file("small", small, content_encoding="gzip", content_type="text/csv")
    s3.pipe_file("large", large, content_encoding="gzip")
    assert s3._place("").cf.get("small") == b"text"
    info = s3.info("small")
    assert (info["size"], info["content_encoding"], info["content_type"]) == (len(small), "gzip", "text/csv")
    assert s3.cat("small") == s3.open("small").read() == small
    assert s3.cat_file("small", -4) == s3.tail("small", 4) == small[-4:]
    s3.get(["small", "large"], f"{tmp_path}/")
    assert (tmp_path / "small").read_bytes() == small
    assert (tmp_path / "large").read_bytes() == large
    assert s3.open("small", "rt", compression="gzip").read() == "text"


def test_a_mapping(fs: Any) -> None:
    mapper = fs.get_mapper("store")
    mapper.setitems({"a": b"1", "b/c": b"2"})
    assert dict(mapper) == {"a": b"1", "b/c": b"2"}
    assert mapper.getitems(["a", "no"], on_error="omit") == {"a": b"1"}
    del mapper["a"]
    with pytest.raises(KeyError):
        mapper["a"]
    assert "b/c" in mapper
