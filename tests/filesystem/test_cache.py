"""Cached listings: off by default, and never outdated by what the file system itself writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec")

from cloudfiles import CloudFiles
from cloudfiles.filesystem import CloudFileSystem
from cloudfiles.testing import S3Server


@pytest.fixture
def cached(fault_server: S3Server) -> CloudFileSystem:
    fs = CloudFileSystem(fault_server.cloudpath(), endpoint=fault_server.url, secrets=fault_server.secrets,
                         use_listings_cache=True, skip_instance_cache=True)
    fs.pipe({"d/a": b"1", "d/e/b": b"22", "x": b"3"})
    fault_server.forget()
    return fs


def test_nothing_is_cached_by_default(s3: Any, fault_server: S3Server) -> None:
    s3.pipe("d/a", b"1")
    assert s3.ls("d", detail=False) == ["d/a"]
    fault_server.put("d/b", b"2")
    assert s3.ls("d", detail=False) == ["d/a", "d/b"]
    assert s3.exists("d/b")


def test_a_listing_is_requested_once(cached: CloudFileSystem, fault_server: S3Server) -> None:
    for _ in range(3):
        assert [info["name"] for info in cached.ls("d")] == ["d/a", "d/e"]
        assert cached.info("d/a")["size"] == 1
        assert cached.exists("d/a")
        assert cached.isfile("d/a")
        assert cached.isdir("d/e")
        assert not cached.isfile("d/e")
    assert len(fault_server.requests()) == 1
    fault_server.put("d/b", b"2")  # by another program
    assert not any(info["name"] == "d/b" for info in cached.ls("d"))
    assert cached.exists("d/b")  # what is not in the cache is asked for
    assert [info["name"] for info in cached.ls("d", refresh=True)] == ["d/a", "d/b", "d/e"]
    fault_server.put("d/c", b"2")
    cached.invalidate_cache("d/c")
    assert "d/c" in cached.ls("d", detail=False)


def test_the_result_of_a_cached_listing_is_a_copy(cached: CloudFileSystem) -> None:
    cached.ls("d")[0]["size"] = 99
    cached.ls("d").clear()
    assert cached.info("d/a")["size"] == 1
    assert len(cached.ls("d")) == 2


def test_writes_are_seen(cached: CloudFileSystem, tmp_path: Path) -> None:
    def names(path: str = "") -> list[str]:
        return cached.ls(path, detail=False)

    assert (names(), names("d"), names("d/e")) == (["d", "x"], ["d/a", "d/e"], ["d/e/b"])
    cached.pipe("d/a", b"12345")
    assert cached.info("d/a")["size"] == 5
    with cached.open("d/f", "wb") as file:
        file.write(b"1")
    assert names("d") == ["d/a", "d/e", "d/f"]
    cached.rm("d/e", recursive=True)
    assert names("d") == ["d/a", "d/f"]
    assert not cached.exists("d/e")
    cached.pipe("n/e/w", b"")
    assert names() == ["d", "n", "x"]
    cached.cp("x", "n/e/y")
    assert names("n/e") == ["n/e/w", "n/e/y"]
    cached.mv("n", "m", recursive=True)
    assert names() == ["d", "m", "x"]
    assert names("m/e") == ["m/e/w", "m/e/y"]
    (tmp_path / "l").write_bytes(b"")
    cached.put(str(tmp_path / "l"), "d/l")
    assert names("d") == ["d/a", "d/f", "d/l"]
    with cached.transaction:
        cached.pipe("d/t", b"")
    assert names("d") == ["d/a", "d/f", "d/l", "d/t"]
    cached.touch("d/u")
    cached.rm_file("d/t")
    assert names("d") == ["d/a", "d/f", "d/l", "d/u"]


def test_a_listing_that_began_before_a_write_is_not_cached(cached: CloudFileSystem,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudfiles.filesystem import lookups

    listed = lookups.contents

    def listed_while_another_thread_writes(*args: Any) -> Any:
        found = listed(*args)
        cached.pipe("d/z", b"")
        return found

    monkeypatch.setattr(lookups, "contents", listed_while_another_thread_writes)
    assert cached.ls("d", detail=False) == ["d/a", "d/e"]
    monkeypatch.undo()
    assert cached.ls("d", detail=False) == ["d/a", "d/e", "d/z"]


def test_the_cache_of_local_files(tmp_path: Path) -> None:
    fs = CloudFileSystem(tmp_path, use_listings_cache=True, skip_instance_cache=True)
    assert fs.ls("") == []
    fs.mkdir("d")
    assert fs.ls("", detail=False) == ["d"]
    assert fs.ls("d") == []
    fs.makedirs("d/e/f")
    assert fs.ls("d", detail=False) == ["d/e"]
    fs.rmdir("d/e/f")
    assert fs.ls("d/e") == []
    CloudFiles(str(tmp_path)).put("other", b"")
    fs.invalidate_cache()
    assert fs.ls("", detail=False) == ["d", "other"]
