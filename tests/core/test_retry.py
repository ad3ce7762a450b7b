"""Backoff, and the one retry loop, on a clock that moves when somebody sleeps."""

from __future__ import annotations

import logging
import random
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles.exceptions import (
    AuthorizationError,
    CertificateError,
    ConnectionFailedError,
    IntegrityError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    TransportError,
    TruncatedBodyError,
)
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.retry import RETRYABLE_STATUS, RetryPolicy, parse_retry_after
from cloudfiles.transport.client import _limiters
from cloudfiles.transport.dial import Dialer
from cloudfiles.transport.request import PLAIN, FileBody, Request, Response, RetryRequest
from cloudfiles.types import Tls
from tests.core.scripted import ORIGIN, FakeRuntime, FakeTime, ScriptedStream, answer, idle_pool, scripted_client


@pytest.fixture(autouse=True)
def _unbraked() -> None:
    _limiters.clear()


GOOD = answer(200, b"right")


def get(**options: Any) -> Request:
    return Request(ORIGIN, "GET", "/key", path="key", **options)


# ---- arithmetic


@given(st.integers(1, 40), st.floats(0, 1, exclude_max=True), st.one_of(st.none(), st.floats(0, 100)))
def test_full_jitter_within_its_window(failures: int, draw: float, retry_after: float | None) -> None:
    policy = RetryPolicy()
    window = min(20.0, 0.1 * 2 ** (failures - 1))
    floor = retry_after or 0.0
    assert policy.delay(failures, lambda: draw, retry_after) == pytest.approx(floor + draw * window)
    refused = policy.delay(failures, lambda: draw, retry_after, is_refused=True)
    assert refused == pytest.approx(floor + draw * min(2.0, window))


def test_no_two_clients_come_back_together() -> None:
    draws = random.Random(1)
    delays = {RetryPolicy().delay(8, draws.random) for _ in range(1000)}
    assert len(delays) == 1000
    assert min(delays) < 0.5
    assert max(delays) > 12


@given(st.integers(1, 30), st.floats(0, 1000), st.floats(0, 1000), st.one_of(st.none(), st.floats(0, 300)))
def test_limits(failures: int, elapsed: float, delay: float, retry_after: float | None) -> None:
    allowed = elapsed + delay <= 300 and not (retry_after is not None and retry_after > 120)
    assert RetryPolicy().allows(failures, elapsed, delay, retry_after) is allowed
    assert RetryPolicy(attempts=12).allows(failures, elapsed, delay, retry_after) is (allowed and failures < 12)


@pytest.mark.parametrize(("value", "date", "seconds"), [
    ("3", None, 3.0), (" 0 ", None, 0.0), ("", None, None), (None, None, None), ("soon", None, None),
    ("-1", None, None),
    ("1.5", None, None), ("\xb2", None, None), ("9" * 400, None, None),
    ("Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 30.0),
    ("Wed, 21 Oct 2015 07:27:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ("Wed, 21 Oct 2015 07:28:30 GMT", None, None), ("Wed, 21 Oct 2015 07:28:30", "Wed, 21 Oct 2015 07:28:00 GMT", None),
    ("Wed, 99 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", None)])
def test_retry_after(value: str | None, date: str | None, seconds: float | None) -> None:
    found = parse_retry_after(value, date)
    assert found == seconds or (value == "9" * 400 and found is not None and found > 1e9)


# ---- the loop


@pytest.mark.parametrize("status", sorted(RETRYABLE_STATUS))
def test_passing_statuses_are_tried_again(status: int) -> None:
    client, dialer, time = scripted_client(ScriptedStream(*[answer(status)] * 3, GOOD))
    assert client.send(get()).content == b"right"
    assert time.slept == pytest.approx([0.05, 0.1, 0.2])
    assert dialer.dialed == 1


@pytest.mark.parametrize(("status", "error"), [
    (400, ServerError), (401, AuthorizationError), (403, AuthorizationError), (404, ServerError), (409, ServerError),
    (412, PreconditionFailedError), (301, ServerError), (501, ServerError), (505, ServerError)])
def test_other_statuses_are_final(status: int, error: type[Exception]) -> None:
    client, _, time = scripted_client(ScriptedStream(answer(status, b"words")))
    with pytest.raises(error, match="words"):
        client.send(get())
    assert time.slept == []


def test_the_error_has_its_attempts() -> None:
    client, _, time = scripted_client(ScriptedStream(ConnectionResetError("reset")), ConnectionFailedError("no route"),
                                      ScriptedStream(*[answer(503, b"busy")] * 10), policy=RetryPolicy(attempts=12))
    with pytest.raises(ServerError, match=r"key: .*503: busy \(12 attempts in") as caught:
        client.send(get())
    attempts = caught.value.attempts
    assert len(attempts) == 12
    assert "reset" in attempts[0].cause
    assert "no route" in attempts[1].cause
    assert sum(a.waited for a in attempts[:-1]) == pytest.approx(sum(time.slept))
    assert [a.waited for a in attempts[:7]] == time.slept[:7]
    assert attempts[-1].waited == 0.0 or attempts[-1].elapsed == caught.value.elapsed
    assert caught.value.elapsed == pytest.approx(sum(time.slept))
    assert caught.value.path == "key"


def test_the_budget() -> None:
    policy = RetryPolicy(attempts=1000, budget=50.0)
    client, _, time = scripted_client(ScriptedStream(*[answer(500)] * 1000), policy=policy)
    with pytest.raises(ServerError):
        client.send(get())
    assert 30 < sum(time.slept) <= 50


def test_retry_after_is_a_floor_and_jitter_comes_on_top() -> None:
    client, _, time = scripted_client(ScriptedStream(answer(503, retry_after="7"), GOOD))
    client.send(get())
    assert time.slept == pytest.approx([7.05])


def test_retry_after_of_hours_ends_the_tries() -> None:
    client, _, time = scripted_client(ScriptedStream(answer(503, retry_after="7200")))
    with pytest.raises(ServerError):
        client.send(get())
    assert time.slept == []


def test_what_is_not_idempotent_is_repeated_only_where_the_server_did_not_act() -> None:
    def post() -> Request:
        return Request(ORIGIN, "POST", "/", idempotent=False)
    unsent = ConnectionFailedError("refused")
    unsent.nothing_sent = True
    client, _, _ = scripted_client(unsent, ScriptedStream(answer(503), answer(429), GOOD))
    assert client.send(post()).content == b"right"
    for step in (answer(500), answer(502), answer(504), answer(408)):
        client, _, time = scripted_client(ScriptedStream(step, GOOD))
        with pytest.raises(ServerError):
            client.send(post())
        assert time.slept == []
    for failure in (ConnectionResetError(), TimeoutError()):
        client, _, time = scripted_client(ScriptedStream(failure))
        with pytest.raises(TransportError):
            client.send(post())
        assert time.slept == []


class Checked(Request):
    def accept(self, response: Response) -> Any:
        if response.content != b"right":
            raise IntegrityError("the digest does not match")
        return response


def test_wrong_bytes_are_tried_a_few_times() -> None:
    client, _, _ = scripted_client(ScriptedStream(*[answer(200, b"wrong")] * 3, GOOD))
    assert client.send(Checked(ORIGIN, "GET", "/")).content == b"right"
    client, _, time = scripted_client(ScriptedStream(*[answer(200, b"wrong")] * 10))
    with pytest.raises(IntegrityError) as caught:
        client.send(Checked(ORIGIN, "GET", "/"))
    assert len(caught.value.attempts) == 4
    assert len(time.slept) == 3


SHORT = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"
ENDLESS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf"


@pytest.mark.parametrize("short", [SHORT, ENDLESS])
def test_bodies_that_end_at_the_same_byte_are_tried_for_half_a_minute(short: bytes) -> None:
    client, _, time = scripted_client(*[ScriptedStream(short) for _ in range(7)], ScriptedStream(GOOD))
    assert client.send(get()).content == b"right"
    assert 0 < sum(time.slept) < 30
    client, dialer, time = scripted_client(*[ScriptedStream(short) for _ in range(100)])
    with pytest.raises(TruncatedBodyError, match="attempts in"):
        client.send(get())
    assert 30 <= sum(time.slept) <= 30 + RetryPolicy().cap
    assert 4 < dialer.dialed < 40


@pytest.mark.parametrize("short", [SHORT, ENDLESS])
def test_slow_bodies_that_end_at_the_same_byte_are_tried_a_few_times(short: bytes) -> None:
    time = FakeTime()

    class Slow(ScriptedStream):
        def receive_into(self, buffer: memoryview) -> int:
            time.now += 20
            return super().receive_into(buffer)
    client, dialer, _ = scripted_client(*[Slow(short) for _ in range(100)], time=time)
    with pytest.raises(TruncatedBodyError, match="4 attempts"):
        client.send(get())
    assert dialer.dialed == 4


@pytest.mark.parametrize("short", [SHORT, ENDLESS])
def test_bodies_that_end_anywhere_are_tried_as_long_as_there_is_time(short: bytes) -> None:
    streams = [ScriptedStream(short + b"!" * (count % 4)) for count in range(15)]
    client, _, _ = scripted_client(*streams[:12], ScriptedStream(GOOD))
    assert client.send(get()).content == b"right"


def pinned(start: int, piece: bytes, chunked: bool) -> ScriptedStream:
    """An answer with the rest of an object of 100 bytes, of which this piece comes."""
    size = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % (100 - start)
    framed = b"%x\r\n" % (100 - start) + piece if chunked else piece
    status = b'206 Part\r\ncontent-range: bytes %d-99/100' % start if start else b"200 OK"
    return ScriptedStream(b'HTTP/1.1 %s\r\netag: "e"\r\n%s\r\n\r\n%s' % (status, size, framed))


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_continues_by_as_many_bytes_each_time_has_not_failed(chunked: bool) -> None:
    steps = [pinned(start, b"x" * 10, chunked) for start in range(0, 90, 10)]
    steps.append(pinned(90, b"x" * 10 + b"\r\n0\r\n\r\n" * chunked, chunked))
    client, _, _ = scripted_client(*steps)
    read = ObjectRead(ORIGIN, "/key", {}, PLAIN, "key")
    assert client.send(read).content == b"x" * 100


def test_a_body_that_never_goes_beyond_a_byte() -> None:
    client, dialer, time = scripted_client(pinned(0, b"x" * 60, False), *[pinned(60, b"", False) for _ in range(100)])
    with pytest.raises(TruncatedBodyError, match="after 0 of 40 bytes"):
        client.send(ObjectRead(ORIGIN, "/key", {}, PLAIN, "key"))
    assert 1 + 4 < dialer.dialed < 40
    assert 30 <= sum(time.slept) <= 60


def test_certificate_errors_are_final() -> None:
    client, _, time = scripted_client(CertificateError("unknown authority"))
    with pytest.raises(CertificateError):
        client.send(get())
    assert time.slept == []


def test_name_resolution_is_tried_again() -> None:
    time, tries = FakeTime(), []

    class Resolving(FakeRuntime):
        def resolve(self, host: str, port: int) -> Any:
            tries.append((host, port))
            if len(tries) < 4:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    client, _, _ = scripted_client(time=time, policy=RetryPolicy(attempts=5))
    client._dialer = Dialer(Resolving(time), Tls(), 1.0, 1.0)
    with pytest.raises(ConnectionFailedError, match="cannot be resolved") as caught:
        client.send(get(idempotent=False))
    assert len(tries) == len(caught.value.attempts) == 5
    assert caught.value.is_unreachable
    assert len(time.slept) == 4


def test_garbage_is_tried_again_on_another_connection() -> None:
    client, dialer, _ = scripted_client(ScriptedStream(b"garbage\r\n\r\n"), ScriptedStream(GOOD))
    assert client.send(get()).content == b"right"
    assert dialer.dialed == 2


CONTRADICTORY = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"


@pytest.mark.parametrize("malformed", [
    b"garbage\r\n\r\n", CONTRADICTORY, b"HTTP/1.1 200 OK\r\nno field\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"\x15\x03\x03\x00\x02\x02\x46\n\n"])
def test_the_same_malformed_answer_twice_is_enough(malformed: bytes) -> None:
    client, dialer, time = scripted_client(*[ScriptedStream(malformed) for _ in range(12)])
    with pytest.raises(ProtocolError, match="2 attempts"):
        client.send(get())
    assert (dialer.dialed, len(time.slept)) == (2, 1)


def test_malformed_answers_of_many_kinds_are_enough_too() -> None:
    client, dialer, _ = scripted_client(*[ScriptedStream(b"garbage %d\r\n\r\n" % number) for number in range(12)])
    with pytest.raises(ProtocolError):
        client.send(get())
    assert dialer.dialed == RetryPolicy().integrity_attempts


class Parsed(Request):
    def accept(self, response: Response) -> Any:
        raise ProtocolError(f"the listing is not valid XML: {response.content!r}")


def test_a_malformed_document_is_a_malformed_answer() -> None:
    client, _, time = scripted_client(ScriptedStream(answer(200, b"<"), answer(503), answer(200, b"<"), GOOD))
    with pytest.raises(ProtocolError, match="not valid XML"):
        client.send(Parsed(ORIGIN, "GET", "/"))
    assert len(time.slept) == 2


# ---- time, not a count


def test_a_restart_of_minutes_is_outlasted() -> None:
    for minutes in (1, 2, 4):
        time = FakeTime()
        end = time.now + 60 * minutes

        class Restarting(ScriptedStream):
            def receive_into(self, buffer: memoryview, time: FakeTime = time, end: float = end) -> int:
                if time.now < end:
                    raise ConnectionResetError("reset")
                return super().receive_into(buffer)
        client, _, _ = scripted_client(*[Restarting(GOOD) for _ in range(1000)], time=time)
        idle_pool(client).limiter.has_answered = True
        assert client.send(get()).content == b"right"
        assert time.now - end < 12


@pytest.mark.parametrize("draw", [0.0001, 0.1, 0.5, 0.999])
@pytest.mark.parametrize("status", [500, 503])
def test_the_promised_time_is_used_whatever_the_random_numbers(status: int, draw: float) -> None:
    client, _, time = scripted_client(ScriptedStream(*[answer(status)] * 100_000), jitter=lambda: draw)
    with pytest.raises(ServerError) as caught:
        client.send(get())
    assert 270 < sum(time.slept) <= 300
    assert caught.value.elapsed == pytest.approx(sum(time.slept))


def refused_port(unreachable: bool = True) -> ConnectionFailedError:
    error = ConnectionFailedError("no connection: refused")
    error.nothing_sent, error.is_unreachable = True, unreachable
    return error


def test_a_server_that_was_never_reached_is_given_a_minute() -> None:
    client, _, time = scripted_client(*[refused_port() for _ in range(1000)])
    with pytest.raises(ConnectionFailedError):
        client.send(get())
    assert 50 < sum(time.slept) <= 60


def test_a_server_that_closes_without_a_response_and_never_answered_is_given_a_minute() -> None:
    client, _, time = scripted_client(*[ScriptedStream() for _ in range(1000)])
    with pytest.raises(ConnectionFailedError, match="before it responded"):
        client.send(get())
    assert 50 < sum(time.slept) <= 60


def test_a_server_that_was_reached_before_is_given_the_full_time() -> None:
    client, _, time = scripted_client(ScriptedStream(GOOD), *[refused_port() for _ in range(1000)])
    client.send(get())
    with pytest.raises(ConnectionFailedError):
        client.send(get())
    assert 270 < sum(time.slept) <= 300


def test_permanent_errors_fail_at_once() -> None:
    lasting = ConnectionFailedError("no TLS connection: wrong version number")
    lasting.nothing_sent = lasting.is_permanent = True
    client, _, time = scripted_client(lasting)
    with pytest.raises(ConnectionFailedError):
        client.send(get())
    assert time.slept == []


class Pieces(Request):
    """A body that goes on where it broke off."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.got = b""

    def on_incomplete_body(self, head: Any, received: bytes) -> None:
        self.got += received

    def resumable_bytes(self) -> int:
        return len(self.got)


def test_progress_is_no_failure() -> None:
    """Each try brings a hundredth: it takes longer than the time for one failure, and more tries than there are."""
    cut = answer(200, b"x" * 1000)
    head = len(cut) - 1000
    streams = [ScriptedStream(cut[:head + 60], OSError("reset")) for _ in range(50)]
    client, _, time = scripted_client(*streams, ScriptedStream(GOOD), policy=RetryPolicy(attempts=2, budget=1.0))
    request = Pieces(ORIGIN, "GET", "/key")
    assert client.send(request).content == b"right"
    assert request.resumable_bytes() == 3000
    assert max(time.slept) < 0.1
    assert sum(time.slept) > 1.0


def test_next_to_no_progress_is_none() -> None:
    cut = answer(200, b"x" * 1000)
    head = len(cut) - 1000
    streams = [ScriptedStream(cut[:head + 500], OSError("reset")),
               *[ScriptedStream(cut[:head + 1], OSError("reset")) for _ in range(50)]]
    client, _, _ = scripted_client(*streams, policy=RetryPolicy(attempts=5))
    with pytest.raises(ConnectionFailedError):
        client.send(Pieces(ORIGIN, "GET", "/key"))


# ---- what the log says


def test_the_log_says_for_what_it_waits(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "cloudfiles")
    client, _, _ = scripted_client(ScriptedStream(*[answer(500, b"broken")] * 100, GOOD))
    with pytest.raises(ServerError):
        client.send(get())
    said = [record.getMessage() for record in caplog.records]
    assert 4 <= len(said) <= 6  # once a minute
    assert "waiting for http://server.test for" in said[0]
    assert "500: broken" in said[0]


def test_the_log_says_nothing_of_short_waits(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "cloudfiles")
    for _ in range(20):
        client, _, _ = scripted_client(ScriptedStream(*[answer(500)] * 4, GOOD))
        client.send(get())
    assert caplog.records == []


class Mended(Request):
    """Redirected `times` times."""

    times = 3

    def accept(self, response: Response) -> Any:
        if self.times:
            self.times -= 1
            raise RetryRequest(ServerError("moved", status=307))
        return super().accept(response)


def test_a_corrected_request_is_sent_at_once_and_is_no_fault() -> None:
    client, _, time = scripted_client(ScriptedStream(*[GOOD] * 3, answer(503), GOOD))
    assert client.send(Mended(ORIGIN, "GET", "/")).content == b"right"
    assert time.slept == pytest.approx([0.05])


def test_a_request_that_is_tried_once_is_corrected_nevertheless() -> None:
    used = ScriptedStream(GOOD)  # then the end of the stream
    client, dialer, _ = scripted_client(used, ScriptedStream(*[GOOD] * 5), policy=RetryPolicy(attempts=1))
    for _ in range(2):
        assert client.send(get()).content == b"right"
    assert dialer.dialed == 2
    assert client.send(Mended(ORIGIN, "GET", "/")).content == b"right"


def test_mending_ends() -> None:
    client, _, time = scripted_client(ScriptedStream(*[GOOD] * 100))
    request = Mended(ORIGIN, "GET", "/")
    request.times = 100
    with pytest.raises(ServerError, match="moved"):
        client.send(request)
    assert time.slept == []


# ---- connections


def test_a_connection_closed_while_idle_costs_nothing() -> None:
    used = ScriptedStream(GOOD)  # then the end of the stream
    client, dialer, time = scripted_client(used, ScriptedStream(GOOD, GOOD))
    for _ in range(3):
        assert client.send(get()).content == b"right"
    assert (time.slept, dialer.dialed, used.closed) == ([], 2, True)


def test_a_fresh_connection_that_closes_is_a_fault() -> None:
    client, _, time = scripted_client(ScriptedStream(), ScriptedStream(GOOD))
    assert client.send(get()).content == b"right"
    assert time.slept == pytest.approx([0.05])


def test_what_is_not_idempotent_does_not_meet_a_closed_connection() -> None:
    used = ScriptedStream(GOOD)
    client, dialer, _ = scripted_client(used, ScriptedStream(GOOD))
    client.send(get())
    used.stale = True
    assert client.send(get(idempotent=False)).content == b"right"
    assert (dialer.dialed, used.closed) == (2, True)


def test_connections_idle_for_long_are_looked_at() -> None:
    used = ScriptedStream(GOOD)
    client, dialer, time = scripted_client(used, ScriptedStream(GOOD))
    client.send(get())
    used.stale = True
    time.now += 5
    assert client.send(get()).content == b"right"
    assert (dialer.dialed, used.sent.count(b"GET")) == (2, 1)


def test_failed_connections_are_closed_and_not_kept() -> None:
    streams = [ScriptedStream(answer(200, b"cut")[:-1]), ScriptedStream(TimeoutError()), ScriptedStream(GOOD + b"more"),
               ScriptedStream(GOOD)]
    client, _, _ = scripted_client(*streams)
    client.send(get())
    client.send(get())
    assert [s.closed for s in streams] == [True, True, True, False]
    client.close()
    assert streams[3].closed
    assert not idle_pool(client)._idle


@pytest.mark.parametrize("status", [413, 503, 403])
def test_an_early_response_is_read(status: int) -> None:
    """The server refuses, and closes, before it has read the body."""
    early = ScriptedStream(answer(status, b"words", connection="close"), send_error=BrokenPipeError("gone"))
    client, _, _ = scripted_client(early, ScriptedStream(GOOD))
    request = Request(ORIGIN, "PUT", "/", body=b"x" * 100_000)
    if status == 503:
        assert client.send(request).content == b"right"
    else:
        with pytest.raises((ServerError, AuthorizationError), match=f"{status}: words"):
            client.send(request)
    assert early.closed


@pytest.mark.parametrize("response", [b"", answer(200), b"garbage\r\n\r\n", answer(503)[:10]])
def test_a_send_that_fails_is_no_success_whatever_the_response(response: bytes) -> None:
    client, _, time = scripted_client(ScriptedStream(response, send_error=ConnectionResetError()), ScriptedStream(GOOD))
    assert client.send(Request(ORIGIN, "PUT", "/", body=b"x" * 100_000)).content == b"right"
    assert len(time.slept) == 1


def test_a_body_of_any_memory_is_sent_whole() -> None:
    import array
    numbers = memoryview(array.array("q", range(5000)))
    for view in (numbers, numbers[::2], memoryview(b"abc"), numbers[:3]):
        stream = ScriptedStream(GOOD)
        client, _, _ = scripted_client(stream)
        client.send(Request(ORIGIN, "PUT", "/", body=view))
        head, _, body = stream.sent.partition(b"\r\n\r\n")
        assert body == view.tobytes()
        assert b"content-length: %d" % view.nbytes in head


class BrokenDisk:
    def tell(self) -> int:
        return 0

    def seek(self, to: int) -> None:
        pass

    def read(self, count: int) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_file_that_cannot_be_read_is_not_the_connections_fault() -> None:
    from cloudfiles.exceptions import FileSystemError
    body: Any = FileBody(BrokenDisk(), 10)  # type: ignore[arg-type]
    client, _, time = scripted_client(stream := ScriptedStream(GOOD))
    with pytest.raises(FileSystemError, match="Input/output") as caught:
        client.send(Request(ORIGIN, "PUT", "/", body=body))
    assert (caught.value.errno, time.slept, stream.closed) == (5, [], True)


@pytest.mark.parametrize("failure", [answer(503), answer(body=b"0123456789")[:-3]], ids=["refused", "broken body"])
def test_a_failed_exchange_leaves_no_cycle(failure: bytes) -> None:
    """What an attempt knew goes when it is over, and not when the collector comes."""
    import gc
    import weakref

    gc.collect()
    gc.disable()
    try:
        client, _, _ = scripted_client(ScriptedStream(failure), ScriptedStream(failure), ScriptedStream(GOOD))
        request = get()
        client.send(request)
        reference = weakref.ref(client)
        del client, request
        assert reference() is None
    finally:
        gc.enable()


def test_the_log_shows_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cloudfiles")
    client, _, _ = scripted_client(ScriptedStream(answer(503, b"token=SECRET"), GOOD))
    client.send(Request(ORIGIN, "GET", "/", path="key?X-Amz-Signature=SECRET&x=1"))
    assert "attempt 1 failed" in caplog.text
    assert "SECRET" not in caplog.text
