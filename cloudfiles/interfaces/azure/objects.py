"""Requests for one blob: reading it and its properties, and storing it by one Put Blob.

Directories of a hierarchical namespace are not objects. Byte ranges are requested by Range, which Azure accepts as
well as its own x-ms-range, and signs. CRC64 is the CRC-64/NVME, little endian: the polynomial is in Microsoft's own
libraries (azure-storage-extensions for Python, CRC64Polynomial of the Azure SDK for Go), and the service's recorded
responses agree. It costs a thirtieth of an md5.

Source: Azure Storage REST reference, "Get Blob", "Get Blob Properties", "Put Blob", "Specifying conditional headers",
"Naming and Referencing Containers, Blobs, and Metadata"; Data Lake Storage documentation, "Known issues" (a directory
appears on the Blob endpoint as an empty blob with the metadata hdi_isfolder).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from cloudfiles import integrity
from cloudfiles.credentials.signing.url_encoding import format_query, quote_key
from cloudfiles.exceptions import (
    AuthorizationError,
    IntegrityError,
    InvalidInputError,
    InvalidPathError,
    MD5IntegrityError,
    PreconditionFailedError,
)
from cloudfiles.inputs import ascii_header
from cloudfiles.interfaces.azure.endpoint import Endpoint
from cloudfiles.interfaces.azure.protocol import AzureProtocol
from cloudfiles.interfaces.bounded_read import BoundedRead
from cloudfiles.interfaces.object_read import ObjectHead, ObjectRead, head_from_headers
from cloudfiles.interfaces.part_read import PartRead
from cloudfiles.interfaces.store_requests import BucketExistsRequest, WriteRequest
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Body, FileBody, Origin, Response
from cloudfiles.transport.wire import Head
from cloudfiles.types import StoredObject, WriteOptions

MAX_PUT = 5000 << 20
"""Maximum size of one Put Blob, in bytes."""

CRC64_HEADER = "x-ms-content-crc64"
REQUEST_CRC64_HEADER = "x-ms-range-get-content-crc64"
MAX_CRC64_RANGE = 4 << 20
"""Maximum size of a range for which Azure computes it, in bytes."""


def crc64_of(content: integrity.Buffer) -> str:
    """The value of the header.

    >>> crc64_of(b"123456789")
    'iJh5CoYUi64='
    """
    crc = integrity.hasher("crc64nvme")
    crc.update(content)
    return b64encode(crc.digest()[::-1]).decode("ascii")


def block_header(content: integrity.Buffer, *, crc64: bool) -> dict[str, str]:
    """The header with which the server checks a block."""
    return {CRC64_HEADER: crc64_of(content)} if crc64 else {"content-md5": integrity.content_md5(content)}


def check_range(content: bytes, sent: str, path: str | None) -> None:
    """Raise IntegrityError if a body does not match the CRC64 in the response."""
    got = crc64_of(content)
    if got != sent:
        raise IntegrityError(f"crc64 mismatch: the {len(content)} bytes received have {got}, the response says {sent}",
                             path=path)


class AzureContainer:
    """A container below one path.

    Attributes:
        root: the prefix of the interface's keys in the container.
        base: the same in targets, including the address of the container.
        crc64: whether to use CRC64 instead of md5 for digests that are not stored.
        batch_deletes: whether the server supports bulk deletes, as far as known.
    """

    __slots__ = ("base", "batch_deletes", "client", "crc64", "origin", "protocol", "root", "runtime")

    def __init__(self, client: Client, runtime: Runtime, protocol: AzureProtocol, root: str, base: str, origin: Origin,
                 crc64: bool = False) -> None:
        self.client = client
        self.runtime = runtime
        self.protocol = protocol
        self.root = root
        self.base = base
        self.origin = origin
        self.crc64 = crc64
        self.batch_deletes = True

    def whole(self) -> AzureContainer:
        """The container, with the full names of blobs as keys."""
        return AzureContainer(self.client, self.runtime, self.protocol, "", f"{self.endpoint.container_target}/",
                              self.origin, self.crc64)

    @property
    def endpoint(self) -> Endpoint:
        return self.protocol.endpoint

    def target(self, key: str) -> str:
        """Raises InvalidPathError for a key that Azure cannot store."""
        if "." in key and not {".", ".."}.isdisjoint(key.split("/")):
            # Azure resolves them as in a URL: the request would refer to another object or container.
            raise InvalidPathError(f"{key!r} has a segment '.' or '..', which blob names cannot contain")
        if "\\" in key:
            raise InvalidPathError(f"{key!r} contains a backslash, which Azure treats as a slash: it would be a "
                                   "different key")
        if not key:
            raise InvalidPathError("the key must not be empty")
        return self.base + quote_key(key)

    def exists(self) -> bool:
        """Whether the server has the container. One that these credentials may not access counts as existing."""
        target = self.container_target({"restype": "container"})
        try:
            found: bool = self.client.send(BucketExistsRequest(self.origin, "HEAD", target, protocol=self.protocol))
        except AuthorizationError:
            return True
        return found

    def query_target(self, key: str, query: dict[str, str]) -> str:
        """The target of an operation on a blob that is selected by a query."""
        return f"{self.target(key)}?{format_query(query)}"

    def container_target(self, query: dict[str, str]) -> str:
        return f"{self.endpoint.container_target}?{format_query(query)}"


def is_directory(headers: dict[str, str]) -> bool:
    return headers.get("x-ms-resource-type") == "directory" or headers.get("x-ms-meta-hdi_isfolder") == "true"


class BlobRead(ObjectRead):
    """A GET of a blob, or a byte range of it."""

    __slots__ = ()

    def accept(self, response: Response) -> StoredObject | None:
        if response.status == 206:
            return self._checked(response)
        if not response.content and response.status == 200 and is_directory(response.headers):
            return None
        return super().accept(response)

    def _checked(self, response: Response) -> StoredObject | None:
        """A part, which is checked separately if its CRC64 was requested."""
        crc64 = response.headers.get(CRC64_HEADER)
        if crc64 is not None:
            check_range(response.content, crc64, self.path)
        stored = super().accept(response)
        if crc64 is not None and stored is not None and stored.content is response.content:
            stored.verified = "crc64nvme"
        return stored


class BlobPartRead(PartRead, BlobRead):
    """A GET of a part of a blob, which is passed on as it arrives, unless its CRC64 was requested."""

    __slots__ = ()

    def accepts(self, head: Head, length: int) -> bool:
        return CRC64_HEADER not in head.headers and super().accepts(head, length)


class BlobBoundedRead(BlobRead, BoundedRead):
    """A GET of a whole blob of at most so many bytes, with its headers. `Client.send` raises BodyTooLargeError."""

    __slots__ = ()


class BlobHead(ObjectHead):
    """A HEAD of a blob; returns the headers, or None if it is missing."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str] | None:
        headers = super().accept(response)
        return None if headers is None or is_directory(headers) else headers


class DirectoryHead(ObjectHead):
    """A HEAD of a blob; returns the headers, or None if it is not a directory of a hierarchical namespace."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, str] | None:
        headers = super().accept(response)
        return headers if headers is not None and is_directory(headers) else None


def head_of_blob(headers: dict[str, str]) -> dict[str, Any]:
    """The response headers as the fields of `types.HEAD_FIELDS`."""
    head = head_from_headers(headers)
    head["Storage-Class"] = headers.get("x-ms-access-tier")
    return head


_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII).fullmatch
_TIERS = {tier.lower(): tier for tier in ("Hot", "Cool", "Cold", "Archive", "Smart")}


def blob_headers(options: WriteOptions) -> dict[str, str]:
    """The headers that are stored with a blob. Raises InvalidInputError for values that cannot be sent in a header."""
    headers = {f"x-ms-blob-{name.replace('_', '-')}": checked(name, value) for name, value in (
        ("content_type", options.content_type), ("content_encoding", options.encoding or None),
        ("cache_control", options.cache_control), ("content_disposition", options.content_disposition),
        ("content_language", options.content_language)) if value is not None}
    if options.storage_class is not None:
        tier = checked("storage_class", options.storage_class)
        headers["x-ms-access-tier"] = _TIERS.get(tier.lower(), tier)
    if options.metadata:
        headers.update(metadata_headers(options.metadata))
    return headers


def condition_headers(options: WriteOptions) -> dict[str, str]:
    """The conditions of a write."""
    headers = {"if-none-match": "*"} if options.if_absent else {}
    if options.if_match is not None:
        headers["if-match"] = checked("if_match", options.if_match)
    return headers


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Azure accepts C# identifiers as names, ignoring case, and ASCII values."""
    headers = {}
    for name, value in metadata.items():
        if not isinstance(name, str) or not _IDENTIFIER(name):
            raise InvalidInputError(f"invalid metadata name {name!r}: Azure allows letters, digits and '_', and no "
                                    "digit at the start")
        headers[f"x-ms-meta-{name.lower()}"] = checked(f"metadata {name!r}", value)
    return headers


def checked(name: str, value: str) -> str:
    """`value` for a header. Raises InvalidInputError."""
    if "  " in ascii_header(name, value):  # signatures are computed with single spaces
        raise InvalidInputError(f"{name} {value!r} cannot be sent to Azure: it contains two spaces in a row")
    return value


class BlobPut(WriteRequest):
    """A PUT of a blob, a block of it, or its block list. Returns the ETag, if there is one."""

    __slots__ = ()

    def __init__(self, container: AzureContainer, target: str, headers: dict[str, str], body: Body, path: str) -> None:
        WriteRequest.__init__(self, container.origin, "PUT", target, headers, body, protocol=container.protocol,
                              path=path)

    def accept(self, response: Response) -> str | None:
        if response.status == 201:
            if "etag" not in response.headers and not self._writes_block:
                self.protocol.check_object(response, self.path)
            self._check_digest(response.headers)
            return response.headers.get("etag")
        error = self.to_error(response)
        if response.status == 404 and "if-match" in self.headers and self.protocol.is_missing(response):
            raise PreconditionFailedError(f"the object is missing; expected the ETag {self.headers['if-match']}",
                                          path=self.path)
        raise error

    @property
    def _writes_block(self) -> bool:
        """Whether it is a Put Block, whose response has no ETag."""
        return "comp=block" in self.target.partition("?")[2].split("&")

    def _check_digest(self, headers: Mapping[str, str]) -> None:
        """The Content-MD5 of the response is that of the received body."""
        sent, arrived = self.headers.get("content-md5"), headers.get("content-md5")
        if sent is not None and arrived is not None and sent != arrived:
            raise MD5IntegrityError(f"md5 mismatch: content with {sent} was sent, the server received {arrived}",
                                    path=self.path)


def put_whole(container: AzureContainer, key: str, content: Body, options: WriteOptions) -> str | None:
    """Store `content` with one request. The server checks its md5 and stores it, so that reads can be checked."""
    md5 = _md5(container, content)
    headers = {"x-ms-blob-type": "BlockBlob", **blob_headers(options), **condition_headers(options), "content-md5": md5}
    request = BlobPut(container, container.target(key), headers, content, key)
    try:
        etag: str | None = container.client.send(request)
    except PreconditionFailedError:
        found = head_blob(container, key) if request.may_have_acted else None
        if found is None or found.get("content-md5") != md5:
            raise
        # An earlier attempt stored it and its response was lost: the condition failed because of our own blob.
        etag = found.get("etag")
    return etag


def head_blob(container: AzureContainer, key: str) -> dict[str, str] | None:
    """The headers of a blob; None if it is missing."""
    found: dict[str, str] | None = container.client.send(
        BlobHead(container.origin, "HEAD", container.target(key), {}, protocol=container.protocol, path=key))
    return found


def _md5(container: AzureContainer, content: Body) -> str:
    if isinstance(content, FileBody):
        return container.runtime.run_in_thread(md5_of_pieces, content.pieces())
    if len(content) > RUN_IN_THREAD_BYTES:
        return container.runtime.run_in_thread(integrity.content_md5, content)
    return integrity.content_md5(content)


def md5_of_pieces(pieces: Iterable[integrity.Buffer]) -> str:
    """The value of a Content-MD5 header, for content in pieces."""
    hasher = integrity.hasher("md5")
    for piece in pieces:
        hasher.update(piece)
    return b64encode(hasher.digest()).decode("ascii")
