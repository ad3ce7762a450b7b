"""Large objects that are written to files as they arrive: interruptions, replacements and wrong responses in a part."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import CloudFilesError, FileSystemError, IntegrityError
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.file.file_part_writer import FilePartWriter
from cloudfiles.testing import (
    Chunked,
    Fault,
    FlipBit,
    IgnoreRange,
    RangeAs200,
    Replaced,
    ResetInBody,
    S3Server,
    SetHeader,
    ShortBody,
    WrongContentRange,
    internal_error,
)
from cloudfiles.testing.s3_objects import make_object
from tests.internals import PART, Replace
from tests.servers.lies import IgnoreConditions, ShortThenReplaced

pytestmark = pytest.mark.one_runtime

OLD, NEW = (random.Random(seed).randbytes(3 * PART + 12_345) for seed in (1, 2))
CUT = PART // 3


@pytest.fixture(autouse=True)
def _impatient(internals: Replace) -> None:
    internals(retry_delay=lambda *_, **__: 0.0, retry_allows=lambda self, failures, *_: failures < 5)


@pytest.fixture
def source(server: S3Server) -> CloudFiles:
    server.configure(secret_key=None)  # signatures would not match if it does not look at a header
    server.put("big", OLD, etag="opaque", checksums=["crc64nvme"])  # an md5 has to be computed in order
    return CloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets)


def ranges(server: S3Server) -> list[str]:
    return sorted(dict(request.headers).get("range", "") for request in server.requests("GET", "big"))


def names(disk: CloudFiles) -> list[str]:
    directory = Path(disk.cloudpath.removeprefix("file://"))
    return sorted(os.listdir(directory)) if directory.exists() else []


def content(disk: CloudFiles) -> bytes | None:
    found: bytes | None = disk.get("big")
    return found


def test_parts_are_not_read_into_memory(source: CloudFiles, disk: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Interface, "get_part")
    source.transfer_to(disk, ["big"])
    assert content(disk) == OLD


@pytest.mark.parametrize("threads", [0, 1, None])
@pytest.mark.parametrize("fault", [ResetInBody(CUT), ShortBody(CUT), ShortBody(0), ShortBody(PART - 1)])
def test_an_interrupted_part_is_resumed_where_it_was(server: S3Server, source: CloudFiles, disk: CloudFiles,
                                                     fault: Any, threads: int | None) -> None:
    source = CloudFiles(source.cloudpath, endpoint=server.url, secrets=server.secrets, num_threads=threads)
    server.fail(fault, method="GET", skip=2)  # not the first request, which finds that the object is large
    source.transfer_to(disk, ["big"])
    assert content(disk) == OLD
    resumed = [text for text in ranges(server) if int((text or "=0-").split("=")[1].split("-")[0]) % PART]
    if fault == ResetInBody(CUT):
        assert len(resumed) <= 1  # a reset may discard all that has arrived
    else:
        assert len(resumed) == (fault.after > 0)


def test_a_part_that_breaks_off_again_and_again_is_resumed(server: S3Server, source: CloudFiles, disk: CloudFiles
                                                           ) -> None:
    source = CloudFiles(source.cloudpath, endpoint=server.url, secrets=server.secrets, num_threads=1)  # one part's
    for _ in range(10):  # more than failures in a row are allowed
        server.fail(ShortBody(PART // 20), method="GET", skip=2)
    source.transfer_to(disk, ["big"])
    assert content(disk) == OLD


@pytest.mark.parametrize("ignores_conditions", [False, True])
def test_an_object_that_is_replaced_within_a_part_is_read_anew(server: S3Server, source: CloudFiles, disk: CloudFiles,
                                                               ignores_conditions: bool) -> None:
    server.fail(ShortThenReplaced(CUT, NEW), method="GET", skip=2)
    if ignores_conditions:
        server.fail(IgnoreConditions(), method="GET", times=None)
    source.transfer_to(disk, ["big"])
    assert content(disk) == NEW


@pytest.mark.parametrize("fault", [
    IgnoreRange(), RangeAs200(), Chunked((4096,)), internal_error(), SetHeader("ETag", '"other"'),
    SetHeader("ETag", None),
    SetHeader("ETag", 'W/"weak"'), WrongContentRange(), WrongContentRange(f"bytes 5-{PART + 4}/{len(OLD)}"),
    WrongContentRange(f"bytes 0-{PART // 2 - 1}/{len(OLD)}"), WrongContentRange("bytes 0-0/1"), WrongContentRange("x")],
    ids=str)
@pytest.mark.parametrize("after", [None, CUT])
@pytest.mark.parametrize("times", [1, None])
def test_wrong_responses(server: S3Server, source: CloudFiles, disk: CloudFiles, fault: Fault, after: int | None,
                         times: int | None) -> None:
    """To a part, or to the rest of it: the file is right, or there is none."""
    if after is not None:
        server.fail(ShortBody(after), method="GET", skip=2)
    server.fail(fault, method="GET", skip=2, times=times)
    try:
        source.transfer_to(disk, ["big"])
    except CloudFilesError:
        assert names(disk) == []
        assert times is None or isinstance(fault, WrongContentRange)
    else:
        assert content(disk) == OLD
        assert names(disk) == ["big"]


@pytest.mark.parametrize("checksum", ["crc64nvme", "crc32c", "crc32"])
def test_damage_on_the_way_is_detected(server: S3Server, source: CloudFiles, disk: CloudFiles, checksum: str) -> None:
    server.put("big", OLD, etag="opaque", checksums=[checksum])
    assert source.transfer_to(disk, ["big"]).unverified == 0
    assert content(disk) == OLD
    disk.delete("big")
    server.fail(ShortBody(CUT), method="GET", skip=1)
    server.fail(FlipBit(77), method="GET", skip=1)
    with pytest.raises(IntegrityError):
        source.transfer_to(disk, ["big"])
    assert names(disk) == []


def test_a_full_disk(source: CloudFiles, disk: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    disk["big"] = b"old"
    write_piece = FilePartWriter.write_piece

    def fail(writer: FilePartWriter, at: int, piece: bytes | memoryview) -> None:
        if at > PART + CUT:
            with writer._errors:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_piece(writer, at, piece)

    monkeypatch.setattr(FilePartWriter, "write_piece", fail)
    with pytest.raises(FileSystemError) as caught:
        source.transfer_to(disk, ["big"])
    assert caught.value.errno == errno.ENOSPC
    assert names(disk) == ["big"]
    assert content(disk) == b"old"


def test_a_resumable_transfer_knows_the_parts_that_were_streamed(server: S3Server, source: CloudFiles, disk: CloudFiles
                                                                 ) -> None:
    server.fail(internal_error(), method="GET", skip=4, times=None)
    source = CloudFiles(source.cloudpath, endpoint=server.url, secrets=server.secrets, num_threads=1)
    with pytest.raises(CloudFilesError):
        source.transfer_to(disk, ["big"], resumable=True)
    server.script()
    server.forget()
    source.transfer_to(disk, ["big"], resumable=True)
    assert content(disk) == OLD
    assert len(ranges(server)) < 4 + 1


@pytest.mark.parametrize("checksums", [["crc32c"], []])
def test_an_object_that_was_found_to_be_large_is_described_once(server: S3Server, source: CloudFiles, disk: CloudFiles,
                                                                checksums: list[str]) -> None:
    """Unless nothing proves that the size in the response is right."""
    server.put("big", OLD, etag="opaque", checksums=checksums)
    source.transfer_to(disk, ["big"])
    assert content(disk) == OLD
    assert len(server.requests("HEAD")) == (not checksums)


def test_an_object_that_is_replaced_after_it_was_found_to_be_large(server: S3Server, source: CloudFiles,
                                                                   disk: CloudFiles) -> None:
    server.fail(Replaced(make_object(NEW)), method="GET")
    source.transfer_to(disk, ["big"])
    assert content(disk) == NEW
