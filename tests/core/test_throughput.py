"""A server that crawls, sending or taking a byte a second, is given up; a thin line and a slow consumer are not."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import RequestTimeoutError
from cloudfiles.interfaces.bounded_read import PiecewiseRead
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.retry import RetryPolicy
from cloudfiles.runtime import green_stream, threads
from cloudfiles.runtime.contract import Stream
from cloudfiles.runtime.descriptors import DescriptorBudget
from cloudfiles.runtime.green_stream import GreenStream, Watchdog
from cloudfiles.testing import Pieces, Rule, S3Server, Stall
from cloudfiles.transport import connection_pool, throughput
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.request import PLAIN, Body, FileBody, Request
from cloudfiles.transport.response_reader import IncompleteBodyError
from cloudfiles.transport.throughput import CRAWL_SECONDS, Throughput, TooSlowError, Watch
from tests.core.scripted import ORIGIN, FakeTime, ScriptedStream, answer, scripted_client

SECONDS = 60.0
CONTENT = bytes(range(256)) * 20


class Crawling(ScriptedStream):
    """A byte every `pause` seconds, in both directions; the first `at_once` received bytes come at once."""

    def __init__(self, time: FakeTime, wire: bytes, at_once: int, pause: float = 1.0) -> None:
        super().__init__(wire[:at_once], *(wire[at:at + 1] for at in range(at_once, len(wire))))
        self._time = time
        self._pause = pause
        self._at_once = at_once

    def receive_into(self, buffer: memoryview) -> int:
        self._time.now += 0.0 if self._at_once else self._pause
        self._at_once = 0
        return super().receive_into(buffer)

    def send_some(self, data: memoryview) -> int:
        self._time.now += self._pause
        self.send(data[:1])
        return 1


def crawling(time: FakeTime, wire: bytes, body: bytes, pause: float = 1.0) -> Connection:
    """A connection whose answer comes at once but for `body`, which crawls."""
    stream = Crawling(time, wire, len(wire) - len(body), pause)
    return Connection(cast(Stream, stream), Throughput(1024.0, SECONDS, list, lambda: time.now))


HEAD = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "sized": answer(body=CONTENT),
    "until close": HEAD + b"\r\n" + CONTENT,
    "chunked": HEAD + b"transfer-encoding: chunked\r\n\r\n1400\r\n" + CONTENT + b"\r\n0\r\n\r\n",
}


class Taking(Request):
    """Its answer goes to a receiver, which takes some seconds for each piece."""

    __slots__ = ("_time", "pause", "receiver")

    def __init__(self, time: FakeTime, pause: float = 0.0) -> None:
        Request.__init__(self, ORIGIN, "GET", "/")
        self._time, self.pause, self.receiver = time, pause, self

    def accepts(self, head: object, length: int) -> bool:
        return True

    def write(self, piece: bytes | memoryview) -> None:
        self._time.now += self.pause


@pytest.mark.parametrize("received", ["to memory", "by a receiver"])
@pytest.mark.parametrize("framing", list(ANSWERS))
def test_a_crawling_body_is_given_up(framing: str, received: str) -> None:
    time = FakeTime()
    request = Request(ORIGIN, "GET", "/") if received == "to memory" else Taking(time)
    wire = ANSWERS[framing]
    connection = crawling(time, wire, wire[-len(CONTENT):])
    began = time.now
    with pytest.raises(IncompleteBodyError, match="throughput below 1024 bytes per second") as raised:
        connection.exchange(b"", request)
    assert isinstance(raised.value.cause, RequestTimeoutError)
    assert SECONDS < time.now - began < 1.5 * SECONDS
    if received == "to memory":
        assert 60 < len(raised.value.received) < 90


@pytest.mark.parametrize("framing", list(ANSWERS))
def test_a_slow_consumer_is_no_crawling_server(framing: str) -> None:
    time = FakeTime()
    wire = ANSWERS[framing]
    connection = crawling(time, wire, wire[-40:])
    connection.exchange(b"", Taking(time, pause=100.0))
    assert connection.received == len(wire)


def test_a_crawling_head_is_given_up() -> None:
    time = FakeTime()
    wire = answer(x_long="x" * 1000)
    with pytest.raises(RequestTimeoutError, match=r"while receiving the response headers: throughput below 1024"):
        crawling(time, wire, wire[20:]).exchange(b"", Request(ORIGIN, "GET", "/"))


def test_a_store_that_works_for_minutes_sends_a_space_now_and_then() -> None:
    time = FakeTime()
    wire = answer(body=b" " * 50 + b"<Result/>")
    connection = crawling(time, wire, b" " * 50 + b"<Result/>", pause=9.0)
    assert connection.exchange(b"", Request(ORIGIN, "POST", "/")).content.endswith(b"<Result/>")
    endless = answer(body=b" " * 5000)
    with pytest.raises(IncompleteBodyError):
        crawling(time, endless, b" " * 5000, pause=9.0).exchange(b"", Request(ORIGIN, "POST", "/"))


def file_body(content: bytes) -> FileBody:
    return FileBody(io.BytesIO(content), len(content))


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, file_body])
def test_an_upload_that_is_hardly_read_is_given_up(make: Callable[[bytes], Body]) -> None:
    time = FakeTime()
    connection = crawling(time, b"", b"")
    began = time.now
    with pytest.raises(RequestTimeoutError, match="while the request was being sent: throughput below 1024"):
        connection.exchange(b"head", Request(ORIGIN, "PUT", "/", body=make(os.urandom(64 << 10))))
    assert SECONDS < time.now - began < 1.5 * SECONDS


def test_an_early_refusal_of_a_crawling_upload_is_read() -> None:
    time = FakeTime()
    stream = Crawling(time, answer(413), 1000)
    stream.stale = True  # something has come
    connection = Connection(cast(Stream, stream), Throughput(1024.0, SECONDS, list, lambda: time.now))
    assert connection.exchange(b"", Request(ORIGIN, "PUT", "/", body=bytes(64 << 10))).status == 413


def test_a_slow_disk_is_no_crawling_server() -> None:
    time = FakeTime()

    class Disk:
        def tell(self) -> int:
            return 0

        def seek(self, to: int) -> int:
            return to

        def read(self, size: int) -> bytes:
            time.now += 1000.0
            return b"x" * min(size, 10)

    stream = ScriptedStream(answer())
    connection = Connection(cast(Stream, stream), Throughput(1024.0, SECONDS, list, lambda: time.now))
    connection.exchange(b"", Request(ORIGIN, "PUT", "/", body=FileBody(cast(Any, Disk()), 1000)))
    assert connection.sent == 1000


# ---- who is to blame


class Line:
    """Connections to one origin; the first is watched."""

    def __init__(self, count: int, least: float = 1024.0, last_response: float = -math.inf) -> None:
        """last_response: when the last response began, in seconds after the beginning of the watch."""
        self.time = FakeTime()
        last = self.time.now + last_response
        self.all = [SimpleNamespace(received=0, sent=0, is_busy=True) for _ in range(count)]
        limits = Throughput(least, SECONDS, lambda: cast(Any, list(map(_Peer, self.all))), lambda: self.time.now,
                            lambda: last)
        self.watch: Watch = limits.receiving(cast(Any, _Peer(self.all[0])))

    def go_on(self, *rates: float, seconds: float = 10 * SECONDS) -> None:
        """Receive at these rates, in bytes a second."""
        until = self.time.now + seconds
        while self.time.now < until:
            self.time.now += 1.0
            for connection, rate in zip(self.all, rates, strict=True):
                connection.received += int(rate)
            if self.time.now >= self.watch.due:
                self.watch.check()


class _Peer:
    """Equal to others of the same connection, as a connection is to itself."""

    def __new__(cls, connection: SimpleNamespace) -> Any:
        found: Any = connection.__dict__.setdefault("_self", object.__new__(cls))
        found.connection = connection
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@pytest.mark.parametrize("rates", [(100.0,), (1.0, 1.0, 1.0), (1.0, 100_000.0), (500.0, 5000.0, 5000.0, 5000.0),
                                   (0.0, 0.0, 0.0)])
def test_given_up(rates: tuple[float, ...]) -> None:
    """Alone; all crawl; others do better."""
    line = Line(len(rates))
    with pytest.raises(TooSlowError):
        line.go_on(*rates)
    assert line.time.now - 1000.0 < 1.5 * SECONDS


@pytest.mark.parametrize("rates", [(500.0,) * 20, (300.0, 700.0, 400.0, 900.0), (1100.0,), (1100.0, 1e6)])
def test_let_be(rates: tuple[float, ...]) -> None:
    """A thin line that all share, evenly or not; or simply fast enough."""
    Line(len(rates)).go_on(*rates)


def test_idle_connections_are_no_reason() -> None:
    line = Line(10)
    for connection in line.all[2:]:
        connection.is_busy = False
    line.go_on(700.0, 700.0, *([0.0] * 8))


def test_a_pause_of_all_things_is_no_reason() -> None:
    """A process that was stopped, or whose machine slept, has received little in that time."""
    line = Line(1)
    line.go_on(5000.0, seconds=30)
    line.time.now += 100_000.0
    line.go_on(5000.0)


def test_without_a_minimum_nothing_is_given_up() -> None:
    Line(1, least=0.0).go_on(0.0)


@pytest.mark.parametrize("rates", [(1.0, 100_000.0), (500.0, 5000.0, 5000.0, 5000.0), (0.0, 2000.0)])
def test_given_up_soon_if_others_do_well(rates: tuple[float, ...]) -> None:
    line = Line(len(rates))
    with pytest.raises(TooSlowError):
        line.go_on(*rates)
    assert CRAWL_SECONDS < line.time.now - 1000.0 < 1.5 * CRAWL_SECONDS


@pytest.mark.parametrize("rates", [(0.0,), (0.0, 0.0), (0.0, 500.0, 500.0), (20.0, 1000.0)])
def test_not_given_up_soon_if_all_are_slow(rates: tuple[float, ...]) -> None:
    """A server that pauses, or a slow line of which others happen to have more."""
    line = Line(len(rates))
    line.go_on(*rates, seconds=SECONDS - 1)
    with pytest.raises(TooSlowError):
        line.go_on(*rates, seconds=SECONDS)


@pytest.mark.parametrize("count", [1, 3])
def test_given_up_soon_if_the_others_have_ended_since(count: int) -> None:
    """The last requests of a batch: others were answered after nothing more came, and now all that is left stalls."""
    line = Line(count, last_response=0.5)
    with pytest.raises(TooSlowError):
        line.go_on(*[0.0] * count)
    assert CRAWL_SECONDS < line.time.now - 1000.0 < 1.5 * CRAWL_SECONDS


@pytest.mark.parametrize(("rate", "last_response"), [(0.0, 0.05), (0.0, -5.0), (20.0, 0.5)])
def test_not_given_up_soon_if_the_server_may_have_paused(rate: float, last_response: float) -> None:
    """Responses to others ended at the same time, or earlier; or it is only slow."""
    Line(2, last_response=last_response).go_on(rate, 0.0, seconds=SECONDS - 1)


def test_a_transfer_that_recovers_has_time_again() -> None:
    line = Line(1)
    for _ in range(5):
        line.go_on(10.0, seconds=SECONDS - 2 * CRAWL_SECONDS)
        line.go_on(5000.0, seconds=2 * CRAWL_SECONDS)


# ---- nothing arrives at all


class Stalling(ScriptedStream):
    """Sends `wire`, and then nothing until it is interrupted."""

    def __init__(self, time: FakeTime, wire: bytes) -> None:
        super().__init__(wire)
        self._time = time
        self._is_interrupted = False

    def receive_into(self, buffer: memoryview) -> int:
        count = super().receive_into(buffer)
        waited = 0.0
        while not count and not self._is_interrupted:
            waited += 0.1
            self._time.now += 0.1
            self.on_wait(waited)  # type: ignore[attr-defined]
            assert waited < SECONDS
        return count

    def interrupt(self) -> None:
        self._is_interrupted = True


def stalling(time: FakeTime, wire: bytes, peer_rate: float = 1e6) -> Connection:
    """A connection on which `wire` comes and then nothing, beside one that receives so many bytes a second."""
    began = time.now

    class Peer:
        is_busy, sent = True, 0

        @property
        def received(self) -> int:
            return int((time.now - began) * peer_rate)

    peer = Peer()
    return Connection(cast(Stream, Stalling(time, wire)),
                      Throughput(1024.0, SECONDS, lambda: cast(Any, [peer]), lambda: time.now))


@pytest.mark.parametrize("received", ["to memory", "by a receiver"])
@pytest.mark.parametrize("framing", list(ANSWERS))
def test_a_body_that_stalls_is_given_up_if_others_do_well(framing: str, received: str) -> None:
    time = FakeTime()
    connection = stalling(time, ANSWERS[framing][:-1000])
    began = time.now
    with pytest.raises(IncompleteBodyError) as raised:
        connection.exchange(b"", Request(ORIGIN, "GET", "/") if received == "to memory" else Taking(time))
    assert CRAWL_SECONDS < time.now - began < 1.5 * CRAWL_SECONDS
    assert isinstance(raised.value.cause, RequestTimeoutError)
    assert "throughput below 1024 bytes per second" in str(raised.value.cause)
    if received == "to memory":
        assert CONTENT.startswith(raised.value.received)
        assert len(raised.value.received) > 4000


def test_a_head_that_stalls_is_given_up_if_others_do_well() -> None:
    time = FakeTime()
    with pytest.raises(RequestTimeoutError, match="while receiving the response headers: throughput below 1024"):
        stalling(time, HEAD).exchange(b"", Request(ORIGIN, "GET", "/"))


@pytest.mark.parametrize("received", ["to memory", "by a receiver"])
@pytest.mark.parametrize("framing", ["sized", "chunked"])
def test_a_connection_that_was_interrupted_after_all_had_arrived_is_not_used_again(framing: str, received: str
                                                                                    ) -> None:
    time = FakeTime()
    wire = ANSWERS[framing]
    for is_interrupted in (False, True):
        connection = Connection(cast(Stream, ScriptedStream(wire[:-1000], wire[-1000:])))
        connection._too_slow = TooSlowError() if is_interrupted else None
        connection.exchange(b"", Request(ORIGIN, "GET", "/") if received == "to memory" else Taking(time))
        assert connection.reusable is not is_interrupted


@pytest.mark.parametrize(("method", "peer_rate"), [("GET", 10.0), ("POST", 1e6)])
def test_a_stall_of_all_or_of_a_store_that_works_is_waited_for(method: str, peer_rate: float) -> None:
    """Until the read timeout, which is the stream's."""
    time = FakeTime()
    connection = stalling(time, ANSWERS["sized"][:-1000], peer_rate)
    with pytest.raises(AssertionError):
        connection.exchange(b"", Request(ORIGIN, method, "/"))
    assert time.now - 1000.0 > SECONDS - 1


# ---- the whole way


def test_the_body_resumes_where_it_was() -> None:
    time = FakeTime()
    wire = answer(body=CONTENT, etag='"1"')
    first = Crawling(time, wire, len(wire) - len(CONTENT) + 3000, pause=0.05)
    second = ScriptedStream()
    client, dialer, _ = scripted_client(first, second, time=time, descriptors=DescriptorBudget(lambda: 9))
    request = ObjectRead(ORIGIN, "/", {}, PLAIN, "key")
    sent: list[bytes] = []

    def send(data: bytes | bytearray | memoryview) -> None:
        sent.append(bytes(data))
        begin = int(bytes(data).partition(b"bytes=")[2].partition(b"-")[0])
        part = CONTENT[begin:]
        head = answer(206, part, etag='"1"', content_range=f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
        second._pieces = iter([head])

    second.send = send  # type: ignore[method-assign]
    stored = client.send(request)
    assert stored.content == CONTENT
    assert dialer.dialed == 2
    assert 3000 < int(sent[0].partition(b"bytes=")[2].partition(b"-")[0]) < 3100
    assert b'if-match: "1"' in sent[0]


def test_what_was_delivered_in_pieces_is_not_tried_again() -> None:
    time = FakeTime()
    wire = answer(body=CONTENT)
    stream = Crawling(time, wire, len(wire) - len(CONTENT) + 1)
    client, dialer, _ = scripted_client(stream, time=time, policy=RetryPolicy(attempts=3))
    with pytest.raises(RequestTimeoutError):
        client.send(PiecewiseRead(ORIGIN, "/", {}, PLAIN, "key", lambda piece: None))
    assert dialer.dialed == 1


def test_a_crawling_server(fault_server: S3Server, green: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Sooner than the read timeout says: a server that a busy machine holds up for a moment has not fallen silent.
    monkeypatch.setattr(connection_pool, "Throughput",
                        lambda rate, seconds, *more: Throughput(rate, seconds / 50, *more))
    content = os.urandom(100_000)
    fault_server.put("a", content)
    fault_server.script(Rule(Pieces(1, pause=0.02), key="a", method="GET", times=2))
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets, green=green, read_timeout=20)
    assert cf.get(["a"])[0]["content"] == content
    assert [request.status for request in fault_server.requests(key="a")] in ([200, 200, 200], [200, 200, 206],
                                                                              [200, 206, 206])


def test_a_hub_that_stood_still_expires_nobody() -> None:
    """A program that computes in its hub's thread keeps the hub from receiving: the server was not silent."""
    watchdog = Watchdog(None)
    expired: list[Any] = []

    class Silent:
        deadline = 1050.0
        on_wait = None

        def expire(self) -> None:
            expired.append(self)

    watchdog._streams.add(cast(GreenStream, Silent()))
    watchdog._period, watchdog._looked = 1.0, 1000.0
    watchdog.look(now=1100.0)
    assert not expired
    for second in range(1, 60):
        watchdog.look(now=1100.0 + second)
    assert expired


def test_a_body_that_stalls_resumes_where_it_was(fault_server: S3Server, green: bool,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "CRAWL_SECONDS", 0.05)
    monkeypatch.setattr(green_stream, "_LONG", 0.02)
    monkeypatch.setattr(green_stream, "_PERIOD", 0.01)
    monkeypatch.setattr(threads, "TICK", 0.02)
    monkeypatch.setattr(Watch, "_is_to_blame", lambda *_: True)
    content = os.urandom(300_000)
    fault_server.put("a", content)
    fault_server.script(Rule(Stall(after=200_000), key="a", method="GET", times=1))
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets, green=green, read_timeout=31)
    assert cf.get(["a"])[0]["content"] == content
    assert [request.status for request in fault_server.requests(key="a")] == [200, 206]
    ranges = [dict(request.headers).get("range") for request in fault_server.requests(key="a")]
    assert ranges == [None, "bytes=200000-"]
