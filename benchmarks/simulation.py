"""Batches against stores on simulated time, with the real controller of concurrency and the real limiter.

    python -m benchmarks.simulation [--only NAME,NAME] [--picture FILE]

prints, for each store, how long a batch takes with the width that the controller finds, beside the best fixed width.
Takes some minutes, needs no server, and prints the same figures each time.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

from benchmarks.simulated_batches import GBIT, MBIT, Batch, Run, Store, simulate

FIXED = (20, 32, 64, 128, 256, 512, 1024)
"""Widths with which that of the controller is compared."""


@dataclass(frozen=True)
class Scenario:
    """A row of the table."""

    store: Store
    batch: Batch = field(default_factory=Batch)
    clients: int = 1


SCENARIOS = {
    "loopback": Scenario(Store(latency=0.0002), Batch(20_000)),
    "1 ms": Scenario(Store(latency=0.001), Batch(20_000)),
    "5 ms": Scenario(Store(latency=0.005)),
    "20 ms": Scenario(Store(latency=0.02)),
    "50 ms": Scenario(Store(latency=0.05)),
    "100 ms": Scenario(Store(latency=0.1)),
    "200 ms": Scenario(Store(latency=0.2), Batch(10_000)),
    "20 ms, slow first responses": Scenario(Store(latency=0.02, is_lazy=True)),
    "50 ms, slow first responses": Scenario(Store(latency=0.05, is_lazy=True)),
    "20 ms, 40 000 objects": Scenario(Store(latency=0.02), Batch(40_000)),
    "20 ms, 50 Mbit/s": Scenario(Store(latency=0.02, bandwidth=50 * MBIT)),
    "50 ms, 50 Mbit/s": Scenario(Store(latency=0.05, bandwidth=50 * MBIT)),
    "20 ms, 1 Gbit/s, 64 KiB": Scenario(Store(latency=0.02, bandwidth=GBIT), Batch(5000, 65_536, cpu=80e-6)),
    "50 ms, 1 Gbit/s, 64 KiB": Scenario(Store(latency=0.05, bandwidth=GBIT), Batch(5000, 65_536, cpu=80e-6)),
    "20 ms, 1 Gbit/s, 8 MiB": Scenario(Store(latency=0.02, bandwidth=GBIT), Batch(300, 2 ** 23, cpu=2e-3)),
    "50 ms, 100 Gbit/s, 8 MiB": Scenario(Store(latency=0.05, bandwidth=100 * GBIT), Batch(1000, 2 ** 23, cpu=2e-3)),
    "20 ms, 3000 requests/s": Scenario(Store(latency=0.02, capacity=3000), Batch(10_000)),
    "20 + 20 ms, long tail": Scenario(Store(latency=0.02, service=0.02, spread=0.7), Batch(10_000)),
    "5 + 40 ms, longer tail": Scenario(Store(latency=0.005, service=0.04, spread=1.0), Batch(20_000)),
    "20 ms, 0.5% take 2 s": Scenario(Store(latency=0.02, service=0.002, stalls=0.005), Batch(20_000)),
    "20 ms, 503 above 1000/s": Scenario(Store(latency=0.02, rate=1000), Batch(20_000)),
    "100 ms, 503 above 1000/s": Scenario(Store(latency=0.1, rate=1000), Batch(20_000)),
    "100 ms, 503 for 10% at any rate": Scenario(Store(latency=0.1, refusals=0.1), Batch(20_000)),
    "503 above 1000/s, 4 clients": Scenario(Store(latency=0.02, rate=1000), Batch(5000), 4),
}


def compare(name: str, scenario: Scenario) -> str:
    """A row: the time with the width found beside that with the best fixed one."""
    def run_with(fixed: int = 0) -> Run:
        return simulate(scenario.store, scenario.batch, clients=scenario.clients, fixed=fixed)

    run = run_with()
    seconds, width = min((run_with(fixed).seconds, fixed) for fixed in FIXED)
    widths = [width for outcome in run.outcomes for _, width in outcome.widths]
    return (f"{name:30} {seconds:8.2f} {width:6} {run.seconds:8.2f} {seconds / run.seconds:6.2f} {max(widths):6} "
            f"{widths[-1]:6} {100 * run.share:6.1f}")


SHARED = {
    "1 Gbit/s": (Store(latency=0.02, bandwidth=GBIT), (4,)),
    "5000 requests/s": (Store(latency=0.02, capacity=5000), (1, 4, 30, 200, 1000)),
    "503 above 1000/s": (Store(latency=0.02, rate=1000), (4, 20)),
}


def share(store: Store, clients: int, seconds: float = 20.0, *, fixed: int = 0) -> tuple[float, float, float, int]:
    """Objects per second in all, Jain's index of fairness, the highest rate over the mean one, and the largest width.

    In the second half of a run in which clients start one after the other, for a tenth of it in all.
    """
    run = simulate(store, Batch(10 ** 7), clients=clients, seconds=seconds, apart=seconds / 10 / clients, fixed=fixed)
    rates = [outcome.rate(seconds / 2, seconds) for outcome in run.outcomes]
    total = sum(rates)
    return (total, total ** 2 / (clients * sum(rate ** 2 for rate in rates)), max(rates) * clients / total,
            max(outcome.width(seconds) for outcome in run.outcomes))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--only", help="comma-separated parts of the names of rows")
    parser.add_argument("--picture", help="writes a picture of the widths over time (requires matplotlib)")
    arguments = parser.parse_args()
    parts = (arguments.only or "").split(",")
    print(f"{'store':30} {'fixed, s':>8} {'width':>6} {'found, s':>8} {'ratio':>6} {'peak':>6} {'end':>6} 503, %")
    chosen = {name: each for name, each in SCENARIOS.items() if any(part in name for part in parts)}
    for name, scenario in chosen.items():
        print(compare(name, scenario), flush=True)
    print(f"\n{'shared store':30} {'clients':>8} {'objects/s':>10} {'with 20':>8} {'fair':>6} {'max/mean':>9}  widest")
    for name, (store, numbers) in SHARED.items():
        for clients in numbers if any(part in "shared" for part in parts) else ():
            total, fairness, most, widest = share(store, clients)
            with_20 = share(store, clients, fixed=20)[0]
            print(f"{name:30} {clients:8} {total:10.0f} {with_20:8.0f} {fairness:6.2f} {most:9.1f} {widest:7}")
    if arguments.picture:
        plot(chosen, arguments.picture)


def plot(scenarios: dict[str, Scenario], path: str) -> None:
    """Plot the width of the first client over the time."""
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(9, 5))
    for name, scenario in scenarios.items():
        outcome = simulate(scenario.store, scenario.batch, clients=scenario.clients).outcomes[0]
        times, widths = zip(*outcome.widths, strict=True)
        axes.step(times, widths, where="post", label=name)
    axes.set(xlabel="seconds", ylabel="requests in progress at most", xscale="symlog", yscale="log")
    axes.legend(fontsize="x-small")
    figure.savefig(path)


if __name__ == "__main__":
    main()
