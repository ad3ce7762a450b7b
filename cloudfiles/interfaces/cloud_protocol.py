"""The part that the cloud protocols share: whether the bucket exists, digests of whole objects, the server's clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from cloudfiles import integrity
from cloudfiles.runtime.contract import RUN_IN_THREAD_BYTES, Runtime
from cloudfiles.transport.request import ProviderProtocol, Response

_SKEWED = 300.0
"""Difference of the clocks in seconds that explains an error response; S3 and Azure allow 900."""


class ServerClock:
    """The server's time, derived from the local clock.

    Attributes:
        skew: seconds by which the server's clock is ahead, if known.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.skew = 0.0

    def now(self) -> float:
        """Seconds since the epoch according to the server's clock."""
        return self._wall() + self.skew

    def learn(self, response: Response, signed_at: float) -> bool:
        """Whether the Date of the response differs so much from the signed time that the clocks explain the error. It
        is used from then on."""
        from email.utils import mktime_tz, parsedate_tz  # here, as it takes long to import and is rarely needed

        date = parsedate_tz(response.headers.get("date", ""))
        if date is None or abs(mktime_tz(date) - signed_at) < _SKEWED:
            return False
        self.skew = mktime_tz(date) - self._wall()
        return True


class CloudProtocol(ProviderProtocol):
    """The protocol of one bucket or container.

    Attributes:
        bucket_exists: None until the server has been asked.
        check_bucket_exists: asks the server.
    """

    check_bucket_exists: Callable[[], bool]

    def __init__(self, runtime: Runtime) -> None:
        self.bucket_exists: bool | None = None
        self._runtime = runtime

    def _is_object_missing(self) -> bool:
        """A 404 that does not say what is missing means the object, if the bucket exists, which is checked once."""
        self.bucket_exists = self.bucket_exists or self.check_bucket_exists()
        return self.bucket_exists

    def verify(self, content: bytes, headers: dict[str, str], path: str | None) -> str:
        if len(content) > RUN_IN_THREAD_BYTES:
            return self._runtime.run_in_thread(self._check_digest, content, headers, path)
        return self._check_digest(content, headers, path)

    def _check_digest(self, content: bytes, headers: dict[str, str], path: str | None) -> str:
        """As `verify`, in the calling thread."""
        return integrity.check(content, headers, path) or ""


AnyEndpoint = TypeVar("AnyEndpoint")
AnyProvider = TypeVar("AnyProvider")
AnySigner = TypeVar("AnySigner")


class SignedProtocol(CloudProtocol, Generic[AnyEndpoint, AnyProvider, AnySigner]):
    """The protocol of one bucket or container whose requests are signed, with the time on the server's clock.

    Attributes:
        endpoint: the address of the bucket, as far as known.
    """

    signer: Callable[[], AnySigner]

    def __init__(self, endpoint: AnyEndpoint, provider: AnyProvider, runtime: Runtime,
                 wall: Callable[[], float]) -> None:
        super().__init__(runtime)
        self.endpoint = endpoint
        self._provider = provider
        self._signer = self.signer()
        self._clock = ServerClock(wall)
