"""Values that are passed between the layers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, TypeAlias

from cloudfiles.results import ObjectHead
from cloudfiles.values import NamedTuple, Value

Content: TypeAlias = bytes | bytearray | memoryview | BinaryIO
Metadata: TypeAlias = Mapping[str, str]


MIN_THROUGHPUT = 1024.0
"""Bytes per second below which a transfer is too slow."""


class Clock(Value):
    """A source of time; tests pass one that they control."""

    wall: Callable[[], float] = time.time  # seconds since the epoch
    monotonic: Callable[[], float] = time.monotonic  # seconds since an arbitrary time


def _strong(etag: str | None) -> str | None:
    return etag if etag and not etag.startswith("W/") else None


class StoredObject:
    """The result of a read: the stored bytes (still encoded) and their description.

    Attributes:
        content: the stored bytes, or the requested byte range of them. On `mem://` it can be any object.
        encoding: the Content-Encoding, '' for none; several are joined by ', ' in the order applied.
        verified: the digest that was checked ('md5', 'crc32c', ...), '' if the store provided none.
        etag: the ETag as sent, including quotes, or None.
        size: size of the whole object in stored bytes, if `content` is None because it was not read, or if it is a
            suffix and the response says so.
        headers: HTTP headers that describe the object, in lower case, if they were returned with it.
        generation: Cloud Storage's number for this content; unlike an ETag, it does not change with the metadata. None
            on other stores.
    """

    __slots__ = ("content", "encoding", "etag", "generation", "headers", "size", "verified")

    def __init__(self, content: Any, encoding: str = "", verified: str = "", etag: str | None = None,
                 size: int | None = None, headers: Mapping[str, str] | None = None,
                 generation: str | None = None) -> None:
        self.content = content
        self.encoding = encoding
        self.verified = verified
        self.etag = etag
        self.size = size
        self.headers = headers
        self.generation = generation

    @property
    def validator(self) -> str | None:
        """The generation or strong ETag (RFC 9110 8.8.1), which no other content of this key has; None if unknown."""
        if self.generation is not None:
            return self.generation
        return _strong(self.etag)

    def is_same_content(self, other: StoredObject) -> bool:
        """Whether both certainly have the same content. This cannot be known without a validator: a weak ETag and a
        modification time may stay the same when the bytes change."""
        if self.generation is not None and other.generation is not None:
            return self.generation == other.generation
        return _strong(self.etag) is not None and self.etag == other.etag

    def may_be_same_content(self, other: StoredObject) -> bool:
        """Whether the descriptions of both are equal as far as they are known."""
        if self.generation is not None and other.generation is not None:
            return self.generation == other.generation
        times = {(each.headers or {}).get("last-modified") for each in (self, other)} - {None}
        etags = {self.etag, other.etag} - {None}
        return len(etags) < 2 and self.encoding == other.encoding and len(times) < 2


class WriteOptions(NamedTuple):
    """The options of a write. None means: not given, use the store's default.

    Attributes:
        encoding: the Content-Encoding of the bytes, which are already encoded; '' for none.
        if_absent: create only; PreconditionFailedError if the key exists.
        if_match: replace only if the object has this ETag; PreconditionFailedError otherwise.
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
    last_modified: str | None = None  # in the format of the store


class ListPage(NamedTuple):
    """One page of a listing: objects, common prefixes (if flat), and the token of the next page (None: the end).

    skipped_symlinks: on a file system, the names of symlinks that were not followed.
    """

    entries: list[ListEntry]
    prefixes: list[str]
    next_token: str | None = None
    skipped_symlinks: Sequence[str] = ()


HEAD_FIELDS = tuple(ObjectHead.__annotations__)


def head_of(**known: Any) -> dict[str, Any]:
    """The result of `CloudFiles.head`: every field of HEAD_FIELDS, None if unknown.

    Keywords are the field names with `_` for `-` (`Content_Length=4`).
    """
    head: dict[str, Any] = dict.fromkeys(HEAD_FIELDS)
    head.update((name.replace("_", "-"), value) for name, value in known.items())
    return head


class Tls(Value):
    """How to verify servers, and the client certificate for mutual TLS.

    Attributes:
        ca_bundle: a PEM file of trusted authorities; None: SSL_CERT_FILE, the system's, then certifi's.
        client_cert: a PEM file with the client's certificate (and key, if client_key is None).
        client_key: a PEM file with the client's key.
    """

    ca_bundle: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


class StoreOptions(Value):
    """How to access one store: the options of the constructor of `CloudFiles`, validated, independent of the protocol.

    `secrets` are not included in the repr, nor in pickles of a `CloudFiles`.
    """

    _hidden = frozenset({"secrets"})

    secrets: Any = None
    endpoint: str | None = None
    request_payer: str | None = None
    no_sign_request: bool = False
    locking: bool | None = None
    lock_dir: str | None = None
    composite_upload_threshold: int = 100_000_000  # bytes
    tls: Tls = Tls()
    connect_timeout: float = 10.0  # seconds
    read_timeout: float = 60.0  # seconds without a byte
    encoding_suffixes: bool | None = None  # on file://: whether `x.gz` is the key `x`; None: the default of the verb
    min_throughput: float = MIN_THROUGHPUT  # bytes per second, over the same time
    follow_external_symlinks: bool = False  # on file://: also follow those that lead out of the directory
    hedge: bool = True  # send reads again that wait for long
    max_concurrency: int | None = None  # of workers whose number is not given; None: that of the environment
