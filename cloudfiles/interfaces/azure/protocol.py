"""Azure's way to be asked and to refuse: requests authorized, answers read, what can be corrected is corrected.

Mended, and sent again at once: the credentials and the clock. What is learned from the server's answer is
kept for all later requests of the interface.
"""

from __future__ import annotations

from collections.abc import Callable

from cloudfiles import integrity
from cloudfiles.credentials.azure import AzureCredentials, AzureProvider
from cloudfiles.credentials.signing.shared_key import Signer, SigningContext
from cloudfiles.interfaces.azure.endpoint import Endpoint
from cloudfiles.interfaces.azure.errors import MISSING, MISSING_ELSEWHERE, build_error, error_code
from cloudfiles.interfaces.server_clock import ServerClock
from cloudfiles.runtime.base import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.request import ProviderProtocol, Request, Response, RetryRequest, format_head
from cloudfiles.transport.web_page import check_is_the_stores

VERSION = "2023-11-03"
"""The x-ms-version: that of azurite 3.27 and of everything used here."""

_STALE = frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"})


class AzureProtocol(ProviderProtocol):
    """The provider protocol of one container.

    Attributes:
        endpoint: where the container is.
        finds_container: asks the server whether it is there.
    """

    check_container_exists: Callable[[], bool]

    def __init__(self, endpoint: Endpoint, provider: AzureProvider, runtime: Runtime,
                 wall: Callable[[], float]) -> None:
        self.endpoint = endpoint
        self._provider = provider
        self._runtime = runtime
        self._signer = Signer()
        self._clock = ServerClock(wall)
        self._container_exists: bool | None = None  # None: not asked yet

    # ---- asking

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
        """Seconds since the epoch by the server's clock, as far as known."""
        return self._clock.now()

    def signing_context(self, credentials: AzureCredentials) -> SigningContext:
        """For signing what is no request of its own."""
        return self._signer.at(self.now(), credentials)

    # ---- reading answers

    def is_missing(self, response: Response) -> bool:
        """A 404 that does not say what is missing, as other servers' may, is about the object where the container is
        there: it is asked for once."""
        if response.status != 404:
            return False
        code = error_code(response)
        if code in MISSING or code in MISSING_ELSEWHERE:
            return code in MISSING
        self._container_exists = self._container_exists or self.check_container_exists()
        return self._container_exists

    def check_object(self, response: Response, path: str | None) -> None:
        check_is_the_stores(response, path)
        if b"<Error>" in response.content[:200] and error_code(response):
            raise build_error(response, path, self.endpoint.container)

    def verify(self, content: bytes, headers: dict[str, str], path: str | None) -> str:
        if len(content) > RUN_IN_THREAD_BYTES:
            return self._runtime.run_in_thread(integrity.check, content, headers, path) or ""
        return integrity.check(content, headers, path) or ""

    def to_error(self, request: Request, response: Response) -> Exception:
        known = ""
        if response.status == 404 and self._container_exists is False and not error_code(response):
            known = "ContainerNotFound"  # as asking for it has shown
        error = build_error(response, request.path, self.endpoint.container, known, signed=request.signed is not None)
        return RetryRequest(error) if self._corrected(request, response) else error

    # ---- mending

    def _corrected(self, request: Request, response: Response) -> bool:
        signed: SigningContext | AzureCredentials | None = request.signed
        if signed is None or response.status not in (401, 403) or error_code(response) not in _STALE:
            return False
        if isinstance(signed, SigningContext):
            # The code is that of a wrong signature: the two clocks themselves tell.
            return self._clock.learn(response, signed.now) or self._renewed(signed.credentials)
        return self._renewed(signed)

    def _renewed(self, rejected: AzureCredentials) -> bool:
        fresh = self._provider.refresh(rejected)
        return fresh is not None and (fresh.key, fresh.sas, fresh.token) != (rejected.key, rejected.sas, rejected.token)
