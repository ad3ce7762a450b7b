"""A value shared by all workers that expires: fetched again early, and by one worker for all of them.

No lock is held while waiting, as greenlets of one thread would deadlock.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable
from typing import Generic, TypeVar

from cloudfiles.exceptions import CloudFilesError

T = TypeVar("T")

RETRY_AFTER = 30.0
"""Seconds until the next attempt if an early renewal has failed, or has returned a value that also expires soon."""

POLL = 0.02
"""Seconds between two checks of a worker that waits for the renewal of another one."""


class Fetched(Generic[T]):
    """A value and its expiry, in seconds since the epoch.

    Attributes:
        fresh_until: from then on the value is renewed.
        expiry: from then on it must not be used; None for never.
    """

    __slots__ = ("expiry", "fresh_until", "value")

    def __init__(self, value: T, fresh_until: float = math.inf, expiry: float | None = None) -> None:
        self.value = value
        self.fresh_until = fresh_until
        self.expiry = expiry


def renewal_time(expiry: float | None, early: float, now: float) -> float:
    """When to renew a value: `early` seconds before its expiry, but not within RETRY_AFTER seconds from now.

    So a source that returns values that expire soon is not queried for every request.
    """
    return math.inf if expiry is None else max(expiry - early, min(now + RETRY_AFTER, expiry))


class _Fetch:
    """A fetch in progress, and how it ended."""

    def __init__(self) -> None:
        self.done = False
        self.error: CloudFilesError | None = None


class Renewal(Generic[T]):
    """A value shared by workers, both threads and greenlets, and renewed by one of them.

    Args:
        fetch: returns a new value; called by one worker at a time.
        clock: seconds since the epoch.
        sleep: how a worker waits for the renewal of another one.
    """

    def __init__(self, fetch: Callable[[], Fetched[T]], clock: Callable[[], float],
                 sleep: Callable[[float], None]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._sleep = sleep
        self.current: Fetched[T] | None = None
        self._value: T  # that of `current`, which every request needs
        self._fresh_until = -math.inf
        self._fetches: dict[int, _Fetch] = {}

    def get(self) -> T:
        """The value, by one comparison while it is fresh. Raises what `fetch` raises, unless the old one is valid."""
        if self._clock() < self._fresh_until:
            return self._value
        return self._renew(None)

    def refresh(self, rejected: T) -> T:
        """A value in place of `rejected`; the same one if there is no other."""
        return self._renew(rejected)

    def _renew(self, rejected: T | None) -> T:
        mine = _Fetch()
        # An atomic operation decides which worker fetches. By process: a forked child must not wait for its parent.
        running = self._fetches.setdefault(os.getpid(), mine)
        if running is mine:
            return self._run(mine, rejected)
        usable = self._usable(rejected)
        return usable.value if usable is not None else self._wait_for(running)

    def _usable(self, rejected: T | None) -> Fetched[T] | None:
        current = self.current
        if current is None or current.value == rejected:
            return None
        return current if current.expiry is None or self._clock() < current.expiry else None

    def _wait_for(self, fetch: _Fetch) -> T:
        while not fetch.done:
            self._sleep(POLL)
        if fetch.error is not None:
            raise copy.copy(fetch.error) from fetch.error
        return self.current.value if self.current is not None else self.get()

    def _run(self, fetch: _Fetch, rejected: T | None) -> T:
        try:
            return self._replace(rejected)
        except CloudFilesError as error:
            fetch.error = error
            raise
        finally:
            fetch.done = True
            del self._fetches[os.getpid()]

    def _replace(self, rejected: T | None) -> T:
        usable, now = self._usable(rejected), self._clock()
        if usable is not None and now < self._fresh_until:
            return usable.value  # another worker has renewed it just before
        try:
            fetched = self._fetch()
        except CloudFilesError:
            if usable is None:
                raise
            self._fresh_until = min(now + RETRY_AFTER, usable.expiry or math.inf)
            return usable.value
        self.current, self._value = fetched, fetched.value
        self._fresh_until = fetched.fresh_until  # last: from now on `get` returns the new value
        return fetched.value
