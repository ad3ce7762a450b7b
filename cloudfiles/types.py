"""The values that pass between the layers. No behavior beyond what a value needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, TypeAlias

Content: TypeAlias = bytes | bytearray | memoryview | BinaryIO
Metadata: TypeAlias = Mapping[str, str]


MIN_THROUGHPUT = 1024.0
"""Bytes a second below which a transfer is said to crawl."""


@dataclass(frozen=True)
class Clock:
    """Where time comes from; tests hand in one that they move by hand."""

    wall: Callable[[], float] = time.time  # seconds since the epoch
    monotonic: Callable[[], float] = time.monotonic  # seconds since whenever


def _strong(etag: str | None) -> str | None:
    return etag if etag and not etag.startswith("W/") else None


@dataclass(slots=True)
class StoredObject:
    """What a read brought: the stored bytes (still encoded) and what the store says of them.

    Attributes:
        content: the stored bytes, or the byte range of them that was asked for. `mem://` may hold any object.
        encoding: the Content-Encoding, '' for none; several are joined by ', ' in the order applied.
        verified: the digest that vouched for the bytes ('md5', 'crc32c', ...), '' where the store offered none.
        etag: the ETag as sent, quotes included, or None.
        size: stored bytes of the whole object, where `content` is None because they were not read.
        headers: what the store says of the object, in HTTP's words and lower case, where it was told along.
        generation: the number that Cloud Storage gives this content; unlike an ETag, it stays when only the metadata
            changes. None on other stores.
    """

    content: Any
    encoding: str = ""
    verified: str = ""
    etag: str | None = None
    size: int | None = None
    headers: Mapping[str, str] | None = None
    generation: str | None = None

    @property
    def validator(self) -> str | None:
        """What no other content of this key has: the generation, or a strong ETag (RFC 9110 8.8.1). None without."""
        if self.generation is not None:
            return self.generation
        return _strong(self.etag)

    def is_same_content(self, other: StoredObject) -> bool:
        """Whether both were surely read of the same content. Without a validator nothing tells: a weak ETag and a time
        of modification may stay when the bytes change."""
        if self.generation is not None and other.generation is not None:
            return self.generation == other.generation
        return _strong(self.etag) is not None and self.etag == other.etag

    def may_be_same_content(self, other: StoredObject) -> bool:
        """Whether nothing that is told of the two differs."""
        if self.generation is not None and other.generation is not None:
            return self.generation == other.generation
        times = {(each.headers or {}).get("last-modified") for each in (self, other)} - {None}
        return self.etag == other.etag and self.encoding == other.encoding and len(times) < 2


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a write sends besides the bytes. None means: not given, the store's default.

    Attributes:
        encoding: the Content-Encoding of the bytes handed in, '' for none (they are encoded already).
        if_absent: create only; PreconditionFailedError where the key exists.
        if_match: replace only while the object has this ETag; PreconditionFailedError otherwise.
    """

    content_type: str | None = None
    encoding: str = ""
    cache_control: str | None = None
    storage_class: str | None = None
    metadata: Metadata | None = None
    if_absent: bool = False
    if_match: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None


class ListEntry(NamedTuple):
    """One object of a listing. `size` is in stored bytes."""

    key: str
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None  # as the store wrote it


class ListPage(NamedTuple):
    """One answer of a listing: objects, common prefixes (flat listings only), and where to go on (None: done).

    skipped_symlinks: on a file system, names by which symlinks lie where keys might, and which were not followed.
    """

    entries: list[ListEntry]
    prefixes: list[str]
    next_token: str | None = None
    skipped_symlinks: Sequence[str] = ()


HEAD_FIELDS = (
    "Cache-Control", "Content-Length", "Content-Type", "ETag", "Last-Modified", "Content-md5",
    "Content-Encoding", "Content-Disposition", "Content-Language", "Storage-Class",
    "Request-Charged", "Parts-Count",
)


def head_of(**known: Any) -> dict[str, Any]:
    """A head as `CloudFiles.head` returns it: every field of HEAD_FIELDS, None where not known.

    Keywords are the field names with `_` for `-` (`Content_Length=4`).
    """
    head: dict[str, Any] = dict.fromkeys(HEAD_FIELDS)
    head.update((name.replace("_", "-"), value) for name, value in known.items())
    return head


@dataclass(frozen=True)
class Tls:
    """How servers are verified (always), and how the client shows itself where asked.

    Attributes:
        ca_bundle: a PEM file of trusted authorities; None: SSL_CERT_FILE, the system's, then certifi's.
        client_cert: a PEM file with the client's certificate (and key, where client_key is None).
        client_key: a PEM file with the client's key.
    """

    ca_bundle: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


@dataclass(frozen=True)
class StoreOptions:
    """How to reach one store: what the constructor of `CloudFiles` was told, validated, protocol-neutral.

    `secrets` stay out of repr; pickles of a `CloudFiles` leave them out too.
    """

    secrets: Any = field(default=None, repr=False)
    endpoint: str | None = None
    request_payer: str | None = None
    no_sign_request: bool = False
    locking: bool | None = None
    lock_dir: str | None = None
    composite_upload_threshold: int = 100_000_000  # bytes
    tls: Tls = Tls()
    connect_timeout: float = 10.0  # seconds
    read_timeout: float = 60.0  # seconds without a byte
    encoding_suffixes: bool | None = None  # on file://: whether `x.gz` is the key `x`; None: as the verb has it
    min_throughput: float = MIN_THROUGHPUT  # bytes a second over as long
    follow_external_symlinks: bool = False  # on file://: also those that lead out of the directory
