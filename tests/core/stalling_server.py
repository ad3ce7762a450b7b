"""A server whose responses are scripted step by step, such as ones that stop in the middle."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest

from cloudfiles.transport.client import hedging_policy_of
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.hedging import HedgingPolicy
from cloudfiles.transport.request import Origin
from cloudfiles.transport.traffic import traffic_of
from tests.core.scripted import answer
from tests.servers.forgetting import forget_server

WAIT = 20.0  # seconds after which a test has failed

RIGHT = answer(body=b"right", etag='"1"', accept_ranges="bytes")


def policy_for(url: str) -> HedgingPolicy:
    """The policy of this server, after many requests that took a millisecond."""
    traffic = traffic_of(Origin.of(url))
    for operation in ("GET", "HEAD", "LIST", "PUT", "DELETE"):
        for _ in range(200):
            traffic.first_byte.add(operation, 0, 0.001, monotonic())
    traffic.begun += 10_000
    return hedging_policy_of(Origin.of(url))


Step = Callable[[socket.socket, "Server"], None]
"""What the server does with one request. The connection is closed if it returns without having answered."""


class Server:
    """Answers each request for a path with the next step for it, the last one again and again.

    Attributes:
        asked: method and path of each request.
        second_ended: set when a second request for a straggler has ended, whatever its result.
        left: set when a client has closed a connection on which a request was held.
        max_seconds: how often a request may be sent again while it waits.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.second_ended = threading.Event()
        self.left = threading.Event()
        self.max_seconds = 1
        self._steps: dict[str, list[Step]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._connections: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def script(self, path: str, *steps: Step) -> None:
        self._steps[path] = list(steps)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self._connections.append(self._listener.accept()[0])
                threading.Thread(target=self._serve, args=(self._connections[-1],), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            file = sock.makefile("rb")
            while line := file.readline():
                head = line
                while (field := file.readline()) not in (b"\r\n", b""):
                    head += field
                method, path, _ = line.decode().split()
                self.heads.append(head)
                length = next((int(value.split(b":")[1]) for value in head.lower().splitlines()
                               if value.startswith(b"content-length:")), 0)
                file.read(length)
                steps = self._steps[path]
                step = steps.pop(0) if len(steps) > 1 else steps[0]
                self.asked.append(f"{method} {path}")
                step(sock, self)

    def close(self) -> None:
        """End its threads, each of which keeps a descriptor: a hundred tests would use up those of many systems."""
        for sock in (self._listener, *self._connections):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        forget_server(self.port)


def send(data: bytes) -> Step:
    return lambda sock, server: sock.sendall(data)


def hold(sock: socket.socket, server: Server) -> None:
    """No response, until the client closes the connection."""
    sock.settimeout(WAIT)
    if not sock.recv(1):
        server.left.set()
    raise OSError


def reset(sock: socket.socket, server: Server) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    raise OSError


def cut(data: bytes) -> Step:
    """These bytes, and the end of the connection."""

    def step(sock: socket.socket, server: Server) -> None:
        sock.sendall(data)
        raise OSError

    return step


def after_second(data: bytes) -> Step:
    """The response comes when the second request has ended."""

    def step(sock: socket.socket, server: Server) -> None:
        assert server.second_ended.wait(WAIT)
        sock.sendall(data)

    return step


def then(data: bytes, step: Step) -> Step:
    """These bytes, and then `step`."""

    def both(sock: socket.socket, server: Server) -> None:
        sock.sendall(data)
        step(sock, server)

    return both


def waits_of(monkeypatch: pytest.MonkeyPatch, count: int) -> threading.Event:
    """Set when connections were told `count` times that they have waited for long."""
    enough, seen = threading.Event(), []
    on_wait = Connection._on_wait

    def counted(self: Connection, waited: float) -> None:
        on_wait(self, waited)
        seen.append(waited)
        if len(seen) >= count:
            enough.set()

    monkeypatch.setattr(Connection, "_on_wait", counted)
    return enough


def sent_once(server: Server, enough: threading.Event, run: Callable[[], Any], response: bytes = RIGHT) -> None:
    """Check that `run` sends one request although its response takes long."""

    def late(sock: socket.socket, server: Server) -> None:
        assert enough.wait(WAIT)
        sock.sendall(response)

    server.script("/a", late)
    run()
    assert len(server.asked) == 1
