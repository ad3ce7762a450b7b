"""Targets for far stores: every client with its default settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

from benchmarks.far_store import HEADERS, NARROW, PROFILES, THROTTLED
from benchmarks.results import OURS, Row, Table
from benchmarks.workloads import ONE_BY_ONE, OTHERS, PROGRAMS, WIDTHS

Tables = dict[str, Table]


@dataclass(frozen=True)
class Verdict:
    """A target, the measured value, and whether it reaches the target (None: not measured)."""

    target: str
    measured: str
    reached: bool | None


def far_verdicts(tables: Tables) -> Iterator[Verdict]:
    """Every target, in the order of the tables."""
    obstore, *_, cloud_files = OTHERS
    for verb in ("get", "put"):
        yield _ratio(tables, f"far-{verb}-0", WIDTHS[0], 0.97)
        for latency in (20, 50):
            yield _ratio(tables, f"far-{verb}-{latency}", cloud_files, 10)
            yield _ratio(tables, f"far-{verb}-{latency}", obstore, 10)
            yield _of_best_width(tables, f"far-{verb}-{latency}", 0.8)
        yield _of_best_width(tables, f"far-{verb}-narrow", 0.8)
        yield _connections(tables, f"far-{verb}-narrow")
    for workload in ("far-down-20", "far-up-20"):
        for program in PROGRAMS:
            yield _ratio(tables, workload, program, 5)
    yield from _throttled(tables)
    yield _stalls(tables)
    yield from _listings(tables)


def _verdict(target: str, value: float | None, reached: Callable[[float], bool], form: str = ".2f") -> Verdict:
    return Verdict(target, "-" if value is None else format(value, form), None if value is None else reached(value))


def _of(tables: Tables, workload: str, figure: Callable[[Row], float], client: str = OURS) -> float | None:
    table = tables.get(workload)
    row = table.row(client) if table else None
    return figure(row) if row else None


def _ratio(tables: Tables, workload: str, other: str, least: float) -> Verdict:
    value = _of(tables, workload, lambda row: tables[workload].ratio(row, other) or 0.0)
    return _verdict(f"{workload}: {OURS} at least {least:g} times {other}", value or None, lambda found: found >= least)


def _of_best_width(tables: Tables, workload: str, least: float) -> Verdict:
    """Against the fixed width with the best median rate."""
    table = tables.get(workload)
    widths = [row for name in WIDTHS if table and (row := table.row(name))]
    value = ours = None
    if table and widths:
        ours = table.row(OURS)
        value = table.ratio(ours, max(widths, key=lambda row: row.rate(table.workload.unit)).client) if ours else None
    return _verdict(f"{workload}: {OURS} at least {least:g} times its best fixed width", value,
                    lambda found: found >= least)


def _connections(tables: Tables, workload: str) -> Verdict:
    """Twice those that bandwidth times latency needs."""
    each = (tables[workload].workload.size if workload in tables else 0) + HEADERS
    most = 2 * ceil(NARROW / each * PROFILES["far-narrow"].latency)
    return _verdict(f"{workload}: at most {most} connections, twice what the bandwidth needs",
                    _of(tables, workload, lambda row: row.connections), lambda found: found <= most, ".0f")


def _throttled(tables: Tables) -> Iterator[Verdict]:
    workload = "far-get-throttled"
    for client in (OURS, f"{OURS}, 4 processes"):
        yield _verdict(f"{workload}: {client}: at most 1.15 times the ideal time",
                       _of(tables, workload, lambda row: THROTTLED / row.rate("requests/s"), client),
                       lambda found: found <= 1.15)
        yield _verdict(f"{workload}: {client}: under 8% of requests refused",
                       _of(tables, workload, lambda row: row.refused, client), lambda found: found < 0.08, ".1%")


def _stalls(tables: Tables) -> Verdict:
    """The time with stalls, less a second, over the time without them."""
    with_stalls, without = (_of(tables, f"far-get-{name}", lambda row: row.seconds) for name in ("stalls", "20"))
    value = (with_stalls - 1) / without if with_stalls and without else None
    return _verdict("far-get-stalls: less a second, at most 1.5 times the time of far-get-20", value,
                    lambda found: found <= 1.5)


def _listings(tables: Tables) -> Iterator[Verdict]:
    for workload in ("far-exists", "far-size"):
        yield _verdict(f"{workload}: at most 1.5 s", _of(tables, workload, lambda row: row.seconds),
                       lambda found: found <= 1.5)
        yield _verdict(f"{workload}: at most 110 requests", _of(tables, workload, lambda row: row.requests),
                       lambda found: found <= 110, ".0f")
        yield _verdict(f"{workload}: a generator at most 2 s",
                       _of(tables, workload, lambda row: row.seconds, f"{OURS}, generator"), lambda found: found <= 2)
    yield _ratio(tables, "far-list", ONE_BY_ONE, 10)
