"""Fixtures of the tests of stragglers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloudfiles.runtime import green_stream, threads
from cloudfiles.transport import hedging
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.hedging import Straggler
from cloudfiles.transport.request import Request
from tests.core.stalling_server import Server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundredths of seconds in place of tenths."""
    monkeypatch.setattr(hedging, "MIN_DELAY", 0.02)
    monkeypatch.setattr(hedging, "MIN_BODY_DELAY", 0.02)
    monkeypatch.setattr(hedging, "LONE_DELAY", 0.05)
    monkeypatch.setattr(green_stream, "_LONG", 0.02)
    monkeypatch.setattr(green_stream, "_PERIOD", 0.01)
    monkeypatch.setattr(threads, "TICK", 0.02)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    send_again = Straggler._send_again

    def ended(self: Straggler) -> None:
        try:
            send_again(self)
        finally:
            server.second_ended.set()

    sent: list[str] = []
    exchange, hedge = Connection.exchange, Straggler.hedge

    def counted(self: Connection, head: bytes, request: Request) -> Any:
        sent.append(f"{request.method} {request.target}")
        return exchange(self, head, request)

    def once_asked(self: Straggler, waited: float, now: float) -> None:
        """Not before the server has read the first request: on a busy machine, it might read the second one first."""
        what = f"{self._again[0].method} {self._again[0].target}"
        if server.asked.count(what) >= sent.count(what) and self._times_sent < server.max_seconds:
            hedge(self, waited, now)

    monkeypatch.setattr(Connection, "exchange", counted)
    monkeypatch.setattr(Straggler, "hedge", once_asked)
    monkeypatch.setattr(Straggler, "_send_again", ended)
    yield server
    server.close()
