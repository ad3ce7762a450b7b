"""Cloud Storage's way to be asked and to refuse: requests with a token, a new one where it was refused."""

from __future__ import annotations

from collections.abc import Callable

from cloudfiles import integrity
from cloudfiles.credentials.google import GoogleProvider, GoogleToken
from cloudfiles.interfaces.gs.errors import build_error, names_bucket, names_object, parse_error_document
from cloudfiles.runtime.base import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.request import ProviderProtocol, Request, Response, RetryRequest, format_head
from cloudfiles.transport.web_page import check_is_the_stores


class GsProtocol(ProviderProtocol):
    """The provider protocol of one bucket.

    Attributes:
        tokens: who asks.
        finds_bucket: asks the server whether the bucket is there.
    """

    check_bucket_exists: Callable[[], bool]

    def __init__(self, bucket: str, tokens: GoogleProvider, runtime: Runtime) -> None:
        self.tokens = tokens
        self._bucket = bucket
        self._runtime = runtime
        self._bucket_exists = False

    def encode(self, request: Request, host: str, now: float) -> bytes:
        token: GoogleToken = self.tokens.get()
        request.signed = token
        if token.authorization:
            request.headers["authorization"] = token.authorization
        return format_head(request.method, request.target, host, request.headers, request.body)

    def is_missing(self, response: Response) -> bool:
        """A 404 that names neither the object nor the bucket, as other servers' may, is about the object where the
        bucket is there: it is asked for once."""
        if response.status != 404:
            return False
        message = parse_error_document(response.content).message
        if not names_object(message):
            if names_bucket(message):
                return False
            self._bucket_exists = self._bucket_exists or self.check_bucket_exists()
            return self._bucket_exists
        return True

    def check_object(self, response: Response, path: str | None) -> None:
        """An answer of Cloud Storage's may have no ETag, but it has headers of its own."""
        if not any(name.startswith("x-goog-") for name in response.headers):
            check_is_the_stores(response, path)

    def verify(self, content: bytes, headers: dict[str, str], path: str | None) -> str:
        if len(content) > RUN_IN_THREAD_BYTES:
            return self._runtime.run_in_thread(integrity.check, content, headers, path) or ""
        return integrity.check(content, headers, path) or ""

    def to_error(self, request: Request, response: Response) -> Exception:
        token: GoogleToken = request.signed
        error = build_error(response, request.path, self._bucket, bool(token.authorization))
        if response.status == 401 and token.authorization and self.tokens.refresh(token) != token:
            return RetryRequest(error)
        return error
