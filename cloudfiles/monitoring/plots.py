"""Plots of recordings. Imported, with matplotlib, on first use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudfiles.exceptions import MissingExtraError
from cloudfiles.monitoring.rates import Io

_READABLE = 50
"""Number of bars up to which they are labelled."""

_INCHES = (10.0, 5.0)


def plot_histogram(series: Mapping[str, Sequence[int]], resolution: float, filename: str | None) -> None:
    """Plot bytes per `resolution` seconds as rates over time, one color per series."""
    figure, show = _figure(filename)
    axes = figure.add_subplot()
    for name, sizes in series.items():
        times = [number * resolution for number in range(len(sizes))]
        rates = [8 * size / resolution / 1e6 for size in sizes]
        axes.bar(times, rates, width=resolution, align="edge", alpha=0.7, label=name)
    axes.set_xlabel("seconds")
    axes.set_ylabel("Mbit/s")
    axes.legend()
    _finish(figure, filename, show)


def plot_gantt(ios: Sequence[Io], label: str, filename: str | None, title: str | None,
               show_size_labels: bool | None) -> None:
    """Plot each operation as a bar from its start to its end, the first at the top."""
    figure, show = _figure(filename)
    axes = figure.add_subplot()
    begin = ios[0][0] if ios else 0.0
    axes.barh(range(len(ios)), [end - start for start, end, _ in ios], left=[start - begin for start, _, _ in ios],
              height=1.0)
    if len(ios) <= _READABLE if show_size_labels is None else show_size_labels:
        for row, (start, end, size) in enumerate(ios):
            axes.text((start + end) / 2 - begin, row, _shown(size), ha="center", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.set_ylabel("operation")
    axes.set_title(title or f"{len(ios)} objects {label}, {_shown(sum(size for _, _, size in ios))}")
    _finish(figure, filename, show)


def _shown(size: float) -> str:
    """`size` in bytes with three digits.

    >>> _shown(1234567)
    '1.23 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def require_matplotlib() -> None:
    """Raise MissingExtraError if plots cannot be drawn, before the work that they would show."""
    _figure("")


def _figure(filename: str | None) -> tuple[Any, Any]:
    """A figure, and a function that shows it on the screen: only that uses pyplot, which needs a screen."""
    try:
        if filename is not None:
            from matplotlib.figure import Figure

            return Figure(figsize=_INCHES, layout="constrained"), None
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtraError("plots require matplotlib: pip install 'cloudfiles[plots]'") from error
    return pyplot.figure(figsize=_INCHES, layout="constrained"), pyplot.show


def _finish(figure: Any, filename: str | None, show: Any) -> None:
    if filename is not None:
        figure.savefig(filename)
    else:
        show()
