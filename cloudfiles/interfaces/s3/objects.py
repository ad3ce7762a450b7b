"""Requests for one object: reading its headers and its ACL, and storing it by one PUT.

Source: Amazon S3 API Reference, HeadObject, GetObjectAcl and PutObject.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cloudfiles import integrity
from cloudfiles.credentials.signing.url_encoding import format_query, quote_key
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    InvalidInputError,
    InvalidPathError,
    MissingCredentialsError,
    PreconditionFailedError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.inputs import ascii_header
from cloudfiles.interfaces.documents import fields_of, local_name, parse_xml
from cloudfiles.interfaces.object_read import ObjectHead, ObjectRead
from cloudfiles.interfaces.s3.checksums import UploadChecksums, check_stored_crc, check_written, is_object_of
from cloudfiles.interfaces.s3.protocol import S3Protocol
from cloudfiles.interfaces.store_requests import WriteRequest
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Body, FileBody, Origin, ProviderProtocol, Request, Response
from cloudfiles.types import WriteOptions

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

MAX_PUT = 5 << 30
"""Maximum size of one PUT, in bytes."""


class S3Bucket:
    """A bucket below one path.

    Attributes:
        root: the prefix of the interface's keys in the bucket.
        base: the same in targets, including the address of the bucket.
        headers: the headers of every request; to be copied.
        checks: how this server checks uploads.
        bulk_deletes: whether the server supports bulk deletes, as far as known.
        honors_conditions: whether the server is known to support If-Match and If-None-Match on writes.
    """

    def __init__(self, client: Client, runtime: Runtime, protocol: S3Protocol, checks: UploadChecksums, root: str,
                 base: str, headers: dict[str, str], honors_conditions: bool, bulk_deletes: bool = True) -> None:
        self.client = client
        self.runtime = runtime
        self.protocol = protocol
        self.checks = checks
        self.root = root
        self.base = base
        self.headers = headers
        self.honors_conditions = honors_conditions
        self.bulk_deletes = bulk_deletes

    @property
    def origin(self) -> Origin:
        """The current protocol; it changes when the region is learned."""
        return self.protocol.endpoint.origin

    def target(self, key: str) -> str:
        """Raises InvalidPathError for a key that S3 cannot store."""
        if not key:
            raise InvalidPathError("the key must not be empty")
        return self.base + quote_key(key)

    def query_target(self, key: str, query: dict[str, str]) -> str:
        """The target of a subresource of an object, such as an upload."""
        return f"{self.target(key)}?{format_query(query)}"


class XmlRequest(Request):
    """A request whose response is an XML document, or an error even with status 200. Returns the document."""

    __slots__ = ()

    def accept(self, response: Response) -> ET.Element:
        if response.status >= 300:
            raise self.to_error(response)
        document = parse_xml(response, "the response", self.path)
        if local_name(document) == "Error":
            raise self.to_error(response)
        return document


def head_object(bucket: S3Bucket, key: str, headers: dict[str, str]) -> dict[str, str] | None:
    """The headers of an object; None if it is missing.

    A rejected HEAD has no body and therefore no error code. The reason is requested once, by a GET of one byte.
    """
    try:
        return _head(bucket, key, headers)
    except MissingCredentialsError:
        raise
    except (AuthorizationError, ServerError) as error:
        if isinstance(error, ServerError) and (error.status != 400 or error.code):
            raise
        _ask_why(bucket, key, headers)
    return _head(bucket, key, headers)  # the GET was not rejected, perhaps because credentials were renewed


def _head(bucket: S3Bucket, key: str, headers: dict[str, str]) -> dict[str, str] | None:
    found: dict[str, str] | None = bucket.client.send(
        ObjectHead(bucket.origin, "HEAD", bucket.target(key), headers.copy(), protocol=bucket.protocol, path=key))
    return found


def _ask_why(bucket: S3Bucket, key: str, headers: dict[str, str]) -> None:
    """Raises the error with which the same request by GET is rejected."""
    request = ObjectRead(bucket.origin, bucket.target(key), headers.copy(), bucket.protocol, key, 0, 1)
    request.single_connection = True  # in case a server responds with the whole object
    bucket.client.send(request)


class BucketHead(Request):
    """A HEAD of the bucket: whether it exists, not whether it may be accessed."""

    __slots__ = ()

    def accept(self, response: Response) -> bool:
        if response.status >= 300 and response.status != 404:
            raise self.to_error(response)
        return response.status < 300


_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def read_acl(bucket: S3Bucket, key: str) -> dict[str, Any] | None:
    """`{'Owner': {...}, 'Grants': [{'Grantee': {...}, 'Permission': ...}]}`; None if the object is missing."""
    found: dict[str, Any] | None = bucket.client.send(_AclRequest(
        bucket.origin, "GET", bucket.query_target(key, {"acl": ""}), bucket.headers.copy(), protocol=bucket.protocol,
        path=key))
    return found


class _AclRequest(Request):
    """Returns the list as a dict; None if the object is missing."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, Any] | None:
        if response.status != 200:
            if self.protocol.is_missing(response):
                return None
            raise self.to_error(response)
        document = parse_xml(response, "the access control list", self.path)
        space, _, tag = document.tag.rpartition("}")
        if tag != "AccessControlPolicy":
            raise self.to_error(response)
        space += "}" if space else ""
        grants = [{"Grantee": _grantee(grant.find(f"{space}Grantee")),
                   "Permission": grant.findtext(f"{space}Permission") or ""}
                  for grant in document.iter(f"{space}Grant")]
        return {"Owner": fields_of(document.find(f"{space}Owner")), "Grants": grants}


def _grantee(element: ET.Element | None) -> dict[str, str]:
    kind = None if element is None else element.get(_TYPE)
    return fields_of(element) | ({"Type": kind} if kind else {})


_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+", re.ASCII).fullmatch


def object_headers(options: WriteOptions) -> dict[str, str]:
    """The headers that are stored with an object. Raises InvalidInputError for values that a header cannot contain."""
    headers: dict[str, str] = {}
    if options.content_type is not None:
        headers["content-type"] = ascii_header("content_type", options.content_type)
    if options.encoding:
        headers["content-encoding"] = ascii_header("encoding", options.encoding)
    if options.cache_control is not None:
        headers["cache-control"] = ascii_header("cache_control", options.cache_control)
    if options.content_disposition is not None:
        headers["content-disposition"] = ascii_header("content_disposition", options.content_disposition)
    if options.content_language is not None:
        headers["content-language"] = ascii_header("content_language", options.content_language)
    if options.storage_class is not None:
        headers["x-amz-storage-class"] = ascii_header("storage_class", options.storage_class)
    if options.metadata:
        headers.update(_metadata_headers(options.metadata))
    return headers


def condition_headers(options: WriteOptions) -> dict[str, str]:
    """The conditions of a write."""
    headers = {"if-none-match": "*"} if options.if_absent else {}
    if options.if_match is not None:
        headers["if-match"] = ascii_header("if_match", options.if_match)
    return headers


def _metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """S3 stores metadata names in lower case, and accepts only ASCII over REST."""
    headers = {}
    for name, value in metadata.items():
        if not isinstance(name, str) or not _TOKEN(name):
            raise InvalidInputError(f"invalid metadata name {name!r}: S3 allows letters, digits and -._")
        headers[f"x-amz-meta-{name.lower()}"] = ascii_header(f"metadata {name!r}", value)
    return headers


class ObjectPut(WriteRequest):
    """A PUT of a whole object, or of a part. Returns the ETag."""

    __slots__ = ("_checks",)

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], body: Body, protocol: ProviderProtocol,
                 path: str, checks: UploadChecksums) -> None:
        WriteRequest.__init__(self, origin, "PUT", target, headers, body, protocol=protocol, path=path)
        self._checks = checks

    def accept(self, response: Response) -> str | None:
        if response.status not in (200, 201, 204):
            raise self._rejection(response)
        if b"<Error" in response.content:  # it is unknown whether it was stored
            raise self.to_error(response)
        if "etag" not in response.headers:
            self.protocol.check_object(response, self.path)
        self._checks.learn(response.headers)
        check_stored_crc(self.headers, response.headers, self.path)
        sent = self.headers.get("content-md5")
        if sent is not None and "etag" in response.headers:
            check_written(a2b_base64(sent), response.headers, self.path)
        return response.headers.get("etag")

    def _rejection(self, response: Response) -> Exception:
        error = self.to_error(response)
        # If-Match on a missing key gives 404; all other mismatches give 412.
        if response.status == 404 and "if-match" in self.headers and self.protocol.is_missing(response):
            return PreconditionFailedError(f"the object is missing; expected the ETag {self.headers['if-match']}",
                                           path=self.path)
        return error


def digest_headers(bucket: S3Bucket, checks: UploadChecksums, content: Body) -> dict[str, str]:
    """The headers with which the server checks `content`; computed in a thread if that takes long."""
    if isinstance(content, FileBody):
        return bucket.runtime.run_in_thread(checks.headers_of_pieces, content.pieces())
    if len(content) > RUN_IN_THREAD_BYTES:
        return bucket.runtime.run_in_thread(checks.headers, content)
    return checks.headers(content)


def put_whole(bucket: S3Bucket, key: str, content: Body, options: WriteOptions) -> str | None:
    """Store `content` with one PUT."""
    digests = digest_headers(bucket, bucket.checks, content)
    conditions = condition_headers(options)
    headers = {**bucket.headers, **object_headers(options), **conditions, **digests}
    if conditions:
        check_conditions(bucket, key, options)
    request = ObjectPut(bucket.origin, bucket.target(key), headers, content, bucket.protocol, key, bucket.checks)
    etag: str | None
    try:
        etag = bucket.client.send(request)
    except ServerError as error:
        raise condition_error(error, conditions) from error
    except PreconditionFailedError:
        bucket.honors_conditions = True
        found = head_with_checksums(bucket, key) if request.may_have_acted else None
        if found is None or not is_object_of(_pieces(content), found):
            raise
        # An earlier attempt stored it and its response was lost: the condition failed because of our own object.
        etag = found.get("etag")
    return etag


def condition_error(error: CloudFilesError, conditions: Mapping[str, str]) -> CloudFilesError:
    """`error`, or the error to raise if a conditional write was rejected with 501 (S3's NotImplemented)."""
    if not conditions or not isinstance(error, ServerError) or error.status != 501:
        return error
    return UnsupportedOperationError("this server does not support conditional writes (if_absent=, if_match=): "
                                     f"{error.args[0]}",
                                     path=error.path, attempts=error.attempts, elapsed=error.elapsed)


def check_conditions(bucket: S3Bucket, key: str, options: WriteOptions) -> None:
    """Check the object first if the server is not known to support conditions: some silently ignore them.

    Raises PreconditionFailedError.
    """
    if bucket.honors_conditions:
        return
    found = head_with_checksums(bucket, key)
    if options.if_absent and found is not None:
        raise PreconditionFailedError("the object already exists", path=key)
    etag = None if found is None else found.get("etag")
    if options.if_match is not None and etag != options.if_match:
        state = "is missing" if found is None else f"has the ETag {etag}"
        raise PreconditionFailedError(f"the object {state}; expected the ETag {options.if_match}", path=key)


def head_with_checksums(bucket: S3Bucket, key: str) -> dict[str, str] | None:
    """The headers of an object, including checksums; None if it is missing."""
    headers = {**bucket.headers, "x-amz-checksum-mode": "ENABLED"}
    return head_object(bucket, key, headers)


def _pieces(content: Body) -> Iterable[integrity.Buffer]:
    return content.pieces() if isinstance(content, FileBody) else [content]
