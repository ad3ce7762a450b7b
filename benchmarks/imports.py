"""The cost of importing: wall time and peak memory of `python -c 'import X'` and of the bare interpreter."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import envs
from benchmarks.clients.base import Client
from benchmarks.results import OURS
from benchmarks.runner import PROJECT, interpreter

_TELL = ("; import resource, sys; s = open('/proc/self/status').read() if sys.platform == 'linux' else ''"
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
    pythons: dict[tuple[str, str], str] = {("pass", "bare interpreter"): interpreter(Client)}
    missing: list[ImportCost] = []
    for client in clients:
        if client.statement is None:
            continue
        try:
            pythons[client.statement, client.name] = interpreter(client)
        except envs.Unavailable as error:
            missing.append(ImportCost(client.statement, client.name, reason=f"not available: {error}"))
    times: dict[tuple[str, str], list[tuple[float, int]]] = {which: [] for which in pythons}
    failed: dict[tuple[str, str], str] = {}
    for _ in range(rounds + 1):  # the first round only fills the caches
        for which, python in pythons.items():
            if which not in failed:
                _once(which, python, times[which], failed)
    measured = [_cost(which, samples[1:]) for which, samples in times.items() if which not in failed]
    return measured + [ImportCost(*which, reason=reason) for which, reason in failed.items()] + missing


def _once(which: tuple[str, str], python: str, samples: list[tuple[float, int]],
          failed: dict[tuple[str, str], str]) -> None:
    """Start an interpreter once: a sample, or the reason in `failed`."""
    statement, client = which
    where = {"PYTHONPATH": str(PROJECT)} if client == OURS else {}
    started = time.perf_counter()
    done = subprocess.run([python, "-c", statement + _TELL], capture_output=True, text=True, env=where, cwd="/",
                          check=False)
    elapsed = time.perf_counter() - started
    if done.returncode:
        failed[which] = "not available: " + (done.stderr.strip().splitlines() or ["no message"])[-1]
    else:
        samples.append((elapsed, int(done.stdout.split()[-1])))


def _cost(which: tuple[str, str], samples: list[tuple[float, int]]) -> ImportCost:
    return ImportCost(*which, milliseconds=median(t for t, _ in samples) * 1e3, rss=median(m for _, m in samples) / 1e6)
