"""What was transmitted, when and how fast: of one batch (`TransmissionMonitor`) or of the machine (`IOSampler`)::

    results, monitor = cf.get(paths, return_recording=True)
    monitor.total_bytes(), monitor.peak_Mbps()

Rates are in bits a second (`bps`) where not said otherwise, as networks are rated. Plots want matplotlib:
`pip install cloudfiles[plots]`.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.monitoring.rates import Flow, Io
from cloudfiles.types import Clock

_OTHER_CLOCK = 1.0
"""Seconds: monotonic clocks whose zeros lie further apart are not the same clock."""


class IOEnum(Enum):
    """Which way the bytes go."""

    RX = 1  # received: downloads
    TX = 2  # transmitted: uploads


def _in_units_of(bits: float, rate: str) -> Callable[..., float]:
    """The method `rate`, in units of so many bits a second; it takes the same arguments."""

    def scaled(self: TransmissionMonitor, *args: Any, **options: Any) -> float:
        value: float = getattr(self, rate)(*args, **options)
        return value / bits

    return scaled


class TransmissionMonitor:
    """When each object of a batch was on its way, and its stored bytes.

    Operations are noted when they end: with `record`, or between `start_io` and `end_io`. Times are
    seconds of the monotonic clock. Safe to use from many threads; it can be pickled, and read on another
    machine.

    Args:
        direction: downloads (`IOEnum.RX`) or uploads (`IOEnum.TX`).
        clock: where time comes from.

    Attributes:
        now: the clock, in seconds. note: `record` for who cannot spare a call, of a tuple `(start, end, bytes)`.
    """

    def __init__(self, direction: IOEnum, *, clock: Clock | None = None) -> None:
        self.direction = direction
        self._clock = clock or Clock()
        self._ios: list[Io] = []
        self.now = self._clock.monotonic
        self.note = self._ios.append
        self._in_flight: dict[uuid.UUID, tuple[float, int]] = {}
        self._errors = 0
        self._lock = threading.Lock()  # of what is in flight; a list's append needs none

    @classmethod
    def merge(cls, monitors: Sequence[TransmissionMonitor]) -> TransmissionMonitor:
        """All that several have recorded, in a new one; what they have in flight stays with them."""
        merged = cls(monitors[0].direction if monitors else IOEnum.TX)
        for monitor in monitors:
            merged.add(monitor)
        return merged

    def add(self, other: TransmissionMonitor) -> None:
        """Take in all that another one has recorded."""
        recorded: TransmissionMonitor = getattr(other, "recording", other)  # a transfer's result has one
        self._ios.extend(recorded._ios)
        self._errors += recorded._errors

    def halve(self) -> None:
        """Record each two operations that began one after the other as one, of the bytes of both."""
        ios = self.ios()
        pairs = zip(ios[::2], ios[1::2], strict=False)
        joined = [(one[0], max(one[1], two[1]), one[2] + two[2]) for one, two in pairs]
        self._ios[:] = joined + ios[len(joined) * 2:]

    # ---- recording

    def record(self, start: float, end: float, num_bytes: int) -> None:
        """Note an operation that has ended."""
        self.note((start, end, num_bytes))

    def record_error(self) -> None:
        """Note that an operation has failed."""
        self._errors += 1

    def timed(self, function: Callable[..., Any], size: Callable[[Any], int]) -> Callable[..., Any]:
        """`function` with each call of it recorded, by the `size` of what it gives. Errors are counted and go on."""

        def recorded(*args: Any) -> Any:
            start = self.now()
            try:
                result = function(*args)
            except BaseException:
                self.record_error()
                raise
            self.note((start, self.now(), size(result)))
            return result

        return recorded

    def start_io(self, num_bytes: int, start_time: float | None = None) -> uuid.UUID:
        """Note that an operation begins, of about `num_bytes`; gives what `end_io` wants to know it by."""
        flight = uuid.uuid4()
        with self._lock:
            self._in_flight[flight] = (self._clock.monotonic() if start_time is None else start_time, num_bytes)
        return flight

    def end_io(self, flight_id: uuid.UUID, num_bytes: int) -> None:
        """Note that an operation has moved `num_bytes`. Raises InvalidInputError for one that is not in flight."""
        start, _ = self._land(flight_id)
        self.record(start, self._clock.monotonic(), num_bytes)

    def end_error(self, flight_id: uuid.UUID) -> None:
        """Note that an operation has failed: it counts as an error, and with no bytes."""
        self._land(flight_id)
        self.record_error()

    def _land(self, flight: uuid.UUID) -> tuple[float, int]:
        with self._lock:
            if flight not in self._in_flight:
                raise InvalidInputError(f"operation {flight} is not in progress: pass an id returned by start_io(), "
                                        "and end each one only once")
            return self._in_flight.pop(flight)

    # ---- sums

    def total_bytes(self) -> int:
        """Bytes of all operations that have ended."""
        return sum(size for _, _, size in list(self._ios))

    def num_ios(self) -> int:
        """Operations that have ended well."""
        return len(self._ios)

    def num_errors(self) -> int:
        """Operations that have failed."""
        return self._errors

    def bytes_in_flight(self) -> int:
        """Bytes of the operations between `start_io` and their end, as announced."""
        with self._lock:
            return sum(size for _, size in self._in_flight.values())

    def ios(self) -> list[Io]:
        """`(start, end, bytes)` of each operation that has ended, by their starts."""
        return sorted(self._ios)

    def start_unix_time(self) -> float:
        """When the first operation began, in seconds since the epoch; 0.0 where there was none."""
        return min(start for start, _, _ in list(self._ios)) + self._epoch() if self._ios else 0.0

    def end_unix_time(self) -> float:
        """When the last operation ended, in seconds since the epoch; 0.0 where there was none."""
        return max(end for _, end, _ in list(self._ios)) + self._epoch() if self._ios else 0.0

    def _epoch(self) -> float:
        """The monotonic clock's zero, in seconds since the epoch."""
        return self._clock.wall() - self._clock.monotonic()

    # ---- rates

    def flow(self) -> Flow:
        """The bytes over time."""
        return Flow(list(self._ios))

    def total_bps(self) -> float:
        """Bits a second from the first begin to the last end; 0.0 where nothing was transmitted."""
        flow = self.flow()
        return 8 * flow.rate(flow.begin, flow.end)

    def current_bps(self, look_back_sec: float = 2.0) -> float:
        """Bits a second over the last `look_back_sec` seconds, of the operations that have ended."""
        now = self._clock.monotonic()
        return 8 * self.flow().rate(now - look_back_sec, now)

    def peak_bps(self, window: float = 1.0) -> float:
        """The highest rate over any `window` seconds, in bits a second; never less than `total_bps`."""
        return 8 * self.flow().peak(window)

    total_Mbps = _in_units_of(1e6, "total_bps")  # noqa: N815 -- the units' own case, and existing programs' names
    total_Gbps = _in_units_of(1e9, "total_bps")  # noqa: N815
    total_MBps = _in_units_of(8e6, "total_bps")  # noqa: N815
    total_GBps = _in_units_of(8e9, "total_bps")  # noqa: N815
    current_Mbps = _in_units_of(1e6, "current_bps")  # noqa: N815
    current_Gbps = _in_units_of(1e9, "current_bps")  # noqa: N815
    current_MBps = _in_units_of(8e6, "current_bps")  # noqa: N815
    current_GBps = _in_units_of(8e9, "current_bps")  # noqa: N815
    peak_Mbps = _in_units_of(1e6, "peak_bps")  # noqa: N815
    peak_Gbps = _in_units_of(1e9, "peak_bps")  # noqa: N815
    peak_MBps = _in_units_of(8e6, "peak_bps")  # noqa: N815
    peak_GBps = _in_units_of(8e9, "peak_bps")  # noqa: N815

    def histogram(self, resolution: float = 1.0) -> list[int]:
        """Bytes in each `resolution` seconds, from the first begin on."""
        return self.flow().histogram(resolution)

    # ---- plots

    def plot_histogram(self, resolution: float = 1.0, filename: str | None = None) -> None:
        """Draw the rate over time: into a file, or on the screen. Raises MissingExtraError without matplotlib."""
        from cloudfiles.monitoring.plots import plot_histogram

        plot_histogram({self._label: self.histogram(resolution)}, resolution, filename)

    def plot_gantt(self, filename: str | None = None, title: str | None = None,
                   show_size_labels: bool | None = None) -> None:
        """Draw each operation as a bar from its begin to its end: into a file, or on the screen.

        Args:
            show_size_labels: write its size on each bar; None: where there are few enough to be read.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from cloudfiles.monitoring.plots import plot_gantt

        plot_gantt(self.ios(), self._label, filename, title, show_size_labels)

    @property
    def _label(self) -> str:
        return "downloaded" if self.direction is IOEnum.RX else "uploaded"

    # ---- pickling

    def __repr__(self) -> str:
        return f"TransmissionMonitor({self.direction}, {self.num_ios()} operations, {self.total_bytes()} bytes)"

    def __getstate__(self) -> dict[str, Any]:
        return {"direction": self.direction, "ios": list(self._ios), "errors": self._errors, "epoch": self._epoch()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        TransmissionMonitor.__init__(self, state["direction"])
        shift = state["epoch"] - self._epoch()
        if abs(shift) < _OTHER_CLOCK:
            shift = 0.0
        self._ios.extend((start + shift, end + shift, size) for start, end, size in state["ios"])
        self._errors = state["errors"]
