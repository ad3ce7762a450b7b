"""One worker renews what all workers use: a value that goes stale, fetched early and once.

No lock is held while anything waits: greenlets of one thread would wait for each other for ever.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloudfiles.exceptions import CloudFilesError

T = TypeVar("T")

RETRY_AFTER = 30.0
"""Seconds until the next try where an early renewal failed, or brought what soon ends as well."""

POLL = 0.02
"""Seconds between two looks of a worker that waits for another one's renewal."""


@dataclass(frozen=True, slots=True)
class Fetched(Generic[T]):
    """A value, and when to see to a new one. Times are seconds since the epoch.

    Attributes:
        fresh_until: from then on it is renewed; before that nobody looks.
        expiry: from then on it must not be used any more; None for never.
    """

    value: T
    fresh_until: float = math.inf
    expiry: float | None = None


def renewal_time(expiry: float | None, early: float, now: float) -> float:
    """From when on to renew what ends at `expiry`: `early` seconds before, but RETRY_AFTER from now where that is past.

    What a source gives again although it ends soon is not asked for by every request.
    """
    return math.inf if expiry is None else max(expiry - early, min(now + RETRY_AFTER, expiry))


class _Flight:
    """A renewal under way, and how it ended."""

    def __init__(self) -> None:
        self.done = False
        self.error: CloudFilesError | None = None


class Renewal(Generic[T]):
    """A value shared by many workers, threads and greenlets alike, and renewed by one of them.

    Args:
        fetch: gives the value anew; called by one worker at a time.
        clock: seconds since the epoch.
        sleep: how a worker waits for another one's renewal.
    """

    def __init__(self, fetch: Callable[[], Fetched[T]], clock: Callable[[], float],
                 sleep: Callable[[float], None]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._sleep = sleep
        self.current: Fetched[T] | None = None
        self._value: T  # that of `current`: it is asked for with every request
        self._fresh_until = -math.inf
        self._flights: dict[int, _Flight] = {}

    def get(self) -> T:
        """The value, one comparison where it is fresh. Raises what `fetch` raises, if there is none to use."""
        if self._clock() < self._fresh_until:
            return self._value
        return self._renew(None)

    def refresh(self, rejected: T) -> T:
        """A value in place of `rejected`; the same one if there is no other."""
        return self._renew(rejected)

    def _renew(self, rejected: T | None) -> T:
        mine = _Flight()
        # One atomic step decides who flies. By process, as a forked child must not wait for its parent's worker.
        flight = self._flights.setdefault(os.getpid(), mine)
        if flight is mine:
            return self._fly(mine, rejected)
        usable = self._usable(rejected)
        return usable.value if usable is not None else self._wait_for(flight)

    def _usable(self, rejected: T | None) -> Fetched[T] | None:
        current = self.current
        if current is None or current.value == rejected:
            return None
        return current if current.expiry is None or self._clock() < current.expiry else None

    def _wait_for(self, flight: _Flight) -> T:
        while not flight.done:
            self._sleep(POLL)
        if flight.error is not None:
            raise copy.copy(flight.error) from flight.error
        return self.current.value if self.current is not None else self.get()

    def _fly(self, flight: _Flight, rejected: T | None) -> T:
        try:
            return self._replace(rejected)
        except CloudFilesError as error:
            flight.error = error
            raise
        finally:
            flight.done = True
            del self._flights[os.getpid()]

    def _replace(self, rejected: T | None) -> T:
        usable, now = self._usable(rejected), self._clock()
        if usable is not None and now < self._fresh_until:
            return usable.value  # another worker's renewal ended just before this one began
        try:
            fetched = self._fetch()
        except CloudFilesError:
            if usable is None:
                raise
            self._fresh_until = min(now + RETRY_AFTER, usable.expiry or math.inf)
            return usable.value
        self.current, self._value = fetched, fetched.value
        self._fresh_until = fetched.fresh_until  # last: from now on `get` takes the value unasked
        return fetched.value
