"""What a file system finds: info, exists, ls, find, walk, glob and du."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from cloudfiles.exceptions import UnsupportedOperationError
from cloudfiles.testing import S3Server, s3_error

TREE = {"a.csv": b"1", "run1/a.csv": b"22", "run1/b.txt": b"333", "run1/deep/c.csv": b"4444", "run10/a.csv": b"5",
        "run2.csv": b"6"}


@pytest.fixture
def tree(fs: Any) -> Any:
    fs.pipe(TREE)
    return fs


def test_info_is_that_of_the_listing(tree: Any) -> None:
    listed = {info["name"]: info for info in tree.ls("run1")}
    assert list(listed) == ["run1/a.csv", "run1/b.txt", "run1/deep"]
    for name, info in listed.items():
        alone = tree.info(name)
        assert {field: alone[field] for field in info} == info
        assert tree.ukey(name) == tree.ukey(name)
    assert listed["run1/deep"] == {"name": "run1/deep", "size": 0, "type": "directory"}
    assert listed["run1/a.csv"]["size"] == 2
    assert listed["run1/a.csv"]["ETag"]
    age = datetime.now(timezone.utc) - tree.modified("run1/a.csv")
    assert -2 < age.total_seconds() < 120


def test_a_checksum_changes_with_the_content(tree: Any) -> None:
    before = tree.checksum("a.csv")
    assert tree.checksum("a.csv") == before
    tree.pipe("a.csv", b"2")
    assert tree.checksum("a.csv") != before


@pytest.mark.parametrize("path", ["", "run1", "run1/", "run1/deep"])
def test_directories(tree: Any, path: str) -> None:
    assert tree.isdir(path)
    assert tree.exists(path)
    assert not tree.isfile(path)
    assert tree.info(path) == {"name": path.rstrip("/"), "size": 0, "type": "directory"}


def test_files(tree: Any) -> None:
    assert tree.isfile("run1/a.csv")
    assert tree.exists("run1/a.csv")
    assert not tree.isdir("run1/a.csv")
    assert tree.ls("run1/a.csv", detail=False) == ["run1/a.csv"]
    assert tree.find("run1/a.csv") == ["run1/a.csv"]
    assert tree.size("run1/a.csv") == 2
    assert tree.sizes(["run1/a.csv", "a.csv", "run1"]) == [2, 1, 0]


@pytest.mark.parametrize("path", ["run", "run1/a", "nothing/there", "run1/a.csv/x"])
def test_what_is_missing(tree: Any, path: str) -> None:
    assert not tree.exists(path)
    assert not tree.isfile(path)
    assert not tree.isdir(path)
    assert tree.find(path) == []
    assert tree.glob(path) == []
    assert tree.du(path) == 0
    assert list(tree.walk(path)) == []
    for ask in (tree.info, tree.ls, tree.size, tree.cat, tree.open, tree.checksum):
        with pytest.raises(FileNotFoundError):
            ask(path)


def test_many_are_asked_for_at_once(tree: Any) -> None:
    assert tree.exists(["a.csv", "run1", "nothing"]) == {"a.csv": True, "run1": True, "nothing": False}


def test_find(tree: Any) -> None:
    assert tree.find("") == sorted(TREE)
    assert tree.find("run1") == ["run1/a.csv", "run1/b.txt", "run1/deep/c.csv"]
    assert tree.find("run1", maxdepth=1) == ["run1/a.csv", "run1/b.txt"]
    assert tree.find("run1", maxdepth=1, withdirs=True) == ["run1", "run1/a.csv", "run1/b.txt", "run1/deep"]
    assert tree.find("run1", prefix="de") == ["run1/deep/c.csv"]
    assert tree.find("run1", prefix="de", withdirs=True) == ["run1/deep", "run1/deep/c.csv"]
    assert {name: info["size"] for name, info in tree.find("run10", detail=True).items()} == {"run10/a.csv": 1}
    with pytest.raises(ValueError, match="maxdepth"):
        tree.find("", maxdepth=0)


def test_walk(tree: Any) -> None:
    assert list(tree.walk("run1")) == [("run1", ["deep"], ["a.csv", "b.txt"]), ("run1/deep", [], ["c.csv"])]
    assert [name for name, _, _ in tree.walk("", maxdepth=1)] == [""]


def test_du(tree: Any) -> None:
    assert tree.du("run1") == 9
    assert tree.du("run1", total=False) == {"run1/a.csv": 2, "run1/b.txt": 3, "run1/deep/c.csv": 4}
    assert tree.du("run1", maxdepth=1) == tree.du("run1", True, False) == tree.du("run1", deep=False) == 5
    assert tree.df("run1") == {"fileCount": 3, "directoryCount": 2, "length": 9}


GLOBS: list[tuple[str, list[str]]] = [
    ("*", ["a.csv", "run1", "run10", "run2.csv"]), ("*.csv", ["a.csv", "run2.csv"]), ("run1/*", [
        "run1/a.csv", "run1/b.txt", "run1/deep"]), ("run*/a.csv", ["run1/a.csv", "run10/a.csv"]),
    ("run?/*.csv", ["run1/a.csv"]), ("**/c.csv", ["run1/deep/c.csv"]), ("run1/**", [
        "run1", "run1/a.csv", "run1/b.txt", "run1/deep", "run1/deep/c.csv"]),
    ("run1/**/*.csv", ["run1/a.csv", "run1/deep/c.csv"]), ("*/", ["run1", "run10"]), ("run[!2]/[ab].*", [
        "run1/a.csv", "run1/b.txt"]), ("*/*/c*", ["run1/deep/c.csv"]), ("no/*", []), ("*/no/*", [])]


def test_glob(tree: Any) -> None:
    for pattern, matches in GLOBS:
        assert tree.glob(pattern) == matches, pattern
        assert list(tree.glob(pattern, detail=True)) == matches, pattern
    with pytest.raises(ValueError, match=r"\*\*"):
        tree.glob("r**")


def test_globs_match_what_those_of_fsspec_match(tree: Any) -> None:
    import fsspec

    other = fsspec.filesystem("memory")
    other.pipe({f"/globs/{name}": content for name, content in TREE.items()})
    for pattern in ("**", "run1/**", "*/**", "**/*.csv", "run1/*/**", "**/deep/*"):
        for maxdepth in (None, 1, 2):
            expected = [name.removeprefix("/globs/") for name in other.glob(f"/globs/{pattern}", maxdepth=maxdepth)]
            assert [name for name in expected if name != "/globs"] == tree.glob(pattern, maxdepth=maxdepth), pattern


def test_globs_with_many_directories(s3: Any, fault_server: S3Server) -> None:
    names = [f"d{number:02}/{name}" for number in range(40) for name in ("a.csv", "b.txt")]
    s3.pipe(dict.fromkeys([*names, "d99/deep/a.csv"], b""))
    fault_server.forget()
    assert s3.glob("d*/*.csv") == sorted(name for name in names if name.endswith(".csv"))
    assert len(fault_server.requests()) < 5
    assert s3.glob("d1*/b.*") == [f"d{number}/b.txt" for number in range(10, 20)]


# ---- keys


NASTY = ["100%", "a%2Fb", "what?", "frag#ment", "[a]", "star*", "{b}", "with space", " lead", "é", "e\u0301", "日本",
         "a\\b", "tab\t", "quote'\"", "~", "$HOME", "-rf", "..."]


def test_any_key(fs: Any) -> None:
    contents = {f"dir/{key}/{key}": key.encode() for key in NASTY}
    for name, content in contents.items():
        fs.pipe_file(name, content)
    assert fs.find("dir") == sorted(contents)
    assert [fs.cat_file(name) for name in contents] == list(contents.values())
    assert sorted(fs.ls("dir", detail=False)) == sorted(f"dir/{key}" for key in NASTY)
    for key in NASTY:
        assert fs.find(f"dir/{key}") == [f"dir/{key}/{key}"]
        assert fs.info(f"dir/{key}/{key}")["size"] == len(key.encode())
    assert sorted(name for _, _, names in fs.walk("dir") for name in names) == sorted(NASTY)
    fs.rm_file("dir/[a]/[a]")
    fs.rm_file("dir/star*/star*")
    assert not fs.exists("dir/[a]/[a]")
    fs.rm("dir", recursive=True)
    assert not fs.exists("dir")


def test_globs_with_escaped_characters(fs: Any) -> None:
    fs.pipe({"x/[1].csv": b"a", "x/1.csv": b"b"})
    assert fs.glob("x/[1].csv") == ["x/1.csv"]
    assert fs.glob("x/[[]1].csv") == ["x/[1].csv"]


@pytest.mark.parametrize("store", ["mem", "s3"])
def test_directory_markers_and_empty_components(store: str, s3: Any) -> None:
    from cloudfiles.filesystem import CloudFileSystem

    fs = s3 if store == "s3" else CloudFileSystem("mem://markers/")
    cf = fs._place("").cf
    cf.puts({"empty/": b"", "marked/": b"", "marked/a": b"1", "x//y": b"22", "x/z": b"3", "x//w/v": b"4"}.items())
    assert fs.isdir("empty")
    assert fs.ls("empty") == []
    assert fs.ls("", detail=False) == ["empty", "marked", "x"]
    assert fs.ls("marked", detail=False) == ["marked/a"]
    assert fs.find("") == ["marked/a", "x//w/v", "x//y", "x/z"]
    assert fs.ls("x", detail=False) == ["x//w", "x//y", "x/z"]
    assert fs.cat("x//y") == b"22"
    assert sorted(name for _, _, names in fs.walk("") for name in names) == ["a", "v", "y", "z"]
    fs.rmdir("empty")
    assert not fs.exists("empty")
    fs.rm("marked", recursive=True)
    fs.rm("x", recursive=True)
    assert list(cf.list()) == []


# ---- failures


@pytest.mark.parametrize("verb", ["info", "exists", "isdir", "isfile", "ls", "find", "glob", "du", "cat", "open"])
def test_a_denied_request_is_a_permission_error_and_not_missing(s3: Any, fault_server: S3Server, verb: str) -> None:
    fault_server.fail(s3_error(403, "AccessDenied"), times=None)
    with pytest.raises(PermissionError):
        getattr(s3, verb)("x*" if verb == "glob" else "x")


def test_a_failure_is_not_missing(fault_server: S3Server) -> None:
    from cloudfiles.exceptions import CloudFilesError
    from cloudfiles.filesystem import CloudFileSystem

    fs = CloudFileSystem(fault_server.cloudpath(), endpoint=fault_server.url, no_sign_request=True,
                         skip_instance_cache=True)
    fault_server.fail(s3_error(400, "InvalidRequest"), times=None)
    for ask in (fs.exists, fs.isdir, fs.isfile, fs.ls, fs.find, fs.cat):
        with pytest.raises(CloudFilesError) as caught:
            ask("x")
        assert not isinstance(caught.value, FileNotFoundError)


def test_what_a_store_does_not_say(s3: Any) -> None:
    s3.pipe("a", b"")
    with pytest.raises(UnsupportedOperationError, match="created is not supported on s3://"):
        s3.created("a")

