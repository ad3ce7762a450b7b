"""Every fault arrives as what it says, seen through a bare socket and through http.client."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from cloudfiles import testing
from cloudfiles.testing import FLAKY, Fault, Rule, S3Server, mix
from cloudfiles.testing.http_messages import ServerRequest
from cloudfiles.testing.rules import IncomingRequest
from cloudfiles.testing.s3_objects import make_object
from tests.servers.tls import Certificates

CONTENT = bytes(range(256)) * 64
PATH = "/bucket/a"
ONCE = b"GET /bucket/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def server(fault_server: S3Server) -> S3Server:
    fault_server.put("a", CONTENT)
    return fault_server


def raw(server: S3Server, request: bytes = b"GET /bucket/a HTTP/1.1\r\nHost: x\r\n\r\n",
        limit: int = 1 << 20) -> tuple[bytes, str]:
    """Everything that comes back, and how it ended: 'closed', 'reset', 'silent' (open, nothing more), 'more'."""
    before, is_answered = len(server.requests()), False
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.3) as sock:
        sock.sendall(request)
        got = b""
        while True:
            try:
                data = sock.recv(1 << 16)
            except ConnectionResetError:
                return got, "reset"
            except TimeoutError:
                if is_answered:
                    return got, "silent"
                is_answered = len(server.requests()) > before  # what comes has been sent by now: look once more
                continue
            if not data:
                return got, "closed"
            got += data
            if len(got) > limit:
                return got, "more"


def fetch(server: S3Server, method: str = "GET", body: bytes | None = None,
          headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, PATH, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _split(wire: bytes) -> tuple[bytes, bytes]:
    head, _, body = wire.partition(b"\r\n\r\n")
    return head, body


def test_no_fault(server: S3Server) -> None:
    wire, ending = raw(server)
    head, body = _split(wire)
    assert (head[:15], body, ending) == (b"HTTP/1.1 200 OK", CONTENT, "silent")


@pytest.mark.parametrize(("fault", "ending", "length"), [
    (testing.ResetBefore(), "reset", None),
    (testing.CloseBefore(), "closed", None),
    (testing.ResetInHead(12), "reset", None),
    (testing.ResetInBody(100), "reset", 100),
    (testing.ResetInBody(), "reset", len(CONTENT) // 2),
    (testing.ShortBody(0), "closed", 0),
    (testing.ShortBody(10**9), "closed", len(CONTENT) - 1),
    (testing.Stall(), "silent", None),
    (testing.Stall(7), "silent", 7),
    (testing.SilentClose(), "closed", len(CONTENT)),
    (testing.SilentClose(0.05), "closed", len(CONTENT)),
    (testing.CloseDelimited(), "closed", len(CONTENT)),
    (testing.LongBody(b"and more"), "silent", len(CONTENT) + 8),
])
def test_where_an_answer_ends(server: S3Server, fault: Fault, ending: str, length: int | None) -> None:
    server.script(Rule(fault))
    wire, end = raw(server)
    head, body = _split(wire)
    assert end == ending
    assert body == (CONTENT + b"and more")[:length or 0]
    assert (b"HTTP/1." in head and b"\r\n\r\n" in wire) == (length is not None)
    assert raw(server, ONCE)[0].endswith(CONTENT), "the rule holds once"


def test_a_large_body_is_sent_before_the_reset(server: S3Server) -> None:
    server.put("a", b"x" * (8 << 20))
    server.script(Rule(testing.ResetInBody(7 << 20)))
    wire, ending = raw(server, limit=1 << 30)
    assert (len(_split(wire)[1]), ending) == (7 << 20, "reset")


def test_answers_that_are_other_ones(server: S3Server) -> None:
    server.script(Rule(testing.slow_down()), Rule(testing.too_many_requests(3)),
                  Rule(testing.too_many_requests(until=784111777)), Rule(testing.expired_token()),
                  Rule(testing.wrong_region("eu-west-1")), Rule(testing.redirect("http://127.0.0.1:1/x")),
                  Rule(testing.time_too_skewed(784111777)), Rule(testing.error_in_200("SlowDown")))
    wires = [raw(server, ONCE)[0] for _ in range(8)]
    wanted = [b"HTTP/1.1 503 Service Unavailable", b"Retry-After: 3", b"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT",
              b"ExpiredToken", b"x-amz-bucket-region: eu-west-1", b"Location: http://127.0.0.1:1/x",
              b"Date: Sun, 06 Nov 1994 08:49:37 GMT", b"HTTP/1.1 200 OK"]
    assert [text in wire for text, wire in zip(wanted, wires, strict=True)] == [True] * 8
    assert wires[6].count(b"Date:") == 1
    assert fetch(server) == (200, CONTENT)


def test_bodies_that_are_wrong(server: S3Server) -> None:
    server.script(Rule(testing.FlipBit(8)), Rule(testing.IgnoreRange()), Rule(testing.RangeAs200()),
                  Rule(testing.WrongContentRange("bytes 0-1/9")), Rule(testing.SetHeader("ETag", None)))
    flipped = fetch(server)[1]
    assert [at for at in range(len(CONTENT)) if flipped[at] != CONTENT[at]] == [1]
    ranged = {"Range": "bytes=5-9"}
    assert fetch(server, headers=ranged) == (200, CONTENT)
    assert fetch(server, headers=ranged) == (200, CONTENT[5:10])
    assert b"Content-Range: bytes 0-1/9" in raw(server, ONCE)[0]
    assert b"ETag" not in raw(server, ONCE)[0]


def test_an_object_replaced_between_two_reads(server: S3Server) -> None:
    server.script(Rule(testing.Replaced(make_object(b"another"))))
    assert [fetch(server)[1] for _ in range(2)] == [CONTENT, b"another"]


@pytest.mark.parametrize("fault", [
    testing.Chunked(), testing.Chunked((3, 1), (("X-Late", "1"),), ";ext=\"a\""), testing.Interim((103,)),
    testing.CloseDelimited(), testing.CloseDelimited("HTTP/1.1", length=True), testing.Pieces(500),
    testing.Delay(0.05), testing.ObsFold(),
])
def test_odd_answers_that_are_right(server: S3Server, fault: Fault) -> None:
    server.script(Rule(fault, times=None))
    # http.client knows the interim status 100 alone, so read past another by hand.
    if isinstance(fault, testing.Interim):
        wire = raw(server, ONCE)[0]
        assert wire.startswith(b"HTTP/1.1 103 ")
        assert wire.endswith(CONTENT)
    else:
        assert fetch(server) == (200, CONTENT)


def test_answers_that_are_not_http(server: S3Server) -> None:
    server.script(Rule(testing.Raw()), Rule(testing.BothLengths()), Rule(testing.TwoLengths()),
                  Rule(testing.CutChunked()), Rule(testing.EndlessHeader()),
                  Rule(testing.EndlessHeader(one_line=True)))
    assert raw(server, ONCE)[0].startswith(b"\x16\x03\x01")
    both = _split(raw(server, ONCE)[0])[0]
    assert b"Content-Length" in both
    assert b"Transfer-Encoding" in both
    assert raw(server, ONCE)[0].count(b"Content-Length") == 2
    with pytest.raises(http.client.IncompleteRead):
        fetch(server)
    for _ in range(2):
        wire, ending = raw(server, limit=4 << 20)
        assert ending == "more"
        assert b"\r\n\r\n" not in wire


# ---- uploads


def test_an_upload_whose_answer_is_lost(server: S3Server) -> None:
    server.script(Rule(testing.ResetBefore(acted=True), method="PUT"))
    with pytest.raises(ConnectionError):
        fetch(server, "PUT", b"new")
    assert server.contents() == {"a": b"new"}
    assert fetch(server, "PUT", b"new", {"If-None-Match": "*"})[0] == 412


def test_an_upload_that_is_not_performed(server: S3Server) -> None:
    server.script(Rule(testing.ResetBefore()), Rule(testing.ResetInUpload(1000)), Rule(testing.internal_error()))
    for _ in range(2):
        with pytest.raises(ConnectionError):
            fetch(server, "PUT", b"x" * (16 << 20))
    assert fetch(server, "PUT", b"new")[0] == 500
    assert server.contents() == {"a": CONTENT}


def test_an_error_that_comes_although_it_was_done(server: S3Server) -> None:
    server.script(Rule(testing.internal_error(acted=True)))
    assert fetch(server, "PUT", b"new")[0] == 500
    assert server.contents() == {"a": b"new"}


def test_an_answer_before_the_upload_is_read(server: S3Server) -> None:
    server.script(Rule(testing.slow_down(early=True)))
    head = b"PUT /bucket/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    wire, ending = raw(server, head)
    assert (wire[:12], ending) == (b"HTTP/1.1 503", "closed")


def test_chunked_uploads_and_expect(server: S3Server) -> None:
    head = b"PUT /bucket/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    wire, _ = raw(server, head + b"3\r\nnew\r\n2;x=y\r\n--\r\n0\r\nX-Trailer: 1\r\n\r\n")
    assert wire.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert server.contents() == {"a": b"new--"}


def test_pipelined_and_split_requests(server: S3Server) -> None:
    one = b"HEAD /bucket/a HTTP/1.1\r\nHost: x\r\n\r\n"
    assert raw(server, one * 2 + ONCE)[0].count(b"HTTP/1.1 200 OK") == 3
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in one:
            sock.sendall(bytes([byte]))
        assert sock.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_nonsense_gets_400(server: S3Server) -> None:
    wire, ending = raw(server, b"nonsense\r\n\r\n")
    assert (wire[:12], ending) == (b"HTTP/1.1 400", "closed")


# ---- scripts and records


def _sighting(key: str = "k", attempt: int = 1, method: str = "GET") -> IncomingRequest:
    return IncomingRequest(1, ServerRequest(method, f"/bucket/{key}?list-type=2", ()), "bucket", key, attempt)


def test_a_rule_counts_what_matches() -> None:
    rule = Rule(Fault(), method="GET", prefix="a", query="list-type", skip=1, times=2)
    assert rule(_sighting("b")) is None
    assert rule(_sighting("a", method="PUT")) is None
    assert [rule(_sighting("a")) is not None for _ in range(5)] == [False, True, True, False, False]


def test_a_rule_counts_each_key() -> None:
    rule = Rule(Fault(), each_key=True)
    assert [rule(_sighting(key)) is not None for key in "aabb"] == [True, False, True, False]


def test_a_mix_is_the_same_in_any_order_and_keeps_its_shares() -> None:
    drawn = {key: mix(1, FLAKY)(_sighting(str(key))) for key in range(20_000)}
    again = mix(1, FLAKY)
    assert all(again(_sighting(str(key))) == drawn[key] for key in reversed(range(0, 20_000, 7)))
    for fault, probability in FLAKY.items():
        share = sum(found == fault for found in drawn.values()) / len(drawn)
        assert share == pytest.approx(probability, abs=0.006)
    assert any(mix(2, FLAKY)(_sighting(str(key))) != drawn[key] for key in range(100))


def test_a_mix_draws_again_for_each_attempt() -> None:
    script = mix(1, {Fault(): 0.5})
    assert len({script(_sighting(attempt=n)) for n in range(20)}) == 2
    with pytest.raises(ValueError, match="more than 1"):
        mix(1, {Fault(): 1.5})


def _every_second(sighting: IncomingRequest) -> Fault | None:
    return testing.slow_down() if sighting.n % 2 == 0 else None


def test_a_function_may_be_a_script(server: S3Server) -> None:
    server.script(_every_second)
    assert [fetch(server)[0] for _ in range(4)] == [200, 503, 200, 503]


def test_requests_are_recorded(server: S3Server) -> None:
    server.script(Rule(testing.slow_down(), method="PUT"))
    start = time.monotonic()
    fetch(server, "PUT", b"abc", {"X-Mine": "1"})
    fetch(server)
    put, get = server.requests()
    assert (put.n, put.method, put.target, put.key, put.fault, put.status) == (1, "PUT", PATH, "a", "Status", 503)
    assert (put.body_length, put.header("x-mine")) == (3, "1")
    assert put.body_sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (get.fault, get.status) == ("", 200)
    assert start <= put.time <= get.time <= time.monotonic()
    assert put.connection != get.connection
    assert server.requests(method="GET") == [get]


def test_connections_are_counted_and_dropped(server: S3Server) -> None:
    before, _ = server.connections()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for _ in range(3):
        connection.request("GET", PATH)
        connection.getresponse().read()
    assert server.connections()[0] == before + 1
    server.drop_connections()
    assert connection.sock is not None
    assert connection.sock.recv(1) == b""
    connection.close()


def _get_until_right(server: S3Server, keys: Iterator[str], wrong: list[str]) -> None:
    """A client as plain as can be: a connection a try, the length and the bytes checked."""
    for key in keys:
        for _ in range(30):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
            try:
                connection.request("GET", f"/bucket/{key}")
                answer = connection.getresponse()
                if answer.status == 200 and answer.read() == key.encode() * 100:
                    break
            except (OSError, http.client.HTTPException):
                continue
            finally:
                connection.close()
        else:
            wrong.append(key)


def test_every_object_comes_through_the_usual_mix(fault_server: S3Server) -> None:
    keys = [f"key{n}" for n in range(500)]
    fault_server.put_many({key: key.encode() * 100 for key in keys})
    fault_server.script(mix(11, FLAKY))
    wrong: list[str] = []
    threads = [threading.Thread(target=_get_until_right, args=(fault_server, iter(keys[n::4]), wrong))
               for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert {record.fault for record in fault_server.requests()} == {
        "", *(type(fault).__name__ for fault in FLAKY)}


@pytest.mark.parametrize("fault", [testing.ResetInBody(1000), testing.ResetBefore(), testing.ShortBody(1000)])
def test_faults_over_tls(tls_fault_server: S3Server, certificates: Certificates, fault: Fault) -> None:
    tls_fault_server.put("a", CONTENT)
    tls_fault_server.script(Rule(fault))

    def get() -> bytes:
        connection = http.client.HTTPSConnection("localhost", tls_fault_server.port, timeout=60,
                                                 context=certificates.client_context())
        try:
            connection.request("GET", PATH)
            return connection.getresponse().read()
        finally:
            connection.close()

    # Through ssl some versions of Python take a reset for an end of file.
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        get()
    assert get() == CONTENT
