"""Multipart uploads: parts are sent in parallel and checked; the upload is completed once, or aborted on failure.

Source: S3 User Guide, "Uploading and copying objects using multipart upload", and its limits.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Any, ClassVar

from cloudfiles import integrity, logger
from cloudfiles.crc import combine
from cloudfiles.exceptions import (
    CloudFilesError,
    IntegrityError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
)
from cloudfiles.interfaces.documents import child_text, escape_xml
from cloudfiles.interfaces.multipart import MultipartUpload, UploadWriter, size_of_part
from cloudfiles.interfaces.part_writer import InterruptedWrites, PartLayout, PartWriter
from cloudfiles.interfaces.s3.checksums import CRC, CRC_HEADER, UploadChecksums
from cloudfiles.interfaces.s3.listing import list_parts, list_uploads
from cloudfiles.interfaces.s3.objects import (
    ObjectPut,
    S3Bucket,
    XmlRequest,
    check_conditions,
    condition_error,
    condition_headers,
    digest_headers,
    head_with_checksums,
    object_headers,
)
from cloudfiles.runtime.cancellation import shielded
from cloudfiles.runtime.contract import Cancelled
from cloudfiles.transport.request import Request
from cloudfiles.types import WriteOptions
from cloudfiles.values import NamedTuple

MAX_PARTS = 10_000
MIN_PART = 8 << 20
"""Size of a part in bytes. S3 requires 5 MiB or more; most tools use 8, so that others can verify the ETag."""

_GROWS_EVERY = 1000
"""Number of parts after which the size doubles for content of unknown size: 10 000 parts are then 8 TiB, more than
S3 allows."""


def part_size(number: int, size: int | None) -> int:
    """Size of part `number` (from 1) of content of `size` bytes; all are equal if the size is known.

    >>> part_size(1, 10 << 30) >> 20, part_size(1, 100 << 30) >> 20, part_size(2500, None) >> 20
    (8, 16, 32)
    """
    return size_of_part(number, size, MIN_PART, MAX_PARTS, _GROWS_EVERY)


class Part(NamedTuple):
    etag: str
    crc: str  # base64; '' if none was sent
    size: int


class S3Upload(MultipartUpload):
    """One multipart upload. AWS checks a CRC of each part and of the whole object, other servers the md5 of each part.

    upload_id: the id of an upload of another process, to resume it.

    Attributes:
        id: the upload id assigned by the server.
        sent: the existing parts, by number.
    """

    max_parts: ClassVar[int | None] = MAX_PARTS

    def __init__(self, bucket: S3Bucket, key: str, options: WriteOptions, upload_id: str | None = None) -> None:
        self._bucket = bucket
        self.origin = bucket.origin
        self._key = key
        self._conditions = condition_headers(options)
        if self._conditions:
            check_conditions(bucket, key, options)
        self._checks_crc = bucket.protocol.endpoint.is_aws
        self._checks = UploadChecksums(self._checks_crc, ask=False, secure=bucket.origin.scheme == "https")
        self.sent: dict[int, Part] = {}
        self.id = upload_id or self._create(options)

    def _create(self, options: WriteOptions) -> str:
        headers = {**self._bucket.headers, **object_headers(options)}
        if self._checks_crc:
            headers |= {"x-amz-checksum-algorithm": CRC.upper(), "x-amz-checksum-type": "FULL_OBJECT"}
        # Repeated if the outcome is unknown: an upload without parts costs nothing and is not visible.
        document = self._bucket.client.send(XmlRequest(
            self._bucket.origin, "POST", self._bucket.query_target(self._key, {"uploads": ""}), headers,
            protocol=self._bucket.protocol, path=self._key))
        upload_id = child_text(document, "UploadId")
        if not upload_id:
            raise ProtocolError("the server started a multipart upload without returning its UploadId", path=self._key)
        return upload_id

    # ---- parts

    def part_target(self, number: int) -> str:
        """The target of part `number`, from 1."""
        return self._bucket.query_target(self._key, {"partNumber": str(number), "uploadId": self.id})

    def send_part(self, number: int, content: integrity.Buffer) -> None:
        bucket = self._bucket
        digests = digest_headers(bucket, self._checks, content)
        etag: str | None = bucket.client.send(ObjectPut(
            bucket.origin, self.part_target(number), {**bucket.headers, **digests}, content, bucket.protocol, self._key,
            self._checks))
        if etag is None:
            raise ProtocolError(f"the server stored part {number} without returning its ETag", path=self._key)
        self.sent[number] = Part(etag, digests.get(CRC_HEADER, ""), len(content))

    def state(self) -> Mapping[str, Any]:
        parts = {str(number): [part.etag, part.crc] for number, part in list(self.sent.items())}
        return {"upload_id": self.id, "parts": parts}

    # ---- completing and aborting

    def complete(self) -> str | None:
        """Complete the upload, and verify that the object exists."""
        bucket = self._bucket
        headers = {**bucket.headers, **self._conditions, "content-type": "application/xml"}
        crc = self._whole_crc()
        if crc is not None:
            headers |= {CRC_HEADER: crc, "x-amz-checksum-type": "FULL_OBJECT", "x-amz-mp-object-size": str(self._size)}
        request = XmlRequest(bucket.origin, "POST", self._target(), headers, self._document(), protocol=bucket.protocol,
                             path=self._key)
        try:
            etag = child_text(bucket.client.send(request), "ETag") or None
        except CloudFilesError as error:
            bucket.honors_conditions |= isinstance(error, PreconditionFailedError)
            # Repeating a completion is harmless, but the server may no longer know the upload. This error, and
            # any other failure, does not show whether an earlier attempt succeeded.
            found = head_with_checksums(bucket, self._key) if request.retries > 1 else None
            if found is None or not self._is_ours(found, crc):
                raise condition_error(error, self._conditions) from error
            return found.get("etag")
        if etag != self._expected_etag():
            self._check_written(etag, crc)
        return etag

    @property
    def _size(self) -> int:
        return sum(part.size for part in self.sent.values())

    def _whole_crc(self) -> str | None:
        """The CRC of the object; None where the server checks none, or the parts were copied by the server."""
        parts = [part for _, part in sorted(self.sent.items())]
        if not self._checks_crc or not all(part.crc for part in parts):
            return None
        return b64encode(combine(CRC, ((a2b_base64(part.crc), part.size) for part in parts))).decode("ascii")

    def _is_ours(self, found: dict[str, str], crc: str | None) -> bool:
        """Whether the headers of an object prove that it is the uploaded one."""
        found_crc = found.get(CRC_HEADER)
        if crc is not None and found_crc is not None and "-" not in found_crc:
            return found_crc == crc
        return found.get("etag") == self._expected_etag()

    def _check_written(self, etag: str | None, crc: str | None) -> None:
        """The ETag is not derived from the parts, for example with encryption: verify the object in another way.

        Raises IntegrityError.
        """
        found = head_with_checksums(self._bucket, self._key) or {}
        found_crc = found.get(CRC_HEADER, "-") if crc is not None else "-"
        if found.get("content-length") != str(self._size) or ("-" not in found_crc and found_crc != crc):
            raise IntegrityError(f"the object made of {len(self.sent)} parts differs from what was sent: its ETag is "
                                 f"{etag}, its size is {found.get('content-length')} instead of "
                                 f"{self._size}", path=self._key)

    def abort(self) -> None:
        """Delete the parts. Best effort, because the failure that led here is raised; a warning names parts that
        remain."""
        try:
            # Not retried for long if the server is down.
            with shielded():
                self._bucket.client.send(Request(
                    self._bucket.origin, "DELETE", self._target(), self._bucket.headers.copy(),
                    protocol=self._bucket.protocol, idempotent=False, path=self._key))
        except (CloudFilesError, Cancelled) as error:
            if getattr(error, "code", "") != "NoSuchUpload":
                logger.warning("s3://%s/%s: the multipart upload %s could not be aborted; its parts remain "
                               "until discard_partial() or a lifecycle rule removes them (%s: %s)",
                               self._bucket.protocol.endpoint.bucket, self._key, self.id, type(error).__name__, error)

    def _target(self) -> str:
        return self._bucket.query_target(self._key, {"uploadId": self.id})

    def _document(self) -> bytes:
        parts = "".join([
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape_xml(part.etag)}</ETag>"
            + (f"<ChecksumCRC32>{part.crc}</ChecksumCRC32>" if part.crc else "") + "</Part>"
            for number, part in sorted(self.sent.items())])
        return ('<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"{parts}</CompleteMultipartUpload>").encode()

    def _expected_etag(self) -> str | None:
        """The md5 of the md5s of the parts, and their number; None if the ETags of the parts are not md5s."""
        digests = [integrity.md5_from_etag(part.etag) for _, part in sorted(self.sent.items())]
        if None in digests:
            return None
        joined = b"".join(digest for digest in digests if digest is not None)
        return f'"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(digests)}"'


def open_part_writer(bucket: S3Bucket, key: str, size: int, options: WriteOptions,
                     state: Mapping[str, Any] | None) -> PartWriter:
    """As `Interface.open_writer`."""
    layout = PartLayout(key, size, part_size(1, size))
    known = _parts_still_there(bucket, state, layout) if state else None
    upload = S3Upload(bucket, key, options, state["upload_id"] if state and known is not None else None)
    upload.sent.update(known or {})
    return UploadWriter(upload, layout)


def _parts_still_there(bucket: S3Bucket, state: Mapping[str, Any], layout: PartLayout) -> dict[int, Part] | None:
    """The parts that agree between the state and the server; None if the server does not know the upload."""
    if state.get("part_size") != layout.part_size or not state.get("upload_id"):
        return None
    try:
        there = dict(list_parts(bucket, layout.key, state["upload_id"]))
    except ServerError as error:
        if error.code == "NoSuchUpload" or error.status == 404:
            return None
        raise
    known: Mapping[str, tuple[str, str]] = state.get("parts", {})
    return {number: Part(etag, crc, layout.length(number)) for number, (etag, crc) in
            ((int(number), part) for number, part in known.items()) if there.get(number) == etag.strip('"')}


def discard_uploads(bucket: S3Bucket, prefix: str, older_than: float, now: float) -> int:
    """Abort uploads of keys that start with `prefix` and were started `older_than` seconds or more before `now`.

    If a server reports no start times, the uploads count as started now.
    """
    stale = [(key, upload_id) for key, upload_id, begun in list_uploads(bucket, prefix)
             if now - (begun or now) >= older_than]
    for key, upload_id in stale:
        S3Upload(bucket, key, WriteOptions(), upload_id).abort()
    return len(stale)


def discard_interrupted_uploads(bucket: S3Bucket, interrupted: InterruptedWrites) -> int:
    """Abort the uploads of exactly these keys that were started since, except those that will be resumed.

    If a server reports no start times, the uploads count as started since.
    """
    keys = set(interrupted.keys)
    prefix = os.path.commonprefix([*keys])  # noqa: RUF071 -- of keys, which are not paths
    kept = {state.get("upload_id") for state in interrupted.kept}
    left = [(key, upload_id) for key, upload_id, begun in list_uploads(bucket, prefix)
            if key in keys and upload_id not in kept and (begun >= interrupted.since or not begun)]
    for key, upload_id in left:
        S3Upload(bucket, key, WriteOptions(), upload_id).abort()
    return len(left)
