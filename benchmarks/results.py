"""Figures of a run, and what is worked out from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.workloads import WORKS, Work

OURS = "cloudfiles"


@dataclass(frozen=True)
class Sample:
    """One measurement, in operations, bytes and seconds."""

    operations: int
    bytes: int
    seconds: float
    cpu: float
    rss: int

    def rate(self, unit: str) -> float:
        """In `unit`: 10^6 bytes, or operations, a second."""
        return self.bytes / 1e6 / self.seconds if unit == "MB/s" else self.operations / self.seconds


@dataclass
class Row:
    """A client at a work: a sample a round, or the reason why there is none."""

    client: str
    samples: list[Sample | None] = field(default_factory=list)
    reason: str = ""
    note: str = ""

    @property
    def good(self) -> list[Sample]:
        return [sample for sample in self.samples if sample is not None]

    def rate(self, unit: str) -> float:
        return median(sample.rate(unit) for sample in self.good)

    @property
    def cpu_each(self) -> float:
        """Microseconds of client CPU an operation."""
        return median(sample.cpu / sample.operations for sample in self.good) * 1e6

    @property
    def cpu_a_megabyte(self) -> float:
        """Microseconds of client CPU per 10^6 bytes."""
        return median(sample.cpu / sample.bytes for sample in self.good) * 1e12

    @property
    def rss(self) -> float:
        """Peak resident size in MB (10^6)."""
        return median(sample.rss for sample in self.good) / 1e6


@dataclass
class Table:
    """All clients at one work, and the server it was measured against."""

    work: Work
    server: str
    rows: list[Row] = field(default_factory=list)
    when: str = ""  # the day
    quick: bool = False  # rough figures

    def row(self, client: str) -> Row | None:
        return next((row for row in self.rows if row.client == client and row.good), None)

    def named(self, client: str) -> Row:
        """The row of that name, a new one at the end where there is none."""
        found = next((row for row in self.rows if row.client == client), None)
        if found is None:
            found = Row(client)
            self.rows.append(found)
        return found

    def ratio(self, row: Row, to: str = OURS) -> float | None:
        """The rate of `row` over that of `to`: the median of the ratios within each round."""
        return self._ratio(row, to, lambda sample: sample.rate(self.work.unit))

    def cpu_ratio(self, row: Row, to: str = OURS) -> float | None:
        """The same of the client's CPU an operation."""
        return self._ratio(row, to, lambda sample: sample.cpu / sample.operations)

    def _ratio(self, row: Row, to: str, figure: Callable[[Sample], float]) -> float | None:
        other = self.row(to)
        if other is None:
            return None
        pairs = [figure(a) / figure(b) for a, b in zip(row.samples, other.samples, strict=False)
                 if a and b and figure(b)]
        return median(pairs) if pairs else None


def as_json(table: Table) -> dict[str, Any]:
    """Every sample of a table, for a file."""
    rows = [{"client": row.client, "reason": row.reason, "note": row.note,
             "ratio_to_ours": table.ratio(row) if row.good else None,
             "cpu_ratio_to_ours": table.cpu_ratio(row) if row.good else None,
             "samples": [None if sample is None else vars(sample) for sample in row.samples]} for row in table.rows]
    return {"work": table.work.name, "title": table.work.title, "unit": table.work.unit, "server": table.server,
            "when": table.when, "quick": table.quick, "rows": rows}


def from_json(described: dict[str, Any]) -> Table | None:
    """What `as_json` wrote; None of a work that there is no longer."""
    work = next((work for work in WORKS if work.name == described["work"]), None)
    if work is None:
        return None
    rows = [Row(row["client"], [sample and Sample(**sample) for sample in row["samples"]], row["reason"], row["note"])
            for row in described["rows"]]
    return Table(work, described["server"], rows, described["when"], described["quick"])


def merged(old: Sequence[Table], new: Sequence[Table]) -> list[Table]:
    """The new tables, and those old ones whose work was not measured again, in the order of the works."""
    tables = {table.work.name: table for table in (*old, *new)}
    return [tables[work.name] for work in WORKS if work.name in tables]
