"""Requests in, results out: pools, the one retry loop, typed errors.

There is one client per runtime and set of TLS files and timeouts; all interfaces of the
process share it, and with it its connections.
"""

from __future__ import annotations

import logging
import os
import random
import weakref
from collections.abc import Callable
from typing import Any, cast

from cloudfiles.exceptions import (
    Attempt,
    CertificateError,
    CloudFilesError,
    ConnectionFailedError,
    IntegrityError,
    ServerError,
    TransportError,
    redact,
)
from cloudfiles.retry import REFUSED_STATUS, RETRYABLE_STATUS, RetryPolicy
from cloudfiles.runtime.base import Runtime
from cloudfiles.runtime.descriptors import PROCESS, Descriptors
from cloudfiles.transport.connection import BrokenBodyError
from cloudfiles.transport.dial import Dialer, proxy_for
from cloudfiles.transport.limiter import Limiter
from cloudfiles.transport.pool import Pool
from cloudfiles.transport.request import Origin, Request, TryAgain
from cloudfiles.types import MIN_THROUGHPUT, Clock, StoreOptions, Tls

log = logging.getLogger("cloudfiles")


class Client:
    """Sends requests over pooled connections until they succeed or the policy gives up."""

    def __init__(self, runtime: Runtime, tls: Tls, connect_timeout: float, read_timeout: float, *,
                 policy: RetryPolicy | None = None, clock: Clock | None = None,
                 jitter: Callable[[], float] = random.random, descriptors: Descriptors = PROCESS,
                 min_throughput: float = MIN_THROUGHPUT) -> None:
        self.runtime = runtime
        self.policy = policy or RetryPolicy()
        self.clock = clock or Clock()
        self._wall = self.clock.wall
        self._monotonic = self.clock.monotonic
        self._jitter = jitter
        self._descriptors = descriptors
        self._min_throughput = min_throughput
        self._dialer = Dialer(runtime, tls, connect_timeout, read_timeout)
        self._pools: dict[Origin, Pool] = {}
        _clients.add(self)

    def send(self, request: Request) -> Any:
        """What `request.accept` makes of the answer.

        Raises what `accept` raises, and TransportError when the policy gives up; the error
        carries every attempt and its cause.
        """
        failures: _Failures | None = None
        while True:
            try:
                return self._attempt(request)
            except CloudFilesError as error:
                failure: CloudFilesError = error
                again = False
            except TryAgain as mended:
                failure = mended.cause
                again = True
            if failures is None:
                failures = _Failures(self, request)
            failures.wait_or_raise(failure, again)
            del failure  # else it and this frame hold each other, and what it knows, until the collector comes

    def _attempt(self, request: Request) -> Any:
        pool = self._pools.get(request.origin) or self._open_pool(request.origin)
        now = self._monotonic()
        delay = pool.limiter.enter(now)
        if delay:
            self.runtime.sleep(delay)
        connection = pool.take(now, request.idempotent)
        try:
            head = request.encode(pool.host, self._wall())
            response = connection.exchange(pool.forward(head) if pool.forwarded else head, request)
        except BrokenBodyError as broken:
            connection.close()
            request.broken(broken.head, broken.received)
            raise broken.cause from broken
        except ConnectionFailedError as error:
            connection.close()
            if connection.served and not connection.heard and request.idempotent:
                # Closed while idle, by all appearances, and unnoticed until now: no fault of this request.
                pool.close()
                raise TryAgain(error) from error
            raise
        except BaseException:
            connection.close()
            raise
        pool.give(connection, now)
        return request.accept(response)

    def _open_pool(self, origin: Origin) -> Pool:
        return self._pools.setdefault(origin, Pool(origin, self._dialer, proxy_for(origin), limiter_of(origin),
                                                   self.runtime, self._descriptors, self._monotonic,
                                                   self._min_throughput))

    def slow_down(self, origin: Origin) -> None:
        """The server at `origin` refused a request because there are too many."""
        limiter_of(origin).slow_down(self._monotonic())

    def close(self) -> None:
        """Close the idle connections. New ones are opened when next needed."""
        for pool in list(self._pools.values()):
            pool.close()

    def forget(self) -> None:
        """After a fork, in the child: the connections are the parent's."""
        for pool in self._pools.values():
            pool.forget()
        self._pools.clear()


class _Failures:
    """The failed attempts of one request, and what follows from them."""

    def __init__(self, client: Client, request: Request) -> None:
        self._client = client
        self._request = request
        self._began = client.clock.monotonic()
        self._attempts: list[Attempt] = []
        self._faults = 0
        self._mended = 0
        self._corrupt = 0

    def wait_or_raise(self, error: CloudFilesError, again: bool) -> None:
        """Return when the request may be sent again; raise `error`, with its history, when not."""
        client, policy = self._client, self._client.policy
        elapsed = client.clock.monotonic() - self._began
        self._request.retries += 1
        self._corrupt += isinstance(error, IntegrityError)
        # What was mended is no fault, and does not lengthen the backoff of one; but it may not go on forever either.
        self._faults += not again
        self._mended += again
        count = self._mended if again else self._faults
        retry_after = getattr(error, "retry_after", None)
        delay = 0.0 if again else policy.delay(count, client._jitter, retry_after)
        worth_it = again or self._is_passing(error)
        if isinstance(error, ServerError) and error.is_slow_down:
            client.slow_down(self._request.origin)
        self._attempts.append(Attempt(f"{type(error).__name__}: {error}", elapsed, delay if worth_it else 0.0))
        allowed = policy.mends_more(count, elapsed) if again else policy.allows(count, elapsed, delay, retry_after)
        if not worth_it or not allowed:
            self._raise(error, elapsed)
        log.info("%s: attempt %d failed, next in %.2f s: %s", redact(self._request.path or ""), len(self._attempts),
                 delay, error)
        if delay:
            client.runtime.sleep(delay)

    def _is_passing(self, error: CloudFilesError) -> bool:
        """Whether the same request may succeed later, and may be repeated."""
        if isinstance(error, IntegrityError):
            return self._corrupt < self._client.policy.integrity_attempts
        if isinstance(error, CertificateError) or not isinstance(error, TransportError):
            return False
        if isinstance(error, ServerError):
            allowed = RETRYABLE_STATUS if self._request.idempotent else REFUSED_STATUS
            return error.is_passing or error.status in allowed
        return self._request.idempotent or getattr(error, "nothing_sent", False)

    def _raise(self, error: CloudFilesError, elapsed: float) -> None:
        error.path = error.path or self._request.path
        error.attempts = tuple(self._attempts)
        error.elapsed = elapsed
        raise error


# ---- what the process shares

_limiters: dict[Origin, Limiter] = {}
_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def limiter_of(origin: Origin) -> Limiter:
    """The brake for `origin`, shared by all clients of the process."""
    limiter = _limiters.get(origin)
    return limiter if limiter is not None else _limiters.setdefault(origin, Limiter())


def client_for(runtime: Runtime, options: StoreOptions) -> Client:
    """The process's client for these settings."""
    key = (options.tls, options.connect_timeout, options.read_timeout, options.min_throughput)
    client = runtime.kept.get(key)
    if client is None:
        client = runtime.kept.setdefault(key, Client(runtime, *key[:3], min_throughput=options.min_throughput))
    return cast(Client, client)


def close_clients() -> None:
    """Close every idle connection of the process; clients open new ones when next used."""
    for client in list(_clients):
        client.runtime.call(client.close)


def _after_fork_in_child() -> None:
    for client in list(_clients):
        client.forget()
    _limiters.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
