"""The attempts of one request: how long it waits between them, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable

from cloudfiles import logger
from cloudfiles.exceptions import (
    Attempt,
    CertificateError,
    CloudFilesError,
    ConnectionFailedError,
    DeadlineError,
    IntegrityError,
    ProtocolError,
    ServerError,
    TransportError,
    TruncatedBodyError,
    redact,
)
from cloudfiles.retry import REFUSED_STATUS, RETRYABLE_STATUS, RetryPolicy
from cloudfiles.transport.deadline import past_deadline
from cloudfiles.transport.rate_limit.limiter import POLL_SECONDS, Limiter
from cloudfiles.transport.request import Request

_LOG_AFTER = 5.0
"""Seconds for which a request waits before a warning is logged."""


class Attempts:
    """The failed attempts of one request, and the decisions based on them.

    Args:
        began: when the first attempt, or the wait for it, began.
        monotonic, sleep: the client's clock and its runtime's sleep.
        jitter: returns numbers in [0, 1).
    """

    def __init__(self, request: Request, policy: RetryPolicy, began: float, *, monotonic: Callable[[], float],
                 sleep: Callable[[float], None], jitter: Callable[[], float]) -> None:
        self._request = request
        self._policy = policy
        self._monotonic = monotonic
        self._sleep = sleep
        self._jitter = jitter
        self._began = began
        self._since = began  # the same, or the end of the last attempt that made progress
        self._budget = policy.budget
        self._attempts: list[Attempt] = []
        self._faults = 0
        self._corrected = 0
        self._corrupt = 0
        self._malformed: list[str] = []
        self._truncated: dict[tuple[int, str], tuple[int, float]] = {}  # how often, and since when
        self._kept = 0  # bytes that earlier attempts received

    # ---- waiting

    def wait_turn(self, limiter: Limiter, now: float, error: CloudFilesError | None = None) -> float:
        """Wait until `limiter` lets the request proceed; returns the time. Raises `error` if that takes too long."""
        ticket, began = limiter.join(now), now
        try:
            while delay := min(limiter.wait(ticket, now), POLL_SECONDS):
                if self._is_out_of_time(limiter, now + delay):
                    if error is not None:
                        self._raise(error, now)
                    return now
                delay = self._until_deadline(now, delay, error)
                self._log_wait(limiter, now, error)
                self._sleep(delay)
                now = self._monotonic()
        except BaseException:
            limiter.leave(ticket)
            raise
        if self._attempts:
            last = self._attempts[-1]
            self._attempts[-1] = last._replace(waited=last.waited + now - began)
        return now

    def _until_deadline(self, now: float, delay: float, error: CloudFilesError | None) -> float:
        """`delay`, limited to the time that the request has left. Raises `error`, or DeadlineError, if it has none."""
        deadline = self._request.deadline
        if deadline is None:
            return delay
        if now >= deadline:
            self._raise(past_deadline("while it waited for its turn") if error is None else error, now)
        return min(delay, deadline - now)

    def _is_out_of_time(self, limiter: Limiter, now: float) -> bool:
        """Whether the time budget is used up. It is shorter for a server that has been down for all of it."""
        policy, elapsed = self._policy, now - self._since
        return elapsed > self._budget or (
            elapsed > policy.unanswered_budget and limiter.down_for(now) > policy.budget)

    def _log_wait(self, limiter: Limiter, until: float, error: CloudFilesError | None) -> None:
        """Log the reason for a long wait; once a minute for all requests together."""
        if until - self._since < _LOG_AFTER or not limiter.should_log(until):
            return
        if error is None:
            reason = "the server is down" if limiter.is_down else (
                f"the server rejects requests because of too many; sending {limiter.rate or 0.0:.3g} per second")
        else:
            reason = f"{type(error).__name__}: {error}"
        logger.warning("waiting for %s for %.0f s so far, for at most %.0f s: %s", self._request.origin,
                       until - self._since, self._budget, redact(reason))

    # ---- failures

    def corrected(self, error: CloudFilesError) -> None:
        """The request was corrected and is sent again at once. Raises `error` if that happens too often."""
        now = self._monotonic()
        self._corrected += 1
        self._note(error, now, 0.0)
        if not self._policy.allows_correction(self._corrected, now - self._since):
            self._raise(error, now)

    def failed(self, error: CloudFilesError, limiter: Limiter, sent: float) -> None:
        """Wait before the next attempt. Raises `error`, with its history, if there is none.

        limiter: that of the server. Failures are reported to it here and nowhere else.
        sent: when the attempt began.
        """
        now = self._monotonic()
        is_permanent = not self._is_transient(error)
        self._inform(limiter, error, is_permanent, sent, now)
        self._count(now)
        retry_after = getattr(error, "retry_after", None)
        delay = self._policy.delay(self._faults, self._jitter, retry_after,
                                   is_refused=getattr(error, "is_slow_down", False))
        if limiter.is_down:  # then the limiter decides when a request is sent
            delay = retry_after or 0.0
        if is_permanent or not self._may_go_on(error, limiter, now, delay, retry_after):
            self._note(error, now, 0.0 if is_permanent else delay)
            self._raise(error, now)
        self._note(error, now, delay)
        logger.info("%s: attempt %d failed, retrying in %.2f s: %s", redact(self._request.path or ""),
                    len(self._attempts), delay, error)
        if delay:
            self._log_wait(limiter, now + delay, error)
            self._sleep(delay)

    def _inform(self, limiter: Limiter, error: CloudFilesError, is_permanent: bool, sent: float, now: float) -> None:
        if getattr(error, "is_local", False):
            return
        if isinstance(error, ServerError) and error.is_slow_down:
            after = error.retry_after or 0.0
            limiter.refused(sent, now, after if after <= self._policy.retry_after_cap else 0.0)
        elif not is_permanent and isinstance(error, ServerError | ConnectionFailedError | TimeoutError):
            limiter.failed(now)

    def _count(self, now: float) -> None:
        """One more failure; the first one again if the attempt made progress. Corrections are counted between failures:
        a request may be redirected anew after each."""
        self._corrected = 0
        kept = self._request.resumable_bytes()
        if kept - self._kept > min(_LEAST_PROGRESS, self._kept // 100):
            self._faults, self._since = 0, now
        self._kept = kept
        self._faults += 1

    def _may_go_on(self, error: CloudFilesError, limiter: Limiter, now: float, delay: float,
                   retry_after: float | None) -> bool:
        policy, deadline = self._policy, self._request.deadline
        if deadline is not None and now + delay >= deadline:
            return False
        is_unknown = getattr(error, "is_unreachable", False) and not limiter.has_answered
        self._budget = min(policy.budget, policy.unanswered_budget) if is_unknown else policy.budget
        return not self._is_out_of_time(limiter, now) and policy.allows(
            self._faults, now - self._since, delay, retry_after, self._budget)

    def _is_transient(self, error: CloudFilesError) -> bool:
        """Whether the same request may succeed later, and can safely be repeated."""
        if isinstance(error, IntegrityError):
            self._corrupt += 1
            return self._corrupt < self._policy.integrity_attempts
        if isinstance(error, CertificateError | DeadlineError) or not isinstance(error, TransportError):
            return False
        if isinstance(error, ServerError):
            allowed = RETRYABLE_STATUS if self._request.idempotent else REFUSED_STATUS
            return error.is_transient or error.status in allowed
        if isinstance(error, ProtocolError) and not self._is_new(str(error)):
            return False
        if isinstance(error, TruncatedBodyError) and self._is_still_truncated(error):
            return False
        if getattr(error, "is_permanent", False):
            return False
        return self._request.idempotent or getattr(error, "nothing_sent", False)

    def _is_new(self, malformed: str) -> bool:
        """Whether this malformed response is a new one. The same one twice is taken as permanent."""
        known = malformed in self._malformed
        self._malformed.append(malformed)
        return not known and len(self._malformed) < self._policy.integrity_attempts

    def _is_still_truncated(self, error: TruncatedBodyError) -> bool:
        """Whether bodies have ended at the same byte without progress, several times and for too long."""
        ended, now = (self._request.resumable_bytes(), str(error)), self._monotonic()
        count, since = self._truncated.get(ended, (0, now))
        self._truncated[ended] = count + 1, since
        return count + 1 >= self._policy.integrity_attempts and now - since >= self._policy.truncated_budget

    def _note(self, error: CloudFilesError, now: float, delay: float) -> None:
        self._request.retries += 1
        self._attempts.append(Attempt(f"{type(error).__name__}: {error}", now - self._began, delay))

    def _raise(self, error: CloudFilesError, now: float) -> None:
        error.path = error.path or self._request.path
        error.attempts = tuple(self._attempts)
        error.elapsed = now - self._began
        raise error


_LEAST_PROGRESS = 1 << 20
"""Bytes that count as progress of an attempt whose body broke off; for small bodies, fewer do."""
