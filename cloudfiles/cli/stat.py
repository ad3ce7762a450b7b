"""`cloudfiles head`, `stat` and `presign`: metadata of single objects, and URLs for them."""

from __future__ import annotations

import pprint
from collections.abc import Iterable, Iterator
from typing import Any

import click

from cloudfiles.cli.operands import Operand
from cloudfiles.cli.outcome import Outcome, failing
from cloudfiles.cli.sizes import parse_duration
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.cli.tables import human_size, json_lines_option, print_json, print_line, shown_time
from cloudfiles.exceptions import MissingObjectError

_BATCH = 10_000
"""Objects that are asked for at once."""


@click.command()
@click.argument("paths", nargs=-1, required=True)
@json_lines_option
@store_options
def head(stores: Stores, paths: tuple[str, ...], as_json: bool) -> int:
    """Show the metadata of the objects PATHS, as Python dicts. `-` reads paths from standard input."""
    outcome = Outcome()
    heads = {one.text: fields for one, fields in _heads(stores, stores.operands(paths), outcome)}
    if as_json:
        for text, fields in heads.items():
            print_json(path=text, **fields)
    elif len(paths) == 1 and len(heads) == 1:
        print_line(repr(*heads.values()))
    elif heads:
        print_line(pprint.pformat(heads, indent=2))
    return outcome.status


@click.command()
@click.argument("paths", nargs=-1, required=True)
@json_lines_option
@store_options
def stat(stores: Stores, paths: tuple[str, ...], as_json: bool) -> int:
    """Show the metadata of the objects PATHS, one field per line. `-` reads paths from standard input."""
    outcome = Outcome()
    for one, fields in _heads(stores, stores.operands(paths), outcome):
        if as_json:
            print_json(path=one.cloudpath, **fields)
            continue
        print_line(one.cloudpath)
        for name, value in fields.items():
            if value is not None:
                print_line(f"  {name:20} {_explained(name, value)}")
    return outcome.status


def _explained(name: str, value: Any) -> str:
    if name == "Content-Length" and value >= 1024:
        return f"{value} ({human_size(value)})"
    return f"{value} ({shown_time(value)})" if name == "Last-Modified" else str(value)


def _heads(stores: Stores, given: Iterable[Operand], outcome: Outcome) -> Iterator[tuple[Operand, dict[str, Any]]]:
    """The metadata of each object, asked for together where they are in one directory; failures are reported."""
    for directory, several in _by_directory(given):
        cf = stores.open(directory)
        with failing(outcome, directory):
            found = cf.head([one.name for one in several])
            for one in several:
                fields = found[one.name]
                if fields is None:
                    outcome.fail(one.text, MissingObjectError(f"{one.text}: no such object"))
                else:
                    outcome.add(one.text)
                    yield one, dict(fields)


def _by_directory(given: Iterable[Operand]) -> Iterator[tuple[str, list[Operand]]]:
    """Neighboring operands of one directory together."""
    group: list[Operand] = []
    for one in given:
        if group and (one.directory != group[0].directory or len(group) >= _BATCH):
            yield group[0].directory, group
            group = []
        group.append(one)
    if group:
        yield group[0].directory, group


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--expires", default="1h", show_default=True, metavar="TIME",
              help="How long the URL is valid: 900, 15m, 12h, 7d.")
@click.option("--method", default="GET", show_default=True, help="The HTTP method that the URL is for.")
@store_options
def presign(stores: Stores, paths: tuple[str, ...], expires: str, method: str) -> int:
    """Print URLs with which anyone can access the objects PATHS for a limited time."""
    try:
        seconds = parse_duration(expires)
    except ValueError as error:
        raise click.UsageError(f"--expires: {error}") from error
    for one in stores.operands(paths):
        print_line(stores.open(one.directory).presign(one.name, seconds, method))
    return 0
