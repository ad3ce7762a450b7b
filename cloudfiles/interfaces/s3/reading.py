"""Asking for an object's headers, also where a HEAD is refused without a word of why."""

from __future__ import annotations

from cloudfiles.exceptions import AuthorizationError, MissingCredentialsError, ServerError
from cloudfiles.interfaces.object_read import ObjectHead, ObjectRead
from cloudfiles.interfaces.s3.bucket import S3Bucket
from cloudfiles.transport.request import Request, Response


def head_object(bucket: S3Bucket, key: str, headers: dict[str, str]) -> dict[str, str] | None:
    """The headers of an object, None where it is missing.

    The refusal of a HEAD has no body and so no error code: the reason is asked for once, by a GET of one byte.
    """
    try:
        return _head(bucket, key, headers)
    except MissingCredentialsError:
        raise
    except (AuthorizationError, ServerError) as error:
        if isinstance(error, ServerError) and (error.status != 400 or error.code):
            raise
        _ask_why(bucket, key, headers)
    return _head(bucket, key, headers)  # the GET was not refused, perhaps with credentials that it has renewed


def _head(bucket: S3Bucket, key: str, headers: dict[str, str]) -> dict[str, str] | None:
    found: dict[str, str] | None = bucket.client.send(
        ObjectHead(bucket.origin, "HEAD", bucket.target(key), headers.copy(), protocol=bucket.protocol, path=key))
    return found


def _ask_why(bucket: S3Bucket, key: str, headers: dict[str, str]) -> None:
    """Raises the error that the same request by GET is refused with."""
    request = ObjectRead(bucket.origin, bucket.target(key), headers.copy(), bucket.protocol, key, 0, 1)
    request.single_connection = True  # where a server answers with the whole object
    bucket.client.send(request)


class BucketHead(Request):
    """A HEAD of the bucket: whether there is one, and not: whose it is."""

    __slots__ = ()

    def accept(self, response: Response) -> bool:
        if response.status >= 300 and response.status != 404:
            raise self.protocol.to_error(self, response)
        return response.status < 300
