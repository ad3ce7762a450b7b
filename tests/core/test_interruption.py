"""Ctrl-C in the middle: it is over at once, and nothing is left behind."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from cloudfiles import CloudFiles
from cloudfiles.batch.fanout import Plan, collect, stream
from cloudfiles.runtime.descriptors import process_descriptors, with_opened
from cloudfiles.runtime.hub_engine import close_engine, current_runtime, engine
from cloudfiles.testing import Delay, Rule, S3Server, Stall
from cloudfiles.transport.client import close_clients
from tests.core.programs import start_program
from tests.selection import some
from tests.servers.leaks import no_leaks

SLACK = 2.0, 3.0
"""Seconds, and multiples of what the program has taken to begin: the promise is one second, a busy machine gets some
more. What is interrupted would take a minute."""

VERBS = {
    "get": "cf.get(keys)",
    "get of a generator": "cf.get(k for k in keys)",
    "stream": "[r for r in cf.stream(keys)]",
    "put": "cf.puts((k, b'x' * 100_000) for k in keys)",
    "head": "cf.head(iter(keys))",
    "parallel": "cf.get(keys, parallel=2)",
}


def wait_for_requests(server: S3Server, count: int, prefix: str = "") -> None:
    """Until so many for keys with this prefix have arrived."""
    deadline = time.monotonic() + 60
    while sum(request.key.startswith(prefix) for request in server.requests()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for_connections(server: S3Server, count: int, is_over: Callable[[], object] = lambda: None) -> None:
    """Until so many are open."""
    deadline = time.monotonic() + 30
    while server.connections()[1] < count and time.monotonic() < deadline and is_over() is None:
        time.sleep(0.02)


@pytest.mark.parametrize("verb", some(VERBS, ["get", "put", "parallel"]))
@pytest.mark.parametrize("stalled", some([True, False], [True]))
def test_a_program_ends(fault_server: S3Server, green: bool, verb: str, stalled: bool) -> None:
    fault_server.script(Rule(Stall() if stalled else Delay(0.05), times=None))
    started = time.monotonic()
    program = start_program(f"""
        import warnings; warnings.simplefilter("error")
        from cloudfiles import CloudFiles
        cf = CloudFiles("s3://{fault_server.url}/bucket/", secrets={fault_server.secrets!r}, green={green})
        keys = [str(i) for i in range(20_000)]
        {VERBS[verb]}
    """)
    try:
        wait_for_connections(fault_server, 5, program.poll)
        slack = SLACK[0] + SLACK[1] * (time.monotonic() - started)
        time.sleep(0.2)
        assert program.poll() is None, program.communicate()
        began = time.monotonic()
        os.kill(program.pid, signal.SIGINT)
        _, err = program.communicate(timeout=60)
        assert time.monotonic() - began < slack
    finally:
        program.kill()
        program.communicate()
    assert err.strip().splitlines()[-1] == "KeyboardInterrupt", err
    assert err.count("Traceback") == 1, err
    assert "Warning" not in err
    assert program.returncode in (-signal.SIGINT, 130, 1)


def interrupt_after(wait: Callable[..., object], *args: Any) -> None:
    """Not before the interrupted call has begun: pytest itself would end."""
    threading.Thread(target=lambda: (wait(*args), os.kill(os.getpid(), signal.SIGINT))).start()


@pytest.mark.parametrize("verb", ["get", "get of a generator", "stream", "put", "width 0"])
def test_nothing_is_left_behind(fault_server: S3Server, green: bool, verb: str, tmp_path: Path,
                                no_leaks: Callable[..., Any]) -> None:
    answered = 1 if verb == "width 0" else 30
    fault_server.script(Rule(Stall(), skip=answered, times=None))
    close_clients()
    close_engine()
    keys = [str(i) for i in range(1000)]
    with no_leaks(tmp_path):
        cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets, green=green,
                        num_threads=0 if verb == "width 0" else 20)
        interrupt_after(wait_for_requests, fault_server, answered + (1 if verb == "width 0" else 20))
        with pytest.raises(KeyboardInterrupt):
            run(cf, verb, keys)
    fault_server.script()
    fault_server.put("0", b"content")
    assert cf.get(["0"])[0]["content"] == b"content"


def run(cf: CloudFiles, verb: str, keys: list[str]) -> None:
    if verb == "stream":
        for _ in cf.stream(keys):
            pass
    elif verb == "put":
        cf.puts((key, b"x" * 100_000) for key in keys)
    else:
        cf.get(keys if verb == "get" else (key for key in keys))


def test_an_interrupt_leaves_the_batches_of_other_threads_alone(fault_server: S3Server) -> None:
    """The engine goes on while another thread's batch runs in it."""
    fault_server.put_many({str(i): b"content" for i in range(100)})
    fault_server.script(Rule(Stall(), prefix="stall", times=None), Rule(Delay(0.1), times=None))
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets, green=True)
    outcome: list[Any] = []
    other = threading.Thread(target=lambda: outcome.append(cf.get([str(i) for i in range(100)])))
    other.start()
    interrupt_after(wait_for_requests, fault_server, 1, "stall")
    with pytest.raises(KeyboardInterrupt):
        cf.get([f"stall{i}" for i in range(20)])
    other.join(30)
    assert [r["content"] for r in outcome[0]] == [b"content"] * 100
    close_engine()


# ---- an interrupt at any moment of the caller

_WATCHED = ("fanout.py", "threads.py", "green.py", "hub_calls.py", "threading.py")


def _is_of_a_thread(frame: Any) -> bool:
    """Whether it is in `Thread.start` or `join`: what an interrupt leaves behind there is Python's own business."""
    while frame is not None and not (frame.f_code.co_filename == threading.__file__ and frame.f_code.co_name in (
            "start", "join", "__init__")):
        frame = frame.f_back
    return frame is not None


def _interrupted(run: Callable[[], Any], moment: int) -> bool:
    """Run it in a thread whose `moment`-th step is interrupted, as the main thread is by Ctrl-C. Whether it came to
    that; raises where it does not end."""
    outcome: list[bool] = []
    steps = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal steps
        if not frame.f_code.co_filename.endswith(_WATCHED) or _is_of_a_thread(frame):
            return None
        steps += event in ("call", "return")  # where Python looks for signals
        if steps == moment:
            steps += 1
            raise KeyboardInterrupt
        return trace

    def work() -> None:
        sys.settrace(trace)
        try:
            run()
            outcome.append(False)
        except KeyboardInterrupt:
            outcome.append(True)
        finally:
            sys.settrace(None)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert outcome, f"hangs when it is interrupted at step {moment}"
    return outcome[0]


@pytest.mark.parametrize("run", ["collect", "iterator", "stream"])
def test_an_interrupt_at_any_moment_of_the_caller(green: bool, run: str, full: bool) -> None:
    def batch() -> None:
        runtime = current_runtime(green)
        plan = Plan(runtime, 3)

        def work(item: int) -> int:
            runtime.sleep(0.0005)
            return item
        if run == "stream":
            list(stream(work, iter(range(6)), plan, max_items=4, max_bytes=2, weigh=lambda _: 1))
        else:
            collect(work, list(range(6)) if run == "collect" else iter(range(6)), plan)
    moment, step = 1, 1 if full else 5
    while _interrupted(batch, moment):
        moment += step
    assert moment > 10  # so many lines does the caller of the shortest batch run at least
    batch()


def test_an_interrupt_while_a_stream_ends(green: bool, monkeypatch: pytest.MonkeyPatch,
                                          no_leaks: Callable[..., Any]) -> None:
    """Such as the second one of an impatient user: the workers are cancelled before."""
    def interrupted() -> None:
        raise KeyboardInterrupt

    close_engine()
    with no_leaks():
        runtime = current_runtime(green)
        results = stream(lambda item: item, iter(range(10)), Plan(runtime, 3), max_items=4, max_bytes=2,
                         weigh=lambda _: 1)
        next(results)
        monkeypatch.setattr(process_descriptors, "close_excess", interrupted)
        with pytest.raises(KeyboardInterrupt):
            results.close()
        assert not getattr(runtime, "worker_groups", None)
        close_engine()


@pytest.mark.parametrize("has_started", [False, True])
def test_an_interrupt_while_a_thread_starts(monkeypatch: pytest.MonkeyPatch, has_started: bool) -> None:
    start, started = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) < 2 or has_started:
            start(thread)
        if len(started) == 2:
            raise KeyboardInterrupt

    runtime = current_runtime(green=False)
    group = runtime.worker_group()
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        group.start(lambda: runtime.sleep(60), 3)
    group.cancel()
    assert group._threads == started  # type: ignore[attr-defined]  # those that were waited for
    assert not any(thread.is_alive() for thread in started)


# ---- an interrupt at the end of any call


def _interrupted_call(run: Callable[[], Any], moment: int, everywhere: bool) -> bool:
    """Run it, and raise a KeyboardInterrupt where the main thread looks for signals for the `moment`-th time: when a
    function is called, and when one that is written in C has returned, whose result is lost. Whether it came to
    that.

    everywhere: not only after system calls, but also elsewhere in cloudfiles. The callbacks of weak references of the
        standard library, for example, swallow interrupts.
    """
    steps = 0

    def profile(frame: Any, event: str, function: Any) -> None:
        nonlocal steps
        if (event == "c_return" and function.__module__ in ("posix", "fcntl")) or (
                everywhere and event in ("call", "c_return") and _is_ours(frame)):
            steps += 1
            if steps == moment:
                raise KeyboardInterrupt

    try:
        sys.setprofile(profile)
        run()
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False


def _is_ours(frame: Any) -> bool:
    return frame.f_globals.get("__name__", "").startswith("cloudfiles.")


def _open_descriptors() -> set[str]:
    return {f"{number} {os.readlink(f'/proc/self/fd/{number}')}" for number in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{number}")}


def test_an_interrupt_of_any_call_while_the_engine_starts(no_leaks: Callable[..., Any], full: bool) -> None:
    def run() -> None:
        engine()
        finished.append(True)

    finished: list[bool] = []
    engine()
    close_engine()
    moment = 1
    with no_leaks():
        while not finished:
            _interrupted_call(run, moment, everywhere=True)
            moment += 1 if full else 3
        close_engine()
    assert moment > 10


def _read_file_object(cf: CloudFiles) -> None:
    with cf.open("key") as file:  # else it is closed when it is freed, where Python only prints an interrupt
        file.read()


LOCAL_CALLS: dict[str, Callable[[CloudFiles], object]] = {
    "get": lambda cf: cf.get("key"),
    "get of a range": lambda cf: cf.get({"path": "key", "start": 1, "end": 3}),
    "put": lambda cf: cf.put("new", b"new content"),
    "put if absent": lambda cf: cf.put("absent", b"new content", if_absent=True),
    "batch": lambda cf: cf.puts([("new", b"1"), ("new2", b"2")]),
    "copy": lambda cf: cf.transfer_to(cf.cloudpath, [{"path": "key", "dest_path": "new"}]),
    "move": lambda cf: (cf.put("old", b"1"), cf.move("old", "new")),
    "concat": lambda cf: cf.concat(["key", "key"], "new"),
    "open": _read_file_object,
    "resumable": lambda cf: cf.transfer_to(cf.cloudpath, [{"path": "key", "dest_path": "new"}], resumable=True),
}


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of file objects, which are closed nevertheless
@pytest.mark.parametrize("locking", [False, True])
@pytest.mark.parametrize("call", LOCAL_CALLS)
def test_an_interrupt_of_any_call_to_local_files(tmp_path: Path, call: str, locking: bool) -> None:
    """No descriptor is left open, and so no lock is held; no temporary file is left."""
    cf = CloudFiles(f"file://{tmp_path}/data", locking=locking, lock_dir=str(tmp_path / "locks"))
    cf.put("key", b"content")
    run = LOCAL_CALLS[call]
    run(cf)
    before = _open_descriptors()
    moment = 1
    while _interrupted_call(lambda: run(cf), moment, everywhere=False):
        if not _open_descriptors() <= before:
            gc.collect()
        assert _open_descriptors() <= before, moment
        assert not [path for path in (tmp_path / "data").iterdir() if path.name.startswith(".")], moment
        cf.delete("absent")
        moment += 1
    assert moment > 2


FILE_CALLS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "read": ("rb", lambda file: (file.seek(0), file.read(5))),
    "lines": ("rb", lambda file: (file.seek(0), list(file))),
    "write": ("wb", lambda file: (file.write(b"content"), file.flush())),
}


@pytest.mark.parametrize("call", FILE_CALLS)
def test_an_interrupt_of_any_call_leaves_a_file_object_free(call: str) -> None:
    cf = CloudFiles("mem://interrupted")
    cf.put("key", b"one\ntwo\nthree\n")
    mode, use = FILE_CALLS[call]
    file: Any = cf.open("key", cast(Any, mode))
    use(file)
    moment = 1
    while _interrupted_call(lambda: use(file), moment, everywhere=True):
        assert not file._guard.lock.locked(), moment
        moment += 1
    assert moment > 10
    file.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_an_interrupt_at_any_time_leaves_no_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    gc.disable()  # its callbacks swallow interrupts
    try:
        with no_leaks(allow=("socket:", "anon_inode", "pipe:", "thread ")):
            for number in range(500):  # the timer ends at a random time within one of the many calls
                with suppress(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_REAL, 0.0005 + number * 1e-7)
                    while True:
                        assert with_opened(str(path), 3, lambda opened: os.read(opened[2], 100)) == b"content"
    finally:
        gc.enable()
        signal.signal(signal.SIGALRM, handler)
