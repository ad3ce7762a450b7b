"""Worker processes of our own: they work in any program, nothing outlives it, and one that dies is replaced."""

from __future__ import annotations

import errno
import io
import itertools
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cloudfiles
from cloudfiles import CloudFiles, close_workers, reset_connection_pools
from cloudfiles.exceptions import AuthorizationError, MissingCredentialsError, WorkerError
from cloudfiles.paths import add_alias
from cloudfiles.testing import Delay, Rule, S3Server, Stall, Status
from cloudfiles.workers import executor, messages
from tests.core.programs import ROOT, run_program, start_program
from tests.core.test_interruption import wait_for_connections
from tests.internals import Replace
from tests.selection import some

CONTENTS = {f"k{n:03}": b"%d" % n for n in range(200)}

BATCH = """
import os, queue, random, selectors
import cloudfiles, cloudfiles.workers.executor
for name in ("cloudfiles", "queue", "random", "selectors"):
    with open(name + ".py", "w") as file:
        file.write("import os; os._exit(66)")
class Mine: pass
class Own(cloudfiles.CloudFiles): pass
cf = Own({url!r}, parallel=2)
assert cf.puts([(f"k{{n}}", b"%d" % n) for n in range(100)]) == 100
keys = [{{"path": f"k{{n}}", "tags": Mine()}} for n in range(100)]
found = cf.get(keys)
print([one["content"] for one in found] == [b"%d" % n for n in range(100)])
print(all(type(one["tags"]) is Mine for one in found))
"""


@pytest.fixture(autouse=True)
def _no_workers() -> Iterator[None]:
    close_workers()
    yield
    close_workers()


@pytest.fixture
def cf(tmp_path: Path) -> CloudFiles:
    cf = CloudFiles(f"file://{tmp_path}/store/")
    cf.puts(list(CONTENTS.items()))
    return cf


@pytest.fixture
def s3(fault_server: S3Server) -> CloudFiles:
    return CloudFiles(f"s3://{fault_server.bucket}/", endpoint=fault_server.url, secrets=fault_server.secrets)


def pids() -> list[int]:
    return [worker._process.child.pid for worker in executor._workers if worker._process is not None]


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(pid: int) -> bool:
    """Whether it has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# ---- any program


@pytest.mark.parametrize("way", some(["script", "stdin", "-c", "-m", "interactive"], ["script", "interactive"]))
def test_a_program_without_a_guard(way: str, tmp_path: Path) -> None:
    """Whose working directory has modules that no worker may import."""
    source = BATCH.format(url=f"file://{tmp_path}/store/")
    (tmp_path / "program.py").write_text(source)
    arguments = {"script": ["program.py"], "stdin": ["-"], "-c": ["-c", source], "-m": ["-m", "program"],
                 "interactive": ["-i", "-q"]}[way]
    if way == "interactive":
        source = f"exec({source!r})\n"
    done = subprocess.run([sys.executable, *arguments], input=source if way in ("stdin", "interactive") else "",
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
                          timeout=60)
    assert (done.stdout.split(), done.returncode) == (["True", "True"], 0), done.stderr
    assert way == "interactive" or done.stderr == ""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_a_daemonic_worker_of_multiprocessing(method: str, tmp_path: Path, cf: CloudFiles) -> None:
    (tmp_path / "program.py").write_text(textwrap.dedent(f"""
        import multiprocessing
        from cloudfiles import CloudFiles

        def count(path):
            return len(CloudFiles(path, parallel=2).get([f"k{{n:03}}" for n in range(200)]))

        if __name__ == "__main__":
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                print(pool.map(count, [{cf.cloudpath!r}] * 2))
    """))
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, cwd=tmp_path, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (done.stdout.strip(), done.stderr) == ("[200, 200]", "")


def test_in_a_process_that_gevent_patched(cf: CloudFiles) -> None:
    assert run_program(f"""
        from gevent import monkey; monkey.patch_all()
        import gevent
        from cloudfiles import CloudFiles
        turns = []
        def turn():
            while True:
                turns.append(1)
                gevent.sleep(0.001)
        gevent.spawn(turn)
        cf = CloudFiles({cf.cloudpath!r}, parallel=2)
        print(len([found["content"] for found in cf.get([f"k{{n:03}}" for n in range(200)])]), len(turns) > 10)
    """) == "200 True"


def test_the_end_of_a_program_is_silent(cf: CloudFiles) -> None:
    """Neither warnings nor tracebacks, though the workers are still there."""
    assert run_program(f"""
        from cloudfiles import CloudFiles
        from cloudfiles.workers import executor, worker_process
        CloudFiles({cf.cloudpath!r}, parallel=3).get([f"k{{n:03}}" for n in range(200)])
        print(len(executor._workers))
    """, "-W", "error") == "3"


def test_the_end_of_a_program_with_a_batch_in_a_daemon_thread(cf: CloudFiles) -> None:
    assert run_program(f"""
        import threading
        from cloudfiles import CloudFiles
        cf = CloudFiles({cf.cloudpath!r}, parallel=2)
        once = threading.Event()
        def forever():
            while True:
                cf.get([f"k{{n:03}}" for n in range(200)])
                once.set()
        threading.Thread(target=forever, daemon=True).start()
        once.wait()
        print("done")
    """, "-W", "error") == "done"


def test_workers_that_are_closed_in_the_middle(s3: CloudFiles, fault_server: S3Server) -> None:
    fault_server.script(Rule(Stall(), times=None))
    threading.Thread(target=lambda: (wait_for_connections(fault_server, 5), close_workers())).start()
    with pytest.raises(WorkerError, match=r"closed during 'get' of \d+ items, 'k\d+' to 'k\d+'"):
        s3.get(list(CONTENTS), parallel=2)


# ---- what they know


def test_the_same_workers_do_one_batch_after_the_other(cf: CloudFiles) -> None:
    cf.get(list(CONTENTS), parallel=2)
    before = pids()
    assert cf.size(list(CONTENTS), parallel=2) == {key: len(content) for key, content in CONTENTS.items()}
    assert cf.exists([*CONTENTS, "nowhere"], parallel=2) == {**dict.fromkeys(CONTENTS, True), "nowhere": False}
    assert [head["Content-Length"] for head in cf.head(list(CONTENTS), parallel=2).values()] == [
        len(content) for content in CONTENTS.values()]
    assert cf.transfer_to(cf.cloudpath.rstrip("/") + "-copy/", list(CONTENTS), parallel=2).copied == 200
    assert cf.delete(list(CONTENTS), parallel=2) == 200
    assert len(before) == 2
    assert pids() == before


def test_what_changes_in_the_program(cf: CloudFiles, s3: CloudFiles, fault_server: S3Server, home: Path,
                                     tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, working directory and aliases are those at the time of the batch."""
    cf.get(list(CONTENTS), parallel=2)
    before = pids()
    s3.puts(list(CONTENTS.items()))
    for name, value in fault_server.secrets.items():
        monkeypatch.setenv(name, value)
    add_alias("workers-test", f"s3://{fault_server.url}/")
    monkeypatch.chdir(tmp_path)
    alias = CloudFiles(f"workers-test://{fault_server.bucket}/")
    assert [found["content"] for found in alias.get(list(CONTENTS), parallel=2)] == list(CONTENTS.values())
    assert pids() == before
    assert {os.readlink(f"/proc/{pid}/cwd") for pid in before} == {str(tmp_path)}
    for name in fault_server.secrets:
        monkeypatch.delenv(name)
    with pytest.raises(MissingCredentialsError):
        CloudFiles(alias.cloudpath).get(list(CONTENTS), parallel=2)


def test_secrets_go_through_the_pipe_alone(s3: CloudFiles, fault_server: S3Server) -> None:
    fault_server.configure(secret_key="secretkey1234567")
    s3.puts(list(CONTENTS.items()), parallel=2)
    other = CloudFiles(s3.cloudpath, endpoint=fault_server.url,  # handed in after the workers were started
                       secrets={**fault_server.secrets, "AWS_DEFAULT_REGION": "us-west-1"})
    assert len(other.get(list(CONTENTS), parallel=2)) == 200
    secret = fault_server.secrets["AWS_SECRET_ACCESS_KEY"].encode()
    for pid in pids():
        for file in ("cmdline", "environ"):
            assert secret not in Path(f"/proc/{pid}/{file}").read_bytes()


def test_options_and_contents_of_single_items(s3: CloudFiles) -> None:
    s3.puts([{"path": "a", "content": b"1", "compress": "gzip"}, ("b", bytearray(b"2")), ("c", memoryview(b"3")),
             {"path": "d", "content": "4", "content_type": "text/x-own", "metadata": {"name": "value"}}],
            content_type="text/csv", parallel=2)
    assert s3.get(list("abcd"), return_dict=True) == {"a": b"1", "b": b"2", "c": b"3", "d": b"4"}
    heads = s3.head(list("abcd"))
    assert [(head["Content-Encoding"] or "", head["Content-Type"]) for head in heads.values() if head] == [
        ("gzip", "text/csv"), ("", "text/csv"), ("", "text/csv"), ("", "text/x-own")]


def test_memory_is_in_this_process_alone() -> None:
    cf = CloudFiles("mem://workers-test/", parallel=2)
    cf.puts(list(CONTENTS.items()))
    assert [found["content"] for found in cf.get(list(CONTENTS))] == list(CONTENTS.values())
    assert cf.delete(list(CONTENTS)) == 200
    assert pids() == []


@pytest.mark.parametrize("shared", [True, False], ids=["memory", "pipe"])
def test_large_results(cf: CloudFiles, monkeypatch: pytest.MonkeyPatch, shared: bool) -> None:
    if not shared:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    contents = {f"big{n}": bytes([n]) * (20 << 20 if n == 3 else 300_000) for n in range(40)}
    cf.puts(list(contents.items()), parallel=2)
    assert cf.get(list(contents), parallel=2, return_dict=True) == contents
    assert cf.get(iter(contents), parallel=2, return_dict=True) == contents


@pytest.mark.parametrize("size", [300_000, 20_000_000])
def test_tasks_one_after_the_other_in_the_same_memory(cf: CloudFiles, size: int) -> None:
    """A worker reads a large task from the memory while it still runs the one before."""
    for turn in range(3):
        contents = {f"big{n}": bytes([turn, n]) * (size // 2) for n in range(4 if size > 1_000_000 else 60)}
        assert cf.puts(list(contents.items()), parallel=2) == len(contents)
        assert cf.get(list(contents), return_dict=True) == contents
    assert len(pids()) == 2


def test_no_memory_for_a_task(cf: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    contents = {f"big{n}": bytes([n]) * 300_000 for n in range(40)}
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        assert cf.puts(list(contents.items()), parallel=2) == 40
    assert cf.get(list(contents), parallel=2, return_dict=True) == contents


# ---- several tasks at a time


def test_a_chunk_does_not_wait_for_the_last_item_of_the_one_before(s3: CloudFiles, fault_server: S3Server) -> None:
    s3.puts(list(CONTENTS.items()))
    fault_server.script(Rule(Stall(), key="k003", times=None))
    errors: list[BaseException] = []

    def batch() -> None:
        try:
            s3.get(list(CONTENTS), parallel=2)
        except WorkerError as error:
            errors.append(error)

    caller = threading.Thread(target=batch)
    caller.start()
    first = set(list(CONTENTS)[:175])  # seven chunks: no more are started while the first one is not finished
    until(lambda: {request.key for request in fault_server.requests("GET")} >= first)
    close_workers()
    caller.join(30)
    assert not caller.is_alive()
    assert "closed" in str(errors)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes on Windows")
def test_tasks_of_one_batch_run_at_the_same_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    batch = executor.WorkerExecutor(1, overlapping=True)
    reading = batch.submit(Path.read_text, tmp_path / "pipe")
    writing = batch.submit(Path.write_text, tmp_path / "pipe", "written meanwhile")
    assert reading.result(30) == "written meanwhile"
    assert writing.result(30) == 17


@pytest.mark.parametrize("overlapping", [False, True])
def test_other_tasks_run_one_after_the_other(overlapping: bool, tmp_path: Path) -> None:
    """Tasks of batches with a given number of threads, and tasks of different batches."""
    alone = f"mkdir {tmp_path}/running && sleep 0.01 && rmdir {tmp_path}/running"
    batches = [executor.WorkerExecutor(1, overlapping) for _ in range(6 if overlapping else 1)]
    tasks = [batches[n % len(batches)].submit(subprocess.check_call, ["sh", "-c", alone]) for n in range(6)]
    assert [task.result(30) for task in tasks] == [0] * 6


# ---- their end


@pytest.mark.skipif(not hasattr(select, "poll"), reason="pipes cannot be waited for on Windows")
def test_idle_ones_end(cf: CloudFiles, internals: Replace) -> None:
    internals(worker_idle_seconds=0.05)
    contents = dict.fromkeys(CONTENTS)
    for _ in range(2):
        contents = cf.get(list(CONTENTS), parallel=2, return_dict=True)
        until(lambda: not pids())
    assert contents == CONTENTS


@pytest.mark.skipif(not hasattr(select, "poll"), reason="pipes cannot be waited for on Windows")
def test_busy_ones_do_not_end(s3: CloudFiles, fault_server: S3Server, internals: Replace) -> None:
    s3.puts(list(CONTENTS.items()))
    internals(worker_idle_seconds=0.01)
    fault_server.script(Rule(Delay(0.5), key="k007"), Rule(Delay(0.5), key="k190"))
    assert s3.get(list(CONTENTS), parallel=2, return_dict=True) == CONTENTS


def test_the_end_of_a_killed_program_is_theirs(fault_server: S3Server) -> None:
    fault_server.script(Rule(Stall(), times=None))
    program = start_program(f"""
        from cloudfiles import CloudFiles
        cf = CloudFiles("s3://{fault_server.url}/bucket/", secrets={fault_server.secrets!r})
        import threading, time
        threading.Thread(target=lambda: cf.get([str(i) for i in range(2000)], parallel=2), daemon=True).start()
        from cloudfiles.workers import executor, worker_process
        while sum(w._process is not None and w._process.is_ready for w in list(executor._workers)) < 2:
            time.sleep(0.01)
        print(*(w._process.child.pid for w in executor._workers), flush=True)
        time.sleep(600)
    """)
    try:
        assert program.stdout is not None
        workers = list(map(int, program.stdout.readline().split()))
        wait_for_connections(fault_server, 5, program.poll)
        assert len(workers) == 2
        assert not any(map(is_gone, workers))
    finally:
        program.kill()
        program.communicate()
    until(lambda: all(map(is_gone, workers)))


@pytest.mark.parametrize("verb", some(["get", "puts", "transfer_to"], ["transfer_to"]))
def test_a_worker_that_is_killed(s3: CloudFiles, cf: CloudFiles, fault_server: S3Server, verb: str) -> None:
    """As the system kills it that is out of memory. What it was at is said; the next batch has a new one."""
    s3.puts(list(CONTENTS.items()))
    reset_connection_pools()
    fault_server.drop_connections()
    fault_server.script(Rule(Stall(), times=None))
    batch = {"get": lambda: s3.get(list(CONTENTS), parallel=2),
             "puts": lambda: s3.puts(list(CONTENTS.items()), parallel=2),
             "transfer_to": lambda: cf.transfer_to(s3, list(CONTENTS), parallel=2)}[verb]
    killed: list[int] = []
    killer = threading.Thread(target=lambda: (wait_for_connections(fault_server, 20), killed.extend(kill_all())))
    killer.start()
    what = rf"'{verb.removesuffix('_to')}' of \d+ items, 'k\d+' to 'k\d+',"
    where = rf"'{cf.cloudpath}' to 's3://bucket/'" if verb == "transfer_to" else r"CloudFiles\('s3://bucket/'\)"
    with pytest.raises(WorkerError, match=rf"pid \d+\) was killed by SIGKILL, which .* out of memory, during {what} "
                                          rf"of {where};"):
        batch()
    killer.join()
    fault_server.script()
    batch()
    assert pids()
    assert not set(pids()) & set(killed)


def kill_all() -> list[int]:
    until(lambda: all(worker._process is not None and worker._process.is_ready for worker in executor._workers))
    killed = pids()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    return killed


def test_one_that_cannot_start(cf: CloudFiles, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
                               ) -> None:
    monkeypatch.setattr(cloudfiles, "__file__", "/nowhere/cloudfiles/__init__.py")
    with pytest.raises(WorkerError, match="did not start"):
        cf.get(list(CONTENTS), parallel=2)
    assert "/nowhere/cloudfiles" in capfd.readouterr().err
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(WorkerError, match=r"sys\.executable"):
        cf.get(list(CONTENTS), parallel=2)


def test_after_a_fork(cf: CloudFiles) -> None:
    """The workers are the parent's; the child has its own, and holds nothing that keeps the parent's alive."""
    assert run_program(f"""
        import os, sys, time
        from cloudfiles import CloudFiles, close_workers
        from cloudfiles.workers import executor, worker_process
        cf = CloudFiles({cf.cloudpath!r}, parallel=2)
        keys = [f"k{{n:03}}" for n in range(200)]
        pids = lambda: [worker._process.child.pid for worker in executor._workers]
        cf.get(keys)
        theirs = pids()
        child = os.fork()
        if not child:
            good = len(cf.get(keys)) == 200 and not set(pids()) & set(theirs)
            sys.stdout.flush()
            close_workers()
            os._exit(not good)
        print(os.waitpid(child, 0)[1], len(cf.get(keys)), pids() == theirs)
    """, "-W", "ignore::DeprecationWarning") == "0 200 True"  # Python 3.12 and later warn of forks beside threads


def test_they_are_closed(cf: CloudFiles) -> None:
    cf.get(list(CONTENTS), parallel=2)
    before = pids()
    reset_connection_pools()
    assert pids() == []
    assert all(map(is_gone, before))
    assert len(cf.get(list(CONTENTS), parallel=2)) == 200
    assert len(pids()) == 2


def test_nothing_is_left_behind(cf: CloudFiles, no_leaks: Callable[..., Any], tmp_path: Path) -> None:
    cf.get(list(CONTENTS), parallel=2)  # what is imported for it stays
    close_workers()
    with no_leaks(tmp_path):
        cf.get(list(CONTENTS), parallel=2)
        close_workers()


def test_an_error_ends_its_batch_and_no_other(s3: CloudFiles, fault_server: S3Server) -> None:
    s3.puts(list(CONTENTS.items()))
    fault_server.script(Rule(Status(403), key="k007", times=None), Rule(Stall(), key="k190", times=None))
    good: list[Any] = []
    keys = [key for key in CONTENTS if key not in ("k007", "k190")]
    other = threading.Thread(target=lambda: [good.append(len(s3.get(keys, parallel=2))) for _ in range(5)])
    other.start()
    with pytest.raises(AuthorizationError, match="k007"):
        s3.get(list(CONTENTS), parallel=2)
    before = pids()
    other.join()
    assert good == [len(keys)] * 5
    assert pids() == before


@pytest.mark.parametrize("sent", [0, 10])
def test_an_interrupt_while_a_task_is_sent(cf: CloudFiles, monkeypatch: pytest.MonkeyPatch, sent: int) -> None:
    """The process, which has received a part of the message, is replaced."""
    send, numbers = messages.send, itertools.count()
    monkeypatch.setattr("cloudfiles.workers.worker_process._LARGE_TASK", 1 << 30)

    def interrupted(pipe: Any, kind: int, number: int = 0, *args: Any) -> None:
        if kind != messages.TASK or next(numbers) != 1:
            send(pipe, kind, number, *args)
            return
        whole = io.BytesIO()
        send(whole, kind, number, *args)
        pipe.write(whole.getvalue()[:sent])
        pipe.flush()
        raise KeyboardInterrupt

    monkeypatch.setattr(messages, "send", interrupted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        cf.get(list(CONTENTS), parallel=2)
    for _ in range(3):
        assert cf.get(list(CONTENTS), parallel=2, return_dict=True) == CONTENTS
    assert time.monotonic() - began < 60
    assert [worker.load for worker in executor._workers] == [0, 0]
