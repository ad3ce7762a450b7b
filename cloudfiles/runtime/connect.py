"""Connects to the first of several addresses that accepts.

An address that does not answer is not waited for: after a quarter of a second the next one is tried beside it, and the
first connection wins ("Happy Eyeballs", RFC 8305).
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

ATTEMPT_DELAY = 0.25
"""Seconds after which the next address is tried as well (RFC 8305, section 8: "Connection Attempt Delay")."""

AddressInfo = tuple[int, int, int, str, Any]
"""One result of `socket.getaddrinfo`."""

_LOCAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of this machine, which tell nothing about an address."""

_IN_PROGRESS = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK})


def connect_first(addresses: Iterable[AddressInfo], timeout: float, failed: Callable[[AddressInfo], None],
                  new_socket: Callable[[int, int, int], Any],
                  await_writable: Callable[[list[Any], float], list[Any]]) -> tuple[Any, AddressInfo]:
    """A connected non-blocking socket with TCP_NODELAY, and its address. Raises the last error if no address accepts.

    timeout: seconds for all attempts together.
    failed: called for each address that refused, timed out, or was slower than one tried later.
    await_writable: waits until some of the sockets are writable, for at most some seconds; returns them.
    """
    attempts = _Attempts(failed)
    left, deadline = deque(addresses), time.monotonic() + timeout
    try:
        while left or attempts.begun:
            now = time.monotonic()
            if now >= deadline:
                attempts.expire()
            if left and not attempts.begin(left.popleft(), new_socket, now):
                continue
            ready = await_writable(list(attempts.begun), min(deadline - now, ATTEMPT_DELAY) if left else deadline - now)
            for sock in ready:
                address = attempts.connected(sock)
                if address is not None:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                    return sock, address
        raise attempts.failure
    finally:
        for sock in attempts.begun:
            sock.close()


class _Attempts:
    """The attempts to connect to one of several addresses.

    Attributes:
        begun: sockets that are connecting, with their addresses and the times when they began.
        failure: the last error.
    """

    def __init__(self, failed: Callable[[AddressInfo], None]) -> None:
        self._failed = failed
        self.begun: dict[Any, tuple[AddressInfo, float]] = {}
        self.failure: OSError = OSError("the host name has no address")

    def begin(self, address: AddressInfo, new_socket: Callable[[int, int, int], Any], now: float) -> bool:
        """Returns False if it failed at once."""
        family, kind, protocol, _, where = address
        try:
            sock = new_socket(family, kind, protocol)
        except OSError as error:
            self._fail(address, error)
            return False
        self.begun[sock] = address, now
        sock.setblocking(False)
        code = sock.connect_ex(where)
        if code not in _IN_PROGRESS:
            del self.begun[sock]
            sock.close()
            self._fail(address, OSError(code, os.strerror(code)))
            return False
        return True

    def connected(self, sock: Any) -> AddressInfo | None:
        """The address of a writable socket, which now is the caller's; None if the attempt has failed."""
        address, began = self.begun[sock]
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        del self.begun[sock]
        if code:
            sock.close()
            self._fail(address, OSError(code, os.strerror(code)))
            return None
        for slower, since in self.begun.values():
            if since < began:
                self._failed(slower)
        return address

    def expire(self) -> None:
        """All have timed out: raises TimeoutError."""
        for address, _ in self.begun.values():
            self._failed(address)
        raise TimeoutError("connecting timed out")

    def _fail(self, address: AddressInfo, error: OSError) -> None:
        self.failure = error
        if error.errno not in _LOCAL:
            self._failed(address)


def poll_writable(module: Any, sockets: list[Any], seconds: float) -> list[Any]:
    """Those that are writable within some seconds.

    module: `select`, or gevent's. Its `poll` is used if there is one: select is limited to descriptors below 1024.
    """
    if not hasattr(module, "poll"):
        _, writable, broken = module.select([], sockets, sockets, seconds)
        return [sock for sock in sockets if sock in writable or sock in broken]
    poll = module.poll()
    for sock in sockets:
        poll.register(sock.fileno(), module.POLLOUT)
    ready = {descriptor for descriptor, _ in poll.poll(seconds * 1000)}
    return [sock for sock in sockets if sock.fileno() in ready]
