"""A file system in other threads and processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("fsspec")

from cloudfiles.filesystem import CloudFileSystem
from cloudfiles.testing import S3Server


def test_threads_share_a_file_system(s3: Any) -> None:
    contents = {f"{number}/{name}": str(number).encode() for number in range(8) for name in "abcd"}

    def work(number: int) -> dict[str, bytes]:
        s3.pipe({name: content for name, content in contents.items() if name.startswith(f"{number}/")})
        return {name: s3.open(name).read() for name in s3.find(str(number))}

    with ThreadPoolExecutor(8) as pool:
        found = [item for part in pool.map(work, range(8)) for item in part.items()]
    assert dict(found) == contents == s3.cat("", recursive=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_file_system_is_used_after_a_fork(s3: Any) -> None:
    s3.pipe({"a": b"1", "b": b"22"})
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            again = pickle.loads(pickle.dumps(s3))
            os.write(writing, repr((s3.cat(["a", "b"]), again.find(""))).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        assert answer.read() == repr(({"a": b"1", "b": b"22"}, ["a", "b"])).encode()
    os.waitpid(child, 0)
    assert s3.cat("a") == b"1"


@pytest.mark.full
def test_a_pickle_is_used_by_another_process(fault_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in fault_server.secrets.items():
        monkeypatch.setenv(name, value)
    fs = CloudFileSystem(fault_server.cloudpath(), endpoint=fault_server.url, use_listings_cache=True)
    fs.pipe("a", b"1")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(fs.cat, ("a",)) == b"1"
