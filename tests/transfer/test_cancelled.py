"""Nothing of a batch acts after the batch has returned or raised: native threads that write are waited for, what is
abandoned publishes nothing, and no temporary file stays."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.aio import AsyncCloudFiles
from cloudfiles.batch.fanout import Plan, collect, stream
from cloudfiles.exceptions import AuthorizationError
from cloudfiles.interfaces.file import file_part_writer, objects
from cloudfiles.interfaces.s3.interface import S3Interface
from cloudfiles.runtime import cancellation
from cloudfiles.runtime.cancellation import current_cancellation
from cloudfiles.runtime.hub_engine import current_runtime
from cloudfiles.testing import Rule, S3Server, s3_error
from tests.internals import PART, Replace
from tests.transfer.conftest import tree

OLD = b"old bytes" * PART
LARGE = bytes(PART * 5 // 2)


class Held:
    """A write to a local file that the file system keeps until it is let go.

    Attributes:
        reached: a write is being kept. left: none is, any more.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._count = threading.Semaphore(1)
        self.reached = threading.Event()
        self.left = threading.Event()
        self._free = threading.Event()

    def __call__(self, *args: Any) -> Any:
        result = self._function(*args)
        if self._count.acquire(blocking=False):  # the first one only
            self.reached.set()
            assert self._free.wait(60)
            threading.Timer(0, self.left.set).start()
        return result

    def close_after_interrupt(self) -> None:
        self._free.set()


@pytest.fixture
def held(internals: Replace) -> Iterator[Held]:
    """The first file that is written whole."""
    internals(grace_seconds=0.05)
    held = Held(objects.write_new)
    internals(write_new=held)
    yield held
    held.close_after_interrupt()


@pytest.fixture
def refused(server: S3Server, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object of this name is refused as soon as another one is being written."""
    server.script(Rule(s3_error(403, "AccessDenied"), key="refused", times=None))
    for name in ("get", "get_bounded"):
        _after(held.reached, S3Interface, name, monkeypatch)


def _after(event: threading.Event, kind: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = getattr(kind, name)

    def waiting(self: Any, key: str, *args: Any) -> Any:
        while key == "refused" and not event.is_set():
            self._runtime.sleep(0.002)
        return read(self, key, *args)

    monkeypatch.setattr(kind, name, waiting)


class Call(threading.Thread):
    """A call in a thread; what it raised is in `error`."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        super().__init__(daemon=True)
        self._call = function, args
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        function, args = self._call
        try:
            function(*args)
        except BaseException as error:
            self.error = error

    def ends_soon(self) -> bool:
        self.join(0.3)
        return not self.is_alive()


# ---- transfers


@pytest.mark.usefixtures("refused")
def test_a_transfer_ends_when_its_writes_have_ended(server: S3Server, s3: CloudFiles, held: Held,
                                                    tmp_path: Path) -> None:
    server.put_many({"a": OLD[:PART], "refused": b"x"})
    call = Call(s3.transfer_to, f"file://{tmp_path}/disk/", ["a", "refused"])
    assert held.reached.wait(30)
    assert not call.ends_soon()
    held.close_after_interrupt()
    call.join(30)
    assert isinstance(call.error, AuthorizationError)
    assert tree(tmp_path) == {}


@pytest.mark.usefixtures("refused")
def test_what_was_abandoned_is_never_published(server: S3Server, s3: CloudFiles, held: Held, tmp_path: Path,
                                               internals: Replace) -> None:
    """A mount that hangs for longer than a batch waits for it: the program goes on, and writes something newer."""
    internals(file_grace_seconds=0.05)
    server.put_many({"a": OLD[:PART], "refused": b"x"})
    with pytest.raises(AuthorizationError):
        s3.transfer_to(f"file://{tmp_path}/disk/", ["a", "refused"])
    (tmp_path / "disk" / "a").write_bytes(b"newer")
    held.close_after_interrupt()
    deadline = time.monotonic() + 30
    while len(tree(tmp_path)) > 1 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert tree(tmp_path) == {"disk/a": b"newer"}


def test_a_large_object_ends_when_its_parts_have_ended(server: S3Server, s3: CloudFiles, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch, internals: Replace) -> None:
    """A part that fails closes the file only after the others have been written to it."""
    internals(grace_seconds=0.05)
    held = Held(file_part_writer._pwrite)
    internals(pwrite=held)
    server.put("big", LARGE)
    read = S3Interface.get

    def failing(self: Any, key: str, start: int | None = None, end: int | None = None) -> Any:
        while start and not held.reached.is_set():
            self._runtime.sleep(0.002)
        if start:
            raise AuthorizationError("no", path=key)
        return read(self, key, start, end)

    monkeypatch.setattr(S3Interface, "get", failing)
    call = Call(s3.transfer_to, f"file://{tmp_path}/disk/", ["big"])
    assert held.reached.wait(30)
    assert not call.ends_soon()
    assert len(tree(tmp_path)) == 1
    held.close_after_interrupt()
    call.join(30)
    assert isinstance(call.error, AuthorizationError)
    assert tree(tmp_path) == {}


# ---- batches of local files


def test_puts_end_when_their_writes_have_ended(held: Held, tmp_path: Path, internals: Replace) -> None:
    internals(fanout_probe=1)
    internals(fanout_slow=0.0)  # from the second file on by threads
    internals(write_new=held._function)
    CloudFiles(f"file://{tmp_path}/").put("taken/x", b"x")  # so that `taken` cannot be written

    def write(file: str, content: Any, *more: Any) -> str:
        result: str = (held if content == OLD else held._function)(file, content, *more)
        return result

    def files() -> Iterator[tuple[str, bytes]]:
        yield "first", b"first"
        yield "a", OLD
        assert held.reached.wait(30)
        yield "taken", b"fails"

    internals(write_new=write)
    call = Call(CloudFiles(f"file://{tmp_path}/").puts, files())
    assert held.reached.wait(30)
    assert not call.ends_soon()
    held.close_after_interrupt()
    call.join(30)
    assert "a directory has this name" in str(call.error)
    assert tree(tmp_path) == {"first": b"first", "taken/x": b"x"}


# ---- other ends


def test_an_interrupt_waits_for_writes(server: S3Server, s3: CloudFiles, held: Held, tmp_path: Path) -> None:
    server.put("a", OLD[:PART])
    interrupted: list[bool] = []

    def interrupt() -> None:
        assert held.reached.wait(30)
        os.kill(os.getpid(), signal.SIGINT)
        interrupted.append(not ended.wait(0.3))
        held.close_after_interrupt()

    ended = threading.Event()
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        try:
            s3.transfer_to(f"file://{tmp_path}/disk/", ["a"])
        finally:
            ended.set()
    thread.join()
    assert interrupted == [True]
    assert tree(tmp_path) == {}


async def assert_cancelling_waits(task: asyncio.Future[Any], held: Held) -> None:
    """Cancel a task that writes, which does not end before the write does."""
    while not held.reached.is_set():
        await asyncio.sleep(0.002)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=0.3)
    assert not done
    held.close_after_interrupt()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_cancelled_task_waits_for_writes(server: S3Server, held: Held, tmp_path: Path) -> None:
    server.put("a", OLD[:PART])

    async def main() -> None:
        cf = AsyncCloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets)
        task = asyncio.ensure_future(asyncio.wait_for(cf.transfer_to(f"file://{tmp_path}/disk/", ["a"]), 60))
        await assert_cancelling_waits(task, held)
        assert tree(tmp_path) == {}

    asyncio.run(main())


def test_a_cancelled_put_of_local_files_waits_for_them(held: Held, tmp_path: Path) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(AsyncCloudFiles(f"file://{tmp_path}/").puts([("a", OLD), ("b", b"")]))
        await assert_cancelling_waits(task, held)
        assert tree(tmp_path) == {}

    asyncio.run(main())


@pytest.mark.parametrize("how", ["collect", "stream"])
def test_no_worker_continues(green: bool, how: str, internals: Replace) -> None:
    """Work that never waits is not told by an exception that it is over: nothing new is begun all the same."""
    internals(grace_seconds=0.0)
    runtime = current_runtime(green)
    begun: list[Any] = []
    before = set(threading.enumerate())

    def work(item: int) -> int:
        mine = current_cancellation()
        assert mine is not None
        if item:
            while not mine.is_cancelled:
                runtime.sleep(0.001)  # of a hub that another test left in this thread, too
        begun.append(mine)
        return item

    def stop(_: int) -> None:
        if begun:
            raise KeyError

    if how == "collect":
        with pytest.raises(KeyError):
            collect(work, range(1000), Plan(runtime, 4, report=stop))
    else:
        results = stream(work, range(1000), Plan(runtime, 4), max_items=500, max_bytes=1 << 20, weigh=lambda _: 1)
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 30
    while any(thread.name == "cloudfiles-worker" for thread in set(threading.enumerate()) - before):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert len(begun) <= 5


def test_work_inside_other_work_is_cancelled_with_it() -> None:
    outer = cancellation.Cancellation()
    with outer.current():
        inner = cancellation.Cancellation()
    effect = inner.writing()
    effect.begin()
    assert outer.has_file_operations(time.monotonic())
    outer.cancel()
    assert inner.is_cancelled
    effect.end()
    assert not outer.has_file_operations(time.monotonic())
    with pytest.raises(cancellation.Cancelled):
        inner.publishing().begin()
    assert not outer.has_file_operations(time.monotonic())


def test_a_publication_is_waited_for_however_long(internals: Replace) -> None:
    internals(file_grace_seconds=-1.0)
    work = cancellation.Cancellation()
    with work.writing():
        work.cancel()
        assert not work.has_file_operations(time.monotonic())
    work = cancellation.Cancellation()
    with work.publishing():
        work.cancel()
        assert work.has_file_operations(time.monotonic())
