"""Transfers spread over processes and executors: everything arrives, and what came of it is summed up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, DuplicatePathError, MissingObjectError
from cloudfiles.testing import Rule, S3Server, s3_error
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.result import ObjectOutcome, TransferResult
from tests.contents import numbered
from tests.internals import PART
from tests.transfer.conftest import tree

pytestmark = pytest.mark.one_runtime

SMALL = {f"d{n % 3}/{n:03}": b"x" * n for n in range(200)}
BIG = numbered(PART * 9 // 2)


class Counting(Executor):
    """Runs its work at once, in this thread, and keeps what it was given."""

    def __init__(self) -> None:
        self.chunks: list[list[Any]] = []

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.chunks.append(args[2])
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture
def source(tmp_path: Path) -> CloudFiles:
    cf = CloudFiles(f"file://{tmp_path}/in/")
    cf.puts(list(SMALL.items()))
    return cf


@pytest.mark.real_parts
def test_by_processes(source: CloudFiles, server: S3Server, tmp_path: Path) -> None:
    """With secrets that were handed in, which no pickle tells."""
    big = numbered(9 << 20)
    s3 = CloudFiles(f"s3://{server.bucket}/", endpoint=server.url, secrets=server.secrets)
    source.put("big", big)
    source.parallel = 2
    done = source.transfer_to(s3)
    assert (done.copied, done.bytes) == (201, sum(map(len, SMALL.values())) + len(big))
    assert done.ways == {"whole": 200, "parts": 1}
    assert server.contents() == {**SMALL, "big": big}
    back = CloudFiles(f"file://{tmp_path}/back/", parallel=2)
    assert back.transfer_from(s3, sorted(SMALL), resumable=True).copied == 200
    assert tree(tmp_path / "back") == SMALL
    directory = Path(os.environ["CLOUD_FILES_DIR"]) / "transfers" / "resumable"
    assert list(directory.iterdir()) == []


def test_by_an_executor(source: CloudFiles, s3: CloudFiles, server: S3Server, executor: Executor) -> None:
    assert source.transfer_to(s3, parallel=executor).copied == 200
    assert server.contents() == SMALL
    done = source.transfer_to(s3, parallel=executor, resumable=True)
    assert (done.copied, done.skipped) == (0, 200)


def test_chunks_and_progress(source: CloudFiles, disk: CloudFiles) -> None:
    counting, steps = Counting(), []

    class Bar:
        def update(self, count: int) -> None:
            steps.append(count)

    done = source.transfer_to(disk, sorted(SMALL), parallel=counting, progress=Bar())
    assert done.copied == 200
    assert sum(steps) == 200
    assert sorted(item.source for chunk in counting.chunks for item in chunk) == sorted(SMALL)
    assert len(counting.chunks) > 1


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_large_object_is_done_when_it_is(source: CloudFiles, s3: CloudFiles, server: S3Server, parallel: int
                                           ) -> None:
    """And not when the others are."""
    source.put("big", BIG)
    before: list[int] = []

    class Bar:
        done = 0

        def update(self, count: int) -> None:
            self.done += count
            before.append(self.done if "big" not in server.contents() else 0)

    bar = Bar()
    assert source.transfer_to(s3, progress=bar, parallel=parallel).copied == 201
    assert bar.done == 201
    assert 201 not in before


def test_the_first_error_is_raised_and_the_rest_is_given_up(source: CloudFiles, disk: CloudFiles) -> None:
    keys = sorted(SMALL)
    keys.insert(100, "absent")
    counting = Counting()
    with pytest.raises(MissingObjectError, match=r"completely before; .* objects that other workers had not started "
                                                 r"were cancelled") as caught:
        source.transfer_to(disk, keys, parallel=counting)
    assert caught.value.path == "absent"
    result = caught.value.result  # type: ignore[attr-defined]
    assert 0 < result.copied <= len(list(disk)) < 200
    assert str(caught.value).count("completely before") == 1


def test_errors_are_kept(source: CloudFiles, s3: CloudFiles, server: S3Server, executor: Executor) -> None:
    server.script(Rule(s3_error(403, "AccessDenied"), method="PUT", prefix="d1/", times=None))
    done = source.transfer_to(s3, parallel=executor, raise_errors=False)
    refused = {key for key in SMALL if key.startswith("d1/")}
    assert set(done.errors) == refused
    assert all(isinstance(error, AuthorizationError) for error in done.errors.values())
    assert done.copied == 200 - len(refused)


def test_what_is_wrong_with_the_paths_shows_before(source: CloudFiles, disk: CloudFiles) -> None:
    counting = Counting()
    with pytest.raises(DuplicatePathError):
        source.transfer_to(disk, [*SMALL, "d0/000"], parallel=counting)
    assert counting.chunks == []


def test_sync(source: CloudFiles, s3: CloudFiles, server: S3Server) -> None:
    s3.put("stray", b"1")
    counting = Counting()
    source.parallel = counting
    done = source.sync_to(s3, delete=True)
    assert (done.copied, done.deleted) == (200, 1)
    assert server.contents() == SMALL
    assert sum(map(len, counting.chunks)) == 200


@pytest.mark.parametrize("way", ["to", "from"])
def test_memory_is_in_this_process_alone(source: CloudFiles, mem: CloudFiles, way: str) -> None:
    counting = Counting()
    if way == "to":
        assert source.transfer_to(mem, parallel=counting).copied == 200
    else:
        mem.puts(list(SMALL.items()))
        assert source.transfer_from(mem, parallel=counting).copied == 200
    assert counting.chunks == []


def test_results_are_summed_up() -> None:
    first, second = TransferResult(), TransferResult()
    error = MissingObjectError("gone", path="c")
    for key, status in (("a", "copied"), ("b", "skipped"), ("d", "missing")):
        for result in (first, second):
            result.add(ObjectOutcome(Item(key, key), status, "whole", 5))  # type: ignore[arg-type]
    second.fail(Item("c", "c"), error)
    first.merge(second)
    assert (first.copied, first.skipped, first.missing, first.bytes, first.unverified) == (2, 2, 2, 10, 2)
    assert (first.ways, first.errors) == ({"whole": 2}, {"c": error})
