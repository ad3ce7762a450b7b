"""The machine's counters."""

from __future__ import annotations

import pickle
import socket
import threading
from pathlib import Path

import pytest

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.monitoring import IOSampler, sampling
from cloudfiles.types import Clock
from tests.internals import Replace

NET = """Inter-|   Receive                |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo: 1000       1    0    0    0     0          0         0     2000       1    0    0    0     0       0          0
  eth0:500       2    0    0    0     0          0         0       70       1    0    0    0     0       0          0
"""
DISKS = """   8       0 sda 10 0 4 7 20 0 6 9 0 1 1
   8       1 sda1 10 0 4 7 20 0 6 9 0 1 1
   7       0 loop9 1 0 1 0 0 0 0 0 0 0 0
"""


class Machine:
    """A clock and two counters, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rx = 0
        self.tx = 0

    def sampler(self, **options: float) -> IOSampler:
        return IOSampler(counters=lambda: (self.rx, self.tx), clock=Clock(monotonic=lambda: self.now), **options)

    def run(self, sampler: IOSampler, *steps: tuple[float, int, int]) -> None:
        sampler.sample()
        for seconds, rx, tx in steps:
            self.now += seconds
            self.rx += rx
            self.tx += tx
            sampler.sample()


def test_rates() -> None:
    machine = Machine()
    sampler = machine.sampler()
    machine.run(sampler, (1.0, 100, 10), (1.0, 300, 0), (1.0, 0, 0))
    assert sampler.num_samples() == 4
    assert sampler.samples() == ([0, 100, 400, 400], [0, 10, 10, 10], [0.0, 1.0, 2.0, 3.0])
    assert sampler.peak_bps() == pytest.approx((2400, 80))
    assert sampler.peak_bps(window=2.0) == pytest.approx((1600, 40))
    assert sampler.current_bps(look_back_sec=2.0) == pytest.approx((1200, 0))
    assert sampler.histogram_rx() == [100, 300, 0]
    assert sampler.histogram_tx(resolution=3.0) == [10]
    assert (sampler.start_time(), sampler.end_time()) == (0.0, 3.0)


def test_a_counter_that_falls_back_is_no_negative_rate() -> None:
    machine = Machine()
    sampler = machine.sampler()
    machine.run(sampler, (1.0, 100, 0), (1.0, -100, 0))
    assert sampler.histogram_rx() == [100, 0]


def test_old_samples_are_forgotten() -> None:
    machine = Machine()
    sampler = machine.sampler(buffer_sec=2.0, interval=1.0)
    machine.run(sampler, *[(1.0, 1, 1)] * 10)
    assert sampler.num_samples() == 3
    assert sampler.start_time() == 8.0


def test_no_samples() -> None:
    sampler = Machine().sampler()
    assert sampler.peak_bps() == sampler.current_bps() == (0.0, 0.0)
    assert sampler.samples() == ([], [], [])


def test_the_thread_samples_and_ends(no_leaks: object) -> None:
    sampled = threading.Event()
    calls = []

    def counters() -> tuple[int, int]:
        calls.append(None)
        if len(calls) == 3:
            sampled.set()
        return len(calls), 0

    with IOSampler(interval=0.001, counters=counters) as sampler:
        assert sampler.is_sampling()
        assert sampled.wait(10)
        sampler.start_sampling()  # goes on
        assert sampler.num_samples() >= 3
    assert not sampler.is_sampling()
    assert not [thread for thread in threading.enumerate() if thread.name == "cloudfiles-sampler"]
    copy = pickle.loads(pickle.dumps(IOSampler()))
    assert copy.num_samples() == 0


def test_pickle_keeps_the_samples() -> None:
    sampler = IOSampler(counters="disk")
    sampler.sample()
    sampler.sample()
    copy = pickle.loads(pickle.dumps(sampler))
    assert copy.samples() == sampler.samples()
    copy.sample()


def test_own_traffic_shows() -> None:
    """The real counters: what goes over the loopback is in them."""
    before = sampling.net_counters()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        with peer:
            client.sendall(b"x" * 10_000)
            assert peer.recv(10_000)
            after = sampling.net_counters()
    assert after[0] - before[0] >= 10_000
    assert after[1] - before[1] >= 10_000


def test_proc(tmp_path: Path, internals: Replace) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "dev").write_text(NET)
    (tmp_path / "diskstats").write_text(DISKS)
    (tmp_path / "block" / "sda").mkdir(parents=True)
    internals(proc=tmp_path, block_devices=tmp_path / "block")
    assert sampling.net_counters() == (1500, 2070)
    assert sampling.disk_counters() == (4 * 512, 6 * 512)


def test_without_proc(tmp_path: Path, internals: Replace) -> None:
    pytest.importorskip("psutil")
    internals(proc=tmp_path)
    assert all(isinstance(count, int) for count in sampling.net_counters())


def test_wrong_arguments() -> None:
    with pytest.raises(InvalidInputError):
        IOSampler(interval=0)
    with pytest.raises(InvalidInputError):
        IOSampler(counters="tape")


def test_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    machine = Machine()
    sampler = machine.sampler()
    machine.run(sampler, (1.0, 100, 10), (1.0, 300, 0))
    sampler.plot_histogram(filename=str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
