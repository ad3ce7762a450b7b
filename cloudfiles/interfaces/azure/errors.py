"""What Azure says when it refuses: its error codes, and the errors of this package that they mean.

Source: Azure Storage REST reference, "Status and error codes", "Blob Storage error codes".
"""

from __future__ import annotations

import json
import re

from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    IntegrityError,
    MD5IntegrityError,
    PreconditionFailedError,
    ServerError,
)
from cloudfiles.interfaces.documents import XML_ERRORS, parse_xml_content
from cloudfiles.transport.request import Response, status_error

MISSING = frozenset({"BlobNotFound", "PathNotFound"})
"""Codes of 404 by which an object is missing, and not its container or account."""

_TRANSIENT = frozenset({"InternalError", "OperationTimedOut", "ServerBusy"})
"""Codes after which the same request may succeed, whatever the status they come with."""

_CORRUPTED = {"Md5Mismatch": MD5IntegrityError, "Crc64Mismatch": IntegrityError}
"""Codes by which the server says that other bytes have arrived than were sent."""

_PRECONDITIONS = frozenset({"BlobAlreadyExists", "PathAlreadyExists", "ConditionNotMet", "TargetConditionNotMet",
                            "SourceConditionNotMet"})

_MESSAGES = {
    "BlobArchived": "the object is in the archive tier and must be rehydrated before it can be read, for example with "
                    "`az storage blob set-tier --tier Hot`, which takes hours",
    "BlobBeingRehydrated": "the object is being rehydrated from the archive tier, which takes hours",
    "ContainerNotFound": "the container {container!r} does not exist in this account",
    "FilesystemNotFound": "the container {container!r} does not exist in this account",
    "ContainerBeingDeleted": "the container {container!r} is being deleted",
    "ResourceNotFound": "the resource does not exist",
    "SnapshotsPresent": "the object has snapshots and cannot be deleted before they are",
    "LeaseIdMissing": "the object is leased by another client",
    "LeaseIdMismatchWithBlobOperation": "the object is leased by another client",
    "BlobImmutableDueToPolicy": "the object is protected from changes by an immutability policy or a legal hold",
    "InvalidBlockList": "blocks of the upload no longer exist: another client has written the same object in the "
                        "meantime",
    "InvalidBlobOrBlock": "the object has uncommitted blocks from another program, with block IDs of another length: "
                          "delete or replace the object first, or wait a week until Azure discards them",
    "PublicAccessNotPermitted": "the account does not allow anonymous reads",
}

MISSING_ELSEWHERE = frozenset({*_MESSAGES, "CannotVerifyCopySource", "RenameDestinationParentPathNotFound",
                       "SourcePathNotFound"})
"""Codes of 404 that are not about the object that a request names."""

_XML_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9]+)\s*</Code>")
_NOT_PUBLIC = "; Azure also reports this for containers that are not public if the request has no credentials"
_NOT_COVERED = frozenset({"AuthorizationFailure", "AuthorizationPermissionMismatch",
                          "AuthorizationResourceTypeMismatch", "AuthorizationServiceMismatch"})
_ALSO_MISSING = " (Azure also reports this if the role or SAS of the credentials does not cover the request)"


def error_code(response: Response) -> str:
    """The error code: a header's, as answers to HEAD have it too, or the document's; '' where there is none."""
    code = response.headers.get("x-ms-error-code")
    if code is not None:
        return code
    match = _XML_CODE.search(response.content)
    return match[1].decode("ascii") if match else ""


def error_message(content: bytes) -> str:
    """The first line of the message in an error document of the Blob (XML) or Data Lake service (JSON), '' without.

    The lines behind it are the request's id and time.
    """
    try:
        if content.lstrip()[:1] == b"{":
            text = json.loads(content).get("error", {}).get("message", "")
        else:
            text = parse_xml_content(content).findtext("Message") or ""
    except (*XML_ERRORS, AttributeError):
        return ""
    return str(text).strip().partition("\n")[0].strip()


def build_error(response: Response, path: str | None, container: str, known: str = "", *,
             signed: bool = True) -> CloudFilesError:
    """The error to raise for an answer that is an error response.

    known: its code, where the answer does not tell it. signed: whether the request went with credentials.
    """
    code, status = known or error_code(response), response.status
    if code in _CORRUPTED:
        return _CORRUPTED[code](f"the server received different bytes than were sent ({code})", path=path)
    if code in _PRECONDITIONS:
        return PreconditionFailedError(f"the server responded with {status}: {code}", path=path)
    if code in _MESSAGES:
        text = _MESSAGES[code].format(container=container)
        text += _NOT_PUBLIC if code == "ResourceNotFound" and not signed else ""
        return ServerError(f"{text} ({code})", status=status, code=code, path=path)
    message = error_message(response.content)
    error = status_error(response, path=path, code=code, message=message)
    if isinstance(error, AuthorizationError) and code in _NOT_COVERED and signed:
        return AuthorizationError(f"the server responded with {status}: {code}: {message}{_ALSO_MISSING}", path=path)
    if isinstance(error, ServerError) and code in _TRANSIENT:
        error.is_transient = True
    return error
