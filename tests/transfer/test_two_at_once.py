"""One saved transfer, and two that want to run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, Downloader, Uploader
from cloudfiles.exceptions import AuthorizationError, FileSystemError, LockingError
from cloudfiles.testing import Rule, S3Server, s3_error
from cloudfiles.transfer.resume_state import FileLock, saved_state_files, state_directory
from cloudfiles.types import WriteOptions
from tests.internals import Replace
from tests.transfer.conftest import tree

pytestmark = [pytest.mark.one_runtime, pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    for n in range(5):
        (directory / f"{n}").write_bytes(b"x" * n)
    return directory


@pytest.fixture
def running(mem: CloudFiles, source: Path) -> Iterator[Uploader]:
    """An upload whose first file is done, and that waits then."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(current: int, total: int | None) -> None:
        begun.set()
        go_on.wait(60)

    up = Uploader(mem, "dir", source, run=False, progress_callback=wait, nthreads=1)
    up.run(monitor=False)
    assert begun.wait(60)
    yield up
    go_on.set()
    up.wait()


def test_the_second_is_refused(running: Uploader, mem: CloudFiles, source: Path) -> None:
    loaded = Uploader.load(saved_state_files("uploads")[0].path)
    for second in (loaded, Uploader(mem, "dir", source, run=False, overwrite=True)):
        with pytest.raises(LockingError, match="running in another process"):
            second.run()
        assert not second.active()
        with pytest.raises(LockingError, match="running in another process"):
            second.save(keep=False)
    with pytest.raises(LockingError):
        Uploader(mem, "dir", source, overwrite=True)


def test_one_that_runs_may_be_saved(mem: CloudFiles, source: Path) -> None:
    kept: list[int] = []

    def save(*_: Any) -> None:
        up.save()
        kept.append(len(saved_state_files("uploads")))

    up = Uploader(mem, "dir", source, run=False, progress_callback=save)
    up.run()
    assert set(kept) == {1}


def test_what_runs_is_not_cleared(running: Uploader, mem: CloudFiles, source: Path) -> None:
    Uploader(mem, "other", source, run=False).save()
    assert len(saved_state_files("uploads")) == 2
    Uploader.clear_saved()
    assert list(Uploader.load()) == [running.hash]


def test_others_may_run_meanwhile(running: Uploader, mem: CloudFiles, source: Path, tmp_path: Path) -> None:
    Uploader(mem, "other", source)
    Downloader(mem, "other", tmp_path / "out")
    assert set(tree(tmp_path / "out")) == {f"{n}" for n in range(5)}


def test_the_second_knows_what_the_first_has_done(mem: CloudFiles, source: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    first = Uploader(mem, "dir", source, run=False)
    first.save()
    path = saved_state_files("uploads")[0].path
    second = Uploader.load(path)
    with open(path, "a") as file:  # as the first one writes, before it is killed
        file.write(json.dumps({"done": "dir/2"}) + "\n")
    second.run()
    assert sorted(mem) == ["dir/0", "dir/1", "dir/3", "dir/4"]
    assert second.successful()
    assert os.listdir(state_directory("uploads")) == []


HOLDING = """
import sys, time
from cloudfiles.transfer.resume_state import FileLock
print(FileLock(sys.argv[1]).try_acquire(), flush=True)
time.sleep(600)
"""


def test_a_process_that_is_killed_releases_its_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "state")
    process = subprocess.Popen([sys.executable, "-c", HOLDING, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "True\n"
        hold = FileLock(path)
        assert not hold.try_acquire()
        hold.release()
        assert os.listdir(tmp_path / "new") == ["state.lock"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert hold.try_acquire()
    hold.release()
    assert os.listdir(tmp_path / "new") == []


def as_after_a_kill(path: str, places: list[str]) -> None:
    """The state as a process leaves it that is killed while it writes in these places."""
    first, *others = Path(path).read_text().splitlines()
    head = json.loads(first)
    head["request"] |= {"process": "1f-0123456789abcdef", "since": 0.0}
    lines = [json.dumps(head), *others, *(json.dumps({"begun": place}) for place in places)]
    Path(path).write_text("".join(line + "\n" for line in lines))


def test_temporary_files_of_a_killed_download_are_removed(mem: CloudFiles, tmp_path: Path) -> None:
    mem.puts([("dir/a", b"1"), ("dir/deep/b", b"2")])
    Downloader(mem, "dir", tmp_path / "out", run=False).save()
    as_after_a_kill(saved_state_files("downloads")[0].path, ["", "deep/"])
    for directory in ("out", "out/deep"):
        for process in ("1f-0123456789abcdef", "2f-0123456789abcdef"):
            (tmp_path / directory).mkdir(parents=True, exist_ok=True)
            (tmp_path / directory / f".cloudfiles-{process}-0.tmp").write_bytes(b"half")
    down, = Downloader.load().values()
    down.run()
    assert set(tree(tmp_path / "out")) == {
        "a", "deep/b", ".cloudfiles-2f-0123456789abcdef-0.tmp", "deep/.cloudfiles-2f-0123456789abcdef-0.tmp"}


def test_uploads_of_a_killed_upload_are_removed(server: S3Server, source: Path) -> None:
    s3 = CloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets)
    Uploader(s3, "dir", source, run=False).save()
    as_after_a_kill(saved_state_files("uploads")[0].path, ["dir/3"])
    for key in ("dir/3", "dir/4"):
        s3._store.here().open_writer(key, 20 << 20, WriteOptions())
    up, = Uploader.load(secrets=server.secrets).values()
    up.run()
    assert server.uploads() == ["dir/4"]
    assert len(list(s3)) == 5


def test_a_failed_run_leaves_nothing_to_clean_up(server: S3Server, source: Path, tmp_path: Path) -> None:
    """The process lives on, and may be writing other files there."""
    server.put_many({"dir/a": b"1", "dir/b": b"2"})
    server.script(Rule(s3_error(403, "AccessDenied"), method="GET", key="dir/b", times=None))
    s3 = CloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets)
    with pytest.raises(AuthorizationError):
        Downloader(s3, "dir", tmp_path / "out")
    state = saved_state_files("downloads")[0].read()
    assert state is not None
    assert (state.begun, state.done) == (set(), {"dir/a"})


def test_a_place_that_cannot_be_written(mem: CloudFiles, source: Path, internals: Replace) -> None:
    up = Uploader(mem, "dir", source, run=False)

    def refuse(*args: Any, **kwargs: Any) -> int:
        raise PermissionError(13, "Permission denied")

    internals(lock_state=refuse)
    with pytest.raises(FileSystemError, match="Permission denied"):
        up.run()
    assert not up.active()
