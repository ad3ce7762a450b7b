"""Buckets: files in and out of any store by name, views, the cache, directories kept in step, hostile names."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

import cloudfiles
from cloudfiles import Bucket, CloudFiles
from cloudfiles.bucket import NoSuchDirectoryError, NoSuchFileError, PrefixFilter, Storage, StripPrefix
from cloudfiles.exceptions import CloudFilesError, InvalidInputError, InvalidPathError
from cloudfiles.testing import Rule, S3Server, s3_error
from cloudfiles.types import Clock
from tests.contents import numbered
from tests.internals import PART
from tests.transfer.conftest import Make, tree, write

pytestmark = [pytest.mark.one_runtime, pytest.mark.own_servers]

BIG = numbered(PART * 5 // 4)  # two parts
CONTENTS = {"a": b"first", "dir/b c+%": b"second" * 1000, "empty": b"", "ümlaut/ß": b"\0\xff"}


@pytest.fixture
def bucket(cf: CloudFiles) -> Bucket:
    return Bucket(cf)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


# ---- out


def test_files_are_listed(bucket: Bucket, cf: CloudFiles) -> None:
    cf.puts(list(CONTENTS.items()))
    listed = bucket.list_files()
    assert {entry.key: entry.size for entry in listed} == {key: len(content) for key, content in CONTENTS.items()}
    assert all(entry.etag and entry.last_modified for entry in listed)
    assert [entry.key for entry in bucket.directory("dir/")] == ["dir/b c+%"]
    assert len(bucket.directory()) == len(CONTENTS)
    assert sorted(bucket) == sorted(CONTENTS)


def test_a_file_is_got_by_its_name(bucket: Bucket, cf: CloudFiles, work: Path) -> None:
    cf.puts(list(CONTENTS.items()))
    assert bucket.get_file("dir/b c+%") == "dir/b c+%"
    assert bucket["a"] == "a"
    assert tree(work) == {"dir/b c+%": CONTENTS["dir/b c+%"], "a": b"first"}


def test_a_file_is_got_to_where_it_is_wanted(bucket: Bucket, cf: CloudFiles, work: Path) -> None:
    cf.puts(list(CONTENTS.items()))
    (work / "into").mkdir()
    assert bucket.get_file("a", "x/y/z") == "x/y/z"
    assert bucket.get_file("dir/b c+%", work / "into") == str(work / "into" / "b c+%")
    assert bucket.get_file("a", "../outside") == "../outside"
    assert (work.parent / "outside").read_bytes() == b"first"
    assert tree(work) == {"x/y/z": b"first", "into/b c+%": CONTENTS["dir/b c+%"]}


def test_a_missing_file_is_a_value_error(bucket: Bucket, work: Path) -> None:
    for raises in (lambda: bucket.get_file("nothing"), lambda: bucket.get_file("nothing", "x", progress=print),
                   lambda: bucket["nothing"], lambda: bucket.copy_file("nothing", "x")):
        with pytest.raises(ValueError, match="the file does not exist in the bucket") as caught:
            raises()
        assert isinstance(caught.value, NoSuchFileError)
        assert isinstance(caught.value, FileNotFoundError)
    assert tree(work) == {}


def test_all_files_are_got(bucket: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    cf.puts([*CONTENTS.items(), ("big", BIG)])
    target = write(tmp_path / "out", {"a": b"before", "other": b"stays"})
    bucket.get_all_files(target)
    assert tree(target) == {**CONTENTS, "big": BIG, "other": b"stays"}


def test_an_empty_bucket_makes_an_empty_directory(bucket: Bucket, tmp_path: Path) -> None:
    bucket.get_all_files(str(tmp_path / "out"))
    assert (tmp_path / "out").is_dir()


def test_files_come_decoded_under_their_own_names(bucket: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    cf.put("text", b"text" * 100, compress="gzip")
    if cf.protocol == "file":
        bucket = Bucket(cf.cloudpath, encoding_suffixes=True)  # else "text.gz" is a file like any other
    bucket.get_all_files(tmp_path / "out")
    assert tree(tmp_path / "out") == {"text": b"text" * 100}


@pytest.mark.parametrize("kind", ["mem", "s3", "file"])
def test_names_with_the_suffix_of_an_encoding_are_names(store: Make, tmp_path: Path, kind: str) -> None:
    files = {"x": b"plain", "x.gz": b"no gzip at all", "y.gz": b"\x1f\x8b"}
    bucket = Bucket(store(kind))
    bucket.add_directory(write(tmp_path / "in", files))
    assert sorted(bucket) == sorted(files)
    for _ in range(2):
        bucket.get_all_files(tmp_path / "out")
        assert tree(tmp_path / "out") == files
    bucket.get_file("x", tmp_path / "out" / "x")
    assert tree(tmp_path / "out") == files


def test_over_the_web(store: Make, tmp_path: Path) -> None:
    web = store("web")
    web.put("dir/x", b"content")
    assert Bucket(web.cloudpath).get_file("dir/x", tmp_path / "x") == str(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"content"


# ---- in


def test_a_file_is_added(bucket: Bucket, cf: CloudFiles, work: Path) -> None:
    write(work, {"a": b"1", "dir/b": b"2", "big": BIG})
    bucket.add_file("a")
    bucket.add_file("dir/b")
    bucket.add_file(str(work / "dir/b"))
    bucket.add_file(work / "big", "renamed")
    bucket["item"] = "a"
    assert {key: cf.get(key) for key in cf} == {"a": b"1", "dir/b": b"2", "b": b"2", "renamed": BIG, "item": b"1"}


def test_an_open_file_is_added_from_where_it_stands(bucket: Bucket, cf: CloudFiles, work: Path) -> None:
    write(work, {"dir/b": b"0123"})
    with open("dir/b", "rb") as file:
        file.seek(2)
        bucket.add_file(file)
    bucket.add_file(io.BytesIO(b"memory"), "m")
    assert (cf.get("dir/b"), cf.get("m")) == (b"23", b"memory")
    with pytest.raises(InvalidInputError, match="remote="):
        bucket.add_file(io.BytesIO(b"memory"))


def test_a_missing_local_file_is_reported(bucket: Bucket, work: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bucket.add_file("nothing")
    assert list(bucket) == []


def test_a_string_is_added(bucket: Bucket, cf: CloudFiles) -> None:
    bucket.add_string("grüße", "text")
    assert cf.get("text") == "grüße".encode()
    with pytest.raises(InvalidInputError, match="bytes"):
        bucket.add_string(b"bytes", "text")  # type: ignore[arg-type]


def test_a_directory_is_added_without_its_symlinks(bucket: Bucket, tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"a": b"1", "deep/er/b": b"2"})
    write(tmp_path / "elsewhere", {"secret": b"!"})
    (source / "link").symlink_to(tmp_path / "elsewhere")
    (source / "deep" / "file-link").symlink_to(tmp_path / "elsewhere" / "secret")
    (source / "loop").symlink_to(source)
    bucket.add_directory(source)
    bucket.add_directory(str(source), "below/")
    assert sorted(bucket) == ["a", "below/a", "below/deep/er/b", "deep/er/b"]


def test_what_is_no_directory_is_an_os_error(bucket: Bucket, tmp_path: Path) -> None:
    write(tmp_path, {"file": b""})
    for path in (tmp_path / "file", tmp_path / "nothing"):
        for verb in (bucket.add_directory, bucket.sync_directory):
            with pytest.raises(IOError) as caught:
                verb(path)
            assert isinstance(caught.value, NoSuchDirectoryError)


def test_names_that_cannot_be_side_by_side_are_refused_before_anything_is_sent(store: Make, tmp_path: Path) -> None:
    bucket = Bucket(store("file").cloudpath, encoding_suffixes=True)
    with pytest.raises(InvalidPathError, match="conflict"):
        bucket.add_directory(write(tmp_path / "in", {"x": b"plain", "x.gz": b"other"}))
    assert list(bucket) == []


def test_copy_and_delete(bucket: Bucket, cf: CloudFiles) -> None:
    bucket.add_string("x", "a/b")
    bucket.copy_file("a/b", "c")
    assert cf.get("c") == b"x"
    assert "a/b" in bucket
    del bucket["a/b"]
    bucket.delete_file("a/b")
    assert list(bucket) == ["c"]
    assert "a/b" not in bucket
    assert bucket.delete() == 1
    assert list(bucket) == []


# ---- hostile names

HOSTILE = ["../out", "a/../../out", "/etc/x", "a//b", "..", "a/./b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_never_leave_the_directory(server: S3Server, s3: CloudFiles, work: Path, name: str) -> None:
    server.put(name, b"evil")
    server.put("harmless", b"good")
    bucket = Bucket(s3)
    with pytest.raises(InvalidPathError):
        bucket.get_all_files(work / "deep" / "target")
    with pytest.raises(InvalidPathError):
        bucket.get_file(name)
    with pytest.raises(InvalidPathError):
        bucket[name]
    assert tree(work.parent) == {}
    assert not Path("/etc/x").exists()


def test_hostile_names_do_no_harm_in_a_named_directory(server: S3Server, s3: CloudFiles, work: Path) -> None:
    server.put("a/../../out", b"evil")
    (work / "into").mkdir()
    assert Bucket(s3).get_file("a/../../out", "into/") == "into/out"
    server.put("x/..", b"evil")
    with pytest.raises(InvalidPathError):
        Bucket(s3).get_file("x/..", "into")
    assert tree(work) == {"into/out": b"evil"}


@pytest.mark.parametrize("kind", ["mem", "s3"])
def test_symlinks_in_the_target_are_not_followed(store: Make, work: Path, kind: str) -> None:
    bucket = Bucket(store(kind))
    bucket.add_string("evil", "link/x")
    bucket.add_string("replaces", "file-link")
    write(work.parent / "elsewhere", {"x": b"precious"})
    (work / "link").symlink_to(work.parent / "elsewhere")
    (work / "file-link").symlink_to(work.parent / "elsewhere" / "x")
    with pytest.raises(InvalidPathError, match="symlink"):
        bucket.get_all_files(work)
    with pytest.raises(InvalidPathError, match="symlink"):
        bucket.get_file("link/x")
    bucket.get_file("file-link")
    assert tree(work.parent / "elsewhere") == {"x": b"precious"}
    assert (work / "file-link").read_bytes() == b"replaces"


def test_a_key_below_another_is_reported_before_the_first_byte(server: S3Server, s3: CloudFiles, work: Path) -> None:
    server.put("a", b"1")
    server.put("a/b", b"2")
    server.put("0", b"0")
    with pytest.raises(InvalidPathError, match="conflict"):
        Bucket(s3).get_all_files(work)
    assert tree(work) == {}


def test_objects_that_stand_for_directories_become_directories(server: S3Server, s3: CloudFiles,
                                                               work: Path) -> None:
    server.put("dir/", b"")
    server.put("dir/x", b"1")
    server.put("empty/sub/", b"")
    Bucket(s3).get_all_files(work)
    assert tree(work) == {"dir/x": b"1"}
    assert (work / "empty" / "sub").is_dir()


# ---- kept in step


def test_a_directory_is_synchronized(bucket: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    files = {"same": b"1", "changed": b"old", "gone": b"3", "dir/deep": BIG}
    source = write(tmp_path / "in", files)
    assert bucket.sync_directory(source).copied == 4
    os.utime(source / "same", (1, 1))
    write(source, {"changed": b"new", "new": b"5"})
    (source / "gone").unlink()
    done = bucket.sync_directory(str(source))
    assert (sorted(cf), cf.get("changed"), cf.get("dir/deep")) == (["changed", "dir/deep", "new", "same"], b"new", BIG)
    assert done.deleted == 1
    # Azure has no digest of what came in parts: what cannot be compared goes up again
    assert done.copied == (3 if cf.protocol == "az" else 2)


def test_a_digest_decides_not_the_time(store: Make, tmp_path: Path) -> None:
    bucket = Bucket(store("s3"))
    source = write(tmp_path / "in", {"a": b"123"})
    bucket.sync_directory(source)
    write(source, {"a": b"456"})
    os.utime(source / "a", (1, 1))
    assert bucket.sync_directory(source).copied == 1
    assert bucket.sync_directory(source).copied == 0


def test_only_the_remote_directory_is_synchronized(bucket: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    cf.puts([("sub/old", b""), ("sub", b"") if cf.protocol != "file" else ("s", b""), ("subway", b""), ("x", b"")])
    before = set(cf) - {"sub/old"}
    bucket.sync_directory(write(tmp_path / "in", {"new": b"1"}), remote="sub")
    assert set(cf) == before | {"sub/new"}


def test_files_from_anywhere_are_synchronized(bucket: Bucket, cf: CloudFiles, tmp_path: Path,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"one": b"1", "two/2": b"2"})
    cf.put("extra", b"")
    bucket.sync_files({"x/y": tmp_path / "one", "z": str(tmp_path / "two/2")}, verbose=True)
    assert {key: cf.get(key) for key in cf} == {"x/y": b"1", "z": b"2"}
    assert capsys.readouterr().out == ("copy x/y (missing)\ncopy z (missing)\n"
                                       "delete extra (not at the source)\n")


def test_nothing_is_deleted_where_a_file_is_missing(bucket: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    cf.put("extra", b"")
    with pytest.raises(FileNotFoundError):
        bucket.sync_files({"x": tmp_path / "nothing"})
    with pytest.raises(InvalidInputError, match="max_delete"):
        bucket.sync_files({}, max_delete=0)
    assert list(bucket) == ["extra"]
    bucket.sync_files({})
    assert list(bucket) == []


def test_a_sync_stays_in_its_view(bucket: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    cf.puts([("logs-1", b""), ("logs/2", b""), ("other", b"")])
    source = write(tmp_path / "in", {"logs-3": b"3"})
    seen = bucket.with_filtering(PrefixFilter("logs-"))
    seen.sync_directory(source)
    assert sorted(cf) == ["logs-3", "logs/2", "other"]
    with pytest.raises(InvalidPathError, match="outside"):
        seen.sync_files({"x": source / "logs-3"})
    for never in (lambda: seen.sync_files({}, remote="other"),
                  lambda: seen.with_resource_transformation(StripPrefix("other")).sync_files({})):
        with pytest.raises(InvalidPathError, match="outside of the keys that this view shows"):
            never()
    seen.with_resource_transformation(StripPrefix("logs")).sync_files({"-4": source / "logs-3"})
    assert sorted(cf) == ["logs-4", "logs/2", "other"]


def test_a_bucket_is_not_synchronized_with_itself(store: Make) -> None:
    cf = store("file")
    cf.puts([("a", b"1"), ("b", b"2")])
    root = cf.cloudpath.removeprefix("file://")
    for attempt in (lambda: Bucket(cf).sync_directory(root),
                    lambda: Bucket(cf).sync_files({"a": os.path.join(root, "b")})):
        with pytest.raises(InvalidInputError):
            attempt()
    assert sorted(cf) == ["a", "b"]


# ---- views


def test_a_filter_shows_only_its_prefix(bucket: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    cf.puts([("a/1", b"1"), ("a/2", b"2"), ("ab", b"3"), ("b", b"4")])
    seen = bucket.with_filtering(PrefixFilter("a/"))
    assert sorted(seen) == ["a/1", "a/2"]
    assert [e.key for e in seen.directory("a/2")] == ["a/2"]
    assert seen.directory("b") == []
    assert "a/1" in seen
    assert "b" not in seen
    for outside in (lambda: seen.get_file("b"), lambda: seen.add_string("", "b"), lambda: seen.delete_file("b"),
                    lambda: seen.copy_file("a/1", "b")):
        with pytest.raises(InvalidPathError, match="outside"):
            outside()
    assert seen.delete() == 2
    assert sorted(bucket) == ["ab", "b"]


def test_stripped_names(bucket: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    cf.puts([("in/a", b"1"), ("in/x/b", b"2"), ("out", b"3")])
    seen = bucket.with_resource_transformation(StripPrefix("in/"))
    assert sorted(seen) == ["a", "x/b"]
    seen.get_all_files(tmp_path / "t")
    assert tree(tmp_path / "t") == {"a": b"1", "x/b": b"2"}
    seen.add_string("new", "c")
    assert cf.get("in/c") == b"new"
    both = seen.with_filtering(PrefixFilter("in/x/"))
    assert list(both) == ["x/b"]
    assert [e.key for e in both.directory("x")] == ["x/b"]
    assert list(seen.with_filtering(PrefixFilter("out"))) == []
    assert sorted(bucket) == ["in/a", "in/c", "in/x/b", "out"]


def test_views_are_new_and_compare_by_what_they_show(bucket: Bucket) -> None:
    seen = bucket.with_filtering(PrefixFilter("a/"))
    assert seen != bucket
    assert seen == bucket.with_filtering(PrefixFilter("b/")).with_filtering(PrefixFilter("a/"))
    assert hash(seen) == hash(Bucket(bucket._cf, PrefixFilter("a/")))
    assert bucket == bucket.with_cache_ttl(5)
    assert "PrefixFilter" in repr(seen)
    with pytest.raises(InvalidInputError, match="StripPrefix"):
        bucket.with_resource_transformation(PrefixFilter("a/"))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError):
        PrefixFilter("")


def test_json(s3: CloudFiles, server: S3Server) -> None:
    bucket = Bucket(s3, PrefixFilter("a/"), StripPrefix("a/"), 60)
    text = json.dumps(bucket.to_json())
    assert server.secrets["AWS_SECRET_ACCESS_KEY"] not in text
    again = Bucket.from_json(json.loads(text), secrets=server.secrets)
    assert again.to_json() == bucket.to_json()
    again.add_string("x", "b")
    assert s3.get("a/b") == b"x"
    assert Bucket.from_json(Bucket("mem://x/").to_json()) == Bucket("mem://x/")
    for bad in ({}, {"cloudpath": "mem://x/", "filtering": {"p": 1}}, {"cloudpath": 1}, None):
        with pytest.raises(InvalidInputError):
            Bucket.from_json(bad)  # type: ignore[arg-type]
    assert bucket.uuid == s3.cloudpath == bucket.description


# ---- cache


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def cached(cf: CloudFiles, time: Time) -> Bucket:
    return Bucket(cf, cache_ttl=10, clock=Clock(time, time))


def test_a_listing_is_remembered_for_its_time(cached: Bucket, cf: CloudFiles, time: Time) -> None:
    cf.put("a", b"")
    assert list(cached) == ["a"]
    cf.put("b", b"")
    time.now += 9.9
    assert list(cached) == ["a"]
    assert cached.directory("b") == []
    time.now += 0.1
    assert list(cached) == ["a", "b"]


def test_own_writes_and_flushes_show_at_once(cached: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    assert list(cached) == []
    cached.add_string("", "a")
    assert list(cached) == ["a"]
    cf.put("b", b"")
    cached.update()
    cached.flush()
    assert list(cached) == ["a"]
    cached.update(flush=True)
    assert list(cached) == ["a", "b"]
    cached.sync_directory(write(tmp_path / "in", {"c": b""}))
    assert list(cached) == ["c"]
    cached.delete()
    assert list(cached) == []


def test_a_download_is_not_repeated_while_it_is_fresh(cached: Bucket, cf: CloudFiles, time: Time, work: Path) -> None:
    cf.put("a", b"old")
    cached.get_file("a")
    cf.put("a", b"new")
    cached.get_file("a")
    assert (work / "a").read_bytes() == b"old"
    assert cached.get_all_files(".").skipped == 1
    (work / "a").write_bytes(b"spoilt")
    cached.get_file("a")
    assert (work / "a").read_bytes() == b"new"
    cf.put("a", b"newer")
    time.now += 10
    cached.get_file("a")
    assert (work / "a").read_bytes() == b"newer"


def test_without_a_cache_everything_is_requested(bucket: Bucket, cf: CloudFiles, work: Path) -> None:
    for content in (b"1", b"22"):
        cf.put("a", content)
        bucket.get_file("a")
        assert (work / "a").read_bytes() == content
        assert [e.size for e in bucket.list_files()] == [len(content)]
    with pytest.raises(InvalidInputError):
        bucket.with_cache_ttl(-1)


# ---- progress


@pytest.mark.real_parts
def test_progress_is_told_file_by_file(bucket: Bucket, cf: CloudFiles, tmp_path: Path) -> None:
    files = {**CONTENTS, "big": numbered(10 << 20)}  # two parts
    cf.puts(list(files.items()))
    told: dict[str, list[tuple[int, int]]] = {}
    bucket.get_all_files(tmp_path / "t", progress=lambda *step: told.setdefault(step[2], []).append(step[:2]))
    assert set(told) == set(files)
    for name, steps in told.items():
        size = len(files[name])
        assert steps[-1] == (size, size)
        assert steps == sorted(set(steps))
    assert len(told["big"]) == 2


def test_progress_of_one_file_names_the_remote_one(bucket: Bucket, cf: CloudFiles, work: Path) -> None:
    cf.put("dir/a", b"12345")
    told: list[Any] = []
    bucket.get_file("dir/a", "local", progress=lambda *step: told.append(step))
    assert told == [(5, 5, "dir/a")]


def test_a_bar_is_drawn(bucket: Bucket, cf: CloudFiles, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cf.put("a", b"12345")
    bucket.get_file("a", progress=True)
    assert "5.00/5.00" in capsys.readouterr().err
    with pytest.raises(InvalidInputError, match="progress"):
        bucket.get_file("a", progress=7)


def test_a_callback_that_fails_ends_the_download(bucket: Bucket, cf: CloudFiles, work: Path) -> None:
    cf.put("a", b"12345")

    def fail(read: int, total: int, filename: str) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        bucket.get_file("a", progress=fail)


# ---- faults


def test_a_fault_leaves_the_old_file(server: S3Server, s3: CloudFiles, work: Path) -> None:
    server.put("a", b"new")
    write(work, {"a": b"old"})
    server.script(Rule(s3_error(403, "AccessDenied"), key="a"))
    with pytest.raises(CloudFilesError) as caught:
        Bucket(s3).get_file("a")
    assert not isinstance(caught.value, ValueError)
    assert tree(work) == {"a": b"old"}


def test_options_are_for_cloudpaths(mem: CloudFiles, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="secrets"):
        Bucket(mem, secrets={})
    Bucket(tmp_path / "new").add_string("x", "a")
    assert (tmp_path / "new" / "a").read_bytes() == b"x"


# ---- as a storage


def test_files_of_a_listing_have_the_names_of_boto3() -> None:
    bucket = Bucket("mem://shelf/files")
    bucket.add_string("text", "dir/a")
    [file] = bucket.list_files()
    assert (file.key, file.bucket_name, file.size) == ("dir/a", "shelf", 4)
    assert file.e_tag == file.etag is not None
    assert bucket.directory("dir/") == [file]
    copy = pickle.loads(pickle.dumps(file))
    assert (copy, copy.bucket_name) == (file, "shelf")


class OwnStorage(Storage):
    """A storage of a program's own."""

    def __init__(self) -> None:
        self.bucket = Bucket("mem://shelf/own")

    def list_files(self) -> Any:
        return self.bucket.list_files()

    def get_file(self, remote: str, local: Any = None, progress: Any = None) -> str:
        return self.bucket.get_file(remote, local, progress)

    def get_all_files(self, output_dir: Any, progress: Any = None) -> Any:
        return self.bucket.get_all_files(output_dir, progress)

    def add_file(self, local_or_file: Any, remote: str | None = None) -> None:
        self.bucket.add_file(local_or_file, remote)

    def add_directory(self, local: Any, remote: str = "") -> Any:
        return self.bucket.add_directory(local, remote)

    def copy_file(self, source: str, dest: str) -> None:
        self.bucket.copy_file(source, dest)

    def delete_file(self, remote: str) -> None:
        self.bucket.delete_file(remote)

    def update(self, flush: bool = False) -> None:
        self.bucket.update(flush)


@pytest.mark.parametrize("make", [OwnStorage, lambda: Bucket("mem://own/bucket")], ids=["own", "bucket"])
def test_a_storage(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = make()
    assert isinstance(storage, cloudfiles.Storage)
    storage["a"] = io.BytesIO(b"1")
    storage.copy_file("a", "b")
    assert sorted(storage) == ["a", "b"]
    assert "a" in storage
    assert "z" not in storage
    assert storage["a"] == "a"
    del storage["a"]
    storage.update(flush=True)
    storage.flush()
    assert list(storage) == ["b"]
    storage.get_all_files(tmp_path / "all")
    assert (tmp_path / "all" / "b").read_bytes() == b"1"
    with pytest.raises(ValueError):
        storage.get_file("z")
    with pytest.raises(OSError):
        storage.add_directory(tmp_path / "nowhere", "x")


def test_a_file_that_stands_at_its_end_is_not_added() -> None:
    file = io.BytesIO(b"content")
    file.seek(0, 2)
    with pytest.raises(InvalidInputError, match=r"seek\(0\)"):
        Bucket("mem://shelf/end").add_file(file, "a")
