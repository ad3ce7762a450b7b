"""Requests for one object: reading the stored bytes of one generation, and storing it by one request.

Source: Cloud Storage JSON API reference; Cloud Storage docs, "Encoding URI path parts", "Transcoding of gzip-compressed
files", "Request preconditions", "Downloads" and "Upload objects" (multipart/related).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from cloudfiles import integrity
from cloudfiles.compression import decompress
from cloudfiles.credentials.signing.url_encoding import format_query, quote_key
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    IntegrityError,
    InvalidPathError,
    PreconditionFailedError,
    ProtocolError,
)
from cloudfiles.interfaces.bounded_read import SizeLimit
from cloudfiles.interfaces.gs.endpoint import Endpoint
from cloudfiles.interfaces.gs.protocol import BucketRequest, GsProtocol, JsonRequest
from cloudfiles.interfaces.gs.resource import (
    RESOURCE,
    WRITTEN_FIELDS,
    check_written,
    crc_text,
    etag_of,
    generation_of,
    has_content,
    resource_of,
)
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.interfaces.part_read import PartRead
from cloudfiles.interfaces.store_requests import BucketExistsRequest
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Body, FileBody, Origin, ProviderProtocol, Response
from cloudfiles.types import StoredObject, WriteOptions


class GsBucket:
    """A bucket below one path.

    Args:
        name: the name of the bucket.
        root: the prefix of the interface's keys in the bucket.

    Attributes:
        user_project: the project billed for requests; None for the owner of the bucket.
        composable: whether uploads may be composed of parts; None if not yet known.
        batch_deletes: whether the server supports bulk deletes, as far as known.
    """

    __slots__ = ("batch_deletes", "client", "composable", "endpoint", "name", "protocol", "root", "runtime",
                 "user_project")

    def __init__(self, client: Client, runtime: Runtime, protocol: GsProtocol, endpoint: Endpoint, name: str, root: str
                 ) -> None:
        self.client = client
        self.runtime = runtime
        self.protocol = protocol
        self.endpoint = endpoint
        self.name = name
        self.root = root
        self.user_project: str | None = None
        self.composable: bool | None = None
        self.batch_deletes = True

    # ---- targets

    @property
    def bucket_target(self) -> str:
        return f"{self.endpoint.path}/storage/v1/b/{quote_key(self.name)}"

    @property
    def upload_target(self) -> str:
        return f"{self.endpoint.path}/upload/storage/v1/b/{quote_key(self.name)}/o"

    def full_name(self, key: str) -> str:
        """The full name of an object. Raises InvalidPathError for a key that Cloud Storage cannot store."""
        if not key:
            raise InvalidPathError("the key must not be empty")
        name = self.root + key
        if name in (".", ".."):  # in a URL path, anything that resolves them on the way refers to the bucket
            raise InvalidPathError(f"Cloud Storage does not allow objects named {name!r}")
        return name

    def target(self, name: str, operation: str = "", **query: str | None) -> str:
        """The target of the object with this full name, or of an operation on it."""
        return self.with_query(f"{self.bucket_target}/o/{quote_name(name)}{operation}", **query)

    def with_query(self, target: str, **query: str | None) -> str:
        """`target` with the parameters that are not None, and with the billed project."""
        named = {name: value for name, value in query.items() if value is not None}
        if self.user_project is not None:
            named["userProject"] = self.user_project
        return f"{target}?{format_query(named)}" if named else target

    # ---- requests

    def send_json(self, method: str, target: str, body: Body = b"", *,
                  path: str | None = None) -> dict[str, Any] | None:
        """The JSON response to a request; None if the object is missing."""
        found: dict[str, Any] | None = self.client.send(self.request(method, target, body, path=path))
        return found

    def request(self, method: str, target: str, body: Body = b"", *, path: str | None = None) -> JsonRequest:
        headers = {"content-type": "application/json"} if len(body) else {}
        return JsonRequest(self.endpoint.origin, method, target, headers, body, protocol=self.protocol, path=path)

    def exists(self) -> bool:
        """Whether the server has the bucket. One that these credentials may not access counts as existing."""
        target = self.with_query(self.bucket_target, fields="name")
        try:
            found: bool = self.client.send(
                BucketExistsRequest(self.endpoint.origin, "GET", target, protocol=self.protocol))
        except AuthorizationError:
            return True
        return found

    def resource(self, name: str, fields: str, path: str | None = None,
                 generation: str | None = None) -> dict[str, Any] | None:
        """The resource of the object with this full name; None if it is missing.

        Raises PreconditionFailedError if it does not have the given generation.
        """
        return self.send_json("GET", self.target(name, fields=fields, ifGenerationMatch=generation), path=path)


def quote_name(name: str) -> str:
    """The name of an object as one segment of a URL path."""
    return quote_key(name).replace("/", "%2F")


READ_HEADERS = {"accept-encoding": "gzip"}
"""Accepting gzip returns the stored bytes. Otherwise, the server decompresses objects stored as gzip, and ignores
ranges of them."""

GENERATION = "x-goog-generation"

_PIN = "&ifGenerationMatch="


class GsRead(ObjectRead):
    """A GET of an object or a byte range of it, tied to its generation if it is resumed.

    An ETag also changes with the metadata, and not every response has one; a generation identifies the bytes only.
    """

    __slots__ = ()

    def accept(self, response: Response) -> StoredObject | None:
        if response.status not in (200, 206):
            return ObjectRead.accept(self, response)
        generation = response.headers.get(GENERATION)
        if self._condition is not None and generation not in (None, self._condition):
            raise self._changed()  # the server ignores conditions
        if _is_transcoded(response.headers):
            self._undo_transcoding(response)
        stored = ObjectRead.accept(self, response)
        if stored is not None:
            stored.generation = generation
        return stored

    def part(self, start: int, end: int) -> GsRead:
        target, _, generation = self.target.partition(_PIN)
        part = GsRead(self.origin, target, READ_HEADERS.copy(), self.protocol, self.path or "", start, end)
        if generation:
            part.require(StoredObject(None, generation=generation))
        return part

    def require(self, version: StoredObject) -> None:
        if version.generation is None:
            raise ProtocolError(f"{RESOURCE} has no 'generation'", path=self.path)
        ObjectRead.require(self, version)

    def _validator(self, headers: dict[str, str]) -> str | None:
        return None if _is_transcoded(headers) else headers.get(GENERATION)

    def _pin(self, validator: str) -> None:
        if _PIN not in self.target:
            self.target += f"{_PIN}{validator}"

    def _is_same_version(self, headers: dict[str, str]) -> bool:
        return self._first_headers is None or headers.get(GENERATION) == self._first_headers.get(GENERATION)

    def restart(self) -> None:
        ObjectRead.restart(self)
        self.headers.pop("if-match", None)
        if self._condition is None:
            self.target = self.target.partition(_PIN)[0]

    def _undo_transcoding(self, response: Response) -> None:
        """Restore the stored bytes if a proxy has compressed them, which it may do with a whole object."""
        headers = response.headers
        stored, sent = headers["x-goog-stored-content-encoding"], headers.get("content-encoding", "identity")
        if stored != "identity" or sent != "gzip" or "range" in self.headers:
            raise ProtocolError(f"the object is stored with the encoding {stored}, but was sent with {sent}, although "
                                "it was requested as stored: a proxy or cache changes it", path=self.path)
        response.content = decompress(response.content, "gzip", self.path or "")
        del headers["content-encoding"]


class GsPartRead(PartRead, GsRead):
    """A GET of a part of an object, which is passed on as it arrives."""

    __slots__ = ()


class MediaObject(StoredObject):
    """An object as described by a read: with all headers, but without its metadata, which reads of the JSON API do not
    return (Go client's reference, Reader.Metadata).

    Attributes:
        key: the key for requesting the metadata.
    """

    __slots__ = ("key",)

    def __init__(self, stored: StoredObject, key: str) -> None:
        StoredObject.__init__(self, stored.content, stored.encoding, stored.verified, stored.etag, stored.size,
                              stored.headers, stored.generation)
        self.key = key


class GsBoundedRead(GsRead):
    """A GET of a whole object of up to `max_size` bytes. Returns a MediaObject; `Client.send` raises
    BodyTooLargeError."""

    __slots__ = ("_limit", "receiver")

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], protocol: ProviderProtocol, path: str,
                 max_size: int) -> None:
        GsRead.__init__(self, origin, target, headers, protocol, path)
        self.receiver = self._limit = SizeLimit(max_size)

    def accept(self, response: Response) -> StoredObject | None:
        if self._limit.memory is not None:
            response.content = self._limit.memory.content()
        return GsRead.accept(self, response)

    def _whole(self, content: bytes, headers: dict[str, str]) -> StoredObject:
        stored = GsRead._whole(self, content, headers)
        return MediaObject(StoredObject(stored.content, stored.encoding, stored.verified, stored.etag, None, headers),
                           self.path or "")


def described_media(headers: Mapping[str, str], key: str) -> MediaObject:
    """The object that the headers of a read describe, without its content."""
    size = headers.get("x-goog-stored-content-length") or headers.get("content-length", "")
    encoding = headers.get("x-goog-stored-content-encoding", headers.get("content-encoding", ""))
    return MediaObject(StoredObject(
        None, "" if encoding == "identity" else encoding, "", headers.get("etag"),
        int(size) if size.isascii() and size.isdigit() else None, headers, headers.get(GENERATION)), key)


def _is_transcoded(headers: dict[str, str]) -> bool:
    stored = headers.get("x-goog-stored-content-encoding")
    return stored is not None and stored != headers.get("content-encoding", "identity")


_BOUNDARY = secrets.token_hex(16)
"""Random in every process, so that content cannot contain it intentionally."""

_JOIN = 256 * 1024
"""Size of content in bytes up to which the body is assembled in memory."""


# ---- conditions


def condition_of(bucket: GsBucket, key: str, options: WriteOptions) -> str | None:
    """The generation that the write may replace; '0' for none, None for any.

    The condition of a write is a generation, so the object of an ETag is looked up first. Servers that are not
    Google's may silently ignore conditions, so the object is also looked up before it is created there.
    Raises PreconditionFailedError if the object is already a different one.
    """
    if options.if_match is None and (not options.if_absent or bucket.endpoint.is_google):
        return "0" if options.if_absent else None
    found = bucket.resource(bucket.full_name(key), "etag,generation", key)
    if options.if_absent and found is not None:
        raise PreconditionFailedError("the object already exists", path=key)
    if options.if_match is None:
        return "0"
    if found is None or found.get("etag") != options.if_match:
        state = "is missing" if found is None else f"has the ETag {found.get('etag')}"
        raise PreconditionFailedError(f"the object {state}; expected the ETag {options.if_match}", path=key)
    return generation_of(found, key)


def find_own_write(bucket: GsBucket, key: str, crc: bytes, size: int) -> dict[str, Any] | None:
    """The object, if it has the content that was sent: after a lost response, a condition may fail because of our own
    object."""
    found = bucket.resource(bucket.full_name(key), WRITTEN_FIELDS, key)
    return found if found is not None and has_content(found, crc, size) else None


# ---- bodies


class RelatedBody(FileBody):
    """Metadata and content as one multipart/related body (RFC 2387), sent in pieces."""

    def __init__(self, head: bytes, content: Body, tail: bytes) -> None:
        self._head = head
        self._content = content
        self._tail = tail
        self.length = len(head) + len(content) + len(tail)

    def pieces(self) -> Iterator[bytes]:
        yield self._head
        yield from pieces_of(self._content)
        yield self._tail


def pieces_of(content: Body) -> Iterable[bytes]:
    """Content of any type in pieces."""
    if isinstance(content, FileBody):
        return content.pieces()
    if isinstance(content, bytes):
        return (content,)
    view = memoryview(content)
    return (bytes(view[at:at + FileBody.PIECE]) for at in range(0, len(view), FileBody.PIECE))


def related_body(resource: dict[str, Any], content: Body) -> Body:
    """`resource` and `content` as a request body."""
    content_type = resource.get("contentType", "application/octet-stream")
    head = (f"--{_BOUNDARY}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{json.dumps(resource)}\r\n"
            f"--{_BOUNDARY}\r\ncontent-type: {content_type}\r\ncontent-transfer-encoding: binary\r\n\r\n").encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    if isinstance(content, FileBody) or len(content) > _JOIN:
        return RelatedBody(head, content, tail)
    return b"".join((head, content, tail))


# ---- writing


def crc_of(bucket: GsBucket, content: Body) -> bytes:
    """The crc32c of content; computed in a thread if that takes long."""
    if len(content) > RUN_IN_THREAD_BYTES:
        return bucket.runtime.run_in_thread(_crc_of, content)
    return _crc_of(content)


def _crc_of(content: Body) -> bytes:
    hasher = integrity.hasher("crc32c")
    for piece in pieces_of(content):
        hasher.update(piece)
    return hasher.digest()


def put_whole(bucket: GsBucket, key: str, content: Body, options: WriteOptions) -> str | None:
    """Store `content` with one request. The server checks its crc32c before it stores anything. Returns the ETag."""
    resource = resource_of(options)
    condition = condition_of(bucket, key, options)
    crc = crc_of(bucket, content)
    return etag_of(put_resource(bucket, key, bucket.full_name(key), resource, content, crc, condition))


def put_resource(bucket: GsBucket, key: str, name: str, resource: dict[str, Any], content: Body, crc: bytes,
                 condition: str | None = None) -> dict[str, Any]:
    """Store `content` as the object with the full name `name`; returns its WRITTEN_FIELDS."""
    size = len(content)
    target = bucket.with_query(bucket.upload_target, uploadType="multipart", name=name, fields=WRITTEN_FIELDS,
                               ifGenerationMatch=condition)
    request = BucketRequest(
        bucket.endpoint.origin, "POST", target, {"content-type": f"multipart/related; boundary={_BOUNDARY}"},
        related_body({**resource, "crc32c": crc_text(crc)}, content), protocol=bucket.protocol, path=key)
    written: dict[str, Any]
    try:
        written = bucket.client.send(request)
    except PreconditionFailedError:
        found = find_own_write(bucket, key, crc, size) if request.may_have_acted else None
        if found is None:
            raise
        written = found
    check_written(written, crc, size, key)
    return written


def verify_assembled(bucket: GsBucket, key: str, written: dict[str, Any], crc: bytes, size: int) -> None:
    """Check an object that was composed of parts; it is removed if it differs from the content sent.

    Raises IntegrityError.
    """
    try:
        check_written(written, crc, size, key)
    except IntegrityError:
        with suppress(CloudFilesError):
            target = bucket.target(bucket.full_name(key), ifGenerationMatch=written.get("generation"))
            bucket.send_json("DELETE", target, path=key)
        raise
