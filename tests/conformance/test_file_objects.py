"""File objects: what is read, written and appended through them is the object, whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import pickle
import shutil
import tarfile
import zipfile
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import ExistingObjectError, MissingObjectError, PreconditionFailedError
from cloudfiles.file_objects.object_reader import ObjectReader
from tests.conformance.stores import StoreUnderTest
from tests.contents import numbered

pytestmark = [pytest.mark.own_servers, pytest.mark.one_runtime]

CONTENT = numbered(300_000)
TEXT = "".join(f"line {number}: zwölf\n" for number in range(9000))


@pytest.fixture
def seeded(store: StoreUnderTest, cf: CloudFiles) -> CloudFiles:
    store.seed({"dir/key": CONTENT, "text": TEXT.encode(), "empty": b""})
    return cf


def test_reading(seeded: CloudFiles) -> None:
    with seeded.open("dir/key") as file:
        assert file.read() == CONTENT
        assert file.read() == b""
        assert file.tell() == len(CONTENT)
    assert seeded.open("empty").read() == b""


def test_reading_in_any_order(seeded: CloudFiles) -> None:
    with seeded.open("dir/key", blocksize=5000) as file:
        for at, size in ((200_000, 30), (200_030, 70_000), (0, 10), (5, 5), (299_990, 100), (100_000, 100_000)):
            assert file.seek(at) == at
            assert file.read(size) == CONTENT[at:at + size]
        assert file.seek(-10, io.SEEK_END) == len(CONTENT) - 10
        assert file.seek(-10, io.SEEK_CUR) == len(CONTENT) - 20
        assert file.read() == CONTENT[-20:]
        assert file.seek(10, io.SEEK_END) == len(CONTENT) + 10
        assert file.read(5) == b""


def test_reading_in_order(seeded: CloudFiles) -> None:
    parts = []
    with seeded.open("dir/key", blocksize=3000) as file:
        buffer = bytearray(7000)
        while count := file.readinto(buffer):
            parts.append(bytes(buffer[:count]))
            parts.append(file.read(11))
            parts.append(file.read1(2000))  # type: ignore[attr-defined]  # typeshed's BinaryIO has no read1
    assert b"".join(parts) == CONTENT


def test_lines(seeded: CloudFiles) -> None:
    lines = TEXT.splitlines(keepends=True)
    with seeded.open("text", "r", blocksize=10_000) as text:
        assert text.readline() == lines[0]
        assert list(text) == lines[1:]
    with seeded.open("text", blocksize=10_000) as file:
        assert file.readline(3) == lines[0].encode()[:3]
        file.seek(0)
        assert [line.decode() for line in file] == lines


def test_seeking_in_text(seeded: CloudFiles) -> None:
    with seeded.open("text", "r") as text:
        text.readline()
        here = text.tell()
        second = text.readline()
        text.read(50_000)
        text.seek(here)
        assert text.readline() == second


def test_a_reader_is_pickled_at_its_position(seeded: CloudFiles) -> None:
    with seeded.open("dir/key") as file:
        file.seek(1000)
        with pickle.loads(pickle.dumps(file)) as other:
            assert other.read(20) == file.read(20) == CONTENT[1000:1020]
    with seeded.open("text", "r") as text:
        text.readline()
        with pickle.loads(pickle.dumps(text)) as other:
            assert other.readline() == text.readline()


def test_missing_objects(cf: CloudFiles) -> None:
    with pytest.raises(MissingObjectError):
        cf.open("missing")
    with pytest.raises(FileNotFoundError):
        cf.open("missing", "r")


@pytest.mark.writes
@pytest.mark.parametrize("blocksize", [None, 1000])
def test_writing(cf: CloudFiles, blocksize: int | None) -> None:
    with cf.open("dir/key", "wb", blocksize=blocksize) as file:
        for at in range(0, len(CONTENT), 3333):
            file.write(CONTENT[at:at + 3333])
        assert file.tell() == len(CONTENT)
        assert not cf.exists("dir/key")
    assert file.closed
    assert cf.get("dir/key") == CONTENT


@pytest.mark.writes
def test_writing_text(cf: CloudFiles) -> None:
    with cf.open("text", "w", encoding="utf-16") as text:
        print("zwölf", file=text)
    assert cf.open("text", "r", encoding="utf-16").read() == "zwölf\n"


@pytest.mark.writes
@pytest.mark.parametrize("blocksize", [None, 1000])
@pytest.mark.parametrize("mode", ["wb", "xb", "ab", "w"])
def test_an_exception_leaves_nothing(cf: CloudFiles, store: StoreUnderTest, mode: str, blocksize: int | None) -> None:
    with pytest.raises(ZeroDivisionError), cf.open("key", mode, blocksize=blocksize) as file:
        file.write("text" * 5000 if mode == "w" else CONTENT)
        raise ZeroDivisionError
    assert cf.get("key") is None
    if store.name != "rclone":  # which lists no uploads
        assert cf.discard_partial("", older_than=0) == 0


@pytest.mark.writes
@pytest.mark.parametrize("blocksize", [None, 1000])
def test_an_exception_keeps_the_old_object(cf: CloudFiles, blocksize: int | None) -> None:
    cf["key"] = b"old"
    for mode in ("wb", "ab"):
        with pytest.raises(ZeroDivisionError), cf.open("key", mode, blocksize=blocksize) as file:
            file.write(CONTENT)
            raise ZeroDivisionError
    assert cf.get("key") == b"old"


@pytest.mark.writes
@pytest.mark.parametrize("blocksize", [None, 1000])
def test_what_is_dropped_is_not_published(cf: CloudFiles, blocksize: int | None) -> None:
    file = cf.open("key", "wb", blocksize=blocksize)
    file.write(CONTENT)
    with pytest.warns(ResourceWarning, match="was not closed"):
        del file
    assert cf.get("key") is None


@pytest.mark.writes
def test_creating_only(cf: CloudFiles) -> None:
    late = cf.open("key", "xb")
    with cf.open("key", "x") as file:
        file.write("first")
    with pytest.raises(ExistingObjectError):
        cf.open("key", "xb")
    late.write(b"second")
    with pytest.raises(FileExistsError):
        late.close()
    assert cf.get("key") == b"first"


@pytest.mark.writes
@pytest.mark.parametrize("blocksize", [None, 1000])
def test_appending(cf: CloudFiles, blocksize: int | None) -> None:
    expected = b""
    for part in (b"one\n", CONTENT, b"three\n", b""):
        with cf.open("key", "ab", blocksize=blocksize) as file:
            assert file.tell() == len(expected)
            file.write(part)
        expected += part
        assert cf.get("key") == expected


@pytest.mark.writes
def test_appending_to_a_large_object(cf: CloudFiles) -> None:
    """Where the store can, it copies the object itself."""
    expected = numbered(9_000_000)
    cf.put("key", expected, content_type="text/x-mine")
    for part in (b"short\n", numbered(9_000_000)):
        with cf.open("key", "ab") as file:
            file.write(part)
        expected += part
    assert cf.get("key") == expected
    head = cf.head("key")
    assert head is not None
    if cf.protocol not in ("file", "webhdfs"):
        assert head["Content-Type"] == "text/x-mine"
    if cf.protocol not in ("http", "https"):  # which has no listing here
        assert list(cf.list()) == ["key"]


@pytest.mark.writes
def test_appending_keeps_what_the_object_has(cf: CloudFiles) -> None:
    cf.put("key", b"one\n", content_type="text/x-mine")
    with cf.open("key", "a") as text:
        text.write("two\n")
    assert cf.get("key") == b"one\ntwo\n"
    head = cf.head("key")
    assert head is not None
    if cf.protocol not in ("file", "webhdfs"):  # which have no content types
        assert head["Content-Type"] == "text/x-mine"


@pytest.mark.writes
def test_appending_loses_no_write_of_others(cf: CloudFiles) -> None:
    cf["key"] = b"one\n"
    file = cf.open("key", "ab")
    file.write(b"two\n")
    cf["key"] = b"somebody else's"
    with pytest.raises(PreconditionFailedError):
        file.close()
    assert file.closed
    assert cf.get("key") == b"somebody else's"


@pytest.mark.writes
@pytest.mark.parametrize("blocksize", [None, 1000])
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_encoded_objects(cf: CloudFiles, encoding: str, blocksize: int | None) -> None:
    with cf.open("key", "w", compress=encoding, blocksize=blocksize) as text:
        text.write(TEXT)
    with cf.open("key", "a") as text:
        text.write("the end\n")
    cf.open("key", "ab").close()
    whole = TEXT + "the end\n"
    assert cf.get("key") == whole.encode()
    with cf.open("key", "r") as text:
        assert text.read() == whole
    with cf.open("key") as file:
        assert file.seek(-8, io.SEEK_END) == len(whole.encode()) - 8
        assert file.read() == b"the end\n"
        file.seek(100)
        assert file.read(20) == TEXT.encode()[100:120]
    with cf.open("key", raw=True) as stored:
        assert stored.read() == cf.get("key", raw=True)


@pytest.mark.writes
def test_encoded_bytes_are_written_as_they_are(cf: CloudFiles) -> None:
    with cf.open("key", "wb", compress="gzip", raw=True) as file:
        file.write(gzip.compress(b"content"))
    assert cf.get("key") == b"content"


@pytest.mark.writes
def test_options_of_put(cf: CloudFiles) -> None:
    if cf.protocol in ("file", "https", "http", "webhdfs"):
        pytest.skip("files have no headers; the web server keeps none")
    with cf.open("key", "w", content_type="text/x-mine", cache_control="no-store") as text:
        text.write("x")
    head = cf.head("key")
    assert head is not None
    assert (head["Content-Type"], head["Cache-Control"]) == ("text/x-mine", "no-store")


@pytest.mark.writes
def test_libraries(cf: CloudFiles) -> None:
    """Those of Python that take file objects."""
    with cf.open("a.zip", "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("one", CONTENT)
        archive.writestr("two", b"2")
    with cf.open("a.zip") as file, zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["one", "two"]
        assert archive.read("two") == b"2"
        assert archive.read("one") == CONTENT
    with cf.open("a.tar.gz", "wb") as file, tarfile.open(fileobj=file, mode="w|gz") as tar:
        entry = tarfile.TarInfo("one")
        entry.size = len(CONTENT)
        tar.addfile(entry, io.BytesIO(CONTENT))
    with cf.open("a.tar.gz", raw=True) as file, tarfile.open(fileobj=file, mode="r:gz") as tar:
        found = tar.extractfile("one")
        assert found is not None
        assert found.read() == CONTENT
    with cf.open("a.csv", "w", newline="") as text:
        csv.writer(text).writerows([["a", "b"], ["1", "two\nlines"]])
    with cf.open("a.csv", "r", newline="") as text:
        assert list(csv.reader(text)) == [["a", "b"], ["1", "two\nlines"]]
    with cf.open("a.pickle", "wb") as file:
        pickle.dump({"key": CONTENT}, file)
    with cf.open("a.pickle") as file:
        assert pickle.load(file) == {"key": CONTENT}
    with cf.open("a.zip") as file, cf.open("b.zip", "wb") as other:
        shutil.copyfileobj(file, other)
    assert cf.get("a.zip") == cf.get("b.zip")


def test_an_object_that_is_replaced_is_never_mixed(seeded: CloudFiles, store: StoreUnderTest) -> None:
    with seeded.open("dir/key", blocksize=1000) as file:
        first = file.read(1000)
        store.seed({"dir/key": CONTENT[::-1] + b"of another size, as nginx has ETags of seconds and sizes"})
        if not isinstance(file, ObjectReader):
            return  # one request, of the old object
        with pytest.raises(Exception, match=r"replaced|changed"):
            file.read()
        assert first == CONTENT[:1000]


def test_what_is_closed(seeded: CloudFiles) -> None:
    file: Any = seeded.open("dir/key")
    file.read(10)
    file.close()
    file.close()
    for call in (file.read, file.readline, file.tell, file.readable, lambda: file.seek(0), lambda: file.readinto(b"")):
        with pytest.raises(ValueError, match="closed"):
            call()
