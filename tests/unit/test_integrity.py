"""Digests: published test values, headers as servers send them, and that damage never passes."""

from __future__ import annotations

import base64
import binascii
import doctest
import hashlib
import itertools
import subprocess
import sys
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles import integrity
from cloudfiles.exceptions import (
    CRC32CIntegrityError,
    IntegrityError,
    InvalidInputError,
    MD5IntegrityError,
    MissingExtraError,
)
from cloudfiles.integrity import (
    ALGORITHMS,
    Digest,
    MultipartMD5,
    check,
    checksum_header,
    content_md5,
    digests_from_headers,
    hasher,
    is_available,
    likely_part_sizes,
    md5_from_etag,
    multipart_etag,
    verify,
    verify_value,
)

untimed = settings(deadline=None)
MIB = 1 << 20
# The check values of the CRC catalogue, of b"123456789"; and the RFCs' for the others.
CHECK = b"123456789"
VALUES = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "md5": "25f9e794323b453885f5181f1b624d0b",
    "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}
ERRORS = {"md5": MD5IntegrityError, "crc32c": CRC32CIntegrityError}

algorithms = st.sampled_from([name for name in ALGORITHMS if is_available(name)])


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def digest_of(algorithm: str, content: bytes) -> Digest:
    stream = hasher(algorithm)
    stream.update(content)
    return Digest(algorithm, stream.digest())


def needs(algorithm: str) -> None:
    if algorithm == "crc64nvme":
        pytest.importorskip("awscrt")


def test_the_examples_in_the_docstrings():
    assert doctest.testmod(integrity).failed == 0


# ---- computing


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_published_values(algorithm):
    needs(algorithm)
    assert digest_of(algorithm, CHECK).value.hex() == VALUES[algorithm]
    verify(CHECK, Digest(algorithm, bytes.fromhex(VALUES[algorithm])))
    verify(b"", digest_of(algorithm, b""))


@untimed
@given(algorithms, st.lists(st.binary(max_size=100), max_size=6), st.sampled_from([bytes, bytearray, memoryview]))
def test_pieces_make_the_digest_of_the_whole(algorithm, parts, kind):
    stream = hasher(algorithm)
    for part in parts:
        stream.update(kind(part))
    whole = b"".join(parts)
    assert stream.digest() == digest_of(algorithm, whole).value
    verify(kind(whole), Digest(algorithm, stream.digest()))


def test_crc32c_of_a_long_buffer_that_is_not_bytes():
    content = bytes(range(256)) * 10_000
    assert len(content) > 2 * MIB
    expected = digest_of("crc32c", content)
    verify(bytearray(content), expected)
    verify(memoryview(content), expected)


def test_unknown_algorithms_are_refused_naming_the_known():
    for act in (lambda: hasher("crc16"), lambda: checksum_header("crc16", b""), lambda: checksum_header("blake2", b"")):
        with pytest.raises(InvalidInputError, match=r"unknown digest .*; supported: crc32c, crc32, crc64nvme"):
            act()
    assert not is_available("crc16")


@pytest.fixture
def without_awscrt():
    integrity._crc.cache_clear()
    integrity._usable.cache_clear()
    with mock.patch.dict(sys.modules, {"awscrt": None, "awscrt.checksums": None}):
        yield
    integrity._crc.cache_clear()
    integrity._usable.cache_clear()


@pytest.mark.usefixtures("without_awscrt")
def test_without_awscrt_crc64nvme_is_not_available():
    assert not is_available("crc64nvme")
    with pytest.raises(MissingExtraError, match="pip install awscrt"):
        hasher("crc64nvme")
    headers = {"x-amz-checksum-crc64nvme": b64(bytes.fromhex(VALUES["crc64nvme"])), "etag": f'"{VALUES["md5"]}"'}
    assert digests_from_headers(headers) == []
    assert check(CHECK, headers) is None
    assert check(CHECK, headers, etag_is_md5=True) == "md5"


# ---- headers


@untimed
@given(st.sets(algorithms), st.binary(max_size=200))
def test_the_cheapest_of_the_offered_is_checked(offered, content):
    headers = {f"x-amz-checksum-{name}": b64(digest_of(name, content).value) for name in offered - {"md5"}}
    if "md5" in offered:
        headers["content-md5"] = b64(digest_of("md5", content).value)
    expected = [digest_of(name, content) for name in ALGORITHMS if name in offered]
    assert digests_from_headers(headers) == expected
    assert check(content, headers) == (expected[0].algorithm if expected else None)


@pytest.mark.parametrize("headers", [
    {}, {"content-length": "9"},
    {"x-amz-checksum-crc32c": b64(bytes(4)) + "-3"},
    {"x-amz-checksum-crc32c": b64(bytes(4)), "x-amz-checksum-type": "COMPOSITE"},
    {"x-amz-checksum-crc32c": b64(bytes(8))},
    {"x-amz-checksum-sha256": "no base64!"}, {"x-amz-checksum-sha1": "é"}, {"x-amz-checksum-crc32": ""},
    {"content-md5": b64(bytes(15))},
    {"x-goog-hash": "sha512=AAAA"}, {"x-goog-hash": ""}, {"x-goog-hash": "crc32c"},
    {"etag": f'"{VALUES["md5"]}-2"'}, {"etag": f'W/"{VALUES["md5"]}"'}, {"etag": '"0123456789012345678901234567xyz!"'},
    {"etag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"},
    {"etag": f'"{"0" * 32}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"},
])
def test_what_is_no_digest_of_the_object_is_not_taken_for_one(headers):
    assert digests_from_headers(headers, etag_is_md5=True) == []
    assert check(CHECK, headers, etag_is_md5=True) is None


def test_a_full_object_checksum_of_a_multipart_upload_is_taken():
    headers = {"x-amz-checksum-crc32c": b64(bytes.fromhex(VALUES["crc32c"])), "x-amz-checksum-type": "FULL_OBJECT"}
    assert check(CHECK, headers) == "crc32c"


@pytest.mark.parametrize("template", ["md5={md5},crc32c={crc32c}", "crc32c={crc32c}, md5={md5}"])
def test_hashes_of_gcs(template):
    values = {name: b64(bytes.fromhex(value)) for name, value in VALUES.items()}
    headers = {"x-goog-hash": template.format(**values)}
    assert [digest.algorithm for digest in digests_from_headers(headers)] == ["crc32c", "md5"]
    assert check(CHECK, headers) == "crc32c"
    assert check(CHECK, {"x-goog-hash": "md5=" + values["md5"]}) == "md5"


def test_hashes_of_gcs_are_of_the_stored_bytes():
    crc32c = b64(bytes.fromhex(VALUES["crc32c"]))
    headers = {"x-goog-hash": f"crc32c={crc32c}", "x-goog-stored-content-encoding": "gzip"}
    assert digests_from_headers(headers) == []
    assert check(CHECK, headers | {"content-encoding": "gzip"}) == "crc32c"
    assert check(CHECK, headers | {"x-goog-stored-content-encoding": "identity"}) == "crc32c"


@pytest.mark.parametrize("encryption", [{}, {"x-amz-server-side-encryption": "AES256"}])
def test_an_etag_is_an_md5_only_where_the_store_makes_them_so(encryption):
    headers = {"etag": f'"{VALUES["md5"]}"', **encryption}
    assert check(CHECK, headers) is None
    assert check(CHECK, headers, etag_is_md5=True) == "md5"


@pytest.mark.parametrize(("etag", "md5"), [
    (f'"{VALUES["md5"]}"', VALUES["md5"]), (VALUES["md5"].upper(), VALUES["md5"]),
    (None, None), ("", None), ('""', None), (f'"{VALUES["md5"]}-12"', None), ('"' + "é" * 32 + '"', None),
    (f'W/"{VALUES["md5"]}"', None), (VALUES["sha1"], None),
])
def test_md5_from_etag(etag, md5):
    assert md5_from_etag(etag) == (None if md5 is None else bytes.fromhex(md5))


# ---- damage


@untimed
@given(algorithms, st.binary(min_size=1, max_size=300), st.integers(0, 10**6))
def test_a_flipped_bit_never_passes(algorithm, content, position):
    damaged = bytearray(content)
    bit = position % (8 * len(content))
    damaged[bit // 8] ^= 1 << bit % 8
    digest = digest_of(algorithm, content)
    with pytest.raises(ERRORS.get(algorithm, IntegrityError)) as caught:
        verify(bytes(damaged), digest, "some/key")
    message = str(caught.value)
    for told in ("some/key", algorithm, f"{len(content)} bytes", digest.value.hex(),
                 digest_of(algorithm, bytes(damaged)).value.hex()):
        assert told in message
    assert caught.value.path == "some/key"
    with pytest.raises(IntegrityError):
        check(bytes(damaged), {"x-amz-checksum-" + algorithm: b64(digest.value), "content-md5": content_md5(content)})


def test_a_streamed_digest_is_compared():
    digest = digest_of("md5", CHECK)
    verify_value(digest.value, digest, 9)
    with pytest.raises(MD5IntegrityError, match="md5 mismatch: the 5 bytes"):
        verify_value(bytes(16), digest, 5)


# ---- multipart ETags


def etag_by_definition(content: bytes, part_size: int) -> str:
    parts = [content[at:at + part_size] for at in range(0, len(content), part_size)] or [b""]
    return f"{hashlib.md5(b''.join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"


@untimed
@given(st.binary(max_size=300), st.integers(1, 100), st.lists(st.integers(0, 300), max_size=5))
def test_multipart_etags(content, part_size, cuts):
    expected = etag_by_definition(content, part_size)
    assert multipart_etag(content, part_size) == expected
    stream = MultipartMD5(part_size)
    edges = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        stream.update(content[start:end])
        assert stream.etag() == etag_by_definition(content[:end], part_size)


@untimed
@given(st.integers(0, 10**12), st.integers(-1, 10_000))
def test_likely_part_sizes_make_that_many_parts(size, parts):
    sizes = likely_part_sizes(size, parts)
    assert all(-(-size // part_size) == parts for part_size in sizes)
    assert len(set(sizes)) == len(sizes)


@untimed
@given(st.sampled_from([5, 8, 15, 16, 50, 64, 100]), st.integers(1, 10_000), st.integers(1, 10**9))
def test_the_part_sizes_of_common_clients_are_among_the_likely(mib, parts, last):
    size = (parts - 1) * mib * MIB + 1 + last % (mib * MIB)
    assert mib * MIB in likely_part_sizes(size, parts)


def test_a_part_has_a_size():
    with pytest.raises(InvalidInputError, match="expected an integer >= 1"):
        multipart_etag(CHECK, 0)


# ---- sending along


@untimed
@given(algorithms, st.binary(max_size=100))
def test_headers_sent_are_headers_read(algorithm, content):
    name, value = checksum_header(algorithm, content)
    assert check(content, {name.lower(): value}) == algorithm


def test_header_values():
    assert content_md5(CHECK) == binascii.b2a_base64(bytes.fromhex(VALUES["md5"])).decode().strip()
    assert checksum_header("md5", CHECK) == ("Content-MD5", content_md5(CHECK))
    assert checksum_header("sha256", CHECK)[0] == "x-amz-checksum-sha256"


@pytest.mark.usefixtures("without_awscrt")
def test_a_missing_package_is_named_when_sending():
    with pytest.raises(MissingExtraError, match="awscrt"):
        checksum_header("crc64nvme", CHECK)


def test_importing_loads_no_library():
    code = ("import sys, cloudfiles.integrity; "
            "print([m for m in ('isal', 'google_crc32c', 'awscrt') if m in sys.modules])")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
