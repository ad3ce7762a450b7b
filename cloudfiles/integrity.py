"""Digests of stored bytes: parsed from response headers, verified, computed, and sent with uploads.

The digest of a server refers to the bytes that it stores. So it is checked before a Content-Encoding
is decoded, and only for whole objects: in the response to a Range request it is that of the whole object.

Cost on one core: crc32, crc32c and crc64nvme 0.03-0.05 ns per byte, sha1 and sha256 0.9 ns if the
processor has instructions for them, md5 1.5 ns. So the first available CRC is used.

Sources: S3 "Checking object integrity" (x-amz-checksum-*), GCS "Hashes and ETags" (x-goog-hash),
RFC 1864 (Content-MD5). Headers are mappings with lower-case names.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any, Protocol

from cloudfiles.exceptions import (
    CRC32CIntegrityError,
    IntegrityError,
    InvalidInputError,
    MD5IntegrityError,
    MissingExtraError,
)
from cloudfiles.late_imports import importing
from cloudfiles.values import NamedTuple

__all__ = [
    "ALGORITHMS", "Digest", "Hasher", "MultipartMD5", "check", "checksum_header", "content_md5",
    "digests_from_headers", "hasher", "is_available", "likely_part_sizes", "md5_from_etag", "multipart_etag",
    "verify", "verify_value",
]

Buffer = bytes | bytearray | memoryview
_Extend = Callable[[Buffer, int], int]
"""Extends a CRC: `extend(data, crc so far) -> crc`."""

_SIZES = {"crc32c": 4, "crc32": 4, "crc64nvme": 8, "sha256": 32, "sha1": 20, "md5": 16}  # bytes of a value
ALGORITHMS = tuple(_SIZES)
"""The names of the digests, the cheapest first."""

_AMZ_HEADERS = tuple((name, f"x-amz-checksum-{name}") for name in ALGORITHMS if name != "md5")
_DIGEST_HEADERS = frozenset({*(header for _, header in _AMZ_HEADERS), "x-goog-hash", "content-md5"})
_ERRORS: dict[str, type[IntegrityError]] = {"md5": MD5IntegrityError, "crc32c": CRC32CIntegrityError}
_MIB = 1 << 20
# Common part sizes of clients, the most likely first.
_PART_SIZES = tuple(mib * _MIB for mib in (8, 5, 16, 64, 10, 15, 32, 50, 100, 128, 25, 256, 512))


class Digest(NamedTuple):
    """A digest in binary form; CRCs are big endian."""

    algorithm: str
    value: bytes


class Hasher(Protocol):
    """A digest of content in pieces."""

    def update(self, data: Buffer, /) -> None: ...
    def digest(self) -> bytes: ...


# ---- computing


def named(algorithm: str, content: Buffer) -> str:
    """The digest of `content` as `algorithm:hexadecimal`."""
    computed = hasher(algorithm)
    computed.update(content)
    return f"{algorithm}:{computed.digest().hex()}"


def _crc32() -> _Extend:
    from isal import isal_zlib

    return isal_zlib.crc32


def _crc32c() -> _Extend:
    from google_crc32c import extend

    def crc32c(data: Buffer, crc: int) -> int:
        if type(data) is bytes:
            return int(extend(crc, data))
        view = memoryview(data).cast("B")  # the library accepts bytes only
        for at in range(0, len(view), _MIB):
            crc = extend(crc, bytes(view[at:at + _MIB]))
        return crc

    return crc32c


def _crc64nvme() -> _Extend:
    try:
        from awscrt.checksums import crc64nvme
    except ImportError as error:
        raise MissingExtraError("crc64nvme requires the package awscrt: pip install awscrt") from error
    extend: _Extend = crc64nvme
    return extend


_CRCS: dict[str, Callable[[], _Extend]] = {"crc32": _crc32, "crc32c": _crc32c, "crc64nvme": _crc64nvme}
"""The other algorithms are hash functions of the standard library."""


@cache
@importing
def _crc(algorithm: str) -> _Extend:
    return _CRCS[algorithm]()


@cache
@importing
def _hash(algorithm: str) -> Callable[..., Any]:
    """A hash function of the standard library."""
    import hashlib  # here, as it loads OpenSSL

    return partial(getattr(hashlib, algorithm), usedforsecurity=False)


class _CRCHasher:
    def __init__(self, algorithm: str) -> None:
        self._extend = _crc(algorithm)
        self._size = _SIZES[algorithm]
        self._crc = 0

    def update(self, data: Buffer, /) -> None:
        self._crc = self._extend(data, self._crc)

    def digest(self) -> bytes:
        return self._crc.to_bytes(self._size, "big")


def hasher(algorithm: str) -> Hasher:
    """A hasher that is fed in pieces.

    Raises:
        InvalidInputError: the algorithm is unknown.
        MissingExtraError: it requires a package that is not installed.
    """
    _check_known(algorithm)
    if algorithm in _CRCS:
        return _CRCHasher(algorithm)
    made: Hasher = _hash(algorithm)()
    return made


def is_available(algorithm: str) -> bool:
    """Whether `algorithm` is known and its package is installed."""
    return algorithm in _SIZES and _usable(algorithm)


@cache
def _usable(algorithm: str) -> bool:
    try:
        hasher(algorithm)
    except ImportError:
        return False
    return True


def _compute(algorithm: str, content: Buffer) -> bytes:
    if algorithm in _CRCS:
        return _crc(algorithm)(content, 0).to_bytes(_SIZES[algorithm], "big")
    _check_known(algorithm)
    digest: bytes = _hash(algorithm)(content).digest()
    return digest


def _check_known(algorithm: str) -> None:
    if algorithm not in _SIZES:
        raise InvalidInputError(f"unknown digest {algorithm!r}; supported: {', '.join(ALGORITHMS)}")


# ---- parsing headers


def digests_from_headers(headers: Mapping[str, str], *, etag_is_md5: bool = False) -> list[Digest]:
    """The digests of the whole stored object in a response that can be computed here.

    This excludes checksums of checksums (S3's COMPOSITE), malformed values, algorithms whose
    package is missing, and hashes of GCS for objects that it has decompressed.

    Args:
        headers: with lower-case names.
        etag_is_md5: whether the ETags of this store are md5s, as on S3.

    Returns:
        The fastest first.
    """
    return sorted(_offered(headers, etag_is_md5), key=lambda digest: ALGORITHMS.index(digest.algorithm))


def _offered(headers: Mapping[str, str], etag_is_md5: bool) -> Iterator[Digest]:
    if not _DIGEST_HEADERS.isdisjoint(headers):
        yield from _offered_by_name(headers)
    if etag_is_md5:
        md5 = _md5_of_s3(headers)
        if md5 is not None:
            yield Digest("md5", md5)


def _offered_by_name(headers: Mapping[str, str]) -> Iterator[Digest]:
    for algorithm, header in _AMZ_HEADERS:
        value = headers.get(header)
        if value is not None and headers.get("x-amz-checksum-type") != "COMPOSITE":
            yield from _decoded(algorithm, value)
    if "x-goog-hash" in headers:
        yield from _goog_hashes(headers)
    value = headers.get("content-md5")
    if value is not None:
        yield from _decoded("md5", value)


def _decoded(algorithm: str, value: str) -> Iterator[Digest]:
    """The digest in `value`, unless it is the checksum of the checksums of the parts of an upload ("...-N")."""
    try:
        digest = binascii.a2b_base64(value)
    except ValueError:  # includes binascii.Error
        return
    if len(digest) == _SIZES[algorithm] and "-" not in value and _usable(algorithm):
        yield Digest(algorithm, digest)


def _goog_hashes(headers: Mapping[str, str]) -> Iterator[Digest]:
    stored = headers.get("x-goog-stored-content-encoding") or "identity"
    if stored != (headers.get("content-encoding") or "identity"):
        return  # decompressive transcoding: these are not the bytes that were hashed
    for member in sorted(headers["x-goog-hash"].replace(" ", "").split(",")):  # crc32c sorts before md5
        algorithm, _, value = member.partition("=")
        if algorithm in ("crc32c", "md5"):
            yield from _decoded(algorithm, value)


def _md5_of_s3(headers: Mapping[str, str]) -> bytes | None:
    """The md5 in the ETag of an S3 object; with SSE-KMS or SSE-C, the ETag is not an md5."""
    if headers.get("x-amz-server-side-encryption", "AES256") != "AES256":
        return None
    if "x-amz-server-side-encryption-customer-algorithm" in headers:
        return None
    return md5_from_etag(headers.get("etag"))


def md5_from_etag(etag: str | None) -> bytes | None:
    """The md5 in an ETag of 32 hexadecimal digits; None for others and weak ETags (W/)."""
    if etag is None or len(etag := etag.strip('"')) != 32:
        return None
    try:
        return binascii.unhexlify(etag)
    except ValueError:
        return None


# ---- checking


def check(content: Buffer, headers: Mapping[str, str], path: str | None = None, *,
          etag_is_md5: bool = False) -> str | None:
    """Verify a whole stored object with the cheapest digest in the response headers.

    Returns:
        The algorithm that was used, or None if there is no digest.

    Raises:
        IntegrityError: the content does not match the digest; MD5IntegrityError and
            CRC32CIntegrityError for their algorithms.
    """
    for digest in _offered(headers, etag_is_md5):
        verify(content, digest, path)
        return digest.algorithm
    return None


def verify(content: Buffer, digest: Digest, path: str | None = None) -> None:
    """Raise an IntegrityError (as `check` does) unless `digest` matches `content`."""
    got = _compute(digest.algorithm, content)
    if got != digest.value:
        verify_value(got, digest, len(content), path)


def verify_value(got: bytes, digest: Digest, length: int, path: str | None = None) -> None:
    """The same, for a digest computed by a `hasher` from `length` bytes."""
    if got == digest.value:
        return
    raise _ERRORS.get(digest.algorithm, IntegrityError)(
        f"{digest.algorithm} mismatch: the {length} bytes received have {got.hex()}, the store reports "
        f"{digest.value.hex()}",
        path=path)


# ---- multipart ETags of S3: the md5 of the parts' md5s, and their number


class MultipartMD5:
    """The ETag of content that was uploaded in parts of `part_size` bytes, computed from pieces of any size."""

    def __init__(self, part_size: int) -> None:
        if part_size < 1:
            raise InvalidInputError(f"part size: expected an integer >= 1, got {part_size}")
        self._part_size = part_size
        self._part = _hash("md5")()
        self._room = part_size  # bytes left in the current part
        self._digests: list[bytes] = []

    def update(self, data: Buffer) -> None:
        """Add the next piece."""
        view = memoryview(data)
        while view:
            if not self._room:
                self._next_part()
            piece, view = view[:self._room], view[self._room:]
            self._part.update(piece)
            self._room -= len(piece)

    def _next_part(self) -> None:
        self._digests.append(self._part.digest())
        self._part = _hash("md5")()
        self._room = self._part_size

    def etag(self) -> str:
        """The ETag of the content so far, without quotes: "<md5>-<parts>"."""
        digests = [*self._digests, self._part.digest()]
        return f"{_hash('md5')(b''.join(digests)).hexdigest()}-{len(digests)}"


def multipart_etag(content: Buffer, part_size: int) -> str:
    """The ETag, without quotes, that S3 assigns to `content` uploaded in parts of `part_size` bytes."""
    parts = MultipartMD5(part_size)
    parts.update(content)
    return parts.etag()


def likely_part_sizes(size: int, parts: int) -> list[int]:
    """Part sizes that split `size` bytes into `parts`, the most likely first.

    >>> [size >> 20 for size in likely_part_sizes(100 << 20, 10)]
    [10]
    """
    if parts < 1 or size < parts:
        return []
    even = -(-size // parts)
    candidates = dict.fromkeys((*_PART_SIZES, -(-even // _MIB) * _MIB, even))
    return [candidate for candidate in candidates if -(-size // candidate) == parts]


# ---- headers of uploads


def content_md5(content: Buffer) -> str:
    """The value of a Content-MD5 header (RFC 1864)."""
    return _base64(_compute("md5", content))


def checksum_header(algorithm: str, content: Buffer) -> tuple[str, str]:
    """The header with which S3 checks an upload: (name, value).

    >>> checksum_header("crc32c", b"123456789")
    ('x-amz-checksum-crc32c', '4waSgw==')

    Raises:
        InvalidInputError: the algorithm is unknown.
        MissingExtraError: it requires a package that is not installed.
    """
    name = "Content-MD5" if algorithm == "md5" else f"x-amz-checksum-{algorithm}"
    return name, _base64(_compute(algorithm, content))


def _base64(digest: bytes) -> str:
    return binascii.b2a_base64(digest, newline=False).decode("ascii")
