"""The Azure Storage REST protocol of one container: requests are authorized, error responses become exceptions.

Corrections by a server (credentials, clock) are learned from its response and kept for all later requests of the
interface; the request is repeated immediately.

Source: Azure Storage REST reference, "Status and error codes", "Blob Storage error codes".
"""

from __future__ import annotations

import json
import re

from cloudfiles.credentials.azure import AzureCredentials, AzureProvider
from cloudfiles.credentials.signing.shared_key import Signer, SigningContext
from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    IntegrityError,
    MD5IntegrityError,
    PreconditionFailedError,
    ServerError,
)
from cloudfiles.interfaces.azure.endpoint import Endpoint
from cloudfiles.interfaces.cloud_protocol import SignedProtocol
from cloudfiles.interfaces.documents import XML_ERRORS, parse_xml_content
from cloudfiles.transport.request import Request, Response, format_head, status_error
from cloudfiles.transport.web_page import check_is_the_stores

MISSING = frozenset({"BlobNotFound", "PathNotFound"})
"""Error codes of a 404 that mean that the object is missing, not its container or account."""

_TRANSIENT = frozenset({"InternalError", "OperationTimedOut", "ServerBusy"})
"""Error codes that are transient, whatever their status."""

_CORRUPTED = {"Md5Mismatch": MD5IntegrityError, "Crc64Mismatch": IntegrityError}
"""Error codes for uploads that were received with different bytes than sent."""

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
"""Error codes of a 404 that do not refer to the requested object."""

_XML_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9]+)\s*</Code>")
_NOT_PUBLIC = "; Azure also reports this for containers that are not public if the request has no credentials"
_NOT_COVERED = frozenset({"AuthorizationFailure", "AuthorizationPermissionMismatch",
                          "AuthorizationResourceTypeMismatch", "AuthorizationServiceMismatch"})
_ALSO_MISSING = " (Azure also reports this if the role or SAS of the credentials does not cover the request)"


def error_code(response: Response) -> str:
    """The error code, from the header, which responses to HEAD have too, or from the document; '' if there is none."""
    code = response.headers.get("x-ms-error-code")
    if code is not None:
        return code
    match = _XML_CODE.search(response.content)
    return match[1].decode("ascii") if match else ""


def error_message(content: bytes) -> str:
    """The first line of the message in an error document of the Blob (XML) or Data Lake service (JSON); '' if none.

    The other lines are the id and time of the request.
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
    """The error to raise for an error response.

    known: the code, if it is not in the response. signed: whether the request went with credentials.
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


VERSION = "2023-11-03"
"""The x-ms-version, which azurite 3.27 supports and which has all features that are used."""

_STALE = frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"})


class AzureProtocol(SignedProtocol[Endpoint, AzureProvider, Signer]):
    """The provider protocol of one container."""

    signer = Signer

    # ---- requests

    def encode(self, request: Request, host: str, now: float) -> bytes:
        credentials = self._provider.get()
        if credentials is not None and credentials.key is not None:
            context = self._signer.at(now + self._clock.skew, credentials)
            request.signed = context
            return context.head(request.method, request.target, host, VERSION, request.headers, len(request.body))
        request.signed = credentials
        target, headers = request.target, {**request.headers, "x-ms-version": VERSION}
        if credentials is not None and credentials.sas is not None:
            target += f"{'&' if '?' in target else '?'}{credentials.sas}"
        elif credentials is not None:
            headers["authorization"] = f"Bearer {credentials.token}"
        return format_head(request.method, target, host, headers, request.body)

    def credentials(self) -> AzureCredentials | None:
        return self._provider.get()

    def now(self) -> float:
        """Seconds since the epoch according to the server's clock, as far as known."""
        return self._clock.now()

    def signing_context(self, credentials: AzureCredentials) -> SigningContext:
        """For signing something other than a request."""
        return self._signer.at(self.now(), credentials)

    # ---- responses

    def is_missing(self, response: Response) -> bool:
        """A 404 that does not say what is missing, as other servers may send it, refers to the object if the container
        exists, which is checked once."""
        if response.status != 404:
            return False
        code = error_code(response)
        if code in MISSING or code in MISSING_ELSEWHERE:
            return code in MISSING
        return self._is_object_missing()

    def check_object(self, response: Response, path: str | None) -> None:
        if b"<Error>" in response.content[:200] and error_code(response):
            raise build_error(response, path, self.endpoint.container)
        check_is_the_stores(response, path, "x-ms-")

    def to_error(self, request: Request, response: Response) -> Exception:
        known = ""
        if response.status == 404 and self.bucket_exists is False and not error_code(response):
            known = "ContainerNotFound"  # as a request for it has shown
        return build_error(response, request.path, self.endpoint.container, known, signed=request.signed is not None)

    # ---- corrections

    def correct(self, request: Request, response: Response) -> bool:
        signed: SigningContext | AzureCredentials | None = request.signed
        if signed is None or response.status not in (401, 403) or error_code(response) not in _STALE:
            return False
        if isinstance(signed, SigningContext):
            # The code is that of a wrong signature, so the clocks are compared.
            return self._clock.learn(response, signed.now) or self._renew_credentials(signed.credentials)
        return self._renew_credentials(signed)

    def _renew_credentials(self, rejected: AzureCredentials) -> bool:
        fresh = self._provider.refresh(rejected)
        return fresh is not None and (fresh.key, fresh.sas, fresh.token) != (rejected.key, rejected.sas, rejected.token)
