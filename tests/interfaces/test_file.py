"""file://: one object. Encodings by suffix, atomic and conditional writes, special files, rights, faults."""

from __future__ import annotations

import errno
import io
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfiles import CloudFiles
from cloudfiles.compression import COMPRESSION_EXTENSIONS
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    FileSystemError,
    InvalidInputError,
    InvalidPathError,
    ObjectChangedError,
    PreconditionFailedError,
    UnsupportedCompressionType,
    UnsupportedOperationError,
)
from cloudfiles.files import download_file
from cloudfiles.interfaces.file import file_io, temporaries
from cloudfiles.interfaces.file import objects as file_objects
from cloudfiles.interfaces.file.interface import FileInterface
from cloudfiles.interfaces.server_copy import CopyOptions
from cloudfiles.paths import extract
from cloudfiles.runtime.contract import Cancelled
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.types import HEAD_FIELDS, StoreOptions, WriteOptions
from tests.internals import Replace
from tests.selection import examples

PLAIN = WriteOptions()
GZIP = WriteOptions(encoding="gzip")


def at(root: Path | str, **options: Any) -> FileInterface:
    return FileInterface(extract(f"file://{root}"), StoreOptions(**options), ThreadRuntime())


@pytest.fixture
def store(tmp_path: Path) -> FileInterface:
    return at(tmp_path / "root")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def content_of(store: FileInterface, key: str) -> Any:
    stored = store.get(key)
    return None if stored is None else stored.content


def names(root: Path) -> list[str]:
    return sorted(os.listdir(root))


# ---- reading and writing


@pytest.mark.parametrize("content", [b"", b"abc", bytearray(b"abc"), memoryview(b"abc"), memoryview(b"a-b-c")[::2],
                                     memoryview(b"abcdefgh").cast("Q"), b"x" * 300_000])
def test_what_is_put_is_got(store: FileInterface, content: Any) -> None:
    etag = store.put("a/b c/d", content, PLAIN)
    stored = store.get("a/b c/d")
    assert stored is not None
    assert stored.content == bytes(content)
    assert type(stored.content) is bytes
    assert (stored.encoding, stored.etag, stored.verified) == ("", etag, "")


def test_a_file_is_streamed_from_its_position(store: FileInterface) -> None:
    class Source(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size > 0
            Source.largest = max(Source.largest, size)
            return super().read(size)

    source = Source(b"x" * 3_000_000 + b"end")
    source.seek(10)
    store.put("k", source, PLAIN)
    assert content_of(store, "k") == b"x" * 2_999_990 + b"end"
    assert Source.largest <= 1 << 20


@given(st.binary(max_size=20), st.none() | st.integers(-25, 25), st.none() | st.integers(-25, 25))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))
def test_ranges_are_slices(store: FileInterface, content: bytes, start: int | None, end: int | None) -> None:
    store.put("k", content, PLAIN)
    assert store.get("k", start, end).content == content[start:end]  # type: ignore[union-attr]


def test_contents_larger_than_one_read(store: FileInterface, internals: Replace) -> None:
    internals(file_read=1000, file_piece=300)
    content = os.urandom(10_007)
    store.put("k", content, PLAIN)
    assert content_of(store, "k") == content
    assert store.get("k", 17, 9999).content == content[17:9999]  # type: ignore[union-attr]


def test_short_writes_and_reads_are_continued(
        store: FileInterface, monkeypatch: pytest.MonkeyPatch, internals: Replace) -> None:
    write, pread = os.write, file_io._pread
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:7]))
    internals(pread=lambda fd, length, first: pread(fd, min(length, 5), first))
    for content in (b"0123456789" * 5, memoryview(b"0123456789abcdef").cast("Q")):
        store.put("k", content, PLAIN)
        assert content_of(store, "k") == bytes(content)


def test_missing_is_none_everywhere(store: FileInterface, root: Path) -> None:
    for _ in ("no root", "empty root"):
        for key in ("k", "a/k", "x" * 255, "x" * 300, "d/" * 3000 + "k"):
            assert store.get(key) is None
            assert store.get(key, 1, 2) is None
            assert store.head(key) is None
            assert store.size(key) is None
            assert not store.exists(key)
            assert store.delete([key]) == {}
        root.mkdir(exist_ok=True)


def test_below_a_file_all_is_missing_and_nothing_can_be_put(store: FileInterface) -> None:
    store.put("a", b"1", PLAIN)
    assert store.get("a/b") is None
    assert not store.exists("a/b")
    assert store.delete(["a/b", "a/b/c"]) == {}
    with pytest.raises(InvalidPathError, match=r"/a is not a directory"):
        store.put("a/b", b"2", PLAIN)
    with pytest.raises(InvalidPathError, match=r"/a is not a directory"):
        store.put("a/b/c", b"2", PLAIN)
    assert content_of(store, "a") == b"1"


def test_a_directory_is_no_object(store: FileInterface, root: Path) -> None:
    store.put("a/b", b"1", PLAIN)
    assert store.get("a") is None
    assert store.get("a", 0, 1) is None
    assert not store.exists("a")
    assert store.delete(["a"]) == {}
    with pytest.raises(InvalidPathError, match="directory") as caught:
        store.put("a", b"2", PLAIN)
    assert (caught.value.path, caught.value.store) == ("a", f"file://{root}")
    with pytest.raises(InvalidPathError, match="directory"):
        store.put("a", b"2", WriteOptions(if_absent=True))
    assert names(root) == ["a"]
    assert content_of(store, "a/b") == b"1"


def test_an_encoded_object_may_stand_beside_a_directory_of_its_name(store: FileInterface) -> None:
    store.put("a/b", b"1", PLAIN)
    store.put("a", b"2", GZIP)
    assert content_of(store, "a") == b"2"
    assert content_of(store, "a/b") == b"1"


def test_a_directory_named_like_an_encoded_twin_stays(store: FileInterface) -> None:
    store.put("a.gz/c", b"3", PLAIN)
    store.put("a", b"1", PLAIN)
    assert store.delete(["a"]) == {}
    assert content_of(store, "a.gz/c") == b"3"


@pytest.mark.parametrize("content", ["text", 5, None, [b"x"]])
def test_content_that_is_no_bytes_is_refused_before_anything_is_touched(
        store: FileInterface, root: Path, content: Any) -> None:
    with pytest.raises(InvalidInputError, match=type(content).__name__):
        store.put("a/b", content, PLAIN)
    assert not root.exists()


def test_a_text_file_is_refused_and_leaves_nothing(store: FileInterface, root: Path) -> None:
    with pytest.raises(InvalidInputError, match="binary mode"):
        store.put("k", io.StringIO("text"), PLAIN)  # type: ignore[arg-type]
    assert names(root) == []


def test_the_mode_is_the_umask_s(store: FileInterface, root: Path) -> None:
    before = os.umask(0o027)
    try:
        store.put("k", b"", PLAIN)
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "k").stat().st_mode) == 0o640


def rewritten(way: str, root: Path, key: str, encoding: str = "") -> None:
    """Overwrite an object by one of the ways in which a local file is written."""
    new, source = at(root), at(root.parent / "source")
    if way == "put":
        new.put(key, b"new", WriteOptions(encoding=encoding))
    elif way == "parts":
        writer = new.open_writer(key, 3, WriteOptions(encoding=encoding))
        assert writer is not None
        writer.write(0, b"new")
        writer.finish()
    elif way == "download":
        source.put("s", b"new", PLAIN)
        download_file(f"file://{root.parent}/source/s", root / key)
    else:
        source.put("s", b"new", WriteOptions(encoding=encoding))
        os.chmod(root.parent / "source" / ("s" + (".gz" if encoding else "")), 0o751)
        if way == "copy":
            new.copy_from(source, "s", key, CopyOptions())
        else:
            assert new.rename_from(source, "s", key)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("mode", [0o600, 0o664, 0o777, 0o444, 0o440])
@pytest.mark.parametrize("way", ["put", "parts", "copy", "rename", "download"])
def test_an_overwritten_file_keeps_its_mode(root: Path, way: str, mode: int) -> None:
    root.mkdir()
    (root / "k").write_bytes(b"old")
    os.chmod(root / "k", mode)
    rewritten(way, root, "k")
    assert (root / "k").read_bytes() == b"new"
    assert stat.S_IMODE((root / "k").stat().st_mode) == mode


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("way", ["put", "parts", "copy", "rename"])
def test_a_mode_is_kept_under_another_encoding(root: Path, way: str) -> None:
    root.mkdir()
    (root / "k").write_bytes(b"old")
    os.chmod(root / "k", 0o640)
    rewritten(way, root, "k", "gzip")
    assert names(root) == ["k.gz"]
    assert stat.S_IMODE((root / "k.gz").stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("way", ["put", "parts", "copy", "rename", "download"])
def test_special_bits_are_dropped(root: Path, way: str) -> None:
    root.mkdir()
    (root / "k").write_bytes(b"old")
    os.chmod(root / "k", 0o6755)
    rewritten(way, root, "k")
    assert stat.S_IMODE((root / "k").stat().st_mode) == 0o755


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_file_is_never_wider_open_than_the_one_it_replaces(
        store: FileInterface, root: Path, internals: Replace) -> None:
    store.put("k", b"secret", PLAIN)
    os.chmod(root / "k", 0o600)
    seen: list[int] = []
    fill = file_io._fill

    def watched(descriptor: int, content: Any) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        fill(descriptor, content)

    internals(fill_file=watched)
    store.put("k", b"new secret", PLAIN)
    assert seen == [0o600]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_symlink_leaves_the_mode_of_what_it_leads_to(store: FileInterface, root: Path) -> None:
    store.put("target", b"private", PLAIN)
    os.chmod(root / "target", 0o600)
    (root / "link").symlink_to("target")
    (root / "dangling").symlink_to("nothing")
    before = os.umask(0o022)
    try:
        store.put("link", b"1", PLAIN)
        store.put("dangling", b"1", PLAIN)
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "link").lstat().st_mode) == 0o600
    assert stat.S_IMODE((root / "dangling").lstat().st_mode) == 0o644
    assert (root / "target").read_bytes() == b"private"


OWNED = """
import os, stat, sys
from cloudfiles import CloudFiles

cf = CloudFiles(sys.argv[1])
path = os.path.join(sys.argv[1], "k")
cf.put("imports", b"what others may not read")
for owner, groups, expected in (
        (0, [], (1001, 1002, 0o664)),           # the superuser keeps both
        (1003, [1002], (1003, 1002, 0o664)),    # a member of the group keeps that
        (1003, [1004], (1003, 1003, 0o644))):   # another's group may do what others might
    with open(path, "wb"):
        os.chown(path, 1001, 1002)
        os.chmod(path, 0o664)
    child = os.fork()
    if not child:
        os.setgroups(groups)
        os.setgid(owner)
        os.setuid(owner)
        cf.put("k", b"new")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    found = os.stat(path)
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == expected, (owner, found)
    os.unlink(path)
"""


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only the superuser can act as others")
def test_owner_and_group_stay_as_far_as_the_system_lets_them(tmp_path: Path) -> None:
    directory = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        os.chmod(directory, 0o777)
        subprocess.run([sys.executable, "-c", OWNED, str(directory)], check=True, timeout=60)
    finally:
        shutil.rmtree(directory)


@pytest.mark.skipif(sys.platform != "linux", reason="access control lists as Linux keeps them")
def test_an_access_control_list_stays(store: FileInterface, root: Path) -> None:
    store.put("k", b"old", PLAIN)
    entries = [(1, 6, -1), (2, 6, 1234), (4, 4, -1), (16, 6, -1), (32, 0, -1)]  # owner, a user, group, mask, others
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(root / "k", "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("the file system of the temporary directory keeps no access control lists")
    store.put("k", b"new", PLAIN)
    assert os.getxattr(root / "k", "system.posix_acl_access") == acl
    assert content_of(store, "k") == b"new"


def test_head_tells_what_the_file_system_knows(store: FileInterface, root: Path) -> None:
    etag = store.put("a.json", b"hello", GZIP)
    os.utime(root / "a.json.gz", (784111777.9, 784111777.9))
    head = store.head("a.json")
    assert head is not None
    assert tuple(head) == HEAD_FIELDS
    assert head.pop("ETag") not in (None, etag)
    assert {name: value for name, value in head.items() if value is not None} == {
        "Content-Length": 5, "Content-Type": "application/json", "Content-Encoding": "gzip",
        "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}


def test_etags_agree_and_change_with_every_write(store: FileInterface) -> None:
    first = store.put("k", b"1", PLAIN)
    assert first == store.get("k").etag == store.head("k")["ETag"] == store.list_page().entries[0].etag  # type: ignore
    assert store.put("k", b"1", PLAIN) != first


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_touch_sets_the_time_and_nothing_else(store: FileInterface, root: Path, encoding: str) -> None:
    etag = store.put("k", b"12345", WriteOptions(encoding=encoding))
    file, = root.iterdir()
    os.utime(file, (784111777, 784111777))
    store.touch("k")
    assert list(root.iterdir()) == [file]
    assert file.read_bytes() == b"12345"
    assert file.stat().st_mtime > 784111777
    assert store.head("k")["ETag"] != etag  # type: ignore[index]


def test_touch_creates_an_empty_file_where_there_is_none(
        store: FileInterface, root: Path, internals: Replace) -> None:
    store.touch("new/deep")
    (root / "astray").symlink_to("nowhere")
    store.touch("astray")
    assert [store.size(key) for key in ("new/deep", "astray")] == [0, 0]
    assert not (root / "nowhere").exists()

    def refuse(*_: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    internals(link_new=refuse)
    store.touch("without links")
    assert store.size("without links") == 0
    assert not [name for name in root.rglob("*") if "cloudfiles" in name.name]


def test_touch_does_not_replace_what_is_written_meanwhile(
        store: FileInterface, internals: Replace) -> None:
    write_new = file_objects.write_new

    def slow(temporary: str, content: Any, *more: Any) -> str:
        if content == b"":
            store.put("k", b"content", PLAIN)
        return write_new(temporary, content, *more)

    internals(write_new=slow)
    store.touch("k")
    assert store.get("k").content == b"content"  # type: ignore[union-attr]


def test_touch_says_what_is_no_object(store: FileInterface, root: Path) -> None:
    (root / "directory").mkdir(parents=True)
    with pytest.raises(CloudFilesError):
        store.touch("directory")
    with pytest.raises(InvalidPathError):
        store.touch("../outside")


def test_durable_writes_sync_the_file_before_and_the_directory_after_the_rename(
        store: FileInterface, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched(descriptor: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(os, "replace", lambda a, b: (steps.append("rename"), replace(a, b)))
    store.put("k", b"", PLAIN)
    assert steps == ["rename"]
    monkeypatch.setattr(FileInterface, "durable", True)
    store.put("k", b"1", PLAIN)
    assert steps == ["rename", "file", "rename", "directory"]


# ---- keys


BAD = ["", ".", "..", "/", "/etc/passwd", "a/", "a//b", "./a", "a/.", "a/./b", "../a", "a/..", "a/../b",
       "a/../../b", "a\0b", "\0"]


@pytest.mark.parametrize("key", BAD)
def test_keys_that_cannot_be_are_refused_before_anything_is_touched(
        store: FileInterface, root: Path, key: str) -> None:
    uses = (store.get, store.head, store.exists, store.size, lambda k: store.put(k, b"x", PLAIN),
            lambda k: store.delete([k]))
    for use in uses:
        with pytest.raises(InvalidPathError, match="invalid key on file://"):
            use(key)
    assert not root.exists()


def test_one_bad_key_keeps_a_whole_batch_from_being_deleted(store: FileInterface) -> None:
    store.put("a", b"", PLAIN)
    with pytest.raises(InvalidPathError):
        store.delete(["a", "../b"])
    assert store.exists("a")


@pytest.mark.parametrize("key", ["..a", "a..", "...", "a/...", ".hidden", "a\\b", "a b", "é", "%2e%2e/x", "a\nb", "~",
                                 "-rf", "*", "C:x", "x" * 255, "y" * 250 + ".json", "\udcff\udc80x", "a+b?c#d",
                                 ".cloudfiles-x", ".cloudfiles-.tmp", ".gz", "a/.gz"])
@pytest.mark.skipif(sys.platform == "win32", reason="names of POSIX")
def test_odd_keys_survive(store: FileInterface, key: str) -> None:
    store.put(key, b"1", PLAIN)
    assert content_of(store, key) == b"1"
    assert [entry.key for entry in store.list_page().entries] == [key]
    assert store.delete([key]) == {}
    assert not store.exists(key)


def test_a_name_that_is_too_long_is_reported(store: FileInterface, root: Path) -> None:
    with pytest.raises(InvalidPathError, match="name"):
        store.put("x" * 256, b"", PLAIN)
    with pytest.raises(InvalidPathError, match="name"):
        store.put("x" * 253, b"", GZIP)
    assert names(root) == []


def test_a_lone_surrogate_is_no_file_name(store: FileInterface) -> None:
    for use in (store.get, store.exists, lambda k: store.put(k, b"", PLAIN)):
        with pytest.raises(InvalidPathError, match=r"\\ud800"):
            use("a\ud800")


def test_temporary_names_are_no_keys(store: FileInterface) -> None:
    from cloudfiles.interfaces.file.temporaries import temporary_name

    with pytest.raises(InvalidPathError, match="temporary"):
        store.put("a/" + temporary_name(), b"", PLAIN)


# ---- encodings


@pytest.mark.parametrize(("suffix", "encoding"), COMPRESSION_EXTENSIONS.items())
def test_an_encoding_is_a_suffix(store: FileInterface, root: Path, suffix: str, encoding: str) -> None:
    etag = store.put("k", b"12345", WriteOptions(encoding=encoding))
    assert names(root) == ["k" + suffix]
    stored = store.get("k")
    assert stored is not None
    assert (stored.content, stored.encoding, stored.etag) == (b"12345", encoding, etag)
    assert store.get("k", 1, 3).content == b"23"  # type: ignore[union-attr]
    assert store.head("k")["Content-Encoding"] == encoding  # type: ignore[index]
    assert store.size("k") == 5
    assert store.exists("k")
    assert [entry[:3] for entry in store.list_page().entries] == [("k", 5, etag)]
    assert store.delete(["k"]) == {}
    assert names(root) == []


@pytest.mark.parametrize("new", ["", *COMPRESSION_EXTENSIONS.values()])
@pytest.mark.parametrize("old", ["", *COMPRESSION_EXTENSIONS.values()])
def test_a_write_removes_the_twins_of_other_encodings(store: FileInterface, root: Path, old: str, new: str) -> None:
    store.put("k", b"old", WriteOptions(encoding=old))
    store.put("k", b"new", WriteOptions(encoding=new))
    stored = store.get("k")
    assert stored is not None
    assert (stored.content, stored.encoding) == (b"new", new)
    assert len(names(root)) == 1


def test_a_key_with_a_suffix_that_exists_literally_is_raw(store: FileInterface) -> None:
    store.put("k", b"zipped", GZIP)
    stored = store.get("k.gz")
    assert stored is not None
    assert (stored.content, stored.encoding) == (b"zipped", "")
    assert store.head("k.gz")["Content-Encoding"] is None  # type: ignore[index]
    assert store.head("k.gz")["Content-Type"] == "application/gzip"  # type: ignore[index]
    store.put("x.gz", b"twice", GZIP)
    assert (store.get("x.gz").content, store.get("x.gz").encoding) == (b"twice", "gzip")  # type: ignore[union-attr]


def test_aliases_of_encodings_are_understood_and_others_refused(store: FileInterface, root: Path) -> None:
    store.put("k", b"", WriteOptions(encoding="x-gzip"))
    store.put("l", b"", WriteOptions(encoding="identity"))
    assert names(root) == ["k.gz", "l"]
    with pytest.raises(UnsupportedOperationError, match="gzip, br"):
        store.put("m", b"", WriteOptions(encoding="gzip, br"))
    with pytest.raises(UnsupportedCompressionType, match="rot13"):
        store.put("m", b"", WriteOptions(encoding="rot13"))
    assert names(root) == ["k.gz", "l"]


def test_of_twins_left_by_others_the_bare_file_counts_and_delete_takes_both(store: FileInterface, root: Path) -> None:
    root.mkdir()
    for name in ("k", "k.gz", "k.xz"):
        (root / name).write_bytes(name.encode())
    assert content_of(store, "k") == b"k"
    assert store.size("k") == 1
    store.delete(["k"])
    assert names(root) == []


def test_an_object_whose_encoding_changes_is_never_missing(store: FileInterface) -> None:
    stop = threading.Event()
    failures: list[str] = []

    def look() -> None:
        while not stop.is_set():
            try:
                if content_of(store, "k") is None or not store.exists("k") or not store.list_page().entries:
                    failures.append("missing")
            except ObjectChangedError:
                pass  # said, not hidden

    store.put("k", b"0", PLAIN)
    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(600):
        store.put("k", b"%d" % number, (PLAIN, GZIP, WriteOptions(encoding="zstd"))[number % 3])
    stop.set()
    watcher.join()
    assert not failures


def test_a_twin_that_another_process_writes_meanwhile_is_not_removed(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("k", b"old", GZIP)
    replace = os.replace

    def replaced(source: str, target: str) -> None:
        replace(source, target)
        (root / "theirs").write_bytes(b"theirs")
        replace(root / "theirs", root / "k.gz")

    monkeypatch.setattr(os, "replace", replaced)
    store.put("k", b"ours", PLAIN)
    assert names(root) == ["k", "k.gz"]
    assert content_of(store, "k") == b"ours"


# ---- atomicity


@pytest.mark.parametrize("failure", [KeyboardInterrupt, Cancelled, OSError(errno.EIO, "broken"), MemoryError])
@pytest.mark.parametrize("place", ["write", "close", "replace", "source"])
def test_a_failure_anywhere_keeps_the_old_file_and_leaves_no_temporary(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch, failure: Any, place: str) -> None:
    store.put("k", b"old", PLAIN)

    def fail(*_: Any) -> None:
        raise failure

    source = io.BytesIO(b"new")
    expected = FileSystemError if isinstance(failure, OSError) else failure
    with monkeypatch.context() as patch:
        if place == "source":
            source.read = fail  # type: ignore[assignment, method-assign]
        elif place == "close":
            close = os.close
            patch.setattr(os, "close", lambda descriptor: (close(descriptor), fail()))
        else:
            patch.setattr(os, place, fail)
        with pytest.raises(expected):
            store.put("k", source, PLAIN)
    assert content_of(store, "k") == b"old"
    assert names(root) == ["k"]


def test_a_full_disk_keeps_the_old_file(store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("k", b"old", PLAIN)
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        write(descriptor, bytes(data)[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(FileSystemError, match="No space left") as caught:
            store.put("k", b"new", PLAIN)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.path == "k"
    assert content_of(store, "k") == b"old"
    assert names(root) == ["k"]


def test_a_really_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path],
                             capture_output=True, check=False) if sys.platform == "linux" else None
    if mounted is None or mounted.returncode:
        pytest.skip("a file system of 64 KiB can be mounted by root on Linux only")
    try:
        store = at(tmp_path)
        store.put("k", b"old", PLAIN)
        with pytest.raises(FileSystemError, match="No space left"):
            store.put("k", b"x" * 1_000_000, PLAIN)
        assert content_of(store, "k") == b"old"
        assert names(tmp_path) == ["k"]
        store.put("k", b"x" * 40_000, PLAIN)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


WRITER = """
    import sys
    from cloudfiles.interfaces.file.interface import FileInterface
    from cloudfiles.paths import extract
    from cloudfiles.runtime.threads import ThreadRuntime
    from cloudfiles.types import StoreOptions, WriteOptions

    class Endless:
        def __init__(self):
            self.pieces = 0
        def read(self, size):
            self.pieces += 1
            if self.pieces == 3:
                print("writing", flush=True)
                sys.stdin.read()
            return b"n" * 1000

    store = FileInterface(extract("file://" + sys.argv[1]), StoreOptions(), ThreadRuntime())
    store.put("k", Endless(), WriteOptions(encoding=sys.argv[2]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_writer_killed_amid_its_write_leaves_the_old_file(
        store: FileInterface, root: Path, encoding: str) -> None:
    store.put("k", b"old", PLAIN)
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(WRITER), str(root), encoding],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"writing\n"
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    assert content_of(store, "k") == b"old"
    left = [name for name in names(root) if name != "k"]
    assert len(left) == 1
    assert (root / left[0]).stat().st_size == 2000
    assert [entry.key for entry in store.list_page().entries] == ["k"]
    store.put("k", b"new", PLAIN)
    assert content_of(store, "k") == b"new"


def test_readers_see_the_old_or_the_new_file_never_a_mixture(store: FileInterface) -> None:
    contents = [bytes([letter]) * 200_000 for letter in b"ab"]
    store.put("k", contents[0], PLAIN)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            store.put("k", contents[number % 2], PLAIN)
            number += 1

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    seen = [content_of(store, "k") in contents for _ in range(200)]
    stop.set()
    for writer in writers:
        writer.join()
    assert all(seen)


def test_parents_that_vanish_are_made_again(store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    makedirs, calls = os.makedirs, []

    def made(path: str, **options: Any) -> None:
        calls.append(path)
        if len(calls) > 1:
            makedirs(path, **options)

    monkeypatch.setattr(file_io.os, "makedirs", made)
    store.put("a/k", b"1", PLAIN)
    assert content_of(store, "a/k") == b"1"


# ---- files that others change while they are read


def test_a_file_that_grows_while_it_is_read_is_read_again(
        store: FileInterface, root: Path, internals: Replace) -> None:
    store.put("k", b"12345", PLAIN)
    pread, growths = file_io._pread, [b"6", b"7"]

    def reading(descriptor: int, length: int, first: int) -> bytes:
        if growths:
            with open(root / "k", "ab") as file:
                file.write(growths.pop(0))
        return pread(descriptor, length, first)

    internals(pread=reading)
    stored = store.get("k")
    assert stored is not None
    assert stored.content == b"1234567"
    assert stored.etag == store.head("k")["ETag"]  # type: ignore[index]


@pytest.mark.parametrize("span", [(None, None), (1, 4)])
def test_a_file_that_shrinks_while_it_is_read_is_read_again(
        store: FileInterface, root: Path, internals: Replace, span: tuple[Any, Any]) -> None:
    store.put("k", b"12345", PLAIN)
    pread = file_io._pread

    def reading(descriptor: int, length: int, first: int) -> bytes:
        os.truncate(root / "k", 2)
        return pread(descriptor, length, first)

    internals(pread=reading)
    assert store.get("k", *span).content == b"12"[slice(*span)]  # type: ignore[union-attr]


def test_a_long_file_changed_in_place_while_it_is_read_is_read_again(
        store: FileInterface, root: Path, internals: Replace) -> None:
    store.put("k", b"a" * 100_000, PLAIN)
    pread, changes = file_io._pread, [b"b"]

    def reading(descriptor: int, length: int, first: int) -> bytes:
        content = pread(descriptor, length, first)
        if changes:
            (root / "k").write_bytes(changes.pop() * 100_000)
            os.utime(root / "k", ns=(1, 1))
        return content

    internals(pread=reading)
    assert content_of(store, "k") == b"b" * 100_000


def test_a_file_that_never_agrees_with_its_length_is_an_error(
        store: FileInterface, internals: Replace) -> None:
    store.put("k", b"12345", PLAIN)
    internals(pread=lambda descriptor, length, first: b"")
    with pytest.raises(ObjectChangedError) as caught:
        store.get("k")
    assert caught.value.path == "k"


# ---- conditions


@pytest.mark.parametrize("present", ["", "gzip", "bz2"])
@pytest.mark.parametrize("new", ["", "gzip"])
def test_if_absent_looks_at_every_encoding(store: FileInterface, root: Path, present: str, new: str) -> None:
    create = WriteOptions(encoding=new, if_absent=True)
    etag = store.put("k", b"1", create)
    assert store.head("k")["ETag"] == etag  # type: ignore[index]
    store.put("k", b"2", WriteOptions(encoding=present))
    with pytest.raises(PreconditionFailedError, match="exists") as caught:
        store.put("k", b"3", create)
    assert caught.value.path == "k"
    assert content_of(store, "k") == b"2"
    assert len(names(root)) == 1


def test_if_absent_is_decided_by_the_system(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process creates the file after our last look."""
    link = os.link

    def linked(source: str, target: str) -> None:
        (root / "k").write_bytes(b"theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", linked)
    with pytest.raises(PreconditionFailedError, match="exists"):
        store.put("k", b"ours", WriteOptions(if_absent=True))
    assert content_of(store, "k") == b"theirs"
    assert names(root) == ["k"]


def test_without_hard_links_if_absent_says_so(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(UnsupportedOperationError, match="hard links"):
        store.put("k", b"1", WriteOptions(if_absent=True))
    assert names(root) == []


def test_of_many_creators_one_wins(store: FileInterface) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            store.put("k", b"%d" % number, WriteOptions(if_absent=True, encoding=("", "gzip")[number % 2]))
            won.append(number)
        except PreconditionFailedError:
            pass

    threads = [threading.Thread(target=create, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert content_of(store, "k") == b"%d" % won[0]


def test_if_match(store: FileInterface, root: Path) -> None:
    with pytest.raises(PreconditionFailedError, match="missing"):
        store.put("k", b"1", WriteOptions(if_match='"x"'))
    etag = store.put("k", b"1", GZIP)
    store.put("k", b"2", WriteOptions(if_match=etag))
    with pytest.raises(PreconditionFailedError, match="ETag"):
        store.put("k", b"3", WriteOptions(if_match=etag))
    assert content_of(store, "k") == b"2"
    assert names(root) == ["k"]


@pytest.mark.parametrize("size", [1, 1 << 20])
@pytest.mark.parametrize(("first", "second"), [(PLAIN, GZIP), (GZIP, PLAIN), (GZIP, WriteOptions(encoding="br"))])
def test_writes_of_one_key_at_once_leave_one_file(
        store: FileInterface, root: Path, first: WriteOptions, second: WriteOptions, size: int,
        internals: Replace) -> None:
    fill = file_io._fill

    def overtaken(descriptor: int, content: Any) -> None:
        internals(fill_file=fill)
        thread = threading.Thread(target=store.put, args=("k", b"second", second))
        thread.start()
        thread.join()
        fill(descriptor, content)

    internals(fill_file=overtaken)
    store.put("k", b"1" * size, first)
    assert len(names(root)) == 1
    assert content_of(store, "k") == b"1" * size


def test_if_match_loses_no_update_between_threads(store: FileInterface) -> None:
    store.put("k", b"0", PLAIN)

    def count() -> None:
        for _ in range(20):
            while True:
                stored = store.get("k")
                assert stored is not None
                try:
                    store.put("k", b"%d" % (int(stored.content) + 1), WriteOptions(if_match=stored.etag))
                    break
                except PreconditionFailedError:
                    pass

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert content_of(store, "k") == b"80"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_amid_another_thread_s_write_can_continue(store: FileInterface, root: Path) -> None:
    with file_objects._key_lock(str(root / "k")).lock:
        child = os.fork()
        if child == 0:
            store.put("k", b"child", PLAIN)
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert content_of(store, "k") == b"child"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_temporary_files_of_a_forked_child_have_names_of_their_own() -> None:
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(sending, temporaries.process_mark().encode())
        os._exit(0)
    os.close(sending)
    with open(receiving, encoding="utf-8") as told:
        assert told.read().startswith(f"{child:x}-")
    os.waitpid(child, 0)


# ---- symlinks and special files


def test_symlinks_are_followed_to_read_and_replaced_by_writes(store: FileInterface, root: Path, tmp_path: Path) -> None:
    root.mkdir()
    target = tmp_path / "outside"
    target.write_bytes(b"outside")
    (root / "link").symlink_to(target)
    assert content_of(store, "link") == b"outside"
    store.put("link", b"inside", PLAIN)
    assert target.read_bytes() == b"outside"
    assert not (root / "link").is_symlink()
    (root / "other").symlink_to(target)
    store.delete(["other"])
    assert target.exists()


def test_a_symlink_that_leads_nowhere_is_missing(store: FileInterface, root: Path) -> None:
    root.mkdir()
    (root / "dangling").symlink_to("nothing")
    (root / "self").symlink_to("self")
    for key in ("dangling", "self", "self/x"):
        assert store.get(key) is None
        assert not store.exists(key)
    assert store.list_page().entries == []
    store.put("dangling", b"1", PLAIN)
    assert content_of(store, "dangling") == b"1"
    assert not (root / "nothing").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX special files")
def test_special_files_are_named_not_waited_for(store: FileInterface, root: Path) -> None:
    root.mkdir()
    os.mkfifo(root / "pipe")
    (root / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listening:
        before = os.getcwd()
        os.chdir(root)  # the path of a socket must be short
        try:
            listening.bind("sock")
        finally:
            os.chdir(before)
        for key, kind in (("pipe", "named pipe"), ("null", "character device"), ("sock", "socket")):
            for use in (store.get, store.head, store.exists, store.size):
                with pytest.raises(UnsupportedOperationError, match=kind):
                    use(key)
        assert store.list_page().entries == []


# ---- rights


REFUSED = """
    import os, sys
    from cloudfiles.exceptions import AuthorizationError
    from cloudfiles.interfaces.file.interface import FileInterface
    from cloudfiles.paths import extract
    from cloudfiles.runtime.threads import ThreadRuntime
    from cloudfiles.types import StoreOptions, WriteOptions

    store = FileInterface(extract("file://" + sys.argv[1]), StoreOptions(), ThreadRuntime())
    os.setegid(65534); os.seteuid(65534)  # after the imports: the interpreter may lie where only root reads

    def refused(use):
        try:
            return f"{use()!r} instead of an error"
        except AuthorizationError as error:
            return "refused" if error.path is not None and error.store else "unnamed"
    print([refused(use) for use in (
        lambda: store.get("secret"), lambda: store.get("closed/k"), lambda: store.exists("closed/k"),
        lambda: store.head("closed/k"), lambda: store.size("closed/k"), lambda: store.isdir("closed/d"),
        lambda: store.list_page(), lambda: store.list_page("closed/"),
        lambda: store.put("new", b"", WriteOptions()), lambda: store.put("closed/k", b"", WriteOptions()),
        lambda: store.put("a/b/c", b"", WriteOptions()))])
    print({key: type(error).__name__ for key, error in store.delete(["secret", "closed/k", "gone"]).items()})
    print(store.exists("secret"), store.exists("gone"), store.get("gone"))
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can drop its rights")
def test_no_permission_is_never_missing() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)  # pytest's own directories are closed to others
        root = Path(directory) / "root"
        (root / "closed").mkdir(parents=True)
        (root / "secret").write_bytes(b"secret")
        (root / "closed" / "k").write_bytes(b"k")
        os.chmod(root / "secret", 0)
        os.chmod(root / "closed", 0)
        ran = subprocess.run([sys.executable, "-c", textwrap.dedent(REFUSED), str(root)],
                             capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        str(["refused"] * 11),
        str({"secret": "LocalPermissionError", "closed/k": "LocalPermissionError"}),
        "True False None"]


def test_refusals_by_the_system_are_authorization_errors(
        store: FileInterface, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("k", b"1", PLAIN)

    def refuse(path: str, *_: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AuthorizationError, match="Read-only"):
        store.put("k", b"2", PLAIN)


def test_too_many_open_files_is_not_missing(store: FileInterface, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("k", b"1", PLAIN)

    def refuse(path: str, *_: Any) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(FileSystemError, match="Too many open files"):
        store.get("k")


def test_rm_of_a_directory_leaves_no_empty_directories(tmp_path: Path) -> None:
    cf = CloudFiles(f"file://{tmp_path}/root/")
    cf.puts([("run1/deep/x", b"1"), ("run10/y", b"2")])
    (tmp_path / "root/run1/empty/more").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path / "elsewhere")
    assert cf.rm(["run1", "link", "none"], recursive=True) == 1
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["run10"]
    assert (tmp_path / "elsewhere").is_dir()
