"""The pictures of a run: rates over the latency of the store, and bar charts of a few workloads from zero."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.far_store import PROFILES
from benchmarks.results import OURS, Row, Table
from benchmarks.workloads import GATHER, OTHERS

SHOWN = {  # the workloads of the bar charts, and their titles in it
    "get-4k": "Read 4 KiB objects into memory",
    "put-4k": "Write 4 KiB objects from memory",
    "exists-dense": "Check which keys exist",
    "transfer-down-4k": "Download 5 000 small objects to files",
    "transfer-down-1g": "Download an object of 1 GiB to a file",
}
LATENCIES = "far-get-"  # the workloads of the lines
LINES = {OURS: OURS, GATHER: "obstore, all at once", **{client: client for client in OTHERS}}  # and their labels
CLIENTS = ("cloudfiles", "obstore", "rclone", "s5cmd", "boto3", "s3fs", "cloud-files")
GREEN, GRAY, DARK = "#1f6f54", "#9db4c0", "#4c626e"
WIDTH = 7.2  # inches; at 200 dots per inch twice the width in pixels at which the site shows it
LINES_HEIGHT = 4.6
COLUMNS = 2  # of bar charts
SPACE = 1.27  # between the labels of two lines, as a ratio of rates


def draw_lines(tables: Sequence[Table], path: Path) -> None:
    """Write the picture of rates over latency, if there are results for it; raises ImportError without matplotlib."""
    if shown := [table for table in tables if is_latency(table) and table.row(OURS)]:
        _draw(_lines, shown, LINES_HEIGHT, path)


def draw_bars(tables: Sequence[Table], path: Path) -> None:
    """Write the bar charts; raises ImportError without matplotlib."""
    shown = [table for table in tables if table.workload.name in SHOWN and best_rows(table)]
    _draw(_bars, shown, bars_height(shown), path)


def _draw(panels: Callable[[Any, Sequence[Table]], None], tables: Sequence[Table], height: float, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(WIDTH, height), layout="constrained")
    panels(figure, tables)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)
    pyplot.close(figure)


def is_latency(table: Table) -> bool:
    """Whether a table is a point of the lines."""
    name = table.workload.name
    return name.startswith(LATENCIES) and name.removeprefix(LATENCIES).isdigit()


def milliseconds(table: Table) -> float:
    return PROFILES[table.workload.server].latency * 1000


def _lines(figure: Any, tables: Sequence[Table]) -> None:
    """A line per client: requests per second over the latency."""
    axis = figure.subplots()
    figure.suptitle("Read 5 000 objects of 4 KiB, requests/s by the latency of the store.\n"
                    "Every client with its default settings; logarithmic scale.", fontsize=11, fontweight="bold")
    ends: dict[str, float] = {}
    for client, label in LINES.items():
        points = [(milliseconds(table), row.rate("requests/s")) for table in tables if (row := table.row(client))]
        if not points:
            continue
        ours = client == OURS
        axis.plot(*zip(*points, strict=True), marker="o", markersize=5 if ours else 3.5, linewidth=2.6 if ours else 1.4,
                  color=GREEN if ours else GRAY, zorder=3 if ours else 2)
        ends[f"{label}  {points[-1][1]:,.0f}"] = points[-1][1]
        if ours:
            for latency, rate in (points[0], *points[2:-1]):  # no room at the second point
                axis.annotate(f"{rate:,.0f}", (latency, rate), (5, 6), textcoords="offset points", fontsize=9,
                              color=GREEN)
    last = max(map(milliseconds, tables))
    for label, height in spread(ends):
        ours = label.startswith(f"{OURS}  ")
        axis.annotate(label, (last, height), (8, 0), textcoords="offset points", fontsize=10, va="center",
                      annotation_clip=False, color=GREEN if ours else DARK, fontweight="bold" if ours else "normal")
    _scales(axis, tables, last)


def _scales(axis: Any, tables: Sequence[Table], last: float) -> None:
    axis.set_yscale("log")
    axis.set_xlim(-2, last)
    low, high = axis.get_ylim()
    axis.set_ylim(low, high * 1.25)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.set_xticks([milliseconds(table) for table in tables],
                    [f"{milliseconds(table):.0f}" for table in tables], fontsize=10)
    axis.set_xlabel("milliseconds to the first byte of a response (0: the same machine)", fontsize=10)
    axis.grid(axis="y", color="#e3e9ec")
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", labelsize=10, length=0, which="both")
    axis.spines[["top", "right"]].set_visible(False)


def spread(heights: dict[str, float]) -> Iterable[tuple[str, float]]:
    """The heights of labels on a logarithmic scale, moved up where two would overlap."""
    below = 0.0
    for label, height in sorted(heights.items(), key=lambda item: item[1]):
        below = max(height, below * SPACE)
        yield label, below


def best_rows(table: Table) -> dict[str, Row]:
    """For each client of the bar charts, its fastest variant (threads, asyncio, ...), the fastest client first."""
    unit = table.workload.unit
    best: dict[str, Row] = {}
    for row in table.rows:
        client = row.client.split(",")[0].split(" ")[0]
        if client in CLIENTS and row.good and (client not in best or row.rate(unit) > best[client].rate(unit)):
            best[client] = row
    return dict(sorted(best.items(), key=lambda item: item[1].rate(unit), reverse=True))


def bars_height(tables: Sequence[Table]) -> float:
    """Inches."""
    return 0.6 + sum(0.45 + 0.21 * most for most in _most_bars(tables))


def _most_bars(tables: Sequence[Table]) -> list[int]:
    """The number of bars in each row of charts."""
    return [max(len(best_rows(table)) for table in tables[start:start + COLUMNS])
            for start in range(0, len(tables), COLUMNS)]


def _bars(figure: Any, tables: Sequence[Table]) -> None:
    most = _most_bars(tables)
    axes = figure.subplots(len(most), COLUMNS, height_ratios=[count + 1 for count in most], squeeze=False)
    figure.suptitle("Server on the same machine, every client with 20 connections,\n"
                    "in its fastest mode. Longer is faster.", fontsize=11, fontweight="bold")
    for axis in axes.flat[len(tables):]:
        axis.set_axis_off()
    for axis, table in zip(axes.flat, tables, strict=False):
        _panel(axis, table)
        axis.set_ylim(most[list(tables).index(table) // COLUMNS] - 0.5, -0.5)  # bars as thick as their neighbors


def _panel(axis: Any, table: Table) -> None:
    """One bar per client, the fastest at the top, with its rate at its end."""
    unit = table.workload.unit
    rates = {client: row.rate(unit) for client, row in best_rows(table).items()}
    bars = axis.barh(list(rates), list(rates.values()), height=0.72,
                     color=[GREEN if client == OURS else GRAY for client in rates])
    axis.bar_label(bars, labels=[f"{rate:,.0f}" for rate in rates.values()], padding=3, fontsize=9)
    axis.set_xlim(0, max(rates.values()) * 1.25)
    axis.xaxis.set_visible(False)
    axis.set_title(f"{SHOWN[table.workload.name]}, {unit}", fontsize=9.5, loc="left", x=-0.2)
    axis.tick_params(axis="y", labelsize=9.5, length=0)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
