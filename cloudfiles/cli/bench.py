"""`cloudfiles bench`: the rates of one store."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import click

from cloudfiles import CloudFiles
from cloudfiles.cli.sizes import SizeType, format_size
from cloudfiles.cli.store_benchmark import Measurement, StoreBenchmark
from cloudfiles.exceptions import redact

_HEADINGS = ("operation", "objects", "seconds", "objects/s", "MB/s", "CPU us/object")
_WIDTHS = (11, 9, 11, 9, 13)


@click.command()
@click.argument("cloudpath", required=False)
@click.option("--objects", type=click.IntRange(min=1), default=5000, show_default=True, help="Number of objects.")
@click.option("--size", type=SizeType(), default="4KiB", show_default=True, help="Size of each object: a number of "
                                                                                 "bytes, or with a unit KiB, MiB, GiB.")
@click.option("--threads", "--num-threads", "threads", type=click.IntRange(min=0), metavar="N",
              help="Number of concurrent workers [default: found while the benchmark runs].")
@click.option("--green/--no-green", default=None, help="Use green threads or OS threads [default: depends on the "
                                                       "protocol].")
@click.option("--endpoint", help="URL of an S3-compatible service.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def bench(cloudpath: str | None, objects: int, size: int, threads: int | None, green: bool | None, endpoint: str | None,
          as_json: bool) -> None:
    """Measure put, exists, get, list and delete on CLOUDPATH.

    All objects are put below a new random prefix, and deleted at the end, even after an error or Ctrl-C. Contents
    that are read are compared with what was put. Without CLOUDPATH, a small server on this machine is measured: a
    Python program that keeps objects in memory, and is usually the bottleneck.
    """
    with _store(cloudpath, endpoint, green=green, num_threads=threads) as cf:
        benchmark = StoreBenchmark(cf, objects, size, _bar)
        with _cleaned_up(benchmark):
            measurements, latencies = _measure(benchmark, as_json)
    if as_json:
        click.echo(json.dumps(_report(benchmark, measurements, latencies)))


@contextmanager
def _store(cloudpath: str | None, endpoint: str | None, **options: Any) -> Iterator[CloudFiles]:
    """A new prefix below the cloudpath, or on an S3 server that lives as long as the block."""
    prefix = f"cloudfiles-bench-{uuid.uuid4().hex[:12]}"
    if cloudpath is not None:
        cf = CloudFiles(cloudpath, endpoint=endpoint)
        yield CloudFiles(cf.join(cf.cloudpath, prefix), endpoint=endpoint, **options)
        return
    from cloudfiles.testing import S3Server

    os.environ["no_proxy"] = "127.0.0.1"  # a proxy cannot reach this machine's loopback
    with S3Server() as server:
        server.configure(record=False)
        yield CloudFiles(server.cloudpath(f"bucket/{prefix}"), secrets=server.secrets, **options)


def _bar(operation: str, objects: int) -> Any:
    """A progress bar, on terminals only."""
    from tqdm import tqdm

    return tqdm(total=objects, desc=operation, unit=" objects", leave=False, disable=None, file=sys.stderr)


def _measure(benchmark: StoreBenchmark, as_json: bool) -> tuple[list[Measurement], Sequence[float]]:
    """Run all operations, and single gets while the objects exist; each row is printed as soon as it is known."""
    write: Callable[[str], Any] = (lambda line: None) if as_json else click.echo
    write(f"{benchmark.objects} objects of {format_size(benchmark.size)} at {redact(benchmark.cf.cloudpath)}")
    write(_line(_HEADINGS))
    measurements: list[Measurement] = []
    latencies: Sequence[float] = []
    for measurement in benchmark.run():
        measurements.append(measurement)
        write(_line(_row(measurement)))
        if measurement.operation == "get":
            latencies = benchmark.latencies()
    write("single gets: " + ", ".join(f"{name} {seconds * 1e3:.2f} ms"
                                      for name, seconds in _percentiles(latencies).items()))
    return measurements, latencies


@contextmanager
def _cleaned_up(benchmark: StoreBenchmark) -> Iterator[None]:
    """Remove the objects after an error or Ctrl-C; where that fails, print a message."""
    try:
        yield
    except BaseException:
        try:
            benchmark.clean_up()
        except Exception:
            click.echo(f"cloudfiles: the objects under {redact(benchmark.cf.cloudpath)} could not be removed; remove "
                       "them by hand", err=True)
        raise
    finally:
        if benchmark.cf.protocol == "file":
            with suppress(OSError):  # it does not exist, or is not empty
                os.rmdir(benchmark.cf.cloudpath.removeprefix("file://"))


# ---- output


def _report(benchmark: StoreBenchmark, measurements: list[Measurement], latencies: Sequence[float]) -> dict[str, Any]:
    return {
        "cloudpath": benchmark.cf.cloudpath, "objects": benchmark.objects, "size": benchmark.size,
        "operations": [measurement.as_dict() for measurement in measurements],
        "get_latency_seconds": _percentiles(latencies),
    }


def _row(measurement: Measurement) -> tuple[str, ...]:
    facts = measurement.as_dict()
    return (measurement.operation, f"{measurement.objects:,}", f"{measurement.seconds:.3f}",
            f"{facts['objects_per_second']:,.0f}",
            f"{facts['megabytes_per_second']:,.1f}" if measurement.bytes else "-",
            f"{facts['cpu_microseconds_per_object']:,.1f}")


def _line(cells: tuple[str, ...]) -> str:
    return "  ".join([f"{cells[0]:9}", *(f"{cell:>{width}}" for cell, width in zip(cells[1:], _WIDTHS, strict=True))])


def _percentiles(ordered: Sequence[float]) -> dict[str, float]:
    return {f"p{percent}": round(ordered[len(ordered) * percent // 100], 6) for percent in (50, 99)}
