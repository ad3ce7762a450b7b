"""A transfer of hundreds of objects whose process is killed at random points, and resumed each time."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, ResumableTransfer
from cloudfiles.interfaces.file.temporaries import is_temporary
from cloudfiles.testing import S3Server
from tests.internals import PART
from tests.transfer import killed
from tests.transfer.conftest import tree

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL and no forks")


@pytest.fixture(scope="module")
def contents(full: bool) -> dict[str, bytes]:
    chance = random.Random(4)
    small = {f"d{n % 13}/{n:04}": chance.randbytes(chance.choice([0, 10, 1000, 20_000]))
             for n in range(1992 if full else 592)}
    large = {f"large/{n}": chance.randbytes(PART * (9 + 2 * n) // 8) for n in range(8 if full else 3)}
    return small | large


@pytest.fixture(scope="module")
def processes() -> Any:
    """Processes that start in milliseconds, forked from one that has no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.transfer.killed"])
    return context


class Killed:
    """Executes a journal in processes that die. server: what has a `url`, and the `secrets` for it."""

    def __init__(self, context: Any, db: Path, stores: tuple[str, str], server: Any) -> None:
        self._context = context
        self._args = (str(db), stores, server.secrets, server.url)

    def run(self, die_at: int, steps: str = "any") -> bool:
        """Whether it was killed; else it came to its end."""
        process = self._context.Process(target=killed.work, args=(*self._args, die_at, steps))
        process.start()
        process.join(60)
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        return bool(process.exitcode)


def done_of(rt: ResumableTransfer) -> set[str]:
    return {record["path"] for record in rt.records() if record["state"] == "done"}


def _points(seed: int, full: bool) -> list[tuple[int, str]]:
    """Where to die: numbers of steps, and which steps are counted. Fifty of them, or a few."""
    chance = random.Random(seed)
    anywhere, in_parts = (38, 12) if full else (5, 3)
    return ([(chance.randrange(1, 300), "any") for _ in range(anywhere)]
            + [(chance.randrange(1, 9), "parts") for _ in range(in_parts)])


@pytest.mark.long
def test_to_disk(processes: Any, server: S3Server, tmp_path: Path, contents: dict[str, bytes],
                 full: bool) -> None:
    server.put_many(contents)
    source, target = f"s3://{server.bucket}/", f"file://{tmp_path}/out/"
    s3 = CloudFiles(source, endpoint=server.url, secrets=server.secrets)
    rt = ResumableTransfer(tmp_path / "journal")
    assert rt.init(s3, target) == len(contents)
    worker = Killed(processes, tmp_path / "journal", (source, target), server)
    inodes: dict[str, int] = {}
    for die_at, steps in _points(1, full):
        assert worker.run(die_at, steps)
        for path in (tmp_path / "out").rglob("*"):
            if path.is_file() and not is_temporary(path.name):
                key = path.relative_to(tmp_path / "out").as_posix()
                assert path.stat().st_size == len(contents[key])
        done = done_of(rt)
        assert done >= inodes.keys()
        inodes |= {key: os.stat(tmp_path / "out" / key).st_ino for key in done - inodes.keys()}
    report = rt.execute()
    assert report
    assert report.done == len(contents)
    files = {path.relative_to(tmp_path / "out").as_posix(): path
             for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {key: path.read_bytes() for key, path in files.items()} == contents  # and no temporary file is left
    assert {key: files[key].stat().st_ino for key in inodes} == inodes  # nothing was done twice
    assert rt.verify()
    assert rt.close()
    assert sorted(os.listdir(tmp_path)) == ["out"]


def test_from_disk_to_disk(processes: Any, server: S3Server, tmp_path: Path, contents: dict[str, bytes],
                           full: bool) -> None:
    for key, content in contents.items():
        (tmp_path / "in" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / key).write_bytes(content)
    source, target = f"file://{tmp_path}/in/", f"file://{tmp_path}/out/"
    rt = ResumableTransfer(tmp_path / "journal")
    assert rt.init(source, target) == len(contents)
    worker = Killed(processes, tmp_path / "journal", (source, target), server)
    for die_at, _ in _points(3, full)[:12]:
        assert worker.run(die_at)
    assert rt.execute().done == len(contents)
    assert tree(tmp_path / "out") == contents  # and no temporary file is left
    assert rt.close()


@pytest.mark.long
def test_to_s3(processes: Any, server: S3Server, tmp_path: Path, contents: dict[str, bytes],
               full: bool) -> None:
    for key, content in contents.items():
        (tmp_path / "in" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / key).write_bytes(content)
    source, target = f"file://{tmp_path}/in/", f"s3://{server.bucket}/"
    s3 = CloudFiles(target, endpoint=server.url, secrets=server.secrets)
    rt = ResumableTransfer(tmp_path / "journal")
    assert rt.init(source, s3) == len(contents)
    worker = Killed(processes, tmp_path / "journal", (source, target), server)
    done: set[str] = set()
    for die_at, steps in _points(2, full):
        assert worker.run(die_at, steps)
        written = {request.key for request in server.requests("PUT")} | {
            request.key for request in server.requests("POST")}
        assert not written & done  # nothing is done twice
        server.forget()
        assert done <= done_of(rt)
        done = done_of(rt)
    report = rt.execute()
    assert report
    assert report.half_done == 0
    assert server.contents() == contents
    assert server.uploads() == []
    assert rt.close()
