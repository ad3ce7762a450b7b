"""Connections are opened no faster than they are needed, and to another address on request."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator
from typing import Any

import gevent
import gevent.lock
import pytest

import cloudfiles
from cloudfiles import CloudFiles
from cloudfiles.exceptions import ConnectionFailedError, DeadlineError, RequestTimeoutError
from cloudfiles.runtime.green import GreenCancelled, GreenRuntime
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.transport.client import Client
from cloudfiles.transport.connection import Connection
from cloudfiles.transport.connection_pool import MAX_HANDSHAKES, Pool
from cloudfiles.transport.request import Origin
from cloudfiles.types import Tls
from tests.core.scripted import (
    ORIGIN,
    FakeTime,
    ScriptedDialer,
    ScriptedStream,
    answer,
    idle_pool,
    scripted_client,
    unwatched,
)
from tests.servers.content_server import ContentServer

WORKERS = 300


class HeldDialer(ScriptedDialer):
    """Handshakes that end when the test says so.

    Attributes:
        under_way, most: handshakes now, and at most.
        error: raised by those that end from now on.
    """

    connect_timeout = 30.0

    def __init__(self) -> None:
        super().__init__()
        self._permits = gevent.lock.Semaphore(0)
        self.under_way = self.most = 0
        self.error: Exception | None = None

    def dial(self, origin: Origin, proxy: Any = None, most: float = math.inf, avoid: Any = None) -> Any:
        self.dialed += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            self._permits.acquire()
        finally:
            self.under_way -= 1
        if self.error is not None:
            raise self.error
        return ScriptedStream(answer())

    def finish(self, count: int) -> None:
        for _ in range(count):
            self._permits.release()
        settle()


def settle() -> None:
    """Let all greenlets go on as far as they can."""
    for _ in range(1000):
        gevent.sleep(0)


class Burst:
    """More workers than may open connections at once, each of which takes one connection.

    Attributes:
        taken: what they have got.
    """

    def __init__(self, runtime: GreenRuntime, workers: int) -> None:
        self.dialer = HeldDialer()
        self.time = FakeTime()
        client = Client(runtime, Tls(), 30.0, 30.0, clock=self.time.clock, descriptors=unwatched(10_000))
        client._dialer = self.dialer  # type: ignore[assignment]
        self.pool: Pool = idle_pool(client)
        self.taken: list[Connection] = []
        self.errors: list[Exception] = []
        self.workers = [self.start() for _ in range(workers)]
        settle()

    def start(self, deadline: float | None = None) -> Any:
        return gevent.spawn(self._work, deadline)

    def _work(self, deadline: float | None) -> None:
        try:
            self.taken.append(self.pool.take(deadline))
        except (ConnectionFailedError, RequestTimeoutError, DeadlineError) as error:
            self.errors.append(error)

    def give_back(self) -> Connection:
        connection = self.taken.pop(0)
        connection.reusable = True
        self.pool.give(connection, self.time.now)
        settle()
        return connection

    def later(self, seconds: float) -> None:
        """That much later, and long enough in real time for the waiting workers to look at the clock."""
        self.time.now += seconds
        gevent.sleep(0.7)

    def end(self) -> None:
        gevent.killall(self.workers, GreenCancelled)


@pytest.fixture
def runtime() -> Iterator[GreenRuntime]:
    runtime = GreenRuntime(gevent.get_hub())
    yield runtime
    runtime.close()


@pytest.fixture
def burst(runtime: GreenRuntime) -> Iterator[Burst]:
    burst = Burst(runtime, WORKERS)
    yield burst
    burst.end()


def test_handshakes_are_spread(burst: Burst) -> None:
    assert burst.dialer.under_way == MAX_HANDSHAKES
    burst.dialer.finish(10)
    assert (burst.dialer.under_way, len(burst.taken)) == (MAX_HANDSHAKES, 10)
    burst.dialer.finish(10_000)
    assert (len(burst.taken), burst.dialer.dialed, burst.dialer.most) == (WORKERS, WORKERS, MAX_HANDSHAKES)


def test_one_that_is_given_back_goes_to_the_first_who_waits(burst: Burst) -> None:
    burst.dialer.finish(1)
    given = burst.give_back()
    assert burst.taken == [given]
    assert burst.dialer.dialed == MAX_HANDSHAKES + 1  # no handshake for that


def test_few_connections_serve_many_workers(burst: Burst) -> None:
    """Those that have ended their work give back faster than handshakes end."""
    burst.dialer.finish(1)
    for _ in range(WORKERS - MAX_HANDSHAKES - 1):
        burst.give_back()
    assert burst.dialer.dialed == MAX_HANDSHAKES + 1
    assert not burst.pool._waiting


def test_later_waiters_queue_behind_earlier_ones(burst: Burst) -> None:
    burst.dialer.finish(1)
    late = burst.start()
    burst.give_back()
    settle()
    assert not late.ready()
    late.kill(GreenCancelled)


def test_failed_handshakes_make_room(burst: Burst) -> None:
    burst.dialer.error = ConnectionFailedError("refused")
    burst.dialer.finish(10_000)
    assert (len(burst.errors), burst.dialer.under_way) == (WORKERS, 0)


def test_cancelled_workers_leave_no_turn_taken(burst: Burst) -> None:
    gevent.killall(burst.workers, GreenCancelled)
    assert (burst.dialer.under_way, len(burst.pool._waiting), len(burst.pool._handshakes)) == (0, 0, 0)
    again = [burst.start() for _ in range(MAX_HANDSHAKES)]
    settle()
    assert burst.dialer.under_way == MAX_HANDSHAKES
    gevent.killall(again, GreenCancelled)


def test_a_cancelled_waiter_passes_on_what_it_was_given(burst: Burst) -> None:
    burst.dialer.finish(1)
    connection = burst.taken.pop()
    connection.reusable = True
    first, second = (burst.workers[number] for number in (MAX_HANDSHAKES + 1, MAX_HANDSHAKES + 2))
    first.kill(GreenCancelled, block=False)
    burst.pool.give(connection, burst.time.now)  # to the first, which is cancelled as soon as it runs
    settle()
    assert first.ready()
    assert second.ready()
    assert burst.taken == [connection]


def test_an_error_does_not_keep_a_connection_from_the_next(burst: Burst) -> None:
    burst.dialer.finish(1)
    connection = burst.taken.pop()
    connection.reusable = False
    burst.pool.give(connection, burst.time.now)
    settle()
    assert (burst.taken, burst.dialer.under_way) == ([], MAX_HANDSHAKES)


def test_waiting_ends_at_the_deadline(burst: Burst) -> None:
    late = burst.start(deadline=burst.time.now + 5.0)
    settle()
    burst.later(6.0)
    assert late.ready()
    assert [type(error) for error in burst.errors] == [DeadlineError]


def test_waiting_ends_if_no_handshake_ends(burst: Burst) -> None:
    burst.later(29.0)
    burst.dialer.finish(1)
    burst.later(29.0)  # less than the connect timeout since the last success
    assert burst.errors == []
    burst.later(1.0)
    assert {type(error) for error in burst.errors} == {RequestTimeoutError}
    assert len(burst.errors) == WORKERS - MAX_HANDSHAKES - 1


def test_a_connection_to_another_address_waits_for_nobody(burst: Burst) -> None:
    burst.dialer.finish(1)
    asked = gevent.spawn(burst.pool.fresh, avoid=burst.taken[0])
    settle()
    assert burst.dialer.under_way == MAX_HANDSHAKES + 1
    asked.kill(GreenCancelled)


def test_threads_take_turns() -> None:
    """More threads than turns, each of which opens, gives back and takes again; none is forgotten."""
    lock, under_way, most, dialed = threading.Lock(), 0, 0, 0

    class Dialer(ScriptedDialer):
        def dial(self, origin: Origin, proxy: Any = None, left: float = math.inf, avoid: Any = None) -> Any:
            nonlocal under_way, most, dialed
            with lock:
                dialed += 1
                under_way += 1
                most = max(most, under_way)
            threading.Event().wait(0.002)
            with lock:
                under_way -= 1
            return ScriptedStream()

    client = Client(ThreadRuntime(), Tls(), 30.0, 30.0, descriptors=unwatched(10_000))
    client._dialer = Dialer()  # type: ignore[assignment]
    pool, done = idle_pool(client), []

    def work() -> None:
        for _ in range(10):
            connection = pool.take()
            connection.reusable = True
            pool.give(connection, 0.0)
        done.append(1)

    threads = [threading.Thread(target=work) for _ in range(3 * MAX_HANDSHAKES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == len(threads)
    assert len(pool._idle) == dialed
    assert most <= MAX_HANDSHAKES + 10  # between two threads, one more may begin
    assert not pool._waiting


def test_the_address_of_a_connection_is_avoided() -> None:
    asked = []

    class Dialer(ScriptedDialer):
        def dial(self, origin: Origin, proxy: Any = None, most: float = math.inf, avoid: Any = None) -> Any:
            asked.append(avoid)
            return super().dial(origin, proxy)

    streams = ScriptedStream(), ScriptedStream()
    streams[0].peer = ("10.0.0.1", 80)
    client, _, _ = scripted_client()
    client._dialer = Dialer(*streams)  # type: ignore[assignment]
    pool = idle_pool(client, ORIGIN)
    connection = pool.fresh()
    assert connection.address == ("10.0.0.1", 80)
    pool.fresh(avoid=connection)
    assert asked == [None, ("10.0.0.1", 80)]


@pytest.mark.parametrize("has_others", [False, True])
def test_a_connection_beside_another_one(has_others: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle one to another address, or a new one; if there is no other address, any idle one."""
    monkeypatch.setattr(ScriptedDialer, "has_others", lambda *args: has_others)
    streams = [ScriptedStream() for _ in range(4)]
    for stream, last in zip(streams, (1, 2, 1, 1), strict=True):
        stream.peer = (f"10.0.0.{last}", 80)
    client, dialer, _ = scripted_client(*streams)
    pool = idle_pool(client)
    connections = [pool.fresh() for _ in range(3)]
    for connection in connections[1:]:
        connection.reusable = True
        pool.give(connection, 0.0)
    taken = [pool.take_other(connections[0]) for _ in range(2)]
    if has_others:
        assert (taken[0], dialer.dialed) == (connections[1], 4)
    else:
        assert (taken, dialer.dialed) == (connections[:0:-1], 3)


# ---- servers at several addresses of this machine, all of 127.0.0.0/8


@pytest.fixture
def servers() -> Iterator[tuple[int, list[str]]]:
    """Two, at 127.0.0.2 and 127.0.0.3: their port, and the address of each connection that they have accepted."""
    with ContentServer("127.0.0.2") as first, ContentServer("127.0.0.3", first.port) as second:
        second.accepted = first.accepted
        first.least = second.least = 12  # of 16 workers: on one core, few might do the work of all
        yield first.port, first.accepted


@pytest.mark.parametrize("green", [False, True])
def test_the_addresses_of_a_name_are_used_side_by_side(servers: tuple[int, list[str]], green: bool,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    port, accepted = servers
    for kind in GreenRuntime, ThreadRuntime:  # nobody listens at 127.0.0.4
        monkeypatch.setattr(kind, "resolve", lambda self, host, port: [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", (f"127.0.0.{last}", port)) for last in (4, 2, 3)])
    store = CloudFiles(f"http://host{green:d}.test:{port}/", green=green, num_threads=16)
    keys = [str(number) for number in range(500)]
    assert store.get(keys, return_dict=True) == dict.fromkeys(keys, b"content")
    counts = [accepted.count(f"127.0.0.{last}") for last in (2, 3)]
    assert sum(counts) <= 16
    assert min(counts) >= 3
    cloudfiles.reset_connection_pools()


def test_a_connection_whose_check_is_interrupted_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> bool:
        raise KeyboardInterrupt

    stream = ScriptedStream(answer())
    pool = idle_pool(scripted_client(stream)[0])
    connection = pool.take()
    connection.reusable = True
    pool.give(connection, 0.0)
    monkeypatch.setattr(stream, "is_stale", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.take()
    assert stream.closed
    assert not pool.idle_count()
