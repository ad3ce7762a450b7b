"""The methods of azure-datalake-store, on every kind of store."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

pytest.importorskip("fsspec")

from cloudfiles.exceptions import InvalidInputError, UnsupportedOperationError
from cloudfiles.filesystem import CloudFileSystem
from tests.facade.capability_stores import KINDS, open_store

METHODS = {  # with the names of their parameters, in order
    "access": "path invalidate_cache", "cat": "path", "chmod": "path mod", "chown": "path owner group",
    "concat": "outfile filelist delete_source", "connect": "", "cp": "path1 path2", "current": "", "df": "path",
    "du": "path total deep invalidate_cache", "exists": "path invalidate_cache", "get": "path filename",
    "get_acl_status": "path", "glob": "path details invalidate_cache", "head": "path size",
    "info": "path invalidate_cache expected_error_code", "invalidate_cache": "path",
    "listdir": "path detail invalidate_cache", "ls": "path detail invalidate_cache",
    "merge": "outfile filelist delete_source", "mkdir": "path",
    "modify_acl_entries": "path acl_spec recursive number_of_sub_process", "mv": "path1 path2",
    "open": "path mode blocksize delimiter", "put": "filename path delimiter",
    "read_block": "fn offset length delimiter", "remove": "path recursive", "remove_acl": "path",
    "remove_acl_entries": "path acl_spec recursive number_of_sub_process", "remove_default_acl": "path",
    "rename": "path1 path2", "rm": "path recursive", "rmdir": "path",
    "set_acl": "path acl_spec recursive number_of_sub_process", "set_expiry": "path expiry_option expire_time",
    "stat": "path invalidate_cache expected_error_code", "tail": "path size", "touch": "path",
    "unlink": "path recursive", "walk": "path details invalidate_cache"}


@pytest.fixture(params=KINDS)
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> CloudFileSystem:
    cf = open_store(request.param, request, tmp_path)
    return CloudFileSystem(cf.cloudpath, secrets=cf.secrets, endpoint=cf._store.options.endpoint,
                           skip_instance_cache=True)


def test_every_method_is_there() -> None:
    fs = CloudFileSystem("mem://lake/")
    for name, parameters in METHODS.items():
        signature = inspect.signature(getattr(fs, name))
        accepted = list(signature.parameters)
        takes_more = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
        assert takes_more or len(accepted) >= len(parameters.split()), name


def test_the_methods(lake: CloudFileSystem, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.write_bytes(b"index,a,b\n0,1,True")
    lake.connect()
    lake.mkdir("newdir")
    lake.touch("newdir/newfile")
    lake.put(str(local), "newdir/x.csv", b"\n")
    assert lake.access("newdir/x.csv", invalidate_cache=True)
    assert lake.exists("newdir", invalidate_cache=False)
    assert lake.ls("newdir", False) == lake.listdir("newdir", False) == ["newdir/newfile", "newdir/x.csv"]
    assert sorted(lake.walk("newdir", details=False)) == ["newdir/newfile", "newdir/x.csv"]
    assert [info["size"] for info in lake.walk("newdir", True)] == [0, 18]
    assert lake.glob("newdir/*.csv", details=False) == ["newdir/x.csv"]
    assert [info["size"] for info in lake.glob("newdir/*.csv", details=True)] == [18]
    assert lake.du("newdir", total=True, deep=True) == lake.du("", True, True) == 18
    assert lake.du("", True, False) == 0
    assert lake.df("")["fileCount"] == 2
    assert lake.info("newdir/x.csv", invalidate_cache=True, expected_error_code=404)["size"] == 18
    assert lake.stat("newdir")["type"] == "directory"
    assert (lake.head("newdir/x.csv", 5), lake.tail("newdir/x.csv", 4)) == (b"index", b"True")
    assert lake.read_block("newdir/x.csv", 0, 12, delimiter=b"\n") == b"index,a,b\n0,1,True"
    lake.get("newdir/x.csv", str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == local.read_bytes()
    with lake.open("newdir/y", "wb", blocksize=2**20, delimiter=b"\n") as file:
        file.write(b"index,a,b\n")
        assert file.tell() == 10
        file.flush()
        file.write(b"0,1,True")
    with lake.open("newdir/y", "rb", 100, b"\n") as file:
        assert file.readlines() == [b"index,a,b\n", b"0,1,True"]
    lake.cp("newdir/y", "z")
    lake.mv("z", "w")
    lake.rename("w", "v")
    assert lake.cat("v") == local.read_bytes()
    lake.invalidate_cache("v")
    lake.remove("v")
    lake.unlink("newdir", recursive=True)
    assert lake.find("") == []
    with pytest.raises(FileNotFoundError):
        lake.remove("v")


def test_concatenating(lake: CloudFileSystem) -> None:
    lake.pipe({"parts/a": b"1", "parts/b": b"22"})
    lake.concat("all", ["parts/a", "parts/b"])
    assert lake.cat("all") == b"122"
    lake.merge("all", ["parts/b"], delete_source=True)
    assert lake.cat("all") == b"12222"
    assert lake.find("") == ["all", "parts/a"]
    lake.merge("all", ["parts/a"], True)
    assert not lake.exists("parts")
    with pytest.raises(FileNotFoundError):
        lake.concat("all", ["no"])
    assert lake.cat("all") == b"122221"


def test_directories(lake: CloudFileSystem) -> None:
    lake.makedirs("a/b")
    if lake._has_directories("a"):
        assert lake.ls("", detail=False) == ["a"]
        assert lake.find("", withdirs=True) == ["a", "a/b"]
        assert lake.isdir("a/b")
        assert lake.ls("a/b") == []
        with pytest.raises(FileExistsError):
            lake.mkdir("a")
        with pytest.raises(FileExistsError):
            lake.makedirs("a/b")
        lake.makedirs("a/b", exist_ok=True)
        with pytest.raises(FileNotFoundError):
            lake.mkdir("x/y", create_parents=False)
        with pytest.raises(OSError, match="not empty"):
            lake.rmdir("a")
        lake.rmdir("a/b")
        lake.rmdir("a")
    assert not lake.exists("a")
    with pytest.raises(FileNotFoundError):
        lake.rmdir("a")
    lake.pipe("f", b"1")
    with pytest.raises(NotADirectoryError):
        lake.rmdir("f")


def test_moving_a_directory(lake: CloudFileSystem) -> None:
    lake.pipe({"a/x": b"1", "a/b/y": b"2", "ab/z": b"3"})
    lake.mv("a", "new/name")
    assert lake.find("") == ["ab/z", "new/name/b/y", "new/name/x"]
    assert not lake.exists("a")
    lake.mv("new/name", "ab")  # into an existing directory
    assert lake.find("") == ["ab/name/b/y", "ab/name/x", "ab/z"]
    assert not lake.exists("new/name")
    lake.mv("ab/name/", "ab", recursive=True)
    assert lake.find("") == ["ab/b/y", "ab/x", "ab/z"]
    with pytest.raises(FileNotFoundError):
        lake.mv("nothing", "x")


def test_access(lake: CloudFileSystem) -> None:
    lake.pipe("d/x", b"1")
    protocol = lake.protocol[1]
    if protocol in ("file", "abfs", "webhdfs", "adl"):
        lake.chmod("d/x", "0640")
        assert lake.get_acl_status("d/x").permissions in ("rw-r-----", "0640")
        lake.chown("d/x", None, None) if protocol == "file" else lake.chown("d/x", "owner-id", "group-id")
        with pytest.raises(FileNotFoundError):
            lake.chmod("no", "0640")
    if protocol in ("abfs", "webhdfs", "adl"):
        lake.modify_acl_entries("d", "user:some-id:r-x")
        assert "some-id" in str(lake.get_acl_status("d").acl)
        lake.remove_acl_entries("d", "user:some-id")
        assert "some-id" not in str(lake.get_acl_status("d").acl)
        lake.set_acl("d", "user::rwx,group::r-x,other::---,default:user::rwx,default:group::r-x,default:other::---")
        lake.remove_default_acl("d")
        lake.remove_acl("d")
        lake.modify_acl_entries("d", "user:some-id:r-x", recursive=True, number_of_sub_process=3)
        return
    calls = [("set_acl", "user::rwx"), ("modify_acl_entries", "user:a:r--"), ("remove_acl_entries", "user:a"),
             ("remove_acl",), ("remove_default_acl",)]
    if protocol != "file":
        calls += [("chmod", "0640"), ("chown", "a"), ("get_acl_status",)]
    for name, *arguments in calls:
        with pytest.raises(UnsupportedOperationError, match="ACL"):
            getattr(lake, name)("d/x", *arguments)


def test_expiry(lake: CloudFileSystem) -> None:
    lake.pipe("x", b"1")
    with pytest.raises(InvalidInputError, match="expected 'NeverExpire'"):
        lake.set_expiry("x", "Soon", 1)
    with pytest.raises(InvalidInputError, match="expected milliseconds"):
        lake.set_expiry("x", "RelativeToNow")
    if lake.protocol[1] in ("abfs", "adl"):
        lake.set_expiry("x", "RelativeToNow", 60_000)
        lake.set_expiry("x", "Absolute", 4_000_000_000_000)
        lake.set_expiry("x", "NeverExpire")
        return
    with pytest.raises(UnsupportedOperationError, match=f"{lake.protocol[1]}://.*expir"):
        lake.set_expiry("x", "RelativeToNow", 60_000)
