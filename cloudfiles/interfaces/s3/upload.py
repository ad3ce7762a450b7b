"""One object by one PUT: its headers, its digest, and what its answer proves."""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterable, Mapping

from cloudfiles import integrity
from cloudfiles.exceptions import (
    CloudFilesError,
    InvalidInputError,
    PreconditionFailedError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.inputs import ascii_header
from cloudfiles.interfaces.s3.bucket import S3Bucket
from cloudfiles.interfaces.s3.checksums import UploadChecks, check_written, is_object_of
from cloudfiles.interfaces.s3.reading import head_object
from cloudfiles.retry import REFUSED_STATUS
from cloudfiles.transport.request import Body, FileBody, Origin, ProviderProtocol, Request, Response
from cloudfiles.types import WriteOptions

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+", re.ASCII).fullmatch


def object_headers(options: WriteOptions) -> dict[str, str]:
    """What is stored with an object. Raises InvalidInputError for what a header cannot carry."""
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
    """On what the write depends."""
    headers = {"if-none-match": "*"} if options.if_absent else {}
    if options.if_match is not None:
        headers["if-match"] = ascii_header("if_match", options.if_match)
    return headers


def _metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """S3 keeps metadata names in lower case, and takes nothing but ASCII over REST."""
    headers = {}
    for name, value in metadata.items():
        if not isinstance(name, str) or not _TOKEN(name):
            raise InvalidInputError(f"invalid metadata name {name!r}: S3 allows letters, digits and -._")
        headers[f"x-amz-meta-{name.lower()}"] = ascii_header(f"metadata {name!r}", value)
    return headers


class ObjectPut(Request):
    """A PUT of a whole object, or of a part. Gives the ETag.

    Attributes:
        rejections: attempts that the server rejected without acting on them.
    """

    __slots__ = ("_checks", "rejections")

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], body: Body, protocol: ProviderProtocol,
                 path: str, checks: UploadChecks) -> None:
        Request.__init__(self, origin, "PUT", target, headers, body, protocol=protocol, path=path)
        self._checks = checks
        self.rejections = 0

    @property
    def may_have_acted(self) -> bool:
        """Whether a try that failed may have stored the object nevertheless."""
        return self.retries > self.rejections

    def accept(self, response: Response) -> str | None:
        if response.status not in (200, 201, 204):
            raise self._to_error(response)
        if b"<Error" in response.content:  # whether it was stored nobody knows
            raise self.protocol.to_error(self, response)
        if "etag" not in response.headers:
            self.protocol.check_object(response, self.path)
        self._checks.learn(response.headers)
        sent = self.headers.get("content-md5")
        if sent is not None and "etag" in response.headers:
            check_written(a2b_base64(sent), response.headers, self.path)
        return response.headers.get("etag")

    def _to_error(self, response: Response) -> Exception:
        error = self.protocol.to_error(self, response)
        self.rejections += response.status < 500 or response.status in REFUSED_STATUS
        # If-Match on a key that does not exist is answered 404, where everything else is answered 412.
        if response.status == 404 and "if-match" in self.headers and self.protocol.is_missing(response):
            return PreconditionFailedError(f"the object is missing; expected the ETag {self.headers['if-match']}",
                                           path=self.path)
        return error


def put_whole(bucket: S3Bucket, key: str, content: Body, digests: dict[str, str], options: WriteOptions) -> str | None:
    """Store `content` by one PUT. digests: the headers by which the server checks it."""
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
        found = head_object_again(bucket, key) if request.may_have_acted else None
        if found is None or not is_object_of(_pieces(content), found):
            raise
        # The first try had stored it and only its answer was lost: the condition failed on our own object.
        etag = found.get("etag")
    return etag


def condition_error(error: CloudFilesError, conditions: Mapping[str, str]) -> CloudFilesError:
    """`error`, or what it means where a write under these conditions was refused by 501 (S3's NotImplemented)."""
    if not conditions or not isinstance(error, ServerError) or error.status != 501:
        return error
    return UnsupportedOperationError("this server does not support conditional writes (if_absent=, if_match=): "
                                     f"{error.args[0]}",
                                     path=error.path, attempts=error.attempts, elapsed=error.elapsed)


def check_conditions(bucket: S3Bucket, key: str, options: WriteOptions) -> None:
    """Look at the object first where the server is not known to heed conditions: some ignore them without a word.

    Raises PreconditionFailedError.
    """
    if bucket.honors_conditions:
        return
    found = head_object_again(bucket, key)
    if options.if_absent and found is not None:
        raise PreconditionFailedError("the object already exists", path=key)
    etag = None if found is None else found.get("etag")
    if options.if_match is not None and etag != options.if_match:
        state = "is missing" if found is None else f"has the ETag {etag}"
        raise PreconditionFailedError(f"the object {state}; expected the ETag {options.if_match}", path=key)


def head_object_again(bucket: S3Bucket, key: str) -> dict[str, str] | None:
    """The headers of an object, checksums included; None where it is missing."""
    headers = {**bucket.headers, "x-amz-checksum-mode": "ENABLED"}
    return head_object(bucket, key, headers)


def _pieces(content: Body) -> Iterable[integrity.Buffer]:
    return content.pieces() if isinstance(content, FileBody) else [content]
