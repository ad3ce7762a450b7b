"""Deleting: a hundred objects a request.

Source: Cloud Storage docs, "Batch requests".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cloudfiles.exceptions import CloudFilesError, ProtocolError, ServerError, TransportError
from cloudfiles.interfaces.deleting import UNSUPPORTED_STATUS, lacks_bulk_delete
from cloudfiles.interfaces.gs.objects import GsBucket
from cloudfiles.retry import RETRYABLE_STATUS
from cloudfiles.transport.request import Request, Response, RetryRequest, status_error
from cloudfiles.transport.web_page import unreadable

MAX_BATCH = 100

_OWN_BOUNDARY = "batch"  # no target has it: they are percent-encoded
_BOUNDARY = re.compile(r'boundary="?([^";]+)')
_STATUS = re.compile(rb"^HTTP/1\.[01] ([1-5][0-9]{2})", re.MULTILINE)
_CONTENT_ID = re.compile(rb"^content-id:\s*<?response-(\d+)>?", re.MULTILINE | re.IGNORECASE)
_BODY = re.compile(rb"(\{.*\})", re.DOTALL)


def delete_names(bucket: GsBucket, names: Mapping[str, str]) -> dict[str, CloudFilesError]:
    """Delete the objects of these full names, at most 100; `names` by what their errors are to be known by."""
    if len(names) == 1 or not bucket.batch_deletes:
        return _delete_one_by_one(bucket, names)
    request = _BulkDelete(bucket, names)
    try:
        bucket.client.send(request)
    except CloudFilesError as error:
        if isinstance(error, ServerError) and lacks_bulk_delete(error):
            bucket.batch_deletes = False
            return _delete_one_by_one(bucket, names)
        if not request.answered:
            raise
    return request.errors


def delete_keys(bucket: GsBucket, keys: Sequence[str]) -> dict[str, CloudFilesError]:
    """Delete `keys`; the errors of those that could not be."""
    return delete_names(bucket, {key: bucket.full_name(key) for key in keys}) if keys else {}


def _delete_one_by_one(bucket: GsBucket, names: Mapping[str, str]) -> dict[str, CloudFilesError]:
    errors: dict[str, CloudFilesError] = {}
    for key, name in names.items():
        try:
            bucket.ask("DELETE", bucket.target(name), path=key)
        except CloudFilesError as error:
            errors[key] = error
    return errors


class _BulkDelete(Request):
    """One batch. What a try leaves over, as the server was busy, is sent again by itself.

    Attributes:
        errors: of the objects that could not be deleted, as far as known.
        answered: whether any answer was read.
    """

    __slots__ = ("_bucket", "_left", "answered", "errors")

    def __init__(self, bucket: GsBucket, names: Mapping[str, str]) -> None:
        self._bucket = bucket
        self._left = dict(names)
        self.errors: dict[str, CloudFilesError] = {}
        self.answered = False
        headers = {"content-type": f"multipart/mixed; boundary={_OWN_BOUNDARY}"}
        Request.__init__(self, bucket.endpoint.origin, "POST", f"{bucket.endpoint.path}/batch/storage/v1", headers,
                         self._body(self._left), protocol=bucket.protocol)

    def _body(self, names: Mapping[str, str]) -> bytes:
        parts = [f"--{_OWN_BOUNDARY}\r\ncontent-type: application/http\r\ncontent-id: <{number}>\r\n\r\n"
                 f"DELETE {self._bucket.target(name)} HTTP/1.1\r\n\r\n\r\n"
                 for number, name in enumerate(names.values())]
        return f"{''.join(parts)}--{_OWN_BOUNDARY}--\r\n".encode("ascii")

    def accept(self, response: Response) -> None:
        if response.status in UNSUPPORTED_STATUS:
            raise status_error(response)  # the address of a batch is not the bucket's
        if response.status != 200:
            raise self.protocol.to_error(self, response)
        parts = _parts(response)
        self.answered = True
        waiting: dict[str, str] = {}
        again: Exception | None = None
        for number, (key, name) in enumerate(self._left.items()):
            self.errors.pop(key, None)
            error = self._to_error(key, parts.get(number))
            if error is None:
                continue
            error = self.errors[key] = error.cause if isinstance(error, RetryRequest) else error
            if isinstance(error, RetryRequest) or _is_transient(error):
                waiting[key], again = name, error
        if again is not None:
            self._left, self.body = waiting, self._body(waiting)
            raise again

    def _to_error(self, key: str, part: Response | None) -> CloudFilesError | RetryRequest | None:
        """What became of one deletion: None where the object is gone, RetryRequest where the token was renewed."""
        if part is None:
            return TransportError("the response to a batch request does not mention the object", path=key)
        if part.status < 300 or self.protocol.is_missing(part):
            return None
        error = self.protocol.to_error(self, part)
        assert isinstance(error, CloudFilesError | RetryRequest)
        if isinstance(error, CloudFilesError):
            error.path = key
        return error


def _is_transient(error: CloudFilesError) -> bool:
    return isinstance(error, ServerError) and (error.is_transient or error.status in RETRYABLE_STATUS)


def _parts(response: Response) -> dict[int, Response]:
    """The answers in a batch's answer, by their Content-ID, or in order where they have none."""
    boundary = _BOUNDARY.search(response.headers.get("content-type", ""))
    if boundary is None:
        raise unreadable("the response to a batch request", response, "is not multipart/mixed")
    parts: dict[int, Response] = {}
    for order, text in enumerate(response.content.split(f"--{boundary[1]}".encode())[1:-1]):
        status, number, body = _STATUS.search(text), _CONTENT_ID.search(text), _BODY.search(text)
        if status is None:
            raise ProtocolError("a part of the response to a batch request has no status")
        parts[int(number[1]) if number else order] = Response(int(status[1]), {}, body[1] if body else b"")
    return parts
