"""The JSON API of Cloud Storage: requests carry a token, error responses become exceptions.

Source: Cloud Storage docs, "HTTP status and error codes for JSON" and "Retry strategy".
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from cloudfiles.credentials.google import GoogleProvider, GoogleToken
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    CRC32CIntegrityError,
    MD5IntegrityError,
    ProtocolError,
    ServerError,
)
from cloudfiles.interfaces.cloud_protocol import CloudProtocol
from cloudfiles.interfaces.documents import JSON_ERRORS, parse_json
from cloudfiles.interfaces.store_requests import WriteRequest
from cloudfiles.runtime.contract import Runtime
from cloudfiles.transport.request import Request, Response, format_head, status_error
from cloudfiles.transport.web_page import check_is_the_stores

_TOO_MANY = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
"""Reasons that request fewer requests; sent with 429 and 403."""

_TRANSIENT = frozenset({"backendError", "internalError", "conflict"})
"""Reasons that are transient, whatever their status."""

_NO_BUCKET = "bucket does not exist"


class ErrorDocument(NamedTuple):
    """The reason ('notFound') and message of an error; '' if it has none."""

    reason: str = ""
    message: str = ""


def parse_error_document(content: bytes) -> ErrorDocument:
    """The error in `content`: JSON, or plain text for rejected downloads."""
    text = content.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return ErrorDocument("", text[:500] if not text.startswith("<") else "")
    try:
        error = json.loads(text)["error"]
    except (*JSON_ERRORS, KeyError):
        return ErrorDocument("", text[:500])
    if not isinstance(error, dict):  # the format of OAuth
        return ErrorDocument(str(error))
    details = error.get("errors")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    return ErrorDocument(str(first.get("reason") or ""), str(error.get("message") or first.get("message") or ""))


def names_object(message: str) -> bool:
    """Whether a 404 states, in the format of Cloud Storage, that it refers to an object."""
    return message.startswith("No such object")


def names_bucket(message: str) -> bool:
    """Whether a 404 states, in the format of Cloud Storage, that it refers to the bucket."""
    return _NO_BUCKET in message


def build_error(response: Response, path: str | None, bucket: str, signed: bool) -> CloudFilesError:
    """The error to raise for an error response. signed: whether the request went with credentials."""
    status, (reason, message) = response.status, parse_error_document(response.content)
    corruption = _corruption(status, message)
    if corruption is not None:
        return corruption(f"the server received different bytes than were sent: {message}", path=path)
    if status == 404 and not names_object(message):
        return ServerError(f"the bucket {bucket!r} does not exist on this "
                           "server", status=404, code="NoSuchBucket", path=path)
    if reason in _TOO_MANY:
        return ServerError(f"the server responded with {status}: {reason}: {message}", status=status, code=reason,
                           path=path, is_slow_down=True, is_transient=True)
    if reason == "userProjectMissing" or "requester pays" in message:
        return AuthorizationError(f"the server responded with {status}: {message} (request_payer='requester' bills the "
                                  "project in GOOGLE_CLOUD_PROJECT, or that of the credentials)", path=path)
    error = status_error(response, path=path, code=reason, message=f"{message}{_advice(status, signed)}".strip())
    if isinstance(error, ServerError) and reason in _TRANSIENT:
        error.is_transient = True
    return error


def _corruption(status: int, message: str) -> type[CloudFilesError] | None:
    """The exception for a digest that does not match (400, 'Provided CRC32C "..." doesn't match calculated')."""
    if status != 400 or "match calculated" not in message:
        return None
    return MD5IntegrityError if "MD5" in message else CRC32CIntegrityError


def _advice(status: int, signed: bool) -> str:
    if status in (401, 403) and not signed:
        return (" (the request had no credentials, because none are configured: put google-secret.json into "
                "~/.cloudfiles/secrets, set GOOGLE_APPLICATION_CREDENTIALS, or use secrets=; endpoints that are not "
                "Google's are sent only the credentials in secrets=)")
    if status == 401:
        return " (no newer token could be obtained)"
    return ""


class GsProtocol(CloudProtocol):
    """The provider protocol of one bucket.

    Attributes:
        tokens: the source of access tokens.
    """

    def __init__(self, bucket: str, tokens: GoogleProvider, runtime: Runtime) -> None:
        CloudProtocol.__init__(self, runtime)
        self.tokens = tokens
        self._bucket = bucket

    def encode(self, request: Request, host: str, now: float) -> bytes:
        token: GoogleToken = self.tokens.get()
        request.signed = token
        if token.authorization:
            request.headers["authorization"] = token.authorization
        return format_head(request.method, request.target, host, request.headers, request.body)

    def is_missing(self, response: Response) -> bool:
        """A 404 that mentions neither the object nor the bucket, as other servers may send it, refers to the object if
        the bucket exists, which is checked once."""
        if response.status != 404:
            return False
        message = parse_error_document(response.content).message
        return names_object(message) or (not names_bucket(message) and self._is_object_missing())

    def check_object(self, response: Response, path: str | None) -> None:
        """Emulators send neither an ETag nor headers of Cloud Storage, but the usual type of an object."""
        if response.headers.get("content-type") != "application/octet-stream":
            check_is_the_stores(response, path, "x-goog-")

    def to_error(self, request: Request, response: Response) -> Exception:
        token: GoogleToken = request.signed
        return build_error(response, request.path, self._bucket, bool(token.authorization))

    def correct(self, request: Request, response: Response) -> bool:
        """Get a new token after one was rejected."""
        token: GoogleToken = request.signed
        return response.status == 401 and bool(token.authorization) and self.tokens.refresh(token) != token


def parse_answer(response: Response, path: str | None) -> dict[str, Any]:
    """The JSON object in a response; {} if it has no body. Raises ProtocolError."""
    return parse_json(response, "the response", path) if response.content else {}


class JsonRequest(WriteRequest):
    """Returns the JSON object of the response; None if the requested object is missing."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, Any] | None:
        if response.status < 300:
            if self.method == "GET" and (response.status != 200 or not response.content):
                raise ProtocolError(f"the server responded with {response.status} and {len(response.content)} bytes; "
                                    "expected JSON", path=self.path)
            document = parse_answer(response, self.path)
            if "error" in document:
                raise self.to_error(response)
            if not document and self.method not in ("GET", "DELETE"):
                raise ProtocolError(f"the server responded with {response.status} and no resource: it is unknown "
                                    "whether it carried the request out", path=self.path)
            return document
        if self.protocol.is_missing(response):
            return None
        raise self.to_error(response)


class BucketRequest(JsonRequest):
    """A request that does not need an existing object: a 404 refers to the bucket."""

    __slots__ = ()

    def accept(self, response: Response) -> dict[str, Any] | None:
        found = JsonRequest.accept(self, response)
        if found is None:
            raise self.to_error(response)
        return found
