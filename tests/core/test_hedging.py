"""Hedged requests: reads that stall are sent again on another connection, and nothing but time changes."""

from __future__ import annotations

import copy
import errno
import gc
import pickle
import socket
import threading
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cloudfiles import CloudFile, CloudFiles, reset_connection_pools
from cloudfiles.aio import AsyncCloudFiles
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.monitoring import IOEnum, TransmissionMonitor
from cloudfiles.runtime.descriptors import process_descriptors
from cloudfiles.testing import Rule, S3Server, ShortBody, Stall, Status
from cloudfiles.transport import throughput
from cloudfiles.transport.body_memory import process_body_memory
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.connection_pool import Pool
from cloudfiles.transport.hedging import Answer, HedgeWonError, HedgingPolicy, Straggler
from cloudfiles.transport.request import Origin, Request
from cloudfiles.transport.traffic import Traffic
from tests.core.scripted import ORIGIN, answer
from tests.core.stalling_server import (
    RIGHT,
    WAIT,
    Server,
    Step,
    after_second,
    cut,
    hold,
    policy_for,
    reset,
    send,
    sent_once,
    then,
    waits_of,
)
from tests.servers.http_proxy import HttpProxy
from tests.servers.leaks import no_leaks

# ---- which requests


def known(seconds: float = 0.02, count: int = 200, requests: int = 1000, at: float = 1000.0) -> Traffic:
    traffic = Traffic()
    for _ in range(count):
        traffic.first_byte.add("GET", 0, seconds, at)
    traffic.begun = requests
    return traffic


@pytest.mark.parametrize(("usual", "delay"), [(0.001, 0.5), (0.02, 0.5), (0.3, 1.2), (0.8, 2.0), (2.0, 4.0)])
def test_the_delay_follows_what_is_usual(usual: float, delay: float) -> None:
    found = HedgingPolicy(known(usual)).delay("GET", 0, 1000.0)
    assert found == pytest.approx(delay, rel=0.2)


def test_no_delay_before_enough_samples_of_this_operation_and_size() -> None:
    traffic = known(count=99)
    policy = HedgingPolicy(traffic)
    assert policy.delay("GET", 0, 1000.0) is None
    traffic.first_byte.add("GET", 0, 0.02, 1000.0)
    assert policy.delay("GET", 0, 1000.0) is not None
    assert policy.delay("GET", 0, 1300.0) is None  # they are too old
    assert policy.delay("HEAD", 0, 1000.0) is None
    assert policy.delay("GET", 1, 1000.0) is None


def test_at_most_two_percent_more_requests() -> None:
    traffic = known(requests=0)
    policy = HedgingPolicy(traffic)
    policy.waiting = 1
    for _ in range(20_000):
        traffic.begun += 1
        policy.take(0.5, 1000.0)
        assert policy.hedged <= 0.02 * traffic.begun
    assert policy.hedged >= 0.019 * 20_000


def test_what_is_saved_up_is_limited() -> None:
    policy = HedgingPolicy(known(requests=1_000_000))
    policy.waiting = 1
    assert sum(policy.take(0.5, 1000.0) for _ in range(1000)) == 100


def test_no_second_requests_while_all_are_slow() -> None:
    """A server that stands still for a while needs no more requests."""
    policy = HedgingPolicy(known(at=1000.0))
    policy.waiting = 30
    assert not policy.take(2.0, 1005.0)  # nothing was answered in these two seconds
    assert policy.take(2.0, 1001.0)
    policy.waiting = 1
    assert policy.take(2.0, 1005.0)


def test_a_refused_second_request_uses_up_the_budget() -> None:
    policy = HedgingPolicy(known())
    policy.waiting = 1
    assert policy.take(0.5, 1000.0)
    policy.refused()
    assert not policy.take(0.5, 1000.0)


# ---- who wins


class Interruptible:
    """As much of a connection as a straggler needs."""

    def __init__(self) -> None:
        self.is_closed = self.is_interrupted = False

    def close(self) -> None:
        self.is_closed = True

    def interrupt(self) -> None:
        self.is_interrupted = True


def straggler() -> tuple[Straggler, Interruptible, Answer]:
    first, second = Interruptible(), Interruptible()
    policy = HedgingPolicy(known())
    late = Straggler(cast(Connection, first), Request(ORIGIN, "GET", "/"), cast(Any, None), policy, lambda: 0.0)
    return late, first, Answer(cast(Connection, second), cast(Any, None), b"", None)


def test_the_second_answer_interrupts_the_wait_and_wins() -> None:
    late, first, second = straggler()
    assert late._offer(second, second.connection)
    assert first.is_interrupted
    with pytest.raises(HedgeWonError) as won:
        late.first_answered()
    assert won.value.answer is second
    late.end()
    assert not cast(Any, second.connection).is_closed


def test_the_first_byte_wins_over_a_later_answer() -> None:
    late, first, second = straggler()
    late.first_answered()
    assert not late._offer(second, second.connection)
    assert not first.is_interrupted
    late.end()


def test_an_answer_that_nobody_wants_any_more_is_closed() -> None:
    late, _, second = straggler()
    assert late._offer(second, second.connection)
    late.end()  # the batch was cancelled
    assert cast(Any, second.connection).is_closed


def test_both_at_once_from_two_threads() -> None:
    for _ in range(200):
        late, first, second = straggler()
        start = threading.Barrier(2)
        offered: list[bool] = []

        def offer(late: Straggler = late, second: Answer = second, start: threading.Barrier = start,
                  offered: list[bool] = offered) -> None:
            start.wait()
            offered.append(late._offer(second, second.connection))

        thread = threading.Thread(target=offer)
        thread.start()
        start.wait()
        try:
            late.first_answered()
            won = False
        except HedgeWonError:
            won = True
        late.end()
        thread.join()
        assert offered == [won]
        assert first.is_interrupted == won


# ---- the very client, against servers


OTHER = answer(body=b"other content", etag='"2"')


def test_a_get_that_stalls_is_sent_again(server: Server, green: bool, impatient: None) -> None:
    policy = policy_for(server.url)
    server.script("/a", hold, send(RIGHT))
    found, recording = CloudFiles(server.url, green=green).get(["a"], return_recording=True)
    assert found[0]["content"] == b"right"
    assert server.asked == ["GET /a", "GET /a"]
    assert server.left.wait(WAIT)  # the connection of the first one was closed
    assert (policy.hedged, policy.waiting) == (1, 0)
    assert recording.num_hedged() == 1


@pytest.mark.parametrize("verb", ["exists", "size"])
def test_a_head_that_stalls_is_sent_again(server: Server, green: bool, impatient: None, verb: str) -> None:
    policy_for(server.url)
    server.script("/a", hold, send(answer(accept_ranges="bytes")))
    assert getattr(CloudFiles(server.url, green=green), verb)(["a"]) == {"a": True if verb == "exists" else 0}
    assert server.asked == ["HEAD /a", "HEAD /a"]


PARTS = {"a byte": RIGHT[:1], "half": RIGHT[:20], "all but a byte": RIGHT[:RIGHT.index(b"\r\n\r\n") + 3],
         "interim": b"HTTP/1.1 103 Early Hints\r\n\r\n", "half after interim": b"HTTP/1.1 100 \r\n\r\n" + RIGHT[:20]}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_get_whose_head_stalls_is_sent_again(server: Server, green: bool, impatient: None, part: bytes) -> None:
    policy = policy_for(server.url)
    server.script("/a", then(part, hold), send(RIGHT))
    found, recording = CloudFiles(server.url, green=green).get(["a"], return_recording=True)
    assert found[0]["content"] == b"right"
    assert server.asked == ["GET /a", "GET /a"]
    assert server.left.wait(WAIT)
    assert (policy.hedged, policy.waiting) == (1, 0)
    assert recording.num_hedged() == 1


@pytest.mark.parametrize("second", [send(answer(503)), reset], ids=["503", "reset"])
def test_a_head_in_two_parts_is_used_if_the_second_request_fails(server: Server, green: bool, impatient: None,
                                                                 second: Step) -> None:
    policy = policy_for(server.url)
    server.script("/a", then(RIGHT[:20], after_second(RIGHT[20:])), second)
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"right"
    assert server.asked == ["GET /a", "GET /a"]
    assert policy.waiting == 0


@pytest.mark.parametrize("others", [(hold,), (hold, hold), (send(answer(500)), reset), (then(RIGHT[:20], hold),)],
                         ids=["a stall", "two stalls", "errors", "a stall in the head"])
def test_a_second_request_that_fails_or_stalls_is_followed_by_another(server: Server, green: bool, impatient: None,
                                                                      others: tuple[Step, ...]) -> None:
    policy = policy_for(server.url)
    server.max_seconds = len(others) + 1
    server.script("/a", hold, *others, send(RIGHT))
    with no_leaks(allow=("thread", "socket:", "anon_inode")):
        found, recording = CloudFiles(server.url, green=green).get(["a"], return_recording=True)
    assert found[0]["content"] == b"right"
    assert server.asked == ["GET /a"] * (len(others) + 2)
    assert recording.num_hedged() == policy.hedged == len(others) + 1
    assert policy.waiting == 0


def test_each_further_request_takes_twice_as_long_a_wait() -> None:
    late, _, _ = straggler()
    waits: list[float] = []
    late._pool = cast(Any, SimpleNamespace(limiter=SimpleNamespace(rate=None), runtime=SimpleNamespace(
        worker_group=lambda: SimpleNamespace(start=lambda *_: waits.append(waited), kill=lambda: None))))
    for tenth in range(5, 70):
        waited = tenth / 10
        late.hedge(waited, 1000.0)
    assert waits == [0.5, 1.0, 2.0, 4.0]
    late.end()


def test_the_first_answer_wins_if_it_comes_first(server: Server, green: bool, impatient: None) -> None:
    policy = policy_for(server.url)
    asked_twice = threading.Event()

    def held(sock: socket.socket, server: Server) -> None:
        asked_twice.set()
        hold(sock, server)

    def late(sock: socket.socket, server: Server) -> None:
        assert asked_twice.wait(WAIT)
        sock.sendall(RIGHT)

    server.script("/a", late, held)
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"right"
    assert server.asked == ["GET /a", "GET /a"]
    assert server.left.wait(WAIT)  # the second connection was closed
    assert server.second_ended.wait(WAIT)
    assert policy.waiting == 0


REDIRECT = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
BAD_SECONDS: dict[str, Step] = {
    "503": send(answer(503)), "500": send(answer(500, b"x" * 100)), "429": send(answer(429)), "403": send(answer(403)),
    "401": send(answer(401)), "400": send(answer(400)), "redirect": send(REDIRECT), "reset": reset, "closed": cut(b""),
    "half a head": cut(RIGHT[:20]), "no HTTP": send(b"SSH-2.0-OpenSSH\r\n\r\n"), "bad length": send(
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), "1xx without end": send(b"HTTP/1.1 101 Switch\r\n\r\n"),
}


@pytest.mark.parametrize("second", list(BAD_SECONDS))
def test_a_failure_of_the_second_request_is_none_of_the_first(server: Server, green: bool, impatient: None,
                                                              second: str) -> None:
    policy = policy_for(server.url)
    server.script("/a", after_second(RIGHT), BAD_SECONDS[second])
    found, recording = CloudFiles(server.url, green=green).get(["a"], return_recording=True)
    assert found[0]["content"] == b"right"
    assert server.asked == ["GET /a", "GET /a"]
    assert recording.num_errors() == 0
    assert policy.waiting == 0


def test_two_contents_are_not_mixed(server: Server, green: bool, impatient: None) -> None:
    """The second response has another content: the object was replaced, or the servers differ."""
    policy_for(server.url)
    server.script("/a", hold, send(OTHER))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"other content"


@pytest.mark.parametrize("order", ["404 first", "200 first"])
def test_a_404_and_a_200(server: Server, green: bool, impatient: None, order: str) -> None:
    """The first of two whole answers counts, as if the request had been sent then."""
    policy_for(server.url)
    server.script("/a", hold, send(answer(404) if order == "404 first" else RIGHT))
    found = CloudFiles(server.url, green=green).get(["a"])[0]["content"]
    assert found == (None if order == "404 first" else b"right")


def test_a_second_response_that_is_truncated_is_resumed(server: Server, green: bool, impatient: None) -> None:
    policy_for(server.url)
    whole = answer(body=b"0123456789", etag='"1"', accept_ranges="bytes")
    rest = answer(206, b"56789", etag='"1"', content_range="bytes 5-9/10")
    server.script("/a", hold, cut(whole[:-5]), send(rest))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"0123456789"
    assert b'if-match: "1"' in server.heads[2]
    assert b"range: bytes=5-" in server.heads[2]


def test_a_resumed_body_is_requested_twice_with_the_same_condition(server: Server, green: bool,
                                                                   impatient: None) -> None:
    policy_for(server.url)
    whole = answer(body=b"0123456789", etag='"1"', accept_ranges="bytes")
    rest = answer(206, b"56789", etag='"1"', content_range="bytes 5-9/10")
    server.script("/a", cut(whole[:-5]), hold, send(rest))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"0123456789"
    assert server.heads[1] == server.heads[2]


def test_a_resumed_body_of_another_version_is_read_again(server: Server, green: bool, impatient: None) -> None:
    policy_for(server.url)
    whole = answer(body=b"0123456789", etag='"1"', accept_ranges="bytes")
    lie = answer(206, b"fghij", etag='"2"', content_range="bytes 5-9/10")  # it ignores If-Match
    new = answer(body=b"abcdefghij", etag='"2"', accept_ranges="bytes")
    server.script("/a", cut(whole[:-5]), hold, send(lie), send(new))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"abcdefghij"


def test_the_second_request_answers_if_the_first_one_breaks(server: Server, green: bool, impatient: None) -> None:
    """The first connection is reset while the second request is in progress."""
    policy_for(server.url)
    asked_twice, broken = threading.Event(), threading.Event()

    def breaks(sock: socket.socket, server: Server) -> None:
        assert asked_twice.wait(WAIT)
        broken.set()
        reset(sock, server)

    def slow(sock: socket.socket, server: Server) -> None:
        asked_twice.set()
        assert broken.wait(WAIT)
        sock.sendall(RIGHT)

    server.script("/a", breaks, slow, send(RIGHT))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"right"


def test_an_interrupted_body_without_a_length_is_not_taken_for_a_whole_one(
        server: Server, green: bool, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "CRAWL_SECONDS", 0.05)
    monkeypatch.setattr(throughput.Watch, "_is_to_blame", lambda *_: True)

    def part(sock: socket.socket, server: Server) -> None:
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n01234")
        hold(sock, server)

    server.script("/a", part, cut(b"HTTP/1.0 200 OK\r\n\r\n0123456789"))
    cf = CloudFiles(server.url, green=green, read_timeout=32)
    assert cf.get(["a"])[0]["content"] == b"0123456789"
    assert server.left.wait(WAIT)


@pytest.mark.parametrize("verb", ["put", "delete"])
def test_a_write_is_never_sent_twice(server: Server, green: bool, impatient: None, verb: str,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    policy_for(server.url)
    cf = CloudFiles(server.url, green=green)
    writes = {"put": lambda: cf.puts([("a", b"x")]), "delete": lambda: cf.delete(["a"])}
    sent_once(server, waits_of(monkeypatch, 10), writes[verb])


def test_nothing_is_sent_twice_while_the_server_says_slow_down(server: Server, green: bool, impatient: None,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    policy_for(server.url)
    cf = CloudFiles(server.url, green=green)
    from cloudfiles.transport.client import limiter_of

    enough = waits_of(monkeypatch, 10)
    limiter = limiter_of(Origin.of(server.url))
    limiter.rate, limiter._until = 1000.0, float("inf")
    sent_once(server, enough, lambda: cf.get(["a"]))


def test_nothing_is_sent_twice_without_samples(server: Server, green: bool, impatient: None,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    sent_once(server, waits_of(monkeypatch, 10), lambda: CloudFiles(server.url, green=green).get(["a"]))


def test_it_can_be_turned_off(server: Server, green: bool, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    policy_for(server.url)
    enough = threading.Event()
    timer = threading.Timer(0.2, enough.set)  # nothing tells when there is nothing to come
    timer.start()
    sent_once(server, enough, lambda: CloudFiles(server.url, green=green, hedge=False).get(["a"]))


def test_both_requests_fail(server: Server, green: bool, impatient: None) -> None:
    """That counts as one failure, and is retried."""
    policy_for(server.url)
    ended = threading.Event()

    def first(sock: socket.socket, server: Server) -> None:
        assert ended.wait(WAIT)
        sock.sendall(answer(503))

    def second(sock: socket.socket, server: Server) -> None:
        ended.set()
        reset(sock, server)

    server.script("/a", first, second, send(RIGHT))
    found, recording = CloudFiles(server.url, green=green).get(["a"], return_recording=True)
    assert found[0]["content"] == b"right"
    assert recording.num_errors() == 0


def test_no_connection_for_the_second_request(server: Server, green: bool, impatient: None,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    policy_for(server.url)

    def fails(*_: Any) -> Any:
        raise OSError(errno.EMFILE, "no descriptors")

    monkeypatch.setattr(Pool, "take_other", fails)
    server.script("/a", after_second(RIGHT))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"right"


def test_many_stragglers_leave_no_connections_behind(server: Server, green: bool, impatient: None) -> None:
    policy = policy_for(server.url)
    for number in range(20):
        server.script(f"/{number}", hold, send(RIGHT))
    paths = [str(number) for number in range(20)]
    cf = CloudFiles(server.url, green=green, num_threads=2)
    with no_leaks(allow=("cloudfiles-", "anon_inode", "pipe:", "Thread-", "thread cloudfiles")):
        found = cf.get(paths)
        reset_connection_pools()
    assert all(each["content"] == b"right" for each in found)
    assert (policy.hedged, policy.waiting) == (20, 0)


@pytest.mark.parametrize("winner", ["first", "second"])
def test_an_abandoned_connection_is_freed_at_once(server: Server, green: bool, impatient: None, winner: str) -> None:
    """Each has a buffer of 64 KiB, so that it must not wait for a garbage collection."""
    policy_for(server.url)
    asked_twice = threading.Event()

    def late(sock: socket.socket, server: Server) -> None:
        assert asked_twice.wait(WAIT)
        sock.sendall(RIGHT)

    def held(sock: socket.socket, server: Server) -> None:
        asked_twice.set()
        hold(sock, server)

    gc.collect()
    gc.disable()
    try:
        server.script("/a", *([hold, send(RIGHT)] if winner == "second" else [late, held]))
        assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"right"
        assert server.second_ended.wait(WAIT)
        deadline = monotonic() + WAIT / 4
        while len(process_descriptors.connections(Origin.of(server.url))) > 1:  # the other one is idle
            assert monotonic() < deadline
            sleep(0.005)
    finally:
        gc.enable()


# ---- the option


def test_the_option_is_kept_everywhere() -> None:
    cf = CloudFiles("https://server.test/", hedge=False)
    for each in (cf, pickle.loads(pickle.dumps(cf)), copy.copy(cf)):
        assert each._store.options.hedge is False
    assert cf._store.at("https://other.test/").options.hedge is False
    assert CloudFile("https://server.test/a", hedge=False).cf._store.options.hedge is False
    assert AsyncCloudFiles("https://server.test/", hedge=False).sync._store.options.hedge is False
    assert CloudFiles("https://server.test/")._store.options.hedge is True
    with pytest.raises(InvalidInputError, match="hedge: expected True, False or None"):
        CloudFiles("https://server.test/", hedge="never")  # type: ignore[arg-type]


def test_recordings_of_processes_are_added_up() -> None:
    one, two = TransmissionMonitor(IOEnum.RX), TransmissionMonitor(IOEnum.RX)
    one.record_hedged()
    two.record_hedged()
    two.record_hedged()
    assert TransmissionMonitor.merge([one, pickle.loads(pickle.dumps(two))]).num_hedged() == 3


# ---- S3: signatures, TLS, listings


@pytest.fixture
def hedged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the server takes for the second request, there is no third."""
    hedge = Straggler.hedge

    def once(self: Straggler, waited: float, now: float) -> None:
        if not self._times_sent:
            hedge(self, waited, now)

    monkeypatch.setattr(Straggler, "hedge", once)


def s3(server: S3Server, green: bool, **options: Any) -> CloudFiles:
    return CloudFiles(f"s3://{server.url}/bucket/", secrets=server.secrets, green=green, **options)


@pytest.mark.parametrize("verb", ["get", "range", "list", "exists"])
def test_signed_requests_are_sent_again(fault_server: S3Server, green: bool, impatient: None, hedged_once: None,
                                        verb: str) -> None:
    policy = policy_for(fault_server.url)
    fault_server.put("a", b"0123456789")
    fault_server.script(Rule(Stall(), times=1))
    cf = s3(fault_server, green)
    found = {"get": lambda: cf.get(["a"])[0]["content"], "list": lambda: list(cf.list()),
             "range": lambda: cf.get([{"path": "a", "start": 2, "end": 5}])[0]["content"],
             "exists": lambda: cf.exists(["a"])}[verb]()
    assert found == {"get": b"0123456789", "range": b"234", "list": ["a"], "exists": {"a": True}}[verb]
    assert policy.hedged == 1


def test_over_tls(tls_fault_server: S3Server, green: bool, impatient: None, certificates: Any) -> None:
    policy_for(tls_fault_server.url)
    tls_fault_server.put("a", b"0123456789")
    tls_fault_server.put("b", b"b")
    cf = s3(tls_fault_server, green, ca_bundle=str(certificates.authority))
    assert cf.get(["b"])[0]["content"] == b"b"
    tls_fault_server.script(Rule(Stall(), key="a", times=1))
    assert cf.get(["a", "b"])[0]["content"] == b"0123456789"
    tls_fault_server.script(Rule(Stall(), key="a", times=1), Rule(Status(503), key="a", times=1))
    assert [each["content"] for each in cf.get(["b", "b"])] == [b"b", b"b"]


def test_a_short_body_of_the_second_response(fault_server: S3Server, green: bool, impatient: None) -> None:
    policy_for(fault_server.url)
    fault_server.put("a", bytes(100_000))
    fault_server.script(Rule(Stall(), key="a", times=1), Rule(ShortBody(50_000), key="a", skip=1, times=1))
    assert s3(fault_server, green).get(["a"])[0]["content"] == bytes(100_000)


# ---- proxies, cancellation, memory


def test_through_a_forward_proxy(server: Server, green: bool, impatient: None, http_proxy: HttpProxy,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy sends each request on a connection of its own."""
    monkeypatch.setenv("http_proxy", http_proxy.url)
    monkeypatch.setenv("no_proxy", "")
    policy = policy_for(server.url)
    server.script("/a", hold, send(RIGHT))
    assert CloudFiles(server.url, green=green).get(["a"])[0]["content"] == b"right"
    assert server.asked == ["GET /a", "GET /a"]
    assert [seen.target for seen in http_proxy.seen()] == [f"{server.url}/a"] * 2
    assert (policy.hedged, policy.waiting) == (1, 0)


def test_through_a_tunnel(tls_fault_server: S3Server, green: bool, impatient: None, hedged_once: None,
                          certificates: Any, http_proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", http_proxy.url)
    monkeypatch.setenv("no_proxy", "")
    policy = policy_for(tls_fault_server.url)
    tls_fault_server.put("a", b"0123456789")
    tls_fault_server.script(Rule(Stall(), key="a", times=1))
    # With a timeout of its own: the connections of other tests do without the proxy.
    cf = s3(tls_fault_server, green, ca_bundle=str(certificates.authority), read_timeout=17.0)
    assert cf.get(["a"])[0]["content"] == b"0123456789"
    assert [seen.method for seen in http_proxy.seen()] == ["CONNECT", "CONNECT"]
    assert (policy.hedged, policy.waiting) == (1, 0)


@pytest.mark.parametrize("late", ["nothing", "truncated"])
def test_the_memory_of_a_large_body_is_given_back(server: Server, green: bool, impatient: None, late: str) -> None:
    """The body of the second response is larger than what is received without a reservation, and may break off."""
    policy_for(server.url)
    content = bytes(range(256)) * 1024
    whole = answer(body=content, etag='"1"', accept_ranges="bytes")
    rest = answer(206, body=content[len(content) - 100:], etag='"1"',
                  content_range=f"bytes {len(content) - 100}-{len(content) - 1}/{len(content)}")
    server.script("/a", hold, *([send(whole)] if late == "nothing" else [cut(whole[:-100]), send(rest)]))
    before = process_body_memory()._reserved
    found = CloudFiles(server.url, green=green).get(["a"])
    assert found[0]["content"] == content
    assert process_body_memory()._reserved == before
    if late == "truncated":
        assert f"range: bytes={len(content) - 100}-".encode() in server.heads[-1].lower()
        assert b'if-match: "1"' in server.heads[-1].lower()
