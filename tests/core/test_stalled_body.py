"""Bodies that stall: the rest is read on another connection, and versions are never mixed."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloudfiles import CloudFiles
from cloudfiles.interfaces.gs.objects import GsRead
from cloudfiles.interfaces.object_read import ObjectRead
from cloudfiles.interfaces.part_read import PartRead
from cloudfiles.runtime.contract import Stream
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.testing import Rule, S3Server, Stall
from cloudfiles.testing.s3_objects import make_object
from cloudfiles.transport import throughput
from cloudfiles.transport.body_memory import process_body_memory
from cloudfiles.transport.client import client_for, hedging_policy_of, limiter_of
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.hedger import Hedger
from cloudfiles.transport.hedging import LONE_DELAY, MIN_BODY_DELAY, Answer, HedgeWonError, HedgingPolicy
from cloudfiles.transport.request import PLAIN, Origin, Request
from cloudfiles.transport.stalled_body import StalledBody
from cloudfiles.transport.traffic import Traffic
from cloudfiles.transport.wire import Head
from cloudfiles.types import StoredObject, StoreOptions, WriteOptions
from tests.core.scripted import ORIGIN, ScriptedStream, answer
from tests.core.stalling_server import (
    WAIT,
    Server,
    Step,
    after_second,
    hold,
    policy_for,
    reset,
    send,
    sent_once,
    then,
    waits_of,
)
from tests.interfaces.azure_setup import open_azure
from tests.interfaces.gs_setup import open_gs
from tests.interfaces.s3_setup import close_opened
from tests.servers.leaks import no_leaks

# ---- when


HEAD = Head(200, {"etag": '"1"', "content-length": "100"}, True)


class Line:
    """A body that stalls after 50 of its 100 bytes, on one of several connections to a server.

    Attributes:
        asked: seconds after which the rest was requested.
    """

    def __init__(self, connections: int = 1, requests: int = 1, usual: float | None = None, others: int = 0) -> None:
        """usual: seconds to the first byte, as known from many samples. others: bodies that have stalled, too."""
        self.traffic = Traffic()
        self.traffic.begun = requests
        for _ in range(0 if usual is None else 200):
            self.traffic.first_byte.add("GET", 0, cast(float, usual), 1000.0)
        self.policy = HedgingPolicy(self.traffic)
        self.policy.waiting = others
        self.first = SimpleNamespace(received=150, is_busy=True, interrupt=lambda: None)
        self.peers = [self.first, *(SimpleNamespace(is_busy=True) for _ in range(connections - 1))]
        self.asked: list[float] = []
        self.waited = 0.0
        self.pool = SimpleNamespace(
            traffic=self.traffic, connections=lambda: self.peers, limiter=SimpleNamespace(rate=None),
            runtime=SimpleNamespace(worker_group=lambda: SimpleNamespace(start=self._start, kill=lambda: None)))
        self.body = self.stalled()

    def stalled(self) -> StalledBody:
        request = ObjectRead(ORIGIN, "/", {}, PLAIN, "key")
        return StalledBody(cast(Any, self.first), request, HEAD, 100, cast(Any, self.pool), self.policy, lambda: 0.0)

    def _start(self, function: Callable[[], None], count: int) -> None:
        self.asked.append(self.waited)

    def wait(self, until: float, rate: float = 0.0) -> list[float]:
        """Wait, while the other connections receive so many bytes a second together."""
        while self.waited < until:
            self.waited = round(self.waited + 0.1, 1)
            self.traffic.bytes += int(rate / 10)
            if self.waited >= MIN_BODY_DELAY:
                self.body.hedge(self.waited, 1000.0 + self.waited)
        return self.asked


def test_alone_twice_after_five_seconds() -> None:
    """With nothing to compare it with: one request, perhaps the only one of a program."""
    assert Line().wait(60.0) == [LONE_DELAY, 2 * LONE_DELAY]


@pytest.mark.parametrize(("usual", "delays"), [(0.02, [2.0, 4.0]), (0.8, [3.2, 6.4]), (2.0, [8.0, 16.0])])
def test_sooner_if_it_is_known_what_is_usual(usual: float, delays: list[float]) -> None:
    assert Line(connections=20, requests=1000, usual=usual).wait(60.0, rate=1e5) == pytest.approx(delays, rel=0.2)


def test_not_beyond_the_budget() -> None:
    assert Line(connections=20, requests=10, usual=0.02).wait(60.0, rate=1e5) == []


@pytest.mark.parametrize("connections", [2, 20])
def test_a_slow_line_that_others_use_is_no_stall(connections: int) -> None:
    """1 Mbit/s: others move, and this one has bad luck for a while. Afterwards, it is alone."""
    line = Line(connections)
    assert line.wait(7.0, rate=125_000.0) == []
    del line.peers[1:]
    assert line.wait(19.0) == [10.0]  # three seconds later


def test_a_fast_line_that_others_use_is_no_reason() -> None:
    assert Line(connections=20).wait(9.0, rate=12e6) == [LONE_DELAY]


def test_a_server_that_pauses_as_a_whole_is_asked_now_and_then() -> None:
    """All bodies stall at the same time, and nothing is answered: one of them asks in five seconds."""
    line = Line(connections=20, requests=100_000, usual=0.02, others=19)
    assert line.wait(4.9) == []
    bodies = [line.stalled() for _ in range(20)]
    for tenth in range(20, 100):
        line.waited = tenth / 10
        for body in bodies:
            body.hedge(line.waited, 1000.0 + line.waited)
    assert line.asked == [LONE_DELAY]


def test_not_while_the_server_says_slow_down() -> None:
    line = Line(requests=1000, usual=0.02)
    line.pool.limiter.rate = 1000.0
    assert line.wait(60.0) == []


@pytest.mark.parametrize("headers", [{"content-length": "100"}, {"content-length": "100", "etag": 'W/"1"'}])
def test_not_if_it_had_to_start_over(headers: dict[str, str]) -> None:
    line = Line(requests=1000, usual=0.02)
    line.body._head = Head(200, headers, True)
    assert line.wait(60.0) == []


def test_not_if_the_response_is_not_one_to_this_request() -> None:
    line = Line(requests=1000, usual=0.02)
    line.body._head = Head(206, {"etag": '"1"'}, True)
    assert line.wait(60.0) == []


def test_a_body_that_goes_on_and_stalls_again_is_requested_from_there() -> None:
    line = Line(requests=1000, usual=0.02)
    line.wait(2.5)
    line.first.received += 10
    line.waited = 0.0
    line.wait(2.5)
    assert line.asked == [2.0, 2.0]
    request, begin = line.body._again
    assert (request.headers["range"], request.headers["if-match"], begin) == ("bytes=60-", '"1"', 160)


@pytest.mark.parametrize("request_", [Request(ORIGIN, "POST", "/"), Request(ORIGIN, "PUT", "/"),
                                      Request(ORIGIN, "GET", "/", idempotent=False)])
def test_not_if_it_changes_something(request_: Request) -> None:
    line = Line()
    hedger = Hedger(cast(Any, line.pool), line.policy, lambda: 0.0, lambda: 1000.0)
    first = cast(Any, line.first)
    assert hedger.look_at_body(first, request_, HEAD, 100, 60.0) is None
    assert hedger.look_at_body(first, Request(ORIGIN, "GET", "/"), HEAD, 100, MIN_BODY_DELAY) is not None
    assert hedger.look_at_body(first, Request(ORIGIN, "GET", "/"), HEAD, 100, MIN_BODY_DELAY - 0.1) is None


# ---- who wins


class Second:
    is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_what_arrives_meanwhile_ends_the_other_request() -> None:
    """The answer begins at a byte that the first connection has received since."""
    line, second = Line(), Second()
    late = Answer(cast(Connection, second), HEAD, memoryview(b""), None, begin=150)
    line.first.received = 151
    assert not line.body._offer(late, cast(Connection, second))


def test_what_arrives_after_the_answer_wins() -> None:
    """The first connection received more before it could be interrupted."""
    line, second = Line(), Second()
    found = Answer(cast(Connection, second), HEAD, memoryview(b""), None, begin=150)
    assert line.body._offer(found, cast(Connection, second))
    line.first.received = 151
    line.body.first_broke(HEAD, b"x" * 51)
    line.body.end()
    assert second.is_closed


@pytest.mark.parametrize("is_answered", [False, True])
def test_a_connection_that_was_interrupted_after_all_had_arrived_is_not_used_again(is_answered: bool) -> None:
    line, second = Line(), Second()
    line.first.reusable = True
    if is_answered:
        found = Answer(cast(Connection, second), HEAD, memoryview(b""), None, begin=150)
        assert line.body._offer(found, cast(Connection, second))
    line.first.received = 200
    line.body.end()
    assert line.first.reusable is not is_answered
    assert second.is_closed is is_answered


def test_the_rest_is_read_elsewhere() -> None:
    line, second = Line(), Second()
    found = Answer(cast(Connection, second), HEAD, memoryview(b""), None, begin=150)
    assert line.body._offer(found, cast(Connection, second))
    with pytest.raises(HedgeWonError) as won:
        line.body.first_broke(HEAD, b"x" * 50)
    line.body.end()
    assert won.value.answer is found
    assert won.value.broken == (HEAD, b"x" * 50)
    assert not second.is_closed


# ---- what is requested


def test_the_rest_of_a_generation() -> None:
    request = GsRead(ORIGIN, "/b/o/a?alt=media", {}, PLAIN, "a")
    rest = request.rest_after(Head(200, {"x-goog-generation": "7", "content-length": "9"}, True), 4)
    assert rest is not None
    assert "7" in rest.target
    assert rest.headers["range"] == "bytes=4-"
    assert (request.target, request.headers) == ("/b/o/a?alt=media", {})
    rest_headers = {"content-range": "bytes 4-8/9", "content-length": "5"}
    assert rest.is_rest(Head(206, {**rest_headers, "x-goog-generation": "7"}, True))
    assert not rest.is_rest(Head(206, {**rest_headers, "x-goog-generation": "8"}, True))


def test_other_requests_have_no_rest() -> None:
    assert Request(ORIGIN, "GET", "/").rest_after(HEAD, 5) is None
    assert ObjectRead(ORIGIN, "/", {}, PLAIN, "key").rest_after(HEAD, None) is None


# ---- the very client, against servers


CONTENT = b"0123456789"
WHOLE = answer(body=CONTENT, etag='"1"', accept_ranges="bytes")
HALF = WHOLE[:-5]
REST = answer(206, CONTENT[5:], etag='"1"', content_range="bytes 5-9/10")


@pytest.fixture(params=["known", "unknown"])
def usual(request: pytest.FixtureRequest, server: Server) -> None:
    """Whether it is known how long the server usually takes."""
    if request.param == "known":
        policy_for(server.url)


def test_a_body_that_stalls_is_read_elsewhere(server: Server, green: bool, impatient: None, usual: None) -> None:
    server.script("/a", then(HALF, hold), send(REST))
    found, recording = CloudFiles(server.url, green=green).get(["a"], return_recording=True)
    assert found[0]["content"] == CONTENT
    assert server.asked == ["GET /a", "GET /a"]
    assert b"range: bytes=5-" in server.heads[1]
    assert b'if-match: "1"' in server.heads[1]
    assert server.left.wait(WAIT)  # the connection of the first one was closed
    assert (recording.num_hedged(), recording.num_errors()) == (1, 0)
    assert policy_for(server.url).waiting == 0


def test_one_object(server: Server, green: bool, impatient: None) -> None:
    server.script("/a", then(HALF, hold), send(REST))
    assert CloudFiles(server.url, green=green).get("a") == CONTENT


def test_a_body_of_which_nothing_arrived(server: Server, green: bool, impatient: None, usual: None) -> None:
    """Then any version will do, and no validator is needed."""
    server.script("/a", then(answer(body=CONTENT)[:-10], hold), send(answer(body=b"abc")))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"abc"
    assert b"range" not in server.heads[1]


def test_a_range(server: Server, green: bool, impatient: None, usual: None) -> None:
    first = answer(206, CONTENT[2:8], etag='"1"', content_range="bytes 2-7/10")
    server.script("/a", then(first[:-4], hold), send(answer(206, CONTENT[4:8], etag='"1"',
                                                            content_range="bytes 4-7/10")))
    found = CloudFiles(server.url, green=green).get([{"path": "a", "start": 2, "end": 8}])
    assert found[0]["content"] == CONTENT[2:8]
    assert b"range: bytes=4-7" in server.heads[1]


def test_a_body_that_stalls_there_too(server: Server, green: bool, impatient: None) -> None:
    policy_for(server.url)
    server.script("/a", then(HALF, hold), then(REST[:-2], hold),
                  send(answer(206, CONTENT[8:], etag='"1"', content_range="bytes 8-9/10")))
    found, recording = CloudFiles(server.url, green=green).get(["a"], return_recording=True)
    assert found[0]["content"] == CONTENT
    assert b"range: bytes=8-" in server.heads[2]
    assert recording.num_hedged() == 2
    assert policy_for(server.url).waiting == 0


def test_a_body_that_breaks_off_there_is_resumed(server: Server, green: bool, impatient: None) -> None:
    policy_for(server.url)
    server.script("/a", then(HALF, hold), then(REST[:-2], reset),
                  send(answer(206, CONTENT[8:], etag='"1"', content_range="bytes 8-9/10")),
                  send(REST))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == CONTENT


def test_a_second_request_that_stalls_is_followed_by_another(server: Server, green: bool, impatient: None) -> None:
    policy_for(server.url)
    server.max_seconds = 2
    server.script("/a", then(HALF, hold), hold, send(REST))
    found, recording = CloudFiles(server.url, green=green).get(["a"], return_recording=True)
    assert found[0]["content"] == CONTENT
    assert recording.num_hedged() == 2


NO_REST: dict[str, Step] = {
    "whole": send(WHOLE), "404": send(answer(404)), "412": send(answer(412)), "416": send(answer(416)),
    "403": send(answer(403)), "503": send(answer(503)), "reset": reset,
    "other version": send(answer(206, b"fghij", etag='"2"', content_range="bytes 5-9/10")),
    "no version": send(answer(206, b"fghij", content_range="bytes 5-9/10")),
    "other range": send(answer(206, b"6789x", etag='"1"', content_range="bytes 6-9/10")),
    "no range": send(answer(206, b"56789", etag='"1"')),
    "another object": send(answer(body=b"other content", etag='"2"')),
}


@pytest.mark.parametrize("second", list(NO_REST))
def test_the_first_connection_goes_on_if_the_rest_is_not_to_be_had(server: Server, green: bool, impatient: None,
                                                                   second: str) -> None:
    """Such as when the object was replaced, the token has expired, or the server ignores Range or If-Match."""
    policy = policy_for(server.url)
    server.script("/a", then(HALF, after_second(WHOLE[-5:])), NO_REST[second])
    found, recording = CloudFiles(server.url, green=green).get(["a"], return_recording=True)
    assert found[0]["content"] == CONTENT
    assert server.asked == ["GET /a", "GET /a"]
    assert recording.num_errors() == 0
    assert policy.waiting == 0


def test_the_first_connection_goes_on_while_the_second_waits(server: Server, green: bool, impatient: None) -> None:
    policy = policy_for(server.url)
    asked_twice = threading.Event()

    def held(sock: socket.socket, server: Server) -> None:
        asked_twice.set()
        hold(sock, server)

    def late(sock: socket.socket, server: Server) -> None:
        assert asked_twice.wait(WAIT)
        sock.sendall(WHOLE[-5:])

    server.script("/a", then(HALF, late), held)
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == CONTENT
    assert server.left.wait(WAIT)  # the second connection was closed
    assert server.second_ended.wait(WAIT)
    assert policy.waiting == 0


def test_a_shorter_rest_of_another_version(server: Server, green: bool, impatient: None) -> None:
    """A server that gives each version the same ETag: the lengths do not add up, and all is read again."""
    policy_for(server.url)
    new = answer(body=b"abc", etag='"1"', accept_ranges="bytes")
    server.script("/a", then(HALF, hold), send(answer(206, b"abc", etag='"1"', content_range="bytes 5-7/8")), send(new))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"abc"


CHUNKED = b'HTTP/1.1 200 OK\r\netag: "1"\r\ntransfer-encoding: chunked\r\n\r\n5\r\n01234\r\n'


@pytest.mark.parametrize(("begin", "end"), [
    (answer(body=CONTENT)[:-5], CONTENT[5:]), (answer(body=CONTENT, etag='W/"1"')[:-5], CONTENT[5:]),
    (CHUNKED, b"5\r\n56789\r\n0\r\n\r\n")], ids=["no ETag", "weak ETag", "chunked"])
def test_what_cannot_be_resumed_is_waited_for(server: Server, green: bool, impatient: None, begin: bytes, end: bytes,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    policy_for(server.url)
    enough = waits_of(monkeypatch, 10)

    def late(sock: socket.socket, server: Server) -> None:
        sock.sendall(begin)
        assert enough.wait(WAIT)
        sock.sendall(end)

    server.script("/a", late)
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == CONTENT
    assert server.asked == ["GET /a"]


@pytest.mark.parametrize("receiver", [None, SimpleNamespace(accepts=lambda head, length: True, write=len)])
def test_the_body_before_is_forgotten(receiver: Any) -> None:
    """Else the rest of it would be requested when another one stalls that cannot be resumed."""
    connection = Connection(cast(Stream, ScriptedStream(HALF, WHOLE[-5:])))
    request = Reading(ORIGIN, "GET", "/")
    request.receiver = receiver
    connection.exchange(b"", request)
    assert connection._body is None


class Reading(Request):
    __slots__ = ("receiver",)


PAGE = b'<title>Index of /</title><pre><a href="../">../</a><a href="1">1</a><a href="2">2</a></pre>'


@pytest.mark.parametrize("begin", [
    answer(body=PAGE, content_type="text/html")[:-9],
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n5\r\n<a hr\r\n"],
    ids=["sized", "chunked"])
def test_a_page_of_a_listing_is_requested_again(server: Server, green: bool, impatient: None, usual: None,
                                                begin: bytes) -> None:
    server.script("/", then(begin, hold), send(answer(body=PAGE, content_type="text/html")))
    assert sorted(CloudFiles(server.url, green=green).list(flat=True)) == ["1", "2"]
    assert server.asked.count("GET /") == 2
    assert server.left.wait(WAIT)


def test_an_error_instead_of_a_page_is_ignored(server: Server, green: bool, impatient: None) -> None:
    policy_for(server.url)
    page = answer(body=PAGE, content_type="text/html")
    server.script("/", then(page[:-9], after_second(page[-9:])), send(answer(404)))
    assert sorted(CloudFiles(server.url, green=green).list(flat=True)) == ["1", "2"]


def test_a_page_of_s3(fault_server: S3Server, green: bool, impatient: None) -> None:
    fault_server.put_many({f"{number:03}": b"" for number in range(100)})
    fault_server.script(Rule(Stall(after=2000), query="list-type=2", method="GET", times=1))
    cf = CloudFiles(fault_server.cloudpath(), secrets=fault_server.secrets, green=green)
    before = hedging_policy_of(Origin.of(fault_server.url)).hedged
    assert len(list(cf.list())) == 100
    assert hedging_policy_of(Origin.of(fault_server.url)).hedged > before


def test_it_can_be_turned_off(server: Server, green: bool, impatient: None) -> None:
    policy_for(server.url)
    enough = threading.Event()
    threading.Timer(0.3, enough.set).start()  # nothing tells when there is nothing to come

    def late(sock: socket.socket, server: Server) -> None:
        sock.sendall(HALF)
        assert enough.wait(WAIT)
        sock.sendall(WHOLE[-5:])

    server.script("/a", late)
    assert CloudFiles(server.url, green=green, hedge=False).get(["a"])[0]["content"] == CONTENT
    assert server.asked == ["GET /a"]


def test_the_memory_of_a_large_body_is_given_back(server: Server, green: bool, impatient: None) -> None:
    policy_for(server.url)
    content, half = os.urandom(2 << 20), 1 << 20
    whole = answer(body=content, etag='"1"', accept_ranges="bytes")
    rest = answer(206, content[half:], etag='"1"', content_range=f"bytes {half}-{2 * half - 1}/{2 * half}")
    server.script("/a", then(whole[:-half], hold), send(rest))
    before = process_body_memory()._reserved
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == content
    assert process_body_memory()._reserved == before


def test_many_bodies_stall(server: Server, green: bool, impatient: None) -> None:
    policy = policy_for(server.url)
    server.max_seconds = 2
    keys = [f"{number:03}" for number in range(50)]
    for key in keys:
        server.script(f"/{key}", *([then(HALF, hold), send(REST)] if key.endswith("0") else [send(WHOLE)]))
    with no_leaks(allow=("thread", "socket:", "anon_inode")):
        found = CloudFiles(server.url, green=green).get(keys)
    assert [one["content"] for one in found] == [CONTENT] * 50
    assert policy.waiting == 0


# ---- everywhere


OBJECT = os.urandom(300_000)


def as_stream(cf: CloudFiles, tmp_path: Path) -> bytes:
    return next(iter(cf.stream(["a"])))["content"]


def as_file_object(cf: CloudFiles, tmp_path: Path) -> bytes:
    with cf.open("a") as file:
        return cast(bytes, file.read())


def as_local_file(cf: CloudFiles, tmp_path: Path) -> bytes:
    cf.transfer_to(f"file://{tmp_path}/", ["a"])
    return (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("read", [as_stream, as_file_object, as_local_file])
def test_however_it_is_read(fault_server: S3Server, green: bool, impatient: None, tmp_path: Path,
                            read: Callable[[CloudFiles, Path], bytes]) -> None:
    """Signed, as each request of S3."""
    fault_server.put("a", OBJECT)
    fault_server.script(Rule(Stall(after=200_000), key="a", method="GET", times=1))
    cf = CloudFiles(fault_server.cloudpath(), secrets=fault_server.secrets, green=green)
    assert read(cf, tmp_path) == OBJECT
    first, *others = (dict(request.headers) for request in fault_server.requests("GET", key="a"))
    assert others[0]["range"].startswith("bytes=200000-")
    assert all("if-match" in headers for headers in others)  # more than one on a busy machine
    assert "if-match" not in first or read is not as_stream


@pytest.fixture(params=["s3", "gs", "az"])
def stored(request: pytest.FixtureRequest, green: bool) -> Iterator[tuple[S3Server, Callable[[], bytes | None]]]:
    """A server of a protocol with the object `a`, and a function that reads it."""
    if request.param == "s3":
        server: Any = request.getfixturevalue("fault_server")
        server.put("place/a", OBJECT)
        cf = CloudFiles(server.cloudpath("bucket/place/"), secrets=server.secrets, green=green)
        yield server, lambda: cf.get(["a"])[0]["content"]
    elif request.param == "gs":
        server = request.getfixturevalue("gcs_server")
        gs = open_gs(server, green)
        gs.put("a", OBJECT, WriteOptions())
        yield server, lambda: gs.get("a").content
    else:
        server = request.getfixturevalue("azure_server")
        server.put_blob("place/a", OBJECT)
        az = open_azure(f"az://{server.container}/place/", green, endpoint=server.endpoint, no_sign_request=True)
        yield server, lambda: az.get("a").content
    close_opened()


def test_in_each_protocol(stored: tuple[S3Server, Callable[[], bytes]], impatient: None) -> None:
    server, read = stored
    server.script(Rule(Stall(after=200_000), method="GET", times=1))
    server.forget()
    assert read() == OBJECT
    statuses = [request.status for request in server.requests("GET")]
    assert (statuses[0], set(statuses[1:])) == (200, {206})


class ReplacedAndStalled(Stall):
    """The answer stops, and the object is another one afterwards."""

    def replacement(self) -> Any:
        return make_object(b"new" * 90_000)


@pytest.fixture
def soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "CRAWL_SECONDS", 0.3)
    monkeypatch.setattr(throughput.Watch, "_is_to_blame", lambda *_: True)


@pytest.mark.parametrize("stored", ["s3", "gs"], indirect=True)
def test_an_object_that_is_replaced_while_it_stalls(soon_given_up: None, impatient: None,
                                                    stored: tuple[S3Server, Callable[[], bytes]]) -> None:
    """The rest is refused, and the first connection kept, until it is given up as any transfer that is too slow."""
    server, read = stored
    server.script(Rule(ReplacedAndStalled(after=200_000), method="GET", times=1))
    server.forget()
    assert read() == b"new" * 90_000
    statuses = [request.status for request in server.requests("GET")]
    assert (statuses[0], set(statuses[1:-1]), statuses[-1]) == (200, {412}, 200)


def test_over_tls(tls_fault_server: S3Server, green: bool, impatient: None, certificates: Any) -> None:
    tls_fault_server.put("a", OBJECT)
    tls_fault_server.script(Rule(Stall(after=200_000), key="a", method="GET", times=1))
    cf = CloudFiles(tls_fault_server.cloudpath(), secrets=tls_fault_server.secrets, green=green,
                    ca_bundle=str(certificates.authority))
    found, recording = cf.get(["a"], return_recording=True)
    assert found[0]["content"] == OBJECT
    assert recording.num_hedged() >= 1  # more on a busy machine
    assert recording.num_errors() == 0


def test_a_part_that_is_passed_on(server: Server, impatient: None) -> None:
    """What was passed on is not passed on again."""
    policy_for(server.url)
    part = answer(206, CONTENT[2:8], etag='"1"', content_range="bytes 2-7/10")
    rest = answer(206, CONTENT[5:8], etag='"1"', content_range="bytes 5-7/10")
    server.script("/a", then(part[:-3], hold), send(rest))
    taken: list[tuple[int, bytes]] = []
    request = PartRead(Origin.of(server.url), "/a", {}, PLAIN, "a", 2, 8,
                       lambda at, piece: taken.append((at, bytes(piece))))
    request.require(StoredObject(None, etag='"1"'))
    client_for(blocking_runtime(), StoreOptions()).send(request)
    assert taken == [(2, CONTENT[2:5]), (5, CONTENT[5:8])]
    assert b"range: bytes=5-7" in server.heads[1]


def test_a_part_of_another_version_is_not_taken(server: Server, impatient: None) -> None:
    policy_for(server.url)
    part = answer(206, CONTENT[2:8], etag='"1"', content_range="bytes 2-7/10")
    lie = answer(206, b"abc", etag='"2"', content_range="bytes 5-7/10")
    server.script("/a", then(part[:-3], after_second(part[-3:])), send(lie))
    taken: list[tuple[int, bytes]] = []
    request = PartRead(Origin.of(server.url), "/a", {}, PLAIN, "a", 2, 8,
                       lambda at, piece: taken.append((at, bytes(piece))))
    request.require(StoredObject(None, etag='"1"'))
    client_for(blocking_runtime(), StoreOptions()).send(request)
    assert b"".join(piece for _, piece in taken) == CONTENT[2:8]


def test_nothing_is_requested_while_the_server_says_slow_down(server: Server, green: bool, impatient: None,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    enough = waits_of(monkeypatch, 10)
    cf = CloudFiles(server.url, green=green)
    limiter = limiter_of(Origin.of(server.url))
    limiter.rate, limiter._until = 1000.0, float("inf")
    sent_once(server, enough, lambda: cf.get(["a"]), WHOLE)
