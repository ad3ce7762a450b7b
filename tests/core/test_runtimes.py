"""Green and OS threads wherever a program may call: unpatched, patched, in threads, beside asyncio, after a fork."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudfiles.testing import Delay, Rule, S3Server, Stall
from tests.core.programs import run_program
from tests.selection import some
from tests.servers.tls import Certificates

GREENS = pytest.mark.parametrize("how", some(["True", "False", "None"], ["False", "None"]))  # None gives True here
GREEN_ABOVE_ALL = pytest.mark.parametrize("how", some(["True", "False", "None"], ["None"]))


@pytest.fixture
def server(fault_server: S3Server) -> Iterator[S3Server]:
    fault_server.put_many({str(i): b"content %d" % i for i in range(50)})
    return fault_server


def program(server: S3Server, source: str, how: str = "True", before: str = "",
            flags: tuple[str, ...] = ("-X", "dev")) -> str:
    """What `source` prints in a process of its own, where `batch()` gets fifty objects and checks them."""
    lines = source.strip("\n").splitlines()
    margin = len(lines[0]) - len(lines[0].lstrip())
    body = "\n".join(line[margin:] for line in lines)
    return run_program(f"""{before}
import os, sys, threading
from cloudfiles import CloudFiles
cf = CloudFiles("s3://{server.url}/bucket/", secrets={server.secrets!r}, green={how})
keys = [str(i) for i in range(50)]
wanted = {{k: b"content " + k.encode() for k in keys}}
def batch(cf=cf):
    assert cf.get(keys, return_dict=True) == wanted
    assert {{r["path"]: r["content"] for r in cf.stream(iter(keys))}} == wanted
    assert cf.get("3") == wanted["3"]
def count_fds():
    return len(os.listdir("/proc/self/fd"))
{body}
""", *flags, "-W", "error")


@GREENS
def test_in_an_unpatched_process(server: S3Server, how: str) -> None:
    assert program(server, """
        batch(); batch()
        import gevent.monkey
        from gevent._hub_local import get_hub_if_exists
        print(get_hub_if_exists() is None, threading.active_count())
    """, how).startswith("True")


@GREENS
def test_short_lived_threads_leave_nothing(server: S3Server, how: str, full: bool) -> None:
    assert program(server, f"""
        narrow = CloudFiles(cf.cloudpath, secrets={server.secrets!r}, green=cf.green, num_threads=5)
        def one():
            thread = threading.Thread(target=batch, args=[narrow]); thread.start(); thread.join()
        def count_threads():  # a worker wakes the caller of its batch just before it ends
            while any(thread.name == "cloudfiles-worker" for thread in threading.enumerate()): pass
            return threading.active_count()
        for _ in range(3): one()
        fds, threads = count_fds(), count_threads()
        for _ in range({30 if full else 15}): one()
        # of five connections, the first threads have used one at least
        print(count_fds() - fds < 5, count_threads() - threads)
    """, how) == "True 0"


@GREEN_ABOVE_ALL
def test_beside_asyncio(server: S3Server, how: str) -> None:
    assert program(server, """
        import asyncio
        async def main():
            batch()
            ticks = 0
            async def tick():
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.001); ticks += 1
            ticking = asyncio.create_task(tick())
            await asyncio.gather(*(asyncio.to_thread(batch) for _ in range(4)))
            ticking.cancel()
            return ticks > 0
        print(asyncio.run(main()))
    """, how, flags=()) == "True"  # asyncio's own debugging would complain that a plain call blocks its loop


@GREENS
@pytest.mark.parametrize("fork", some(["os.fork", "multiprocessing"], ["os.fork"]))
def test_after_fork(server: S3Server, how: str, fork: str) -> None:
    """The child works, on connections of its own; the parent does not notice."""
    source = """
        batch()
        def child():
            for _ in range(5): batch()
        if {os_fork}:
            pids = []
            for _ in range(3):
                pid = os.fork()
                if pid == 0:
                    code = 1
                    try:
                        child(); code = 0
                    finally:
                        os._exit(code)
                pids.append(pid)
            for _ in range(5): batch()
            print([os.waitpid(pid, 0)[1] for pid in pids])
        else:
            import multiprocessing
            context = multiprocessing.get_context("fork")
            children = [context.Process(target=child) for _ in range(3)]
            for each in children: each.start()
            for _ in range(5): batch()
            for each in children: each.join()
            print([each.exitcode for each in children])
    """.format(os_fork=fork == "os.fork")
    assert program(server, source, how) == "[0, 0, 0]"


@GREENS
@pytest.mark.parametrize("patches", some(["", "thread=False", "socket=False, ssl=False"], [""]))
def test_patched_early(server: S3Server, how: str, patches: str) -> None:
    assert program(server, """
        import gevent, gevent.pool
        batch()
        gevent.joinall([gevent.spawn(batch) for _ in range(5)], raise_error=True)
        thread = threading.Thread(target=batch); thread.start(); thread.join()
        batch()
        print("done")
    """, how, before=f"import gevent.monkey; gevent.monkey.patch_all({patches})") == "done"


@GREEN_ABOVE_ALL
def test_patched_late(server: S3Server, how: str) -> None:
    assert program(server, """
        batch()
        import gevent.monkey
        import warnings
        warnings.simplefilter("ignore", gevent.monkey.MonkeyPatchWarning)
        gevent.monkey.patch_all()
        import gevent
        batch()
        gevent.joinall([gevent.spawn(batch) for _ in range(5)], raise_error=True)
        print("done")
    """, how, flags=()) == "done"


@GREEN_ABOVE_ALL
def test_in_a_hub_of_the_program(server: S3Server, how: str) -> None:
    assert program(server, """
        import gevent
        ticks = []
        def tick():
            while True:
                gevent.sleep(0.001); ticks.append(1)
        ticking = gevent.spawn(tick)
        gevent.joinall([gevent.spawn(batch) for _ in range(5)], raise_error=True)
        batch()
        ticking.kill()
        print(len(ticks) > 0)
    """, how) == "True"


def test_fork_of_a_program_with_a_hub(server: S3Server) -> None:
    assert program(server, """
        import gevent
        gevent.sleep(0)
        batch()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                batch(); code = 0
            finally:
                os._exit(code)
        batch()
        print(os.waitpid(pid, 0)[1])
    """) == "0"


@GREENS
def test_a_batch_goes_on_in_the_parent_only(server: S3Server, how: str) -> None:
    """A child that was forked in the middle of a stream can end it, and is told if it uses it."""
    assert program(server, """
        import signal, warnings
        from cloudfiles.exceptions import CloudFilesError
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        results = cf.stream(keys * 20, max_items=10)
        next(results)
        statuses = []
        for end in (results.close, lambda: list(results)):
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)
                status = 1
                try:
                    end(); batch(); status = 0
                except CloudFilesError:
                    batch(); status = 3
                finally:
                    os._exit(status)
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(statuses, len(list(results)))
    """, how) == "[0, 3] 999"


def test_a_listing_goes_on_in_the_parent_only(server: S3Server) -> None:
    server.configure(page_size=5)
    assert program(server, """
        import signal, warnings
        from cloudfiles.exceptions import CloudFilesError
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        listing = cf.list()
        first = [next(listing) for _ in range(11)]
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            status = 1
            try:
                list(listing); status = 0
            except CloudFilesError:
                status = 3
            finally:
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), sorted(first + list(listing)) == sorted(keys))
    """) == "3 True"


def test_workers_in_the_hub_of_a_fork(server: S3Server) -> None:
    """A fork in the thread of a hub copies its greenlets. They must not receive what the parent waits for."""
    server.script(Rule(Delay(0.5), times=None))
    server.forget()
    assert program(server, """
        import gevent, gevent.os, sys
        sys.stderr = open(os.devnull, "w")  # gevent prints the error of the child's copy
        working = gevent.spawn(cf.get, keys, return_dict=True)
        from cloudfiles.runtime.descriptors import process_descriptors
        while len(process_descriptors._connections) < 20:
            gevent.sleep(0.01)
        pid = gevent.os.fork()
        if pid == 0:
            status = 1
            try:
                gevent.sleep(0.5)
                status = 0 if working.ready() and working.exception else 2
            finally:
                os._exit(status)
        gevent.joinall([working], timeout=20)
        print(working.value == wanted, gevent.os.waitpid(pid, 0)[1])
    """) == "True 0"
    assert len(server.requests("GET")) == 50


def test_a_fork_in_the_hub_during_tls_handshakes(tls_fault_server: S3Server, certificates: Certificates) -> None:
    """Their copies neither receive what the parent waits for, nor send anything."""
    tls_fault_server.put_many({str(i): b"content %d" % i for i in range(50)})
    assert program(tls_fault_server, f"""
        import gevent, gevent.os, gevent.socket, socket, sys, time
        from cloudfiles import reset_connection_pools
        from cloudfiles.transport.traffic import _traffic
        from cloudfiles.transport.tls import TlsHandshakes
        under_way, forks, statuses = [], 0, []
        shake = TlsHandshakes.wrap
        def wrap(*args):
            under_way.append(None)
            try: return shake(*args)
            finally: under_way.pop()
        TlsHandshakes.wrap = wrap
        cf = CloudFiles(cf.cloudpath, secrets={tls_fault_server.secrets!r}, ca_bundle={str(certificates.authority)!r})
        sys.stderr = open(os.devnull, "w")  # gevent prints the error of the child's copy
        ready, send = socket.socketpair()
        def fork():  # in the same turn of the hub in which the servers' parts of the handshakes are received
            gevent.socket.wait_read(ready.fileno())
            ready.recv(1)
            return len(under_way), gevent.os.fork()
        for turns in range(1, 16, 2):
            reset_connection_pools()
            working, forking = gevent.spawn(cf.get, keys, return_dict=True), gevent.spawn(fork)
            while not under_way:
                gevent.sleep(0)
            for _ in range(turns):
                gevent.sleep(0)
            time.sleep(0.02)
            send.send(b"x")
            shaking, pid = forking.get()
            if pid == 0:
                working.join(10)
                os._exit(0 if working.ready() and working.exception else 2)
            forks += shaking > 0
            working.join(20)
            assert working.value == wanted
            statuses.append(gevent.os.waitpid(pid, 0)[1])
        print(forks > 0, set(statuses), [traffic.failed for traffic in _traffic.values()])
    """) == "True {0} [0]"
    assert len(tls_fault_server.requests("GET")) == 8 * 50


def test_a_fork_in_the_hub_during_an_upload(server: S3Server) -> None:
    """The child neither aborts nor completes what goes on in the parent."""
    server.script(Rule(Delay(0.2), times=None))
    server.forget()
    assert program(server, f"""
        import gevent, gevent.os, sys
        cf = CloudFiles(cf.cloudpath, secrets={server.secrets!r}, composite_upload_threshold=5 << 20)
        sys.stderr = open(os.devnull, "w")  # gevent prints the error of the child's copy
        working, children = gevent.spawn(cf.put, "large", bytes(12 << 20)), []
        while gevent.sleep(0.1) or not working.ready():
            pid = gevent.os.fork()
            if pid == 0:
                working.join(10)
                os._exit(0 if working.ready() else 2)
            children.append(pid)
        print(working.value, len(children) > 2, {{gevent.os.waitpid(pid, 0)[1] for pid in children}})
    """) == "1 True {0}"
    assert [request.method for request in server.requests() if request.method != "PUT"] == ["POST", "POST"]


def test_greenlets_that_are_in_no_call_go_on_in_the_child(server: S3Server) -> None:
    assert program(server, """
        import gevent, gevent.event, gevent.os
        gevent.get_hub()
        batch()
        begin = gevent.event.Event()
        def work():
            begin.wait()
            return cf.get(keys, return_dict=True)
        working = gevent.spawn(work)
        gevent.sleep(0)
        pid = gevent.os.fork()
        begin.set()
        working.join(20)
        if pid == 0:
            os._exit(0 if working.value == wanted else 2)
        print(working.value == wanted, gevent.os.waitpid(pid, 0)[1])
    """) == "True 0"


def test_a_fork_without_descriptors_left() -> None:
    assert run_program("""
        import os, resource, socket
        from cloudfiles.runtime.forked_hub import cut_off_copies, new_socket
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        sockets, held = [new_socket(socket.AF_INET, socket.SOCK_STREAM, 0) for _ in range(3)], []
        sockets.pop(1).close()
        try:
            while True: held.append(os.dup(0))
        except OSError:
            pass
        cut_off_copies()
        print({os.fstat(sock.fileno()).st_rdev == os.stat(os.devnull).st_rdev for sock in sockets})
        for sock in sockets: sock.detach()
    """) == "{True}"


@GREEN_ABOVE_ALL
def test_an_open_stream_does_not_hold_up_the_end(server: S3Server, how: str) -> None:
    assert program(server, """
        results = cf.stream(keys * 20, max_items=10)
        next(results)
        print("done")
    """, how, flags=()) == "done"


@GREEN_ABOVE_ALL
def test_connections_are_used_again(server: S3Server, how: str) -> None:
    server.drop_connections()
    before = server.connections()[0]
    program(server, "for _ in range(5): cf.get(keys)", how)
    assert server.connections()[0] - before <= 50  # not one for each of 250 objects


@GREENS
def test_read_timeouts(server: S3Server, how: str) -> None:
    server.script(Rule(Stall(), key="1"), Rule(Stall(3), key="2"))
    assert program(server, f"""
        cf = CloudFiles(cf.cloudpath, secrets={server.secrets!r}, green=cf.green, read_timeout=1)
        assert cf.get(keys, return_dict=True) == wanted
        print("done")
    """, how) == "done"


def test_many_descriptors(server: S3Server) -> None:
    """select() knows none above 1023."""
    assert program(server, """
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        held = [os.dup(0) for _ in range(min(1100, hard - 100))]  # a system that allows fewer has no such descriptor
        batch()
        print("done")
    """, "False") == "done"


def test_errors_of_offloaded_work_are_raised_and_not_printed() -> None:
    assert run_program("""
        from cloudfiles.batch.fanout import Plan, collect
        from cloudfiles.runtime.hub_engine import current_runtime
        runtime = current_runtime(True)
        def fail(): raise ValueError("no")
        def work(i):
            try: runtime.run_in_thread(fail)
            except ValueError: return runtime.run_in_thread(lambda: i)
        assert collect(work, range(50), Plan(runtime, 5)) == list(range(50))
        nested = collect(lambda i: runtime.run_in_thread(runtime.run_in_thread, str, i), range(5), Plan(runtime, 5))
        assert nested == list("01234")
        def name(i):
            try: runtime.resolve("no-such-host.invalid", 80)
            except OSError: return i
        assert collect(name, range(3), Plan(runtime, 3)) == [0, 1, 2]
    """) == ""
