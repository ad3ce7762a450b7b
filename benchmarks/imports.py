"""The cost of starting: wall time and peak memory of `python -c 'import X'`, of programs that get one object, and of
the bare interpreter."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import certificate, envs
from benchmarks.clients.base import Client
from benchmarks.results import OURS
from benchmarks.runner import PROJECT, interpreter
from cloudfiles.testing import S3Server

_TELL = ("import resource, sys; s = open('/proc/self/status').read() if sys.platform == 'linux' else ''"
         "; print(int(s.split('VmHWM:')[1].split()[0]) * 1024 if s else"
         " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")


@dataclass(frozen=True)
class ImportCost:
    """`milliseconds` of the whole process and `rss` in MB (10^6); or the reason why there are none."""

    statement: str
    client: str
    milliseconds: float = 0.0
    rss: float = 0.0
    reason: str = ""


def measure_imports(clients: Sequence[type[Client]], rounds: int = 10) -> list[ImportCost]:
    """Interleaved: each statement once per round, the bare interpreter first."""
    starts: list[_Start] = [_Start("pass", "bare interpreter", "pass", interpreter(Client))]
    missing: list[ImportCost] = []
    with tempfile.TemporaryDirectory() as directory, _server(directory) as places:
        for client in clients:
            programs = {client.statement: client.statement, **client.starts} if client.statement else {}
            for label, program in programs.items():
                try:
                    starts.append(_Start(label, client.name, program.format_map(places), interpreter(client)))
                except envs.Unavailable as error:
                    missing.append(ImportCost(label, client.name, reason=f"not available: {error}"))
        for _ in range(rounds + 1):  # the first round only fills the caches
            for start in starts:
                if not start.reason:
                    start.run(places)
    return [start.cost() for start in sorted(starts, key=lambda start: bool(start.reason))] + missing


@contextmanager
def _server(directory: str) -> Iterator[dict[str, str]]:
    """What the programs need to get one object: `endpoint`, `tls_endpoint`, `bucket`, `key` and `ca_file`."""
    where = Path(directory)
    ca_file = certificate.issue(where)
    pair = where / "pair.pem"
    pair.write_bytes((where / "server.key").read_bytes() + (where / "server.pem").read_bytes())
    with S3Server() as plain, S3Server(pair) as secure:
        for server in plain, secure:
            server.put("key", bytes(4096))
        yield {"endpoint": plain.url, "tls_endpoint": secure.url, "bucket": S3Server.bucket, "key": "key",
               "ca_file": ca_file}


@dataclass
class _Start:
    """A program that is started repeatedly.

    Attributes:
        samples: seconds and peak bytes of each start.
        reason: why it failed.
    """

    statement: str
    client: str
    program: str
    python: str
    samples: list[tuple[float, int]] = field(default_factory=list)
    reason: str = ""

    def run(self, places: Mapping[str, str]) -> None:
        where = {"PYTHONPATH": str(PROJECT)} if self.client == OURS else {}
        variables = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE0000", "AWS_SECRET_ACCESS_KEY": "secretkey1234567",
                     "AWS_DEFAULT_REGION": "us-east-1", "SSL_CERT_FILE": places["ca_file"],
                     "AWS_CA_BUNDLE": places["ca_file"], "HOME": "/nowhere"}
        program = f"import atexit; atexit.register(lambda: exec({_TELL!r})); {self.program}"
        started = time.perf_counter()
        done = subprocess.run([self.python, "-c", program], capture_output=True, text=True, env={**where, **variables},
                              cwd="/", check=False)
        elapsed = time.perf_counter() - started
        if done.returncode:
            self.reason = "not available: " + (done.stderr.strip().splitlines() or ["no message"])[-1]
        else:
            self.samples.append((elapsed, int(done.stdout.split()[-1])))

    def cost(self) -> ImportCost:
        if self.reason:
            return ImportCost(self.statement, self.client, reason=self.reason)
        samples = self.samples[1:]
        return ImportCost(self.statement, self.client, milliseconds=median(t for t, _ in samples) * 1e3,
                          rss=median(m for _, m in samples) / 1e6)
