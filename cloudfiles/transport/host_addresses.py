"""The addresses of a host: which one the next connection goes to."""

from __future__ import annotations

import math
import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from cloudfiles.runtime.connect import AddressInfo
from cloudfiles.runtime.contract import Runtime, Signal

ANSWER_SECONDS = 10.0
"""Seconds for which an answer of the resolver is used. Object stores answer with other addresses every few seconds, and
expect their clients to follow."""

AVOID_SECONDS = 30.0
"""Seconds for which an address that failed is used only if all others fail too."""

_RESOLVER_SECONDS = 5.0
"""Seconds that others wait for a worker that asks the resolver, before they ask it themselves."""


class Address:
    """One address of a host.

    Attributes:
        dialing: attempts to connect that began with it and are under way.
        streams: those that are open.
        avoided_until: it has failed: until when it comes last.
    """

    def __init__(self, info: AddressInfo) -> None:
        self.info = info
        self.where = info[4]
        self.dialing = 0
        self.streams: weakref.WeakSet[Any] = weakref.WeakSet()
        self.avoided_until = -math.inf

    @property
    def load(self) -> int:
        return self.dialing + len(self.streams)


class HostAddresses:
    """The addresses of one host, as one runtime sees them.

    Connections are spread evenly over the addresses of the family that the system prefers; those of the other family
    are used if these fail. Answers of the resolver are renewed when a connection is opened, by one worker at a time.
    """

    def __init__(self, host: str, port: int, runtime: Runtime, monotonic: Callable[[], float]) -> None:
        self._host = host
        self._port = port
        self._runtime = runtime
        self._monotonic = monotonic
        self._addresses: list[Address] = []
        self._renewed = -math.inf
        self._resolving = threading.Lock()  # only ever tried, never waited for
        self._waiting: deque[Signal] = deque()
        self._error: OSError | None = None

    def candidates(self, avoid: Any = None) -> list[Address]:
        """All addresses, the one to try first in front. Raises socket.gaierror if the host has never been resolved.

        avoid: a socket address that comes after the other ones.
        """
        self._renew()
        addresses, now = self._addresses, self._monotonic()
        family = addresses[0].info[0] if addresses else None
        ordered = sorted(addresses, key=lambda address: (address.avoided_until > now, address.where == avoid,
                                                         address.info[0] != family, address.load))
        if ordered and len(ordered) > 1 and ordered[0].avoided_until > -math.inf:
            ordered[0].avoided_until = now + AVOID_SECONDS  # one connection tries whether it answers again
        return ordered

    def has_others(self, where: Any) -> bool:
        """Whether there is an address that has not failed, besides this one."""
        now = self._monotonic()
        return any(address.where != where and address.avoided_until <= now for address in self._addresses)

    def connected(self, info: AddressInfo, stream: Any) -> None:
        for address in self._addresses:
            if address.info == info:
                address.streams.add(stream)
                address.avoided_until = -math.inf

    def failed(self, where: Any) -> None:
        """The address did not accept a connection, or did not respond on it."""
        for address in self._addresses:
            if address.where == where:
                address.avoided_until = self._monotonic() + AVOID_SECONDS
        if all(address.avoided_until > self._monotonic() for address in self._addresses):
            self._renewed = -math.inf

    # ---- the resolver

    def _renew(self) -> None:
        """Ask the resolver, unless its last answer is recent, or another worker is asking and there is an older one."""
        while self._monotonic() - self._renewed >= ANSWER_SECONDS:
            if self._resolving.acquire(blocking=False):
                try:
                    self._ask()
                finally:
                    self._resolving.release()
                    self._wake()
            elif self._addresses or self._wait():
                return

    def _ask(self) -> None:
        try:
            answer = self._runtime.resolve(self._host, self._port)
            if not answer:
                raise socket.gaierror(socket.EAI_NONAME, "the host name has no address")
        except OSError as error:
            if not self._addresses:
                self._error = error
                raise
            answer = [address.info for address in self._addresses]  # better than none
        known = {address.info: address for address in self._addresses}
        self._addresses = [known.get(info) or Address(info) for info in dict.fromkeys(answer)]
        self._renewed, self._error = self._monotonic(), None

    def _wait(self) -> bool:
        """Wait for the answer that another worker has asked for. Raises the error that the other one got."""
        signal = self._runtime.signal()
        self._waiting.append(signal)
        if not self._resolving.locked():  # it was answered meanwhile, and did not see this worker
            self._wake()
        is_awake = signal.wait(_RESOLVER_SECONDS)
        if is_awake and self._error is not None:
            raise type(self._error)(*self._error.args) from self._error
        if not is_awake:
            self._ask()
        return not is_awake

    def _wake(self) -> None:
        while self._waiting:
            try:
                self._waiting.popleft().set()
            except IndexError:  # another thread has woken the last one
                return
