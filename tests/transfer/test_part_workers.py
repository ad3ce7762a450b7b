"""Parts of large objects in progress: as many as were asked for, or as are found to be worthwhile, over all objects."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, ResumableTransfer
from cloudfiles.batch.fanout import Plan
from cloudfiles.interfaces.part_writer import PART_BYTES
from cloudfiles.interfaces.s3.copy import ServerSideCopy
from cloudfiles.interfaces.s3.multipart import S3Upload
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.testing import S3Server
from cloudfiles.transfer.multipart_copy import MultipartCopy
from cloudfiles.transfer.part_workers import PartWorkers
from cloudfiles.transport import body_memory
from tests.contents import numbered
from tests.internals import PART, Replace

pytestmark = pytest.mark.one_runtime

KEYS = [f"big{number}" for number in range(5)]
SIZE = 6 * PART


class Watched:
    """Counts parts in progress. Each part waits until `expected` of them are, but not for long."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, expected: int, of: Any = MultipartCopy, name: str = "_part"
                 ) -> None:
        self.now = self.most = 0
        self.threads: set[int] = set()
        self._expected = expected
        self._changed = threading.Condition()
        function = getattr(of, name)

        def watched(*args: Any) -> Any:
            self._begin()
            try:
                return function(*args)
            finally:
                self._end()

        monkeypatch.setattr(of, name, watched)

    def _begin(self) -> None:
        with self._changed:
            self.threads.add(threading.get_ident())
            self.now += 1
            self.most = max(self.most, self.now)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= self._expected, 10)

    def _end(self) -> None:
        with self._changed:
            self.now -= 1


@pytest.fixture
def s3(server: S3Server) -> Any:
    server.put_many({key: numbered(SIZE, number << 28) for number, key in enumerate(KEYS)})

    def made(num_threads: int | None, prefix: str = "") -> CloudFiles:
        return CloudFiles(f"s3://{server.bucket}/{prefix}", endpoint=server.url, num_threads=num_threads, green=False,
                          composite_upload_threshold=PART, secrets=server.secrets)

    return made


@pytest.mark.parametrize("number", [1, 2, 3, 7, 25])
def test_a_given_number_of_parts_over_all_objects(s3: Any, number: int, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, number)
    s3(number).transfer_to(f"file://{tmp_path}", KEYS)
    assert watched.most == number
    assert (tmp_path / KEYS[4]).read_bytes() == numbered(SIZE, 4 << 28)


def test_one_object_has_all_workers(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, 6)
    s3(6).transfer_to(f"file://{tmp_path}", KEYS[0])
    assert watched.most == 6


def test_in_the_thread_of_the_caller(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, 1)
    s3(0).transfer_to(f"file://{tmp_path}", KEYS)
    assert watched.threads == {threading.get_ident()}
    assert watched.most == 1


def test_parts_wait_for_memory(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_memory.process_copy_memory, "_limit", 3 * PART)
    watched = Watched(monkeypatch, 3)
    s3(None).transfer_to(f"file://{tmp_path}", KEYS)
    assert watched.most == 3


def test_a_journal_copies_a_given_number_of_parts(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, 4)
    transfer = ResumableTransfer(tmp_path / "journal.db")
    transfer.init(s3(4), f"file://{tmp_path}/to", KEYS)
    transfer.execute()
    assert watched.most == 4


# ---- parts of puts


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_puts_send_a_given_number_of_parts(server: S3Server, s3: Any, number: int, monkeypatch: pytest.MonkeyPatch
                                           ) -> None:
    watched = Watched(monkeypatch, number, S3Upload, "send_part")
    contents = {f"new{key}": numbered(SIZE, key << 28) for key in range(3)}
    s3(number).puts(contents.items())
    assert {key: server.contents()[key] for key in contents} == contents
    assert watched.most == max(1, number)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_the_server_copies_a_given_number_of_parts(server: S3Server, s3: Any, number: int, internals: Replace,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it was given for the source only."""
    internals(s3_copy_at_once=PART)
    server.put_many({f"from/{key}": numbered(SIZE, key << 28) for key in range(3)})
    watched = Watched(monkeypatch, number, ServerSideCopy, "copy_part")
    assert s3(number, "from/").transfer_to(s3(None, "to/")).ways == {"copy": 3}
    assert [server.contents()[f"to/{key}"] for key in range(3)] == [numbered(SIZE, key << 28) for key in range(3)]
    assert watched.most == number


@pytest.mark.parametrize("number", [1, 3])
def test_objects_are_concatenated_by_a_given_number_of_requests(server: S3Server, s3: Any, number: int,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    server.put_many({f"part{piece}": numbered(5 << 20, piece << 28) for piece in range(6)})
    watched = Watched(monkeypatch, number, ServerSideCopy, "copy_part")
    s3(number).concat([f"part{piece}" for piece in range(6)], "whole")
    assert server.contents()["whole"] == b"".join(numbered(5 << 20, piece << 28) for piece in range(6))
    assert watched.most == number


# ---- how many objects at once


def made(width: int | None) -> PartWorkers:
    runtime = ThreadRuntime()
    local: Any = None
    found: Any = (lambda: None) if width is None else None
    return PartWorkers(local, local, Plan(runtime, width or 20, share=found))


def test_the_first_object_tells_how_many_more() -> None:
    workers = made(16)
    assert workers.objects_at_once(0) == 1
    with workers.copying(2 * PART_BYTES):
        assert workers.objects_at_once(1) == 8
    with workers.copying(200 * PART_BYTES):
        assert workers.objects_at_once(1) == 1


def test_the_next_object_begins_when_workers_become_idle() -> None:
    workers = made(16)
    with workers.copying(100 * PART_BYTES) as parts:
        assert workers.workers_for(parts, 100) == 16
        assert workers.objects_at_once(1) == 1
        assert workers.workers_for(parts, 15) == 15
        assert workers.objects_at_once(1) == 2
        with workers.copying(100 * PART_BYTES) as others:
            assert workers.objects_at_once(2) == 2
            assert workers.workers_for(others, 100) == 8
            assert workers.workers_for(parts, 3) == 3
            assert workers.workers_for(others, 100) == 13
            workers.end(parts)
            assert workers.workers_for(others, 100) == 16
            assert workers.objects_at_once(2) == 2


def test_objects_that_are_copied_as_a_whole_need_a_worker_each() -> None:
    workers = made(16)
    with workers.copying(100 * PART_BYTES) as parts:
        parts.as_one()
        assert workers.objects_at_once(1) == 2
    assert made(1).objects_at_once(0) == 1


def test_there_are_no_more_objects_than_workers() -> None:
    workers = made(3)
    with workers.copying(None):
        assert workers.objects_at_once(1) == 3
