"""Deleting one by one and many a request: what every protocol's batches have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloudfiles.exceptions import CloudFilesError, ServerError
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Request, Response
from cloudfiles.transport.web_page import is_web_page, unreadable

UNSUPPORTED_STATUS = frozenset({404, 405, 501})
"""Statuses by which a server says that it knows no requests of many."""

_MISSING_BUCKET_CODES = frozenset({"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "FilesystemNotFound",
                       "ResourceNotFound"})
"""Codes of a 404 that is about the place of the objects."""


def lacks_bulk_delete(error: ServerError) -> bool:
    """Whether this refusal of a request that deletes many says that the server takes one object a request."""
    if error.code in _MISSING_BUCKET_CODES:
        return False
    return error.status in UNSUPPORTED_STATUS or error.code == "NotImplemented"


class Delete(Request):
    """A DELETE of one object. One that is missing is as good as deleted."""

    __slots__ = ()

    def accept(self, response: Response) -> None:
        if response.status >= 300 and not self.protocol.is_missing(response):
            raise self.protocol.to_error(self, response)
        if response.status < 300 and b"<Error>" in response.content:
            raise self.protocol.to_error(self, response)
        if response.status < 300 and is_web_page(response):
            raise unreadable("the response to a DELETE", response, "is a web page", self.path)


class BulkDeleteRequest(Request):
    """A request that deletes many. Gives the errors by key.

    Attributes:
        errors: of the last answer that was read.
    """

    __slots__ = ("errors",)

    errors: dict[str, CloudFilesError]


def delete_one_by_one(client: Client, keys: Sequence[str],
                      delete: Callable[[str], Delete]) -> dict[str, CloudFilesError]:
    """Send `delete(key)` for each of `keys`; the errors of those that could not be deleted."""
    errors: dict[str, CloudFilesError] = {}
    for key in keys:
        try:
            client.send(delete(key))
        except CloudFilesError as error:
            errors[key] = error
    return errors


def delete_in_bulk(client: Client, request: BulkDeleteRequest) -> dict[str, CloudFilesError] | None:
    """The errors by key; None where the server knows no such request.

    Where the retries came to their end, those of the last answer: the other keys are deleted.
    """
    try:
        errors: dict[str, CloudFilesError] = client.send(request)
    except ServerError as error:
        if lacks_bulk_delete(error):
            return None
        if request.errors:
            return request.errors
        raise
    return errors
