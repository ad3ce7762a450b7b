"""The trial of each verb, and how to run one."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import transfers, trials
from benchmarks.clients.base import Client, Tally
from benchmarks.trials import Job, Trial

TRIALS: dict[str, type[Trial]] = {
    "get": trials.Get, "get_decoded": trials.GetDecoded, "get_recorded": trials.GetRecorded, "put": trials.Put,
    "exists": trials.Exists, "exists_each": trials.ExistsEach, "exists_sparse": trials.ExistsSparse,
    "size": trials.Size,
    "list": trials.List, "delete": trials.Delete, "get_big": trials.GetBig, "put_big": trials.PutBig,
    "stream": trials.Stream, "download": transfers.Download, "upload": transfers.Upload,
    "copy_within": transfers.CopyWithin, "copy_tree": transfers.CopyTree,
}


def method(verb: str) -> str:
    """The method that a client needs for a verb."""
    return "exists" if verb in ("exists_each", "exists_sparse") else verb


def perform(client: Client, job: Job) -> dict[str, Any]:
    """Run one trial; returns `{'samples': {name of the row: results}}`, or the reason why there are none."""
    try:
        client.setup(job.target)
    except ImportError as error:
        return {"unavailable": f"{type(error).__name__}: {error}"}
    trial = TRIALS[job.verb](client, job)
    trial.prepare()
    cpu, started = client.cpu_seconds(), time.perf_counter()
    result = trial.run()
    seconds, cpu = time.perf_counter() - started, client.cpu_seconds() - cpu
    memory = client.peak_memory()
    if isinstance(result, Tally):
        tally = Tally(result.operations if trial.operations > 1 else 1, result.seconds, cpu)
        return {"samples": {client.name: figures(trial, tally, memory)}}
    trial.check(result)
    tallies = trial.tallies() or {client.name: Tally(trial.operations, seconds, cpu)}
    return {"samples": {name: figures(trial, tally, memory) for name, tally in tallies.items()}}


def figures(trial: Trial, tally: Tally, memory: int) -> dict[str, Any]:
    """The results of a trial: operations, seconds and bytes."""
    each = trial.volume / trial.operations
    return {"operations": tally.operations, "bytes": int(each * tally.operations), "seconds": tally.seconds,
            "cpu": tally.cpu, "rss": memory}
