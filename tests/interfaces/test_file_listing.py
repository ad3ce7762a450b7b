"""file://: listings. Key order, prefixes, pages, what is changed meanwhile, symlinks."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles.exceptions import FileSystemError, InvalidPathError
from cloudfiles.interfaces.file import read_ahead
from cloudfiles.interfaces.file import walk as file_listing
from cloudfiles.interfaces.file.interface import FileInterface
from cloudfiles.paths import extract
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.types import ListPage, StoreOptions, WriteOptions
from tests.selection import examples

PLAIN = WriteOptions()


@pytest.fixture(params=["fast", "slow"], autouse=True, scope="module")
def speed(request: pytest.FixtureRequest) -> Iterator[str]:
    """Directories and the status of files are read ahead if the file system is slow."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "slow":
            patch.setattr(read_ahead, "_SLOW", -1.0)
            patch.setattr(read_ahead, "_ANSWERS", 1)
            patch.setattr(file_listing, "_TIMED", 1)
        else:  # on a busy machine it takes longer than what is slow on an idle one
            patch.setattr(read_ahead, "_SLOW", 60.0)
        yield request.param


def at(root: Path | str, **options: Any) -> FileInterface:
    return FileInterface(extract(f"file://{root}"), StoreOptions(**options), ThreadRuntime())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def store(root: Path) -> FileInterface:
    return at(root)


def fill(root: Path, *keys: str) -> None:
    for key in keys:
        at(root).put(key, key.encode("utf-8", "surrogateescape"), PLAIN)


def every_page(store: FileInterface, fresh: bool = False, **arguments: Any) -> tuple[list[str], list[str]]:
    """All keys and prefixes, page by page; `fresh`: each page by an interface that knows nothing of the others."""
    keys: list[str] = []
    prefixes: list[str] = []
    token = None
    while True:
        page = store.list_page(token=token, **arguments)
        keys += [entry.key for entry in page.entries]
        prefixes += page.prefixes
        token = page.next_token
        if token is None:
            return keys, prefixes
        if fresh:
            store.close()


# ---- against brute force

LETTERS = "ab-.0é\udcff\U0001f600\uffff"
NAMES = st.text(LETTERS, min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
KEYS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def without_conflicts(keys: Iterable[str]) -> set[str]:
    """Those that a file system can hold together: none is a directory of another."""
    taken: set[str] = set()
    for key in sorted(keys, key=len, reverse=True):
        if not any(other.startswith(key + "/") for other in taken):
            taken.add(key)
    return taken


def listed(keys: set[str], prefix: str, flat: bool, after: str | None) -> tuple[list[str], list[str]]:
    """What a listing must give, by brute force."""
    found = {key for key in keys if key.startswith(prefix)}
    behind = {key[: key.index("/", len(prefix)) + 1] for key in found if flat and "/" in key[len(prefix):]}
    shown = {key for key in found if not (flat and "/" in key[len(prefix):])}

    def ordered(names: set[str]) -> list[str]:
        return sorted((n for n in names if after is None or os.fsencode(n) > os.fsencode(after)), key=os.fsencode)
    return ordered(shown), ordered(behind)


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
@settings(max_examples=examples(250), deadline=None)
@given(st.sets(KEYS, max_size=12), st.data())
def test_listings_are_what_brute_force_finds(keys: set[str], data: st.DataObject) -> None:
    keys = without_conflicts(keys)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        store = at(directory)
        for key in keys:
            store.put(key, b"1", WriteOptions(encoding=data.draw(st.sampled_from(["", "gzip", "br"]))))
        known = st.sampled_from(sorted(keys)) if keys else KEYS
        for _ in range(4):
            prefix = data.draw(st.just("") | known.map(lambda key: key[:2]) | known.map(lambda key: key[:-1]))
            after = data.draw(st.none() | known | KEYS | known.map(lambda key: key[:3]))
            flat = data.draw(st.booleans())
            limit = data.draw(st.none() | st.integers(1, 3))
            fresh = data.draw(st.booleans())
            assert every_page(store, fresh, prefix=prefix, flat=flat, start_after=after, limit=limit) == listed(
                keys, prefix, flat, after)


def test_key_order_counts_the_slash(store: FileInterface, root: Path) -> None:
    keys = ["a b", "a!", "a-b", "a.b", "a/b", "a/c/d", "a0", "a_", "aé"]
    fill(root, *reversed(keys))
    assert every_page(store)[0] == keys
    assert every_page(store, limit=1)[0] == keys
    assert every_page(store, start_after="a/b")[0] == keys[5:]
    assert every_page(store, start_after="a/")[0] == keys[4:]


# ---- what shows


def test_a_missing_root_lists_nothing(store: FileInterface) -> None:
    assert store.list_page() == ListPage([], [], None, [])
    assert store.list_page("a/b", flat=True) == ListPage([], [], None, [])


def test_bare_names_each_once(store: FileInterface, root: Path) -> None:
    root.mkdir()
    for name in ("k.gz", "l.br", "m.gz.gz", ".gz", "n.txt"):
        (root / name).write_bytes(name.encode())
    assert [(entry.key, entry.size) for entry in store.list_page().entries] == [
        (".gz", 3), ("k", 4), ("l", 4), ("m.gz", 7), ("n.txt", 5)]


def test_a_prefix_is_matched_against_bare_names(store: FileInterface, root: Path) -> None:
    root.mkdir()
    (root / "k.gz").write_bytes(b"")
    assert every_page(store, prefix="k")[0] == ["k"]
    assert every_page(store, prefix="k.")[0] == []


def test_only_directories_that_can_match_are_read(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch, speed: str) -> None:
    fill(root, "a/b/c1", "a/b/d", "a/x/c", "other/y", "b")
    read: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (read.append(os.path.relpath(path, root)), scandir(path))[1])
    assert every_page(store, prefix="a/b/c")[0] == ["a/b/c1"]
    assert read == ["a/b"]
    read.clear()
    assert every_page(store, flat=True) == (["b"], ["a/", "other/"])
    assert read == ["."]
    read.clear()
    assert every_page(store, start_after="a/b/d")[0] == ["a/x/c", "b", "other/y"]
    assert "a/b" in read
    read.clear()
    store.list_page(limit=1)
    assert set(read) - {"a/x", "other"} == {".", "a", "a/b"}
    assert len(read) == 3 or speed == "slow"


def test_empty_directories_show_in_flat_listings_only(store: FileInterface, root: Path) -> None:
    (root / "empty").mkdir(parents=True)
    assert store.list_page(flat=True).prefixes == ["empty/"]
    assert store.list_page().entries == []
    assert store.isdir("empty")
    assert store.isdir("empty/")
    assert store.isdir("")
    assert not store.isdir("nothing")


def test_prefixes_that_leave_the_root_are_refused(store: FileInterface, root: Path) -> None:
    fill(root, "..a", "b/..c")
    (root.parent / "secret").write_bytes(b"")
    for prefix in ("../", "../sec", "a/../../sec", "/", "/etc/", "a\0"):
        with pytest.raises(InvalidPathError):
            store.list_page(prefix)
    assert every_page(store, prefix="..")[0] == ["..a"]
    assert every_page(store, prefix="b/..")[0] == ["b/..c"]


@pytest.mark.parametrize("prefix", ["b//", "./b", "b/./", ".//"])
def test_prefixes_that_no_key_has_list_nothing(store: FileInterface, root: Path, prefix: str) -> None:
    fill(root, "b/c")
    assert store.list_page(prefix)[:3] == ([], [], None)


# ---- pages


def test_a_large_directory_is_read_once_not_once_a_page(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.mkdir()
    for number in range(500):
        (root / f"{number:03}").touch()
    read: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (read.append(path), scandir(path))[1])
    assert len(every_page(store, limit=10)[0]) == 500
    assert len(read) == 1
    assert len(every_page(store, fresh=True, limit=100)[0]) == 500
    assert len(read) == 6


def test_what_changes_between_pages_shows(store: FileInterface, root: Path) -> None:
    fill(root, "a", "b", "d/x", "d/z")
    page = store.list_page(limit=2)
    fill(root, "c", "d/y", "0")
    os.utime(root, ns=(1, 1))  # the file system's clock may be too coarse to tell
    store.delete(["d/x"])
    assert [entry.key for entry in store.list_page(limit=9, token=page.next_token).entries] == ["c", "d/y", "d/z"]


def test_what_is_deleted_page_by_page_is_all_deleted(store: FileInterface, root: Path) -> None:
    fill(root, *(f"{number % 7}/{number}" for number in range(100)))
    token = None
    while True:
        page = store.list_page(limit=9, token=token)
        store.delete([entry.key for entry in page.entries])
        token = page.next_token
        if token is None:
            break
    assert every_page(store)[0] == []


def test_a_page_can_be_asked_for_twice(store: FileInterface, root: Path) -> None:
    fill(root, "a", "b", "c", "d")
    token = store.list_page(limit=2).next_token
    assert store.list_page(limit=2, token=token) == store.list_page(limit=2, token=token)


def test_abandoned_listings_do_not_pile_up(store: FileInterface, root: Path) -> None:
    fill(root, *(f"{first}/{second}" for first in range(20) for second in range(2)))
    for first in range(20):
        store.list_page(f"{first}/", limit=1)
    assert len(store._walks._walks) <= 8
    store.close()
    assert not store._walks._walks


def test_what_vanishes_or_is_encoded_again_while_it_is_listed(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(root, "a", "b", "d/e")
    scan = file_listing.Walk._scan

    def scanned(*asked: Any) -> Any:
        names, *others = scan(*asked)
        if len(names) == 3:
            store.delete(["a"])
            store.put("b", b"12345", WriteOptions(encoding="gzip"))
            shutil.rmtree(root / "d")
        return names, *others

    monkeypatch.setattr(file_listing.Walk, "_scan", scanned)
    assert [(entry.key, entry.size) for entry in store.list_page().entries] == [("b", 5)]


def test_a_directory_that_cannot_be_read_is_an_error(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(root, "a/b")

    def broken(path: str) -> None:
        raise OSError(5, "Input/output error", path)

    monkeypatch.setattr(os, "scandir", broken)
    with pytest.raises(FileSystemError, match="Input/output"):
        store.list_page("a/")


# ---- symlinks


def test_symlinked_directories_are_listed_but_not_in_themselves(
        store: FileInterface, root: Path, tmp_path: Path) -> None:
    fill(root, "a/b/k")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "o").write_bytes(b"")
    (root / "a" / "b" / "up").symlink_to(root / "a")
    (root / "a" / "root").symlink_to(root)
    (root / "a" / "out").symlink_to(outside)
    (root / "self").symlink_to("self")
    for follows, keys in ((False, ["a/b/k"]), (True, ["a/b/k", "a/out/o"])):
        store = at(root, follow_external_symlinks=follows)
        assert every_page(store)[0] == keys
        assert every_page(store, prefix="a/")[0] == keys
        assert every_page(store, prefix="a/b/up/")[0] == []
        assert every_page(store, prefix="a/b/up/b/")[0] == []
        assert every_page(store, prefix="a/root/a/")[0] == []
        assert every_page(store, prefix="a/out/")[0] == keys[1:]
    assert set(at(root).list_page().skipped_symlinks) == {"a/b/up", "a/root", "a/out", "self"}
    assert at(root).list_page("a/out/").skipped_symlinks == ["a/out"]


def test_symlinks_to_files_have_the_size_of_the_file(store: FileInterface, root: Path) -> None:
    fill(root, "long")
    (root / "link").symlink_to("long")
    assert [(entry.key, entry.size) for entry in store.list_page().entries] == [("link", 4), ("long", 4)]


# ---- slow file systems


class AtOnce:
    """A function whose calls wait until `count` of them are in progress, or for five seconds.

    Attributes:
        most: calls that were in progress at once, at most.
        arguments: of all calls.
    """

    def __init__(self, function: Callable[..., Any], count: int, applies: Callable[[Any], bool]) -> None:
        self._function = function
        self._count = count
        self._applies = applies
        self._reached = threading.Event()
        self._lock = threading.Lock()
        self._now = self.most = 0
        self.arguments: list[Any] = []

    def __call__(self, path: Any, *args: Any, **options: Any) -> Any:
        if not self._applies(path):
            return self._function(path, *args, **options)
        with self._lock:
            self.arguments.append(path)
            self._now += 1
            self.most = max(self.most, self._now)
        if self.most >= self._count:
            self._reached.set()
        self._reached.wait(5)
        with self._lock:
            self._now -= 1
        return self._function(path, *args, **options)


def test_directories_are_read_at_the_same_time(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch, speed: str) -> None:
    keys = [f"{a}/{b}/{c}" for a in "abcdef" for b in "xyz" for c in "12"]
    fill(root, *keys)
    scandir = AtOnce(os.scandir, 8 if speed == "slow" else 1, lambda path: path.count("/") > str(root).count("/") + 2)
    monkeypatch.setattr(os, "scandir", scandir)
    assert every_page(store)[0] == keys
    assert len(set(scandir.arguments)) == len(scandir.arguments) == 18
    assert (scandir.most >= 8) == (speed == "slow")


def test_the_status_of_files_is_read_at_the_same_time(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch, speed: str) -> None:
    keys = [f"{number:02}" for number in range(40)]
    fill(root, *keys)
    stat = AtOnce(os.stat, 8 if speed == "slow" else 1, lambda path: str(path)[-2:] in keys[10:])
    monkeypatch.setattr(os, "stat", stat)
    assert [(entry.key, entry.size) for entry in store.list_page().entries] == [(key, 2) for key in keys]
    assert len(stat.arguments) == 30
    assert (stat.most >= 8) == (speed == "slow")


def test_few_directories_are_read_ahead(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch, speed: str) -> None:
    fill(root, *(f"{number:03}/x" for number in range(200)))
    scandir = AtOnce(os.scandir, 1, lambda path: True)
    monkeypatch.setattr(os, "scandir", scandir)
    assert [entry.key for entry in store.list_page(limit=10).entries] == [f"{number:03}/x" for number in range(10)]
    assert len(scandir.arguments) <= 12 + (read_ahead.MAX_DIRECTORIES if speed == "slow" else 0)


def test_large_directories_are_not_read_ahead(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "MAX_ENTRIES", 3)
    keys = [f"{a}/{b}" for a in "abcdefgh" for b in "12345"]
    fill(root, *keys)
    assert every_page(store)[0] == keys


def test_errors_of_directories_ahead_come_in_their_turn(
        store: FileInterface, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(root, *(f"{name}/{number}" for name in "abcdefgh" for number in range(3)))
    scandir = os.scandir

    def broken(path: str) -> Any:
        if path == f"{root}{os.sep}g{os.sep}":
            raise OSError(5, "Input/output error", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", broken)
    page = store.list_page(limit=17)
    assert [entry.key[0] for entry in page.entries] == sorted("abcdef" * 3)[:17]
    with pytest.raises(FileSystemError, match="Input/output"):
        store.list_page(token=page.next_token)


def test_tasks_whose_threads_are_in_the_parent_process(monkeypatch: pytest.MonkeyPatch) -> None:
    task = read_ahead.Task(lambda: 7)
    assert task._claim.acquire(blocking=False)  # a thread has begun
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert task.result() == 7
