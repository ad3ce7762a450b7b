"""What S3 says when it refuses: its error documents, and the errors of this package that they mean.

Source: Amazon S3 API Reference, "Error responses".
"""

from __future__ import annotations

from typing import NamedTuple

from cloudfiles.exceptions import AuthorizationError, CloudFilesError, IntegrityError, MD5IntegrityError, ServerError
from cloudfiles.interfaces.documents import XML_ERRORS, parse_xml_content
from cloudfiles.transport.request import Response, status_error

STALE_CREDENTIALS = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired",
                               "InvalidAccessKeyId", "InvalidClientTokenId"})
"""Codes by which a key is refused that may have been renewed or rotated meanwhile."""

_TRANSIENT = frozenset({"RequestTimeout", "IncompleteBody", "OperationAborted", "ConditionalRequestConflict",
                      "InternalError", "ServiceUnavailable", "SlowDown", "503 SlowDown"})
"""Codes after which the same request may succeed, whatever the status they come with."""

_CORRUPTED = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "XAmzContentChecksumMismatch"})
"""Codes by which the server says that other bytes have arrived than were sent."""

_MISSING = frozenset({"NoSuchKey", "NoSuchVersion"})
_NOTHING = frozenset({"NotFound", "404", ""})


class ErrorDocument(NamedTuple):
    """An error document; fields that it does not have are ''."""

    code: str = ""
    message: str = ""
    region: str = ""

    @property
    def is_missing_key(self) -> bool:
        return self.code in _MISSING

    @property
    def is_unspecific(self) -> bool:
        """Whether the code of a 404 leaves open what is missing."""
        return self.code in _NOTHING


def parse_error_document(content: bytes) -> ErrorDocument:
    """The error document in `content`; empty where there is none (a HEAD, a gateway's HTML)."""
    if b"<Error" not in content:
        return ErrorDocument()
    try:
        root = parse_xml_content(content)
    except XML_ERRORS:
        return ErrorDocument()
    fields = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
    return ErrorDocument(fields.get("Code", ""), fields.get("Message", ""), fields.get("Region", ""))


def build_error(document: ErrorDocument, response: Response, path: str | None, bucket: str,
             hint: str = "") -> CloudFilesError:
    """The error to raise for an answer that is an error response. hint: added to the server's message."""
    code, status = document.code, response.status
    if code in _CORRUPTED:
        kind = MD5IntegrityError if code == "BadDigest" else IntegrityError
        return kind(f"the server received different bytes than were sent ({code})", path=path)
    if code == "InvalidObjectState":
        return ServerError("the object is archived and must be restored before it can be read, for example with `aws "
                           f"s3api restore-object` ({code}: {document.message})",
                           status=status, code=code, path=path)
    if code == "NoSuchBucket":
        return ServerError(f"the bucket {bucket!r} does not exist on this server (NoSuchBucket)",
                           status=status, code=code, path=path)
    message = document.message + hint
    if code in STALE_CREDENTIALS or code == "RequestTimeTooSkewed":
        return AuthorizationError(f"the server responded with {status}: {code}: {message}", path=path)
    error = status_error(response, path=path, code=code, message=message.strip())
    if isinstance(error, ServerError) and code in _TRANSIENT:
        error.is_transient = True
    return error
