"""S3's way to be asked and to refuse: requests signed, answers read, what can be corrected is corrected.

Mended, and sent again at once: the region, the credentials, the clock. Each is learned from the
server's answer and kept for all later requests of the interface.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cloudfiles.credentials.aws import AwsCredentials, AwsProvider
from cloudfiles.credentials.signing.sigv4 import EMPTY_PAYLOAD, UNSIGNED_PAYLOAD, Signer, SigningContext
from cloudfiles.interfaces.s3.checksums import check_object
from cloudfiles.interfaces.s3.endpoint import Endpoint
from cloudfiles.interfaces.s3.errors import STALE_CREDENTIALS, ErrorDocument, build_error, parse_error_document
from cloudfiles.interfaces.server_clock import ServerClock
from cloudfiles.runtime.base import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.request import Origin, ProviderProtocol, Request, Response, RetryRequest, format_head
from cloudfiles.transport.web_page import check_is_the_stores

_DOCUMENT = (b"<?xml ", b"<Error")
"""How an error document may begin."""


class S3Protocol(ProviderProtocol):
    """The provider protocol of one bucket.

    Attributes:
        endpoint: where the bucket is, as far as known by now.
        bucket_found: whether it is there; None before it was looked for.
        finds_bucket: asks the server whether it is there.
    """

    check_bucket_exists: Callable[[], bool]

    def __init__(self, endpoint: Endpoint, provider: AwsProvider, runtime: Runtime, wall: Callable[[], float]) -> None:
        self.endpoint = endpoint
        self._provider = provider
        self._runtime = runtime
        self._signer = Signer()
        self._clock = ServerClock(wall)
        self.bucket_exists: bool | None = None

    # ---- asking

    def encode(self, request: Request, host: str, now: float) -> bytes:
        """The signed head. The body of a PUT goes unsigned where its sha256 is not among the headers: a Content-MD5,
        which is signed, or TLS speaks for it."""
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
        """`target` with a query that signs it for `expires` seconds; as it is where requests are not signed."""
        credentials = self._provider.get()
        if credentials is None:
            return target
        context = self._signer.at(self._clock.now(), credentials, self.endpoint.region)
        return f"{target}?{context.presigned_query(method, target, host, expires)}"

    # ---- reading answers

    def is_missing(self, response: Response) -> bool:
        """A 404 without a code, as to a HEAD, is about the object where the bucket is there: it is asked for once."""
        if response.status != 404:
            return False
        document = parse_error_document(response.content)
        if document.is_missing_key:
            return True
        if not document.is_unspecific:
            return False
        self.bucket_exists = self.bucket_exists or self.check_bucket_exists()
        return self.bucket_exists

    def check_object(self, response: Response, path: str | None) -> None:
        check_is_the_stores(response, path)
        has_document = response.content.lstrip()[:6] in _DOCUMENT
        document = parse_error_document(response.content) if has_document else ErrorDocument()
        if document.code:
            raise build_error(document, response, path, self.endpoint.bucket)

    def verify(self, content: bytes, headers: dict[str, str], path: str | None) -> str:
        if len(content) > RUN_IN_THREAD_BYTES:
            return self._runtime.run_in_thread(check_object, content, headers, path)
        return check_object(content, headers, path)

    def to_error(self, request: Request, response: Response) -> Exception:
        document = parse_error_document(response.content)
        if response.status == 404 and self.bucket_exists is False and document.is_unspecific:
            document = ErrorDocument("NoSuchBucket")  # as asking for it has shown
        error = build_error(document, response, request.path, self.endpoint.bucket, _hint(request, response, document))
        return RetryRequest(error) if self._corrected(request, response, document) else error

    # ---- mending

    def _corrected(self, request: Request, response: Response, document: ErrorDocument) -> bool:
        signed: SigningContext | None = request.signed
        if response.status in (301, 302, 307, 308, 400, 403) and self._region_learned(request, response, document):
            return True
        if response.status in (307, 308) and self._redirected(request, response):
            return True
        if signed is None:
            return False
        if self._clock_learned(signed, response, document):
            return True
        # A HEAD's error response has no code: with a session token, 400 most likely means that it expired.
        unsaid = request.method == "HEAD" and response.status == 400 and signed.credentials.token is not None
        return (document.code in STALE_CREDENTIALS or unsaid) and self._renewed(signed.credentials)

    def _region_learned(self, request: Request, response: Response, document: ErrorDocument) -> bool:
        """Compared with what this request was sent by: another worker may have learned the region meanwhile."""
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

    def _redirected(self, request: Request, response: Response) -> bool:
        """A temporary redirect, followed within AWS only: a signature is nothing to show to somebody else."""
        location = response.headers.get("location", "")
        if not self.endpoint.is_aws or not location.startswith(("http://", "https://")):
            return False
        origin = Origin.of(location)
        if origin == request.origin or not origin.host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return False
        request.origin = origin
        return True

    def _clock_learned(self, signed: SigningContext, response: Response, document: ErrorDocument) -> bool:
        """A HEAD's error response has no code: there the two clocks themselves tell."""
        if response.status != 403 or document.code not in ("RequestTimeTooSkewed", ""):
            return False
        return self._clock.learn(response, signed.now)

    def _renewed(self, rejected: AwsCredentials) -> bool:
        fresh = self._provider.refresh(rejected)
        return fresh is not None and (fresh.access_key, fresh.secret_key, fresh.token) != (
            rejected.access_key, rejected.secret_key, rejected.token)


def _hint(request: Request, response: Response, document: ErrorDocument) -> str:
    """What else the refusal may mean, for whoever reads the error; '' for nothing."""
    if document.code in STALE_CREDENTIALS and request.signed is not None:
        return " (no newer credentials were found)"
    if document.code == "RequestTimeTooSkewed" and request.signed is not None:
        return " (and correcting for the server's clock did not help)"
    reads_object = request.method in ("GET", "HEAD") and "?" not in request.target
    if response.status == 403 and document.code == "AccessDenied" and reads_object:
        return " (S3 also returns 403 for keys that do not exist if the s3:ListBucket permission is missing)"
    return ""
