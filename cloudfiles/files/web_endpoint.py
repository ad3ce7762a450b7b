"""A URL and how our own client reaches it, for downloads and uploads of single files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import urllib3

from cloudfiles.credentials.http_auth import HttpCredentials
from cloudfiles.exceptions import InvalidInputError, redact
from cloudfiles.interfaces.http.protocol import WebProtocol
from cloudfiles.interfaces.http.urls import WebAddress, shown
from cloudfiles.paths import extract
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Request, Response
from cloudfiles.types import Tls

TRANSIENT_STATUSES = frozenset({413, 429, 503})
"""Statuses after which the same request may succeed; if they persist, that is a failure, not an unexpected answer."""

THREE_RETRIES = RetryPolicy(attempts=4, window=1.0)
"""After up to 1, 2 and 4 seconds."""


CHUNK_BYTES = 16 * 1024 * 1024

Callback = Callable[[int, int], Any]
"""Called with the bytes transferred, and the total bytes."""


class Timeouts(NamedTuple):
    """Seconds to wait for a connection, and without a byte on one; and those that a request, its retries included, may
    take in all, None for any number."""

    connect: float
    read: float
    total: float | None = None

    @classmethod
    def of(cls, timeout: Any, default: Timeouts) -> Timeouts:
        """A number for the first two; a urllib3 or aiohttp timeout object; None for the default. Raises
        InvalidInputError."""
        if timeout is None:
            return default
        if isinstance(timeout, int | float):
            if not timeout > 0:
                raise InvalidInputError(f"timeout: expected a number of seconds > 0, got {timeout!r}")
            return cls(float(timeout), float(timeout))
        if isinstance(timeout, urllib3.Timeout):
            timeout = timeout.clone()
            timeout.start_connect()  # before, it does not tell how its total bounds a read
        return cls(_seconds(timeout, "sock_connect", "connect_timeout", "connect") or default.connect,
                   _seconds(timeout, "sock_read", "read_timeout") or default.read,
                   _seconds(timeout, "total"))


def _seconds(timeout: Any, *names: str) -> float | None:
    """The first attribute that is a number of seconds; 0 is none, as to aiohttp."""
    values = (getattr(timeout, name, None) for name in names)
    return next((float(value) for value in values if isinstance(value, int | float) and value), None)


def is_web(url: str) -> bool:
    """Whether it is a plain http(s) URL."""
    return extract(url).protocol in ("http", "https")


def check_no_pool(url: str, pool: Any) -> None:
    """Raise InvalidInputError for a pool that cannot be used."""
    if pool is not None:
        raise InvalidInputError(f"pool= is supported for http:// and https:// only, not for {redact(url)!r}")


def is_redirect(response: Response) -> bool:
    return response.status in (301, 302, 303, 307, 308) and "location" in response.headers


class WebEndpoint:
    """The server of a URL, with the credentials for it.

    Attributes:
        origin, target: of the requests.
        headers: what every request sends.
        shown: the URL for messages, without its query.
    """

    def __init__(self, url: str, timeouts: Timeouts, policy: RetryPolicy) -> None:
        address = WebAddress(extract(url.partition("#")[0]))
        self.origin = address.origin
        self.target = address.target("")
        self.headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "cloudfiles"}
        self.shown = shown(self.origin, self.target)
        self._credentials = HttpCredentials(address.origin.authority, userinfo=address.userinfo)
        self._timeouts = timeouts
        self._policy = policy

    def protocol(self) -> WebProtocol:
        """A new one, as every request needs."""
        return WebProtocol(self.origin, self.target, self._credentials)

    def client(self) -> Client:
        """The client for work done where this is called; one for all with the same timeouts and policy."""
        runtime = blocking_runtime()
        to = self._timeouts
        key = (Tls(), to.connect, to.read, self._policy)
        client = runtime.resources.get(key)
        if client is None:
            client = runtime.resources.setdefault(key, Client(runtime, Tls(), to.connect, to.read, policy=self._policy))
        return cast(Client, client)

    def send(self, request: Request) -> Any:
        """What the client makes of the request, within the total timeout."""
        client, total = self.client(), self._timeouts.total
        request.deadline = None if total is None else client.clock.monotonic() + total
        return client.send(request)
