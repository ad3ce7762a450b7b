"""Idle connections: one budget for the process, closed after a time, given up where descriptors run out."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from cloudfiles.compression import compress
from cloudfiles.exceptions import ConnectionFailedError
from cloudfiles.runtime.descriptors import (
    IDLE_SECONDS,
    SPARE_CONNECTIONS,
    SPARE_IDLE_SECONDS,
    DescriptorBudget,
    connection_budget,
    descriptor_limit,
    is_descriptor_shortage,
    with_descriptor,
)
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.testing import S3Server, Status, internal_error
from cloudfiles.transport.client import Client, limiter_of
from cloudfiles.transport.dial import Dialer
from cloudfiles.transport.request import Origin, Request, Response
from cloudfiles.types import Tls
from tests.core.programs import run_program
from tests.core.scripted import FakeTime, ScriptedStream, answer, idle_pool, scripted_client, unwatched
from tests.internals import Replace

ORIGINS = [Origin("http", f"host{number}.test", 80) for number in range(40)]


@pytest.fixture(autouse=True)
def _unknown_servers(internals: Replace) -> None:
    internals(limiters={})


def one_get(client: Client, origin: Origin) -> None:
    client.send(Request(origin, "GET", "/"))


def streams(count: int) -> list[ScriptedStream]:
    return [ScriptedStream(answer(), answer()) for _ in range(count)]


def test_the_budget_is_half_of_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    for soft, budget in ((1024, 512), (20, 10), (1 << 16, 1024), (resource.RLIM_INFINITY, 1024)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert connection_budget() == budget
    monkeypatch.undo()
    assert descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_oldest_idle_ones_of_all_origins_are_closed_beyond_the_budget() -> None:
    dialed = streams(13)
    descriptors = unwatched(budget=10)
    client, _, time = scripted_client(*dialed, descriptors=descriptors)
    for origin in ORIGINS[:10]:
        one_get(client, origin)
        time.now += 1
    one_get(client, ORIGINS[0])  # used last, so the second is now the oldest
    assert not any(stream.closed for stream in dialed)
    one_get(client, ORIGINS[10])
    assert [stream.closed for stream in dialed[:11]] == [False, True] + [False] * 9
    for origin in ORIGINS[11:13]:
        one_get(client, origin)
    assert [stream.closed for stream in dialed] == [False] + [True] * 3 + [False] * 9


def test_clients_of_other_timeouts_share_the_budget() -> None:
    time, descriptors = FakeTime(), unwatched(budget=2)
    dialed = streams(4)
    clients = [scripted_client(stream, time=time, descriptors=descriptors)[0] for stream in dialed]
    for client in clients:
        one_get(client, ORIGINS[0])
        time.now += 1
    assert [stream.closed for stream in dialed] == [True, True, False, False]


def test_what_is_in_use_is_never_closed() -> None:
    first, second = ScriptedStream(answer()), ScriptedStream(answer())
    client, _, _ = scripted_client(first, second, descriptors=unwatched(budget=1))
    pool = idle_pool(client)
    held = pool.take()
    one_get(client, pool.origin)
    assert held is not None
    assert not first.closed


def test_idle_ones_are_closed_after_a_minute() -> None:
    dialed = streams(2)
    descriptors = unwatched()
    client, _, time = scripted_client(*dialed, descriptors=descriptors)
    one_get(client, ORIGINS[0])
    time.now += IDLE_SECONDS / 2
    one_get(client, ORIGINS[1])
    time.now += IDLE_SECONDS / 2 - 1
    descriptors.close_expired()
    assert [stream.closed for stream in dialed] == [False, False]
    time.now += 2
    descriptors.close_expired()
    assert [stream.closed for stream in dialed] == [True, False]


def test_those_that_a_wide_batch_has_left_are_closed_sooner() -> None:
    dialed = streams(50)
    descriptors = unwatched(budget=100)
    client, _, time = scripted_client(*dialed, descriptors=descriptors)
    pool = idle_pool(client, ORIGINS[0])
    connections = [pool.take() for _ in dialed]
    for connection in connections:
        connection.reusable = True
        pool.give(connection, time.now)
    time.now += SPARE_IDLE_SECONDS - 1
    used = [pool.take() for _ in range(30)]  # a batch that needs fewer
    for connection in used:
        pool.give(connection, time.now)
    descriptors.close_expired()
    assert pool.idle_count() == 50
    time.now += 1
    descriptors.close_expired()
    assert pool.idle_count() == 30  # the ones that were used
    time.now += SPARE_IDLE_SECONDS
    descriptors.close_expired()
    assert pool.idle_count() == SPARE_CONNECTIONS
    assert sum(stream.closed for stream in dialed) == 30


def test_those_beyond_the_budget_are_closed_after_a_batch() -> None:
    dialed = streams(5)
    descriptors = unwatched(budget=2)
    client, _, time = scripted_client(*dialed, descriptors=descriptors)
    pool = idle_pool(client, ORIGINS[0])
    connections = [pool.take() for _ in dialed]
    for connection in connections[1:]:
        connection.reusable = True
        pool.give(connection, time.now)
    assert pool.idle_count() == 4
    descriptors.close_excess()
    assert [stream.closed for stream in dialed] == [False, True, True, True, False]
    connections[1:4] = []
    descriptors.close_excess()
    assert pool.idle_count() == 1


def test_a_thread_closes_them_and_ends_with_the_last() -> None:
    descriptors = DescriptorBudget()
    stream = ScriptedStream(answer())
    client, _, time = scripted_client(stream, descriptors=descriptors)
    before = threading.enumerate()
    other = threading.Thread(target=one_get, args=(client, ORIGINS[0]))  # a program of more than one thread
    other.start()
    other.join()
    (watcher,) = (thread for thread in threading.enumerate() if thread not in before)
    assert descriptors.watched
    time.now += IDLE_SECONDS + 1
    descriptors.wake_watcher()
    watcher.join(10)
    assert not watcher.is_alive()
    assert stream.closed
    assert not descriptors.watched


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_idle_ones_give_way_where_descriptors_run_out(number: int) -> None:
    refused = ConnectionFailedError("no connection")
    refused.nothing_sent = True
    refused.__cause__ = OSError(number, os.strerror(number))
    dialed = streams(3)
    client, _, time = scripted_client(dialed[0], dialed[1], refused, dialed[2], descriptors=unwatched())
    one_get(client, ORIGINS[0])
    time.now += 1
    one_get(client, ORIGINS[1])
    one_get(client, ORIGINS[2])
    assert [stream.closed for stream in dialed] == [True, False, False]
    assert time.slept == []  # at once


def test_without_idle_ones_it_is_a_fault_like_any_other() -> None:
    refused = ConnectionFailedError("no connection")
    refused.nothing_sent = True
    refused.__cause__ = OSError(errno.EMFILE, "")
    client, dialer, time = scripted_client(refused, *streams(1))
    one_get(client, ORIGINS[0])
    assert dialer.dialed == 2
    assert len(time.slept) == 1


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM])
def test_it_is_no_failure_of_the_server(number: int) -> None:
    """However long it lasts, the store is not taken for down, for which all requests would wait."""

    class Full(ThreadRuntime):
        def resolve(self, host: str, port: int) -> Any:
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

        def connect(self, addresses: Any, timeout: float, failed: Any) -> Any:
            raise OSError(number, os.strerror(number))

    client, _, _ = scripted_client()
    client._dialer = Dialer(Full(), Tls(), 1.0, 1.0)
    with pytest.raises(ConnectionFailedError) as caught:
        client.send(Request(ORIGINS[0], "GET", "/key"))
    assert len(caught.value.attempts) > 10
    limiter = limiter_of(ORIGINS[0])
    assert not limiter.is_watching
    assert not limiter.is_down


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_response_that_no_module_can_be_imported_for(idempotent: bool) -> None:
    class Unlucky(Request):
        def accept(self, response: Response) -> Any:
            outcomes.append(response.status)
            if len(outcomes) < 3:
                raise OSError(errno.EMFILE, "ElementTree.py")
            return super().accept(response)

    outcomes: list[int] = []
    client, _, time = scripted_client(ScriptedStream(answer(), answer(), answer()))
    request = Unlucky(ORIGINS[0], "PATCH", "/", idempotent=idempotent)
    if idempotent:
        assert client.send(request).status == 200
        assert (len(outcomes), len(time.slept)) == (3, 2)
    else:
        with pytest.raises(ConnectionFailedError, match="out of file descriptors"):
            client.send(request)
        assert len(outcomes) == 1
    assert not limiter_of(ORIGINS[0]).is_watching


def test_other_errors_close_nothing() -> None:
    descriptors = unwatched()
    client, _, _ = scripted_client(*streams(1), descriptors=descriptors)
    one_get(client, ORIGINS[0])

    def fail() -> None:
        raise OSError(errno.EIO, "")

    with pytest.raises(OSError):
        with_descriptor(fail, descriptors=descriptors)
    assert not is_descriptor_shortage(ValueError())
    assert idle_pool(client, ORIGINS[0]).oldest() is not None


def test_after_a_fork_nothing_is_counted_or_watched() -> None:
    descriptors = unwatched()
    client, _, _ = scripted_client(*streams(1), descriptors=descriptors)
    one_get(client, ORIGINS[0])
    descriptors.forget()
    assert descriptors.connections(ORIGINS[0]) == []
    assert not descriptors.watched
    assert descriptors.free() == 0


def test_pools_of_all_runtimes_are_emptied() -> None:
    """Connections are closed in the thread of their runtime, and counted wherever they are."""
    assert run_program("""
        from cloudfiles.runtime.descriptors import DescriptorBudget
        from cloudfiles.runtime.hub_engine import engine
        import threading
        closed = []
        class Connection:
            def close(self): closed.append(threading.current_thread().name)
        class Pool:
            def __init__(self): self.runtime, self.idle = engine().runtime, [Connection() for _ in range(3)]
            def oldest(self): return float(len(self.idle)) if self.idle else None
            def take_oldest(self): return self.idle.pop() if self.idle else None
        descriptors, pool = DescriptorBudget(), Pool()
        descriptors.add_pool(pool)
        for connection in pool.idle: descriptors.add(connection, "origin")
        print(descriptors.free(), closed)
    """, "-W", "error") == "1 ['cloudfiles-engine']"


# ---- whole programs, whose descriptors are few

FEW = """
import os, resource, threading, sys
from cloudfiles import CloudFiles
from cloudfiles.runtime.green import GreenRuntime
from cloudfiles.runtime.threads import ThreadRuntime
def to_the_server(resolve):  # whatever the name of the store is
    return lambda self, host, port: resolve(self, "127.0.0.1", port)
for kind in GreenRuntime, ThreadRuntime:
    kind.resolve = to_the_server(kind.resolve)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
def open_sockets():
    links = []
    for name in os.listdir("/proc/self/fd"):
        try: links.append(os.readlink("/proc/self/fd/" + name))
        except OSError: pass
    return sum(link.startswith("socket:") for link in links)
def store(number, green, **options):
    return CloudFiles("s3://http://host%d.test:PORT/bucket/" % number, secrets=SECRETS,
                      green=green, **options)
keys = [str(i) for i in range(20)]
wanted = {key: b"content" for key in keys}
"""


@pytest.fixture
def few(fault_server: S3Server) -> str:
    fault_server.put_many({str(i): b"content" for i in range(20)})
    return FEW.replace("PORT", str(fault_server.port)).replace("SECRETS", repr(fault_server.secrets))


def program(few: str, source: str) -> str:
    lines = source.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    return run_program(few + "\n".join(line[margin:] for line in lines) + "\n", "-X", "dev")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors as Linux tells them")
class TestFew:
    @pytest.mark.parametrize("how", ["True", "False"])
    def test_many_origins_and_timeouts(self, few: str, how: str) -> None:
        """Twenty connections to each of thirty stores: ten times as many as there are descriptors."""
        assert program(few, f"""
            from cloudfiles.transport.attempts import Attempts
            failures, failed = [], Attempts.failed
            Attempts.failed = lambda self, error, *args: (failures.append(error), failed(self, error, *args))
            for number in range(30):
                cf = store(number, {how}, read_timeout=60 + number % 3)
                assert cf.get(keys, return_dict=True) == wanted
            assert open_sockets() <= 32 + 20, open_sockets()
            print(failures)
        """) == "[]"

    @pytest.mark.parametrize("how", ["True", "False"])
    @pytest.mark.parametrize("other", ["True", "False"])
    def test_descriptors_that_the_program_holds(self, few: str, how: str, other: str) -> None:
        """With the program's own files there are none left but those of idle connections, of either runtime."""
        assert program(few, f"""
            assert store(0, {other}).get(keys, return_dict=True) == wanted
            assert store(1, {how}).get(keys[:1], return_dict=True) == {{"0": b"content"}}
            held = []
            try:
                while True: held.append(os.dup(0))
            except OSError:
                pass
            assert store(2, {how}).get("1") == b"content"
            assert store(3, {how}).get(keys[:2], return_dict=True) == {{"0": b"content", "1": b"content"}}
            print(len(held) > 5)
        """) == "True"

    @pytest.mark.parametrize("how", ["True", "False"])
    def test_a_batch_that_takes_longer_than_those_before(self, few: str, how: str) -> None:
        """Only such a batch needs the modules that adapt its number of workers."""
        assert program(few, f"""
            assert store(0, {how}).get(keys[:1], return_dict=True) == {{"0": b"content"}}
            for name in list(sys.modules):  # the first batch may have taken long, too
                if name.startswith("cloudfiles.transport.") and name.rpartition(".")[2] in (
                        "baseline", "controller", "interval", "ramp", "steady_width"):
                    del sys.modules[name]
            held = []
            try:
                while True: held.append(os.dup(0))
            except OSError:
                pass
            print(store(1, {how}).get(keys, return_dict=True) == wanted)
        """) == "True"

    @pytest.mark.parametrize("how", ["True", "False"])
    def test_modules_that_are_imported_when_they_are_needed(self, few: str, how: str, fault_server: S3Server) -> None:
        """Each call needs modules that no other one has needed before."""
        content = {encoding: compress(b"content", encoding) for encoding in ("gzip", "br", "zstd", "bz2", "xz")}
        for encoding, body in content.items():
            fault_server.put(f"encoded/{encoding}", body, headers={"Content-Encoding": encoding})
        fault_server.put("json", b"[1]")
        date = ("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        fault_server.fail(Status(503, date), key="1", method="GET", times=1)
        fault_server.fail(internal_error(), key="2", method="GET", times=1)
        assert program(few, f"""
            cf, held = store(0, {how}), []
            def exhausted(call, *args, **options):
                while held: os.close(held.pop())
                assert cf.get(keys[5:], return_dict=True).keys() == set(keys[5:])  # connections that are idle then
                try:
                    while True: held.append(os.dup(0))
                except OSError:
                    return call(*args, **options)
            assert not {{"isal", "email.utils", "orjson"}} & sys.modules.keys()
            assert exhausted(cf.put, "new", b"content") == 1
            assert exhausted(cf.get, "1") == b"content"
            for encoding in "gzip", "br", "zstd", "bz2", "xz":
                assert exhausted(cf.get, "encoded/" + encoding) == b"content"
            assert exhausted(cf.get_json, "json") == [1]
            assert exhausted(cf.get, ["2", "3"], return_dict=True) == {{"2": b"content", "3": b"content"}}
            assert len(exhausted(lambda: list(cf.list("encoded/")))) == 5
            print("email.utils" in sys.modules)
        """) == "True"
        assert [request.status for key in "12" for request in fault_server.requests("GET", key)] == [503, 200, 500, 200]

    @pytest.mark.parametrize("how", ["True", "False"])
    def test_more_workers_than_descriptors(self, few: str, how: str) -> None:
        """They use all descriptors that there are. Once they are done, the program has half of them again."""
        assert program(few, f"""
            import logging
            logging.getLogger("cloudfiles").setLevel(logging.ERROR)  # of waits of many seconds on a busy machine
            cf = store(0, {how}, num_threads=100)
            assert cf.get(keys * 15, return_dict=True) == wanted
            assert open_sockets() <= 32 + 3, open_sockets()  # of the hub
            assert sum(len(list(cf.stream(iter(keys)))) for _ in range(15)) == 300
            print(open_sockets() <= 32 + 3)
        """) == "True"

    def test_files(self, few: str, tmp_path: Path) -> None:
        assert program(few, f"""
            local = CloudFiles("file://{tmp_path}/x")
            local.put("a", b"1")
            assert store(0, True).get(keys, return_dict=True) == wanted
            def exhaust():
                try:
                    while True: held.append(os.dup(0))
                except OSError:
                    pass
            held = []
            exhaust(); assert local.get("a") == b"1"
            exhaust(); local.put("b", b"2")
            exhaust(); assert list(local.list()) == ["a", "b"]
            print("done")
        """) == "done"

    def test_no_engine_can_be_started(self, few: str) -> None:
        """libev would try forever."""
        assert program(few, """
            from cloudfiles.exceptions import FileSystemError
            cf, held = store(0, True), []
            try:
                while True: held.append(os.dup(0))
            except OSError:
                pass
            try:
                cf.get(keys)
            except FileSystemError as error:
                print(error.errno)
        """) == str(errno.EMFILE)


def test_threads_close_where_they_are() -> None:
    done: list[Any] = []
    assert ThreadRuntime().post(done.append, 1)
    assert done == [1]
