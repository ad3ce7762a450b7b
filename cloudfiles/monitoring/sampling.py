"""Samples of the system's byte counters, taken by a thread."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from cloudfiles.exceptions import InvalidInputError, MissingExtraError
from cloudfiles.monitoring.rates import Flow
from cloudfiles.types import Clock

Counters = Callable[[], tuple[int, int]]
"""Returns the bytes received (read) and transmitted (written) so far; both only increase."""

_SECTOR = 512
"""Bytes per sector in /proc/diskstats, whatever the disk uses (Linux, Documentation/admin-guide/iostats)."""

_PROC = Path("/proc")
_BLOCK_DEVICES = Path("/sys/block")
_INTERFACE = re.compile(r"^\s*[^:\s]+:\s*(.+)$", re.MULTILINE)


def net_counters() -> tuple[int, int]:
    """Bytes received and transmitted by all network interfaces, loopback included.

    Raises MissingExtraError if the system has no /proc and psutil is not installed.
    """
    try:
        text = (_PROC / "net" / "dev").read_text(encoding="ascii")
    except OSError:
        counted = _psutil().net_io_counters()
        return counted.bytes_recv, counted.bytes_sent
    fields = [line.split() for line in _INTERFACE.findall(text)]
    return sum(int(each[0]) for each in fields), sum(int(each[8]) for each in fields)


def disk_counters() -> tuple[int, int]:
    """Bytes read from and written to all disks, without counting partitions twice. Raises as `net_counters`."""
    try:
        text = (_PROC / "diskstats").read_text(encoding="ascii")
        disks = set(os.listdir(_BLOCK_DEVICES))
    except OSError:
        counted = _psutil().disk_io_counters()
        return counted.read_bytes, counted.write_bytes
    fields = [each for each in map(str.split, text.splitlines()) if each[2] in disks]
    return _SECTOR * sum(int(each[5]) for each in fields), _SECTOR * sum(int(each[9]) for each in fields)


def _psutil() -> Any:
    try:
        import psutil  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise MissingExtraError("reading the counters of this system requires psutil: pip install 'cloudfiles[plots]'"
                                ) from error
    return psutil


_COUNTERS: dict[str, Counters] = {"net": net_counters, "disk": disk_counters}


class IOSampler:
    """Samples how many bytes the machine has received and sent (read and written), in a thread::

        with IOSampler() as sampler:
            ...
        sampler.peak_bps()

    This includes all programs of the machine. Instances can be pickled; the pickle contains the samples only.

    Args:
        buffer_sec: how many seconds of samples are kept.
        interval: seconds between two samples.
        counters: 'net', 'disk', or a function that returns two byte counters.
        clock: the clock to use.
    """

    def __init__(self, buffer_sec: float = 600.0, interval: float = 0.25, *, counters: str | Counters = "net",
                 clock: Clock | None = None) -> None:
        if not 0 < interval <= buffer_sec:
            raise InvalidInputError(f"expected 0 < interval <= buffer_sec, in seconds, got interval={interval!r}, "
                                    f"buffer_sec={buffer_sec!r}")
        if not callable(counters) and counters not in _COUNTERS:
            raise InvalidInputError(f"counters: expected 'net', 'disk' or a function, got {counters!r}")
        self._interval = interval
        self._counters = counters if callable(counters) else _COUNTERS[counters]
        self._clock = clock or Clock()
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=int(buffer_sec / interval) + 1)
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    # ---- sampling

    def start_sampling(self, force: bool = False) -> None:
        """Discard all samples and start sampling. Does nothing if sampling is in progress, unless `force`."""
        if self.is_sampling() and not force:
            return
        self.stop_sampling()
        self._samples.clear()
        self.sample()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.sample_loop, args=(self._stop, self._interval),
                                        name="cloudfiles-sampler", daemon=True)
        self._thread.start()

    def stop_sampling(self) -> None:
        """Take a last sample and end the thread. The samples are kept."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
            self.sample()

    def is_sampling(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def sample(self) -> None:
        """Take one sample."""
        self._samples.append((self._clock.monotonic(), *self._counters()))

    def sample_loop(self, terminate_evt: threading.Event, interval: float) -> None:
        """Take a sample every `interval` seconds until the event is set."""
        while not terminate_evt.wait(interval):
            self.sample()

    def __enter__(self) -> IOSampler:
        self.start_sampling()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop_sampling()

    # ---- samples

    def num_samples(self) -> int:
        return len(self._samples)

    def samples(self) -> tuple[list[int], list[int], list[float]]:
        """The two counters and the time (in seconds of the monotonic clock) of each sample."""
        samples = list(self._samples)
        return [rx for _, rx, _ in samples], [tx for _, _, tx in samples], [time for time, _, _ in samples]

    def start_time(self) -> float:
        """The time of the first sample; 0.0 if there is none."""
        return self._samples[0][0] if self._samples else 0.0

    def end_time(self) -> float:
        """The time of the last sample; 0.0 if there is none."""
        return self._samples[-1][0] if self._samples else 0.0

    def _flows(self) -> tuple[Flow, Flow]:
        """The bytes between each two samples."""
        steps = list(pairwise(self._samples.copy()))
        # A counter decreases when its interface or disk is removed: not a negative transmission.
        return (Flow((a[0], b[0], max(0, b[1] - a[1])) for a, b in steps),
                Flow((a[0], b[0], max(0, b[2] - a[2])) for a, b in steps))

    # ---- rates

    def peak_bps(self, window: float = 1.0) -> tuple[float, float]:
        """The highest rates over any `window` seconds: (received, transmitted), in bits per second."""
        rx, tx = self._flows()
        return 8 * rx.peak(window), 8 * tx.peak(window)

    def current_bps(self, look_back_sec: float = 2.0) -> tuple[float, float]:
        """The rates of the last `look_back_sec` seconds before the last sample, in bits per second."""
        end = self.end_time()
        begin = max(self.start_time(), end - look_back_sec)
        rx, tx = self._flows()
        return 8 * rx.rate(begin, end), 8 * tx.rate(begin, end)

    def histogram_rx(self, resolution: float = 1.0) -> list[int]:
        """Bytes received per interval of `resolution` seconds, starting at the first sample."""
        return self._flows()[0].histogram(resolution)

    def histogram_tx(self, resolution: float = 1.0) -> list[int]:
        """Bytes transmitted per interval of `resolution` seconds, starting at the first sample."""
        return self._flows()[1].histogram(resolution)

    def plot_histogram(self, resolution: float | None = None, filename: str | None = None) -> None:
        """Plot the rates over time, to a file or on the screen. `resolution` is in seconds; None: the interval.

        Raises MissingExtraError without matplotlib.
        """
        from cloudfiles.monitoring.plots import plot_histogram

        resolution = self._interval if resolution is None else resolution
        plot_histogram({"received": self.histogram_rx(resolution), "transmitted": self.histogram_tx(resolution)},
                       resolution, filename)

    # ---- pickling

    def __getstate__(self) -> dict[str, Any]:
        name = next((name for name, known in _COUNTERS.items() if known is self._counters), self._counters)
        return {"interval": self._interval, "counters": name, "samples": list(self._samples),
                "maxlen": self._samples.maxlen}

    def __setstate__(self, state: dict[str, Any]) -> None:
        IOSampler.__init__(self, interval=state["interval"], counters=state["counters"])
        self._samples = deque(state["samples"], state["maxlen"])
