"""Uploader and Downloader: what paths stand for, what is replaced, and how they go on after faults and kills."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, Downloader, Uploader
from cloudfiles.exceptions import CloudFilesError, ConfigurationError, InvalidInputError, InvalidPathError
from cloudfiles.tasks import transfer_task
from cloudfiles.tasks.transfer_task import TargetExistsError
from cloudfiles.testing import Rule, S3Server, s3_error
from cloudfiles.transfer.resume_state import saved_state_files
from cloudfiles.transfer.resume_store import clean_up
from cloudfiles.types import Clock
from tests.contents import numbered
from tests.core.programs import ROOT
from tests.internals import PART
from tests.selection import some
from tests.transfer.conftest import tree, write

pytestmark = [pytest.mark.one_runtime, pytest.mark.own_servers]

TREE = {"a": b"1", "b.csv": b"22", "c.csv": b"", "deep/er/d.csv": b"4444", "x.gz": b"no gzip"}
BIG = numbered(PART * 21 // 4)  # six parts


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "source", TREE)


def contents(cf: CloudFiles) -> dict[str, Any]:
    return {key: cf.get(key, raw=True) for key in cf}


# ---- what paths stand for


def test_a_tree_goes_up_and_comes_down(cf: CloudFiles, source: Path, tmp_path: Path) -> None:
    up = Uploader(cf, "dir", source)
    assert up.successful()
    assert not up.active()
    if cf.protocol != "file":  # where x.gz lists as x
        assert contents(cf) == {f"dir/{name}": content for name, content in TREE.items()}
        Downloader(cf, "dir", str(tmp_path / "target"), 5, 2**24)
        assert tree(tmp_path / "target") == TREE
        Downloader(cf, "", tmp_path / "all")
        assert tree(tmp_path / "all") == {f"dir/{name}": content for name, content in TREE.items()}
    assert saved_state_files("uploads") == saved_state_files("downloads") == []


@pytest.mark.parametrize(("rpath", "key"), [("k", "k"), ("/k/l", "k/l"), ("", "a"), ("k/", "k/a"),
                                            ("there", "there/a")])
def test_a_file_goes_up(cf: CloudFiles, source: Path, rpath: str, key: str) -> None:
    cf.put("there/already", b"")
    Uploader(cf, rpath, source / "a")
    assert cf.get(key) == b"1"


def test_a_file_comes_down(cf: CloudFiles, tmp_path: Path) -> None:
    cf.put("dir/k", b"1")
    (tmp_path / "into").mkdir()
    Downloader(cf, "dir/k", tmp_path / "new/name")
    Downloader(cf, "/dir/k", tmp_path / "into")
    Downloader(cf, "dir/k", f"{tmp_path}/other/")
    found = {path: tree(tmp_path / path) for path in ("new", "into", "other")}
    assert found == {"new": {"name": b"1"}, "into": {"k": b"1"}, "other": {"k": b"1"}}


def test_globs(cf: CloudFiles, source: Path, tmp_path: Path) -> None:
    Uploader(cf, "g", f"{source}/*.csv")
    assert sorted(cf) == ["g/b.csv", "g/c.csv"]
    cf.puts([("g/sub/z.csv", b"z"), ("g/b.txt", b"t"), ("g[1]", b"literal")])
    Downloader(cf, "g/[bc].*", tmp_path / "one")
    assert tree(tmp_path / "one") == {"b.csv": b"22", "c.csv": b"", "b.txt": b"t"}
    Downloader(cf, "g/*/*.csv", tmp_path / "two")
    assert tree(tmp_path / "two") == {"sub/z.csv": b"z"}
    Downloader(cf, "g[1]", tmp_path / "three")
    assert (tmp_path / "three").read_bytes() == b"literal"
    for attempt in (lambda: Downloader(cf, "g/**", tmp_path / "t"), lambda: Uploader(cf, "h", f"{source}/**")):
        with pytest.raises(InvalidInputError, match="recursive"):
            attempt()


def test_nothing_there(cf: CloudFiles, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for attempt in (lambda: Downloader(cf, "none", tmp_path / "t"), lambda: Downloader(cf, "none*", tmp_path / "t"),
                    lambda: Uploader(cf, "x", tmp_path / "none"), lambda: Uploader(cf, "x", tmp_path / "empty")):
        with pytest.raises(FileNotFoundError):
            attempt()
    assert list(cf) == []


def test_hostile_keys_stay_in_the_directory(server: S3Server, s3: CloudFiles, tmp_path: Path) -> None:
    server.put("d/../../evil", b"!")
    server.put("d/fine", b"")
    with pytest.raises(InvalidPathError):
        Downloader(s3, "d", tmp_path / "deep" / "target")
    assert tree(tmp_path) == {}


# ---- what is replaced


def test_nothing_is_replaced_unasked(cf: CloudFiles, source: Path, tmp_path: Path) -> None:
    cf.puts([("dir/other", b"old"), ("file", b"old")])
    for rpath, lpath in (("dir", source), ("file", source / "a"), ("dir", f"{source}/*.csv"), ("", source)):
        with pytest.raises(FileExistsError) as caught:
            Uploader(cf, rpath, lpath)
        assert isinstance(caught.value, TargetExistsError)
    assert contents(cf) == {"dir/other": b"old", "file": b"old"}
    target = write(tmp_path / "target", {"other": b"local"})
    for rpath, lpath in (("dir", target), ("file", target / "other")):
        with pytest.raises(FileExistsError):
            Downloader(cf, rpath, lpath)
    assert tree(target) == {"other": b"local"}


def test_overwrite_replaces_files_of_the_same_names(cf: CloudFiles, tmp_path: Path) -> None:
    cf.puts([("dir/a", b"old"), ("dir/b", b"stays")])
    Uploader(cf, "dir", write(tmp_path / "in", {"a": b"new"}), overwrite=True)
    assert contents(cf) == {"dir/a": b"new", "dir/b": b"stays"}
    target = write(tmp_path / "out", {"a": b"x", "c": b"stays"})
    Downloader(cf, "dir", target, overwrite=True)
    assert tree(target) == {"a": b"new", "b": b"stays", "c": b"stays"}


def test_an_empty_directory_is_no_hindrance(cf: CloudFiles, tmp_path: Path) -> None:
    cf.put("dir/a", b"1")
    (tmp_path / "empty").mkdir()
    Downloader(cf, "dir", tmp_path / "empty")
    assert tree(tmp_path / "empty") == {"a": b"1"}


# ---- options


def test_arguments_that_cannot_work(mem: CloudFiles, source: Path) -> None:
    for bad in ({"blocksize": 2**23}, {"chunksize": 5}, {"chunksize": 0, "buffersize": 0, "blocksize": 0},
                {"nthreads": -1}, {"client": object()}, {"blocksize": "4"}):
        with pytest.raises(InvalidInputError):
            Uploader(mem, "x", source, **bad)
    assert list(mem) == []


@pytest.mark.parametrize("nthreads", some([None, 0, 1, 7], [None]))
def test_progress_is_told_in_bytes(cf: CloudFiles, tmp_path: Path, nthreads: int | None) -> None:
    told: list[tuple[int, int | None]] = []
    source = write(tmp_path / "in", {"big": BIG[:17 * PART // 8], "small": b"123", "empty": b""})
    size = 17 * PART // 8 + 3

    Uploader(cf, "x", source, nthreads, progress_callback=lambda *step: told.append(step))
    assert told[-1] == (size, size)
    assert told == sorted(told)
    assert len(told) >= 2
    told.clear()
    Downloader(cf, "x", tmp_path / "out", nthreads, progress_callback=lambda *step: told.append(step))
    assert told[-1] == (size, size)
    assert told == sorted(told)


def test_verbose_names_each_file(mem: CloudFiles, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Uploader(mem, "x", source / "a", verbose=True)
    assert capsys.readouterr().out == "x: copied\n"


def test_in_the_background(cf: CloudFiles, source: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(current: int, total: int | None) -> None:
        begun.set()
        go_on.wait(60)

    up = Uploader(cf, "dir", source, run=False, progress_callback=hold)
    assert not up.active()
    assert not up.successful()
    assert up.status == dict.fromkeys((f"dir/{name}" for name in TREE), "left")
    assert list(cf) == []
    up.run(monitor=False)
    assert begun.wait(60)
    assert up.active()
    with pytest.raises(AssertionError):
        up.successful()
    with pytest.raises(InvalidInputError, match="running"):
        up.run()
    go_on.set()
    up.wait()
    assert up.successful()
    assert len(list(cf)) == len(TREE)


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_timeout_stops_it_and_it_continues(cf: CloudFiles, tmp_path: Path) -> None:
    time = Time()
    source = write(tmp_path / "in", {f"{n:02}": b"x" for n in range(60)})

    def pass_time(current: int, total: int | None) -> None:
        time.now += 1

    up = Uploader(cf, "dir", source, nthreads=1, run=False, timeout=10, progress_callback=pass_time,
                  clock=Clock(time, time))
    with pytest.raises(TimeoutError, match="10 s"):
        up.run()
    assert not up.successful()
    done = set(cf)
    assert 0 < len(done) < 60
    up.progress_callback = None
    up.run()
    assert up.successful()
    assert len(set(cf)) == 60


# ---- faults, and going on


def test_a_failure_leaves_the_others_done_and_is_tried_again(server: S3Server, s3: CloudFiles,
                                                             source: Path) -> None:
    server.script(Rule(s3_error(403, "AccessDenied"), key="dir/b.csv", method="PUT", times=1))
    up = Uploader(s3, "dir", source, run=False)
    with pytest.raises(CloudFilesError, match="1 of 5 files failed, 4 are done"):
        up.run()
    assert (up.successful(), list(up.errors)) == (False, ["dir/b.csv"])
    assert sorted(s3) == sorted(f"dir/{name}" for name in TREE if name != "b.csv")
    assert up.status == {f"dir/{name}": "failed" if name == "b.csv" else "done" for name in TREE}
    up.run()
    assert (up.successful(), up.errors) == (True, {})
    assert set(up.status.values()) == {"done"}
    assert saved_state_files("uploads") == []


def test_a_failed_transfer_is_loaded(server: S3Server, s3: CloudFiles, source: Path) -> None:
    server.script(Rule(s3_error(403, "AccessDenied"), key="dir/b.csv", method="PUT", times=1))
    with pytest.raises(CloudFilesError):
        Uploader(s3, "dir", source)
    (name, up), = Uploader.load(secrets=server.secrets).items()
    assert (up.hash, up.successful(), Downloader.load()) == (name, False, {})
    assert "4 of 5" in repr(up)
    file, = saved_state_files("uploads")
    assert server.secrets["AWS_SECRET_ACCESS_KEY"] not in Path(file.path).read_text()
    server.forget()
    up.run()
    assert [r.key for r in server.requests() if r.method == "PUT"] == ["dir/b.csv"]
    assert Uploader.load() == {}


def test_saved_and_cleared(mem: CloudFiles, source: Path, tmp_path: Path) -> None:
    up = Uploader(mem, "dir", source, run=False)
    assert Uploader.load() == {}
    up.save()
    file, = saved_state_files("uploads")
    loaded = Uploader.load(file.path)
    assert (loaded.hash, loaded.rpath) == (up.hash, "dir")
    up.save(keep=False)
    assert Uploader.load() == {}
    up.save()
    Downloader.clear_saved()
    assert list(Uploader.load()) == [up.hash]
    Uploader.clear_saved()
    assert Uploader.load() == {}
    with pytest.raises(InvalidInputError, match="the saved transfer does not exist"):
        Uploader.load(tmp_path / "none")
    up.run()
    up.save()
    assert Uploader.load() == {}
    assert Uploader(mem, "dir", source, run=False, overwrite=True).hash == up.hash
    assert Uploader(mem, "dir2", source, run=False).hash != up.hash


def test_a_line_cut_short_is_passed_over_and_nonsense_is_reported(mem: CloudFiles, source: Path) -> None:
    Uploader(mem, "dir", source, run=False).save()
    file, = saved_state_files("uploads")
    with open(file.path, "a") as opened:
        opened.write('{"done":"dir/a"}\n{"done":"dir/b.c')
    up = Uploader.load(file.path)
    up.run()
    assert sorted(mem) == ["dir/b.csv", "dir/c.csv", "dir/deep/er/d.csv", "dir/x.gz"]
    Path(file.path).write_text("nonsense")
    with pytest.raises(ConfigurationError, match="clear_saved"):
        Uploader.load()


KILLED = """
import json, os, signal, sys
import pytest
from tests.internals import SMALL_PARTS, replace
from cloudfiles import CloudFiles, Downloader, Uploader
kind, cloudpath, options, rpath, lpath, limit = json.loads(sys.argv[1])

def kill(current, total):
    if current >= limit:
        os.kill(os.getpid(), signal.SIGKILL)

replace(pytest.MonkeyPatch(), **SMALL_PARTS)
{"up": Uploader, "down": Downloader}[kind](CloudFiles(cloudpath, **options), rpath, lpath, progress_callback=kill)
"""


@pytest.mark.parametrize("kind", ["up", "down"])
def test_a_killed_transfer_continues_in_another_process(server: S3Server, s3: CloudFiles, tmp_path: Path,
                                                        kind: str) -> None:
    files = {"big": BIG, **{f"{n}": b"x" for n in range(10)}}
    if kind == "up":
        lpath = write(tmp_path / "in", files)
    else:
        lpath = tmp_path / "out"
        server.put_many({f"dir/{name}": content for name, content in files.items()})
    told = [kind, s3.cloudpath, {"endpoint": server.url, "secrets": server.secrets, "num_threads": 2}, "dir",
            str(lpath), 10 + 3 * PART]
    process = subprocess.run([sys.executable, "-c", KILLED, json.dumps(told)], cwd=ROOT, env=dict(os.environ),
                             timeout=120, check=False)
    assert process.returncode == -9
    server.forget()
    loader: Any = Uploader if kind == "up" else Downloader
    task, = loader.load(secrets=server.secrets).values()
    task.run()
    assert task.successful()
    if kind == "up":
        assert {key.removeprefix("dir/"): s3.get(key) for key in s3} == files
        sent = [r for r in server.requests() if r.method == "PUT" and r.key]
        assert 0 < len(sent) < 6  # parts
        assert {r.key for r in sent} == {"dir/big"}
        assert s3.discard_partial(older_than=0) == 0
    else:
        assert tree(lpath) == files
        got = [r for r in server.requests() if r.method == "GET" and r.key]
        assert 0 < len(got) < 6
        assert {r.key for r in got} == {"dir/big"}
    assert loader.load() == {}


def test_a_kill_while_it_cleans_up_forgets_nothing_to_clean_up(source: Path, tmp_path: Path,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    Uploader(str(tmp_path / "target"), "", str(source), run=False).save()
    [file] = saved_state_files("uploads")
    state = file.read()
    assert state is not None
    left = tmp_path / "target" / f".cloudfiles-7fffffff-{'0' * 16}-1.tmp"
    left.parent.mkdir()
    left.write_bytes(b"half")
    state.request = {**state.request, "process": f"7fffffff-{'0' * 16}", "since": 0.0}
    state.begun.add("")
    file.write(state)
    kept: list[Any] = []

    def look(*given: Any) -> None:
        kept.append(file.read())
        clean_up(*given)

    monkeypatch.setattr(transfer_task, "clean_up", look)
    [uploader] = Uploader.load().values()
    uploader.run()
    assert kept == [state]
    assert tree(tmp_path / "target") == TREE
