"""`transfer_to(resumable=True)`: killed at any point, gone on with by the next run, and nothing left of either."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, TransportError
from cloudfiles.interfaces.s3.interface import S3Interface
from cloudfiles.testing import S3Server
from cloudfiles.transfer.resume_state import StateFile, saved_state_files, state_directory
from cloudfiles.transfer.resume_store import ResumeStore, open_resume_store
from cloudfiles.types import WriteOptions
from tests.contents import numbered
from tests.internals import PART, Replace, replace
from tests.selection import some
from tests.transfer import killed
from tests.transfer.conftest import broken_after, tree

pytestmark = pytest.mark.one_runtime

BIG = numbered(PART * 9 // 2)  # five parts
SMALL = {f"d{n % 3}/{n:02}": b"x" * n for n in range(40)}


@pytest.fixture
def disk_of(tmp_path: Path) -> Any:
    def make(name: str) -> CloudFiles:
        return CloudFiles(f"file://{tmp_path}/{name}/")

    return make


def kept() -> list[str]:
    """The files of runs."""
    directory = state_directory("resumable")
    return os.listdir(directory) if os.path.isdir(directory) else []


def broken_off(source: CloudFiles, target: CloudFiles) -> None:
    """A run whose connection breaks after three parts, in this process."""
    patch = broken_after(3)
    replace(patch, saving_seconds=0.0)
    try:
        with pytest.raises(TransportError, match="the cable is cut"):
            source.transfer_to(target, resumable=True)
    finally:
        patch.undo()


def test_an_upload_resumes_from_its_parts(server: S3Server, s3: CloudFiles, disk_of: Any) -> None:
    source = disk_of("in")
    source.put("big", BIG)
    broken_off(source, s3)
    assert (server.uploads(), len(kept())) == (["big"], 1)
    server.forget()
    assert source.transfer_to(s3, resumable=True).copied == 1
    assert len(server.requests("PUT", "big")) == 2
    assert s3.get("big") == BIG
    assert (server.uploads(), kept()) == ([], [])


def test_a_download_resumes_from_its_parts(server: S3Server, s3: CloudFiles, disk_of: Any, tmp_path: Path) -> None:
    server.put("big", BIG)
    broken_off(s3, disk_of("out"))
    server.forget()
    assert s3.transfer_to(disk_of("out"), resumable=True).copied == 1
    assert len([r for r in server.requests("GET", "big") if r.header("range")]) == 2
    assert tree(tmp_path / "out") == {"big": BIG}
    assert kept() == []


def test_a_source_that_was_replaced_starts_again(server: S3Server, s3: CloudFiles, disk_of: Any) -> None:
    source = disk_of("in")
    source.put("big", BIG)
    broken_off(source, s3)
    source.put("big", BIG[::-1])
    source.transfer_to(s3, resumable=True)
    assert s3.get("big") == BIG[::-1]
    assert (server.uploads(), kept()) == ([], [])


def test_parts_of_what_came_there_meanwhile_are_removed(server: S3Server, s3: CloudFiles, disk_of: Any) -> None:
    source = disk_of("in")
    source.put("big", BIG)
    broken_off(source, s3)
    source.transfer_to(s3)
    assert server.uploads() == ["big"]
    assert source.transfer_to(s3, resumable=True).skipped == 1
    assert (server.uploads(), kept()) == ([], [])


def test_a_source_of_a_later_time_is_read_before_it_is_copied(s3: CloudFiles, disk_of: Any) -> None:
    """As one that was copied from the target is: its time is that of the copy."""
    source = disk_of("in")
    source.puts([("same", b"a"), ("other", b"b")])
    source.transfer_to(s3)
    source.put("other", b"c")
    for key in ("same", "other"):
        os.utime(os.path.join(source.cloudpath.removeprefix("file://"), key), (2e9, 2e9))
    done = source.transfer_to(s3, resumable=True)
    assert (done.copied, done.skipped, s3.get("other")) == (1, 1, b"c")


def test_another_place_is_another_transfer(server: S3Server, s3: CloudFiles, disk_of: Any) -> None:
    source = disk_of("in")
    source.put("big", BIG)
    broken_off(source, s3)
    source.transfer_to(disk_of("out"), resumable=True)
    source.transfer_to(s3, ["other"], resumable=True, allow_missing=True)  # takes it over, and hands it on
    assert (server.uploads(), len(kept())) == (["big"], 1)
    server.forget()
    source.transfer_to(s3, ["big"], resumable=True)
    assert len(server.requests("PUT", "big")) == 2
    assert kept() == []


def test_no_secret_and_no_cloudpath_is_in_it(server: S3Server, s3: CloudFiles, disk_of: Any) -> None:
    source = disk_of("in")
    source.put("big", BIG)
    broken_off(source, s3)
    (file,) = saved_state_files("resumable")
    told = Path(file.path).read_text() + file.path
    for secret in (*server.secrets.values(), server.bucket, str(source.cloudpath)):
        assert secret not in told


# ---- where nothing can be kept


def test_a_home_that_cannot_be_written(server: S3Server, s3: CloudFiles, disk_of: Any,
                                       internals: Replace) -> None:
    def refuse(*args: Any, **kwargs: Any) -> int:
        raise PermissionError(30, "Read-only file system")

    internals(lock_state=refuse)
    source = disk_of("in")
    source.put("big", BIG)
    with pytest.warns(UserWarning, match=r"Read-only file system.*will restart from the beginning.*CLOUD_FILES_DIR"):
        source.transfer_to(s3, resumable=True)
    assert s3.get("big") == BIG


def test_a_home_that_fills_up(server: S3Server, s3: CloudFiles, disk_of: Any,
                              monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(StateFile, "add", refuse)
    source = disk_of("in")
    source.put("big", BIG)
    with pytest.warns(UserWarning, match="No space left on device") as told:
        source.transfer_to(s3, resumable=True)
    assert len(told) == 1
    assert s3.get("big") == BIG
    assert kept() == []


def test_what_may_not_be_cleaned_up_is_reported(server: S3Server, s3: CloudFiles, disk_of: Any,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    source = disk_of("in")
    source.put("big", BIG)
    left_by_another_process(source, s3, begun=["big"])

    def refuse(*args: Any) -> int:
        raise AuthorizationError("uploads may not be listed")

    monkeypatch.setattr(S3Interface, "discard_interrupted", refuse)
    with pytest.warns(UserWarning, match=r"uploads may not be listed.*discard_partial"):
        source.transfer_to(s3, resumable=True)
    assert s3.get("big") == BIG


def test_a_damaged_file_is_reported_and_removed(s3: CloudFiles, disk_of: Any) -> None:
    source = disk_of("in")
    source.put("a", b"1")
    Path(left_by_another_process(source, s3, begun=["a"])).write_text("nonsense")
    with pytest.warns(UserWarning, match="not a readable saved transfer"):
        source.transfer_to(s3, resumable=True)
    assert kept() == []


def test_memory_keeps_nothing(mem: CloudFiles, disk_of: Any) -> None:
    source = disk_of("in")
    source.put("a", b"1")
    with warnings.catch_warnings(), open_resume_store(source._store, mem._store) as resume_store:
        assert resume_store is None


# ---- two at once, and kills


def left_by_another_process(source: CloudFiles, target: CloudFiles, begun: list[str]) -> str:
    """The file of a run that was killed."""
    with open_resume_store(source._store, target._store) as resume_store:
        assert resume_store is not None
        return left_beside(resume_store, begun)


def left_beside(resume_store: ResumeStore, begun: list[str]) -> str:
    path = resume_store.file.path.replace(".jsonl", "9.jsonl")
    lines = [{"request": {"process": "1f-0123456789abcdef", "since": 0.0}, "files": []},
             *({"begun": key} for key in begun)]
    Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_an_upload_that_was_never_noted_is_removed_but_not_that_of_a_run(server: S3Server, s3: CloudFiles,
                                                                         disk_of: Any) -> None:
    source = disk_of("in")
    source.puts([("gone", BIG), ("live", BIG)])
    left_by_another_process(source, s3, begun=["gone", "live"])
    for key in ("gone", "live", "others"):
        s3._store.here().open_writer(key, len(BIG), WriteOptions())
    with open_resume_store(disk_of("in")._store, s3._store) as resume_store:  # cleared up after the first
        assert resume_store is not None
        assert server.uploads() == ["others"]
        s3._store.here().open_writer("live", len(BIG), WriteOptions())
        resume_store.begin(s3._store.here(), "live", is_large=True)
        path = left_beside(resume_store, ["gone", "live"])
        s3._store.here().open_writer("gone", len(BIG), WriteOptions())
        source.transfer_to(s3, "small", resumable=True, allow_missing=True)
        assert not os.path.exists(path)
        assert sorted(server.uploads()) == ["live", "others"]


def test_what_is_begun_is_in_the_file_before_another_worker_relies_on_it(disk_of: Any,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a kill in between leaves a temporary file in a directory that nobody knows of."""
    known: list[bool] = []
    add = StateFile.add

    def look(self: StateFile, **entry: Any) -> None:
        assert resume_store is not None
        known.append(entry["begun"] in resume_store.state.begun)
        add(self, **entry)

    monkeypatch.setattr(StateFile, "add", look)
    target = disk_of("out")
    with open_resume_store(disk_of("in")._store, target._store) as resume_store:
        assert resume_store is not None
        for key in ("d/a", "d/b", "e/c"):
            resume_store.begin(target._store.here(), key, is_large=False)
        assert (known, resume_store.state.begun) == ([False, False], {"d/", "e/"})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("direction", some(["down", "up", "local"], ["up", "local"]))
def test_killed_again_and_again(server: S3Server, s3: CloudFiles, disk_of: Any, tmp_path: Path,
                                direction: str, full: bool) -> None:
    contents = {**SMALL, "big/1": BIG, "big/2": BIG[::-1]}
    source, target = {"down": (s3, disk_of("out")), "up": (disk_of("in"), s3),
                      "local": (disk_of("in"), disk_of("out"))}[direction]
    source.puts(list(contents.items()))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.transfer.killed"])
    chance, runs, kills = random.Random(5), 12 if full else 4, 0
    for _ in range(runs):
        process = context.Process(target=killed.transfer, args=(
            (source.cloudpath, target.cloudpath), server.secrets, server.url, os.environ["CLOUD_FILES_DIR"],
            chance.randrange(1, 60)))
        process.start()
        process.join(60)
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        kills += process.exitcode != 0
    source.transfer_to(target, resumable=True)
    assert {key: target.get(key) for key in contents} == contents
    assert server.uploads() == []
    if direction != "up":
        assert tree(tmp_path / "out") == contents  # and no temporary file
    assert kept() == []
    assert kills >= runs // 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
@pytest.mark.parametrize("kind", some(["file", "s3"], ["file"]))
def test_two_processes_with_the_same_transfer(server: S3Server, s3: CloudFiles, disk_of: Any, tmp_path: Path,
                                              kind: str) -> None:
    """After one that was killed: each object arrives whole, by either, and neither removes what is the other's."""
    contents = {**SMALL, "big/1": BIG, "big/2": BIG[::-1]}
    source, target = disk_of("in"), s3 if kind == "s3" else disk_of("out")
    source.puts(list(contents.items()))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.transfer.killed"])

    def begin(die_at: int) -> Any:
        process = context.Process(target=killed.transfer, args=(
            (source.cloudpath, target.cloudpath), server.secrets, server.url, os.environ["CLOUD_FILES_DIR"], die_at))
        process.start()
        return process

    begin(40).join(60)
    both = [begin(-1), begin(-1)]
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert {key: target.get(key) for key in contents} == contents
    assert server.uploads() == []
    if kind == "file":
        assert tree(tmp_path / "out") == contents
    assert kept() == []


def test_what_a_living_run_is_about_to_write_is_left_alone(s3: CloudFiles, disk_of: Any) -> None:
    """And is removed once the run is gone."""
    source = disk_of("in")
    source.put("a", b"1")
    with open_resume_store(source._store, s3._store) as resume_store:
        assert resume_store is not None
        half_written = Path(resume_store.file.path + ".x1y2z3")
        half_written.write_bytes(b"{")
        assert source.transfer_to(s3, resumable=True).copied == 1
        assert half_written.exists()
        resume_store.close()
        half_written.write_bytes(b"{")
    source.transfer_to(s3, resumable=True)
    assert kept() == []
