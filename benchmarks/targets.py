"""Ratios and limits that a release has to reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.clients.base import FIRST_OBJECT, FIRST_OBJECT_TLS
from benchmarks.far_targets import Tables, Verdict, far_verdicts
from benchmarks.imports import ImportCost
from benchmarks.results import OURS, Table

PROGRAMS = ("s5cmd", "rclone")
CLOUD_FILES = ("cloud-files 6.4.3, threads", "cloud-files 6.4.3, green")
SMALL = {"transfer-down-4k": (*PROGRAMS, *CLOUD_FILES), "transfer-up-4k": (*PROGRAMS, *CLOUD_FILES),
         "transfer-within": PROGRAMS, "transfer-tree": ("rclone", *CLOUD_FILES)}  # who offers it
STARTS = {"from cloudfiles import CloudFiles": 35, FIRST_OBJECT: 90, FIRST_OBJECT_TLS: 110, "cloudfiles --help": 80}
"""Milliseconds beyond those of the bare interpreter."""

LARGE = ("transfer-down-1m", "transfer-up-1m", "transfer-down-1g", "transfer-up-1g")


def _ratio(tables: Tables, workload: str, other: str, least: float, ours: str = OURS) -> Verdict:
    what = f"{workload}: {ours} at least {least:g} times {other}"
    table = tables.get(workload)
    row = table.row(ours) if table else None
    value = table.ratio(row, other) if table and row else None
    return Verdict(what, "-" if value is None else f"{value:.2f}", None if value is None else value >= least)


def _cpu(tables: Tables, workload: str, other: str, most: float) -> Verdict:
    what = f"{workload}: CPU of {OURS} at most {most:g} times {other}"
    table = tables.get(workload)
    row = table.row(OURS) if table else None
    value = table.cpu_ratio(row, other) if table and row else None
    return Verdict(what, "-" if value is None else f"{value:.2f}", None if value is None else value <= most)


def _of_best(tables: Tables, workload: str, least: float) -> Verdict:
    what = f"{workload}: {OURS} at least {least:g} times the best other"
    table = tables.get(workload)
    ours = table.row(OURS) if table else None
    others = [row for row in table.rows if row.good and not _is_ours_or_limit(row.client)] if table else []
    ratios = {row.client: ratio for row in others if table and ours and (ratio := table.ratio(ours, row.client))}
    if not ratios:
        return Verdict(what, "-", None)
    best = min(ratios, key=lambda client: ratios[client])
    return Verdict(what, f"{ratios[best]:.2f} ({best})", ratios[best] >= least)


def _is_ours_or_limit(client: str) -> bool:
    return client == OURS or client.startswith(f"{OURS},") or "limit" in client


def _at_most(what: str, value: float | None, limit: float, unit: str) -> Verdict:
    text = "-" if value is None else f"{value:.1f} {unit}"
    return Verdict(f"{what} at most {limit:g} {unit}", text, None if value is None else value <= limit)


def _of(tables: Tables, workload: str, figure: Callable[[Table], float | None]) -> float | None:
    table = tables.get(workload)
    return figure(table) if table and table.row(OURS) else None


def _ours(table: Table, name: str) -> float:
    row = table.row(OURS)
    assert row is not None
    value: float = getattr(row, name)
    return value


def verdicts(tables: Tables, imports: Sequence[ImportCost]) -> Iterator[Verdict]:
    """Every target, in the order of the tables."""
    yield from far_verdicts(tables)
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
    yield from _recording(tables)
    for scheme in ("gs", "az"):
        for verb in ("get", "put", "list", "exists"):
            yield _cpu(tables, f"{scheme}-{verb}", "cloudfiles, s3", 1.5)
            yield _cpu(tables, f"{scheme}-{verb}", "cloudfiles, fast s3", 1.5)
    yield from _moving(tables)
    yield _at_most("get-256m: peak RSS", _of(tables, "get-256m", lambda t: _ours(t, "rss")),
                   round(1.2 * 268.4 + bare, 1), "MB")
    yield from _starts(imports)
    yield _at_most("stream: more memory for a million keys than for 10 000", _growth(tables), 64, "MB")


def _starts(imports: Sequence[ImportCost]) -> Iterator[Verdict]:
    """The milliseconds that a program takes longer than the bare interpreter, and the memory of an import."""
    ours = {cost.statement: cost for cost in imports if cost.client == OURS and not cost.reason}
    bare = next((cost.milliseconds for cost in imports if cost.statement == "pass"), 0.0)
    for statement, limit in STARTS.items():
        cost = ours.get(statement)
        yield _at_most(f"{statement}: time beyond the bare interpreter", cost.milliseconds - bare if cost else None,
                       limit, "ms")
    whole = ours.get("import cloudfiles")
    yield _at_most("import cloudfiles: memory", whole.rss if whole else None, 30, "MB")


def _recording(tables: Tables) -> Iterator[Verdict]:
    """The cost of a recording, in percent of the CPU time and of the rate."""
    table = tables.get("get-recorded")
    row = table.row(f"{OURS}, recording") if table else None
    cpu, rate = (table.cpu_ratio(row), table.ratio(row)) if table and row else (None, None)
    yield _at_most("get-recorded: a recording's CPU", None if cpu is None else (cpu - 1) * 100, 2, "%")
    yield _at_most("get-recorded: rate lost to a recording", None if rate is None else (1 - rate) * 100, 2, "%")


def _moving(tables: Tables) -> Iterator[Verdict]:
    """Small objects: against each client. Large objects: against the best one."""
    for workload, others in SMALL.items():
        for other in others:
            yield _ratio(tables, workload, other, 10 if other in CLOUD_FILES else 2)
    for workload in LARGE:
        yield _of_best(tables, workload, 0.9)


def _growth(tables: Tables) -> float | None:
    """None unless the long stream was a million keys long (with --quick it is shorter)."""
    few, many = (_of(tables, workload, lambda t: _ours(t, "rss")) for workload in ("stream-10k", "stream-1m"))
    length = _of(tables, "stream-1m", lambda t: min(s.operations for row in t.rows for s in row.good))
    return None if few is None or many is None or length != 1_000_000 else many - few
