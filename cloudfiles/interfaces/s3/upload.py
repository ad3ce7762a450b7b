"""One object by one PUT: its headers, its digest, and what its answer proves."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping

from cloudfiles import integrity
from cloudfiles.exceptions import InvalidInputError, MD5IntegrityError, PreconditionFailedError
from cloudfiles.interfaces.s3.bucket import Bucket
from cloudfiles.interfaces.s3.checksums import UploadChecks
from cloudfiles.transport.request import Body, Dialect, Origin, Request, Response
from cloudfiles.types import WriteOptions

_PRINTABLE = re.compile(r"[\x20-\x7e]*", re.ASCII).fullmatch
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+", re.ASCII).fullmatch


def object_headers(options: WriteOptions) -> dict[str, str]:
    """What is stored with an object. Raises InvalidInputError for what a header cannot carry."""
    headers: dict[str, str] = {}
    if options.content_type is not None:
        headers["content-type"] = _checked("content_type", options.content_type)
    if options.encoding:
        headers["content-encoding"] = _checked("encoding", options.encoding)
    if options.cache_control is not None:
        headers["cache-control"] = _checked("cache_control", options.cache_control)
    if options.storage_class is not None:
        headers["x-amz-storage-class"] = _checked("storage_class", options.storage_class)
    if options.metadata:
        headers.update(_metadata_headers(options.metadata))
    return headers


def condition_headers(options: WriteOptions) -> dict[str, str]:
    """On what the write depends."""
    headers = {"if-none-match": "*"} if options.if_absent else {}
    if options.if_match is not None:
        headers["if-match"] = _checked("if_match", options.if_match)
    return headers


def _metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """S3 keeps metadata names in lower case, and takes nothing but ASCII over REST."""
    headers = {}
    for name, value in metadata.items():
        if not isinstance(name, str) or not _TOKEN(name):
            raise InvalidInputError(f"the metadata name {name!r} cannot be part of a header's name: "
                                    "letters, digits and -._ will do")
        headers[f"x-amz-meta-{name.lower()}"] = _checked(f"metadata {name!r}", value)
    return headers


def _checked(name: str, value: str) -> str:
    if not isinstance(value, str) or not _PRINTABLE(value) or value != value.strip():
        raise InvalidInputError(f"{name} {value!r} cannot be sent in a header: printable ASCII without spaces around "
                                "it will do (percent-encode, or use base64, for anything else)")
    return value


class ObjectPut(Request):
    """A PUT of a whole object or part. Gives the ETag. Sending it twice does no harm."""

    __slots__ = ("_checks",)

    def __init__(self, origin: Origin, target: str, headers: dict[str, str], body: Body, dialect: Dialect,
                 path: str, checks: UploadChecks) -> None:
        Request.__init__(self, origin, "PUT", target, headers, body, dialect=dialect, path=path)
        self._checks = checks

    def accept(self, response: Response) -> str | None:
        if response.status not in (200, 201, 204):
            raise self._refusal(response)
        self._checks.answered(response.headers)
        etag = response.headers.get("etag")
        sent = self.headers.get("content-md5")
        if sent is not None and etag:
            self._check_etag(binascii.a2b_base64(sent), etag, response.headers)
        return etag

    def _check_etag(self, md5: bytes, etag: str, headers: dict[str, str]) -> None:
        if etag.strip('"') == md5.hex():
            return
        for digest in integrity.digests_from_headers(headers, etag_is_md5=True):
            if digest.algorithm == "md5" and digest.value != md5:
                raise MD5IntegrityError(f"content of md5 {md5.hex()} was sent, the server holds {etag}", path=self.path)

    def _refusal(self, response: Response) -> Exception:
        error = self.dialect.refusal(self, response)
        # If-Match on a key that does not exist is answered 404, where everything else is answered 412.
        if response.status == 404 and "if-match" in self.headers and self.dialect.is_missing(response):
            return PreconditionFailedError(f"the object is missing, so it has not the ETag {self.headers['if-match']}",
                                           path=self.path)
        return error


def put_whole(bucket: Bucket, key: str, content: Body, digests: dict[str, str], options: WriteOptions) -> str | None:
    """Store `content` by one PUT. digests: the headers by which the server checks it."""
    headers = {**bucket.headers, **object_headers(options), **condition_headers(options), **digests}
    request = ObjectPut(bucket.origin, bucket.target(key), headers, content, bucket.dialect, key, bucket.checks)
    etag: str | None = bucket.client.send(request)
    return etag
