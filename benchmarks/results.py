"""The results of a run, and the ratios between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.workloads import WORKLOADS, Workload

OURS = "cloudfiles"


@dataclass(frozen=True)
class Sample:
    """One measurement, in operations, bytes and seconds."""

    operations: int
    bytes: int
    seconds: float
    cpu: float
    rss: int
    requests: int = 0  # these three as counted by a far store
    refused: int = 0
    connections: int = 0  # open at the same time, at most

    def rate(self, unit: str) -> float:
        """In `unit`: 10^6 bytes, or operations, per second."""
        return self.bytes / 1e6 / self.seconds if unit == "MB/s" else self.operations / self.seconds


@dataclass
class Row:
    """A client at a workload: one sample per round, or the reason why there is none."""

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
        """Microseconds of client CPU per operation."""
        return median(sample.cpu / sample.operations for sample in self.good) * 1e6

    @property
    def cpu_a_megabyte(self) -> float:
        """Microseconds of client CPU per 10^6 bytes."""
        return median(sample.cpu / sample.bytes for sample in self.good) * 1e12

    @property
    def rss(self) -> float:
        """Peak resident size in MB (10^6)."""
        return median(sample.rss for sample in self.good) / 1e6

    @property
    def connections(self) -> int:
        """Connections that were open at the same time, at most, in the worst round; 0 if they were not counted."""
        return max(sample.connections for sample in self.good)

    @property
    def refused(self) -> float:
        """The share of requests that the server refused."""
        return median(sample.refused / sample.requests if sample.requests else 0.0 for sample in self.good)

    @property
    def seconds(self) -> float:
        return median(sample.seconds for sample in self.good)

    @property
    def requests(self) -> float:
        """Requests that the server counted."""
        return median(sample.requests for sample in self.good)


@dataclass
class Table:
    """All clients at one workload, and the server that was used."""

    workload: Workload
    server: str
    rows: list[Row] = field(default_factory=list)
    when: str = ""  # the day
    quick: bool = False  # measured with --quick

    def row(self, client: str) -> Row | None:
        return next((row for row in self.rows if row.client == client and row.good), None)

    @property
    def rounds(self) -> int:
        """The number of rounds."""
        return max((len(row.good) for row in self.rows), default=0)

    def named(self, client: str) -> Row:
        """The row of that name; added at the end if there is none."""
        found = next((row for row in self.rows if row.client == client), None)
        if found is None:
            found = Row(client)
            self.rows.append(found)
        return found

    def ratio(self, row: Row, to: str = OURS) -> float | None:
        """The rate of `row` over that of `to`: the median of the ratios within each round."""
        return self._ratio(row, to, lambda sample: sample.rate(self.workload.unit))

    def cpu_ratio(self, row: Row, to: str = OURS) -> float | None:
        """The same for the client's CPU time per operation."""
        return self._ratio(row, to, lambda sample: sample.cpu / sample.operations)

    def _ratio(self, row: Row, to: str, figure: Callable[[Sample], float]) -> float | None:
        other = self.row(to)
        if other is None:
            return None
        pairs = [figure(a) / figure(b) for a, b in zip(row.samples, other.samples, strict=False)
                 if a and b and figure(b)]
        return median(pairs) if pairs else None


def as_json(table: Table) -> dict[str, Any]:
    """A table with every sample."""
    rows = [{"client": row.client, "reason": row.reason, "note": row.note,
             "ratio_to_ours": table.ratio(row) if row.good else None,
             "cpu_ratio_to_ours": table.cpu_ratio(row) if row.good else None,
             "samples": [None if sample is None else vars(sample) for sample in row.samples]} for row in table.rows]
    workload = table.workload
    return {"workload": workload.name, "title": workload.title, "unit": workload.unit, "server": table.server,
            "when": table.when, "quick": table.quick, "rows": rows}


def from_json(described: dict[str, Any]) -> Table | None:
    """The table that `as_json` described; None if its workload no longer exists."""
    workload = next((workload for workload in WORKLOADS if workload.name == described["workload"]), None)
    if workload is None:
        return None
    rows = [Row(row["client"], [sample and Sample(**sample) for sample in row["samples"]], row["reason"], row["note"])
            for row in described["rows"]]
    return Table(workload, described["server"], rows, described["when"], described["quick"])


def merged(old: Sequence[Table], new: Sequence[Table]) -> list[Table]:
    """The new tables, and those old ones whose workload was not measured again, in the order of the workloads."""
    tables = {table.workload.name: table for table in (*old, *new)}
    return [tables[workload.name] for workload in WORKLOADS if workload.name in tables]
