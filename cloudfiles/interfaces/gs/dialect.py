"""Cloud Storage's way to be asked and to refuse: requests with a token, a new one where it was refused."""

from __future__ import annotations

from cloudfiles import integrity
from cloudfiles.credentials.google import GoogleProvider, GoogleToken
from cloudfiles.interfaces.gs.errors import error_of, says_no_bucket
from cloudfiles.runtime.base import OFFLOAD_BYTES, Runtime
from cloudfiles.transport.request import Dialect, Request, Response, TryAgain, format_head
from cloudfiles.transport.web_page import check_is_the_stores


class GsDialect(Dialect):
    """The dialect of one bucket.

    Attributes:
        tokens: who asks.
    """

    def __init__(self, bucket: str, tokens: GoogleProvider, runtime: Runtime) -> None:
        self.tokens = tokens
        self._bucket = bucket
        self._runtime = runtime

    def encode(self, request: Request, host: str, now: float) -> bytes:
        token: GoogleToken = self.tokens.get()
        request.signed = token
        if token.authorization:
            request.headers["authorization"] = token.authorization
        return format_head(request.method, request.target, host, request.headers, request.body)

    def is_missing(self, response: Response) -> bool:
        return response.status == 404 and not says_no_bucket(response.content)

    def check_object(self, response: Response, path: str | None) -> None:
        """An answer of Cloud Storage's may have no ETag, but it has headers of its own."""
        if not any(name.startswith("x-goog-") for name in response.headers):
            check_is_the_stores(response, path)

    def verify(self, content: bytes, headers: dict[str, str], path: str | None) -> str:
        if len(content) > OFFLOAD_BYTES:
            return self._runtime.offload(integrity.check, content, headers, path) or ""
        return integrity.check(content, headers, path) or ""

    def refusal(self, request: Request, response: Response) -> Exception:
        token: GoogleToken = request.signed
        error = error_of(response, request.path, self._bucket, bool(token.authorization))
        if response.status == 401 and token.authorization and self.tokens.refresh(token) != token:
            return TryAgain(error)
        return error
