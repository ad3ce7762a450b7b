"""Symlinks between directories of the target: two objects of the source are never written to one file there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, ResumableTransfer, sync
from cloudfiles.bucket import Bucket
from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.file import FileInterface
from cloudfiles.tasks.downloader import Downloader
from cloudfiles.tasks.uploader import Uploader
from tests.transfer.conftest import Make, tree, write

FILES = {"a": b"1", "latest/x": b"of latest", "run10/x": b"of run10"}
KEYS = ["latest/x", "run10/x"]

Way = Callable[[CloudFiles, str, Path], Any]


def _journaled(source: CloudFiles, target: str, path: Path) -> Any:
    rt = ResumableTransfer(path / "journal")
    rt.init(source, target)
    return rt.execute()


def _copies(source: CloudFiles, target: str, path: Path) -> Any:
    there = CloudFiles(target)
    return there.puts([(key, source.get(key)) for key in KEYS])


ANY_SOURCE: dict[str, Way] = {
    "sync": lambda source, target, path: sync(source, target),
    "sync_to": lambda source, target, path: source.sync_to(target, delete=True),
    "transfer_to": lambda source, target, path: source.transfer_to(target),
    "exact": lambda source, target, path: source.transfer_to(CloudFiles(target, encoding_suffixes=False)),
    "keys": lambda source, target, path: source.transfer_to(target, KEYS),
    "other keys": lambda source, target, path: source.transfer_to(target, iter([("a", "latest/x"), KEYS[1]])),
    "reversed": lambda source, target, path: source.transfer_to(target, KEYS[::-1]),
    "parallel": lambda source, target, path: source.transfer_to(target, parallel=2),
    "resumable": lambda source, target, path: source.transfer_to(target, resumable=True),
    "moves": lambda source, target, path: source.moves(target, KEYS),
    "journal": _journaled,
    "Downloader": lambda source, target, path: Downloader(source, "", target[7:], overwrite=True),
    "get_all_files": lambda source, target, path: Bucket(source).get_all_files(target[7:]),
    "puts": _copies,
}
LOCAL_SOURCE: dict[str, Way] = {
    "Uploader": lambda source, target, path: Uploader(target, "", source.cloudpath[7:], overwrite=True),
    "add_directory": lambda source, target, path: Bucket(target).add_directory(source.cloudpath[7:]),
    "sync_directory": lambda source, target, path: Bucket(target).sync_directory(source.cloudpath[7:]),
}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    there = write(tmp_path / "there", {"run10/kept": b""})
    (there / "latest").symlink_to("run10")
    return there


@pytest.fixture
def local(tmp_path: Path) -> CloudFiles:
    return CloudFiles(f"file://{write(tmp_path / 'source', FILES)}")


@pytest.mark.parametrize("way", [*ANY_SOURCE, *LOCAL_SOURCE])
def test_of_a_directory(local: CloudFiles, there: Path, tmp_path: Path, way: str) -> None:
    with pytest.raises(InvalidPathError, match="conflict"):
        {**ANY_SOURCE, **LOCAL_SOURCE}[way](local, f"file://{there}", tmp_path)
    assert tree(there / "run10") == {"kept": b""}
    assert tree(tmp_path / "source") == FILES


@pytest.mark.parametrize("kind", ["mem", "s3"])
@pytest.mark.parametrize("way", [way for way in ANY_SOURCE if way != "journal"])
def test_of_a_store(store: Make, there: Path, tmp_path: Path, kind: str, way: str) -> None:
    source = store(kind)
    source.puts(list(FILES.items()))
    with pytest.raises(InvalidPathError, match="conflict"):
        ANY_SOURCE[way](source, f"file://{there}", tmp_path)
    assert tree(there / "run10") == {"kept": b""}


@pytest.mark.parametrize("way", ["puts", "moves", "transfer_to"])
@pytest.mark.parametrize("exact", [False, True])
def test_of_an_iterator_the_second_is_not_begun(local: CloudFiles, there: Path, way: str, exact: bool) -> None:
    target = CloudFiles(str(there), encoding_suffixes=not exact)
    with pytest.raises(InvalidPathError, match="was not written") as caught:
        if way == "puts":
            target.puts((key, FILES[key]) for key in KEYS)
        else:
            getattr(local, way)(target, iter(KEYS))
    assert caught.value.path == "run10/x"
    assert tree(there / "run10").get("x") in (None, FILES["latest/x"])
    assert local.get("run10/x") == FILES["run10/x"]


LINKS = {
    "to itself": ("sub", ".", ["sub/x", "x"]),
    "to a parent": ("d/up", "..", ["d/up/x", "x"]),
    "to a parent of the root": ("up", "../..", ["up/root/there/x", "x"]),
    "to a sibling by a parent of the root": ("up", "../../root/there/d", ["up/x", "d/x"]),
    "absolute": ("one", "{root}/two", ["one/d/x", "two/d/x"]),
    "through another link": ("two/l", "../latest", ["two/l/x", "run10/x"]),
    "two links": ("one", "run10", ["latest/x", "one/x"]),
    "by an encoding's suffix": ("one", "two", ["one/x", "two/x.gz"]),
}


@pytest.mark.parametrize("link", list(LINKS))
@pytest.mark.parametrize("is_iterator", [False, True])
def test_other_links(tmp_path: Path, mem: CloudFiles, link: str, is_iterator: bool) -> None:
    there = tmp_path / "root" / "there"
    for name in ("run10", "d", "two/d"):
        (there / name).mkdir(parents=True)
    (there / "latest").symlink_to("run10")
    name, to, keys = LINKS[link]
    (there / name).symlink_to(to.format(root=there))
    mem.puts([(key, key.encode()) for key in keys])
    with pytest.raises(InvalidPathError, match="conflict"):
        mem.transfer_to(str(there), iter(keys) if is_iterator else keys)
    if not is_iterator:
        assert not tree(there)
        if link != "by an encoding's suffix":  # which mean nothing to a sync
            with pytest.raises(InvalidPathError, match="conflict"):
                sync(mem, str(there))
            assert not tree(there)


def test_an_object_and_a_directory(there: Path, mem: CloudFiles) -> None:
    mem.puts([("latest/x", b"1"), ("run10/x/y", b"2")])
    with pytest.raises(InvalidPathError, match="conflict"):
        mem.transfer_to(str(there), ["latest/x", "run10/x/y"])
    assert tree(there / "run10") == {"kept": b""}


def test_by_another_case(tmp_path: Path, mem: CloudFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileInterface, "traits", FileInterface.traits._replace(folds_case=True))
    there = tmp_path / "there"
    (there / "run10").mkdir(parents=True)
    (there / "latest").symlink_to("run10")
    keys = ["latest/x", "RUN10/x"]
    mem.puts([(key, key.encode()) for key in keys])
    for paths in (keys, iter(keys), None):
        with pytest.raises(InvalidPathError, match="conflict"):
            mem.transfer_to(str(there), paths)
    assert set(tree(there)) <= {"run10/x"}


# ---- what goes on working


@pytest.mark.parametrize("way", [way for way in [*ANY_SOURCE, *LOCAL_SOURCE] if way not in (
    "moves", "puts", "other keys")])
def test_the_same_link_on_both_sides(there: Path, tmp_path: Path, way: str) -> None:
    source = write(tmp_path / "source", {"run10/x": b"of run10", "a": b"1"})
    (source / "latest").symlink_to("run10")
    {**ANY_SOURCE, **LOCAL_SOURCE}[way](CloudFiles(str(source)), f"file://{there}", tmp_path)
    assert tree(there / "run10")["x"] == b"of run10"
    assert (there / "latest").is_symlink()


def test_external_links_that_are_followed(tmp_path: Path, mem: CloudFiles) -> None:
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    there.mkdir()
    elsewhere.mkdir()
    for name in ("one", "two"):
        (there / name).symlink_to(elsewhere)
    cf = CloudFiles(str(there), follow_external_symlinks=True)
    mem.puts([("one/x", b"1"), ("a", b"")])
    assert mem.transfer_to(cf).copied == 2
    assert mem.sync_to(cf).copied == 0
    mem.put("two/x", b"2")
    for work in (mem.transfer_to, mem.sync_to):
        with pytest.raises(InvalidPathError, match="conflict"):
            work(cf)
    assert tree(elsewhere) == {"x": b"1"}


def test_other_names_may_share_the_directory(there: Path, mem: CloudFiles) -> None:
    mem.puts([("latest/x", b"1"), ("run10/y", b"2")])
    assert mem.transfer_to(str(there)).copied == 2
    assert mem.sync_to(str(there)).copied == 0
    assert tree(there / "run10") == {"kept": b"", "x": b"1", "y": b"2"}


def test_a_link_of_the_name_of_an_object_is_replaced(tmp_path: Path, mem: CloudFiles) -> None:
    there = write(tmp_path / "there", {"a": b"old"})
    (there / "b").symlink_to("a")
    mem.puts([("a", b"1"), ("b", b"2")])
    mem.transfer_to(str(there))
    assert tree(there) == {"a": b"1", "b": b"2"}


def test_a_link_that_is_made_later_is_seen(there: Path, mem: CloudFiles) -> None:
    (there / "latest").unlink()
    mem.puts(list(FILES.items()))
    cf = CloudFiles(str(there))
    assert mem.transfer_to(cf).copied == 3
    mem.delete("run10/x")
    (there / "latest" / "x").unlink()
    (there / "latest").rmdir()
    (there / "latest").symlink_to("run10")
    mem.put("run10/x", b"2")
    with pytest.raises(InvalidPathError, match="conflict"):
        mem.transfer_to(cf)


# ---- sync


def test_what_was_mixed_before_is_found(there: Path, mem: CloudFiles) -> None:
    """The target is newer, and its sizes are those of the source."""
    mem.puts([("latest/x", b"12345678"), ("run10/x", b"abcdefgh")])
    write(there, {"run10/x": b"12345678"})
    os.utime(there / "run10" / "x", (4e9, 4e9))
    with pytest.raises(InvalidPathError, match="conflict"):
        mem.sync_to(str(there))
    mem.put("run10/x", b"12345678")
    os.utime(there / "run10" / "x", (5e9, 5e9))
    assert mem.sync_to(str(there)).copied == 0


def test_one_that_is_left_out_is_none(there: Path, mem: CloudFiles) -> None:
    mem.puts(list(FILES.items()))
    assert mem.sync_to(str(there), exclude="run10/*").copied == 2
    assert tree(there / "run10") == {"kept": b"", "x": b"of latest"}


def test_what_was_copied_through_a_link_is_not_deleted(there: Path, mem: CloudFiles) -> None:
    mem.put("latest/x", b"1")
    assert mem.sync_to(str(there), delete=True).deleted == 1
    assert mem.sync_to(str(there), delete=True).deleted == 0
    assert tree(there / "run10") == {"x": b"1"}
