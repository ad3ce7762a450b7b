"""What the benchmarks of far stores say of given results, without a server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import far_store, report
from benchmarks.clients import by_name
from benchmarks.far_targets import Verdict, far_verdicts
from benchmarks.results import Row, Sample, Table
from benchmarks.workloads import FAR, OTHERS, WIDTHS, Workload

SAMPLE = Sample(operations=5000, bytes=0, seconds=1.0, cpu=1.0, rss=1, requests=5000)


def workload(name: str) -> Workload:
    return next(each for each in FAR if each.name == name)


def table(name: str, **rows: Sample) -> Table:
    return Table(workload(name), "", [Row(client, [sample]) for client, sample in rows.items()])


def verdict(tables: list[Table], target: str) -> Verdict:
    found = [each for each in far_verdicts({each.workload.name: each for each in tables}) if target in each.target]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("each", FAR, ids=lambda each: each.name)
def test_clients_of_a_workload_take_part(each: Workload) -> None:
    assert each.clients
    assert [name for name in each.clients if not each.suits(by_name(name))] == []


def test_nothing_is_judged_that_was_not_measured() -> None:
    assert all(each.reached is None and each.measured == "-" for each in far_verdicts({}))


@pytest.mark.parametrize(("seconds", "reached"), [(9.9, False), (10.1, True)])
def test_ratio_to_another_client(seconds: float, reached: bool) -> None:
    rows = {"cloudfiles": SAMPLE, OTHERS[0]: replace(SAMPLE, seconds=seconds)}
    assert verdict([table("far-get-20", **rows)], f"far-get-20: cloudfiles at least 10 times {OTHERS[0]}"
                   ).reached is reached


def test_the_best_width_counts() -> None:
    rows = {"cloudfiles": SAMPLE, WIDTHS[1]: replace(SAMPLE, seconds=3.0), WIDTHS[3]: replace(SAMPLE, seconds=0.5)}
    assert verdict([table("far-put-50", **rows)], "far-put-50: cloudfiles at least 0.8") == Verdict(
        "far-put-50: cloudfiles at least 0.8 times its best fixed width", "0.50", False)


@pytest.mark.parametrize(("connections", "reached"), [(58, True), (59, False)])
def test_connections_through_a_narrow_link(connections: int, reached: bool) -> None:
    """6.25 MB/s carry 1 422 objects in a second, 28.4 in the 20 ms that each takes."""
    rows = {"cloudfiles": replace(SAMPLE, connections=connections)}
    assert verdict([table("far-get-narrow", **rows)], "far-get-narrow: at most").reached is reached


@pytest.mark.parametrize(("refused", "reached"), [(399, True), (400, False)])
def test_refused_requests(refused: int, reached: bool) -> None:
    rows = {"cloudfiles": replace(SAMPLE, refused=refused)}
    assert verdict([table("far-get-throttled", **rows)], "cloudfiles: under 8%").reached is reached


@pytest.mark.parametrize(("seconds", "reached"), [(2.5, True), (2.6, False)])
def test_stalls(seconds: float, reached: bool) -> None:
    tables = [table("far-get-20", cloudfiles=SAMPLE),
              table("far-get-stalls", cloudfiles=replace(SAMPLE, seconds=seconds))]
    assert verdict(tables, "far-get-stalls").reached is reached


def test_the_tables_of_a_page_are_replaced() -> None:
    tables = [table("far-get-20", cloudfiles=SAMPLE)]
    text = report.far_sections(tables, [Verdict("far-get-20: x", "1.0", True), Verdict("get-4k: y", "1.0", True)])
    page = f"before\n{report.FAR_BEGIN}\nold\n{report.FAR_END}\nafter\n"
    replaced = report.with_far_sections(page, text)
    assert report.with_far_sections(replaced, text) == replaced
    assert "| cloudfiles | 5,000 |" in replaced
    assert "far-get-20: x" in replaced
    assert "old" not in replaced
    assert "get-4k" not in replaced


def test_the_configuration_has_a_port_for_each_profile(tmp_path: Path) -> None:
    ports = dict(enumerate(far_store.PROFILES.values(), start=9000))
    text = far_store.configuration(ports, run=tmp_path, root=tmp_path, user="", listing=None)
    assert [text.count(f"listen 127.0.0.1:{port} ") for port in ports] == [1] * len(ports)
    assert "far.profile(9005, {latency = 0.02, connect = 0.02, list_latency = 0.02, bandwidth = 6.25e+06," in text
