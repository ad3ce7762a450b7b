"""file://: advisory locks, between workers and between processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudfiles.exceptions import ConfigurationError, LockingError
from cloudfiles.interfaces.file import locks as file_locks
from cloudfiles.interfaces.file.interface import FileInterface
from cloudfiles.interfaces.file.locks import FileLocks, clear_locks, lock_directory
from cloudfiles.paths import extract
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.types import StoreOptions, WriteOptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock")
PLAIN = WriteOptions()


def locked_store(tmp_path: Path) -> FileInterface:
    options = StoreOptions(lock_dir=str(tmp_path / "locks"))
    return FileInterface(extract(f"file://{tmp_path}/root"), options, ThreadRuntime())


def no_waiting(seconds: float) -> None:
    raise AssertionError("waited for a lock that is free")


def locks(tmp_path: Path, sleep: Callable[[float], None] = no_waiting, patience: float = 1.0) -> FileLocks:
    return FileLocks(str(tmp_path / "locks"), sleep, patience)


def test_readers_share_and_writers_do_not(tmp_path: Path) -> None:
    waits: list[float] = []
    free = locks(tmp_path)
    impatient = locks(tmp_path, waits.append)
    with free.held("/k", exclusive=False), free.held("/k", exclusive=False):
        with pytest.raises(LockingError, match="still locked"), impatient.held("/k", exclusive=True):
            pass
    with free.held("/k", exclusive=True), free.held("/other", exclusive=True):
        with pytest.raises(LockingError, match="still locked"), impatient.held("/k", exclusive=False):
            pass
    with free.held("/k", exclusive=True):
        pass
    assert sum(waits) == pytest.approx(2.0, abs=0.2)


def test_a_waiting_writer_continues_when_the_lock_is_released(tmp_path: Path) -> None:
    holding = locks(tmp_path).held("/k", exclusive=True)
    holding.__enter__()
    waiting = locks(tmp_path, lambda seconds: holding.__exit__(None, None, None) and None)
    with waiting.held("/k", exclusive=True):
        pass


def test_a_lock_is_released_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locks(tmp_path).held("/k", exclusive=True):
        raise KeyError
    with locks(tmp_path).held("/k", exclusive=True):
        pass


def test_every_verb_takes_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []
    acquire = file_locks.try_lock
    monkeypatch.setattr(file_locks, "try_lock", lambda path, exclusive, opened: (taken.append(exclusive),
                                                                                 acquire(path, exclusive, opened))[1])
    store = locked_store(tmp_path)
    store.put("k", b"1", PLAIN)
    store.get("k")
    store.delete(["k"])
    assert taken == [True, False, True]
    assert os.listdir(tmp_path / "root") == []


def test_no_lock_files_unless_asked(tmp_path: Path, home: Path) -> None:
    store = FileInterface(extract(f"file://{tmp_path}/root"), StoreOptions(), ThreadRuntime())
    store.put("k", b"1", PLAIN)
    assert not (home / ".cloudfiles").exists()
    off = StoreOptions(locking=False, lock_dir=str(tmp_path / "locks"))
    FileInterface(extract(f"file://{tmp_path}/root"), off, ThreadRuntime()).put("k", b"1", PLAIN)
    assert not (tmp_path / "locks").exists()


def test_where_the_locks_are(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lock_directory(None) == str(home / ".cloudfiles" / "locks")
    monkeypatch.setenv("CLOUD_FILES_LOCK_DIR", "~/elsewhere")
    assert lock_directory(None) == str(home / "elsewhere")
    assert lock_directory("/given") == "/given"


def test_a_lock_directory_that_cannot_be_written_is_reported_before_anything_is_touched(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locks").write_bytes(b"a file")
    with pytest.raises(ConfigurationError, match="cannot create the lock directory"):
        locked_store(tmp_path)
    (tmp_path / "locks").unlink()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigurationError, match="not writable"):
        locked_store(tmp_path)
    assert not (tmp_path / "root").exists()


def test_a_lock_that_cannot_be_taken_is_a_locking_error(tmp_path: Path) -> None:
    store = locked_store(tmp_path)
    (tmp_path / "locks").rmdir()
    with pytest.raises(LockingError) as caught:
        store.put("k", b"1", PLAIN)
    assert caught.value.path == "k"
    assert not (tmp_path / "root").exists()


def test_clear_locks_removes_what_nobody_holds(tmp_path: Path) -> None:
    store = locked_store(tmp_path)
    for key in "abc":
        store.put(key, b"", PLAIN)
    (tmp_path / "locks" / "note.txt").touch()
    with locks(tmp_path).held(str(tmp_path / "root" / "a"), exclusive=False):
        assert store.clear_locks() == 2
        assert len(os.listdir(tmp_path / "locks")) == 2
    assert store.clear_locks() == 1
    assert os.listdir(tmp_path / "locks") == ["note.txt"]
    assert clear_locks(str(tmp_path / "nowhere")) == 0


def test_a_lock_file_removed_between_opening_and_locking_is_not_trusted(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    flock, removed = fcntl.flock, []

    def locking(descriptor: int, how: int) -> None:
        if not removed:
            removed.extend(os.listdir(tmp_path / "locks"))
            os.unlink(tmp_path / "locks" / removed[0])
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", locking)
    waits: list[float] = []
    with locks(tmp_path, waits.append).held("/k", exclusive=True):
        assert os.listdir(tmp_path / "locks") == removed
    assert len(waits) == 1


COUNTER = """
    import sys
    from cloudfiles.exceptions import PreconditionFailedError
    from cloudfiles.interfaces.file.interface import FileInterface
    from cloudfiles.paths import extract
    from cloudfiles.runtime.threads import ThreadRuntime
    from cloudfiles.types import StoreOptions, WriteOptions

    options = StoreOptions(lock_dir=sys.argv[2])
    store = FileInterface(extract("file://" + sys.argv[1]), options, ThreadRuntime())
    counted = 0
    while counted < 30:
        stored = store.get("k")
        try:
            store.put("k", b"%d" % (int(stored.content) + 1), WriteOptions(if_match=stored.etag))
            counted += 1
        except PreconditionFailedError:
            pass
"""


def test_if_match_loses_no_update_between_processes_that_lock(tmp_path: Path) -> None:
    store = locked_store(tmp_path)
    store.put("k", b"0", PLAIN)
    command = [sys.executable, "-c", textwrap.dedent(COUNTER), str(tmp_path / "root"), str(tmp_path / "locks")]
    counters = [subprocess.Popen(command) for _ in range(3)]
    assert [counter.wait() for counter in counters] == [0, 0, 0]
    stored = store.get("k")
    assert stored is not None
    assert stored.content == b"90"
