"""A transfer's result has what programs ask a recording for."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.monitoring import IOEnum, TransmissionMonitor
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.result import ObjectOutcome, TransferResult
from tests.internals import PART, Replace


@pytest.fixture
def done(s3: CloudFiles, disk: CloudFiles) -> TransferResult:
    s3.puts([(str(n), bytes(1000)) for n in range(30)] + [("large", bytes(PART + 1))])
    return s3.transfer_to(disk)


def test_everything_that_programs_ask_of_a_monitor(done: Any) -> None:
    size = 30_000 + (PART + 1)
    assert (done.total_bytes(), done.bytes, done.num_ios(), done.num_errors()) == (size, size, 31, 0)
    assert done.bytes_in_flight() == 0
    assert sum(done.histogram()) == size
    assert 0 < done.total_bps() <= done.peak_bps()
    assert done.total_Mbps() == done.total_bps() / 1e6
    assert done.start_unix_time() < done.end_unix_time()
    assert done.direction is IOEnum.TX
    assert len(done.ios()) == 31
    assert TransmissionMonitor.merge([done, done]).total_bytes() == 2 * size
    assert not hasattr(done, "no_such_thing")


def test_it_goes_anywhere(done: TransferResult) -> None:
    for other in (pickle.loads(pickle.dumps(done)), copy.copy(done)):
        assert other == done
        assert other.total_bytes() == done.bytes


def test_moves_and_failures(mem: CloudFiles, disk: CloudFiles) -> None:
    mem.puts([("a", b"123"), ("b", b"4")])
    done: Any = mem.transfer_to(disk, ["a", "none"], raise_errors=False)
    assert (done.num_ios(), done.total_bytes(), done.num_errors()) == (1, 3, 1)
    moved: Any = mem.moves(disk, ["a", "b"])
    assert (moved.num_ios(), moved.total_bytes()) == (2, 4)


@pytest.mark.parametrize("is_merged", [False, True])
def test_any_number_of_objects_costs_the_same_memory(internals: Replace, is_merged: bool) -> None:
    internals(most_recorded=10)
    done: Any = TransferResult()
    for n in range(1001):
        one = TransferResult() if is_merged else done
        one.add(ObjectOutcome(Item("k", "k"), "copied", "whole", n), float(-n))
        if is_merged:
            done.merge(one)
    assert (done.num_ios(), done.total_bytes(), done.bytes) == (1001, 500_500, 500_500)
    assert len(done.ios()) <= 10
    assert done.ios()[0][0] == -1000.0
