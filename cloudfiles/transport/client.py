"""Sends requests: connection pools, the retry loop, typed errors.

There is one client per runtime, TLS files and timeouts. All interfaces of the process share it and its connections.
"""

from __future__ import annotations

import os
import random
import weakref
from collections.abc import Callable
from typing import Any, cast

from cloudfiles.exceptions import CloudFilesError, ConnectionFailedError, RequestTimeoutError
from cloudfiles.retry import RETRYABLE_STATUS, RetryPolicy
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.descriptors import DescriptorBudget, is_descriptor_shortage, process_descriptors
from cloudfiles.transport.attempts import Attempts
from cloudfiles.transport.connection_pool import Pool
from cloudfiles.transport.dial import Dialer
from cloudfiles.transport.hedger import Hedger
from cloudfiles.transport.hedging import HedgeWonError, HedgingPolicy
from cloudfiles.transport.proxy import proxy_for
from cloudfiles.transport.rate_limit.limiter import Limiter
from cloudfiles.transport.request import Origin, Request, Response, RetryRequest
from cloudfiles.transport.response_reader import IncompleteBodyError
from cloudfiles.transport.traffic import traffic_of
from cloudfiles.types import MIN_THROUGHPUT, Clock, StoreOptions, Tls


class Client:
    """Sends requests over pooled connections until they succeed or the policy gives up."""

    def __init__(self, runtime: Runtime, tls: Tls, connect_timeout: float, read_timeout: float, *,
                 policy: RetryPolicy | None = None, clock: Clock | None = None,
                 jitter: Callable[[], float] = random.random, descriptors: DescriptorBudget = process_descriptors,
                 min_throughput: float = MIN_THROUGHPUT, hedge: bool = True) -> None:
        self.runtime = runtime
        self.policy = policy or RetryPolicy()
        self.clock = clock or Clock()
        self._wall = self.clock.wall
        self._monotonic = self.clock.monotonic
        self._jitter = jitter
        self._descriptors = descriptors
        self._min_throughput = min_throughput
        self._hedge = hedge
        self._dialer = Dialer(runtime, tls, connect_timeout, read_timeout, self._monotonic)
        self._pools: dict[Origin, Pool] = {}
        _clients.add(self)

    def send(self, request: Request) -> Any:
        """The result of `request.accept` for the response.

        Raises what `accept` raises, and TransportError when the retry policy gives up. The error lists every attempt
        and its cause.
        """
        pool = self._pools.get(request.origin) or self._open_pool(request.origin)
        now = self._monotonic()
        attempts: Attempts | None = None
        if pool.limiter.enter(now):
            attempts = self._new_attempts(request, now)
            now = attempts.wait_turn(pool.limiter, now)
        while True:
            traffic = pool.traffic
            traffic.begun += 1
            response: Response | None = None
            try:
                response = self._exchange(request, pool, now)
                result = request.accept(response)
                if pool.limiter.is_watching:
                    self._report(response, pool.limiter, now)
                return result
            except CloudFilesError as error:
                failure: CloudFilesError = error
                again = False
            except RetryRequest as corrected:
                failure = corrected.cause
                again = True
            except (OSError, ImportError) as error:
                if not is_descriptor_shortage(error):
                    traffic.failed += 1
                    raise
                failure = _not_understood(error)
                again = False
            except BaseException:
                traffic.failed += 1
                raise
            finally:
                traffic.ended += 1
            traffic.failed += 1
            is_slow_down = getattr(failure, "is_slow_down", False)
            if response is not None and pool.limiter.is_watching and not is_slow_down:
                self._report(response, pool.limiter, now)
            attempts = attempts or self._new_attempts(request, now)
            if again:
                attempts.corrected(failure)
            else:
                if is_slow_down:
                    traffic.refused += 1
                    traffic.backing_off.add(attempts)
                try:
                    attempts.failed(failure, pool.limiter, now)
                finally:
                    traffic.backing_off.discard(attempts)
            pool = self._pools.get(request.origin) or self._open_pool(request.origin)
            now = self._monotonic()
            if pool.limiter.enter(now):
                now = attempts.wait_turn(pool.limiter, now, failure)
            del failure  # else it and this frame would form a reference cycle

    def _new_attempts(self, request: Request, now: float) -> Attempts:
        return Attempts(request, self.policy, now, monotonic=self._monotonic, sleep=self.runtime.sleep,
                        jitter=self._jitter)

    def _exchange(self, request: Request, pool: Pool, now: float) -> Response:
        limiter = pool.limiter
        head = request.encode(pool.host, self._wall())
        connection = pool.take(request.deadline)  # directly before it is used, as it is checked for stray bytes
        try:
            try:
                response = connection.exchange(pool.forward(head) if pool.forwarded else head, request)
            except HedgeWonError as won:
                answer, broken = won.answer, won.broken
                while True:
                    connection.close()
                    connection, request.signed = answer.connection, answer.signed
                    if broken is not None:
                        request.on_incomplete_body(*broken)
                    try:
                        response = connection.receive_body(answer.head, answer.rest, request)
                        break
                    except HedgeWonError as again:  # the body has stalled there, too
                        answer, broken = again.answer, again.broken
        except IncompleteBodyError as broken:
            connection.close()
            if limiter.is_watching:
                limiter.accepted(now, self._monotonic())  # the server has responded
            request.on_incomplete_body(broken.head, broken.received)
            raise broken.take_cause() from broken
        except ConnectionFailedError as error:
            connection.close()
            if connection.responses and not connection.has_response_bytes and request.idempotent:
                # Most likely closed while it was idle: not a failure of this request.
                pool.close()
                raise RetryRequest(error) from error
            error.is_unreachable |= not connection.has_response_bytes
            pool.failed(connection)
            raise
        except RequestTimeoutError:
            connection.close()
            pool.failed(connection)
            raise
        except BaseException:
            connection.close()
            raise
        pool.give(connection, now)
        limiter.has_answered = True
        return response

    def _report(self, response: Response, limiter: Limiter, sent: float) -> None:
        """Report a response to the limiter that is not known to be a failure of the server. To be called after the
        content was read: a status of 200 may be followed by an error that says to slow down."""
        if response.status not in RETRYABLE_STATUS:
            limiter.accepted(sent, self._monotonic())

    def _open_pool(self, origin: Origin) -> Pool:
        pool = Pool(origin, self._dialer, proxy_for(origin), limiter_of(origin), self.runtime, self._descriptors,
                    self._monotonic, self._min_throughput, traffic_of(origin))
        if self._hedge:
            pool.hedger = Hedger(pool, hedging_policy_of(origin), self._wall, self._monotonic)
        return self._pools.setdefault(origin, pool)

    def close(self) -> None:
        """Close the idle connections. New ones are opened when needed."""
        for pool in list(self._pools.values()):
            pool.close()

    def forget(self) -> None:
        """In the child after a fork: the connections belong to the parent."""
        for pool in self._pools.values():
            pool.forget()
        self._pools.clear()
        self._dialer.forget()


def _not_understood(error: Exception) -> ConnectionFailedError:
    """A response for which a module could not be imported, as the process has run out of descriptors."""
    failure = ConnectionFailedError("the response cannot be processed: the process has run out of file descriptors "
                                    f"(raise the limit with ulimit -n): {error}")
    failure.is_local, failure.__cause__ = True, error
    return failure


# ---- shared by the whole process

_limiters: dict[Origin, Limiter] = {}
_hedging_policies: dict[Origin, HedgingPolicy] = {}
_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def limiter_of(origin: Origin) -> Limiter:
    """The limiter for `origin`, shared by all clients of the process."""
    limiter = _limiters.get(origin)
    return limiter if limiter is not None else _limiters.setdefault(origin, Limiter())


def hedging_policy_of(origin: Origin) -> HedgingPolicy:
    """The policy for `origin`, shared by all clients of the process."""
    policy = _hedging_policies.get(origin)
    return policy if policy is not None else _hedging_policies.setdefault(origin, HedgingPolicy(traffic_of(origin)))


def client_for(runtime: Runtime, options: StoreOptions) -> Client:
    """The client of this process for these settings."""
    key = (options.tls, options.connect_timeout, options.read_timeout, options.min_throughput, options.hedge)
    client = runtime.resources.get(key)
    if client is None:
        client = runtime.resources.setdefault(key, Client(runtime, *key[:3], min_throughput=options.min_throughput,
                                                          hedge=options.hedge))
    return cast(Client, client)


def close_clients() -> None:
    """Close every idle connection of the process. Clients open new ones when needed."""
    for client in list(_clients):
        client.runtime.call(client.close)


def _after_fork_in_child() -> None:
    for client in list(_clients):
        client.forget()
    _limiters.clear()
    _hedging_policies.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
