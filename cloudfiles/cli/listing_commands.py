"""`cloudfiles ls` and `find`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from cloudfiles.cli.globs import compiled, split_glob
from cloudfiles.cli.listing import Found, contents, entries, is_empty_directory, matches, missing
from cloudfiles.cli.operands import Operand, below
from cloudfiles.cli.outcome import Outcome, failing
from cloudfiles.cli.sizes import parse_duration, parse_size
from cloudfiles.cli.store_options import Stores, store_options
from cloudfiles.cli.tables import json_lines_option, print_json, print_line, shown_size, shown_time
from cloudfiles.transfer.compare import when


@click.command()
@click.argument("paths", nargs=-1)
@click.option("--flat", is_flag=True, help="List one level: objects and directories.")
@click.option("-r", "--recursive", is_flag=True, help="List all levels. This is the default, except for globs.")
@click.option("-l", "--long", "is_long", is_flag=True, help="Show sizes and times.")
@click.option("-h", "--human-readable", "human", is_flag=True, help="Show sizes in KiB, MiB, ...; implies -l.")
@json_lines_option
@click.option("--shortpath", is_flag=True, help="Print paths as they were given, instead of cloudpaths.")
@click.option("-e", "--expr", "is_expression", is_flag=True,
              help="Expand sets such as [ab] and repetitions such as [0-9]{2} in the path into several prefixes.")
@click.option("--sqlite", "database", metavar="FILE", help="Write to a SQLite database instead; an interrupted "
                                                           "listing is resumed.")
@click.option("--progress/--no-progress", default=None, help="Show a progress bar with --sqlite.")
@store_options
def ls(stores: Stores, paths: tuple[str, ...], flat: bool, recursive: bool, is_long: bool, human: bool, as_json: bool,
       shortpath: bool, is_expression: bool, database: str | None, progress: bool | None) -> int:
    """List the objects whose paths start with one of PATHS, or match it as a glob.

    The default is the current directory. All levels are listed, unless --flat is given. A glob lists what matches it,
    and with -r also what is in the directories that match. A directory ends with '/'.
    """
    given = paths or (".",)
    if database is not None:
        from cloudfiles.cli.sqlite_listing import list_to_sqlite

        if len(given) > 1:
            raise click.UsageError("--sqlite: expected one path")
        return list_to_sqlite(stores, stores.operand(given[0]), database, progress)
    show, outcome = _line_of(is_long or human, human, as_json, shortpath), Outcome()
    for one in _expanded_expressions(stores, given) if is_expression else stores.operands(given):
        with failing(outcome, one.text):
            is_empty = True
            for found in _listed(stores, one, flat, recursive):
                show(found, one)
                is_empty = False
            if is_empty and not is_expression and not is_empty_directory(stores, one):
                raise missing(one)
            outcome.add(one.text)
    return outcome.status


def _expanded_expressions(stores: Stores, given: Iterable[str]) -> list[Operand]:
    from cloudfiles.cli.prefix_expressions import expand

    return [stores.operand(text) for expression in given for text in expand(expression)]


def _listed(stores: Stores, one: Operand, flat: bool, recursive: bool) -> Iterator[Found]:
    if one.is_pattern:
        yield from matches(stores, one, recursive=recursive)
        return
    cf = stores.open(one.directory)
    prefix = one.name
    if prefix and (one.ends_in_slash or (flat and cf.isdir(prefix))):
        prefix += "/"
    yield from entries(cf, prefix, flat=flat)


def _line_of(is_long: bool, human: bool, as_json: bool, shortpath: bool) -> Callable[[Found, Operand], None]:
    """The function that prints one line."""
    def path(found: Found, one: Operand) -> str:
        return _short(found, one) if shortpath else found.cloudpath

    def as_line(found: Found, one: Operand) -> None:
        print_line(path(found, one))

    def as_row(found: Found, one: Operand) -> None:
        size = shown_size(found.size, human)
        print_line(f"{size:>12}  {shown_time(found.modified):19}  {path(found, one)}")

    def as_object(found: Found, one: Operand) -> None:
        seconds = when(found.modified)
        print_json(path=path(found, one), size=found.size, modified=seconds, etag=found.etag,
                   type="directory" if found.is_directory else "object")

    return as_object if as_json else as_row if is_long else as_line


def _short(found: Found, one: Operand) -> str:
    """The path as the operand was written: relative, if it was."""
    if one.is_pattern:
        base = split_glob(one.text)[0]
    else:
        base = one.text.rstrip("/") if not one.name else one.text.rstrip("/").removesuffix(one.name).rstrip("/")
    return below(base, found.key) if base else found.key


# ---- find


@click.command()
@click.argument("paths", nargs=-1)
@click.option("--name", "names", multiple=True, help="A glob for the last component of the path.")
@click.option("--path", "path_globs", multiple=True, help="A glob for the path below the searched directory.")
@click.option("--size", "sizes", multiple=True, metavar="[+-]SIZE",
              help="+1MiB: at least; -1MiB: at most; 1MiB: exactly.")
@click.option("--mtime", "--age", "ages", multiple=True, metavar="[+-]AGE",
              help="+7d: older than; -2h: newer than (s, m, h, d, w).")
@click.option("-l", "--long", "is_long", is_flag=True, help="Show sizes and times.")
@click.option("-h", "--human-readable", "human", is_flag=True, help="Show sizes in KiB, MiB, ...; implies -l.")
@click.option("-0", "--print0", is_flag=True, help="End paths with a NUL byte instead of a line break.")
@json_lines_option
@store_options
def find(stores: Stores, paths: tuple[str, ...], names: tuple[str, ...], path_globs: tuple[str, ...],
         sizes: tuple[str, ...], ages: tuple[str, ...], is_long: bool, human: bool, print0: bool, as_json: bool) -> int:
    """Search the directories PATHS, by default the current one, for objects that meet all of the conditions."""
    conditions = [*_name_conditions(names, path_globs), *map(_size_condition, sizes), *map(_age_condition, ages)]
    show, outcome = _line_of(is_long or human, human, as_json, shortpath=False), Outcome()
    for one in stores.operands(paths or (".",)):
        with failing(outcome, one.text):
            for found in contents(stores, one):
                if not all(holds(found) for holds in conditions):
                    continue
                if print0:
                    sys.stdout.write(found.cloudpath + "\0")
                else:
                    show(found, one)
            outcome.add(one.text)
    return outcome.status


Condition = Callable[[Found], Any]


def _name_conditions(names: Iterable[str], path_globs: Iterable[str]) -> Iterator[Condition]:
    by_name = [compiled(name).fullmatch for name in names]
    by_path = [compiled(glob).fullmatch for glob in path_globs]
    if by_name:
        yield lambda found: any(match(found.key.rpartition("/")[2]) for match in by_name)
    if by_path:
        yield lambda found: any(match(found.key) for match in by_path)


def _signed(text: str) -> tuple[str, str]:
    return (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)


def _size_condition(text: str) -> Condition:
    sign, rest = _signed(text)
    try:
        limit = parse_size(rest)
    except ValueError as error:
        raise click.UsageError(f"--size: {error}") from error
    if sign == "+":
        return lambda found: found.size is not None and found.size >= limit
    if sign == "-":
        return lambda found: found.size is not None and found.size <= limit
    return lambda found: found.size == limit


def _age_condition(text: str) -> Condition:
    sign, rest = _signed(text)
    if not sign:
        raise click.UsageError(f"--mtime: expected +AGE (older) or -AGE (newer), such as +7d, got {text!r}")
    try:
        limit = time.time() - parse_duration(rest, allows_seconds=False)
    except ValueError as error:
        raise click.UsageError(f"--mtime: {error}") from error
    if sign == "+":
        return lambda found: (at := when(found.modified)) is not None and at <= limit
    return lambda found: (at := when(found.modified)) is not None and at >= limit
