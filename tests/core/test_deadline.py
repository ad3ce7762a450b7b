"""A total timeout: a request, its retries and its waits included, takes so long and no longer."""

from __future__ import annotations

from typing import Any

import pytest

from cloudfiles.exceptions import ConnectionFailedError, DeadlineError, RequestTimeoutError, ServerError
from cloudfiles.transport.client import Client, _limiters, limiter_of
from cloudfiles.transport.request import Request
from tests.core.scripted import ORIGIN, FakeTime, ScriptedDialer, ScriptedStream, answer, idle_pool, scripted_client

TOTAL = 3.5


@pytest.fixture(autouse=True)
def _unlimited() -> None:
    _limiters.clear()


class Slow(ScriptedStream):
    """Each piece takes a second in either direction, unless the stream's timeout is over before."""

    def __init__(self, time: FakeTime, *pieces: bytes, takes: int = 1 << 20) -> None:
        super().__init__(*pieces)
        self._time = time
        self._takes = takes

    def _wait(self) -> None:
        self._time.now += min(1.0, self.timeout)
        if self.timeout < 1.0:
            raise TimeoutError("read timed out")

    def receive_into(self, buffer: memoryview) -> int:
        self._wait()
        return super().receive_into(buffer)

    def send_some(self, data: memoryview) -> int:
        self._wait()
        super().send(data[:self._takes])
        return len(data[:self._takes])


def fails_after(client: Client, time: FakeTime, request: Request, total: float = TOTAL) -> tuple[Any, float]:
    """The error of the request, and the seconds until it came."""
    began = time.now
    request.deadline = began + total
    with pytest.raises((DeadlineError, ServerError, ConnectionFailedError)) as caught:
        client.send(request)
    return caught.value, time.now - began


def test_a_slow_body_is_given_up_when_the_time_is_over() -> None:
    time = FakeTime()
    wire = answer(body=b"x" * 50_000)
    client, dialer, _ = scripted_client(Slow(time, wire[:-50_000], *[b"x" * 5000] * 10), time=time)
    error, seconds = fails_after(client, time, Request(ORIGIN, "GET", "/key", path="key"))
    assert isinstance(error, DeadlineError)
    assert isinstance(error, RequestTimeoutError)
    assert seconds == TOTAL  # in the middle of a wait
    assert (dialer.dialed, len(error.attempts)) == (1, 1)
    assert not limiter_of(ORIGIN).is_watching  # that it was given so little time is no failure of the server


def test_without_a_deadline_it_takes_its_time() -> None:
    time = FakeTime()
    wire = answer(body=b"x" * 50_000)
    client, _, _ = scripted_client(Slow(time, wire[:-50_000], *[b"x" * 5000] * 10), time=time)
    assert client.send(Request(ORIGIN, "GET", "/key")).content == b"x" * 50_000


def test_a_connection_that_was_bounded_has_its_read_timeout_back() -> None:
    time = FakeTime()
    stream = Slow(time, answer(), answer())
    client, dialer, _ = scripted_client(stream, time=time)
    request = Request(ORIGIN, "GET", "/key")
    request.deadline = time.now + 100.0
    client.send(request)
    assert stream.timeout == 1.0
    assert client.send(Request(ORIGIN, "GET", "/key")).status == 200
    assert dialer.dialed == 1


def test_a_slow_upload_is_given_up() -> None:
    time = FakeTime()
    client, _, _ = scripted_client(Slow(time, answer(), takes=1 << 14), time=time)
    error, seconds = fails_after(client, time, Request(ORIGIN, "PUT", "/key", body=b"x" * (1 << 20)))
    assert isinstance(error, DeadlineError)
    assert seconds == TOTAL


def test_retries_count() -> None:
    client, dialer, time = scripted_client(ScriptedStream(*[answer(500)] * 100))
    error, seconds = fails_after(client, time, Request(ORIGIN, "GET", "/key"), total=1.0)
    assert (error.status, error.path) == (500, None)
    assert seconds == pytest.approx(0.05 + 0.1 + 0.2 + 0.4)  # the next wait would end after the deadline
    assert (len(error.attempts), dialer.dialed) == (5, 1)


def test_connecting_counts() -> None:
    time = FakeTime()
    asked: list[float] = []

    class SlowDialer(ScriptedDialer):
        def dial(self, origin: Any, proxy: Any = None, most: float = 1e9, avoid: Any = None) -> Any:
            asked.append(most)
            time.now += min(2.0, most)
            raise RequestTimeoutError("connecting timed out") if most < 2.0 else ConnectionFailedError("refused")

    client, _, _ = scripted_client(time=time, jitter=lambda: 0.0)
    client._dialer = SlowDialer()  # type: ignore[assignment]
    error, seconds = fails_after(client, time, Request(ORIGIN, "GET", "/key"))
    assert isinstance(error, DeadlineError)
    assert (seconds, asked) == (TOTAL, [TOTAL, TOTAL - 2.0])


def test_waiting_for_a_turn_counts() -> None:
    client, dialer, time = scripted_client(ScriptedStream(answer()))
    limiter = idle_pool(client).limiter
    for _ in range(100):
        limiter.refused(time.now, time.now)
    assert limiter.rate is not None
    for _ in range(1000):
        limiter.join(time.now)
    error, seconds = fails_after(client, time, Request(ORIGIN, "GET", "/key"))
    assert isinstance(error, DeadlineError)
    assert seconds == pytest.approx(TOTAL)
    assert dialer.dialed == 0
