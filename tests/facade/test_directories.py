"""`mkdir`, `rmdir`, `rename` and `isdir` of `CloudFiles`, on every kind of store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudfiles import AsyncCloudFiles, CloudFiles
from cloudfiles.exceptions import (
    AmbiguousPathError,
    CloudFilesError,
    DirectoryNotEmptyError,
    InvalidInputError,
    InvalidPathError,
    MissingObjectError,
    PreconditionFailedError,
)
from cloudfiles.testing import Rule, S3Server, Status


def has_directories(cf: CloudFiles) -> bool:
    return cf.protocol in ("file", "abfs", "webhdfs", "adl")


# ---- mkdir and rmdir


def test_mkdir(cf: CloudFiles) -> None:
    cf.mkdir("a/b")
    cf.mkdir("a/b/")
    assert cf.isdir("a") is cf.isdir("a/b") is has_directories(cf)
    cf.put("a/b/c", b"1")
    assert cf.isdir("a/b")
    with pytest.raises(PreconditionFailedError):
        cf.mkdir("a/b", exist_ok=False)
    assert list(cf.list()) == ["a/b/c"]


def test_mkdir_of_the_cloudpath(cf: CloudFiles) -> None:
    cf.mkdir("")
    assert cf.isdir("") is has_directories(cf)


def test_mkdir_where_a_file_is(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    if has_directories(cf):
        with pytest.raises(PreconditionFailedError):
            cf.mkdir("a")
    assert cf.get("a") == b"1"


def test_rmdir(cf: CloudFiles) -> None:
    cf.mkdir("a/b")
    cf.put("a/b/c", b"1")
    cf.put("ab", b"2")
    for directory in ("a", "a/", "a/b"):
        with pytest.raises(DirectoryNotEmptyError):
            cf.rmdir(directory)
    cf.rmdir("a", recursive=True)
    assert not cf.isdir("a")
    assert list(cf.list()) == ["ab"]


def test_rmdir_of_an_empty_one(cf: CloudFiles) -> None:
    cf.mkdir("a/b")
    if has_directories(cf):
        cf.rmdir("a/b")
        assert cf.isdir("a")
    with pytest.raises(MissingObjectError):
        cf.rmdir("a/b")


def test_rmdir_of_a_file(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    for recursive in (False, True):
        with pytest.raises((PreconditionFailedError, MissingObjectError)):
            cf.rmdir("a", recursive=recursive)
    assert cf.get("a") == b"1"


def test_rmdir_of_the_cloudpath(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    with pytest.raises(InvalidInputError):
        cf.rmdir("", recursive=True)
    assert cf.get("a") == b"1"


# ---- rename


def test_rename_an_object(cf: CloudFiles) -> None:
    encoding = None if cf.protocol in ("webhdfs", "adl") else "gzip"  # HDFS has none
    cf.put("a", b"1", compress=encoding, content_type="text/plain")
    cf.rename("a", "x/y/b")
    assert (cf.get("x/y/b"), cf.exists("a")) == (b"1", False)
    assert cf.head("x/y/b")["Content-Encoding"] == encoding


def test_rename_a_directory(cf: CloudFiles) -> None:
    cf.puts((f"a/{number}/{number}", str(number).encode()) for number in range(25))
    cf.puts([("ab", b"beside"), ("a.txt", b"beside")])
    cf.rename("a/", "x/b")
    assert sorted(cf.list()) == sorted(["a.txt", "ab", *(f"x/b/{number}/{number}" for number in range(25))])
    assert cf.get("x/b/7/7") == b"7"
    assert not cf.isdir("a")


def test_rename_replaces_an_object(cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("b", b"2")])
    with pytest.raises(PreconditionFailedError):
        cf.rename("a", "b", overwrite=False)
    assert (cf.get("a"), cf.get("b")) == (b"1", b"2")
    cf.rename("a", "b")
    assert (cf.exists("a"), cf.get("b")) == (False, b"1")
    cf.rename("b", "c", overwrite=False)
    assert cf.get("c") == b"1"


def test_rename_does_not_merge_directories(cf: CloudFiles) -> None:
    cf.puts([("a/1", b"1"), ("b/2", b"2")])
    for overwrite in (True, False):
        with pytest.raises(PreconditionFailedError):
            cf.rename("a", "b", overwrite=overwrite)
    assert sorted(cf.list()) == ["a/1", "b/2"]


def test_rename_replaces_an_empty_directory(cf: CloudFiles) -> None:
    cf.put("a/1", b"1")
    cf.mkdir("b")
    if has_directories(cf):
        with pytest.raises(PreconditionFailedError):
            cf.rename("a", "b", overwrite=False)
    cf.rename("a", "b")
    assert list(cf.list()) == ["b/1"]


@pytest.mark.parametrize(("source", "target"), [("file", "directory"), ("directory", "file")])
def test_rename_of_one_kind_onto_the_other(cf: CloudFiles, source: str, target: str) -> None:
    cf.puts([("file", b"1"), ("directory/x", b"2")])
    with pytest.raises(PreconditionFailedError):
        cf.rename(source, target)
    assert sorted(cf.list()) == ["directory/x", "file"]


def test_rename_of_nothing(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    for missing in ("missing", "missing/", "a/"):
        with pytest.raises(MissingObjectError):
            cf.rename(missing, "b")
    assert list(cf.list()) == ["a"]


@pytest.mark.parametrize(("source", "target"), [
    ("", "b"), ("/", "b"), ("a", ""), ("a", "a"), ("a", "a/"), ("a/", "a"), ("a", "a/b"), ("a/", "a/b/c")])
def test_renames_that_are_refused(cf: CloudFiles, source: str, target: str) -> None:
    cf.put("a/x", b"1")
    with pytest.raises(InvalidInputError):
        cf.rename(source, target)
    assert list(cf.list()) == ["a/x"]


def test_an_object_and_a_directory_of_one_name(cf: CloudFiles) -> None:
    if has_directories(cf):
        return  # cannot be
    cf.puts([("a", b"1"), ("a/x", b"2")])
    with pytest.raises(AmbiguousPathError):
        cf.rename("a", "b")
    cf.rename("a/", "b")
    assert sorted(cf.list()) == ["a", "b/x"]


def test_async(cf: CloudFiles) -> None:
    async def use() -> None:
        store = AsyncCloudFiles.of(cf)
        await store.mkdir("a")
        await store.put("a/1", b"1")
        await store.rename("a", "b")
        assert await store.get("b/1") == b"1"
        await store.rmdir("b", recursive=True)
        assert not await store.isdir("b")

    asyncio.run(use())


# ---- local directories


@pytest.fixture
def local(tmp_path: Path) -> CloudFiles:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_bytes(b"kept")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    return CloudFiles(f"file://{tmp_path}/root")


@pytest.mark.parametrize("use", [
    lambda cf: cf.mkdir("link/new"), lambda cf: cf.rename("a", "link/b"), lambda cf: cf.mkdir("../new"),
    lambda cf: cf.rename("a", "../b"), lambda cf: cf.rename("../outside", "b"), lambda cf: cf.rmdir("../outside")])
def test_nothing_outside_is_changed(local: CloudFiles, tmp_path: Path, use: Callable[[CloudFiles], object]) -> None:
    local.put("a", b"1")
    with pytest.raises(InvalidPathError):
        use(local)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "root"]
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["kept"]
    assert local.get("a") == b"1"


def test_rmdir_removes_symlinks_and_not_what_they_lead_to(local: CloudFiles, tmp_path: Path) -> None:
    with pytest.raises(PreconditionFailedError, match="symlink"):
        local.rmdir("link", recursive=True)
    local.mkdir("a")
    (tmp_path / "root" / "a" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "a" / "other").symlink_to(tmp_path / "outside" / "kept")
    local.rmdir("a", recursive=True)
    assert (tmp_path / "outside" / "kept").read_bytes() == b"kept"


def test_a_symlink_is_renamed_itself(local: CloudFiles, tmp_path: Path) -> None:
    local.rename("link", "other")
    assert (tmp_path / "root" / "other").is_symlink()
    (tmp_path / "root" / "file").symlink_to(tmp_path / "outside" / "kept")
    local.rename("file", "moved")
    assert (tmp_path / "root" / "moved").is_symlink()


def test_a_file_with_a_suffix_and_a_directory(tmp_path: Path) -> None:
    cf = CloudFiles(f"file://{tmp_path}")
    cf.put("a", b"1", compress="gzip")
    cf.mkdir("b")
    (tmp_path / "a").mkdir()
    with pytest.raises(AmbiguousPathError):
        cf.rename("a", "c")
    with pytest.raises(PreconditionFailedError):
        cf.rename("b", "a")
    with pytest.raises(PreconditionFailedError):
        cf.mkdir("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.gz", "b"]


# ---- object stores that fail in between


@pytest.fixture
def s3(fault_server: S3Server) -> CloudFiles:
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets)
    cf.puts((f"a/{number}", str(number).encode()) for number in range(10))
    return cf


def test_a_copy_that_fails_leaves_the_source_complete(fault_server: S3Server, s3: CloudFiles) -> None:
    fault_server.script(Rule(Status(400), method="PUT", key="b/7", times=None))
    with pytest.raises(CloudFilesError, match="the source is complete"):
        s3.rename("a", "b")
    assert sorted(s3.list("a/")) == [f"a/{number}" for number in range(10)]
    with pytest.raises(DirectoryNotEmptyError, match="moves"):
        s3.rename("a", "b")
    fault_server.script()
    s3.moves(s3, [(f"a/{number}", f"b/{number}") for number in range(10)])
    assert sorted(s3.list()) == [f"b/{number}" for number in range(10)]


def test_a_delete_that_fails_leaves_the_target_complete(fault_server: S3Server, s3: CloudFiles) -> None:
    fault_server.configure(delete_errors={"a/7": "AccessDenied"})
    fault_server.script(Rule(Status(403), method="DELETE", key="a/7", times=None))
    with pytest.raises(CloudFilesError, match="could not be removed"):
        s3.rename("a", "b")
    assert sorted(s3.list("b/")) == [f"b/{number}" for number in range(10)]
    assert s3.exists("a/7")
