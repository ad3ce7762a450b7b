"""Runs the workloads: every client in turn, round after round, each measurement in a new process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import envs, far_store
from benchmarks.clients import CLIENTS
from benchmarks.clients.base import Client, Target
from benchmarks.clients.programs import Program
from benchmarks.data import write_tree
from benchmarks.emulators import lay_out
from benchmarks.measure import MARK
from benchmarks.results import OURS, Row, Sample, Table
from benchmarks.servers import UNPACED, NoServer, Servers
from benchmarks.trials import Job
from benchmarks.workloads import Workload

PROJECT = Path(__file__).resolve().parent.parent
TIMEOUT = 180.0  # seconds for one measurement
Say = Callable[[str], None]


def interpreter(client: type[Client]) -> str:
    """The Python that can run a client; raises Unavailable."""
    if issubclass(client, Program):
        if envs.program(client.program) is None:
            raise envs.Unavailable(f"program {client.program} is not installed; --install-peers installs those of PyPI")
        return sys.executable
    for module in client.needs:
        return envs.python_for(module, client.environment)
    return sys.executable


def environment(target: Target) -> dict[str, str]:
    """The environment of a measuring process: no proxies, no credentials."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("AWS_", "AZURE_", "GOOGLE_", "PYTHONPATH")) and not name.lower().endswith("_proxy")}
    kept["AWS_EC2_METADATA_DISABLED"] = "true"
    if target.ca_file:
        kept |= {"SSL_CERT_FILE": target.ca_file, "AWS_CA_BUNDLE": target.ca_file}
    return kept


def measure(python: str, job: Job) -> dict[str, Any]:
    """Run a job in its own process; its results, or {'unavailable': ...} or {'error': ...}."""
    described = {**vars(job), "target": job.target.as_dict()}
    try:
        done = subprocess.run([python, str(Path(__file__).with_name("measure.py"))], input=json.dumps(described),
                              capture_output=True, text=True, timeout=TIMEOUT, env=environment(job.target),
                              cwd=job.target.scratch, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"no result within {TIMEOUT:.0f} s"}
    if MARK not in done.stdout:
        return {"error": f"the process ended with {done.returncode}: {done.stderr[-300:]}"}
    outcome: dict[str, Any] = json.loads(done.stdout.rsplit(MARK, 1)[1])
    return outcome


def in_turn(clients: list[type[Client]], turn: int) -> list[type[Client]]:
    """The order of a round: every second one is reversed, because a short batch that follows a slow client's
    has been measured up to 30% slower than the same batch after a fast one's."""
    return clients[::-1] if turn % 2 else clients


class Runner:
    """Measures workloads against one set of servers."""

    def __init__(self, servers: Servers, clients: Sequence[type[Client]] = CLIENTS, *, rounds: int = 5,
                 seconds: float = 2.0, quick: bool = False, say: Say = print) -> None:
        self.servers = servers
        self.clients = clients
        self.rounds = rounds
        self.seconds = seconds
        self.quick = quick
        self.say = say
        self._laid_out: set[tuple[str, str]] = set()
        self.tools = envs.tools(("s5cmd", "rclone", "wrk", "curl"))

    def run(self, workload: Workload) -> Table:
        """All rounds of one workload."""
        rows = {client: Row(client.name, note=client.note) for client in self.clients if workload.suits(client)}
        table = Table(workload, self.servers.title(workload.server), list(rows.values()),
                      time.strftime("%Y-%m-%d"), self.quick)
        try:
            for server in {server_of(workload, client): None for client in rows}:
                self._lay_out(workload, server)
        except NoServer as error:
            for row in table.rows:
                row.reason = _one_line(f"not available: {error}")
            return table
        for turn in range(self.rounds):
            for client in in_turn(list(rows), turn):
                self._sample(table, client, turn)
        return table

    def _lay_out(self, workload: Workload, server: str) -> None:
        """Start the server, store the objects, and request each of them once."""
        target = self.servers.target(server, workload.dataset)
        if workload.listed:
            return
        keys = workload.keys(self.quick)
        if target.shows_files:
            write_tree(Path(target.directory), keys, lambda key: [workload.content(key)])
            self.servers.warm(server, [f"/{target.bucket}/{target.prefix}/{key}" for key in keys])
        elif (server, workload.dataset) not in self._laid_out:
            lay_out(target, keys, workload.content)
            self._laid_out.add((server, workload.dataset))

    def _sample(self, table: Table, client: type[Client], turn: int) -> None:
        """One measurement, added to its row or rows; a client that has failed is skipped."""
        row = table.named(client.name)
        if row.reason:
            row.samples.append(None)
            return
        if client.server == "relayed":
            self.servers.slow_down(pace_of(table) if client.paced else UNPACED)
        with scratch(self.servers.base) as directory:
            outcome = self._outcome(table.workload, client, directory)
        said = f"{table.workload.name} round {turn + 1}"
        for name, figures in outcome.get("samples", {}).items():
            sample = Sample(**figures, **outcome.get("counted", {}))
            table.named(name).samples.append(sample)
            self.say(f"{said}: {name}: {sample.rate(table.workload.unit):,.0f} {table.workload.unit}")
        if "samples" not in outcome:
            row.samples.append(None)
            row.reason = _one_line(reason(outcome))
            self.say(f"{said}: {client.name}: {row.reason}")

    def _outcome(self, workload: Workload, client: type[Client], directory: Path) -> dict[str, Any]:
        try:
            python = interpreter(client)
        except envs.Unavailable as error:
            return {"unavailable": str(error)}
        count = workload.batch(client, self.quick)
        dataset = far_store.listed_prefix(count) if workload.listed else workload.dataset
        prefix = f"put/{directory.name}" if workload.writes else dataset
        target = replace(self.servers.target(server_of(workload, client), prefix), tools=self.tools,
                         project=str(PROJECT), scratch=str(directory), seconds=self.seconds)
        job = Job(client.name, workload.verb, target, count, workload.size, workload.grouped, workload.far)
        self.servers.counters(workload.server)
        outcome = measure(python, job)
        counted = self.servers.counters(workload.server)
        if counted:
            outcome["counted"] = {"requests": counted["requests"], "refused": counted["refused"],
                                  "connections": counted["peak_connections"]}
        if workload.writes:
            shutil.rmtree(target.directory, ignore_errors=True)
        return outcome


def server_of(workload: Workload, client: type[Client]) -> str:
    """Where a client is measured."""
    return client.server or workload.server


def pace_of(table: Table) -> int:
    """Requests per second of cloudfiles in the latest round."""
    row = table.row(OURS)
    sample = row.samples[-1] if row else None
    return UNPACED if sample is None or table.workload.verb == "list" else max(1, round(sample.rate("requests/s")))


def _one_line(text: str) -> str:
    """Text for a cell of a table."""
    return " ".join(text.split())[:200]


def reason(outcome: dict[str, Any]) -> str:
    """Why there is no result."""
    return f"not available: {outcome['unavailable']}" if "unavailable" in outcome else str(outcome["error"])


@contextmanager
def scratch(base: Path) -> Iterator[Path]:
    """A temporary directory."""
    with tempfile.TemporaryDirectory(dir=base) as directory:
        yield Path(directory)
