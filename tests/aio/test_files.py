"""Single files, awaited: thousands at once, cancelled anywhere, with aiohttp's arguments."""

from __future__ import annotations

import asyncio
import hashlib
import io
import math
import os
import pickle
import sys
import threading
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import urllib3

import cloudfiles
from cloudfiles.aio import download_file, download_fileobj, files, upload_file, upload_fileobj
from cloudfiles.exceptions import ApiException, InvalidInputError, ObjectChangedError, UnusableFileError
from cloudfiles.files import ExchangeError
from cloudfiles.runtime.hub_engine import close_engine
from cloudfiles.testing import (
    IgnoreRange,
    Replaced,
    ResetBefore,
    ResetInBody,
    ResetInUpload,
    Rule,
    S3Server,
    Stall,
    Status,
    slow_down,
)
from cloudfiles.testing.s3_objects import make_object
from tests.aio.conftest import Run
from tests.aio.test_aio import until
from tests.core.programs import run_program
from tests.transfer.conftest import KINDS, Make
from tests.transfer.test_files import LARGE, STEP, versions

CONTENT = os.urandom(100_000)
CHUNK = 16_384


@pytest.fixture
def url(fault_server: S3Server) -> str:
    fault_server.put_page("dir/a file.bin", CONTENT)
    return f"{fault_server.url}/dir/a%20file.bin"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def recorder() -> tuple[list[tuple[int, int]], Callable[[int, int], Any]]:
    calls: list[tuple[int, int]] = []

    async def callback(done: int, total: int) -> None:
        await asyncio.sleep(0)
        calls.append((done, total))

    return calls, callback


def test_download(url: str, tmp_path: Path, run: Run) -> None:
    calls, callback = recorder()
    found = run(download_file(url, tmp_path, chunk_size=CHUNK, callback_func=callback))
    assert found == (tmp_path / "a file.bin", 100_000)
    assert found[0].read_bytes() == CONTENT
    assert calls == [(min(n * CHUNK, 100_000), 100_000) for n in range(1, 8)]
    assert os.listdir(tmp_path) == ["a file.bin"]


def test_upload(fault_server: S3Server, source: Path, run: Run) -> None:
    calls, callback = recorder()
    sent = run(upload_file(f"{fault_server.url}/bucket/up", source, chunk_size=CHUNK, callback_func=callback,
                           md5=hashlib.md5(CONTENT).digest(), headers={"x-amz-meta-a": "b"}))
    stored = fault_server.get("up")
    assert stored is not None
    assert (sent, stored.content) == (100_000, CONTENT)
    assert len(calls) == 7
    assert calls == sorted(calls)
    assert calls[-1] == (100_000, 100_000)
    assert {"content-md5", "x-amz-meta-a"} <= dict(fault_server.requests()[0].headers).keys()


def test_open_files(url: str, fault_server: S3Server, run: Run) -> None:
    file = io.BytesIO()
    assert run(download_fileobj(url, file)) == 100_000
    assert file.getvalue() == CONTENT
    assert run(upload_fileobj(f"{fault_server.url}/bucket/up", file)) == 100_000
    assert fault_server.contents() == {"up": CONTENT}


@pytest.mark.one_runtime
def test_thousands_at_once(fault_server: S3Server, tmp_path: Path, run: Run, full: bool,
                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFILES_MAX_CONCURRENCY", "64")
    monkeypatch.setattr("cloudfiles.transport.hedging.MIN_DELAY", math.inf)  # no more connections on a busy machine
    contents = {f"f{n}": b"%d" % n for n in range(2000 if full else 300)}
    fault_server.put_many(contents, bucket="")
    before, _ = fault_server.connections()
    most, others = 0, threading.active_count()

    async def get(name: str) -> None:
        nonlocal most
        await download_file(f"{fault_server.url}/{name}", tmp_path)
        most = max(most, threading.active_count() - others)

    async def main() -> None:
        await asyncio.gather(*map(get, contents))

    run(main())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents
    assert most < 50
    assert fault_server.connections()[0] - before <= 64


def test_more_files_at_once_than_descriptors(fault_server: S3Server, tmp_path: Path) -> None:
    """Also if the callbacks of calls make others, which must not wait for those."""
    fault_server.put_many({f"f{n}": b"%d" % n for n in range(400)}, bucket="")
    assert run_program(f"""
        import asyncio, resource
        from pathlib import Path
        from cloudfiles.aio.files import download_file, upload_file
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        url, there = {fault_server.url!r}, Path({str(tmp_path)!r})
        async def copy(number):
            async def again(done, total):
                await download_file(f"{{url}}/f{{number}}", there / f"again{{number}}")
            await download_file(f"{{url}}/f{{number}}", there, callback_func=again)
            return await upload_file(f"{{url}}/bucket/{{number}}", there / f"f{{number}}")
        async def main():
            return sum(await asyncio.gather(*map(copy, range(400))))
        print(asyncio.run(main()) == sum(len(str(number)) for number in range(400)))
    """) == "True"
    assert fault_server.contents() == {str(n): b"%d" % n for n in range(400)}
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}{n}" for n in range(400) for name in ("f", "again")}


def test_what_comes_slowly_is_read_by_several_connections(large: str, fault_server: S3Server, tmp_path: Path,
                                                          slow: bool, run: Run) -> None:
    calls, callback = recorder()
    assert run(download_file(large, tmp_path / "x", STEP, callback_func=callback)) == (tmp_path / "x", len(LARGE))
    assert (tmp_path / "x").read_bytes() == LARGE
    assert calls == [(STEP * n, len(LARGE)) for n in range(1, 10)]
    fault_server.script(Rule(Replaced(make_object(LARGE[::-1])), skip=5), Rule(Status(403), skip=18, times=None))
    run(download_file(large, tmp_path / "x", STEP))
    assert (tmp_path / "x").read_bytes() == LARGE[::-1]
    with pytest.raises(ApiException):
        run(download_file(large, tmp_path / "y", STEP))
    assert os.listdir(tmp_path) == ["x"]


def test_cancelled_where_several_are_read(large: str, fault_server: S3Server, tmp_path: Path, slow: bool,
                                          run: Run) -> None:
    fault_server.script(Rule(Stall(), skip=2, times=None))

    async def main() -> None:
        task = asyncio.ensure_future(download_file(large, tmp_path / "x", STEP))
        # Not connections: a chunk may have come before the last of those side by side with it was begun.
        await until(lambda: len(fault_server.requests()) >= (5 if slow else 3))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: fault_server.connections()[1] - idle <= 1)  # of a chunk that had come

    close_engine()
    idle = fault_server.connections()[1]
    run(main())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", [*KINDS, "web"])
def test_any_cloudpath(known: Make, kind: str, source: Path, tmp_path: Path, run: Run) -> None:
    store = known(kind).cloudpath
    calls, callback = recorder()
    assert run(upload_file(store + "a", source, chunk_size=CHUNK, callback_func=callback)) == 100_000
    assert calls[-1] == (100_000, 100_000)
    assert run(download_file(store + "a", tmp_path / "b", chunk_size=CHUNK)) == (tmp_path / "b", 100_000)
    assert (tmp_path / "b").read_bytes() == CONTENT
    with pytest.raises(ApiException):
        run(download_file(store + "none", tmp_path / "c"))
    file = io.BytesIO()
    assert run(download_fileobj(store + "a", file, chunk_size=CHUNK)) == 100_000
    assert run(upload_fileobj(store + "d", file)) == 100_000


# ---- faults


def test_faults_are_retried(url: str, fault_server: S3Server, tmp_path: Path, run: Run) -> None:
    fault_server.script(Rule(ResetInBody(), skip=1, times=2), Rule(slow_down(), skip=3, times=1))
    assert run(download_file(url, tmp_path, chunk_size=CHUNK, backoff_factor=0))[1] == 100_000
    assert (tmp_path / "a file.bin").read_bytes() == CONTENT


def test_a_broken_upload_is_retried(fault_server: S3Server, source: Path, run: Run) -> None:
    fault_server.script(Rule(ResetInUpload(5_000), times=2))
    assert run(upload_file(f"{fault_server.url}/bucket/up", source, backoff_factor=0)) == 100_000
    assert fault_server.contents() == {"up": CONTENT}


@pytest.mark.parametrize("retries", [0, 2])
def test_retries_are_counted(url: str, fault_server: S3Server, tmp_path: Path, retries: int, run: Run) -> None:
    fault_server.script(Rule(slow_down(), times=None))
    with pytest.raises(urllib3.exceptions.HTTPError):
        run(download_file(url, tmp_path, retries=retries, backoff_factor=0))
    assert len(fault_server.requests()) == retries + 1
    assert os.listdir(tmp_path) == []


def test_unexpected_answers(url: str, fault_server: S3Server, tmp_path: Path, source: Path, run: Run) -> None:
    fault_server.script(Rule(Status(403, (), b"no"), times=None))
    for transfer in (download_file(url, tmp_path / "here"), upload_file(f"{fault_server.url}/bucket/up", source)):
        with pytest.raises(ApiException) as caught:
            run(transfer)
        assert (caught.value.status, caught.value.body) == (403, b"no")
    assert os.listdir(tmp_path) == ["source"]


def test_an_object_replaced_meanwhile(url: str, fault_server: S3Server, tmp_path: Path, run: Run) -> None:
    new = os.urandom(70_000)
    fault_server.script(Rule(Replaced(make_object(new)), skip=2))
    assert run(download_file(url, tmp_path / "here", chunk_size=CHUNK))[1] == 70_000
    assert (tmp_path / "here").read_bytes() == new
    fault_server.script(versions)
    with pytest.raises(ObjectChangedError):
        run(download_file(url, tmp_path / "there", chunk_size=CHUNK))
    assert os.listdir(tmp_path) == ["here"]


def test_wrong_arguments(url: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(UnusableFileError):
        run(upload_file(url, tmp_path / "empty"))
    with pytest.raises(FileNotFoundError):
        run(upload_file(url, tmp_path / "none"))
    for wrong in ({"retries": -1}, {"backoff_factor": -1.0}, {"chunk_size": 0}):
        with pytest.raises(InvalidInputError):
            run(download_file(url, tmp_path / "here", **wrong))  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == ["empty"]


# ---- giving up


@pytest.mark.parametrize("skip", [0, 3])
def test_a_cancelled_download_leaves_nothing(url: str, fault_server: S3Server, tmp_path: Path, skip: int,
                                             run: Run) -> None:
    fault_server.script(Rule(Stall(), skip=skip, times=None))

    async def main() -> None:
        calls, callback = recorder()
        task = asyncio.ensure_future(download_file(url, tmp_path, chunk_size=CHUNK, callback_func=callback))
        await until(lambda: len(calls) == skip and fault_server.connections()[1] > 0)
        await asyncio.sleep(0.05)
        assert len(os.listdir(tmp_path)) == 1  # what is there by now, under a name of its own
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert os.listdir(tmp_path) == []
        await until(lambda: fault_server.connections()[1] == 0)

    run(main())


def test_downloads_cancelled_at_any_moment(fault_server: S3Server, tmp_path: Path, run: Run) -> None:
    fault_server.put_many({f"f{n}": CONTENT[:5000] for n in range(100)}, bucket="")

    async def main() -> None:
        tasks = [asyncio.ensure_future(download_file(f"{fault_server.url}/f{n}", tmp_path, chunk_size=1000))
                 for n in range(100)]
        for task in tasks:
            await asyncio.sleep(0.001)
            task.cancel()
        await asyncio.wait(tasks)
        done = {f"f{n}" for n, task in enumerate(tasks) if not task.cancelled()}
        # What was cancelled in the last moment may be there, and whole; under another name there is nothing.
        assert done <= set(os.listdir(tmp_path)) <= {f"f{n}" for n in range(100)}

    run(main())
    assert all(path.read_bytes() == CONTENT[:5000] for path in tmp_path.iterdir())


def test_a_cancelled_upload(fault_server: S3Server, source: Path, run: Run) -> None:
    fault_server.script(Rule(Stall(), times=None))

    async def main() -> None:
        _, callback = recorder()
        task = asyncio.ensure_future(upload_file(f"{fault_server.url}/bucket/up", source, callback_func=callback))
        await until(lambda: fault_server.connections()[1] > 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: fault_server.connections()[1] == 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_the_total_timeout(url: str, fault_server: S3Server, tmp_path: Path, source: Path, run: Run) -> None:
    fault_server.script(Rule(Stall(), times=None))
    total = urllib3.Timeout(total=0.1)
    for transfer in (download_file(url, tmp_path / "here", timeout=0.1),
                     upload_file(f"{fault_server.url}/bucket/up", source, timeout=0.1),
                     download_file(url, tmp_path / "here", timeout=total),
                     upload_file(f"{fault_server.url}/bucket/up", source, timeout=total)):
        with pytest.raises(ExchangeError, match="longer"):
            run(transfer)
    assert os.listdir(tmp_path) == ["source"]


def test_a_callback_that_fails(url: str, fault_server: S3Server, tmp_path: Path, source: Path, run: Run) -> None:
    async def callback(done: int, total: int) -> None:
        raise KeyError("of the callback")

    for transfer in (download_file(url, tmp_path / "here", callback_func=callback),
                     upload_file(f"{fault_server.url}/bucket/up", source, callback_func=callback)):
        with pytest.raises(KeyError, match="of the callback"):
            run(transfer)
    assert os.listdir(tmp_path) == ["source"]


# ---- aiohttp's arguments


class Connector:
    """As much of aiohttp's as counts."""

    def __init__(self, limit: int) -> None:
        self.limit = limit


class ClientTimeout:
    """As aiohttp's."""

    def __init__(self, total: float | None = None, sock_connect: float | None = None,
                 sock_read: float | None = None) -> None:
        self.total = total
        self.connect = None
        self.sock_connect = sock_connect
        self.sock_read = sock_read


def test_a_connector_limits_the_connections(fault_server: S3Server, tmp_path: Path, run: Run) -> None:
    fault_server.put_many({f"f{n}": b"%d" % n for n in range(50)}, bucket="")
    cloudfiles.reset_connection_pools()
    before, _ = fault_server.connections()

    async def main() -> None:
        connector = Connector(3)
        await asyncio.gather(*(download_file(f"{fault_server.url}/f{n}", tmp_path, connector=connector)
                               for n in range(50)))

    run(main())
    assert fault_server.connections()[0] - before <= 3
    assert len(os.listdir(tmp_path)) == 50


def test_an_executor_writes(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    names = set()

    def target_of(*args: Any) -> Path:
        names.add(threading.current_thread().name.rpartition("_")[0])
        return real(*args)

    real = files.target_of
    monkeypatch.setattr(files, "target_of", target_of)
    with ThreadPoolExecutor(2, thread_name_prefix="own") as executor:
        run(download_file(url, tmp_path, executor=executor))
    assert names == {"own"}


def test_aiohttps_timeouts(url: str, fault_server: S3Server, tmp_path: Path, run: Run) -> None:
    assert run(download_file(url, tmp_path, timeout=ClientTimeout(total=20, sock_read=5)))[1] == 100_000
    fault_server.script(Rule(Stall(), times=None))
    for timeout, message in ((ClientTimeout(total=0.1), r"longer than 0\.1 s"),
                             (ClientTimeout(sock_read=0.1), "did not respond for too long")):
        with pytest.raises(ExchangeError, match=message):
            run(download_file(url, tmp_path, timeout=timeout, retries=0))


def test_errors_are_aiohttps_too(url: str, fault_server: S3Server, tmp_path: Path,
                                 monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    class ClientError(Exception):
        pass

    module = types.ModuleType("aiohttp")
    module.ClientError = ClientError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "aiohttp", module)
    files._client_error_class.cache_clear()
    fault_server.script(Rule(ResetBefore(), times=None))
    with pytest.raises(ClientError) as caught:
        run(download_file(url, tmp_path, retries=1, backoff_factor=0))
    assert isinstance(caught.value, ExchangeError)
    assert len(caught.value.attempts) == 2
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is ExchangeError
    assert copy.attempts == caught.value.attempts
    files._client_error_class.cache_clear()


@pytest.mark.parametrize("size", [0, 5, 100_000])
def test_servers_without_ranges(fault_server: S3Server, tmp_path: Path, size: int, run: Run) -> None:
    content = bytes(range(250)) * 400
    fault_server.put_page("file", content[:size])
    fault_server.script(Rule(IgnoreRange(), times=None))
    found = run(download_file(f"{fault_server.url}/file", tmp_path / "here", chunk_size=16_384))
    assert found == (tmp_path / "here", size)
    assert (tmp_path / "here").read_bytes() == content[:size]
