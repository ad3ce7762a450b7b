"""A watch over the process: no test may connect to anything but this machine."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any


class OutsideConnectionError(OSError):
    """A connection to a host other than this one was about to be made."""


def is_local(address: object) -> bool:
    """Whether a socket address is of this machine: loopback, a Unix socket, or the name localhost."""
    if not isinstance(address, tuple):
        return True  # Unix sockets have a path or bytes, netlink and others never leave the machine
    host = str(address[0])
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


class Guard:
    """Refuses connections to the outside, and keeps those that were tried, for code that swallows the error."""

    def __init__(self) -> None:
        self.active = False
        self.refused: list[str] = []
        sys.addaudithook(self._hook)  # there is no way to remove one

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.active and event in ("socket.connect", "socket.sendto") and not is_local(args[1]):
            self.refused.append(str(args[1]))
            raise OutsideConnectionError(f"a test tried to connect to {args[1]}; only loopback is allowed")

    def take_refused(self) -> list[str]:
        """The addresses refused since the last call."""
        refused, self.refused = self.refused, []
        return refused
