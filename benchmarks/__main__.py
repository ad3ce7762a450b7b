"""`python -m benchmarks`: measures this package and every installed alternative; a table for each workload."""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import envs, picture, report
from benchmarks.clients import CLIENTS
from benchmarks.clients.base import Client
from benchmarks.imports import ImportCost, measure_imports
from benchmarks.results import Table, as_json, from_json, merged
from benchmarks.runner import PROJECT, Runner
from benchmarks.servers import Servers
from benchmarks.targets import Verdict, verdicts
from benchmarks.workloads import WORKLOADS, Workload

IMPORT = "import"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition(": ")[2].capitalize())
    parser.add_argument("--quick", action="store_true", help="smaller batches, two rounds; less precise")
    known = ", ".join([workload.name for workload in WORKLOADS] + [IMPORT])
    parser.add_argument("--only", action="append", metavar="WORKLOAD", default=[],
                        help=f"workloads, separated by commas: {known}")
    parser.add_argument("--peers", metavar="NAMES", default="",
                        help="only clients whose names contain one of these, separated by commas; ours always run")
    parser.add_argument("--repeat", type=int, metavar="N", help="number of rounds (5; with --quick 2)")
    parser.add_argument("--seconds", type=float, help="approximate duration of a timed batch (2; with --quick 0.7)")
    parser.add_argument("--out", type=Path, metavar="DIR", default=PROJECT / "build" / "benchmarks",
                        help="directory of results.json; results of other workloads in it are kept")
    parser.add_argument("--render", action="store_true",
                        help="measure nothing; evaluate, print and plot an existing results.json")
    parser.add_argument("--install-peers", action="store_true",
                        help=f"first install the alternatives into {envs.cache()}")
    parser.add_argument("--picture", action="store_true", help="write docs/benchmarks*.png (requires matplotlib)")
    parser.add_argument("--markdown", action="store_true",
                        help="write docs/benchmarks-*.md and the tables of docs/performance.md")
    return parser.parse_args(arguments)


def chosen_workloads(only: Sequence[str]) -> tuple[list[Workload], bool]:
    """The selected workloads, and whether to measure imports; SystemExit for an unknown name."""
    names = [name for entry in only for name in entry.split(",") if name]
    unknown = set(names) - {workload.name for workload in WORKLOADS} - {IMPORT}
    if unknown:
        raise SystemExit(f"unknown workload: {', '.join(sorted(unknown))}; --help lists them")
    return [workload for workload in WORKLOADS if not names or workload.name in names], not names or IMPORT in names


def chosen_clients(peers: str) -> list[type[Client]]:
    wanted = [name.strip() for name in peers.split(",") if name.strip()]
    return [client for client in CLIENTS
            if not wanted or client.name.startswith("cloudfiles") or any(name in client.name for name in wanted)]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measure(options: argparse.Namespace, clients: Sequence[type[Client]]) -> tuple[list[Table], list[ImportCost]]:
    """Measure everything selected; each table is printed when it is complete."""
    workloads, with_imports = chosen_workloads(options.only)
    rounds = options.repeat or (2 if options.quick else 5)
    seconds = options.seconds or (0.7 if options.quick else 2.0)
    tables: list[Table] = []
    with Servers() as servers:
        runner = Runner(servers, clients, rounds=rounds, seconds=seconds, quick=options.quick, say=say)
        for workload in workloads:
            tables.append(runner.run(workload))
            print(report.plain(report.title(tables[-1]), report.cells(tables[-1])), flush=True)
    return tables, measure_imports(clients) if with_imports else []


def known(path: Path) -> tuple[list[Table], list[ImportCost]]:
    """The results of earlier runs in results.json."""
    if not path.exists():
        return [], []
    found = json.loads(path.read_text())
    tables = [table for described in found["tables"] if (table := from_json(described)) is not None]
    return tables, [ImportCost(**cost) for cost in found["imports"]]


def write(options: argparse.Namespace, new: Sequence[Table], imports: Sequence[ImportCost]) -> None:
    """Write results.json, merged with earlier results, and the page and the picture if requested."""
    results = options.out / "results.json"
    old, old_imports = known(results)
    tables, imports = merged(old, new), imports or old_imports
    judged = list(verdicts({table.workload.name: table for table in tables}, imports))
    for title, rows in report.sections(tables if options.render else (), imports, judged, summary_of=tables):
        print(report.plain(title, rows), flush=True)
    about = {"when": time.strftime("%Y-%m-%d"), "python": platform.python_version(), "system": platform.system()}
    options.out.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(
        {**about, "tables": [as_json(table) for table in tables], "imports": [vars(cost) for cost in imports],
         "targets": [vars(verdict) for verdict in judged]}, indent=1))
    far, near = ([table for table in tables if table.workload.far is is_far] for is_far in (True, False))
    lacking = [name for name in picture.SHOWN if name not in {table.workload.name for table in near}]
    if lacking and (options.markdown or options.picture):
        say(f"docs/benchmarks-table.md and docs/benchmarks.png are kept: no results for {', '.join(lacking)}")
    if options.markdown:
        write_pages(far, [] if lacking else near, imports, judged)
    if options.picture:
        picture.draw_lines(far, PROJECT / "docs" / "benchmarks-latency.png")
        if not lacking:
            picture.draw_bars(near, PROJECT / "docs" / "benchmarks.png")


def write_pages(far: Sequence[Table], near: Sequence[Table], imports: Sequence[ImportCost],
                judged: Sequence[Verdict]) -> None:
    """The pages of the tables, and those of far stores in docs/performance.md; what has no tables is kept."""
    docs, python = PROJECT / "docs", platform.python_version()
    of_far, others = ([verdict for verdict in judged if verdict.target.startswith("far-") is is_far]
                      for is_far in (True, False))
    if near:
        (docs / "benchmarks-table.md").write_text(report.page("Benchmark results", near, imports, others, python))
    if far:
        (docs / "benchmarks-far.md").write_text(report.page("Benchmark results: far stores", far, [], of_far, python))
        page = docs / "performance.md"
        page.write_text(report.with_far_sections(page.read_text(), report.far_sections(far, of_far)))


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that the servers stop
    options = parse()
    clients = chosen_clients(options.peers)
    if options.install_peers:
        for environment, reason in envs.install_all().items():
            say(f"{environment}: not installed: {reason}")
    write(options, *(([], []) if options.render else measure(options, clients)))


if __name__ == "__main__":
    main()
