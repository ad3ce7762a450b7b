"""`python -m benchmarks`: measure this package and every installed alternative. `--help` lists the options."""

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
from benchmarks.targets import verdicts
from benchmarks.workloads import WORKS, Work

IMPORT = "import"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split(":", 1)[1].strip())
    parser.add_argument("--quick", action="store_true", help="smaller batches, two rounds, rougher figures")
    known = ", ".join([work.name for work in WORKS] + [IMPORT])
    parser.add_argument("--only", action="append", metavar="WORK", default=[],
                        help=f"works, separated by commas: {known}")
    parser.add_argument("--peers", metavar="NAMES", default="",
                        help="only clients whose name has one of these in it, separated by commas; ours always run")
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds (5; with --quick 2)")
    parser.add_argument("--seconds", type=float, help="of a timed batch, about (2; with --quick 0.7)")
    parser.add_argument("--out", type=Path, metavar="DIR", default=PROJECT / "build" / "benchmarks",
                        help="where results.json goes; what it holds of other works stays: a run can be done in pieces")
    parser.add_argument("--render", action="store_true",
                        help="measure nothing: judge, print and draw what results.json holds")
    parser.add_argument("--install-peers", action="store_true",
                        help=f"first install the alternatives in {envs.cache()}")
    parser.add_argument("--picture", action="store_true", help="write docs/benchmarks.png (wants matplotlib)")
    parser.add_argument("--markdown", action="store_true", help="write docs/benchmarks-table.md")
    return parser.parse_args(arguments)


def chosen_works(only: Sequence[str]) -> tuple[list[Work], bool]:
    """The works asked for, and whether to measure imports; SystemExit names an unknown one."""
    names = [name for entry in only for name in entry.split(",") if name]
    unknown = set(names) - {work.name for work in WORKS} - {IMPORT}
    if unknown:
        raise SystemExit(f"no such work: {', '.join(sorted(unknown))}; --help lists them")
    return [work for work in WORKS if not names or work.name in names], not names or IMPORT in names


def chosen_clients(peers: str) -> list[type[Client]]:
    wanted = [name.strip() for name in peers.split(",") if name.strip()]
    return [client for client in CLIENTS
            if not wanted or client.name.startswith("cloudfiles") or any(name in client.name for name in wanted)]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def measure(options: argparse.Namespace, clients: Sequence[type[Client]]) -> tuple[list[Table], list[ImportCost]]:
    """Everything asked for, table after table printed as it is done."""
    works, with_imports = chosen_works(options.only)
    rounds = options.repeat or (2 if options.quick else 5)
    seconds = options.seconds or (0.7 if options.quick else 2.0)
    tables: list[Table] = []
    with Servers() as servers:
        runner = Runner(servers, clients, rounds=rounds, seconds=seconds, quick=options.quick, say=say)
        for work in works:
            tables.append(runner.run(work))
            print(report.plain(report.title(tables[-1]), report.cells(tables[-1])), flush=True)
    return tables, measure_imports(clients) if with_imports else []


def known(path: Path) -> tuple[list[Table], list[ImportCost]]:
    """What earlier runs have left in results.json."""
    if not path.exists():
        return [], []
    found = json.loads(path.read_text())
    tables = [table for described in found["tables"] if (table := from_json(described)) is not None]
    return tables, [ImportCost(**cost) for cost in found["imports"]]


def write(options: argparse.Namespace, new: Sequence[Table], imports: Sequence[ImportCost]) -> None:
    """The JSON, with what earlier runs measured besides, and the page and the picture where asked for."""
    results = options.out / "results.json"
    old, old_imports = known(results)
    tables, imports = merged(old, new), imports or old_imports
    judged = list(verdicts({table.work.name: table for table in tables}, imports))
    for title, rows in report.sections(tables if options.render else (), imports, judged, summary_of=tables):
        print(report.plain(title, rows), flush=True)
    about = {"when": time.strftime("%Y-%m-%d"), "python": platform.python_version(), "system": platform.system()}
    options.out.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(
        {**about, "tables": [as_json(table) for table in tables], "imports": [vars(cost) for cost in imports],
         "targets": [vars(verdict) for verdict in judged]}, indent=1))
    if options.markdown:
        page = [report.markdown(title, rows) for title, rows in report.sections(tables, imports, judged, tables)]
        (PROJECT / "docs" / "benchmarks-table.md").write_text("\n".join(page))
    if options.picture:
        picture.draw(tables, PROJECT / "docs" / "benchmarks.png")


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
