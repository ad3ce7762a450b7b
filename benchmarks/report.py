"""Tables of a run, as text for a terminal and as markdown."""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmarks.imports import ImportCost
from benchmarks.results import Row, Table
from benchmarks.targets import Verdict

FAR_BEGIN, FAR_END = "<!-- far stores: made by python -m benchmarks -->", "<!-- far stores: end -->"
Cells = list[tuple[str, ...]]

INTRODUCTION = """# {title}

Measured {period} with Python {python} on {cores} cores, which the client and the server share. Rates are medians over
the rounds. A round measures every client once, so that a disturbance of the machine affects all of them.

- **times ours** is the client's rate divided by that of cloudfiles (0.5: half as fast), and **CPU times ours** its CPU
  time per operation divided by that of cloudfiles (2: costs twice as much). Both are medians of the ratios within each
  round.
- **requests**, **refused** and **connections** are what a far store counted: requests in all, the share of them that it
  answered with 503, and the largest number of connections that were open at the same time.
- **limit** marks programs that discard what they receive.
- Above each table: the name of the workload (`python -m benchmarks --only NAME`), the server, and the size of the run.
"""


def cells(table: Table) -> Cells:
    """A header, and one row per client."""
    cpu = "CPU us/MB" if table.workload.unit == "MB/s" else "CPU us per operation"
    return [("client", table.workload.unit, cpu, "peak RSS MB", "times ours", "CPU times ours",
             *(("requests", "refused", "connections") if table.workload.far else ()), "remark"),
            *(_row(table, row) for row in table.rows)]


def _row(table: Table, row: Row) -> tuple[str, ...]:
    if not row.good:
        return (row.client, *["-"] * (8 if table.workload.far else 5), row.reason)
    cpu = row.cpu_a_megabyte if table.workload.unit == "MB/s" else row.cpu_each
    ratios = ["-" if ratio is None else f"{ratio:.3g}" for ratio in (table.ratio(row), table.cpu_ratio(row))]
    counted = (f"{row.requests:,.0f}", f"{row.refused:.1%}", f"{row.connections:,}") if table.workload.far else ()
    return (row.client, f"{row.rate(table.workload.unit):,.0f}", f"{cpu:,.1f}", f"{row.rss:,.0f}", *ratios, *counted,
            row.reason or row.note)


def title(table: Table) -> str:
    """What was measured, against which server, and how often."""
    batches = sorted(sample.operations for row in table.rows for sample in row.good)
    if not batches:
        return f"{table.workload.title} [{table.workload.name}, {table.server}]"
    few, many = batches[0], batches[-1]
    size = f"{many:,}" if few == many else f"{few:,} to {many:,}"
    what = "operation" if size == "1" else "operations"
    return f"{table.workload.title} [{table.workload.name}, {table.server}, {table.rounds} rounds of {size} {what}]"


def summary(tables: Sequence[Table]) -> Cells:
    """The rates of several workloads, one row per client."""
    clients = dict.fromkeys(row.client for table in tables for row in table.rows)
    titles = [table.workload.name.removeprefix("transfer-").replace("-", " ") for table in tables]
    return [("client", *(f"{title}, {table.workload.unit}" for title, table in zip(titles, tables, strict=True))),
            *((client, *(_rate(table, client) for table in tables)) for client in clients)]


def _rate(table: Table, client: str) -> str:
    row = table.row(client)
    return "-" if row is None else f"{row.rate(table.workload.unit):,.0f}"


def far_sections(tables: Sequence[Table], verdicts: Sequence[Verdict]) -> str:
    """The tables of far stores for the page on performance, as markdown without headings."""
    reads, writes = ([table for table in tables if table.workload.name.startswith(f"far-{verb}-")
                      and table.workload.name[8:].isdigit()] for verb in ("get", "put"))
    judged = [verdict for verdict in verdicts if verdict.target.startswith("far-") and verdict.reached is not None]
    parts = [("GET 4 KiB, requests/s:", _over_latency(reads)), ("PUT 4 KiB, requests/s:", _over_latency(writes)),
             ("The targets for far stores:", verdict_cells(judged))]
    return "\n".join(f"{heading}\n\n{pipe_table(rows)}\n" for heading, rows in parts if len(rows) > 1)


def _over_latency(tables: Sequence[Table]) -> Cells:
    clients = dict.fromkeys(row.client for table in tables for row in table.rows)
    return [("client", *(f"{table.workload.name[8:]} ms" for table in tables)),
            *((client, *(_rate(table, client) for table in tables)) for client in clients)]


def import_cells(costs: Sequence[ImportCost]) -> Cells:
    return [("statement", "package", "ms", "peak RSS MB", "remark"),
            *((cost.statement, cost.client, *(("-", "-") if cost.reason else
               (f"{cost.milliseconds:.0f}", f"{cost.rss:.0f}")), cost.reason) for cost in costs)]


def verdict_cells(verdicts: Sequence[Verdict]) -> Cells:
    return [("target", "measured", "verdict"),
            *((v.target, v.measured, "reached" if v.reached else "MISSED") for v in verdicts)]


def plain(title: str, rows: Cells) -> str:
    """Columns for a terminal, with figures aligned to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    last = len(widths) - 1
    lines = ["  ".join(cell.ljust(width) if i in (0, last) else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
    return "\n".join([title, "-" * len(title), *lines, ""])


def markdown(title: str, rows: Cells) -> str:
    """A heading, the set-up in brackets as a line of its own, and a pipe table."""
    heading, _, setup = title.partition(" [")
    return "\n".join([f"## {heading}", "", *([setup.rstrip("]"), ""] if setup else []), pipe_table(rows), ""])


def pipe_table(rows: Cells) -> str:
    """Columns of figures are aligned to the right."""
    columns = list(zip(*rows[1:], strict=True))
    rule = ["---:" if all(cell == "-" or cell.lstrip("-")[:1].isdigit() for cell in column) else "---"
            for column in columns]
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], tuple(rule), *rows[1:]))


def with_far_sections(page: str, text: str) -> str:
    """A page whose part between the two marks is replaced."""
    before, begin, rest = page.partition(FAR_BEGIN)
    _, end, after = rest.partition(FAR_END)
    if not begin or not end:
        raise ValueError(f"the page lacks {FAR_BEGIN} or {FAR_END}")
    return f"{before}{begin}\n\n{text}\n{end}{after}"


def sections(tables: Sequence[Table], imports: Sequence[ImportCost], verdicts: Sequence[Verdict],
             summary_of: Sequence[Table]) -> list[tuple[str, Cells]]:
    """Title and cells of everything that was measured."""
    found = [(title(table), cells(table)) for table in tables]
    moved = [table for table in summary_of if table.workload.name.startswith("transfer-")]
    if moved:
        found.append(("All transfers", summary(moved)))
    if imports:
        found.append(("import", import_cells(imports)))
    measured = [verdict for verdict in verdicts if verdict.reached is not None]
    if measured:
        found.append((f"Targets, {len(measured)} of {len(verdicts)} measured", verdict_cells(measured)))
    return found


def page(title: str, tables: Sequence[Table], imports: Sequence[ImportCost], verdicts: Sequence[Verdict],
         python: str) -> str:
    """A page of the documentation: how to read it, the targets, and every table."""
    *parts, targets = sections(tables, imports, verdicts, tables)
    days = sorted({table.when for table in tables})
    period = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    head = INTRODUCTION.format(title=title, period=period, python=python, cores=os.cpu_count())
    return "\n".join([head, *(markdown(*part) for part in (targets, *parts))])
