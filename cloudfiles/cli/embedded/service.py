"""Requests of S3's REST interface, answered from memory.

Source: Amazon S3 API Reference: GetObject, HeadObject, PutObject, DeleteObject, DeleteObjects, ListObjectsV2,
CreateMultipartUpload, UploadPart, CompleteMultipartUpload, AbortMultipartUpload. Buckets come into being when used.
"""

from __future__ import annotations

import hashlib
import re
import uuid
import xml.etree.ElementTree as ET
import zlib
from base64 import b64decode, b64encode
from collections import defaultdict
from email.utils import formatdate
from urllib.parse import parse_qsl, quote, unquote_to_bytes
from xml.sax.saxutils import escape

from cloudfiles.cli.embedded.bucket import Bucket, Object, Page
from cloudfiles.cli.embedded.http import Answer, Received

_KEPT = ("content-type", "content-encoding", "cache-control", "content-disposition", "content-language",
         "x-amz-checksum-crc32")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")
_PAGE = 1000  # keys
_ESCAPES = "surrogateescape"


class Service:
    """All buckets."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = defaultdict(Bucket)
        self._uploads: dict[str, dict[int, bytes]] = {}

    def answer(self, received: Received) -> Answer:
        path, _, query = received.target.partition("?")
        name, _, key = path.lstrip("/").partition("/")
        asked = dict(parse_qsl(query, keep_blank_values=True, errors=_ESCAPES)) if query else {}
        bucket = self._buckets[name]
        if not key:
            return _answer_for_bucket(bucket, received, asked)
        if "uploads" in asked or "uploadId" in asked:
            return self._multipart(bucket, unquote_to_bytes(key), received, asked)
        return _answer_for_object(bucket, unquote_to_bytes(key), received)

    def _multipart(self, bucket: Bucket, key: bytes, received: Received, asked: dict[str, str]) -> Answer:
        if "uploads" in asked:
            upload = uuid.uuid4().hex
            self._uploads[upload] = {}
            return _document(f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId>"
                             "</InitiateMultipartUploadResult>")
        parts = self._uploads.get(asked["uploadId"])
        if parts is None:
            return _error(404, "NoSuchUpload")
        if received.method == "PUT":
            if not _is_intact(received):
                return _error(400, "BadDigest")
            parts[int(asked["partNumber"])] = received.body
            return Answer(headers={"ETag": _etag(received.body)})
        del self._uploads[asked["uploadId"]]
        if received.method == "DELETE":
            return Answer(204)
        return _complete(bucket, key, parts, received)


def _complete(bucket: Bucket, key: bytes, parts: dict[int, bytes], received: Received) -> Answer:
    wanted = [int(element.text or 0) for element in ET.fromstring(received.body).iter()
              if element.tag.endswith("PartNumber")]
    if any(number not in parts for number in wanted):
        return _error(400, "InvalidPart")
    contents = [parts[number] for number in wanted]
    digests = b"".join(hashlib.md5(content, usedforsecurity=False).digest() for content in contents)
    etag = f'"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(contents)}"'
    bucket.put(key, Object(b"".join(contents), {"ETag": etag, "Last-Modified": formatdate(usegmt=True)}))
    return _document(f"<CompleteMultipartUploadResult><ETag>{escape(etag)}</ETag></CompleteMultipartUploadResult>")


# ---- one object


def _answer_for_object(bucket: Bucket, key: bytes, received: Received) -> Answer:
    if received.method == "PUT":
        return _put(bucket, key, received)
    if received.method == "DELETE":
        bucket.delete(key)
        return Answer(204)
    if received.method not in ("GET", "HEAD"):
        return _error(405, "MethodNotAllowed")
    stored = bucket.get(key)
    if stored is None:
        return _error(404, "NoSuchKey")
    if received.headers.get("if-match", stored.etag) != stored.etag:
        return _error(412, "PreconditionFailed")
    if "range" in received.headers:
        return _part(stored, received.headers["range"])
    return Answer(headers=stored.headers, body=stored.content)


def _put(bucket: Bucket, key: bytes, received: Received) -> Answer:
    headers, stored = received.headers, bucket.get(key)
    if headers.get("if-none-match") == "*" and stored is not None:
        return _error(412, "PreconditionFailed")
    if "if-match" in headers and (stored is None or headers["if-match"] != stored.etag):
        return _error(412, "PreconditionFailed")
    if not _is_intact(received):
        return _error(400, "BadDigest")
    kept = {name: value for name, value in headers.items() if name in _KEPT or name.startswith("x-amz-meta-")}
    kept |= {"ETag": _etag(received.body), "Last-Modified": formatdate(usegmt=True)}
    bucket.put(key, Object(received.body, kept))
    return Answer(headers={name: kept[name] for name in ("ETag", "x-amz-checksum-crc32") if name in kept})


def _part(stored: Object, wanted: str) -> Answer:
    """A byte range (RFC 9110 14.2)."""
    match, size = _RANGE.match(wanted), len(stored.content)
    if match is None or not (match[1] or match[2]):
        return Answer(headers=stored.headers, body=stored.content)
    first = int(match[1]) if match[1] else max(0, size - int(match[2]))
    end = min(size, int(match[2]) + 1) if match[1] and match[2] else size
    if first >= end:
        return _error(416, "InvalidRange")
    headers = {name: value for name, value in stored.headers.items() if not name.startswith("x-amz-checksum")}
    headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
    return Answer(206, headers, memoryview(stored.content)[first:end])


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _is_intact(received: Received) -> bool:
    """Whether the body has the digests that came with it."""
    headers, body = received.headers, received.body
    md5, crc = headers.get("content-md5"), headers.get("x-amz-checksum-crc32")
    if md5 is not None and b64decode(md5) != hashlib.md5(body, usedforsecurity=False).digest():
        return False
    return crc is None or crc == b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


# ---- a bucket


def _answer_for_bucket(bucket: Bucket, received: Received, asked: dict[str, str]) -> Answer:
    if received.method == "POST" and "delete" in asked:
        return _delete(bucket, received.body)
    if received.method == "GET":
        return _list(bucket, asked)
    return Answer()  # a bucket is there as soon as it is spoken of


def _delete(bucket: Bucket, body: bytes) -> Answer:
    keys = [element.text or "" for element in ET.fromstring(body).iter() if element.tag.endswith("Key")]
    for key in keys:
        bucket.delete(key.encode())
    deleted = "".join([f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys])
    return _document(f"<DeleteResult>{deleted}</DeleteResult>")


def _list(bucket: Bucket, asked: dict[str, str]) -> Answer:
    values = {name: value.encode(errors=_ESCAPES) for name, value in asked.items()}
    begin = unquote_to_bytes(values.get("continuation-token", b""))
    after = values.get("start-after", b"") if not begin else b""
    limit = min(int(asked.get("max-keys", _PAGE)), _PAGE)
    page = bucket.page(values.get("prefix", b""), values.get("delimiter", b""), after, begin, limit)
    return _document(f"<ListBucketResult><EncodingType>url</EncodingType>{_listed(bucket, page)}</ListBucketResult>")


def _listed(bucket: Bucket, page: Page) -> str:
    items = [f"<IsTruncated>{'false' if page.next_key is None else 'true'}</IsTruncated>",
             f"<KeyCount>{len(page.keys) + len(page.prefixes)}</KeyCount>"]
    if page.next_key is not None:
        items.append(f"<NextContinuationToken>{quote(page.next_key, safe='')}</NextContinuationToken>")
    for key in page.keys:
        stored = bucket.get(key)
        assert stored is not None
        items.append(f"<Contents><Key>{quote(key)}</Key><Size>{len(stored.content)}</Size>"
                     f"<ETag>{escape(stored.etag)}</ETag></Contents>")
    items += [f"<CommonPrefixes><Prefix>{quote(prefix)}</Prefix></CommonPrefixes>" for prefix in page.prefixes]
    return "".join(items)


# ---- answers


def _document(xml: str) -> Answer:
    return Answer(headers={"Content-Type": "application/xml"}, body=xml.encode())


def _error(status: int, code: str) -> Answer:
    answer = _document(f"<Error><Code>{code}</Code></Error>")
    answer.status = status
    return answer
