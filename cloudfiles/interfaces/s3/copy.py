"""Copies inside S3: with one CopyObject, or in parts if the object is too large for that.

Source: Amazon S3 API Reference, CopyObject and UploadPartCopy. Both may return an error inside a 200.
"""

from __future__ import annotations

from collections.abc import Callable

from cloudfiles.credentials.signing.url_encoding import quote_key
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    IntegrityError,
    ObjectChangedError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.documents import child_text, local_name, parse_xml
from cloudfiles.interfaces.multipart import send_parts
from cloudfiles.interfaces.s3.multipart import MAX_PARTS, Part, S3Upload
from cloudfiles.interfaces.s3.objects import S3Bucket, head_with_checksums, object_headers
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.transport.request import Request, Response
from cloudfiles.transport.web_page import is_web_page
from cloudfiles.types import StoredObject, WriteOptions
from cloudfiles.values import Value

MAX_COPY = 5 << 30
"""Maximum size of one CopyObject, or of one copied part, in bytes."""

_PART = 256 << 20
"""Size of a part in bytes. The service copies the data itself, so parts are large; ten thousand of them are 2.5 TB."""

_TOO_LARGE = ("EntityTooLarge", "InvalidRequest")
_UNSUPPORTED_CODES = frozenset({"AccessDenied", "NotImplemented", "MethodNotAllowed", "InvalidArgument",
                                "InvalidRequest"})


def is_unsupported(error: CloudFilesError) -> bool:
    """Whether the server may not support copies, or not of this object: it can be read and written instead."""
    return isinstance(error, AuthorizationError) or (
        isinstance(error, ServerError) and (error.code in _UNSUPPORTED_CODES or error.status in (405, 501)))


def same_service(here: S3Bucket, there: S3Bucket) -> bool:
    """Whether one request can refer to both buckets."""
    ours, theirs = here.protocol.endpoint, there.protocol.endpoint
    if ours.is_aws and theirs.is_aws:
        return ours.origin.host.endswith(".cn") == theirs.origin.host.endswith(".cn")
    return ours.origin == theirs.origin


class ServerSideCopy(Value):
    """One copy.

    Attributes:
        describe: returns the description of the source; called only if the copy needs it.
        write_options: returns the options for writing a copy.
        threshold: size in bytes from which the copy is made in parts.
    """

    bucket: S3Bucket
    source: S3Bucket
    source_key: str
    key: str
    options: CopyOptions
    describe: Callable[[], StoredObject | None]
    write_options: Callable[[StoredObject], WriteOptions]
    threshold: int

    def run(self) -> CopyResult | None:
        """See `Interface.copy_from`."""
        try:
            if self.options.size is not None and self.options.size >= self.threshold:
                return self._in_parts()
            return self._at_once()
        except (AuthorizationError, ServerError) as error:
            if not is_unsupported(error):
                raise
            raise UnsupportedOperationError("the server does not support copying this object: "
                                            f"{error}", path=self.key) from error

    def _at_once(self) -> CopyResult | None:
        headers = self._headers(self.options.etag)
        if self.options.change is not None:
            described = self._described()
            if described is None:
                return None
            headers |= self._replaced(described, self.options.change)
        try:
            etag: str | None = self._send(self.bucket.target(self.key), headers)
        except ServerError as error:
            if error.code not in _TOO_LARGE or "larg" not in str(error).lower():
                raise
            return self._in_parts()
        return None if etag is None else CopyResult(self.options.size, etag)

    def _replaced(self, described: StoredObject, change: Callable[[WriteOptions], WriteOptions]) -> dict[str, str]:
        """The headers of a copy with changed attributes, based on the known version of the source."""
        pin = {"x-amz-copy-source-if-match": described.etag} if described.etag else {}
        return {**object_headers(change(self.write_options(described))), **pin, "x-amz-metadata-directive": "REPLACE"}

    def _described(self) -> StoredObject | None:
        described = self.describe()
        if described is not None and self.options.etag not in (None, described.etag):
            raise self._changed()
        return described

    def _changed(self) -> ObjectChangedError:
        return ObjectChangedError("the source was replaced before or while it was copied", path=self.source_key)

    # ---- in parts

    def _in_parts(self) -> CopyResult | None:
        described = self._described()
        if described is None:
            return None
        if described.size is None:
            raise UnsupportedOperationError("the server does not report the size of the source", path=self.source_key)
        if described.validator is None:
            raise UnsupportedOperationError("the server returns no ETag, so that a copy in parts could mix versions of "
                                            "the source", path=self.source_key)
        attributes = self.write_options(described)
        if self.options.change is not None:
            attributes = self.options.change(attributes)
        upload = S3Upload(self.bucket, self.key, attributes)
        try:
            self._copy_parts(upload, described)
            etag = upload.complete()
            self._check_size(described.size)
        except BaseException:
            upload.abort()
            raise
        return CopyResult(described.size, etag)

    def _copy_parts(self, upload: S3Upload, described: StoredObject) -> None:
        last = described.size or 0
        step = min(_PART, self.threshold)
        while step * MAX_PARTS < last:
            step *= 2

        def copy_part(number: int, start: int) -> None:
            self.copy_part(upload, number, described.etag, start, min(start + step, last))

        send_parts(self.bucket.runtime, range(0, last, step), copy_part, self.bucket.origin, slots=self.options.slots)

    def copy_part(self, upload: S3Upload, number: int, etag: str | None, start: int, end: int) -> None:
        """Copy the bytes `[start:end]` of this version of the source. Raises ObjectChangedError."""
        part_range = {"x-amz-copy-source-range": f"bytes={start}-{end - 1}"}
        copied = self._send(upload.part_target(number), {**self._headers(etag), **part_range})
        if copied is None:
            raise self._changed()
        upload.sent[number] = Part(copied, "", end - start)

    def _check_size(self, size: int) -> None:
        found = head_with_checksums(self.bucket, self.key) or {}
        if found.get("content-length") != str(size):
            raise IntegrityError(f"the copy has {found.get('content-length')} bytes, the source has "
                                 f"{size}", path=self.key)

    # ---- requests

    def _headers(self, etag: str | None) -> dict[str, str]:
        name = self.source.protocol.endpoint.bucket
        place = f"/{quote_key(name)}/{quote_key(self.source.root + self.source_key)}"
        pin = {"x-amz-copy-source-if-match": etag} if etag else {}
        return {**self.bucket.headers, "x-amz-copy-source": place, **pin}

    def _send(self, target: str, headers: dict[str, str]) -> str | None:
        """The ETag of the copied version; None if the source is missing."""
        etag: str | None
        try:
            etag = self.bucket.client.send(_CopyRequest(
                self.bucket.origin, "PUT", target, headers, protocol=self.bucket.protocol, path=self.source_key))
        except PreconditionFailedError as error:
            raise self._changed() from error
        return etag


class _CopyRequest(Request):
    """Returns the ETag of the copy; None if the source is missing."""

    __slots__ = ()

    def accept(self, response: Response) -> str | None:
        if response.status >= 300:
            if self.protocol.is_missing(response):
                return None
            raise self.to_error(response)
        try:
            document = parse_xml(response, "the response to a copy", self.path)
        except ProtocolError as error:
            if is_web_page(response):
                raise
            # A server without copies treats the request as a write of an empty object.
            raise UnsupportedOperationError("the response to a copy is not valid XML", path=self.path) from error
        if local_name(document) == "Error":
            raise self.to_error(response)
        etag = child_text(document, "ETag")
        if not etag:
            raise UnsupportedOperationError("the response to a copy has no ETag", path=self.path)
        return etag
