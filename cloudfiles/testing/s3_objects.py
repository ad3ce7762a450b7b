"""What the S3 server holds: objects, buckets, multipart uploads, and their checksums."""

from __future__ import annotations

import base64
import hashlib
import time
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")


def _crc32c(content: bytes) -> bytes:
    import google_crc32c

    return int(google_crc32c.value(content)).to_bytes(4, "big")


def _crc64nvme(content: bytes) -> bytes:
    from awscrt import checksums

    return int(checksums.crc64nvme(content)).to_bytes(8, "big")


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "md5": lambda content: hashlib.md5(content, usedforsecurity=False).digest(),
    "crc32": lambda content: zlib.crc32(content).to_bytes(4, "big"),
    "crc32c": _crc32c,
    "crc64nvme": _crc64nvme,
    "sha1": lambda content: hashlib.sha1(content, usedforsecurity=False).digest(),
    "sha256": lambda content: hashlib.sha256(content).digest(),
}


def checksum(algorithm: str, content: bytes) -> str:
    """The digest of `content` as in S3's headers: base64 of the big-endian bytes."""
    return base64.b64encode(_DIGESTS[algorithm](content)).decode()


def composite_checksum(algorithm: str, parts: list[bytes]) -> str:
    """The checksum of the parts' checksums, with the number of parts (S3 user guide, object integrity)."""
    digests = b"".join(_DIGESTS[algorithm](part) for part in parts)
    return f"{checksum(algorithm, digests)}-{len(parts)}"


@dataclass(slots=True)
class StoredObject:
    """An object as it is served.

    Attributes:
        etag: without quotes; '' for none.
        headers: those of the upload that are kept, by name in lower case (content-type, x-amz-meta-NAME, ...).
        checksums: base64 value by algorithm, served where x-amz-checksum-mode asks for it.
        checksum_type: 'FULL_OBJECT' or 'COMPOSITE' (of the parts' checksums).
        modified: seconds since the epoch.
    """

    content: bytes
    etag: str
    headers: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    checksum_type: str = "FULL_OBJECT"
    modified: float = field(default_factory=time.time)


def md5_hex(content: bytes) -> str:
    """The ETag of an object or of a part."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def make_object(content: bytes, headers: dict[str, str] | None = None, *, etag: str | None = None,
                checksums: dict[str, str] | None = None) -> StoredObject:
    """An object as a plain PUT leaves it: its ETag is the md5 of its content unless given."""
    return StoredObject(content, md5_hex(content) if etag is None else etag, dict(headers or {}), dict(checksums or {}))


@dataclass
class Upload:
    """A multipart upload that is neither complete nor aborted."""

    key: str
    headers: dict[str, str]
    algorithm: str | None
    full_object: bool
    parts: dict[int, bytes] = field(default_factory=dict)

    def join(self, numbers: list[int]) -> StoredObject:
        """The object that completing the upload with these parts makes."""
        parts = [self.parts[n] for n in numbers]
        content = b"".join(parts)
        digests = b"".join(_DIGESTS["md5"](part) for part in parts)
        checksums = {}
        if self.algorithm:
            checksums[self.algorithm] = (checksum(self.algorithm, content) if self.full_object
                                         else composite_checksum(self.algorithm, parts))
        kind = "FULL_OBJECT" if self.full_object else "COMPOSITE"
        return StoredObject(content, f"{md5_hex(digests)}-{len(parts)}", self.headers, checksums, kind)


class Page(NamedTuple):
    """A page of a listing: its keys, its common prefixes, and the key that the next page begins with (None: last)."""

    keys: list[str]
    prefixes: list[str]
    next_key: str | None


class Objects(dict[str, StoredObject]):
    """Objects by key; `page` lists them in the order of their keys' bytes, as S3 does."""

    _order: list[bytes] | None = None  # all keys, until one is added or removed

    def __setitem__(self, key: str, stored: StoredObject) -> None:
        if key not in self:
            self._order = None
        super().__setitem__(key, stored)

    def pop(self, key: str, *default: Any) -> Any:
        self._order = None
        return super().pop(key, *default)

    def page(self, prefix: str, delimiter: str, after: str, begin: str, limit: int) -> Page:
        """Up to `limit` keys and common prefixes, of keys greater than `after` and not less than `begin`."""
        if self._order is None:
            self._order = sorted(map(_encode, self))
        order, wanted, cut_at = self._order, _encode(prefix), _encode(delimiter)
        at = max(bisect_left(order, max(wanted, _encode(begin))), bisect_right(order, _encode(after)) if after else 0)
        page = Page([], [], None)
        while limit and at < len(order) and order[at].startswith(wanted):
            if len(page.keys) + len(page.prefixes) >= limit:
                return page._replace(next_key=_decode(order[at]))
            cut = order[at].find(cut_at, len(wanted)) if cut_at else -1
            if cut < 0:
                page.keys.append(_decode(order[at]))
                at += 1
            else:
                common = order[at][:cut + len(cut_at)]
                page.prefixes.append(_decode(common))
                at = bisect_left(order, common[:-1] + bytes([common[-1] + 1]), lo=at)
        return page


def _encode(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _decode(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape")


@dataclass
class Bucket:
    """Objects, and multipart uploads by upload ID."""

    objects: Objects = field(default_factory=Objects)
    uploads: dict[str, Upload] = field(default_factory=dict)
