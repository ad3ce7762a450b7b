"""What the scripted server holds: objects, buckets, multipart uploads, and their checksums."""

from __future__ import annotations

import base64
import hashlib
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")


def _crc32c(content: bytes) -> bytes:
    import google_crc32c

    return int(google_crc32c.value(content)).to_bytes(4, "big")


def _crc64nvme(content: bytes) -> bytes:
    from awscrt import checksums

    return int(checksums.crc64nvme(content)).to_bytes(8, "big")


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "md5": lambda content: hashlib.md5(content).digest(),
    "crc32": lambda content: zlib.crc32(content).to_bytes(4, "big"),
    "crc32c": _crc32c,
    "crc64nvme": _crc64nvme,
    "sha1": lambda content: hashlib.sha1(content).digest(),
    "sha256": lambda content: hashlib.sha256(content).digest(),
}


def checksum(algorithm: str, content: bytes) -> str:
    """The digest of `content` as S3 headers write it: base64 of the big-endian bytes."""
    return base64.b64encode(_DIGESTS[algorithm](content)).decode()


def composite_checksum(algorithm: str, parts: list[bytes]) -> str:
    """A multipart object's checksum of checksums, with the number of parts (S3 user guide, object integrity)."""
    digests = b"".join(_DIGESTS[algorithm](part) for part in parts)
    return f"{checksum(algorithm, digests)}-{len(parts)}"


@dataclass(frozen=True)
class StoredObject:
    """An object as it is served.

    Attributes:
        etag: unquoted; '' for a server that gives none.
        headers: entity headers given at upload, names in lower case (content-type, x-amz-meta-*, ...).
        checksums: algorithm -> base64 value, served when asked for by x-amz-checksum-mode.
    """

    content: bytes
    etag: str
    headers: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    checksum_type: str = "FULL_OBJECT"
    modified: float = field(default_factory=time.time)


def make_object(content: bytes, headers: dict[str, str] | None = None, *, etag: str | None = None,
                checksums: dict[str, str] | None = None) -> StoredObject:
    """An object as a plain PUT leaves it: its ETag is the md5 of its bytes unless given."""
    etag = hashlib.md5(content).hexdigest() if etag is None else etag
    return StoredObject(content, etag, dict(headers or {}), dict(checksums or {}))


@dataclass
class Upload:
    """A multipart upload that is not complete."""

    key: str
    headers: dict[str, str]
    algorithm: str | None
    full_object: bool
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Bucket:
    objects: dict[str, StoredObject] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)


def part_etag(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def join_parts(upload: Upload, numbers: list[int]) -> StoredObject:
    """The object that completing `upload` with these parts makes."""
    parts = [upload.parts[n] for n in numbers]
    content = b"".join(parts)
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    checksums = {}
    if upload.algorithm:
        checksums[upload.algorithm] = (checksum(upload.algorithm, content) if upload.full_object
                                       else composite_checksum(upload.algorithm, parts))
    kind = "FULL_OBJECT" if upload.full_object else "COMPOSITE"
    return StoredObject(content, f"{hashlib.md5(digests).hexdigest()}-{len(parts)}", upload.headers, checksums, kind)
