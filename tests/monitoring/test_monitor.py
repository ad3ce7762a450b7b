"""The recording of a batch."""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, clear_memory
from cloudfiles.exceptions import CloudFilesError, InvalidInputError, MissingExtraError
from cloudfiles.monitoring import IOEnum, TransmissionMonitor
from cloudfiles.testing import S3Server
from cloudfiles.types import Clock


class Hand:
    """A clock moved by hand."""

    def __init__(self, now: float = 100.0, epoch: float = 1_000_000.0) -> None:
        self.now = now
        self.clock = Clock(wall=lambda: epoch + self.now, monotonic=lambda: self.now)


def test_rates_and_sums() -> None:
    hand = Hand()
    monitor = TransmissionMonitor(IOEnum.RX, clock=hand.clock)
    first = monitor.start_io(1000)
    hand.now += 1
    second = monitor.start_io(500, start_time=100.5)
    assert monitor.bytes_in_flight() == 1500
    hand.now += 1
    monitor.end_io(first, 1000)
    monitor.end_io(second, 600)
    assert monitor.total_bytes() == 1600
    assert monitor.bytes_in_flight() == 0
    assert monitor.total_bps() == pytest.approx(1600 * 8 / 2)
    assert monitor.peak_bps() == pytest.approx((500 + 400) * 8)
    assert monitor.current_bps(1.0) == pytest.approx((500 + 400) * 8)
    hand.now += 10
    assert monitor.current_bps() == 0
    assert monitor.histogram(0.5) == [250, 450, 450, 450]
    assert (monitor.start_unix_time(), monitor.end_unix_time()) == (1_000_100.0, 1_000_102.0)


def test_units() -> None:
    monitor = TransmissionMonitor(IOEnum.TX)
    monitor.record(0.0, 1.0, 10**9)
    assert monitor.total_Mbps() == pytest.approx(8000)
    assert monitor.total_Gbps() == pytest.approx(8)
    assert monitor.total_MBps() == pytest.approx(1000)
    assert monitor.total_GBps() == pytest.approx(1)
    assert monitor.peak_GBps(window=0.5) == pytest.approx(1)
    assert monitor.current_Mbps(look_back_sec=1e9) == pytest.approx(monitor.current_bps(1e9) / 1e6)


def test_nothing_recorded() -> None:
    monitor = TransmissionMonitor(IOEnum.RX)
    assert monitor.total_bps() == monitor.peak_bps() == monitor.current_bps() == 0.0
    assert monitor.start_unix_time() == monitor.end_unix_time() == 0.0
    assert monitor.histogram() == []


def test_errors_count_without_bytes() -> None:
    monitor = TransmissionMonitor(IOEnum.RX)
    flight = monitor.start_io(5)
    monitor.end_error(flight)
    assert (monitor.num_errors(), monitor.num_ios(), monitor.total_bytes()) == (1, 0, 0)
    with pytest.raises(InvalidInputError):
        monitor.end_io(flight, 5)


def test_merge() -> None:
    monitors = []
    for number in range(3):
        monitors.append(TransmissionMonitor(IOEnum.TX))
        monitors[-1].record(number, number + 1.0, 10)
    merged = TransmissionMonitor.merge(monitors)
    assert merged.direction is IOEnum.TX
    assert merged.ios() == [(0, 1, 10), (1, 2, 10), (2, 3, 10)]
    assert monitors[0].num_ios() == 1
    assert TransmissionMonitor.merge([]).total_bytes() == 0


def test_a_pickle_keeps_times_where_the_clock_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    here = TransmissionMonitor(IOEnum.RX)
    here.record(10.0, 11.0, 5)
    assert pickle.loads(pickle.dumps(here)).ios() == here.ios()
    elsewhere = TransmissionMonitor(IOEnum.RX, clock=Hand(now=50.0, epoch=5_000.0).clock)
    elsewhere.record(49.0, 50.0, 7)
    read = pickle.loads(pickle.dumps(elsewhere))
    assert read.start_unix_time() == pytest.approx(5_049.0, abs=0.01)
    assert read.total_bps() == pytest.approx(56, rel=1e-3)


# ---- batches


def test_gets_and_puts_are_recorded(fault_server: S3Server, green: bool) -> None:
    contents = {f"k{n}": os.urandom(100 + n) for n in range(30)}
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets, green=green)
    count, sent = cf.puts(list(contents.items()), return_recording=True)
    assert count == 30
    assert sent.direction is IOEnum.TX
    assert sorted(size for _, _, size in sent.ios()) == sorted(map(len, contents.values()))
    found, received = cf.get([*contents, "missing"], return_recording=True)
    assert {r["path"]: r["content"] for r in found} == {**contents, "missing": None}
    assert received.direction is IOEnum.RX
    assert (received.num_ios(), received.total_bytes()) == (31, sum(map(len, contents.values())))
    assert all(start <= end for start, end, _ in received.ios())
    as_dict, _ = cf.get(["k1"], return_recording=True, return_dict=True)
    assert as_dict == {"k1": contents["k1"]}


def test_one_path(tmp_path: Path) -> None:
    cf = CloudFiles(f"file://{tmp_path}")
    count, sent = cf.puts(("a", b"12345" * 100), compress="gzip", return_recording=True)
    content, received = cf.get("a", return_recording=True)
    assert (count, content) == (1, b"12345" * 100)
    stored = (tmp_path / "a.gz").stat().st_size
    assert sent.total_bytes() == received.total_bytes() == stored


def test_json() -> None:
    clear_memory()
    cf = CloudFiles("mem://bucket/")
    count, monitor = cf.put_jsons([("a", [1, 2]), ("b", {})], return_recording=True)
    assert (count, monitor.total_bytes()) == (2, len("[1,2]") + len("{}"))


def test_errors_are_counted(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "pipe")
    cf = CloudFiles(f"file://{tmp_path}")
    found, monitor = cf.get(["pipe", "none"], raise_errors=False, return_recording=True)
    assert isinstance(found[0]["error"], CloudFilesError)
    assert (monitor.num_errors(), monitor.num_ios()) == (1, 1)


class Pipe(io.RawIOBase):
    """Content that cannot tell its length."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)


FILES: list[Callable[[bytes], Any]] = [io.BytesIO, Pipe, bytearray, memoryview]


@pytest.mark.parametrize("make", FILES)
@pytest.mark.parametrize("compress", [None, "gzip"])
def test_bytes_of_every_kind_of_content(fault_server: S3Server, make: Callable[[bytes], Any],
                                        compress: str | None) -> None:
    content = os.urandom(300_000)
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets)
    _, monitor = cf.puts([("a", make(content)), ("b", make(content))], compress=compress, return_recording=True)
    stored = fault_server.get("a")
    assert stored is not None
    assert monitor.total_bytes() == 2 * len(stored.content)
    assert cf.get("a") == content


def test_a_file_is_read_from_where_it_stands(fault_server: S3Server) -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    cf = CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets)
    _, monitor = cf.puts([("a", file)], return_recording=True)
    assert (cf.get("a"), monitor.total_bytes()) == (b"456789", 6)


def test_processes_bring_their_recordings(tmp_path: Path) -> None:
    cf = CloudFiles(f"file://{tmp_path}")
    with ThreadPoolExecutor(2) as executor:
        count, sent = cf.puts([(f"k{n}", b"x" * n) for n in range(20)], parallel=executor, return_recording=True)
        found, received = cf.get([f"k{n}" for n in range(20)], parallel=executor, return_recording=True)
    assert (count, len(found)) == (20, 20)
    assert sent.total_bytes() == received.total_bytes() == sum(range(20))
    assert sent.num_ios() == received.num_ios() == 20


# ---- plots


def test_plots(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    monitor = TransmissionMonitor(IOEnum.RX)
    for number in range(10):
        monitor.record(number / 10, number / 5 + 0.1, 10 ** number)
    for number, draw in enumerate((monitor.plot_histogram, monitor.plot_gantt,
                                   TransmissionMonitor(IOEnum.TX).plot_gantt)):
        draw(filename=str(tmp_path / f"{number}.png"))
        assert (tmp_path / f"{number}.png").read_bytes().startswith(b"\x89PNG")


def test_plots_without_matplotlib(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"cloudfiles\[plots\]"):
        TransmissionMonitor(IOEnum.TX).plot_gantt(filename=str(tmp_path / "a.png"))
