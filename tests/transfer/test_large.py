"""Large objects in parts: of one state of the source, in bounded memory, gone on with, and cleared up after."""

from __future__ import annotations

import hashlib
import itertools
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles import CloudFiles, crc, integrity
from cloudfiles.exceptions import (
    CloudFilesError,
    IntegrityError,
    MD5IntegrityError,
    MissingObjectError,
    ObjectChangedError,
)
from cloudfiles.integrity import Digest
from cloudfiles.testing import FlipBit, IgnoreRange, Replaced, ResetInBody, Rule, S3Server, error_in_200, s3_error
from cloudfiles.testing.s3_objects import make_object
from cloudfiles.transfer import multipart_copy
from cloudfiles.transfer.checksum import ObjectChecksum
from cloudfiles.transfer.copier import Copier
from cloudfiles.transfer.items import Item
from cloudfiles.transport import body_memory
from cloudfiles.transport.concurrency import adaptive_width
from cloudfiles.types import WriteOptions
from tests.contents import numbered
from tests.internals import PART, Replace
from tests.transfer.conftest import tree

pytestmark = pytest.mark.one_runtime

BIG = numbered(PART * 5 // 2)  # three parts
OTHER = numbered(len(BIG), 1 << 30)


# ---- the digest of the whole


@given(st.sampled_from(["crc32", "crc32c", "crc64nvme"]), st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_crcs_of_parts_make_the_crc_of_the_whole(algorithm: str, content: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    parts = [content[a:b] for a, b in itertools.pairwise(places)]
    combined = crc.combine(algorithm, ((_digest(algorithm, part), len(part)) for part in parts))
    assert combined == _digest(algorithm, content)


def _digest(algorithm: str, content: bytes) -> bytes:
    hasher = integrity.hasher(algorithm)
    hasher.update(content)
    return hasher.digest()


@given(st.sampled_from(["crc32", "crc32c", "md5", "sha256"]), st.binary(min_size=1, max_size=200), st.integers(1, 50),
       st.randoms(use_true_random=False), st.booleans())
def test_parts_in_any_order(algorithm: str, content: bytes, size: int, order: random.Random, damaged: bool) -> None:
    digest = Digest(algorithm, _digest(algorithm, content))
    whole = ObjectChecksum([digest], None, len(content), size, None)
    starts = list(range(0, len(content), size))
    order.shuffle(starts)
    for start in starts:
        part = content[start:start + size]
        whole.add(start, bytes([part[0] ^ 1]) + part[1:] if damaged and start == 0 else part)
    if damaged:
        with pytest.raises(IntegrityError):
            whole.check("key")
    else:
        assert whole.check("key") == algorithm


def test_the_etag_of_parts_identifies_content_uploaded_by_us() -> None:
    content, size = BIG[:100], 40
    etag = integrity.multipart_etag(content, size)
    for given_etag, answer in ((etag, "md5"), (etag[:-1] + "4", ""), (etag.replace(etag[0], "0"), ""), (None, "")):
        whole = ObjectChecksum([], given_etag, 100, size, None)
        for start in (80, 0, 40):
            whole.add(start, content[start:start + size])
        assert whole.check("key") == (answer if given_etag != etag or answer else "md5")


# ---- down


def test_the_parts_are_ranges_and_the_digest_is_checked(server: S3Server, s3: CloudFiles, disk: CloudFiles) -> None:
    server.put("big", BIG, checksums=["crc32"])
    done = s3.transfer_to(disk, "big")
    assert disk.get("big") == BIG
    assert (done.ways, done.unverified) == ({"parts": 1}, 0)
    ranges = {r.header("range") for r in server.requests("GET") if r.header("range")}
    assert ranges == {f"bytes={a}-{min(a + PART, len(BIG)) - 1}" for a in range(0, len(BIG), PART)}


@pytest.mark.parametrize("checksums", [(), ("crc32",), ("crc32c",)])
def test_a_damaged_part_is_found_out(server: S3Server, s3: CloudFiles, disk: CloudFiles, tmp_path: Path,
                                     checksums: Any) -> None:
    server.put("big", BIG, checksums=checksums)
    server.script(Rule(FlipBit(5), method="GET", skip=2, times=1))
    with pytest.raises(IntegrityError):
        s3.transfer_to(disk, "big")
    assert tree(tmp_path) == {}


def test_breaks_inside_parts_are_repaired(server: S3Server, s3: CloudFiles, disk: CloudFiles) -> None:
    server.put("big", BIG)
    server.script(Rule(ResetInBody(), method="GET", skip=1, times=3))
    s3.transfer_to(disk, "big")
    assert disk.get("big") == BIG


@pytest.mark.parametrize("target", ["file", "s3"])
def test_a_source_replaced_meanwhile_is_read_again(server: S3Server, s3: CloudFiles, store: Any,
                                                   target: str) -> None:
    server.put("big", BIG)
    server.script(Rule(Replaced(make_object(OTHER)), method="GET", key="big", skip=1, times=1))
    other = store("s3") if target == "s3" else store("file")
    if target == "s3":  # another account, so that it is read and not copied
        other._store.options.secrets["AWS_SESSION_TOKEN"] = ""
        s3_at_other = CloudFiles(f"s3://{server.bucket}/", endpoint=server.url.replace("127.0.0.1", "localhost"),
                                 secrets=server.secrets)
        s3_at_other.transfer_to(other, "big")
    else:
        s3.transfer_to(other, "big")
    assert other.get("big") == OTHER
    assert server.uploads() == []


def test_a_source_replaced_again_and_again(server: S3Server, s3: CloudFiles, disk: CloudFiles,
                                           tmp_path: Path) -> None:
    server.put("big", BIG)
    disk.put("big", b"old")
    states = [make_object(bytes([n]) * len(BIG)) for n in range(12)]  # another one after each read of a part
    server.script(*(Rule(Replaced(state), method="GET", key="big", skip=1) for state in states))
    with pytest.raises(ObjectChangedError, match="target is unchanged"):
        s3.transfer_to(disk, "big")
    assert tree(tmp_path) == {"disk/big": b"old"}


def test_a_source_removed_meanwhile(server: S3Server, s3: CloudFiles, disk: CloudFiles, tmp_path: Path) -> None:
    server.put("big", BIG)
    server.script(Rule(s3_error(404, "NoSuchKey"), method="GET", key="big", skip=2, times=None),
                  Rule(s3_error(404, "NoSuchKey"), method="HEAD", key="big", skip=1, times=None))
    with pytest.raises(MissingObjectError, match="removed while it was being read"):
        s3.transfer_to(disk, "big")
    assert tree(tmp_path) == {}


def test_a_web_server_without_ranges(server: S3Server, disk: CloudFiles, store: Any) -> None:
    server.put_page("site/big", BIG, checksums=["crc32"])
    server.script(Rule(IgnoreRange(), times=None))
    web = CloudFiles(f"{server.url}/site/")
    server.forget()
    assert web.transfer_to(disk, "big").ways["spool"] + web.transfer_to(disk, "big").ways["parts"] >= 1
    assert disk.get("big") == BIG


# ---- up


def test_up_in_parts(server: S3Server, s3: CloudFiles, disk: CloudFiles) -> None:
    disk.put("big", BIG)
    disk.transfer_to(s3, "big")
    stored = server.get("big")
    assert stored is not None
    assert stored.content == BIG
    parts = [hashlib.md5(BIG[at:at + PART]).digest() for at in range(0, len(BIG), PART)]
    assert stored.etag == hashlib.md5(b"".join(parts)).hexdigest() + "-3"


def test_a_part_refused_leaves_no_upload(server: S3Server, s3: CloudFiles, disk: CloudFiles) -> None:
    disk.put("big", BIG)
    server.put("big", b"old")
    server.script(Rule(s3_error(403, "AccessDenied"), method="PUT", query="partNumber=2", times=None))
    with pytest.raises(CloudFilesError, match="AccessDenied"):
        disk.transfer_to(s3, "big")
    assert server.uploads() == []
    assert server.contents() == {"big": b"old"}


def test_a_file_written_to_while_it_is_read(server: S3Server, s3: CloudFiles, disk: CloudFiles, tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch, internals: Replace) -> None:
    disk.put("big", BIG)
    internals(parts_memory=1, fewest_parts=1)
    part = multipart_copy.MultipartCopy._part
    changes = iter([OTHER])

    def change_once(self: Any, start: int, end: int) -> bytes:
        content = part(self, start, end)
        for other in changes:
            (tmp_path / "disk" / "big").write_bytes(other)
        return content

    monkeypatch.setattr(multipart_copy.MultipartCopy, "_part", change_once)
    disk.transfer_to(s3, "big")
    assert server.contents()["big"] == OTHER
    assert server.uploads() == []


def test_the_crc_of_aws_is_that_of_the_whole(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudfiles.interfaces.s3.endpoint import Endpoint

    monkeypatch.setattr(Endpoint, "is_aws", True)
    s3 = CloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets)
    interface = s3._store.here()
    writer = interface.open_writer("big", len(BIG), WriteOptions())
    assert writer is not None
    for start in (2 * PART, 0, PART):
        writer.write(start, BIG[start:start + writer.part_size])
    writer.finish()
    stored = server.get("big")
    assert stored is not None
    assert stored.content == BIG
    assert stored.checksums["crc32"] == integrity.checksum_header("crc32", BIG)[1]
    assert zlib.crc32(BIG).to_bytes(4, "big") == integrity.digests_from_headers(
        {"x-amz-checksum-crc32": stored.checksums["crc32"]})[0].value


# ---- going on


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_another_process_resumes_with_the_parts(server: S3Server, store: Any, kind: str) -> None:
    cf = store(kind)
    first = cf._store.here().open_writer("dir/big", len(BIG), WriteOptions())
    first.write(PART, BIG[PART:2 * PART])
    state = first.state()
    second = store_again(cf)._store.here().open_writer("dir/big", len(BIG), WriteOptions(), state)
    assert second is not None
    assert second.written() == {PART}
    second.write(0, BIG[:PART])
    second.write(2 * PART, BIG[2 * PART:])
    assert cf.exists("dir/big") is False
    second.finish()
    assert cf.get("dir/big") == BIG
    assert server.uploads() == []


def test_an_error_in_the_list_of_parts_is_no_empty_list(server: S3Server, store: Any) -> None:
    interface = store("s3")._store.here()
    first = interface.open_writer("big", len(BIG), WriteOptions())
    first.write(PART, BIG[PART:2 * PART])
    server.script(Rule(error_in_200(), method="GET"))
    second = interface.open_writer("big", len(BIG), WriteOptions(), first.state())
    assert second.written() == {PART}
    second.abort()


def store_again(cf: CloudFiles) -> CloudFiles:
    import pickle

    again: CloudFiles = pickle.loads(pickle.dumps(cf))
    return again


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_what_is_gone_is_started_again(server: S3Server, store: Any, kind: str) -> None:
    interface = store(kind)._store.here()
    first = interface.open_writer("big", len(BIG), WriteOptions())
    first.write(0, BIG[:PART])
    state = first.state()
    first.abort()
    for stale in (state, {}, {"part_size": 1}):
        second = interface.open_writer("big", len(BIG), WriteOptions(), stale)
        assert second.written() == frozenset()
        second.abort()


def test_what_interrupted_writes_leave_is_discarded(server: S3Server, store: Any, tmp_path: Path) -> None:
    s3, disk = store("s3"), store("file")
    for cf in (s3, disk):
        for key in ("dir/big", "other/big"):
            cf._store.here().open_writer(key, len(BIG), WriteOptions()).write(0, BIG[:PART])
        assert cf.discard_partial("dir/", older_than=-60) == 1
        assert cf.discard_partial(older_than=-60) == 1
        assert cf.discard_partial(older_than=-60) == 0
    assert server.uploads() == []
    assert tree(tmp_path) == {}


def test_young_files_are_left_alone(store: Any) -> None:
    disk = store("file")
    writer = disk._store.here().open_writer("big", 10, WriteOptions())
    assert disk.discard_partial() == 0
    writer.write(0, b"0123456789")
    writer.finish()
    assert disk.get("big") == b"0123456789"


@pytest.mark.parametrize("listed", [True, False])
def test_few_whole_objects_are_in_memory(server: S3Server, s3: CloudFiles, disk: CloudFiles, listed: bool,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects that are copied through memory share a budget, whether their sizes are known or only expected."""
    monkeypatch.setattr(body_memory.process_copy_memory, "_limit", 4 << 20)
    server.put_many({f"{n:03}": bytes(1 << 20) for n in range(60)})
    now, highest, copy_whole = [0], [0], Copier._copy_whole

    def counted(self: Copier, item: Item) -> Any:
        now[0] += 1
        if listed or copied[0] > 40:
            highest[0] = max(highest[0], now[0])
        try:
            return copy_whole(self, item)
        finally:
            now[0] -= 1
            copied[0] += 1

    copied = [0]
    monkeypatch.setattr(Copier, "_copy_whole", counted)
    disk.transfer_from(s3, None if listed else [f"{n:03}" for n in range(60)])
    assert len(list(disk.list())) == 60
    assert 1 <= highest[0] <= (4 if listed else 6)


def test_few_parts_are_in_memory() -> None:
    for size in (8 << 20, 16 << 20, 64 << 20):
        for objects in (1, 2, 4):
            held = objects * adaptive_width.parts_at_once(size, objects) * size
            assert held <= max(128 << 20, 2 * objects * size)


def test_md5_of_the_whole(server: S3Server, s3: CloudFiles, disk: CloudFiles, tmp_path: Path) -> None:
    server.put("big", BIG, etag=hashlib.md5(OTHER).hexdigest())
    with pytest.raises(MD5IntegrityError):
        s3.transfer_to(disk, "big")
    assert tree(tmp_path) == {}
