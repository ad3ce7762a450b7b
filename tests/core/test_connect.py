"""Connecting to the first address that accepts, and which address comes first."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import gevent
import gevent.select
import gevent.socket
import pytest

from cloudfiles.runtime import connect as connecting
from cloudfiles.runtime.cancellation import Cancellation, Cancelled
from cloudfiles.runtime.connect import AddressInfo
from cloudfiles.runtime.contract import Runtime
from cloudfiles.runtime.green import GreenCancelled, GreenRuntime
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.transport.host_addresses import ANSWER_SECONDS, AVOID_SECONDS, HostAddresses
from tests.core.scripted import FakeRuntime, FakeTime


@pytest.fixture(params=["green", "threads"])
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    if request.param == "threads":
        yield ThreadRuntime()
    else:
        runtime = GreenRuntime(gevent.get_hub())
        yield runtime
        runtime.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Accepts on 127.0.0.2."""
    with socket.create_server(("127.0.0.2", 0)) as sock:
        yield sock


@pytest.fixture
def silent(listener: socket.socket) -> Iterator[None]:
    """127.0.0.3, at the same port, never answers: its queue is full."""
    port = listener.getsockname()[1]
    with socket.socket() as sock:
        sock.bind(("127.0.0.3", port))
        sock.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.3", port))
            fillers.append(filler)
        yield
        for filler in fillers:
            filler.close()


def info(host: str, port: int, family: int = socket.AF_INET) -> AddressInfo:
    return family, socket.SOCK_STREAM, 0, "", (host, port)


def test_a_refusing_address_is_passed_over_at_once(runtime: Runtime, listener: socket.socket) -> None:
    port, failed = listener.getsockname()[1], []
    sock, address = runtime.connect([info("127.0.0.4", port), info("127.0.0.2", port)], 30.0, failed.append)
    assert (address, failed) == (info("127.0.0.2", port), [info("127.0.0.4", port)])
    assert sock.getpeername() == ("127.0.0.2", port)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.gettimeout() == 30.0
    sock.close()


@pytest.mark.usefixtures("silent")
def test_one_that_does_not_answer_is_not_waited_for(runtime: Runtime, listener: socket.socket) -> None:
    port, failed = listener.getsockname()[1], []
    sock, address = runtime.connect([info("127.0.0.3", port), info("127.0.0.2", port)], 30.0, failed.append)
    assert (address, failed) == (info("127.0.0.2", port), [info("127.0.0.3", port)])
    sock.close()


@pytest.mark.usefixtures("silent")
def test_if_none_answers_it_times_out(runtime: Runtime, listener: socket.socket) -> None:
    failed: list[AddressInfo] = []
    silent = info("127.0.0.3", listener.getsockname()[1])
    with pytest.raises(TimeoutError):
        runtime.connect([silent], 0.01, failed.append)
    assert failed == [silent]


def test_the_last_refusal_is_raised(runtime: Runtime, listener: socket.socket) -> None:
    with pytest.raises(ConnectionRefusedError):
        runtime.connect([info(f"127.0.0.{last}", listener.getsockname()[1]) for last in (4, 5)], 30.0, lambda _: None)


@pytest.mark.usefixtures("silent")
def test_a_cancelled_attempt_leaves_no_descriptor(runtime: Runtime, listener: socket.socket,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    sockets: list[Any] = []
    begin = connecting._Attempts.begin

    def noted(self: Any, address: AddressInfo, new_socket: Any, now: float) -> bool:
        began = begin(self, address, new_socket, now)
        sockets.extend(self.begun)
        return began

    monkeypatch.setattr(connecting._Attempts, "begin", noted)
    silent = [info("127.0.0.3", listener.getsockname()[1])]
    if runtime.name == "green":
        worker = gevent.spawn(runtime.connect, silent, 30.0, lambda _: None)
        gevent.sleep(0)
        worker.kill(GreenCancelled)
        assert isinstance(worker.value, GreenCancelled)
    else:
        work = Cancellation()
        work.cancel()
        with work.current(), pytest.raises(Cancelled):
            runtime.connect(silent, 30.0, lambda _: None)
    assert [sock.fileno() for sock in sockets] == [-1]


def test_missing_descriptors_are_no_fault_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*args: Any) -> Any:
        raise OSError(errno.EMFILE, "too many open files")

    failed: list[AddressInfo] = []
    with pytest.raises(OSError, match="too many"):
        connecting.connect_first([info("127.0.0.2", 1)], 1.0, failed.append, exhausted, lambda sockets, _: sockets)
    assert failed == []


# ---- the addresses of a host


class Resolving(FakeRuntime):
    """Answers with what `answers` contains now: addresses, or an error."""

    def __init__(self, time: FakeTime) -> None:
        super().__init__(time)
        self.answer: list[AddressInfo] | OSError = [info(f"10.0.0.{last}", 80) for last in range(4)]
        self.asked = 0

    def resolve(self, host: str, port: int) -> list[AddressInfo]:
        self.asked += 1
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


class Host:
    """A host of scripted addresses.

    Attributes:
        streams: stand for open connections.
    """

    def __init__(self) -> None:
        self.time = FakeTime()
        self.runtime = Resolving(self.time)
        self.addresses = HostAddresses("host.test", 80, self.runtime, self.time.clock.monotonic)
        self.streams: list[Any] = []

    def order(self, avoid: Any = None) -> list[str]:
        return [address.where[0] for address in self.addresses.candidates(avoid)]

    def connect(self) -> str:
        first = self.addresses.candidates()[0]
        self.streams.append(lambda: None)
        self.addresses.connected(first.info, self.streams[-1])
        return str(first.where[0])


def test_connections_are_spread_evenly() -> None:
    host = Host()
    went = [host.connect() for _ in range(40)]
    assert {address: went.count(address) for address in went} == {f"10.0.0.{last}": 10 for last in range(4)}


def test_what_is_closed_does_not_count() -> None:
    host = Host()
    for _ in range(8):
        host.connect()
    del host.streams[2]  # to the third address
    assert host.connect() == "10.0.0.2"


def test_those_that_are_being_opened_count() -> None:
    host = Host()
    host.addresses.candidates()[0].dialing += 1
    assert host.order()[0] == "10.0.0.1"


def test_another_address_than_a_given_one() -> None:
    host = Host()
    for avoided in range(4):
        assert host.order(avoid=(f"10.0.0.{avoided}", 80))[-1] == f"10.0.0.{avoided}"
    host.runtime.answer = [info("10.0.0.9", 80)]
    host.time.now += ANSWER_SECONDS
    assert host.order(avoid=("10.0.0.9", 80)) == ["10.0.0.9"]


def test_the_other_family_is_used_if_the_preferred_one_fails() -> None:
    host = Host()
    host.runtime.answer = [info("::6", 80, socket.AF_INET6), info("10.0.0.4", 80), info("::7", 80, socket.AF_INET6)]
    assert [host.connect() for _ in range(4)] == ["::6", "::7", "::6", "::7"]
    for where in ("::6", 80), ("::7", 80):
        host.addresses.failed(where)
    assert host.connect() == "10.0.0.4"


def test_a_failed_address_is_left_for_a_while_and_then_tried_by_one_connection() -> None:
    host = Host()
    host.order()
    host.addresses.failed(("10.0.0.0", 80))
    assert "10.0.0.0" not in [host.connect() for _ in range(30)]
    host.time.now += AVOID_SECONDS
    assert [host.order()[0] for _ in range(2)] == ["10.0.0.0", "10.0.0.1"]  # the first has not succeeded yet
    host.time.now += AVOID_SECONDS
    assert [host.connect() for _ in range(5)] == ["10.0.0.0"] * 5  # it has, and has fewer connections than the others


def test_if_all_have_failed_all_are_tried() -> None:
    host = Host()
    for last in range(4):
        host.order()
        host.addresses.failed((f"10.0.0.{last}", 80))
    assert len(host.order()) == 4


def test_answers_are_renewed() -> None:
    host = Host()
    host.order()
    host.runtime.answer = [info("10.0.0.9", 80)]
    host.time.now += ANSWER_SECONDS / 2
    assert (host.order()[0], host.runtime.asked) == ("10.0.0.0", 1)
    host.time.now += ANSWER_SECONDS / 2
    assert (host.order(), host.runtime.asked) == (["10.0.0.9"], 2)


def test_an_old_answer_is_better_than_none() -> None:
    host = Host()
    host.order()
    host.time.now += ANSWER_SECONDS
    host.runtime.answer = socket.gaierror(socket.EAI_AGAIN, "try again")
    assert len(host.order()) == 4


def test_without_any_answer_the_resolver_is_asked_each_time() -> None:
    host = Host()
    host.runtime.answer = socket.gaierror(socket.EAI_AGAIN, "try again")
    for asked in 1, 2, 3:
        with pytest.raises(socket.gaierror):
            host.order()
        assert host.runtime.asked == asked


def test_once_all_have_failed_the_resolver_is_asked_again() -> None:
    host = Host()
    host.runtime.answer = [info("10.0.0.1", 80)]
    host.order()
    host.addresses.failed(("10.0.0.1", 80))
    host.order()
    assert host.runtime.asked == 2


@pytest.mark.parametrize("outcome", ["answer", "error"])
def test_workers_that_begin_together_share_one_answer(outcome: str) -> None:
    answering = gevent.event.Event()
    asked = []

    class Slow(GreenRuntime):
        def resolve(self, host: str, port: int) -> list[AddressInfo]:
            asked.append(host)
            answering.wait()
            if outcome == "error":
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            return [info("10.0.0.1", port)]

    runtime = Slow(gevent.get_hub())
    addresses = HostAddresses("host.test", 80, runtime, FakeTime().clock.monotonic)

    def candidates() -> str:
        try:
            return str(addresses.candidates()[0].where[0])
        except socket.gaierror as error:
            return str(error.strerror)

    workers = [gevent.spawn(candidates) for _ in range(20)]
    gevent.sleep(0)
    answering.set()
    gevent.joinall(workers, timeout=30)
    assert {worker.value for worker in workers} == {"10.0.0.1" if outcome == "answer" else "no such name"}
    assert len(asked) == 1
    runtime.close()
