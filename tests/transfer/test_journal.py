"""The journal: what it takes, who may lease what, and what becomes of leases whose owner is gone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudfiles.exceptions import DuplicatePathError, FileSystemError, JournalError
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.journal import journal as journal_module
from cloudfiles.transfer.journal.journal import Journal
from cloudfiles.transfer.journal.process_identity import ProcessIdentity, is_dead, this_process
from cloudfiles.transfer.journal.records import ItemResult
from cloudfiles.transfer.partial_upload import PartialUpload
from cloudfiles.types import Clock
from tests.internals import Replace


class Time:
    """Clocks that are moved by hand."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.monotonic = 500.0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def journal(tmp_path: Path, time: Time) -> Iterator[Journal]:
    opened = Journal(str(tmp_path / "journal"), create=True, clock=time.clock())
    opened.begin("mem://a/", "mem://b/", {})
    yield opened
    opened.close()


def fill(journal: Journal, count: int) -> None:
    journal.list_all(Item(f"{n}", f"{n}") for n in range(count))


# ---- the file


def test_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"does not exist; create it with init"):
        Journal(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(("statement", "message"), [
    ("CREATE TABLE xfermeta (id)", "a journal of cloud-files"),
    ("CREATE TABLE mine (id)", "another program's"),
    (f"PRAGMA application_id = {0x43464A4C}; PRAGMA user_version = 99; CREATE TABLE t (id)", "newer version"),
])
def test_of_another_format(tmp_path: Path, statement: str, message: str, create: bool) -> None:
    database = sqlite3.connect(tmp_path / "journal")
    database.executescript(statement)
    database.close()
    before = (tmp_path / "journal").read_bytes()
    with pytest.raises(JournalError, match=message):
        Journal(str(tmp_path / "journal"), create)
    assert (tmp_path / "journal").read_bytes() == before


def test_no_database(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"some text that is no database" * 100)
    with pytest.raises(JournalError, match="is not a journal"):
        Journal(str(tmp_path / "journal"), create=True)
    with pytest.raises(FileSystemError, match="cannot use the journal"):
        Journal(str(tmp_path), create=True)


# ---- listing


def test_any_key(journal: Journal) -> None:
    items = [Item("ä/€", "x", 5), Item("\udcff", "\udcff"), Item("a\0b", "a'b"), Item("", "empty")]
    assert journal.list_all(items) == 4
    assert list(journal.items("pending")) == items


def test_the_same_twice_counts_once(journal: Journal) -> None:
    assert journal.list_all([Item("a", "a"), Item("b", "c"), Item("a", "a"), Item("b", "c")]) == 2


@pytest.mark.parametrize("second", [Item("b", "a"), Item("c", "a")])
def test_two_objects_for_one_target(journal: Journal, second: Item) -> None:
    with pytest.raises(DuplicatePathError, match=r"'a' and '[bc]'"):
        journal.list_all([Item("a", "a"), second])
    assert journal.transfer is not None
    assert not journal.transfer.is_listed


def test_memory_stays_flat(journal: Journal, internals: Replace, full: bool) -> None:
    def peak_of(count: int) -> int:
        journal.begin("mem://a/", "mem://b/", {})
        tracemalloc.start()
        journal.list_all(Item(f"some/directory/{n:09}", f"some/directory/{n:09}", n) for n in range(count))
        assert sum(1 for _ in journal.records()) == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    internals(journal_batch=1000)
    few = peak_of(5_000 if full else 3_000)
    assert peak_of(40_000 if full else 20_000) < 1.5 * few


# ---- leases


def test_each_object_is_leased_once(journal: Journal) -> None:
    fill(journal, 5)
    one, other = journal.register(60), journal.register(60)
    held = [journal.lease(one, 2), journal.lease(other, 2), journal.lease(one, 2), journal.lease(other, 2)]
    assert [[leased.item.source for leased in block] for block in held] == [["0", "1"], ["2", "3"], ["4"], []]


def test_many_threads_with_journals_of_their_own(journal: Journal) -> None:
    fill(journal, 500)
    taken: list[int] = []

    def work() -> None:
        own = Journal(journal.path)
        worker = own.register(60)
        while block := own.lease(worker, 7):
            taken.extend(leased.id for leased in block)
            results = [(leased.id, ItemResult("done", bytes=2)) for leased in block]
            assert own.record_results(worker, results) == len(block)
        own.release(worker)
        own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 500
    assert journal.counts() == ({"done": 500}, 1000)


def test_a_lease_that_is_over_is_taken_over(journal: Journal, time: Time) -> None:
    fill(journal, 2)
    slow, other = journal.register(60), journal.register(1000)
    (held, _) = journal.lease(slow, 2)
    time.monotonic += 59
    assert journal.take_over_leases(other) == ([], [])
    time.monotonic += 2
    adopted, processes = journal.take_over_leases(other)
    assert ([leased.item.source for leased in adopted], processes) == (["0", "1"], [])
    assert journal.record_results(slow, [(held.id, ItemResult("done"))]) == 0  # it is not its to tell of any more
    assert journal.lease(slow, 5) == []  # nobody begins before it is cleared up
    journal.hand_back(other, processes)
    assert len(journal.lease(other, 5)) == 2
    assert journal.record_results(slow, [(held.id, ItemResult("done"))]) == 0
    assert journal.record_results(other, [(held.id, ItemResult("failed", "why"))]) == 1
    assert [failure[:] for failure in journal.failures()] == [("0", "0", "why", 2)]


def test_work_renews_the_lease(journal: Journal, time: Time) -> None:
    fill(journal, 5)
    one, other = journal.register(60), journal.register(60)
    held = journal.lease(one, 3)
    for renew in (lambda: journal.renew(one), lambda: journal.record_results(one, [(held[0].id, ItemResult("done"))]),
                  lambda: journal.lease(one, 1)):
        time.monotonic += 50
        renew()
        assert journal.take_over_leases(other) == ([], [])


def test_a_lease_that_is_renewed_while_another_waits_its_turn(journal: Journal, time: Time) -> None:
    """It then ends later than any that was taken when the wait began."""
    fill(journal, 1)
    busy = journal.register(60)
    journal.lease(busy, 1)

    class Waits(Journal):
        @contextmanager
        def _changing(self) -> Iterator[sqlite3.Connection]:
            time.monotonic += 5
            journal.renew(busy)
            with super()._changing() as database:
                yield database

    other = Waits(journal.path, clock=time.clock())
    assert other.take_over_leases(other.register(60)) == ([], [])
    other.close()


@pytest.mark.parametrize("change", [-86_400.0, 86_400.0])
def test_setting_the_clock_changes_no_lease(journal: Journal, time: Time, change: float) -> None:
    fill(journal, 1)
    one, other = journal.register(60), journal.register(60)
    (held,) = journal.lease(one, 1)
    time.wall += change
    assert journal.take_over_leases(other) == ([], [])
    time.monotonic += 30
    assert journal.record_results(one, [(held.id, ItemResult("done"))]) == 1
    time.monotonic += 61
    assert journal.take_over_leases(other) == ([], [])


def test_a_lease_from_before_the_machine_was_restarted(journal: Journal, time: Time) -> None:
    fill(journal, 1)
    one, other = journal.register(60), journal.register(60)
    journal.lease(one, 1)
    time.monotonic = 3.0
    assert len(journal.take_over_leases(other)[0]) == 1


def test_a_process_that_is_gone_loses_its_lease_at_once(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(journal, 3)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with monkeypatch.context() as patch:
        dead = this_process()._replace(pid=gone.pid, mark="dead")
        patch.setattr(journal_module, "this_process", lambda: dead)
        journal.lease(journal.register(1e6), 2)
    other = journal.register(60)
    assert not journal.is_in_use()
    adopted, processes = journal.take_over_leases(other)
    assert (len(adopted), processes) == (2, ["dead"])
    journal.hand_back(other, processes)
    assert journal.take_over_leases(other) == ([], [])
    assert len(journal.lease(other, 9)) == 3
    assert journal.is_in_use()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the system tells no more than process ids")
def test_which_processes_are_dead() -> None:
    here = this_process()
    assert not is_dead(here)
    assert ProcessIdentity.load(here.dump()) == here
    assert is_dead(here._replace(began="1"))  # another one that had this id before
    assert is_dead(here._replace(boot="another"))
    assert not is_dead(here._replace(host="elsewhere", pid=1 << 30))  # which cannot be told from here
    assert not is_dead(here._replace(namespace="another container's", pid=1 << 30))
    assert is_dead(here._replace(pid=1 << 21))


def test_what_was_not_begun_is_returned(journal: Journal) -> None:
    fill(journal, 3)
    worker = journal.register(60)
    held = journal.lease(worker, 3)
    journal.set_large(worker, [held[0].id])
    journal.record_results(worker, [(held[1].id, ItemResult("done"))])
    journal.release(worker)
    assert [record["attempts"] for record in journal.records()] == [0, 1, 0]
    other = journal.register(60)
    assert [leased.item.source for leased in journal.lease(other, 9)] == ["2"]
    assert [leased.item.source for leased in journal.lease(other, 9, large=True)] == ["0"]


def test_failed_ones_again(journal: Journal) -> None:
    fill(journal, 2)
    worker = journal.register(60)
    one, _ = journal.lease(worker, 2)
    journal.record_results(worker, [(one.id, ItemResult("failed", "why"))])
    assert journal.retry_failed() == 1
    assert [leased.id for leased in journal.lease(worker, 2)] == [one.id]


def test_half_done_objects(journal: Journal) -> None:
    fill(journal, 1)
    worker = journal.register(60)
    (held,) = journal.lease(worker, 1)
    partial = PartialUpload('"etag"', 20, {"upload_id": "x"}, {0: "aa", 8: "bb"})
    journal.save_partial_uploads([(held.id, partial)])
    assert journal.partial_upload(held.id) == partial
    assert journal.partial_uploads() == [(held, partial)]
    assert journal.partial_uploads("failed") == []
    journal.record_results(worker, [(held.id, ItemResult("done"))], [held.id])
    assert journal.partial_upload(held.id) is None
