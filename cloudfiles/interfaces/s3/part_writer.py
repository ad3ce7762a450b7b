"""Writing an object in parts that come in any order, going on with an upload that broke off, and clearing up.

Source: Amazon S3 API Reference, ListParts and ListMultipartUploads.
"""

from __future__ import annotations

import email.utils
import os
import xml.etree.ElementTree as ET
from binascii import a2b_base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cloudfiles.crc import combine
from cloudfiles.credentials.signing.sigv4 import format_query
from cloudfiles.exceptions import ProtocolError, ServerError
from cloudfiles.interfaces.documents import count, parse_xml
from cloudfiles.interfaces.paging import CycleDetector
from cloudfiles.interfaces.part_writer import InterruptedWrites, PartWriter
from cloudfiles.interfaces.s3.bucket import S3Bucket
from cloudfiles.interfaces.s3.checksums import CRC
from cloudfiles.interfaces.s3.listing import unquote_key
from cloudfiles.interfaces.s3.multipart import Part, Upload, part_size
from cloudfiles.transport.request import Request, Response
from cloudfiles.types import WriteOptions


class S3PartWriter(PartWriter):
    """A multipart upload as a PartWriter."""

    def __init__(self, bucket: S3Bucket, key: str, size: int, options: WriteOptions,
                 state: Mapping[str, Any] | None) -> None:
        self.part_size = part_size(1, size)
        self._size = size
        known = _parts_still_there(bucket, key, state, self.part_size) if state else None
        self._upload = Upload(bucket, key, options, state["upload_id"] if state and known is not None else None)
        self._upload.sent.update(known or {})

    def write(self, start: int, content: bytes | memoryview) -> None:
        number = start // self.part_size + 1
        self._upload.sent[number] = self._upload.send_part(number, content)

    def finish(self) -> str | None:
        return self._upload.finish(self._size, self._crc() if self._upload.checks_crc else None)

    def _crc(self) -> bytes:
        parts = self._upload.sent
        return combine(CRC, ((a2b_base64(parts[number].crc), self._length(number)) for number in sorted(parts)))

    def _length(self, number: int) -> int:
        return min(self.part_size, self._size - (number - 1) * self.part_size)

    def abort(self) -> None:
        self._upload.abort()

    def written(self) -> frozenset[int]:
        return frozenset((number - 1) * self.part_size for number in self._upload.sent)

    def state(self) -> Mapping[str, Any]:
        parts = {str(number): [part.etag, part.crc] for number, part in list(self._upload.sent.items())}
        return {"upload_id": self._upload.id, "part_size": self.part_size, "parts": parts}


def _parts_still_there(bucket: S3Bucket, key: str, state: Mapping[str, Any], size: int) -> dict[int, Part] | None:
    """The parts that both the state and the server know alike; None where the server does not know the upload."""
    if state.get("part_size") != size or not state.get("upload_id"):
        return None
    try:
        there = dict(_listed_parts(bucket, key, state["upload_id"]))
    except ServerError as error:
        if error.code == "NoSuchUpload" or error.status == 404:
            return None
        raise
    told = {int(number): Part(*part) for number, part in state.get("parts", {}).items()}
    return {number: part for number, part in told.items() if there.get(number) == part.etag.strip('"')}


def _listed_parts(bucket: S3Bucket, key: str, upload_id: str) -> Iterator[tuple[int, str]]:
    """Numbers and ETags (without quotes) of the parts that the server has."""
    marker = ""
    progress = CycleDetector(f"the list of parts of {key!r}")
    while True:
        query = {"uploadId": upload_id} | ({"part-number-marker": marker} if marker else {})
        document = _send(bucket, bucket.query_target(key, query), key)
        for element in _children(document, "Part"):
            yield count(_text(element, "PartNumber"), "PartNumber", "the list of parts", key), _text(
                element, "ETag").strip('"')
        marker = _text(document, "NextPartNumberMarker")
        if _text(document, "IsTruncated").lower() != "true" or not marker:
            return
        progress.check(marker)


def discard_uploads(bucket: S3Bucket, prefix: str, before: float) -> int:
    """Abort the uploads of keys beginning with `prefix` that were begun before this time (seconds since the epoch)."""
    stale = [(key, upload_id) for key, upload_id, begun in _listed_uploads(bucket, prefix) if begun < before]
    for key, upload_id in stale:
        Upload(bucket, key, WriteOptions(), upload_id).abort()
    return len(stale)


def discard_interrupted_uploads(bucket: S3Bucket, interrupted: InterruptedWrites) -> int:
    """Abort the uploads of exactly these keys that were begun since, but for those to be gone on with.

    A server that tells no times is taken to have begun them since.
    """
    keys = set(interrupted.keys)
    prefix = os.path.commonprefix([*keys])  # noqa: RUF071 -- of keys, which are no paths
    kept = {state.get("upload_id") for state in interrupted.kept}
    left = [(key, upload_id) for key, upload_id, begun in _listed_uploads(bucket, prefix)
            if key in keys and upload_id not in kept and (begun >= interrupted.since or not begun)]
    for key, upload_id in left:
        Upload(bucket, key, WriteOptions(), upload_id).abort()
    return len(left)


def _listed_uploads(bucket: S3Bucket, prefix: str) -> Iterator[tuple[str, str, float]]:
    """Key, id and time of the uploads that were begun and not completed."""
    cut = len(bucket.root)
    after: dict[str, str] = {}
    progress = CycleDetector(f"the list of uploads of {prefix!r}")
    while True:
        query = {"uploads": "", "prefix": bucket.root + prefix, "encoding-type": "url", **after}
        document = _send(bucket, f"{bucket.protocol.endpoint.bucket_target}?{format_query(query)}", prefix)
        encoded = _text(document, "EncodingType") == "url"
        for element in _children(document, "Upload"):
            key = _needed(element, "Key")
            key = unquote_key(key) if encoded else key
            if key.startswith(bucket.root + prefix):  # not every server looks at the prefix
                yield key[cut:], _needed(element, "UploadId"), _time(_text(element, "Initiated"))
        after = {"key-marker": _text(document, "NextKeyMarker"),
                 "upload-id-marker": _text(document, "NextUploadIdMarker")}
        if _text(document, "IsTruncated").lower() != "true" or not after["key-marker"]:
            return
        progress.check(f"{after['key-marker']}\n{after['upload-id-marker']}")


def _time(text: str) -> float:
    """Seconds since the epoch; 0 where the server does not tell."""
    if not text:
        return 0.0
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        pass
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"the list of uploads has an invalid 'Initiated': {text[:100]!r}") from error


def _send(bucket: S3Bucket, target: str, path: str) -> ET.Element:
    document: ET.Element = bucket.client.send(_ListRequest(
        bucket.origin, "GET", target, bucket.headers.copy(), protocol=bucket.protocol, path=path))
    return document


class _ListRequest(Request):
    """Gives the document of the answer."""

    __slots__ = ()

    def accept(self, response: Response) -> ET.Element:
        if response.status != 200:
            raise self.protocol.to_error(self, response)
        return parse_xml(response, "the response", self.path)


def _children(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (child for child in element if child.tag.rpartition("}")[2] == name)


def _needed(element: ET.Element, name: str) -> str:
    text = _text(element, name)
    if not text:
        raise ProtocolError(f"the list of uploads has an entry without a {name!r}")
    return text


def _text(element: ET.Element, name: str) -> str:
    return next(((child.text or "").strip() for child in _children(element, name)), "")
