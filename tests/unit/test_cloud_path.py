"""`CloudPath`: like PurePath, but keys are text."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles import CloudFile, CloudFiles, CloudPath
from cloudfiles.exceptions import InvalidInputError, InvalidPathError

KEYS = st.text(st.sampled_from("ab./%*"), max_size=12)
ANCHORS = st.sampled_from(["", "s3://bucket/", "gs://bucket/", "s3://https://host:9000/bucket/", "https://host/",
                           "file:///", "mem://bucket/", "zarr://s3://bucket/"])


@pytest.mark.parametrize(("text", "anchor", "key"), [
    ("s3://bucket/a/b", "s3://bucket/", "a/b"), ("s3://bucket", "s3://bucket", ""),
    ("s3://bucket/", "s3://bucket/", ""),
    ("s3://https://host/bucket/a//b", "s3://https://host/bucket/", "a//b"), ("file:///a/b", "file:///", "a/b"),
    ("https://host/a/../b%20c", "https://host/", "a/../b%20c"), ("a/b", "", "a/b"), ("/a", "", "/a"), ("", "", ""),
    ("precomputed://gs://bucket/a", "precomputed://gs://bucket/", "a"),
])
def test_anchor_and_key(text: str, anchor: str, key: str) -> None:
    path = CloudPath(text)
    assert (str(path), path.anchor, path.key, path.is_absolute()) == (text, anchor, key, bool(anchor))


@pytest.mark.parametrize(("text", "parts"), [
    ("s3://bucket/a/b.tar.gz", ("s3://bucket/", "a", "b.tar.gz")), ("a//b", ("a", "", "b")), ("a/", ("a",)),
    ("a//", ("a", "")), ("/a", ("", "a")), ("../a/./b", ("..", "a", ".", "b")), ("", ()), ("/", ("",)),
])
def test_parts(text: str, parts: tuple[str, ...]) -> None:
    assert CloudPath(text).parts == parts


def test_names() -> None:
    path = CloudPath("s3://bucket/dir/b.tar.gz")
    assert (path.name, path.stem, path.suffix, path.suffixes) == ("b.tar.gz", "b.tar", ".gz", [".tar", ".gz"])
    assert path.parent == CloudPath("s3://bucket/dir")
    assert list(path.parents) == [CloudPath("s3://bucket/dir"), CloudPath("s3://bucket/")]
    assert path.parent.parent.parent == CloudPath("s3://bucket/")
    assert (path.protocol, path.bucket) == ("s3", "bucket")
    assert path.with_name("c") == CloudPath("s3://bucket/dir/c")
    assert path.with_suffix(".zst") == CloudPath("s3://bucket/dir/b.tar.zst")
    assert path.with_suffix("") == CloudPath("s3://bucket/dir/b.tar")
    assert path.with_stem("c") == CloudPath("s3://bucket/dir/c.gz")
    assert (CloudPath(".hidden").suffix, CloudPath("a.").suffix, CloudPath("").name) == ("", "", "")


@given(st.text(st.sampled_from("ab."), min_size=1, max_size=6).filter(lambda name: name.strip(".") != ""))
def test_names_are_those_of_pathlib(name: str) -> None:
    path, other = CloudPath(f"dir/{name}"), PurePosixPath(f"dir/{name}")
    if not name.endswith("."):  # of which pathlib thinks differently from version to version
        assert (path.name, path.stem, path.suffix, path.suffixes) == (
            other.name, other.stem, other.suffix, other.suffixes)


def test_joining() -> None:
    base = CloudPath("s3://bucket/dir/")
    assert base / "a" / "b" == CloudPath("s3://bucket/dir/a/b") == base.joinpath("a", "b") == CloudPath(base, "a/b")
    assert base / "/a" == CloudPath("s3://bucket/dir//a")
    assert "x" / CloudPath("y") == CloudPath("x/y")
    assert base / PureWindowsPath("a\\b") == CloudPath("s3://bucket/dir/a/b") == base / PurePosixPath("a/b")
    assert base / CloudPath("gs://other/key") == CloudPath("gs://other/key")
    assert CloudPath("s3://bucket") / "a" == CloudPath("s3://bucket/a")


def test_relative_paths() -> None:
    path = CloudPath("s3://bucket/run10/a/b/")
    assert path.relative_to("s3://bucket/run10/") == CloudPath("a/b/")
    assert path.relative_to("s3://bucket") == CloudPath("run10/a/b/")
    assert not path.is_relative_to("s3://bucket/run1")
    with pytest.raises(InvalidPathError):
        path.relative_to("s3://bucket/run1")
    with pytest.raises(ValueError, match="not below"):
        path.relative_to("run10")


@pytest.mark.parametrize(("text", "pattern", "matches"), [
    ("s3://bucket/a/b.txt", "*.txt", True), ("s3://bucket/a/b.txt", "a/*", True), ("a/b.txt", "c/*.txt", False),
    ("s3://bucket/a/b.txt", "s3://bucket/*/b.txt", True), ("s3://bucket/a/b.txt", "s3://bucket/*", False),
    ("a", "b/a", False), ("a/B", "b", False),
])
def test_globs(text: str, pattern: str, matches: bool) -> None:
    assert CloudPath(text).match(pattern) == matches


@given(ANCHORS, KEYS)
def test_parts_make_the_path(anchor: str, key: str) -> None:
    path = CloudPath(anchor + key)
    assert str(path) == os.fspath(path) == anchor + key
    assert path.anchor + path.key == str(path)
    names = list(path.parts[1:] if path.anchor else path.parts)
    assert path.key in ("/".join(names), "/".join(names) + "/")
    assert pickle.loads(pickle.dumps(path)) == path == copy.deepcopy(path)
    assert hash(path) == hash(CloudPath(str(path)))
    for parent in path.parents:
        assert path.is_relative_to(parent)
        if "" not in names:  # joining adds no slash to one that is there
            assert parent / path.relative_to(parent) == path


def test_order_and_repr() -> None:
    paths = [CloudPath("b"), CloudPath("a/b"), CloudPath("a")]
    assert sorted(paths) == [CloudPath("a"), CloudPath("a/b"), CloudPath("b")]
    assert CloudPath("a") != "a"
    assert repr(CloudPath("a")) == "CloudPath('a')"


@pytest.mark.parametrize("wrong", ["nix://a", "s3://", 3, b"a"])
def test_what_is_no_path(wrong: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        CloudPath(wrong)


def test_where_paths_are_accepted() -> None:
    base = CloudPath("mem://cloud-path/dir")
    cf = CloudFiles(base)
    cf.put(CloudPath("a//b"), b"content")
    assert cf.get(CloudPath("a//b")) == b"content"
    assert cf.get([CloudPath("a//b")])[0]["path"] == "a//b"
    assert CloudFile(base / "a//b").get() == b"content"
    assert list(cf.list(CloudPath("a"))) == ["a//b"]
    with cf.open(CloudPath("a//b")) as file:
        assert file.read() == b"content"
    cf.put(PureWindowsPath("x\\y"), b"1")
    assert cf.get("x/y") == b"1"
    with pytest.raises(InvalidInputError, match="relative_to"):
        cf.get(base / "a")
