"""`AsyncCloudFiles`: the verbs awaited, on every kind of store and loop, fed every way, cancelled anywhere."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import pickle
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import gevent
import numpy
import pytest

import cloudfiles
from cloudfiles import CloudFiles
from cloudfiles.aio import AsyncCloudFiles
from cloudfiles.aio.concurrency_limiter import ConcurrencyLimiter
from cloudfiles.exceptions import AuthorizationError, CloudFilesError, InvalidInputError
from cloudfiles.runtime.hub_engine import close_engine
from cloudfiles.testing import Rule, S3Server, Stall, Status, slow_down
from tests.aio.conftest import Run
from tests.core.programs import run_program


@pytest.fixture(params=["s3", "file", "mem"])
def cf(request: pytest.FixtureRequest, fault_server: S3Server, tmp_path: Path) -> AsyncCloudFiles:
    if request.param == "s3":
        return on(fault_server)
    cloudfiles.clear_memory()
    return AsyncCloudFiles(f"file://{tmp_path}/" if request.param == "file" else "mem://bucket/dir/")


def on(server: S3Server, **options: Any) -> AsyncCloudFiles:
    return AsyncCloudFiles(f"s3://{server.url}/bucket/", secrets=server.secrets, **options)


def test_the_verbs(cf: AsyncCloudFiles, run: Run) -> None:
    contents = {f"dir/{n}": b"%d" % n * 100 for n in range(40)}

    async def main() -> None:
        assert await cf.puts(list(contents.items())) == 40
        assert await cf.put("one", b"1", compress="gzip") == 1
        assert await cf.put_json("json", {"a": [1]}) == 1
        assert await cf.put_jsons([("json2", 2)]) == 1
        assert await cf.get("one") == b"1"
        assert await cf.get("none") is None
        assert await cf.get({"path": "dir/11", "start": 1, "end": 3}) == b"11"
        assert await cf.get(list(contents), return_dict=True) == contents
        assert [r["path"] for r in await cf.get(["dir/3", "none"])] == ["dir/3", "none"]
        assert await cf.get_json(["json", "json2", "none"]) == [{"a": [1]}, 2, None]
        assert await cf.exists("one") is True
        assert await cf.exists(["one", "none"]) == {"one": True, "none": False}
        assert await cf.size(["dir/1", "none"]) == {"dir/1": 100, "none": None}
        assert (await cf.head("dir/1"))["Content-Length"] == 100
        await cf.touch("empty")
        assert await cf.get("empty") == b""
        assert await cf.isdir("dir")
        assert (await cf.subtree_size("dir/"))["N"] == 40
        assert sorted([path async for path in cf.list("dir/")]) == sorted(contents)
        assert {r["path"]: r["content"] async for r in cf.stream(list(contents))} == contents
        assert await cf.delete(["one", "none"]) == 2
        assert await cf.delete("json") == 1
        assert sorted([path async for path in cf]) == sorted([*contents, "json2", "empty"])
        results, monitor = await cf.get(["dir/1"], return_recording=True)
        assert (len(results), monitor.total_bytes()) == (1, 100)

    run(main())


@pytest.mark.one_runtime
def test_hundreds_at_once_without_threads(fault_server: S3Server, run: Run, full: bool) -> None:
    contents = {str(n): b"%d" % n for n in range(2000 if full else 800)}
    fault_server.put_many(contents)
    cf = on(fault_server, num_threads=20, hedge=False)
    before, _ = fault_server.connections()
    most, others = 0, threading.active_count()

    async def get(key: str) -> bytes:
        nonlocal most
        content: bytes = await cf.get(key)
        most = max(most, threading.active_count() - others)
        return content

    async def main() -> list[bytes]:
        return await asyncio.gather(*map(get, contents))

    assert run(main()) == list(contents.values())
    assert most < 50
    assert fault_server.connections()[0] - before <= 20


class Share:
    """Of single calls in the workers of a server."""

    def __init__(self, interval: float, workers: Callable[[int], int]) -> None:
        self.interval = interval
        self.left = threading.Event()
        self.is_paused = False
        self._workers = workers

    def workers(self, now: float, wanted: int, waiting: int = 0) -> int:
        self.is_paused = False
        return self._workers(wanted)

    def pause(self) -> None:
        self.is_paused = True

    def leave(self) -> None:
        self.left.set()


def test_single_calls_follow_the_width_of_their_server() -> None:
    done = running = most = 0
    share = Share(0.001, lambda _: 3 if done < 3 else 8)

    def call(number: int) -> int:
        nonlocal done, running, most
        running += 1
        most = max(most, running)
        gevent.sleep(0.002)
        assert most <= (3 if done < 3 else 8)
        done, running = done + 1, running - 1
        return number

    async def main() -> list[int]:
        limiter = ConcurrencyLimiter(20, lambda _: cast(Any, share))
        return await asyncio.gather(*(limiter.run(call, number) for number in range(100)))

    assert asyncio.run(main()) == list(range(100))
    assert most == 8
    assert share.is_paused
    assert share.left.wait(30)


def test_calls_one_after_the_other_keep_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """To join again for each of them would cost more than the calls."""
    shares: list[Share] = []

    def share(_: object) -> Any:
        shares.append(Share(0.0, lambda wanted: wanted))
        return shares[-1]

    async def calls(limiter: ConcurrencyLimiter) -> None:
        for number in range(10):
            assert await limiter.run(abs, -number) == number

    monkeypatch.setattr("cloudfiles.aio.concurrency_limiter._KEEP_SECONDS", 60.0)
    limiter = ConcurrencyLimiter(share_of=share)
    asyncio.run(calls(limiter))
    assert len(shares) == 1
    assert not shares[0].left.is_set()
    close_engine()
    asyncio.run(calls(limiter))  # in another hub, where the share is left in time
    assert len(shares) == 2
    assert shares[0].left.is_set()
    monkeypatch.setattr("cloudfiles.aio.concurrency_limiter._KEEP_SECONDS", 0.001)
    close_engine()
    asyncio.run(calls(limiter))
    assert shares[-1].left.wait(30)


@pytest.mark.parametrize("ended", [0, 1])
def test_first_calls_are_not_held_back_by_the_width_for_one(ended: int) -> None:
    """The first call asks for one worker. Those that follow ask again, before it has ended, or soon after that."""
    running = 0

    def call() -> None:
        nonlocal running
        running += 1
        for _ in range(5000):
            if running == 8:
                return
            gevent.sleep(0.001)
        raise AssertionError(f"only {running} calls run at once")

    async def main() -> None:
        limiter = ConcurrencyLimiter(share_of=lambda _: cast(Any, share))
        await asyncio.gather(*(limiter.run(int) for _ in range(ended)))
        await asyncio.gather(*(limiter.run(call) for _ in range(8)))

    def workers(wanted: int) -> int:
        if not wanted:  # the call has ended
            share.interval = 60.0
        return max(1, min(wanted, 8))

    share = Share(0.0 if ended else 60.0, workers)

    asyncio.run(main())


def test_cancelled_calls_leave_the_others_alone() -> None:
    """The greenlet of a call that has ended runs others: those must not be hit by what cancels the first."""
    running = most = 0

    def call(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            gevent.sleep(0.001 * (number % 3))
        finally:
            running -= 1
        return number

    async def main() -> None:
        limiter = ConcurrencyLimiter(5)
        calls = [asyncio.ensure_future(limiter.run(call, number)) for number in range(200)]
        calls[0].cancel()  # before it was sent to the hub
        for number in range(1, 200, 3):
            await asyncio.sleep(0.0005 * (number % 2))
            calls[number].cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        cancelled = {number for number, outcome in enumerate(outcomes)
                     if isinstance(outcome, asyncio.CancelledError)}
        assert cancelled <= {0, *range(1, 200, 3)}
        assert 0 in cancelled
        assert [outcome for number, outcome in enumerate(outcomes) if number not in cancelled] == [
            number for number in range(200) if number not in cancelled]
        assert await limiter.run(call, 7) == 7

    asyncio.run(main())
    assert most <= 5


def test_calls_without_a_hub_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_hub() -> None:
        raise ImportError("no gevent")

    async def main() -> None:
        monkeypatch.setattr("cloudfiles.aio.concurrency_limiter.hub_runtime", no_hub)
        with pytest.raises(ImportError, match="no gevent"):
            await ConcurrencyLimiter().run(print)

    asyncio.run(main())


def test_thousands_of_local_awaits(tmp_path: Path) -> None:
    others = threading.active_count()
    cf = AsyncCloudFiles(f"file://{tmp_path}/")

    async def main() -> list[bytes]:
        await asyncio.gather(*(cf.put(str(n), b"%d" % n) for n in range(1000)))
        found: list[bytes] = await asyncio.gather(*(cf.get(str(n)) for n in range(1000)))
        assert threading.active_count() - others < 50
        return found

    assert asyncio.run(main()) == [b"%d" % n for n in range(1000)]


def test_many_batches_at_once_open_few_connections(fault_server: S3Server) -> None:
    fault_server.put_many({str(n): b"%d" % n for n in range(50)})
    cf = on(fault_server, num_threads=5, hedge=False)
    before, _ = fault_server.connections()

    async def main() -> None:
        for found in await asyncio.gather(*(cf.get([str(n) for n in range(50)]) for _ in range(60))):
            assert [r["content"] for r in found] == [b"%d" % n for n in range(50)]

    asyncio.run(main())
    assert fault_server.connections()[0] - before <= 20


def test_moving(fault_server: S3Server, tmp_path: Path, run: Run) -> None:
    fault_server.put_many({str(n): b"%d" % n for n in range(50)})
    here, there = AsyncCloudFiles(f"file://{tmp_path}/"), on(fault_server)

    async def main() -> None:
        await here.transfer_from(there)
        assert await here.get("7") == b"7"
        await here.transfer_to(there, {"path": "7", "dest_path": "copy"})
        assert await there.get("copy") == b"7"
        await here.move("7", "8b")
        assert await here.exists(["7", "8b"]) == {"7": False, "8b": True}

    run(main())


def test_cancelling_a_transfer(fault_server: S3Server, tmp_path: Path) -> None:
    fault_server.put_many({str(n): b"%d" % n for n in range(50)})
    fault_server.script(Rule(Stall(), key="25", times=None))

    async def main() -> None:
        task = asyncio.ensure_future(AsyncCloudFiles(f"file://{tmp_path}/").transfer_from(on(fault_server)))
        await until(lambda: len(list(tmp_path.iterdir())) > 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not list(tmp_path.glob(".cloudfiles-*")))
        await until(lambda: fault_server.connections()[1] == 0 or not any(
            thread.name.startswith("cloudfiles-aio-fed") for thread in threading.enumerate()))

    asyncio.run(main())


# ---- what it is fed with


async def slowly(items: Any) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item


def from_thread(items: Any, threads: set[int]) -> Iterator[Any]:
    """A generator that minds which thread it is in."""
    for item in items:
        threads.add(threading.get_ident())
        yield item


def test_async_iterables(cf: AsyncCloudFiles, run: Run) -> None:
    paths = [f"{n}" for n in range(500)]

    async def main() -> None:
        assert await cf.puts(slowly((path, path.encode()) for path in paths)) == 500
        assert [r["content"] for r in await cf.get(slowly(paths))] == [path.encode() for path in paths]
        assert {r["path"] async for r in cf.stream(slowly(paths))} == set(paths)
        assert await cf.exists(slowly(["1", "none"])) == {"1": True, "none": False}
        assert await cf.delete(slowly(paths)) == 500

    run(main())


def test_iterators_are_taken_on_other_threads(cf: AsyncCloudFiles) -> None:
    threads: set[int] = set()
    paths = [f"{n}" for n in range(300)]

    async def main() -> None:
        assert await cf.puts(from_thread(((path, path.encode()) for path in paths), threads)) == 300
        assert [r["content"] for r in await cf.get(from_thread(paths, threads))] == [p.encode() for p in paths]
        assert {r["path"] async for r in cf.stream(from_thread(paths, threads))} == set(paths)

    asyncio.run(main())
    engine = {thread.ident for thread in threading.enumerate() if thread.name == "cloudfiles-engine"}
    assert threads.isdisjoint({threading.get_ident()} | engine)


def test_a_blocking_iterator_blocks_nobody_else(fault_server: S3Server) -> None:
    fault_server.put("a", b"1")
    cf = on(fault_server)
    go_on = threading.Event()

    def blocking() -> Iterator[str]:
        yield "a"
        assert go_on.wait(20)
        yield "a"

    async def main() -> None:
        batches = [asyncio.ensure_future(cf.get(blocking())) for _ in range(10)]
        for _ in range(20):
            assert await cf.get("a") == b"1"
            assert [r["content"] for r in await cf.get(["a", "a"])] == [b"1", b"1"]
        assert not any(batch.done() for batch in batches)
        go_on.set()
        for found in await asyncio.gather(*batches):
            assert [r["content"] for r in found] == [b"1", b"1"]

    asyncio.run(main())


def test_a_batch_may_be_fed_by_the_same_store(cf: AsyncCloudFiles) -> None:
    """However many batches wait for what their feeds await, those get through."""
    async def main() -> None:
        await cf.puts([(str(n), b"%d" % n) for n in range(10)])

        async def copies(batch: int) -> AsyncIterator[Any]:
            for n in range(10):
                yield f"to/{batch}/{n}", await cf.get(str(n))
                assert (await cf.get([str(n)]))[0]["content"] == b"%d" % n

        await asyncio.gather(*(cf.puts(copies(batch)) for batch in range(30)))
        assert await cf.get("to/29/9") == b"9"

    asyncio.run(main())


def test_an_error_of_the_feed_is_the_batchs(cf: AsyncCloudFiles) -> None:
    async def broken() -> AsyncIterator[Any]:
        yield "a", b"1"
        raise KeyError("of the feed")

    def broken_too() -> Iterator[Any]:
        yield "a", b"1"
        raise KeyError("of the feed")

    async def main() -> None:
        for feed in (broken(), broken_too()):
            with pytest.raises(KeyError, match="of the feed"):
                await cf.puts(feed)
        assert await cf.get("b") is None

    asyncio.run(main())


# ---- errors


def test_errors_are_those_of_the_verbs(fault_server: S3Server) -> None:
    fault_server.script(Rule(Status(403), key="secret", times=None), Rule(slow_down(), key="busy", times=2))
    fault_server.put_many({"a": b"1", "busy": b"2"})
    cf = on(fault_server)

    async def main() -> None:
        with pytest.raises(AuthorizationError):
            await cf.get("secret")
        with pytest.raises(AuthorizationError):
            await cf.get(["a", "secret", "a"])
        found = await cf.get(["secret", "a"], raise_errors=False)
        assert isinstance(found[0]["error"], AuthorizationError)
        assert found[1]["content"] == b"1"
        with pytest.raises(AuthorizationError):
            async for _ in cf.stream(["a", "secret"]):
                pass
        assert await cf.get("busy") == b"2"
        for wrong in (5, b"bytes", None):
            with pytest.raises(InvalidInputError):
                await cf.get(wrong)

    asyncio.run(main())
    with pytest.raises(InvalidInputError):
        AsyncCloudFiles("s3://bucket/", num_threads=-1)


# ---- cancelling


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not come to pass"
        await asyncio.sleep(0.01)


AWAITED: dict[str, Callable[[AsyncCloudFiles], Awaitable[Any]]] = {
    "one": lambda cf: cf.get("k1"),
    "many": lambda cf: cf.get([f"k{n}" for n in range(100)]),
    "fed": lambda cf: cf.get(slowly(f"k{n}" for n in range(100))),
    "fed by a thread": lambda cf: cf.get(f"k{n}" for n in range(100)),
    "put": lambda cf: cf.put("k1", b"x" * 100_000),
    "puts": lambda cf: cf.puts([(f"k{n}", b"x") for n in range(100)]),
    "exists": lambda cf: cf.exists([f"k{n}" for n in range(5)]),
}


@pytest.mark.parametrize("verb", AWAITED)
def test_cancelling_closes_connections(fault_server: S3Server, run: Run, verb: str) -> None:
    fault_server.script(Rule(Stall(), times=None))
    cf = on(fault_server)

    async def main() -> None:
        task = asyncio.ensure_future(AWAITED[verb](cf))
        await until(lambda: fault_server.connections()[1] > 0)
        await asyncio.sleep(0.05)
        task.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 5
        await until(lambda: fault_server.connections()[1] == 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        fault_server.script()
        assert await cf.get("none") is None  # and the store goes on working

    run(main())


def test_cancelling_what_waits_in_line(fault_server: S3Server) -> None:
    fault_server.put("a", b"1")
    fault_server.script(Rule(Stall(), key="stalls", times=None))
    cf = on(fault_server, num_threads=2)

    async def main() -> None:
        stalled = [asyncio.ensure_future(cf.get("stalls")) for _ in range(2)]
        waiting = [asyncio.ensure_future(cf.get("a")) for _ in range(50)]
        await until(lambda: fault_server.connections()[1] == 2)
        for task in waiting[:25]:
            task.cancel()
        await asyncio.wait(waiting[:25], timeout=5)
        assert all(task.cancelled() for task in waiting[:25])
        for task in stalled:
            task.cancel()
        assert await asyncio.gather(*waiting[25:]) == [b"1"] * 25

    asyncio.run(main())


def test_what_is_cancelled_twice_is_not_logged(fault_server: S3Server) -> None:
    """As by a Ctrl-C under `asyncio.run`."""
    fault_server.script(Rule(Stall(), times=None))
    cf = on(fault_server, num_threads=2)
    logged: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context["message"]))
        tasks = [asyncio.ensure_future(cf.get(str(n), raw=True)) for n in range(10)]
        await until(lambda: fault_server.connections()[1] == 2)
        for _ in range(2):
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in found} == {asyncio.CancelledError}
        await until(lambda: fault_server.connections()[1] == 0)
        fault_server.script()
        assert await cf.get("none", raw=True) is None

    asyncio.run(main())
    gc.collect()
    assert logged == []


def test_a_timeout_cancels(fault_server: S3Server) -> None:
    fault_server.script(Rule(Stall(), times=None))
    cf = on(fault_server)

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(cf.get(["a", "b"]), 0.1)
        await until(lambda: fault_server.connections()[1] == 0)

    asyncio.run(main())


def test_leaving_a_stream_early(fault_server: S3Server, run: Run) -> None:
    fault_server.put_many({str(n): b"x" for n in range(3000)})
    cf = on(fault_server)
    closed = []

    async def paths() -> AsyncIterator[str]:
        try:
            for n in range(3000):
                yield str(n)
        finally:
            closed.append(True)

    async def main() -> None:
        async with aclosing(cf.stream(paths(), max_items=50)) as results:
            async for _ in results:
                break
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert closed == [True]
        async with aclosing(cf.list()) as found:
            async for _ in found:
                break

    run(main())
    assert len(fault_server.requests("GET")) < 1500


def test_a_stream_is_held_back_by_its_consumer(fault_server: S3Server) -> None:
    fault_server.put_many({str(n): b"x" * 1000 for n in range(2000)})
    cf = on(fault_server)

    async def main() -> None:
        async with aclosing(cf.stream([str(n) for n in range(2000)], max_items=20, max_bytes=20_000)) as results:
            await results.__anext__()
            seen = -1
            while (now := len(fault_server.requests("GET"))) != seen:
                seen = now
                await asyncio.sleep(0.3)
            assert seen < 300
            assert len([r async for r in results]) == 1999

    asyncio.run(main())


def test_cancelling_local_work_stops_it(tmp_path: Path) -> None:
    cf = AsyncCloudFiles(f"file://{tmp_path}/")
    taken = []

    def endless() -> Iterator[Any]:
        while True:
            taken.append(None)
            yield f"k{len(taken) % 100}", b"x"

    async def never() -> AsyncIterator[Any]:
        yield "a", b"1"
        await asyncio.Event().wait()

    async def main() -> None:
        for feed in (endless(), never()):
            task = asyncio.ensure_future(cf.puts(feed))
            await until(lambda: (tmp_path / "a").exists() or len(taken) > 50)
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            count = len(taken)
            await asyncio.sleep(0.2)
            assert len(taken) <= count + 1000
        await until(lambda: not [t for t in threading.enumerate() if t.name.startswith("cloudfiles-aio-fed")])

    asyncio.run(main())
    assert not list(tmp_path.glob(".cloudfiles-*"))


# ---- loops, threads, processes


def test_many_loops_in_many_threads(fault_server: S3Server) -> None:
    fault_server.put_many({str(n): b"%d" % n for n in range(100)})
    cf = on(fault_server)
    found: list[Any] = []

    async def main() -> list[Any]:
        return await asyncio.gather(*(cf.get(str(n)) for n in range(100)))

    threads = [threading.Thread(target=lambda: found.append(asyncio.run(main()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[b"%d" % n for n in range(100)]] * 8


def test_beside_the_synchronous_verbs(fault_server: S3Server) -> None:
    fault_server.put_many({str(n): b"%d" % n for n in range(100)})
    cf = on(fault_server)

    async def main() -> None:
        task = asyncio.ensure_future(cf.get([str(n) for n in range(100)]))
        there = await asyncio.to_thread(cf.sync.get, [str(n) for n in range(100)])
        assert there == await task

    asyncio.run(main())


def test_the_engine_may_be_closed_meanwhile(fault_server: S3Server) -> None:
    fault_server.script(Rule(Stall(), key="stalls", times=None))
    fault_server.put("a", b"1")
    cf = on(fault_server)

    async def main() -> None:
        task = asyncio.ensure_future(cf.get("stalls"))
        await until(lambda: fault_server.connections()[1] == 1)
        await asyncio.to_thread(close_engine)
        done, _ = await asyncio.wait([task], timeout=10)
        assert done
        assert task.cancelled() or task.exception() is not None
        assert await cf.get("a") == b"1"

    asyncio.run(main())


def test_nothing_is_left(fault_server: S3Server, no_leaks: Any) -> None:
    fault_server.put_many({str(n): b"1" for n in range(10)})

    async def main() -> None:
        cf = on(fault_server)
        await asyncio.gather(*(cf.get(str(n)) for n in range(10)))
        await cf.get(slowly(str(n) for n in range(10)))
        await cf.get(str(n) for n in range(10))

    asyncio.run(main())
    close_engine()
    with no_leaks():
        asyncio.run(main())
        close_engine()


def test_pickle_and_equality() -> None:
    cf = AsyncCloudFiles("mem://bucket/", num_threads=3)
    copy = pickle.loads(pickle.dumps(cf))
    assert copy == cf == AsyncCloudFiles.of(CloudFiles("mem://bucket/", num_threads=3))
    assert (copy.cloudpath, copy.protocol, repr(copy)) == ("mem://bucket/", "mem", "AsyncCloudFiles('mem://bucket/')")
    assert hash(copy) == hash(cf)


BESIDE_GEVENT = """
import gevent, gevent.monkey
{prepared}
import asyncio, json, os
from cloudfiles.aio import AsyncCloudFiles
from cloudfiles.aio.concurrency_limiter import ConcurrencyLimiter

async def main():
    cf = AsyncCloudFiles(os.environ["STORE"], secrets=json.loads(os.environ["SECRETS"]))
    assert await asyncio.gather(*(cf.get(str(n)) for n in range(50))) == [b"%d" % n for n in range(50)]
    assert len(await cf.get([str(n) for n in range(50)])) == 50
    print("right")

asyncio.run(main())
"""


@pytest.mark.parametrize("prepared", ["gevent.monkey.patch_all()", "gevent.sleep(0)"], ids=["patched", "with a hub"])
def test_beside_gevent(fault_server: S3Server, prepared: str) -> None:
    """A thread's own hub stands still while its event loop waits, unless the loop was patched."""
    fault_server.put_many({str(n): b"%d" % n for n in range(50)})
    store = f"s3://{fault_server.url}/bucket/"
    program = BESIDE_GEVENT.replace("{prepared}", prepared)
    assert run_program(program, STORE=store, SECRETS=json.dumps(fault_server.secrets)) == "right"


def test_an_unusual_failure_is_an_error(fault_server: S3Server) -> None:
    fault_server.script(Rule(Status(418), times=None))

    async def main() -> None:
        with pytest.raises(CloudFilesError):
            await on(fault_server).get("a")

    asyncio.run(main())


def test_a_file_that_stands_at_its_end_is_refused(run: Run) -> None:
    file = io.BytesIO(b"content")
    file.seek(0, io.SEEK_END)

    async def main() -> None:
        cf = AsyncCloudFiles("mem://bucket/at-its-end/")
        for path in ("a", numpy.str_("a")):
            with pytest.raises(InvalidInputError, match=r"seek\(0\)"):
                await cf.put(path, file)
        file.seek(0)
        await cf.put(numpy.str_("a"), file)
        assert await cf.get(numpy.str_("a")) == b"content"
        assert await cf.get_acl("a") == {"a": None}

    run(main())


def test_directories(fault_server: S3Server, tmp_path: Path, run: Run) -> None:
    async def main(cf: AsyncCloudFiles) -> None:
        await cf.puts([("run1/a", b"1"), ("run1/b/c", b"22"), ("run10/a", b"333")])
        assert sorted([path async for path in cf.find("run1")]) == ["run1/a", "run1/b/c"]
        assert dict([pair async for pair in cf.ls("run1", size=True)]) == {"run1/a": 1, "run1/b/": None}
        assert await cf.du(["run1", "run10"]) == {"N": 3, "num_bytes": 6}
        assert await cf.rm("run1", recursive=True) == 2
        assert [path async for path in cf] == ["run10/a"]

    run(main(AsyncCloudFiles(f"file://{tmp_path}/")))
    run(main(on(fault_server)))
