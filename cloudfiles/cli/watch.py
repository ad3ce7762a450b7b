"""`cloudfiles watch net`: the network traffic of this machine."""

from __future__ import annotations

import itertools
import time

import click

from cloudfiles.cli.tables import human_size, json_lines_option, print_json


@click.group()
def watch() -> None:
    """Watch the network traffic of this machine."""


@watch.command()
@click.option("--interval", type=click.FloatRange(min=0.1), default=1.0, show_default=True, metavar="SECONDS",
              help="Time between two lines.")
@click.option("--count", type=click.IntRange(min=1), help="Number of lines [default: until Ctrl-C].")
@json_lines_option
def net(interval: float, count: int | None, as_json: bool) -> int:
    """Print the bytes received and sent per second by all network devices of this machine, whatever the process."""
    from cloudfiles.monitoring.sampling import net_counters

    before, at = net_counters(), time.monotonic()
    for _ in itertools.islice(itertools.count(), count):
        time.sleep(interval)
        now, counters = time.monotonic(), net_counters()
        received, sent = ((new - old) / (now - at) for new, old in zip(counters, before, strict=True))
        before, at = counters, now
        if as_json:
            print_json(received=round(received), sent=round(sent))
        else:
            click.echo(f"received {human_size(int(received)):>9}/s   sent {human_size(int(sent)):>9}/s")
    return 0
