"""Deleting: a hundred objects per request.

Source: Cloud Storage docs, "Batch requests".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudfiles.exceptions import CloudFilesError, ServerError, TransportError
from cloudfiles.interfaces.documents import parse_batch
from cloudfiles.interfaces.gs.objects import GsBucket
from cloudfiles.interfaces.store_requests import (
    UNSUPPORTED_STATUS,
    BulkDeleteRequest,
    delete_in_bulk,
    delete_one_by_one,
)
from cloudfiles.retry import RETRYABLE_STATUS
from cloudfiles.transport.request import Request, Response, RetryRequest, status_error

MAX_BATCH = 100

_BOUNDARY = "batch"  # no target contains it: they are percent-encoded


def delete_names(bucket: GsBucket, names: Mapping[str, str]) -> dict[str, CloudFilesError]:
    """Delete up to 100 objects; `names` maps the keys of the returned errors to full names."""
    if len(names) > 1 and bucket.batch_deletes:
        errors = delete_in_bulk(bucket.client, _BulkDelete(bucket, names))
        if errors is not None:
            return errors
        bucket.batch_deletes = False
    return delete_one_by_one(bucket.client, list(names),
                             lambda key: bucket.request("DELETE", bucket.target(names[key]), path=key))


def delete_keys(bucket: GsBucket, keys: Sequence[str]) -> dict[str, CloudFilesError]:
    """Delete `keys`; returns the errors by key."""
    return delete_names(bucket, {key: bucket.full_name(key) for key in keys}) if keys else {}


class _BulkDelete(BulkDeleteRequest):
    """One batch. Deletions that failed because the server was busy are repeated separately."""

    __slots__ = ("_bucket", "_remaining")

    def __init__(self, bucket: GsBucket, names: Mapping[str, str]) -> None:
        self._bucket = bucket
        self._remaining = dict(names)
        self.errors = {}
        headers = {"content-type": f"multipart/mixed; boundary={_BOUNDARY}"}
        Request.__init__(self, bucket.endpoint.origin, "POST", f"{bucket.endpoint.path}/batch/storage/v1", headers,
                         self._body(self._remaining), protocol=bucket.protocol)

    def _body(self, names: Mapping[str, str]) -> bytes:
        parts = [f"--{_BOUNDARY}\r\ncontent-type: application/http\r\ncontent-id: <{number}>\r\n\r\n"
                 f"DELETE {self._bucket.target(name)} HTTP/1.1\r\n\r\n\r\n"
                 for number, name in enumerate(names.values())]
        return f"{''.join(parts)}--{_BOUNDARY}--\r\n".encode("ascii")

    def accept(self, response: Response) -> dict[str, CloudFilesError]:
        if response.status in UNSUPPORTED_STATUS:
            raise status_error(response)  # the URL of a batch does not contain the bucket
        if response.status != 200:
            raise self.to_error(response)
        batch = parse_batch(response)
        parts = {order if number is None else number: part for order, (number, part) in enumerate(batch)}
        waiting: dict[str, str] = {}
        again: Exception | None = None
        for number, (key, name) in enumerate(self._remaining.items()):
            self.errors.pop(key, None)
            error = self._key_error(key, parts.get(number))
            if error is None:
                continue
            self.errors[key] = error.cause if isinstance(error, RetryRequest) else error
            if isinstance(error, RetryRequest) or _is_transient(error):
                waiting[key], again = name, error
        if again is not None:
            self._remaining, self.body = waiting, self._body(waiting)
            raise again
        return self.errors

    def _key_error(self, key: str, part: Response | None) -> CloudFilesError | RetryRequest | None:
        """The result of one deletion: None if the object is gone, RetryRequest if the token was renewed."""
        if part is None:
            return TransportError("the response to a batch request does not mention the object", path=key)
        if part.status < 300 or self.protocol.is_missing(part):
            return None
        error = self.to_error(part)
        assert isinstance(error, CloudFilesError | RetryRequest)
        if isinstance(error, CloudFilesError):
            error.path = key
        return error


def _is_transient(error: CloudFilesError) -> bool:
    return isinstance(error, ServerError) and (error.is_transient or error.status in RETRYABLE_STATUS)
