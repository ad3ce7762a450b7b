"""Tables of a run, as text for a terminal and as markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.imports import ImportCost
from benchmarks.results import Row, Table
from benchmarks.targets import Verdict

Cells = list[tuple[str, ...]]


def cells(table: Table) -> Cells:
    """A header, and a row a client."""
    cpu = "CPU us/MB" if table.work.unit == "MB/s" else "CPU us each"
    return [("client", table.work.unit, cpu, "peak RSS MB", "times ours", "CPU times ours", "remark"),
            *(_row(table, row) for row in table.rows)]


def _row(table: Table, row: Row) -> tuple[str, ...]:
    if not row.good:
        return (row.client, *["-"] * 5, row.reason)
    cpu = row.cpu_a_megabyte if table.work.unit == "MB/s" else row.cpu_each
    ratios = ["-" if ratio is None else f"{ratio:.3g}" for ratio in (table.ratio(row), table.cpu_ratio(row))]
    return (row.client, f"{row.rate(table.work.unit):,.0f}", f"{cpu:,.1f}", f"{row.rss:,.0f}", *ratios,
            row.reason or row.note)


def title(table: Table) -> str:
    """What was measured, against what; rough figures say so."""
    return f"{table.work.title} [{table.work.name}, {table.server}{', quick' if table.quick else ''}]"


def summary(tables: Sequence[Table]) -> Cells:
    """The rates of several works, a row a client."""
    clients = dict.fromkeys(row.client for table in tables for row in table.rows)
    return [("client", *(f"{table.work.name}, {table.work.unit}" for table in tables)),
            *((client, *(_rate(table, client) for table in tables)) for client in clients)]


def _rate(table: Table, client: str) -> str:
    row = table.row(client)
    return "-" if row is None else f"{row.rate(table.work.unit):,.0f}"


def import_cells(costs: Sequence[ImportCost]) -> Cells:
    return [("statement", "package", "ms", "peak RSS MB", "remark"),
            *((cost.statement, cost.client, *(("-", "-") if cost.reason else
               (f"{cost.milliseconds:.0f}", f"{cost.rss:.0f}")), cost.reason) for cost in costs)]


def verdict_cells(verdicts: Sequence[Verdict]) -> Cells:
    return [("target", "measured", "verdict"),
            *((v.target, v.measured, "reached" if v.reached else "MISSED") for v in verdicts)]


def plain(title: str, rows: Cells) -> str:
    """Columns for a terminal, figures to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    last = len(widths) - 1
    lines = ["  ".join(cell.ljust(width) if i in (0, last) else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
    return "\n".join([title, "-" * len(title), *lines, ""])


def markdown(title: str, rows: Cells) -> str:
    """A heading and a pipe table."""
    last = len(rows[0]) - 1
    rule = ["---" if i in (0, last) else "---:" for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(row) + " |" for row in (rows[0], tuple(rule), *rows[1:])]
    return "\n".join([f"### {title}", "", *lines, ""])


def sections(tables: Sequence[Table], imports: Sequence[ImportCost], verdicts: Sequence[Verdict],
             summary_of: Sequence[Table]) -> list[tuple[str, Cells]]:
    """Title and cells of everything that was measured."""
    found = [(title(table), cells(table)) for table in tables]
    moved = [table for table in summary_of if table.work.name.startswith("transfer-")]
    if moved:
        found.append(("Moving data, side by side", summary(moved)))
    if imports:
        found.append(("import", import_cells(imports)))
    measured = [verdict for verdict in verdicts if verdict.reached is not None]
    if measured:
        found.append((f"Targets, {len(measured)} of {len(verdicts)} measured", verdict_cells(measured)))
    return found
