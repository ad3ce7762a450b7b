"""Digests that go with uploads and come with objects, and how content is cut into parts."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles.exceptions import IntegrityError
from cloudfiles.integrity import multipart_etag
from cloudfiles.interfaces.s3.checksums import UploadChecksums, check_object, check_written, is_object_of
from cloudfiles.interfaces.s3.multipart import MAX_PARTS, MIN_PART, part_size

CONTENT = b"123456789"
MD5 = b64encode(hashlib.md5(CONTENT).digest()).decode()
CRC = b64encode(crc32(CONTENT).to_bytes(4, "big")).decode()
SHA = hashlib.sha256(CONTENT).hexdigest()
ETAG = f'"{hashlib.md5(CONTENT).hexdigest()}"'

TAKES_CRC = {"x-amz-checksum-crc32": CRC}


@pytest.mark.parametrize(("checks", "expected"), [
    (UploadChecksums(supports_crc=True), {"x-amz-checksum-crc32": CRC}),
    (UploadChecksums(supports_crc=True, secure=False), {"x-amz-checksum-crc32": CRC, "x-amz-content-sha256": SHA}),
    (UploadChecksums(supports_crc=False), {"content-md5": MD5, "x-amz-checksum-crc32": CRC}),
    (UploadChecksums(supports_crc=False, ask=False), {"content-md5": MD5})])
def test_headers_of_uploads(checks: UploadChecksums, expected: dict[str, str]) -> None:
    assert checks.headers(CONTENT) == expected
    assert checks.headers(memoryview(CONTENT)) == expected
    assert checks.headers_of_pieces([CONTENT[:4], b"", CONTENT[4:]]) == expected


@pytest.mark.parametrize(("answers", "supports_crc"), [
    ([TAKES_CRC], True), ([{}], False), ([{}, TAKES_CRC], False), ([TAKES_CRC, {}], True)])
def test_the_first_answer_decides(answers: list[dict[str, str]], supports_crc: bool) -> None:
    checks = UploadChecksums(supports_crc=False)
    for answer in answers:
        checks.learn(answer)
    assert checks.supports_crc is supports_crc
    assert ("content-md5" in checks.headers(CONTENT)) is not supports_crc


def test_who_does_not_ask_learns_nothing() -> None:
    checks = UploadChecksums(supports_crc=False, ask=False)
    checks.learn(TAKES_CRC)
    assert checks.headers(CONTENT) == {"content-md5": MD5}


@pytest.mark.parametrize(("headers", "by"), [
    ({"etag": ETAG}, "md5"), ({"x-amz-checksum-crc32": CRC, "etag": '"0"'}, "crc32"), ({"etag": '"opaque"'}, ""),
    ({}, ""), ({"etag": f'"{multipart_etag(CONTENT, 8 << 20)}"'}, "md5"), ({"etag": f'"{"0" * 32}-3"'}, ""),
    ({"etag": '"0-x"'}, ""), ({"etag": '"a-9999999999"'}, ""),
    ({"x-amz-checksum-crc32": f"{CRC}-2", "etag": ETAG}, "md5")])
def test_objects_are_checked_by_what_comes_with_them(headers: dict[str, str], by: str) -> None:
    assert check_object(CONTENT, headers, "key") == by


@pytest.mark.parametrize("headers", [{"etag": f'"{"0" * 32}"'}, {"x-amz-checksum-crc32": "AAAAAA==", "etag": ETAG}])
def test_damaged_objects_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(IntegrityError):
        check_object(CONTENT, headers, "key")


@pytest.mark.parametrize(("headers", "ours"), [
    ({"etag": ETAG}, True), ({"etag": f'"{"0" * 32}"'}, False), ({}, False), ({"etag": '"opaque"'}, False),
    ({"x-amz-checksum-crc32": CRC}, True), ({"x-amz-checksum-crc32": "AAAAAA=="}, False)])
def test_only_a_digest_proves_that_an_object_is_ours(headers: dict[str, str], ours: bool) -> None:
    assert is_object_of([CONTENT[:3], CONTENT[3:]], headers) is ours


@pytest.mark.parametrize(("headers", "believed"), [
    ({"etag": ETAG}, True), ({"etag": f'"{"0" * 32}"'}, False), ({}, True), ({"etag": '"opaque"'}, True),
    ({"etag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"}, True)])
def test_answers_to_uploads_are_checked(headers: dict[str, str], believed: bool) -> None:
    md5 = hashlib.md5(CONTENT).digest()
    if believed:
        check_written(md5, headers, "key")
    else:
        with pytest.raises(IntegrityError, match="was sent"):
            check_written(md5, headers, "key")


# ---- parts


@given(st.integers(1, 5 << 40))
def test_ten_thousand_parts_are_enough(size: int) -> None:
    part = part_size(1, size)
    assert part >= MIN_PART
    assert -(-size // part) <= MAX_PARTS
    assert part_size(7, size) == part
    assert part == MIN_PART or -(-size // (part // 2)) > MAX_PARTS


def test_content_of_unknown_size_fits_too() -> None:
    sizes = [part_size(number, None) for number in range(1, MAX_PARTS + 1)]
    assert sum(sizes) > 5 << 40
    assert sizes == sorted(sizes)
    assert sizes[0] == MIN_PART
    assert max(sizes) <= 5 << 30
