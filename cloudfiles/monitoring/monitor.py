"""Recordings of transmissions: of one batch (`TransmissionMonitor`) or of the whole machine (`IOSampler`)::

    results, monitor = cf.get(paths, return_recording=True)
    monitor.total_bytes(), monitor.peak_Mbps()

Rates are in bits per second (`bps`) unless stated otherwise. Plots require matplotlib:
`pip install 'cloudfiles[plots]'`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.monitoring.rates import Flow, Io
from cloudfiles.types import Clock

if TYPE_CHECKING:
    import uuid

_OTHER_CLOCK = 1.0
"""Seconds. Monotonic clocks whose origins differ by more than this are different clocks."""


class IOEnum(Enum):
    """The direction of a transmission."""

    RX = 1  # received: downloads
    TX = 2  # transmitted: uploads


def _in_units_of(bits: float, rate: str) -> Callable[..., float]:
    """A variant of the method `rate` in another unit, given in bits per second; it takes the same arguments."""

    def scaled(self: TransmissionMonitor, *args: Any, **options: Any) -> float:
        value: float = getattr(self, rate)(*args, **options)
        return value / bits

    return scaled


class TransmissionMonitor:
    """Records when each object of a batch was transmitted, and its stored bytes.

    Operations are recorded when they end, by `record` or by `start_io` and `end_io`. Times are in seconds of
    the monotonic clock. Instances are thread-safe, and can be pickled and read on another machine.

    Args:
        direction: downloads (`IOEnum.RX`) or uploads (`IOEnum.TX`).
        clock: the clock to use.

    Attributes:
        now: the clock, in seconds. note: a faster `record`, for a tuple `(start, end, bytes)`.
    """

    def __init__(self, direction: IOEnum, *, clock: Clock | None = None) -> None:
        self.direction = direction
        self._clock = clock or Clock()
        self._ios: list[Io] = []
        self.now = self._clock.monotonic
        self.note = self._ios.append
        self._in_flight: dict[uuid.UUID, tuple[float, int]] = {}
        self._errors = 0
        self._hedged = 0
        self._lock = threading.Lock()  # for operations in progress; list.append needs none

    @classmethod
    def merge(cls, monitors: Sequence[TransmissionMonitor]) -> TransmissionMonitor:
        """Merge several recordings into a new one. Operations in progress are not included."""
        merged = cls(monitors[0].direction if monitors else IOEnum.TX)
        for monitor in monitors:
            merged.add(monitor)
        return merged

    def add(self, other: TransmissionMonitor) -> None:
        """Add everything that another monitor has recorded."""
        recorded: TransmissionMonitor = getattr(other, "recording", other)  # the result of a transfer
        self._ios.extend(recorded._ios)
        self._errors += recorded._errors
        self._hedged += recorded._hedged

    def halve(self) -> None:
        """Combine every two consecutive operations into one, to halve the size of the recording."""
        ios = self.ios()
        pairs = zip(ios[::2], ios[1::2], strict=False)
        joined = [(one[0], max(one[1], two[1]), one[2] + two[2]) for one, two in pairs]
        self._ios[:] = joined + ios[len(joined) * 2:]

    # ---- recording

    def record(self, start: float, end: float, num_bytes: int) -> None:
        """Record a finished operation."""
        self.note((start, end, num_bytes))

    def record_error(self) -> None:
        """Record a failed operation."""
        self._errors += 1

    def record_hedged(self) -> None:
        """Record that a request was sent a second time because the response took long."""
        self._hedged += 1

    def timed(self, function: Callable[..., Any], size: Callable[[Any], int]) -> Callable[..., Any]:
        """Wrap `function` to record every call, with the `size` of its result. Errors are counted and re-raised."""

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
        """Record the start of an operation of about `num_bytes`; returns the id to pass to `end_io`."""
        import uuid  # here, as it takes long to import and is used for recordings only

        flight = uuid.uuid4()
        with self._lock:
            self._in_flight[flight] = (self._clock.monotonic() if start_time is None else start_time, num_bytes)
        return flight

    def end_io(self, flight_id: uuid.UUID, num_bytes: int) -> None:
        """Record the end of an operation of `num_bytes`. Raises InvalidInputError if it is not in progress."""
        start, _ = self._land(flight_id)
        self.record(start, self._clock.monotonic(), num_bytes)

    def end_error(self, flight_id: uuid.UUID) -> None:
        """Record that an operation has failed: it counts as an error, with no bytes."""
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
        """Number of bytes of all finished operations."""
        return sum(size for _, _, size in list(self._ios))

    def num_ios(self) -> int:
        """Number of successful operations."""
        return len(self._ios)

    def num_errors(self) -> int:
        """Number of failed operations."""
        return self._errors

    def num_hedged(self) -> int:
        """Number of requests that were sent a second time because the response took long."""
        return self._hedged

    def bytes_in_flight(self) -> int:
        """Announced bytes of the operations in progress."""
        with self._lock:
            return sum(size for _, size in self._in_flight.values())

    def ios(self) -> list[Io]:
        """`(start, end, bytes)` of each finished operation, in the order of their starts."""
        return sorted(self._ios)

    def start_unix_time(self) -> float:
        """The start of the first operation, in seconds since the epoch; 0.0 if there was none."""
        return min(start for start, _, _ in list(self._ios)) + self._epoch() if self._ios else 0.0

    def end_unix_time(self) -> float:
        """The end of the last operation, in seconds since the epoch; 0.0 if there was none."""
        return max(end for _, end, _ in list(self._ios)) + self._epoch() if self._ios else 0.0

    def _epoch(self) -> float:
        """The origin of the monotonic clock, in seconds since the epoch."""
        return self._clock.wall() - self._clock.monotonic()

    # ---- rates

    def flow(self) -> Flow:
        """The bytes over time."""
        return Flow(list(self._ios))

    def total_bps(self) -> float:
        """Bits per second from the first start to the last end; 0.0 if nothing was transmitted."""
        flow = self.flow()
        return 8 * flow.rate(flow.begin, flow.end)

    def current_bps(self, look_back_sec: float = 2.0) -> float:
        """Bits per second over the last `look_back_sec` seconds, for finished operations."""
        now = self._clock.monotonic()
        return 8 * self.flow().rate(now - look_back_sec, now)

    def peak_bps(self, window: float = 1.0) -> float:
        """The highest rate over any `window` seconds, in bits per second; never less than `total_bps`."""
        return 8 * self.flow().peak(window)

    total_Mbps = _in_units_of(1e6, "total_bps")  # noqa: N815 -- the case of the units, and the names in existing programs
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
        """Bytes per interval of `resolution` seconds, starting at the first operation."""
        return self.flow().histogram(resolution)

    # ---- plots

    def plot_histogram(self, resolution: float = 1.0, filename: str | None = None) -> None:
        """Plot the rate over time, to a file or on the screen. Raises MissingExtraError without matplotlib."""
        from cloudfiles.monitoring.plots import plot_histogram

        plot_histogram({self._label: self.histogram(resolution)}, resolution, filename)

    def plot_gantt(self, filename: str | None = None, title: str | None = None,
                   show_size_labels: bool | None = None) -> None:
        """Plot each operation as a bar from its start to its end, to a file or on the screen.

        Args:
            show_size_labels: label each bar with its size; None: only if there are few enough to be read.

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
        return {"direction": self.direction, "ios": list(self._ios), "errors": self._errors, "hedged": self._hedged,
                "epoch": self._epoch()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        TransmissionMonitor.__init__(self, state["direction"])
        shift = state["epoch"] - self._epoch()
        if abs(shift) < _OTHER_CLOCK:
            shift = 0.0
        self._ios.extend((start + shift, end + shift, size) for start, end, size in state["ios"])
        self._errors = state["errors"]
        self._hedged = state.get("hedged", 0)  # not in pickles of earlier versions
