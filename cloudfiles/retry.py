"""When to try again, and how long to wait: pure arithmetic, with the random source handed in.

Full jitter over an exponential window (AWS Architecture Blog, "Exponential Backoff And
Jitter"): of thousands of processes that failed together, no two come back together.
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable
from dataclasses import dataclass

RETRYABLE_STATUS = frozenset({408, 429, 500, 502, 503, 504, 509, 529})
"""Statuses by which a server says that the same request may succeed later (RFC 9110 15.6, RFC 6585 4, and
509/529 of S3-compatible gateways)."""

REFUSED_STATUS = frozenset({429, 503})
"""Statuses by which a server says that it did not act at all: safe to repeat any request."""


@dataclass(frozen=True)
class RetryPolicy:
    """How hard to try.

    Attributes:
        attempts: tries in all, the first included; None: as many as there is time for.
        window: seconds of the first backoff window; it doubles with each failure.
        cap: seconds that one backoff window never exceeds.
        integrity_attempts: tries when the bytes do not match their digest, or when the answers are malformed, each in
            another way: what is wrong stays wrong.
        budget: seconds after the first try in which a new one may still begin. Where a try has brought a part of
            what was asked for, they are counted from there.
        unanswered_budget: the same for a server that was never reached, as its name or its port may be wrong.
        truncated_budget: the same for bodies that end at the same byte each time, counted from the first that did:
            either the server is going down, or the body is shorter than announced. At least `integrity_attempts`.
        retry_after_cap: seconds: a Retry-After that asks for more ends the retries instead of sleeping for hours.
        mends: times that a request goes again at once, however few the tries: redirected, signed anew, or in place of
            one that met a connection closed while it was idle.
    """

    attempts: int | None = None
    window: float = 0.1
    cap: float = 20.0
    integrity_attempts: int = 4
    budget: float = 300.0
    unanswered_budget: float = 60.0
    truncated_budget: float = 30.0
    retry_after_cap: float = 120.0
    mends: int = 11

    def delay(self, failures: int, random: Callable[[], float], retry_after: float | None = None) -> float:
        """Seconds to wait after the `failures`-th failure (from 1). `random` gives numbers in [0, 1).

        A server's Retry-After is a floor; jitter is added on top, lest all clients return in the same instant.
        """
        backoff = random() * min(self.cap, self.window * 2.0 ** min(failures - 1, 64))
        return backoff if retry_after is None else retry_after + backoff

    def allows(self, failures: int, elapsed: float, delay: float, retry_after: float | None = None,
               budget: float | None = None) -> bool:
        """Whether another try may begin `delay` seconds from now, `elapsed` seconds after the first began.

        budget: seconds in place of the policy's own.
        """
        if self.attempts is not None and failures >= self.attempts:
            return False
        if retry_after is not None and retry_after > self.retry_after_cap:
            return False
        return elapsed + delay <= (self.budget if budget is None else budget)

    def allows_correction(self, corrected: int, elapsed: float) -> bool:
        """Whether a request may go again that was now corrected for the `corrected`-th time (from 1)."""
        return corrected <= self.mends and elapsed <= self.budget


def parse_retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110 10.2.3); None where there is none, or no sense in it.

    date: the same answer's Date header. Against it a Retry-After that is a date counts, so
    that it does not matter how wrong the clock here is.
    """
    if not value:
        return None
    if value.strip().isdigit() and value.isascii():
        return float(value)
    try:
        until, since = (email.utils.parsedate_to_datetime(text or "") for text in (value, date))
        return max(0.0, (until - since).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
