"""When to retry, and how long to wait: pure arithmetic; the random source is passed in.

Full jitter over an exponential window (AWS Architecture Blog, "Exponential Backoff And
Jitter"): thousands of processes that failed at the same time do not retry at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudfiles.late_imports import importing
from cloudfiles.values import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

RETRYABLE_STATUS = frozenset({408, 429, 500, 502, 503, 504, 509, 529})
"""Statuses of requests that may succeed later (RFC 9110 15.6, RFC 6585 4, and
509/529 of S3-compatible gateways)."""

REFUSED_STATUS = frozenset({429, 503})
"""Statuses that mean that the server did not act, so that any request can be repeated."""


class RetryPolicy(NamedTuple):
    """The limits of retries.

    Attributes:
        attempts: total number of attempts; None: as many as the time budget allows.
        window: the first backoff window in seconds; it doubles with each failure.
        cap: the maximum backoff window in seconds.
        refused_cap: the same for requests that were refused because there are too many: how many are sent is up to the
            limiter, also if all are refused.
        integrity_attempts: number of attempts if the bytes do not match their digest, or the responses are malformed in
            different ways: further attempts would not help.
        budget: seconds after the first attempt, or after the last one that delivered part of the content, during which
            a new attempt may start.
        unanswered_budget: the same for a server that was never reached, because its name or port may be wrong.
        truncated_budget: the same for bodies that end at the same byte each time, counted from the first one: either
            the server is shutting down, or the body is shorter than announced. At least `integrity_attempts` are made.
        retry_after_cap: seconds; a longer Retry-After ends the retries instead of sleeping for hours.
        corrections: how often a request may be repeated immediately between two failures: redirected, signed again, or
            after a connection was closed while it was idle.
    """

    attempts: int | None = None
    window: float = 0.1
    cap: float = 20.0
    refused_cap: float = 2.0
    integrity_attempts: int = 4
    budget: float = 300.0
    unanswered_budget: float = 60.0
    truncated_budget: float = 30.0
    retry_after_cap: float = 120.0
    corrections: int = 11

    def delay(self, failures: int, random: Callable[[], float], retry_after: float | None = None, *,
              is_refused: bool = False) -> float:
        """Seconds to wait after the `failures`-th failure (from 1). `random` returns numbers in [0, 1).

        A Retry-After is the minimum; jitter is added, so that clients do not return at the same moment.
        """
        cap = min(self.cap, self.refused_cap) if is_refused else self.cap
        backoff = random() * min(cap, self.window * 2.0 ** min(failures - 1, 64))
        return backoff if retry_after is None else retry_after + backoff

    def allows(self, failures: int, elapsed: float, delay: float, retry_after: float | None = None,
               budget: float | None = None) -> bool:
        """Whether another attempt may start in `delay` seconds, `elapsed` seconds after the start of the first.

        budget: seconds, instead of those of the policy.
        """
        if self.attempts is not None and failures >= self.attempts:
            return False
        if retry_after is not None and retry_after > self.retry_after_cap:
            return False
        return elapsed + delay <= (self.budget if budget is None else budget)

    def allows_correction(self, corrected: int, elapsed: float) -> bool:
        """Whether a request that was corrected for the `corrected`-th time (from 1) may be repeated."""
        return corrected <= self.corrections and elapsed <= self.budget


@importing
def _parse_date(text: str) -> datetime:
    from email.utils import parsedate_to_datetime  # here, as it takes long to import and is rarely needed

    return parsedate_to_datetime(text)


def parse_retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds to wait according to a Retry-After header (RFC 9110 10.2.3); None if it is missing or invalid.

    date: the Date header of the same response, with which a Retry-After date is compared, so that the
    local clock does not matter.
    """
    if not value:
        return None
    if value.strip().isdigit() and value.isascii():
        return float(value)
    try:
        until, since = (_parse_date(text or "") for text in (value, date))
        return max(0.0, (until - since).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
