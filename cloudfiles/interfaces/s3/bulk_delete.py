"""Deleting: a thousand keys per request, or one by one if the server or XML does not support this for a key.

Source: Amazon S3 API Reference, DeleteObjects.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudfiles import integrity
from cloudfiles.exceptions import CloudFilesError, ServerError, TransportError
from cloudfiles.interfaces.documents import escape_xml, fields_of, parse_xml
from cloudfiles.interfaces.s3.objects import S3Bucket
from cloudfiles.interfaces.s3.protocol import ErrorDocument, build_error
from cloudfiles.interfaces.store_requests import BulkDeleteRequest, DeleteRequest, delete_in_bulk, delete_one_by_one
from cloudfiles.transport.request import Request, Response

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

# Characters that XML 1.0 cannot contain (2.2) or a parser may change: line ends (2.11), and spaces at the
# start or end, which some tools strip. Such keys are deleted one by one, so that no other key is deleted.
_FRAGILE = r"^\s|\s$|[\x00-\x1f\x7f-\x9f\u2028\ud800-\udfff\ufeff\ufffe\uffff]"


def delete_keys(bucket: S3Bucket, keys: Sequence[str]) -> dict[str, CloudFilesError]:
    """Delete up to 1000 keys; returns the errors by key."""
    is_fragile = re.compile(_FRAGILE).search
    singles = keys if not bucket.bulk_deletes or len(keys) == 1 else [key for key in keys if not key or is_fragile(key)]
    errors = _delete_one_by_one(bucket, singles)
    rest = [key for key in keys if key and not is_fragile(key)] if len(singles) < len(keys) else []
    if rest:
        errors.update(_delete_in_bulk(bucket, rest))
    return errors


def _delete_one_by_one(bucket: S3Bucket, keys: Sequence[str]) -> dict[str, CloudFilesError]:
    return delete_one_by_one(bucket.client, keys, lambda key: DeleteRequest(
        bucket.origin, "DELETE", bucket.target(key), bucket.headers.copy(), protocol=bucket.protocol, path=key))


def _delete_in_bulk(bucket: S3Bucket, keys: list[str]) -> dict[str, CloudFilesError]:
    errors = delete_in_bulk(bucket.client, _BulkDelete(bucket, keys))
    if errors is None:
        bucket.bulk_deletes = False
        return _delete_one_by_one(bucket, keys)
    return errors


class _BulkDelete(BulkDeleteRequest):
    """One DeleteObjects request. Returns the errors by key. It is repeated while any of them is transient."""

    __slots__ = ("_bucket", "_keys")

    def __init__(self, bucket: S3Bucket, keys: list[str]) -> None:
        self._bucket = bucket
        self._keys = keys
        self.errors: dict[str, CloudFilesError] = {}
        full = "".join([f"<Object><Key>{escape_xml(bucket.root + key)}</Key></Object>" for key in keys])
        body = f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{full}</Delete>'.encode()
        headers = {**bucket.headers, "content-md5": integrity.content_md5(body), "content-type": "application/xml"}
        endpoint = bucket.protocol.endpoint
        Request.__init__(self, endpoint.origin, "POST", f"{endpoint.bucket_target}?delete=", headers, body,
                         protocol=bucket.protocol)

    def accept(self, response: Response) -> dict[str, CloudFilesError]:
        if response.status != 200:
            raise self.to_error(response)
        document = parse_xml(response, "the response to a bulk delete")
        if not document.tag.endswith("DeleteResult"):
            raise self.to_error(response)
        self.errors = self._read(document)
        transient = next((e for e in self.errors.values() if isinstance(e, ServerError) and e.is_transient), None)
        if transient is not None:
            raise transient
        return self.errors

    def _read(self, document: ET.Element) -> dict[str, CloudFilesError]:
        cut = len(self._bucket.root)
        unanswered = dict.fromkeys(self._keys)
        errors: dict[str, CloudFilesError] = {}
        for element in document:
            fields = fields_of(element)
            key = fields.get("Key", "")[cut:]
            unanswered.pop(key, None)
            if element.tag.endswith("Error") and fields.get("Code") != "NoSuchKey":
                errors[key] = self._error(key, ErrorDocument(fields.get("Code", ""), fields.get("Message", "")))
        errors.update((key, TransportError("the response to a bulk delete does not mention the key", path=key))
                      for key in unanswered)
        return errors

    def _error(self, key: str, document: ErrorDocument) -> CloudFilesError:
        status = 403 if document.code == "AccessDenied" else 200
        return build_error(document, Response(status, {}, b""), key, self._bucket.protocol.endpoint.bucket)
