"""The bar charts of a run: one panel a work, one bar a client, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import Row, Table

SHOWN = ("get-4k", "put-4k", "get-64k", "exists-dense", "transfer-down-4k", "transfer-down-1g")
OURS, PEER, LIMIT = "#1f6f54", "#9db4c0", "#e0c48c"
COLUMNS = 2


def draw(tables: Sequence[Table], path: Path) -> None:
    """Write the picture; raises ImportError without matplotlib, ValueError with nothing to draw."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    chosen = [table for table in tables if table.work.name in SHOWN and any(row.good for row in table.rows)]
    if not chosen:
        raise ValueError(f"none of the works of the picture has figures: {', '.join(SHOWN)}")
    lines = -(-len(chosen) // COLUMNS)
    figure, axes = pyplot.subplots(lines, COLUMNS, figsize=(13, 3.9 * lines), squeeze=False, layout="constrained")
    for axis, table in zip(axes.flat, chosen, strict=False):
        _panel(axis, table)
    for axis in list(axes.flat)[len(chosen):]:
        axis.set_visible(False)
    figure.suptitle("One client process, 20 connections, server on the same machine (logarithmic, longer is faster)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _colour(row: Row) -> str:
    if "limit" in row.client:
        return LIMIT
    return OURS if row.client.startswith("cloudfiles") else PEER


def _panel(axis: Any, table: Table) -> None:
    """Bars from fastest to slowest, each with its figure at its end."""
    unit = table.work.unit
    rows = sorted((row for row in table.rows if row.good), key=lambda row: row.rate(unit))
    rates = [row.rate(unit) for row in rows]
    bars = axis.barh([row.client for row in rows], rates, color=[_colour(row) for row in rows])
    axis.bar_label(bars, labels=[f"{rate:,.0f}" for rate in rates], padding=3, fontsize=8)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.xaxis.set_minor_formatter("")
    axis.set_xlim(min(rates) / 2, max(rates) * 3)
    axis.set_title(f"{table.work.title}, {unit}", fontsize=10, loc="left")
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
