"""Pictures of a transfer, saved in the current directory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cloudfiles.monitoring import IOEnum, IOSampler, TransmissionMonitor
from cloudfiles.monitoring.plots import require_matplotlib
from cloudfiles.transfer.result import TransferResult


@dataclass(frozen=True)
class Pictures:
    """Which pictures to save.

    Attributes:
        flight_time: when each object was transferred, as a Gantt chart.
        io_rate: bytes per second, by the sizes of the objects.
        machine_io_rate: bytes per second of all network devices of this machine.
        buffer_seconds: the last seconds that the samples of `machine_io_rate` are kept for.
    """

    flight_time: bool = False
    io_rate: bool = False
    machine_io_rate: bool = False
    buffer_seconds: int = 600
    _recording: TransmissionMonitor = field(default_factory=lambda: TransmissionMonitor(IOEnum.TX))

    def add(self, result: TransferResult) -> None:
        """Also show the objects of `result`."""
        if self.flight_time or self.io_rate:
            self._recording.add(result.recording)

    @contextmanager
    def drawn(self, say: Callable[[str], object]) -> Iterator[None]:
        """Save the pictures after the block, and say where."""
        if not (self.flight_time or self.io_rate or self.machine_io_rate):
            yield
            return
        require_matplotlib()
        sampler = IOSampler(self.buffer_seconds)
        if self.machine_io_rate:
            sampler.start_sampling()
        try:
            yield
        finally:
            if self.machine_io_rate:
                sampler.stop_sampling()
            self._save(sampler, say)

    def _save(self, sampler: IOSampler, say: Callable[[str], object]) -> None:
        stem = f"cloudfiles-{time.strftime('%Y%m%d-%H%M%S')}"
        pictures: list[tuple[bool, str, Callable[..., object]]] = [
            (self.flight_time, "flight-time", self._recording.plot_gantt),
            (self.io_rate, "io-rate", self._recording.plot_histogram),
            (self.machine_io_rate, "machine-io-rate", sampler.plot_histogram)]
        for wanted, name, plot in pictures:
            if wanted:
                path = f"{stem}-{name}.png"
                plot(filename=path)
                say(f"cloudfiles: saved {path}")
