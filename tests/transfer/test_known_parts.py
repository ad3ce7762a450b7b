"""Parts that a cloud has from an earlier process: not read again where their digests are known, and never believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles import CloudFiles, ResumableTransfer, integrity
from cloudfiles.exceptions import TransferFailedError
from cloudfiles.integrity import Digest
from cloudfiles.testing import S3Server
from cloudfiles.transfer.checksum import ObjectChecksum
from cloudfiles.transfer.journal.journal import Journal
from cloudfiles.transfer.partial_upload import PartialUpload
from tests.contents import numbered
from tests.internals import PART, Replace
from tests.selection import some
from tests.transfer.conftest import execute_until_broken

pytestmark = pytest.mark.one_runtime

BIG = numbered(PART * 9 // 2)  # five parts


@pytest.fixture
def elsewhere(server: S3Server) -> CloudFiles:
    """The same server under another name: nothing is copied inside of it."""
    return CloudFiles(f"s3://{server.bucket}/to/", endpoint=server.url.replace("127.0.0.1", "localhost"),
                      secrets=server.secrets)


@pytest.fixture
def half_way(tmp_path: Path, s3: CloudFiles, elsewhere: CloudFiles, server: S3Server,
             internals: Replace) -> Any:
    """Begins to transfer 'big', of which the server tells these digests, and breaks it off after three parts."""
    internals(journal_pause=0.0)

    def begin(**told: Any) -> ResumableTransfer:
        server.put("big", BIG, **told)
        rt = ResumableTransfer(tmp_path / "journal.db")
        rt.init(s3, elsewhere, [("big", "copy")])
        execute_until_broken(rt)
        server.forget()
        return rt

    return begin


def _reads(server: S3Server) -> int:
    return sum(1 for request in server.requests("GET", "big") if request.header("range"))


@pytest.mark.parametrize(("told", "by"), [((), "md5"), (("crc32c",), "crc32c"),
                                          pytest.param(("crc32",), "crc32", marks=pytest.mark.full)])
def test_they_are_not_read_again(half_way: Any, server: S3Server, told: tuple[str, ...], by: str) -> None:
    rt = half_way(checksums=told)
    assert rt.execute(failed=True).done == 1
    stored = server.get("to/copy")
    assert stored is not None
    assert stored.content == BIG
    assert _reads(server) == (5 if by == "md5" else 2)  # an md5 goes through all bytes
    (record,) = rt.records()
    assert record["algorithm"] == by


@pytest.mark.parametrize("told", some(["crc32c", "crc32"], ["crc32c"]))
def test_the_whole_is_checked_nevertheless(half_way: Any, server: S3Server, tmp_path: Path, told: str) -> None:
    rt = half_way(checksums=(told,))
    journal = Journal(str(tmp_path / "journal.db"))
    ((leased, partial),) = journal.partial_uploads()
    place = partial.values if told == "crc32" else partial.parts
    wrong = dict.fromkeys(place, "00000000")
    journal.save_partial_uploads([(leased.id, replace(partial, parts=partial.parts if partial.values else wrong,
                                                      values=wrong if partial.values else {}))])
    journal.close()
    with pytest.raises(TransferFailedError, match=told):
        rt.execute(failed=True)
    assert server.get("to/copy") is None
    assert server.uploads() == []
    assert rt.execute(failed=True).done == 1  # from the beginning


def test_what_an_earlier_version_kept() -> None:
    partial = PartialUpload.load('["etag",20,{"upload_id":"x"},{"0":"aa","8":"bb"}]')
    assert partial == PartialUpload("etag", 20, {"upload_id": "x"}, {0: "aa", 8: "bb"})
    assert [partial.digest_of(8, algorithm) for algorithm in ("crc32c", "", "crc32")] == ["bb", "bb", None]


@given(st.dictionaries(st.integers(0), st.text("0123456789abcdef", min_size=1)))
def test_kept_and_read(values: dict[int, str]) -> None:
    partial = PartialUpload("etag", 20, {}, values, "crc32" if values else "", values)
    assert PartialUpload.load(partial.dump()) == partial


@given(st.sampled_from(["crc32", "crc32c", "crc64nvme"]), st.binary(min_size=1, max_size=200), st.integers(1, 50),
       st.data())
def test_parts_taken_by_their_digest(algorithm: str, content: bytes, size: int, data: Any) -> None:
    def digest_of(part: bytes) -> bytes:
        hasher = integrity.hasher(algorithm)
        hasher.update(part)
        return hasher.digest()

    whole = ObjectChecksum([Digest(algorithm, digest_of(content))], None, len(content), size, None)
    assert whole.part_algorithm == algorithm
    for start in range(0, len(content), size):
        part = content[start:start + size]
        if data.draw(st.booleans()):
            whole.add_part_value(start, digest_of(part), len(part))
        else:
            whole.add(start, part)
            assert whole.part_value(start) == digest_of(part)
    assert whole.check("key") == algorithm


def test_which_digests_do_not_go_by_parts() -> None:
    assert ObjectChecksum([Digest("md5", bytes(16))], None, 9, 5, None).part_algorithm is None
    assert ObjectChecksum([], None, 9, 5, None).part_algorithm == ""
    assert ObjectChecksum([], integrity.multipart_etag(b"ninebytes", 5), 9, 5, None).part_algorithm == "md5"
