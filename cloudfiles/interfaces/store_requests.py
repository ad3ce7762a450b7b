"""Requests that the stores have in common: does a bucket exist, writes, and deletes of one object or of many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cloudfiles.exceptions import CloudFilesError, ServerError
from cloudfiles.retry import REFUSED_STATUS
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Request, Response
from cloudfiles.transport.web_page import is_web_page, unreadable

UNSUPPORTED_STATUS = frozenset({404, 405, 501})
"""Statuses of servers that do not support bulk deletes."""

_MISSING_BUCKET_CODES = frozenset({"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "FilesystemNotFound",
                                   "ResourceNotFound"})
"""Error codes of a 404 that refers to the bucket or container."""


class BucketExistsRequest(Request):
    """A request for the bucket itself; returns whether it exists."""

    __slots__ = ()

    def accept(self, response: Response) -> bool:
        if response.status in (200, 404):
            return response.status == 200
        raise self.to_error(response)


class WriteRequest(Request):
    """A request that changes something.

    Attributes:
        rejections: attempts that the server rejected without acting on them.
    """

    __slots__ = ("rejections",)

    def __init__(self, *args: Any, **options: Any) -> None:
        Request.__init__(self, *args, **options)
        self.rejections = 0

    @property
    def may_have_acted(self) -> bool:
        """Whether a failed attempt may have succeeded, with its response lost."""
        return self.retries > self.rejections

    def to_error(self, response: Response) -> Exception:
        self.rejections += response.status in REFUSED_STATUS or 300 <= response.status < 500
        return Request.to_error(self, response)


class DeleteRequest(Request):
    """A DELETE of one object. A missing object counts as deleted."""

    __slots__ = ()

    def accept(self, response: Response) -> None:
        if response.status >= 300 and not self.protocol.is_missing(response):
            raise self.to_error(response)
        if response.status < 300 and b"<Error>" in response.content:
            raise self.to_error(response)
        if response.status < 300 and is_web_page(response):
            raise unreadable("the response to a DELETE", response, "is a web page", self.path)


class BulkDeleteRequest(Request):
    """A request that deletes many objects. Returns the errors by key.

    Attributes:
        errors: the errors in the last response.
    """

    __slots__ = ("errors",)

    errors: dict[str, CloudFilesError]


def delete_one_by_one(client: Client, keys: Sequence[str],
                      delete: Callable[[str], Request]) -> dict[str, CloudFilesError]:
    """Send `delete(key)` for each of `keys`; returns the errors of those that could not be deleted."""
    errors: dict[str, CloudFilesError] = {}
    for key in keys:
        try:
            client.send(delete(key))
        except CloudFilesError as error:
            errors[key] = error
    return errors


def delete_in_bulk(client: Client, request: BulkDeleteRequest) -> dict[str, CloudFilesError] | None:
    """The errors by key; None if the server does not support bulk deletes.

    If the retries are exhausted, the errors in the last response: the other keys were deleted.
    """
    try:
        errors: dict[str, CloudFilesError] = client.send(request)
    except CloudFilesError as error:
        if isinstance(error, ServerError) and lacks_bulk_delete(error):
            return None
        if request.errors:
            return request.errors
        raise
    return errors


def lacks_bulk_delete(error: ServerError) -> bool:
    """Whether this rejection of a bulk delete means that the server does not support it."""
    if error.code in _MISSING_BUCKET_CODES:
        return False
    return error.status in UNSUPPORTED_STATUS or error.code == "NotImplemented"
