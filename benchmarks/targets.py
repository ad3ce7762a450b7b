"""What the figures are held to: ratios and limits that a release has to reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.imports import ImportCost
from benchmarks.results import OURS, Table

Tables = dict[str, Table]


@dataclass(frozen=True)
class Verdict:
    """A target, what was measured, and whether that reaches it (None: not measured)."""

    target: str
    measured: str
    reached: bool | None


def _ratio(tables: Tables, work: str, other: str, least: float, ours: str = OURS) -> Verdict:
    what = f"{work}: {ours} at least {least:g} times {other}"
    table = tables.get(work)
    row = table.row(ours) if table else None
    value = table.ratio(row, other) if table and row else None
    return Verdict(what, "-" if value is None else f"{value:.2f}", None if value is None else value >= least)


def _at_most(what: str, value: float | None, limit: float, unit: str) -> Verdict:
    text = "-" if value is None else f"{value:.1f} {unit}"
    return Verdict(f"{what} at most {limit:g} {unit}", text, None if value is None else value <= limit)


def _of(tables: Tables, work: str, figure: Callable[[Table], float | None]) -> float | None:
    table = tables.get(work)
    return figure(table) if table and table.row(OURS) else None


def _ours(table: Table, name: str) -> float:
    row = table.row(OURS)
    assert row is not None
    value: float = getattr(row, name)
    return value


def verdicts(tables: Tables, imports: Sequence[ImportCost]) -> Iterator[Verdict]:
    """Every target, in the order of the tables."""
    yield _ratio(tables, "get-4k", "obstore, 20 threads", 1.3)
    yield _ratio(tables, "get-4k", "obstore, asyncio", 1.3)
    yield _at_most("get-4k: client CPU", _of(tables, "get-4k", lambda t: _ours(t, "cpu_each")), 40, "us a request")
    yield _ratio(tables, "get-4k", "cloud-files 6.4.3, threads", 20)
    yield _ratio(tables, "get-4k", "cloud-files 6.4.3, green", 20)
    yield _ratio(tables, "get-4k", "urllib3, 20 threads", 2, ours="cloudfiles, threads")
    yield _ratio(tables, "put-4k", "obstore, 20 threads", 1)
    yield _ratio(tables, "put-4k", "obstore, asyncio", 1)
    yield _ratio(tables, "get-64k", "obstore, 20 threads", 0.9)
    yield _ratio(tables, "get-64k", "obstore, asyncio", 0.9)
    yield _ratio(tables, "get-256m", "curl (limit)", 0.65)
    yield _ratio(tables, "get-256m", "boto3, transfer", 1)
    bare = next((cost.rss for cost in imports if cost.statement == "pass"), 0.0)
    for work in ("transfer-down-4k", "transfer-up-4k", "transfer-tree"):
        yield _ratio(tables, work, "s5cmd", 2)
        yield _ratio(tables, work, "rclone", 2)
    for work in ("transfer-down-1g", "transfer-up-1g"):
        for other in ("s5cmd", "rclone", "boto3, transfer", "obstore, 20 threads"):
            yield _ratio(tables, work, other, 0.9)
    yield _ratio(tables, "transfer-down-4k", "cloud-files 6.4.3, threads", 10)
    yield _ratio(tables, "transfer-up-4k", "cloud-files 6.4.3, threads", 10)
    yield _at_most("get-256m: peak RSS", _of(tables, "get-256m", lambda t: _ours(t, "rss")),
                   round(1.2 * 268.4 + bare, 1), "MB")
    ours = next((cost for cost in imports if cost.client == OURS and not cost.reason), None)
    yield _at_most("import cloudfiles: time", ours.milliseconds if ours else None, 60, "ms")
    yield _at_most("import cloudfiles: memory", ours.rss if ours else None, 30, "MB")
    yield _at_most("stream: more memory for a million keys than for 10 000", _growth(tables), 64, "MB")


def _growth(tables: Tables) -> float | None:
    """None after a quick run, whose long stream is not a million keys long."""
    few, many = (_of(tables, work, lambda t: _ours(t, "rss")) for work in ("stream-10k", "stream-1m"))
    length = _of(tables, "stream-1m", lambda t: min(s.operations for row in t.rows for s in row.good))
    return None if few is None or many is None or length != 1_000_000 else many - few
