"""What Cloud Storage says when it refuses, and the errors of this package that it means.

Source: Cloud Storage docs, "HTTP status and error codes for JSON" and "Retry strategy".
"""

from __future__ import annotations

import json
from typing import NamedTuple

from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    CRC32CIntegrityError,
    MD5IntegrityError,
    ServerError,
)
from cloudfiles.interfaces.documents import JSON_ERRORS
from cloudfiles.transport.request import Response, status_error

_TOO_MANY = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
"""Reasons that ask for fewer requests; they come with 429, and with 403."""

_TRANSIENT = frozenset({"backendError", "internalError", "conflict"})
"""Reasons after which the same request may succeed, whatever the status they come with."""

_NO_BUCKET = "bucket does not exist"


class ErrorDocument(NamedTuple):
    """An error's reason ('notFound') and message; '' where it has none."""

    reason: str = ""
    message: str = ""


def parse_error_document(content: bytes) -> ErrorDocument:
    """The error in `content`: JSON, or the plain text that downloads are refused with."""
    text = content.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return ErrorDocument("", text[:500] if not text.startswith("<") else "")
    try:
        error = json.loads(text)["error"]
    except (*JSON_ERRORS, KeyError):
        return ErrorDocument("", text[:500])
    if not isinstance(error, dict):  # OAuth's form
        return ErrorDocument(str(error))
    details = error.get("errors")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    return ErrorDocument(str(first.get("reason") or ""), str(error.get("message") or first.get("message") or ""))


def names_object(message: str) -> bool:
    """Whether a 404 says in Cloud Storage's own words that it is about an object."""
    return message.startswith("No such object")


def names_bucket(message: str) -> bool:
    """Whether a 404 says in Cloud Storage's own words that it is about the bucket."""
    return _NO_BUCKET in message


def build_error(response: Response, path: str | None, bucket: str, signed: bool) -> CloudFilesError:
    """The error to raise for an answer that is an error response. signed: whether the request went with credentials."""
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
    """The error of a digest sent along that does not match: 400, 'Provided CRC32C "..." doesn't match calculated'."""
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
