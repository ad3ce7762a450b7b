"""Copies between every two kinds of store: what arrives, by which way, and what is carried along."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest

from cloudfiles import CloudFile, CloudFiles
from cloudfiles.exceptions import (
    CloudFilesError,
    DuplicatePathError,
    InvalidInputError,
    MissingObjectError,
    UnsupportedOperationError,
)
from cloudfiles.testing import Rule, S3Server, SetHeader, error_in_200, s3_error
from tests.contents import numbered
from tests.internals import PART, Replace
from tests.transfer.conftest import MIB, Make

pytestmark = pytest.mark.one_runtime

KINDS = ("mem", "file", "s3")
BIG = numbered(PART * 5 // 2)  # three parts
CONTENTS = {"a": b"first", "dir/b c+%": b"second" * 1000, "empty": b"", "ümlaut/ß": b"\0\xff"}
PAIRS = [(source, target) for source in (*KINDS, "web") for target in (*KINDS, "web")]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_everything_arrives(store: Make, source: str, target: str) -> None:
    ours, theirs = store(source), store(target)
    ours.puts(list(CONTENTS.items()))
    done = ours.transfer_to(theirs, list(CONTENTS))
    assert (done.copied, done.missing, done.skipped, bool(done)) == (4, 0, 0, True)
    told = (source, target) != ("s3", "s3")  # a copy's answer does not tell the size
    assert done.bytes == (sum(map(len, CONTENTS.values())) if told else 0)
    assert {key: theirs.get(key) for key in CONTENTS} == CONTENTS
    way = "copy" if source == target and source != "web" else "whole"
    assert done.ways == {way: 4}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_large_objects_arrive(store: Make, source: str, target: str) -> None:
    large_object_arrives(store, source, target, BIG)


def large_object_arrives(store: Make, source: str, target: str, content: bytes) -> None:
    ours, theirs = store(source), store(target)
    ours.put("big", content)
    done = ours.transfer_to(theirs, "big")
    assert theirs.get("big") == content
    way = "copy" if source == target and source != "web" else "parts" if target in ("file", "s3") else "spool"
    assert list(done.ways) in ([way], ["spool"] if source == "web" else [way])
    assert done.unverified == (source == "web")


@pytest.mark.real_parts
@pytest.mark.parametrize(("source", "target"), [
    pytest.param(*pair, marks=[] if pair in (("file", "s3"), ("s3", "file")) else pytest.mark.full) for pair in PAIRS])
def test_large_objects_arrive_in_parts_of_the_real_size(store: Make, source: str, target: str) -> None:
    large_object_arrives(store, source, target, numbered(20 << 20))


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
def test_stored_bytes_and_encoding_go_untouched(store: Make, source: str, target: str) -> None:
    ours, theirs = store(source), store(target)
    ours.put("doc", b"text" * 1000, compress="gzip")
    stored = ours.get("doc", raw=True)
    ours.transfer_to(theirs)
    assert theirs.get("doc", raw=True) == stored
    assert theirs.get("doc") == b"text" * 1000
    assert theirs.head("doc")["Content-Encoding"] == "gzip"


@pytest.mark.parametrize(("source", "target"), [("mem", "s3"), ("s3", "mem"), ("s3", "s3"), ("mem", "mem")])
@pytest.mark.parametrize("size", [10, len(BIG)])
def test_attributes_are_copied(store: Make, source: str, target: str, size: int) -> None:
    ours, theirs = store(source), store(target)
    ours.put("k", BIG[:size], content_type="text/x-special", cache_control="no-store", metadata={"who": "me"})
    ours.transfer_to(theirs)
    head = theirs.head("k")
    assert (head["Content-Type"], head["Cache-Control"]) == ("text/x-special", "no-store")
    described = theirs._store.here().describe("k")
    assert described is not None
    assert theirs._store.here().write_options(described).metadata == {"who": "me"}


def test_disposition_and_language_are_copied(server: S3Server, s3: CloudFiles, mem: CloudFiles) -> None:
    headers = {"content-disposition": "attachment", "content-language": "de"}
    server.put("k", b"x", headers=headers)
    mem.transfer_from(s3, "k")
    s3.transfer_from(mem, [("k", "back")])
    stored = server.get("back")
    assert stored is not None
    assert headers.items() <= stored.headers.items()


def test_metadata_is_left_out_where_a_web_server_is_written_to(store: Make) -> None:
    ours, theirs = store("s3"), store("web")
    ours.put("k", b"content", content_type="text/x-special", metadata={"who": "me"})
    assert ours.transfer_to(theirs).copied == 1
    assert theirs.get("k") == b"content"
    assert theirs.head("k")["Content-Type"] == "text/x-special"
    with pytest.raises(UnsupportedOperationError, match="metadata"):
        theirs.put("k", b"other", metadata={"who": "me"})
    assert theirs.get("k") == b"content"


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_content_type_is_replaced_where_asked_and_the_rest_stays(store: Make, source: str, target: str) -> None:
    ours, theirs = store(source), store(target)
    ours.put("k", b"x", content_type="text/a", cache_control="no-cache", metadata={"a": "b"})
    ours.transfer_to(theirs, "k", content_type="text/b")
    head = theirs.head("k")
    if target != "file":
        assert head["Content-Type"] == "text/b"
    if "file" not in (source, target):
        assert head["Cache-Control"] == "no-cache"


def test_files_get_the_type_that_their_name_suggests(store: Make) -> None:
    ours, theirs = store("file"), store("s3")
    ours.puts([("a.json", b"{}"), ("b", b"x")])
    ours.transfer_to(theirs)
    assert theirs.head("a.json")["Content-Type"] == "application/json"
    assert theirs.head("b")["Content-Type"] == "application/octet-stream"


# ---- encoded anew


@pytest.mark.parametrize("size", [1000, len(BIG)])
@pytest.mark.parametrize("target", KINDS)
def test_reencode(store: Make, target: str, size: int) -> None:
    ours, theirs = store("s3"), store(target)
    ours.put("k", BIG[:size], compress="gzip")
    ours.transfer_to(theirs, reencode="br" if size < MIB else "zstd")
    assert theirs.get("k") == BIG[:size]
    assert theirs.head("k")["Content-Encoding"] == ("br" if size < MIB else "zstd")
    ours.transfer_to(theirs, [("k", "plain")], reencode=False)
    assert theirs.get("plain", raw=True) == BIG[:size]


def test_reencode_leaves_alone_what_is_so_encoded(store: Make) -> None:
    ours, theirs = store("mem"), store("s3")
    stored = gzip.compress(b"x" * 100, 9, mtime=5)
    ours.put("k", stored, compress="gzip", raw=True)
    ours.transfer_to(theirs, reencode="gzip")
    assert theirs.get("k", raw=True) == stored


# ---- paths


def test_paths_of_every_form(mem: CloudFiles, store: Make) -> None:
    mem.puts([(key, key.encode()) for key in "abcd"])
    other = store("mem")
    other.transfer_from(mem, (path for path in ["a", {"path": "b", "dest_path": "x/b"}, {"path": "c"}, ("d", "y")]))
    assert {key: other.get(key) for key in other.list()} == {"a": b"a", "x/b": b"b", "c": b"c", "y": b"d"}


@pytest.mark.parametrize("paths", [3, [3], [("a", 3)], [{"dest_path": "a"}], b"a", [("a", "b", "c")]])
def test_what_is_no_path(mem: CloudFiles, store: Make, paths: Any) -> None:
    with pytest.raises(InvalidInputError):
        mem.transfer_to(store("mem"), paths)


def test_two_objects_for_one_target(mem: CloudFiles, disk: CloudFiles) -> None:
    mem.puts([("a", b"1"), ("b", b"2")])
    with pytest.raises(DuplicatePathError, match="nothing was transferred"):
        mem.transfer_to(disk, [("a", "x"), ("b", "x")])
    assert list(disk.list()) == []


def test_destination_as_a_cloudpath(mem: CloudFiles, disk: CloudFiles) -> None:
    mem.put("a", b"1")
    mem.transfer_to(disk.cloudpath)
    assert disk.get("a") == b"1"


def test_assignment_of_everything(mem: CloudFiles, disk: CloudFiles) -> None:
    mem.puts(list(CONTENTS.items()))
    disk[:] = mem
    assert sorted(disk.list()) == sorted(CONTENTS)


def test_one_object(mem: CloudFiles, disk: CloudFiles) -> None:
    mem.put("dir/a", b"1" * 100, compress="gzip")
    one = CloudFile(mem.abspath("dir/a"))
    one.transfer_to(disk.abspath("b"))
    one.transfer_to(disk.abspath("plain"), reencode="")
    assert (disk.get("b"), disk.head("b")["Content-Encoding"]) == (b"1" * 100, "gzip")
    assert disk.head("plain")["Content-Encoding"] is None
    CloudFile(mem.abspath("c")).transfer_from(disk.abspath("b"))
    assert mem.get("c") == b"1" * 100


# ---- missing, and errors kept


@pytest.mark.parametrize("source", [*KINDS, "web"])
@pytest.mark.parametrize("target", KINDS)
def test_missing(store: Make, source: str, target: str) -> None:
    ours, theirs = store(source), store(target)
    ours.put("there", b"1")
    with pytest.raises(MissingObjectError, match="absent") as caught:
        ours.transfer_to(theirs, ["absent"])
    assert isinstance(caught.value, FileNotFoundError)
    done = ours.transfer_to(theirs, ["absent", "there"], allow_missing=True)
    assert (done.copied, done.missing) == (1, 1)
    assert theirs.exists("absent") is False


def test_an_error_says_what_was_done(server: S3Server, s3: CloudFiles, mem: CloudFiles) -> None:
    server.put_many({f"{n:02}": b"x" for n in range(10)})
    server.script(Rule(s3_error(403, "AccessDenied"), key="07", times=None))
    s3._store.width = 1
    with pytest.raises(CloudFilesError, match="7 objects were transferred completely before") as caught:
        s3.transfer_to(mem, [f"{n:02}" for n in range(10)])
    assert caught.value.result.copied == 7  # type: ignore[attr-defined]
    assert caught.value.path == "07"
    assert len(list(mem.list())) == 7


def test_errors_kept(server: S3Server, s3: CloudFiles, mem: CloudFiles) -> None:
    server.put_many({f"{n:02}": b"x" for n in range(10)})
    server.script(Rule(s3_error(403, "AccessDenied"), key="07", times=None))
    done = s3.transfer_to(mem, raise_errors=False)
    assert (done.copied, list(done.errors), bool(done)) == (9, ["07"], False)


def test_resumable_passes_over_what_is_there(server: S3Server, s3: CloudFiles, disk: CloudFiles) -> None:
    disk.puts([(f"{n}", b"x" * n) for n in range(20)])
    disk.transfer_to(s3, [str(n) for n in range(10)])
    done = disk.transfer_to(s3, resumable=True)
    assert (done.copied, done.skipped) == (10, 10)
    server.put("5", b"y" * 5)  # as large, and another content
    done = disk.transfer_to(s3, resumable=True)
    assert done.copied + done.skipped == 20


def test_live_objects_stay_in_memory(mem: CloudFiles, store: Make, disk: CloudFiles) -> None:
    thing = {1, 2}
    mem.put("live", thing, raw=True)
    other = store("mem")
    mem.transfer_to(other)
    assert other.get("live", raw=True) is thing
    with pytest.raises(InvalidInputError, match="set"):
        mem.transfer_to(disk)


def test_any_number_of_paths_from_an_iterator(mem: CloudFiles, store: Make) -> None:
    mem.puts([(str(n), b"x") for n in range(100)])
    other = store("mem")
    assert mem.transfer_to(other, iter([str(n) for n in range(100)])).copied == 100


# ---- copies inside S3


def test_copy_inside_s3_sends_no_content(server: S3Server, s3: CloudFiles) -> None:
    server.put("a b+ü", b"content", headers={"content-type": "text/x", "x-amz-meta-k": "v"})
    server.forget()
    s3.transfer_to(s3, [("a b+ü", "c")])
    assert [r.method for r in server.requests()] == ["PUT"]
    stored = server.get("c")
    assert stored is not None
    assert (stored.content, stored.headers) == (b"content", {"content-type": "text/x", "x-amz-meta-k": "v"})


def test_an_error_inside_a_200_is_seen(server: S3Server, s3: CloudFiles) -> None:
    server.put("a", b"content")
    server.script(Rule(error_in_200(), method="PUT", times=1))
    s3.transfer_to(s3, [("a", "b")])
    assert server.contents()["b"] == b"content"
    server.script(Rule(error_in_200("AccessDenied"), method="PUT", key="c", times=1))
    assert s3.transfer_to(s3, [("a", "c")]).ways == {"whole": 1}


@pytest.mark.parametrize("fault", [s3_error(501, "NotImplemented"), s3_error(405, "MethodNotAllowed")])
def test_a_server_that_cannot_copy_is_read_and_written(server: S3Server, s3: CloudFiles, fault: Any) -> None:
    server.put("a", b"content", headers={"x-amz-meta-k": "v"})
    server.script(Rule(fault, method="PUT", times=1))
    assert s3.transfer_to(s3, [("a", "b")]).ways == {"whole": 1}
    stored = server.get("b")
    assert stored is not None
    assert stored.headers["x-amz-meta-k"] == "v"


def test_a_server_that_takes_a_copy_for_a_write_of_nothing(server: S3Server, s3: CloudFiles) -> None:
    server.put("a", b"content")
    server.script(Rule(SetHeader("Content-Length", "0"), method="PUT", times=1))
    assert s3.transfer_to(s3, [("a", "b")]).copied == 1
    assert server.contents()["b"] == b"content"


def test_another_account_is_no_copy(server: S3Server, s3: CloudFiles) -> None:
    server.put("a", b"content")
    other = CloudFiles(f"s3://{server.bucket}/x/", endpoint=server.url,
                       secrets={**server.secrets, "AWS_SESSION_TOKEN": "t"})
    assert not other._store.here().can_copy_from(s3._store.here())


def test_multipart_copy(moto_s3: Any, internals: Replace) -> None:
    content = numbered(20 << 20)  # three parts
    internals(s3_copy_at_once=8 * MIB, s3_copy_part=8 * MIB)
    bucket = moto_s3.make_bucket()
    cf = CloudFiles(f"s3://{bucket}/", endpoint=moto_s3.url, secrets=moto_s3.secrets)
    cf.put("a", content, content_type="text/x", metadata={"k": "v"})
    done = cf.transfer_to(f"s3://{bucket}/copies/")
    assert (done.ways, done.bytes) == ({"copy": 1}, len(content))
    assert cf.get("copies/a") == content
    head = cf.head("copies/a")
    assert head["Content-Type"] == "text/x"
    assert head["ETag"].endswith('-3"')
    client = moto_s3.client()
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
    assert client.head_object(Bucket=bucket, Key="copies/a")["Metadata"] == {"k": "v"}
    client.close()


def test_rclone_copies_too(rclone_s3: Any) -> None:
    bucket = rclone_s3.make_bucket()
    cf = CloudFiles(f"s3://{bucket}/", endpoint=rclone_s3.url, secrets=rclone_s3.secrets)
    cf.put("a", b"content")
    cf.transfer_to(f"s3://{bucket}/b/", ["a"])
    assert cf.get("b/a") == b"content"


# ---- inside the kernel


@pytest.mark.parametrize("refused", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 3 * MIB + 7])
def test_every_way_to_copy_a_file(disk: CloudFiles, monkeypatch: pytest.MonkeyPatch, refused: int, size: int) -> None:
    from cloudfiles.interfaces.file import kernel_copy

    monkeypatch.setattr(kernel_copy, "_METHODS", kernel_copy._METHODS[refused:])
    disk.put("a", BIG[:size])
    disk.transfer_to(disk, [("a", "dir/b")])
    assert disk.get("dir/b") == BIG[:size]
    assert sorted(disk.list()) == ["a", "dir/b"]


def test_a_copy_under_another_encoding_replaces_the_old_one(store: Make) -> None:
    ours, theirs = store("file"), store("file")
    ours.put("a", b"new", compress="gzip")
    theirs.put("a", b"old")
    ours.transfer_to(theirs)
    assert theirs.get("a") == b"new"
    assert list(theirs.list()) == ["a"]
    assert theirs.get("a.gz", raw=True) == ours.get("a", raw=True)


def test_puts_of_open_files_still_go(s3: CloudFiles) -> None:
    s3.put("f", io.BytesIO(b"x" * 100))
    assert s3.get("f") == b"x" * 100
