"""The bar charts of a run: a few workloads and the best-known clients, on scales that start at zero."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import Row, Table

SHOWN = {  # the workloads of the picture, and their titles in it
    "get-4k": "Read 4 KiB objects into memory",
    "put-4k": "Write 4 KiB objects from memory",
    "exists-dense": "Check which keys exist",
    "transfer-down-4k": "Download 5 000 objects of 4 KiB to files",
    "transfer-down-1g": "Download one object of 1 GiB to a file",
}
CLIENTS = ("cloudfiles", "obstore", "rclone", "s5cmd", "boto3", "s3fs", "cloud-files")
OURS, PEER = "#1f6f54", "#9db4c0"
WIDTH = 7.2  # inches; at 200 dots per inch twice the width in pixels at which the site shows it


def draw(tables: Sequence[Table], path: Path) -> None:
    """Write the picture; raises ImportError without matplotlib, ValueError with nothing to draw."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chosen = [table for table in tables if table.workload.name in SHOWN and best_rows(table)]
    if not chosen:
        raise ValueError(f"no results for the workloads of the picture: {', '.join(SHOWN)}")
    bars = [len(best_rows(table)) for table in chosen]
    figure, axes = pyplot.subplots(len(chosen), 1, figsize=(WIDTH, 0.75 + sum(0.62 + 0.27 * count for count in bars)),
                                   height_ratios=[count + 0.6 for count in bars], squeeze=False, layout="constrained")
    for axis, table in zip(axes.flat, chosen, strict=True):
        _panel(axis, table)
    figure.suptitle("One process, 20 connections, server on the same machine;\n"
                    "each client in its fastest mode. Longer is faster.", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=200)
    pyplot.close(figure)


def best_rows(table: Table) -> dict[str, Row]:
    """For each client of the picture, its fastest variant (threads, asyncio, ...), the fastest client first."""
    unit = table.workload.unit
    best: dict[str, Row] = {}
    for row in table.rows:
        client = row.client.split(",")[0].split(" ")[0]
        if client in CLIENTS and row.good and (client not in best or row.rate(unit) > best[client].rate(unit)):
            best[client] = row
    return dict(sorted(best.items(), key=lambda item: item[1].rate(unit), reverse=True))


def _panel(axis: Any, table: Table) -> None:
    """One bar per client, the fastest at the top, with its rate at its end."""
    unit = table.workload.unit
    rates = {client: row.rate(unit) for client, row in best_rows(table).items()}
    bars = axis.barh(list(rates), list(rates.values()), height=0.72,
                     color=[OURS if client == "cloudfiles" else PEER for client in rates])
    axis.bar_label(bars, labels=[f"{rate:,.0f}" for rate in rates.values()], padding=4, fontsize=10)
    axis.invert_yaxis()
    axis.set_xlim(0, max(rates.values()) * 1.13)
    axis.xaxis.set_visible(False)
    axis.set_title(f"{SHOWN[table.workload.name]}, {unit}", fontsize=11, loc="left", fontweight="bold")
    axis.tick_params(axis="y", labelsize=10.5, length=0)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
