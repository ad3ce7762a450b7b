"""The S3 REST protocol of one bucket: requests are signed, error responses become exceptions.

Corrections by a server (region, credentials, clock) are learned from its response and kept for all later requests of
the interface; the request is repeated immediately.

Source: Amazon S3 API Reference, "Error responses".
"""

from __future__ import annotations

import hashlib

from cloudfiles.credentials.aws import AwsCredentials, AwsProvider
from cloudfiles.credentials.signing.sigv4 import EMPTY_PAYLOAD, UNSIGNED_PAYLOAD, Signer, SigningContext
from cloudfiles.exceptions import AuthorizationError, CloudFilesError, IntegrityError, MD5IntegrityError, ServerError
from cloudfiles.interfaces.cloud_protocol import SignedProtocol
from cloudfiles.interfaces.documents import XML_ERRORS, local_name, parse_xml_content
from cloudfiles.interfaces.s3.checksums import check_object
from cloudfiles.interfaces.s3.endpoint import Endpoint
from cloudfiles.transport.request import (
    Origin,
    Request,
    Response,
    format_head,
    status_error,
)
from cloudfiles.transport.web_page import check_is_the_stores
from cloudfiles.values import NamedTuple

STALE_CREDENTIALS = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired",
                               "InvalidAccessKeyId", "InvalidClientTokenId"})
"""Error codes for a rejected access key, which may have been renewed or rotated in the meantime."""

_TRANSIENT = frozenset({"RequestTimeout", "IncompleteBody", "OperationAborted", "ConditionalRequestConflict",
                        "InternalError", "ServiceUnavailable", "SlowDown", "503 SlowDown"})
"""Error codes that are transient, whatever their status."""

_CORRUPTED = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "XAmzContentChecksumMismatch"})
"""Error codes for uploads that were received with different bytes than sent."""

_MISSING = frozenset({"NoSuchKey", "NoSuchVersion"})
_NOTHING = frozenset({"NotFound", "404", ""})


class ErrorDocument(NamedTuple):
    """An error document; missing fields are ''."""

    code: str = ""
    message: str = ""
    region: str = ""

    @property
    def is_missing_key(self) -> bool:
        return self.code in _MISSING

    @property
    def is_unspecific(self) -> bool:
        """Whether the code of a 404 does not say what is missing."""
        return self.code in _NOTHING


def parse_error_document(content: bytes) -> ErrorDocument:
    """The error document in `content`; empty if there is none (a HEAD, HTML of a gateway)."""
    if b"<Error" not in content:
        return ErrorDocument()
    try:
        root = parse_xml_content(content)
    except XML_ERRORS:
        return ErrorDocument()
    fields = {local_name(element): (element.text or "").strip() for element in root.iter()}
    return ErrorDocument(fields.get("Code", ""), fields.get("Message", ""), fields.get("Region", ""))


def build_error(document: ErrorDocument, response: Response, path: str | None, bucket: str,
                hint: str = "") -> CloudFilesError:
    """The error to raise for an error response. hint: added to the server's message."""
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


_DOCUMENT = (b"<?xml ", b"<Error")
"""Possible starts of an error document."""


class S3Protocol(SignedProtocol[Endpoint, AwsProvider, Signer]):
    """The provider protocol of one bucket."""

    signer = Signer

    # ---- requests

    def encode(self, request: Request, host: str, now: float) -> bytes:
        """The signed header section. The body of a PUT is unsigned if its sha256 is not among the headers: then a
        signed Content-MD5, or TLS, protects it."""
        credentials = self._provider.get()
        if credentials is None:
            request.signed = None
            return format_head(request.method, request.target, host, request.headers, request.body)
        context = self._signer.at(now + self._clock.skew, credentials, self.endpoint.region)
        request.signed = context
        headers, method = request.headers, request.method
        if method not in ("PUT", "POST"):
            return context.head(method, request.target, host, headers, EMPTY_PAYLOAD)
        body = request.body
        payload = headers.get("x-amz-content-sha256") or UNSIGNED_PAYLOAD
        if method == "POST" and isinstance(body, bytes):
            payload = hashlib.sha256(body).hexdigest()
        return context.head(method, request.target, host, headers, payload, len(body))

    def presign(self, target: str, host: str, expires: int, method: str) -> str:
        """`target` with a query that signs it for `expires` seconds; unchanged if requests are not signed."""
        credentials = self._provider.get()
        if credentials is None:
            return target
        context = self._signer.at(self._clock.now(), credentials, self.endpoint.region)
        return f"{target}?{context.presigned_query(method, target, host, expires)}"

    # ---- responses

    def is_missing(self, response: Response) -> bool:
        """A 404 without a code, as for a HEAD, refers to the object if the bucket exists, which is checked once."""
        if response.status != 404:
            return False
        document = parse_error_document(response.content)
        if document.is_missing_key:
            return True
        if not document.is_unspecific:
            return False
        return self._is_object_missing()

    def check_object(self, response: Response, path: str | None) -> None:
        has_document = response.content.lstrip()[:6] in _DOCUMENT
        document = parse_error_document(response.content) if has_document else ErrorDocument()
        if document.code:
            raise build_error(document, response, path, self.endpoint.bucket)
        check_is_the_stores(response, path, "x-amz-request-id")  # CloudFront sends x-amz-cf-id

    def _check_digest(self, content: bytes, headers: dict[str, str], path: str | None) -> str:
        return check_object(content, headers, path)

    def to_error(self, request: Request, response: Response) -> Exception:
        document = parse_error_document(response.content)
        if response.status == 404 and self.bucket_exists is False and document.is_unspecific:
            document = ErrorDocument("NoSuchBucket")  # as a request for it has shown
        return build_error(document, response, request.path, self.endpoint.bucket, _hint(request, response, document))

    # ---- corrections

    def correct(self, request: Request, response: Response) -> bool:
        document = parse_error_document(response.content)
        signed: SigningContext | None = request.signed
        if response.status in (301, 302, 307, 308, 400, 403) and self._correct_region(request, response, document):
            return True
        if response.status in (307, 308) and self._follow_redirect(request, response):
            return True
        if signed is None:
            return False
        if self._correct_clock(signed, response, document):
            return True
        # An error response to a HEAD has no code: with a session token, 400 most likely means that it has expired.
        unsaid = request.method == "HEAD" and response.status == 400 and signed.credentials.token is not None
        return (document.code in STALE_CREDENTIALS or unsaid) and self._renew_credentials(signed.credentials)

    def _correct_region(self, request: Request, response: Response, document: ErrorDocument) -> bool:
        """Compared with the state in which this request was sent: another worker may have learned the region."""
        region = response.headers.get("x-amz-bucket-region") or document.region
        if not region:
            return False
        endpoint = self.endpoint if self.endpoint.region == region else self.endpoint.in_region(region)
        signed: SigningContext | None = request.signed
        if request.origin == endpoint.origin and (signed is None or signed.region == region):
            return False
        self.endpoint = endpoint
        request.origin = endpoint.origin
        return True

    def _follow_redirect(self, request: Request, response: Response) -> bool:
        """A temporary redirect, followed within AWS only: signatures are not sent to other hosts."""
        location = response.headers.get("location", "")
        if not self.endpoint.is_aws or not location.startswith(("http://", "https://")):
            return False
        origin = Origin.of(location)
        if origin == request.origin or not origin.host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return False
        request.origin = origin
        return True

    def _correct_clock(self, signed: SigningContext, response: Response, document: ErrorDocument) -> bool:
        """An error response to a HEAD has no code, so the clocks are compared."""
        if response.status != 403 or document.code not in ("RequestTimeTooSkewed", ""):
            return False
        return self._clock.learn(response, signed.now)

    def _renew_credentials(self, rejected: AwsCredentials) -> bool:
        fresh = self._provider.refresh(rejected)
        return fresh is not None and (fresh.access_key, fresh.secret_key, fresh.token) != (
            rejected.access_key, rejected.secret_key, rejected.token)


def _hint(request: Request, response: Response, document: ErrorDocument) -> str:
    """A note about other possible causes for the error message; '' for none."""
    if document.code in STALE_CREDENTIALS and request.signed is not None:
        return " (no newer credentials were found)"
    if document.code == "RequestTimeTooSkewed" and request.signed is not None:
        return " (and correcting for the server's clock did not help)"
    reads_object = request.method in ("GET", "HEAD") and "?" not in request.target
    if response.status == 403 and document.code == "AccessDenied" and reads_object:
        return " (S3 also returns 403 for keys that do not exist if the s3:ListBucket permission is missing)"
    return ""
