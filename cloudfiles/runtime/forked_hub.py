"""Cuts off the copies of greenlets and sockets that a fork in the thread of a hub leaves in the child.

What calls in progress have begun, on servers and in files, goes on in the parent: their copies must neither take part
in it nor clean it up.
"""

from __future__ import annotations

import gc
import os
import weakref
from typing import Any

import gevent.socket
import gevent.ssl
import greenlet

_sockets: weakref.WeakSet[Any] = weakref.WeakSet()
"""The sockets of this process: those that are being connected, those in a TLS handshake, and those of streams."""

_copies: weakref.WeakSet[Any] = weakref.WeakSet()
"""In a child that was forked in the thread of a hub: the greenlets in which calls of this package were in progress."""


def new_socket(family: int, kind: int, protocol: int) -> Any:
    """A socket whose waits suspend a greenlet."""
    sock = gevent.socket.socket(family, kind, protocol)
    _sockets.add(sock)
    return sock


class _TlsSocket(gevent.ssl.SSLSocket):  # type: ignore[misc]  # gevent has no types
    def __init__(self, *args: Any, **options: Any) -> None:
        _sockets.add(self)  # here, as the handshake may be part of what follows
        super().__init__(*args, **options)


class TlsContext(gevent.ssl.SSLContext):  # type: ignore[misc]
    """One whose sockets suspend a greenlet. That of `create_default_context` would block the hub of a process that is
    not patched."""

    sslsocket_class = _TlsSocket


def cut_off_copies() -> None:
    """In the child after a fork: replace the copies of sockets, and find those of greenlets with calls in progress."""
    _disconnect()
    _copies.update(each for each in gc.get_objects() if issubclass(type(each), greenlet.greenlet)
                   and _is_in_call(each))


def is_copy() -> bool:
    """Whether the current greenlet is the copy of one of the parent, whose call goes on there."""
    return bool(_copies) and greenlet.getcurrent() in _copies


def _is_in_call(waiting: Any) -> bool:
    """Whether a greenlet waits within a function of this package."""
    frame = waiting.gr_frame  # None unless it waits
    while frame is not None and not str(frame.f_globals.get("__name__")).startswith("cloudfiles."):
        frame = frame.f_back
    return frame is not None


def _disconnect() -> None:
    """Replace all sockets, so that nothing is sent or received on the connections, which are the parent's.

    The descriptors stay in use, by something that is no socket, until the sockets are closed: events of the loop for
    these descriptors must not reach others.
    """
    descriptors = {descriptor for sock in list(_sockets) if (descriptor := _descriptor_of(sock)) >= 0}
    if not descriptors:
        return
    os.close(min(descriptors))  # there may be no other one left
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors - {nothing}:
        os.dup2(nothing, descriptor, inheritable=False)
    if nothing not in descriptors:
        os.close(nothing)


def _descriptor_of(sock: Any) -> int:
    """-1 if it is closed, or has none yet."""
    try:
        return int(sock.fileno())
    except (OSError, AttributeError):
        return -1
